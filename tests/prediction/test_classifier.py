"""Several networks combined, and a single one, which keeps its own probabilities."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from action_units.errors import ArtifactError, UnusableFace
from action_units.evaluation.postprocessing.intensity import IntensityCurve
from action_units.evaluation.postprocessing.postprocessing import Postprocessing
from action_units.evaluation.postprocessing.thresholds import FittedThresholds
from action_units.faces.crop import FaceSettings
from action_units.faces.detection.base import Detection
from action_units.faces.detection.registry import make_detector
from action_units.faces.packing import pack_crops
from action_units.faces.preprocess import crop_photographs
from action_units.faces.workers import Workers
from action_units.media.sources import FolderSource
from action_units.prediction.classifier import Classifier, FaceInput, FoldPredictor
from tests.prediction.conftest import FACES, scene


class Fixed:
    """A network that says of each face what is written in its first pixels."""

    def __init__(self, aus=(1, 2)):
        self.aus = aus

    def probabilities(self, faces):
        return (faces[:, 0, : len(self.aus)] / 255).astype(np.float32)


def member(thresholds, name="fold1", aus=(1, 2)):
    n = len(aus)
    fitted = FittedThresholds(tuple(thresholds), (False,) * n, (0.5,) * n)
    return FoldPredictor(name, Fixed(aus), Postprocessing(fitted))


def classifier(*thresholds):
    return Classifier([member(t) for t in thresholds], FaceInput(), "made up", "0")


inside = st.floats(0.001, 0.999)


def one_logit(values):
    mean = sum(math.log(v / (1 - v)) for v in values) / len(values)
    return 1 / (1 + math.exp(-mean))


@settings(max_examples=60, deadline=None)
@given(
    p=st.lists(st.tuples(inside, inside), min_size=2, max_size=4),
    t=st.lists(st.tuples(inside, inside), min_size=4, max_size=4),
)
def test_networks_agree_by_the_mean_of_their_logits(p, t):
    networks = classifier(*t[: len(p)])
    raw = np.array(p, np.float32)[:, None]  # (M, 1, 2)
    found, present, _ = networks.combine(raw)
    for a in range(2):
        wanted = one_logit([float(row[a]) for row in raw[:, 0]])
        limit = one_logit([row[a] for row in t[: len(p)]])
        assert found[0, a] == pytest.approx(wanted, rel=1e-5)
        assert networks.thresholds[a] == pytest.approx(limit, rel=1e-9)
        assert present[0, a] == (found[0, a] >= networks.thresholds[a])
        margin = sum(
            math.log(x[a] / (1 - x[a])) - math.log(y[a] / (1 - y[a]))
            for x, y in zip(p, t[: len(p)], strict=True)
        )
        if abs(margin) > 1e-3:
            assert present[0, a] == (margin > 0)


def test_one_network_keeps_its_probabilities_and_thresholds_bit_for_bit():
    limits = (1e-9, 0.25)
    alone = classifier(limits)
    raw = np.random.default_rng(0).random((1, 50, 2)).astype(np.float32)
    raw[0, :3] = [[0, 1], [1, 0], [0, 0.25]]
    p, present, _ = alone.combine(raw)
    assert p.dtype == np.float32
    assert p.tobytes() == raw[0].tobytes()
    assert tuple(alone.thresholds) == limits
    assert (present == (raw[0] >= np.array(limits))).all()
    assert present[2].tolist() == [False, True]  # at the threshold it is present


def estimating(*scales, name="fold1"):
    """A network with intensity curves `scale * p**2`."""
    n = len(scales)
    curve = IntensityCurve(scales, (2.0,) * n, (False,) * n, (), (np.nan,) * n)
    one = member((0.5,) * n, name)
    return replace(one, postprocessing=replace(one.postprocessing, intensity=curve))


def test_intensities_are_the_mean_of_the_networks_own():
    networks = [estimating(4.0, np.nan), estimating(2.0, 5.0, name="fold2")]
    raw = np.random.default_rng(0).random((2, 9, 2)).astype(np.float32)
    alone = Classifier(networks[1:], FaceInput(), "one", "0")
    assert alone.estimated == (1, 2)
    found = alone.combine(raw[1:]).intensities
    np.testing.assert_array_equal(
        found, ([2, 5] * raw[1].astype(np.float64) ** 2).astype(np.float32)
    )
    both = Classifier(networks, FaceInput(), "both", "0")
    assert both.estimated == (1,)  # the second AU has a curve in one network alone
    expected = (4 * raw[0, :, 0] ** 2 + 2 * raw[1, :, 0] ** 2) / 2
    np.testing.assert_allclose(both.combine(raw).intensities[:, 0], expected, rtol=1e-6)
    assert classifier((0.5, 0.5)).combine(raw[:1]).intensities is None


def test_certain_networks_do_not_outvote_all_others_without_end():
    networks = classifier((0.5, 0.5), (0.5, 0.5), (0.5, 0.5))
    raw = np.array([[[1.0, 0.0]], [[0.1, 0.9]], [[0.1, 0.9]]], np.float32)
    p = networks.combine(raw).probabilities
    assert np.isfinite(p).all()
    assert p[0, 0] == pytest.approx(one_logit([1 - 1e-6, 0.1, 0.1]), rel=1e-4)


def test_networks_of_different_aus_or_none_are_refused():
    with pytest.raises(ArtifactError, match="fold2 predicts AU01, AU12 and fold1 AU01, AU02"):
        Classifier(
            [member((0.5, 0.5)), member((0.5, 0.5), "fold2", (1, 12))], FaceInput(), "x", ""
        )
    with pytest.raises(ArtifactError, match="x has no network"):
        Classifier([], FaceInput(), "x", "")


@pytest.mark.parametrize("align", ["none", "eyes", "template"])
def test_a_face_is_cut_out_as_preprocessing_and_packing_do(tmp_path, pictures, align):
    faces = FaceSettings(crop=FACES.crop.model_copy(update={"align": align}))
    crops = crop_photographs(
        FolderSource(pictures), str(tmp_path / "crops"), tmp_path / "work", faces, Workers(0)
    )
    table = crops.table.assign(subject="who")
    packed, _ = pack_crops(str(tmp_path / "crops"), table, 48)
    one = packed.table["image"].str.startswith("a_").to_numpy().argmax()
    picture = scene({0: 20})
    face = make_detector(FACES.detector).best(picture)
    assert FaceInput(faces, 48).face(picture, face).tobytes() == packed.faces[one].tobytes()


def test_a_face_outside_of_the_picture_is_unusable():
    with pytest.raises(UnusableFace, match="no face"):
        FaceInput(FACES).face(scene({}), Detection(900.0, 0.0, 50.0, 50.0, 0.9))
