"""Eight-bit integers: what they lose is measured on faces, face by face."""

import json

import numpy as np
import onnx
import pytest

from action_units.errors import ArtifactError
from action_units.evaluation.metrics import confusion, f1
from action_units.evaluation.postprocessing.postprocessing import Postprocessing
from action_units.evaluation.postprocessing.thresholds import FittedThresholds
from action_units.export import package
from action_units.export.check import evenly_spaced
from action_units.export.fold_models import remaining_postprocessing
from action_units.export.onnx import to_onnx
from action_units.export.onnx_runtime import open_session, run_session
from action_units.export.package import INT8, ONNX, onnx_files
from action_units.export.quantisation import compare, quantise
from tests.export.synthetic import synthetic_faces, synthetic_fold_model, synthetic_store


@pytest.fixture(scope="module")
def both():
    """A network, its ONNX file and the eight-bit one."""
    member = synthetic_fold_model()
    content = to_onnx([member], 32, {"name": "x"})
    return member, content, quantise(content, synthetic_faces(100, 32, 5))


def asked(content, faces):
    return run_session(open_session(content, threads=1), faces)


def test_it_is_alike_and_says_the_same_of_itself(both):
    _, content, quantised = both
    faces = synthetic_faces(200, 32)
    exact, rough = asked(content, faces), asked(quantised, faces)
    assert not np.array_equal(exact, rough)
    for column in range(exact.shape[1]):
        assert np.corrcoef(exact[:, column], rough[:, column])[0, 1] > 0.97
    told = [
        {prop.key: prop.value for prop in onnx.load_from_string(c).metadata_props}
        for c in (content, quantised)
    ]
    assert told[0] == told[1] != {}


def test_its_backbone_is_of_integers_and_nothing_else(both):
    model = onnx.load_from_string(both[2])
    weights = {tensor.name: tensor for tensor in model.graph.initializer}
    kinds = {"backbone": set(), "head": set()}
    made = {output: node for node in model.graph.node for output in node.output}
    for node in model.graph.node:
        if node.op_type in ("Conv", "Gemm"):
            source = made.get(node.input[1])
            tensor = weights[source.input[0] if source else node.input[1]]
            kinds["head" if "head" in node.name else "backbone"].add(tensor.data_type)
    assert kinds == {"backbone": {onnx.TensorProto.INT8}, "head": {onnx.TensorProto.FLOAT}}
    p = asked(both[2], synthetic_faces(200, 32))
    assert len(np.unique(p)) > 2000  # and not 256


def test_faces_are_resized_before_anything_is_rounded_to_integers():
    member, faces = synthetic_fold_model(faces={"size": 64}), synthetic_faces(120, 64, 2)
    content = to_onnx([member], 64, {})
    off = np.abs(asked(quantise(content, faces), faces) - asked(content, faces))
    assert off.mean() < 0.02


def test_a_face_is_judged_alone_whatever_is_beside_it(both):
    faces = synthetic_faces(64, 32)
    whole = asked(both[2], faces)
    alone = np.concatenate([asked(both[2], faces[row : row + 1]) for row in range(0, 64, 8)])
    assert np.abs(whole[::8] - alone).max() < 1e-6


def test_equal_networks_and_faces_give_equal_bytes(both):
    assert quantise(both[1], synthetic_faces(100, 32, 5)) == both[2]


def test_the_loss_is_that_of_the_calls_on_these_faces(both):
    member, content, quantised = both
    store, postprocessing = synthetic_store(), remaining_postprocessing([member])
    found = compare(content, quantised, store, postprocessing, unseen=True)
    p = [asked(c, store.faces).astype(np.float64) for c in (content, quantised)]
    scores = [
        f1(confusion(store.labels, q >= np.array(postprocessing.thresholds.values))) for q in p
    ]
    for column, name in enumerate(("AU01", "AU02")):
        one, other = float(scores[0][column]), float(scores[1][column])
        assert found["f1"][name] == pytest.approx(
            {"before": one, "after": other, "lost": one - other}
        )
    assert found["f1"]["12 AUs"]["before"] == pytest.approx(scores[0].mean())
    eight = [store.aus.index(au) for au in (1, 2, 4, 6, 9, 12, 25, 26)]
    assert found["f1"]["8 AUs"]["after"] == pytest.approx(scores[1][eight].mean())
    assert found["max_difference"] == pytest.approx(np.abs(p[0] - p[1]).max())
    assert (found["faces"], found["subjects"], found["unseen"]) == (60, 3, True)
    assert found["speed"]["threads"] == 1
    for batch in found["speed"]["batches"].values():
        assert batch["gain"] == pytest.approx(batch["after"] / batch["before"])
    json.dumps(found, allow_nan=False)


