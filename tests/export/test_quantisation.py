"""Eight-bit integers: what they lose is measured on faces, face by face."""

import json

import numpy as np
import onnx
import pytest

from action_units.errors import ArtifactError
from action_units.evaluation.metrics import confusion, f1
from action_units.evaluation.postprocessing.postprocessing import Postprocessing
from action_units.evaluation.postprocessing.thresholds import FittedThresholds
from action_units.export import conversion
from action_units.export.conversion import INT8, ONNX, convert
from action_units.export.members import left_to_do
from action_units.export.onnx import evenly, to_onnx
from action_units.export.onnx_network import ask, open_session
from action_units.export.quantisation import compare, quantise
from tests.export.made_up import made_up_faces, made_up_member, made_up_store


@pytest.fixture(scope="module")
def both():
    """A network, its ONNX file and the eight-bit one."""
    member = made_up_member()
    content = to_onnx([member], 32, {"name": "x"})
    return member, content, quantise(content, made_up_faces(100, 32, 5))


def asked(content, faces):
    return ask(open_session(content, threads=1), faces)


def test_it_is_alike_and_says_the_same_of_itself(both):
    _, content, quantised = both
    faces = made_up_faces(200, 32)
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
    p = asked(both[2], made_up_faces(200, 32))
    assert len(np.unique(p)) > 2000  # and not 256


def test_faces_are_resized_before_anything_is_rounded_to_integers():
    member, faces = made_up_member(faces={"size": 64}), made_up_faces(120, 64, 2)
    content = to_onnx([member], 64, {})
    off = np.abs(asked(quantise(content, faces), faces) - asked(content, faces))
    assert off.mean() < 0.02


def test_a_face_is_judged_alone_whatever_is_beside_it(both):
    faces = made_up_faces(64, 32)
    whole = asked(both[2], faces)
    alone = np.concatenate([asked(both[2], faces[row : row + 1]) for row in range(0, 64, 8)])
    assert np.abs(whole[::8] - alone).max() < 1e-6


def test_equal_networks_and_faces_give_equal_bytes(both):
    assert quantise(both[1], made_up_faces(100, 32, 5)) == both[2]


def test_the_loss_is_that_of_the_calls_on_these_faces(both):
    member, content, quantised = both
    store, postprocessing = made_up_store(), left_to_do([member])
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
    content, store = both[1], made_up_store()
    store.table["AU05"] = 0
    never = FittedThresholds((1.0,) * 12, (False,) * 12, (0.5,) * 12)
    monkeypatch.setattr("action_units.export.quantisation.measure_speed", lambda *_: {})
    found = compare(content, content, store, Postprocessing(never), unseen=False)
    assert found["f1"]["AU05"] == {"before": None, "after": None, "lost": None}
    assert found["f1"]["12 AUs"]["before"] == 0.0
    assert found["f1"]["AU01"]["lost"] == found["max_difference"] == found["calls_changed"] == 0


def test_ranges_come_from_training_subjects_and_losses_from_the_test_subjects(monkeypatch):
    seen = {}

    def keep_ranges(content, faces):
        seen["ranges"] = faces
        return content

    def keep_judged(before, after, store, postprocessing, unseen):
        seen["judged"], seen["unseen"] = set(store.subjects.tolist()), unseen
        return {"speed": {"batches": {}}}

    monkeypatch.setattr(conversion, "quantise", keep_ranges)
    monkeypatch.setattr(conversion, "compare", keep_judged)
    store = made_up_store()
    files, facts = convert([made_up_member(1)], store, {})
    assert set(files) == {ONNX, INT8}
    assert facts["int8"]["ranges_from_faces"] == 40
    learned = store.faces[np.isin(store.subjects, ["SN001", "SN002"])]
    assert np.array_equal(seen["ranges"], learned)
    assert (seen["judged"], seen["unseen"]) == ({"SN003"}, True)
    convert([made_up_member(fold) for fold in (1, 2, 3)], store, {})
    assert (seen["judged"], seen["unseen"]) == ({"SN001", "SN002", "SN003"}, False)


def test_what_cannot_be_made_is_left_out_with_a_reason(caplog):
    files, facts = convert([made_up_member()], None, {})
    assert set(files) == {ONNX}
    assert "no INT8 file" in facts["left_out"]
    assert facts["left_out"] in caplog.messages
    empty = made_up_store().select(np.zeros(60, bool))
    assert set(convert([made_up_member()], empty, {})[0]) == {ONNX}
    assert "left_out" not in convert([made_up_member()], None, {}, int8=False)[1]


def test_faces_of_another_size_or_other_aus_are_refused():
    member = made_up_member(faces={"size": 32})
    for store in (made_up_store(size=48), made_up_store(aus=(1, 2, 4))):
        with pytest.raises(ArtifactError, match="trained on 32 px and tell AUs 1, 2, 4, 5"):
            convert([member], store, {})


def test_rows_are_spread_evenly():
    assert evenly(5, 9).tolist() == [0, 1, 2, 3, 4]
    assert evenly(101, 3).tolist() == [0, 50, 100]
    assert evenly(0, 4).tolist() == []
