"""Person-centred prediction: from the frames of a track, of a video, or given neutral ones."""

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import logit

import action_units
from action_units.errors import ArtifactError, ConfigurationError
from action_units.evaluation.postprocessing.person_centred import PersonCentring
from action_units.evaluation.postprocessing.postprocessing import PersonCentred
from action_units.evaluation.postprocessing.thresholds import FittedThresholds
from action_units.faces.detection.registry import make_detector
from action_units.media.video import read_frames
from action_units.prediction.centring import (
    KEPT_FRAMES,
    RunningReferences,
    neutral_references,
    whole_video,
)
from action_units.prediction.classifier import Classifier
from action_units.prediction.loading import load_classifier
from action_units.prediction.outputs import read_table
from tests.prediction.conftest import scene, write_video

AUS = ["AU01", "AU04", "AU12"]
P, CALLS = [f"{au}_p" for au in AUS], [f"{au}_c" for au in AUS]


def centring(minimum=5, quantile=0.5):
    limits = {"lowest": (-9.0,) * 3, "highest": (9.0,) * 3}
    return PersonCentring(
        quantile, 0.75, (0.1, -0.3, 0.6), **limits, neutral_level=(0.0, -0.5, 0.5),
        minimum_frames=minimum, fitted_on=("S1",),
    )  # fmt: skip


def with_centring(classifier, quantiles=(0.5, 0.25, 0.5)):
    """The same networks, as an evaluation leaves them."""
    predictors = []
    for one, quantile in zip(classifier.predictors, quantiles, strict=False):
        steps = one.postprocessing
        fitted = FittedThresholds((0.4, 0.5, 0.6), (False,) * 3, (0.5,) * 3, ("S1",))
        centred = PersonCentred(centring(quantile=quantile), replace(steps, thresholds=fitted))
        predictors.append(replace(one, postprocessing=replace(steps, person_centred=centred)))
    return Classifier(predictors, classifier.faces, classifier.name, "1" * 64)


@pytest.fixture(scope="module")
def classifier(run_folder):
    return with_centring(load_classifier(run_folder, device="cpu"))


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    """Nine frames: person 0 moves; person 1 is there from frame 6 on."""
    frames = [scene({0: 3 * n, **({1: 240} if n >= 6 else {})}) for n in range(1, 10)]
    return write_video(tmp_path_factory.mktemp("videos") / "short.avi", frames)


@pytest.fixture(scope="module")
def plain(classifier, video):
    return action_units.predict(video, classifier)


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 2**32 - 1), st.lists(st.integers(1, 40), max_size=6))
def test_a_running_reference_is_the_quantile_of_the_frames_until_now(seed, cuts):
    random = np.random.default_rng(seed)
    n = 40
    tracks = random.integers(0, 3, n)
    raw = random.uniform(0.01, 0.99, (2, n, 3)).astype(np.float32)
    both = centring(4, 0.5), centring(7, 0.25)
    running, parts = RunningReferences(both), []
    ends = sorted({*cuts, n})
    for start, stop in zip([0, *ends], ends, strict=False):  # in batches of any size
        parts.append(
            running.follow(range(start, stop), tracks[start:stop].tolist(), raw[:, start:stop])
        )
    found = np.concatenate(parts, axis=1)
    for network, one in enumerate(both):
        for i in range(n):
            until = (tracks == tracks[i]) & (np.arange(n) <= i)
            expected = np.full(3, np.nan)
            if until.sum() >= one.minimum_frames:
                z = logit(raw[network, until].astype(np.float64))
                expected = np.quantile(z, one.quantile, axis=0)
            np.testing.assert_allclose(found[network, i], expected, atol=1e-9)


def test_long_tracks_keep_evenly_spaced_frames():
    n = 5 * KEPT_FRAMES + 3
    raw = np.linspace(0.001, 0.999, n, dtype=np.float32)[None, :, None] * np.ones((1, 1, 3))
    running = RunningReferences([centring()])
    found = running.follow(range(n), [0] * n, raw.astype(np.float32))
    for frame in (KEPT_FRAMES - 1, KEPT_FRAMES, 3000, n - 1):
        exact = np.quantile(logit(raw[0, : frame + 1]), 0.5, axis=0)
        np.testing.assert_allclose(found[0, frame], exact, atol=0.02)
    (track,) = running._tracks.values()
    assert KEPT_FRAMES // 2 <= track.n <= KEPT_FRAMES
    assert len(track.kept) == KEPT_FRAMES
    spacing = np.diff(track.kept[: track.n, 0, 0])
    np.testing.assert_allclose(spacing, 8 * 0.998 / (n - 1), rtol=0.01)


def test_tracks_that_ended_are_forgotten():
    running = RunningReferences([centring(1)], forget_after=10)
    p = np.full((1, 1, 3), 0.5, np.float32)
    running.follow([1], [0], p)
    running.follow([11], [1], p)
    assert set(running._tracks) == {0, 1}
    running.follow([12], [1], p)
    assert set(running._tracks) == {1}


def by_hand(classifier, table, raw, references):
    """Expected probabilities and calls of the faces of a table."""
    faces = table[table["success"] == 1]
    tracks, frames = faces["face_id"].to_numpy(), faces["frame"].to_numpy()
    return classifier.combine(raw, tracks, frames, references)[:2]