def test_the_f1_of_an_au_that_nobody_shows_is_null_and_not_averaged(both, monkeypatch):
    content, store = both[1], synthetic_store()
    store.table["AU05"] = 0
    never = FittedThresholds((1.0,) * 12, (False,) * 12, (0.5,) * 12)
    monkeypatch.setattr("action_units.export.quantisation.measure_speed", lambda *_: {})
    found = compare(content, content, store, Postprocessing(never), unseen=False)
    assert found["f1"]["AU05"] == {"before": None, "after": None, "lost": None}
    assert found["f1"]["12 AUs"]["before"] == 0.0
    assert found["f1"]["AU01"]["lost"] == found["max_difference"] == found["calls_changed"] == 0


@pytest.fixture
def no_graph(monkeypatch):
    """Conversion itself is left out."""
    monkeypatch.setattr(package, "to_onnx", lambda *_: b"graph")
    monkeypatch.setattr(package, "check_onnx", lambda *_: {"faces": 0, "max_difference": 0.0})


def test_ranges_come_from_training_subjects_and_losses_from_the_test_subjects(
    no_graph, monkeypatch
):
    seen = {}

    def keep_ranges(content, faces):
        seen["ranges"] = faces
        return content

    def keep_judged(before, after, store, postprocessing, unseen):
        seen["judged"], seen["unseen"] = set(store.subjects.tolist()), unseen
        return {"speed": {"batches": {}}}

    monkeypatch.setattr(package, "quantise", keep_ranges)
    monkeypatch.setattr(package, "compare", keep_judged)
    store = synthetic_store()
    files, facts = onnx_files([synthetic_fold_model(1)], store, {})
    assert set(files) == {ONNX, INT8}
    assert facts["int8"]["ranges_from_faces"] == 40
    learned = store.faces[np.isin(store.subjects, ["SN001", "SN002"])]
    assert np.array_equal(seen["ranges"], learned)
    assert (seen["judged"], seen["unseen"]) == ({"SN003"}, True)
    onnx_files([synthetic_fold_model(fold) for fold in (1, 2, 3)], store, {})
    assert (seen["judged"], seen["unseen"]) == ({"SN001", "SN002", "SN003"}, False)


def test_what_cannot_be_made_is_left_out_with_a_reason(no_graph, caplog):
    files, facts = onnx_files([synthetic_fold_model()], None, {})
    assert set(files) == {ONNX}
    assert "No INT8 file" in facts["left_out"]
    assert facts["left_out"] in caplog.messages
    empty = synthetic_store().select(np.zeros(60, bool))
    assert set(onnx_files([synthetic_fold_model()], empty, {})[0]) == {ONNX}
    assert "left_out" not in onnx_files([synthetic_fold_model()], None, {}, int8=False)[1]


def test_faces_of_another_size_or_other_aus_are_refused():
    member = synthetic_fold_model(faces={"size": 32})
    for store in (synthetic_store(size=48), synthetic_store(aus=(1, 2, 4))):
        with pytest.raises(ArtifactError, match="trained on 32 px and predict AUs 1, 2, 4, 5"):
            onnx_files([member], store, {})


def test_rows_are_spread_evenly():
    assert evenly_spaced(5, 9).tolist() == [0, 1, 2, 3, 4]
    assert evenly_spaced(101, 3).tolist() == [0, 50, 100]
    assert evenly_spaced(0, 4).tolist() == []
