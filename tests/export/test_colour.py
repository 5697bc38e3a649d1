"""Networks of faces in colour as ONNX files: their input, their check, their package."""

import numpy as np
import pytest

from action_units.config import NetworkSpec
from action_units.errors import ArtifactError, ConfigurationError
from action_units.export.check import check_onnx, synthetic_faces
from action_units.export.onnx import to_onnx
from action_units.export.onnx_runtime import OnnxNetwork
from action_units.export.package import onnx_files
from action_units.export.quantisation import quantise
from action_units.faces.store import FaceStore
from action_units.files import atomic_artifact
from action_units.prediction.loading import load_classifier
from action_units.training.inference import predict
from tests.export.synthetic import synthetic_fold_model, synthetic_store


def fold_model(channels=3, size=32, fold=1, **provenance):
    spec = NetworkSpec(width=0.25, image_size=size, channels=channels)
    return synthetic_fold_model(fold, spec=spec, colour=True, **provenance)


def network(path, content):
    with atomic_artifact(path) as file:
        file.write(content)
    return OnnxNetwork(path, threads=1)


@pytest.mark.parametrize("channels", [3, 1])
@pytest.mark.parametrize("stored", [32, 48])
def test_faces_in_colour_get_torchs_probabilities(tmp_path, channels, stored):
    one = fold_model(channels, faces={"size": stored})
    content = to_onnx([one], stored, {})
    found = check_onnx(content, [one], stored, synthetic_faces(40, stored, colour=True, seed=9))
    assert found["max_difference"] <= 1e-5
    onnx = network(tmp_path / "model.onnx", content)
    assert (onnx.colour, onnx.metadata["preprocessing"]["channels"]) == (True, 3)
    faces = synthetic_faces(100, stored, colour=True, seed=3)
    expected = predict(one.model, faces, "cpu", flip=True)
    assert np.abs(onnx.probabilities(faces) - expected).max() <= 1e-5
    grey = synthetic_faces(20, stored)
    expected = predict(one.model, grey, "cpu", flip=True)
    assert np.abs(onnx.probabilities(grey) - expected).max() <= 1e-5
    with pytest.raises(ConfigurationError, match=rf"takes uint8 \(N, {stored}, {stored}, 3\)"):
        onnx.probabilities(faces[:, ::2, ::2])


def test_a_graph_that_swaps_colours_is_refused():
    one = fold_model()
    other = fold_model()
    first = other.model.network.backbone.blocks()[0]
    weight = next(p for p in first.parameters() if p.ndim == 4)
    weight.data = weight.data.flip(1)  # blue, green, red
    with pytest.raises(ArtifactError, match="probabilities differ from torch's"):
        check_onnx(to_onnx([other], 32, {}), [one], 32)


def test_eight_bits_take_colours_and_a_package_needs_their_store(tmp_path):
    one = fold_model(faces={"size": 32})
    faces = synthetic_faces(60, 32, colour=True)
    quantised = network(tmp_path / "int8.onnx", quantise(to_onnx([one], 32, {}), faces))
    expected = predict(one.model, faces, "cpu", flip=True)
    assert np.abs(quantised.probabilities(faces) - expected).mean() < 0.05
    grey = synthetic_store(60, 32)
    with pytest.raises(ArtifactError, match="are grey, and the networks were trained on faces"):
        onnx_files([one], grey, {}, int8=False)
    store = FaceStore(faces, grey.table, grey.aus)
    _, facts = onnx_files([one], store, {}, int8=False)
    assert facts["onnx"]["check"]["made_up"] < facts["onnx"]["check"]["faces"]


def test_an_onnx_file_of_colours_cuts_faces_in_colour(tmp_path):
    content = to_onnx([fold_model()], 32, {})
    with atomic_artifact(tmp_path / "model.onnx") as file:
        file.write(content)
    faces = load_classifier(tmp_path / "model.onnx").faces
    assert (faces.colour, faces.settings.crop.colour, faces.size) == (True, True, 32)
