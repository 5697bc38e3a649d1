"""An ONNX file that does not answer as torch does is refused."""

import pytest
import torch

from action_units.config import NetworkSpec
from action_units.errors import ArtifactError
from action_units.export import check
from action_units.export.check import check_onnx, torch_probabilities
from action_units.export.onnx import to_onnx
from tests.export.synthetic import synthetic_faces, synthetic_fold_model


@pytest.fixture(scope="module")
def single():
    """A network, and its ONNX file's content."""
    member = synthetic_fold_model()
    return member, to_onnx([member], 32, {})


@pytest.mark.parametrize(("stored", "wanted"), [(96, 32), (112, 48), (64, 96)])
def test_a_value_between_two_grey_levels_may_go_to_either(stored, wanted):
    spec = NetworkSpec(architecture="residual", width=0.25, image_size=wanted)
    members = [synthetic_fold_model(1, spec=spec), synthetic_fold_model(2)]
    found = check_onnx(
        to_onnx(members, stored, {}), members, stored, synthetic_faces(40, stored)
    )
    assert found["max_difference"] <= 1e-5
    assert (found["pixels_off"] > 0) == (stored > 64)
    assert found["pixels_off"] < 1e-3


def test_a_graph_that_resizes_in_another_way_is_refused(monkeypatch):
    member = synthetic_fold_model(faces={"size": 64})
    nearest = torch.eye(64)[::2]
    monkeypatch.setattr("action_units.export.onnx.resizing", lambda *_: nearest)
    content = to_onnx([member], 64, {})
    with pytest.raises(
        ArtifactError, match=r"gives fold1 faces that are up to \d+ grey levels"
    ):
        check_onnx(content, [member], 64)


def test_a_file_of_another_network_is_refused_with_the_figure(single):
    with pytest.raises(ArtifactError, match=r"over 200 faces .* by up to \d\S*; 1e-05"):
        check_onnx(single[1], [synthetic_fold_model(2)], 32)


def test_a_difference_on_the_real_faces_alone_is_found(single, monkeypatch):
    member, content = single
    real = synthetic_faces(180, 32)
    found = check_onnx(content, [member], 32, real)
    assert (found["faces"], found["made_up"]) == (200, 50)
    assert 0 < found["max_difference"] <= found["allowed"] == 1e-5
    honest = torch_probabilities

    def off_on_the_last(*asked):
        p = honest(*asked)
        p[-1, 0] += 2e-5
        return p

    monkeypatch.setattr(check, "torch_probabilities", off_on_the_last)
    with pytest.raises(ArtifactError, match="2e-05"):
        check_onnx(content, [member], 32, real)


def test_an_answer_that_is_no_number_is_refused():
    member = synthetic_fold_model()
    content = to_onnx([member], 32, {})
    with torch.no_grad():
        member.model.network.head.linear.bias[0] = float("nan")
    with pytest.raises(ArtifactError, match="by up to nan"):
        check_onnx(content, [member], 32)
