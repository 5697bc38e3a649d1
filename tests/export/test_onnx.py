"""An ONNX file answers as torch does, says what it is, and is refused where it does not."""

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import onnx
import pytest
import torch
from scipy.special import expit, logit

from action_units.config import NetworkSpec
from action_units.errors import ArtifactError, ConfigurationError
from action_units.evaluation.postprocessing.intensity import IntensityCurve
from action_units.evaluation.postprocessing.person_centred import PersonCentring
from action_units.evaluation.postprocessing.postprocessing import PersonCentred
from action_units.evaluation.postprocessing.smoothing import Smoothing
from action_units.export.check import check_onnx, torch_probabilities
from action_units.export.fold_models import remaining_postprocessing
from action_units.export.onnx import face_size, resizing, to_onnx
from action_units.export.onnx_runtime import OnnxNetwork, open_session, run_session
from action_units.files import atomic_artifact
from action_units.models.registry import architectures
from action_units.threads import limited
from action_units.training.data import resized
from action_units.training.inference import predict
from tests.export.synthetic import synthetic_faces, synthetic_fold_model
from tests.models.fake_timm import fake_timm

SPECS = {
    "residual": {"width": 0.25},
    "vgg13": {"width": 0.125, "normalisation": "batch"},
    "convnext": {"width": 0.25},
    "convnextv2_atto": {"width": 0.2, "channels": 3},
    "convnextv2_nano": {"width": 0.1, "channels": 3},
    "convnextv2_tiny": {"width": 0.1, "channels": 3},
    "timm": {"timm_model": "small_conv", "channels": 3},
}


def asked(content, faces):
    return run_session(open_session(content, threads=1), faces)


def written(path, content):
    with atomic_artifact(path) as file:
        file.write(content)
    return path


@pytest.fixture(scope="module")
def single():
    """A network, and its ONNX file's content."""
    member = synthetic_fold_model()
    return member, to_onnx([member], 32, {"name": "x"})


def test_a_session_keeps_to_the_limit_of_threads(single):
    with limited(1):
        options = open_session(single[1]).get_session_options()
    assert options.intra_op_num_threads == 1