def raw_of(classifier, table, video):
    """The networks' raw probabilities of the faces of a table."""
    detector, faces = make_detector(classifier.faces.settings.detector), []
    boxes = table[table["success"] == 1].groupby("frame")
    for n, pixels in enumerate(read_frames(video, None), 1):
        found = {round(one.box[0], 2): one for one in detector.detect(pixels)}
        if n in boxes.groups:
            faces += [classifier.faces.face(pixels, found[x]) for x in boxes.get_group(n)["x"]]
    return classifier.probabilities(np.stack(faces))


def test_running_and_video_are_as_by_hand(classifier, plain, video):
    raw = raw_of(classifier, plain, video)
    faces = plain[plain["success"] == 1]
    tracks = faces["face_id"].tolist()
    centrings = [p.postprocessing.person_centred.centring for p in classifier.predictors]
    running = RunningReferences(centrings).follow(faces["frame"].tolist(), tracks, raw)
    for mode, references, batch_size in (
        ("running", running, 3),
        ("video", whole_video(centrings, tracks, raw), 3),
        ("running", running, None),
    ):
        p, called = by_hand(classifier, plain, raw, references)
        found = action_units.predict(
            video, classifier, person_centred=mode, batch_size=batch_size
        )
        shown = found[found["success"] == 1]
        np.testing.assert_array_equal(shown[P], p)
        np.testing.assert_array_equal(shown[CALLS].to_numpy(bool), called)
        assert not np.array_equal(shown[P], faces[P])
        assert list(found) == list(plain)


def test_few_frames_are_as_without(classifier, plain, video):
    found = action_units.predict(video, classifier, person_centred="running")
    rank = plain[plain["success"] == 1].groupby("face_id").cumcount()
    # A frame's smoothing does not reach over the first one that is centred.
    early, later = rank.index[rank < 4 - 2], rank.index[rank >= 4]
    np.testing.assert_array_equal(found.loc[early, P], plain.loc[early, P])
    assert (found.loc[later, P].to_numpy() != plain.loc[later, P].to_numpy()).any(axis=1).all()


@pytest.mark.parametrize("mode", ["running", "video"])
def test_photographs_are_as_without(classifier, pictures, mode):
    one = pictures / "both.png"
    found = action_units.predict(one, classifier, person_centred=mode)
    np.testing.assert_array_equal(found[P], action_units.predict(one, classifier)[P])


def test_neutral_frames_are_the_reference(classifier, pictures, tmp_path):
    neutral = pictures / "a.png"
    centrings = [p.postprocessing.person_centred.centring for p in classifier.predictors]
    pixels = cv2.imread(str(neutral))
    face = make_detector(classifier.faces.settings.detector).best(pixels)
    raw = classifier.probabilities(classifier.faces.face(pixels, face)[None])
    given = neutral_references(centrings, raw)
    p, called, _ = classifier.combine(raw, references=given[:, None])
    found = action_units.predict(neutral, classifier, faces="one", neutral=neutral)
    np.testing.assert_array_equal(found[P], p)
    np.testing.assert_array_equal(found[CALLS].to_numpy(bool), called)
    # A video of the face serves as well, and so do all frames of a source.
    small = write_video(tmp_path / "neutral.avi", [scene({0: 20})] * 2)
    with_picture, with_video = (
        action_units.predict(small, classifier, faces="one", neutral=one)
        for one in (neutral, small)
    )
    assert len(with_video) == 2
    np.testing.assert_allclose(with_video[P], with_picture[P], atol=0.05)


def test_what_cannot_be_is_refused(classifier, run_folder, pictures, video):
    with pytest.raises(ConfigurationError, match="person_centred='always' is unknown: none"):
        action_units.predict(video, classifier, person_centred="always")
    with pytest.raises(ConfigurationError, match=r"a\.png is of one person .* faces=one"):
        action_units.predict(video, classifier, neutral=pictures / "a.png")
    with pytest.raises(ConfigurationError, match="leave person_centred out"):
        action_units.predict(
            video, classifier, faces="one", person_centred="video",
            neutral=pictures / "a.png",
        )  # fmt: skip
    with pytest.raises(ConfigurationError, match=r"wall\.png: no face was found in it"):
        action_units.predict(video, classifier, faces="one", neutral=pictures / "wall.png")
    bare = load_classifier(run_folder, 1, device="cpu")
    with pytest.raises(ArtifactError, match="fold1 has no person-centred postprocessing"):
        action_units.predict(video, bare, person_centred="running")


def test_the_record_says_it_and_other_settings_make_the_table_again(
    classifier, pictures, video, tmp_path
):
    def written(**options):
        done = action_units.predict(video, classifier, out=tmp_path, **options)
        return done, json.loads((tmp_path / "short.json").read_text())

    _, plain = written(faces="one")
    assert "person_centred" not in plain
    done, centred = written(faces="one", person_centred="running")
    assert not done["done_before"].any()
    assert centred["settings"]["person_centred"] == "running"
    assert centred["person_centred"]["minimum_frames"] == 5
    table = read_table(tmp_path / "short.parquet")
    limits = np.array([centred["person_centred"]["thresholds"][au] for au in AUS])
    late = table[table["frame"] >= 5 + 2]
    np.testing.assert_array_equal(late[CALLS].to_numpy(bool), late[P].to_numpy() >= limits)
    assert written(faces="one", person_centred="running")[0]["done_before"].all()
    done, given = written(faces="one", neutral=pictures / "a.png")
    assert not done["done_before"].any()
    assert given["person_centred"]["minimum_frames"] is None