@pytest.mark.parametrize(
    ("architecture", "flip"), [("residual", False), *((name, True) for name in architectures())]
)
def test_faces_get_torchs_probabilities(architecture, flip, monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", fake_timm())
    spec = NetworkSpec(architecture=architecture, image_size=32, **SPECS[architecture])
    member = synthetic_fold_model(spec=spec, flip=flip)
    faces = synthetic_faces(250, 32)
    wanted = predict(member.model, faces, "cpu", flip=flip)
    found = asked(to_onnx([member], 32, {}), faces)
    assert found.dtype == np.float32
    assert np.ptp(wanted, axis=0).min() > 0.05  # they tell faces apart
    assert np.abs(found - wanted).max() <= 1e-5


@pytest.mark.parametrize("stored", [64, 44])
def test_faces_of_another_size_are_resized_in_the_graph_as_torch_does(stored):
    member = synthetic_fold_model(faces={"size": stored})
    faces = synthetic_faces(200, stored)
    weights = resizing(stored, 32)
    found = (weights @ (torch.from_numpy(faces).float() @ weights.T)).round().numpy()
    assert np.array_equal(found, resized(torch.from_numpy(faces), 32).numpy())
    assert face_size([member]) == stored
    off = asked(to_onnx([member], stored, {}), faces) - predict(
        member.model, faces, "cpu", flip=True
    )
    assert np.abs(off).max() <= 1e-5


def test_several_networks_answer_with_the_mean_of_their_logits():
    members = [synthetic_fold_model(fold) for fold in (1, 2, 3)]
    faces = synthetic_faces(100, 32)
    single = np.array(
        [predict(m.model, faces, "cpu", flip=True).astype(np.float64) for m in members]
    )
    wanted = expit(logit(single.clip(1e-6, 1 - 1e-6)).mean(axis=0))
    content = to_onnx(members, 32, {})
    # float32 probabilities have few digits left near 1, so their mean logit is a little off
    assert np.abs(asked(content, faces) - wanted).max() <= 1e-4
    assert np.abs(asked(content, faces) - torch_probabilities(members, faces)).max() <= 1e-5
    limits = np.array([m.postprocessing.thresholds.values for m in members])
    together = remaining_postprocessing(members).thresholds
    assert np.allclose(together.values, expit(logit(limits).mean(axis=0)), atol=1e-12)
    assert together.fitted_on == ("SN041", "SN042", "SN043")
    margins = (logit(single.clip(1e-6, 1 - 1e-6)) - logit(limits)[:, None]).mean(axis=0)
    clear = np.abs(margins) > 1e-3
    calls = asked(content, faces) >= np.array(together.values)
    assert np.array_equal(calls[clear], margins[clear] >= 0)


def test_one_network_keeps_its_own_thresholds():
    member = synthetic_fold_model()
    assert (
        remaining_postprocessing([member]).thresholds.values
        == member.postprocessing.thresholds.values
    )


def test_a_temperature_is_in_the_graph_and_no_longer_to_be_done(tmp_path):
    member = synthetic_fold_model(temperature=True)
    path = written(tmp_path / "model.onnx", to_onnx([member], 32, {}))
    network, faces = OnnxNetwork(path), synthetic_faces(100, 32)
    wanted = member.postprocessing.probabilities(predict(member.model, faces, "cpu", flip=True))
    assert network.postprocessing.calibration is None
    assert np.abs(network.probabilities(faces) - wanted).max() <= 1e-4
    check_onnx(path.read_bytes(), [member], 32, faces)


def with_curve(member, *scales):
    n = len(member.model.aus)
    scale = tuple(np.linspace(*scales, n))
    exponent = tuple(np.geomspace(0.3, 8, n))
    curve = IntensityCurve(
        (np.nan, *scale[1:]), (np.nan, *exponent[1:]), (False,) * n, ("V1",), (np.nan,) * n
    )
    return replace(member, postprocessing=replace(member.postprocessing, intensity=curve))


@pytest.mark.parametrize("folds", [1, 3])
def test_intensities_are_an_output_of_the_graph(folds, tmp_path):
    members = [
        with_curve(synthetic_fold_model(k + 1, temperature=k == 1), k + 1, 5)
        for k in range(folds)
    ]
    content = to_onnx(members, 32, {"name": "x"})
    check = check_onnx(content, members, 32)
    assert check["max_difference_of_intensity"] <= 1e-5
    faces = synthetic_faces(20, 32)
    session = open_session(content, threads=1)
    p, found = session.run(["probabilities", "intensities"], {"faces": faces})
    assert np.isnan(found[:, 0]).all()
    assert (found[:, 1:] >= 0).all()
    assert (found[:, 1:] <= 5).all()
    network = OnnxNetwork(written(tmp_path / "model.onnx", content))
    if folds == 1:  # then they are a function of the probability
        np.testing.assert_allclose(
            network.postprocessing.intensity.apply(p)[:, 1:], found[:, 1:], atol=1e-5
        )
    else:
        assert network.postprocessing.intensity is None
    wrong = [with_curve(one, 0.5, 4) for one in members]
    with pytest.raises(ArtifactError, match="its intensities differ from torch's"):
        check_onnx(content, wrong, 32)


def test_smoothing_is_left_to_be_done_and_several_such_networks_are_refused(tmp_path):
    smoothing = Smoothing("mean", 5, ("SN040",))
    member = synthetic_fold_model(smoothing=smoothing, temperature=True)
    path = written(tmp_path / "model.onnx", to_onnx([member], 32, {}))
    network, faces = OnnxNetwork(path), synthetic_faces(20, 32)
    assert network.postprocessing.smoothing == smoothing
    assert network.postprocessing.calibration == member.postprocessing.calibration
    raw = predict(member.model, faces, "cpu", flip=True)
    assert np.abs(network.probabilities(faces) - raw).max() <= 1e-5
    with pytest.raises(ArtifactError, match="export them one by one"):
        to_onnx([member, synthetic_fold_model(2)], 32, {})


def test_the_file_says_what_it_is(tmp_path):
    member = synthetic_fold_model(faces={"size": 32, "crop": {"margin": 0.1}})
    content = to_onnx([member], 32, {"version": "1.2", "name": "sample/main"})
    model = onnx.load_from_string(content)
    onnx.checker.check_model(model, full_check=True)
    told = {prop.key: json.loads(prop.value) for prop in model.metadata_props}
    assert told["schema"] == 1
    assert told["au_columns"][0] == "AU01"
    assert told["au_names"][0] == "Inner brow raiser"
    assert told["thresholds"] == list(member.postprocessing.thresholds.values)
    assert told["preprocessing"]["subtract"] == told["preprocessing"]["divide_by"] == 127.5
    assert told["preprocessing"]["flip_average"] == [True]
    assert told["faces"] == {"size": 32, "crop": {"margin": 0.1}}
    assert told["members"][0]["sha256"] == member.sha256
    assert told["members"][0]["subjects"]["test"] == ["SN003"]
    assert (told["version"], told["name"]) == ("1.2", "sample/main")
    (given,), (output,) = model.graph.input, model.graph.output
    assert (given.name, output.name) == ("faces", "probabilities")
    assert given.type.tensor_type.elem_type == onnx.TensorProto.UINT8
    assert [d.dim_param or d.dim_value for d in given.type.tensor_type.shape.dim] == [
        "N", 32, 32
    ]  # fmt: skip
    network = OnnxNetwork(written(tmp_path / "model.onnx", content))
    assert (network.aus, network.size) == (member.model.aus, 32)


def test_equal_networks_give_equal_bytes(single):
    assert to_onnx([synthetic_fold_model()], 32, {"name": "x"}) == single[1]
    assert to_onnx([synthetic_fold_model(2)], 32, {"name": "x"}) != single[1]


def test_what_is_said_of_a_face_does_not_depend_on_the_others(single, tmp_path):
    network = OnnxNetwork(written(tmp_path / "model.onnx", single[1]), threads=1)
    faces = synthetic_faces(130, 32)
    whole = network.probabilities(faces)
    alone = np.concatenate([network.probabilities(faces[row : row + 1]) for row in range(130)])
    assert np.abs(whole - alone).max() < 1e-6
    assert network.probabilities(faces[:0]).shape == (0, 12)


def test_wrong_faces_and_files_get_a_sentence(single, tmp_path):
    path = written(tmp_path / "model.onnx", single[1])
    network = OnnxNetwork(path)
    for wrong in (synthetic_faces(2, 64), synthetic_faces(2, 32).astype(np.float32)):
        with pytest.raises(ConfigurationError, match=r"model.onnx takes uint8 \(N, 32, 32\)"):
            network.probabilities(wrong)
    damaged = bytearray(path.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    path.write_bytes(bytes(damaged))
    with pytest.raises(ArtifactError, match="SHA-256 differs"):
        OnnxNetwork(path)
    with pytest.raises(ArtifactError, match="is not an ONNX file that this version can read"):
        OnnxNetwork(written(tmp_path / "other.onnx", b"no graph"))
    model = onnx.load_from_string(single[1])
    del model.metadata_props[:]
    with pytest.raises(ArtifactError, match="not of this project"):
        OnnxNetwork(written(tmp_path / "bare.onnx", model.SerializeToString()))


@pytest.mark.parametrize("missing", ["onnx", "onnxruntime"])
def test_without_the_extra_a_sentence_names_it(missing, single, monkeypatch, tmp_path):
    path = written(tmp_path / "model.onnx", single[1])
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ConfigurationError, match=r"pip install 'action-units\[onnx\]'"):
        OnnxNetwork(path) if missing == "onnxruntime" else to_onnx([single[0]], 32, {})


def test_an_exported_network_runs_without_torch(single, tmp_path):
    path = written(tmp_path / "model.onnx", single[1])
    code = (
        "import sys, numpy as np\n"
        "from action_units.export.onnx_runtime import OnnxNetwork\n"
        f"p = OnnxNetwork({str(path)!r}).probabilities(np.zeros((3, 32, 32), np.uint8))\n"
        "assert p.shape == (3, 12) and 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


@pytest.mark.parametrize("temperature", [False, True])
def test_one_network_is_person_centred_as_in_torch(tmp_path, temperature):
    member = synthetic_fold_model(temperature=temperature)
    n = len(member.model.aus)
    centring = PersonCentring(
        0.5, 0.75, (-0.4,) * n, (-0.6,) * n, (0.1,) * n, (-0.5,) * n, 5, ("SN040",)
    )
    steps = replace(member.postprocessing)
    if temperature:
        other = replace(steps.calibration, values=tuple(np.linspace(0.6, 2, n).tolist()))
        steps = replace(steps, calibration=other)
    whole = replace(member.postprocessing, person_centred=PersonCentred(centring, steps))
    member = replace(member, postprocessing=whole)
    network = OnnxNetwork(written(tmp_path / "model.onnx", to_onnx([member], 32, {})))
    faces, person = synthetic_faces(40, 32), np.repeat([0, 1], 20)
    found = []
    for raw, one in (
        (predict(member.model, faces, "cpu", flip=True), whole),
        (network.probabilities(faces), network.postprocessing),
    ):
        references = one.person_centred.centring.references(raw, person)
        found.append(one.relative_to(references, raw, person, np.arange(40)))
    np.testing.assert_allclose(found[1][0], found[0][0], atol=1e-4)
    np.testing.assert_array_equal(found[1][1], found[0][1])
    plain = whole.probabilities(predict(member.model, faces, "cpu", flip=True))
    assert np.abs(found[0][0] - plain).max() > 1e-3
