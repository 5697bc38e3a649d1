"""The engine against the same steps one after the other, and what it does when one fails."""

import gc
import threading
import tracemalloc
from functools import cache

import cv2
import numpy as np
import pytest
import torch

from action_units.errors import ConfigurationError, LabelError, UnusableFace
from action_units.faces.detection.registry import make_detector
from action_units.faces.quarantine import Quarantine
from action_units.media.photographs import Photograph
from action_units.media.video import read_frames
from action_units.media.video_stream import Frame
from action_units.prediction.classifier import Classifier, FaceInput
from action_units.prediction.engine import Engine
from action_units.prediction.loading import load_classifier
from action_units.prediction.outputs import arrow_table, data_frame
from action_units.prediction.tracks import AllFaces
from action_units.threads import cores, limited
from tests.media.encoded import SHOWN, VARIABLE, encode, needs_ffmpeg
from tests.prediction.conftest import AUS, FACES, scene


@pytest.fixture(scope="module")
def classifier(run_folder):
    return load_classifier(run_folder, device="cpu")


def table(rows, photographs=False):
    return data_frame(arrow_table(list(rows), AUS, photographs))


@cache
def by_hand(path, run_folder, fold):
    """One frame after the other, one face at a time; treated at the end, all at once."""
    classifier = load_classifier(run_folder, fold, device="cpu")
    detector, tracker = make_detector(classifier.faces.settings.detector), AllFaces()
    keys, faces = [], []
    for n, pixels in enumerate(read_frames(path, None), 1):
        found = detector.detect(pixels)
        for number, place in tracker.follow(n, found):
            keys.append((n, number))
            faces.append(classifier.faces.face(pixels, found[place]))
    raw = np.concatenate([classifier.probabilities(face[None]) for face in faces], axis=1)
    tracks, frames = [k[1] for k in keys], [k[0] for k in keys]
    return keys, *classifier.combine(raw, tracks, frames)[:2]


def test_threads_limits_the_pool_whatever_workers_says(classifier):
    with limited(1):
        assert [Engine(classifier, workers=n).workers for n in (None, 3)] == [1, 1]
    assert [Engine(classifier, workers=n).workers for n in (None, 3)] == [cores(), 3]


@pytest.mark.parametrize(
    ("fold", "workers", "batch_size"), [(None, 2, None), (3, 1, 1), (3, 3, 7), (1, 2, 1000)]
)
def test_a_video_is_predicted_as_by_hand_bit_for_bit(
    run_folder, two_people, fold, workers, batch_size
):
    classifier = load_classifier(run_folder, fold, device="cpu")
    keys, p, present = by_hand(two_people, run_folder, fold)
    with Engine(classifier, workers=workers, batch_size=batch_size) as engine:
        found = table(engine.video(two_people))
    assert found["frame"].drop_duplicates().tolist() == list(range(1, 31))
    empty = found[found["success"] == 0]
    assert empty["frame"].tolist() == [25, 26]
    assert (empty["face_id"] == -1).all()
    assert (empty["confidence"] == 0).all()
    assert (
        empty[["x", "y", "width", "height", "AU01_p", "AU04_p", "AU12_p"]].isna().all(axis=None)
    )
    assert empty[["AU01_c", "AU04_c", "AU12_c"]].isna().all(axis=None)
    faces = found[found["success"] == 1]
    assert list(zip(faces["frame"], faces["face_id"], strict=True)) == keys
    columns = ["AU01", "AU04", "AU12"]
    assert faces[[f"{c}_p" for c in columns]].to_numpy().tobytes() == p.tobytes()
    called = faces[[f"{c}_c" for c in columns]].to_numpy(bool)
    assert (called == present).all()
    assert found["timestamp"].tolist() == [round((n - 1) / 20, 4) for n in found["frame"]]


def test_both_people_keep_their_numbers_and_boxes(classifier, two_people):
    with Engine(classifier) as engine:
        found = table(engine.video(two_people))
    second = found[found["face_id"] == 1]
    assert second["frame"].tolist() == list(range(4, 21))
    assert second["x"].min() > 220
    first = found[found["face_id"] == 0]
    assert first["frame"].tolist() == [n for n in range(1, 31) if n not in (25, 26)]
    assert first["x"].is_monotonic_increasing or first["x"].diff().min() > -6
    assert ((first[["confidence"]] > 0.8) & (first[["confidence"]] <= 1)).all(axis=None)


def test_one_face_is_the_one_of_preprocessing(classifier, two_people):
    detector, last, boxes = make_detector(FACES.detector), None, {}
    for n, pixels in enumerate(read_frames(two_people, None), 1):
        try:
            if last is None:
                face = detector.best(pixels)
            else:
                face = detector.best(pixels, last[1], n - last[0])
        except UnusableFace:
            continue
        last = n, face
        boxes[n] = [round(value, 2) for value in face.box]
    with Engine(classifier, "one") as engine:
        found = table(engine.video(two_people))
    assert found["frame"].tolist() == list(range(1, 31))
    taken = found[found["success"] == 1]
    assert set(taken["face_id"]) == {0}
    assert (
        dict(
            zip(
                taken["frame"],
                taken[["x", "y", "width", "height"]].to_numpy().tolist(),
                strict=True,
            )
        )
        == boxes
    )


def test_photographs_stand_each_for_themselves(classifier, pictures):
    files = [pictures / name for name in ("a.png", "b.png", "both.png", "wall.png", "a.png")]
    photographs = [Photograph(f"{n}", "", str(f), f.read_bytes()) for n, f in enumerate(files)]
    with Engine(classifier) as engine:
        found = table(engine.photographs(photographs, Quarantine()), photographs=True)
    assert found["image"].tolist() == ["0", "1", "2", "2", "3", "4"]
    assert found["face_id"].tolist() == [0, 0, 0, 1, -1, 0]
    assert found["success"].tolist() == [1, 1, 1, 1, 0, 1]
    assert (found["frame"] == 1).all()
    p = found[["AU01_p", "AU04_p", "AU12_p"]].to_numpy()
    assert p[0].tobytes() == p[5].tobytes()  # nothing is smoothed from one to the next


def test_unusable_photographs_go_to_the_quarantine_and_leave_no_row(classifier, pictures):
    whole = (pictures / "a.png").read_bytes()
    photographs = [
        Photograph("cut", "", "/x/cut", whole[:500]),
        Photograph("fine", "", "/x/fine", whole),
        Photograph("gone", "", "/x/gone", UnusableFace("missing", "there is no such file")),
    ]
    quarantine = Quarantine()
    with Engine(classifier) as engine:
        found = table(engine.photographs(photographs, quarantine), photographs=True)
    assert found["image"].tolist() == ["fine"]
    assert [row[:2] for row in quarantine.rows()] == [
        ["/x/cut", "truncated"],
        ["/x/gone", "missing"],
    ]


@pytest.mark.parametrize("stage", ["detect", "ask", "read"])
def test_an_error_in_any_thread_is_raised_and_ends_all(
    classifier, two_people, monkeypatch, stage
):
    class Broken:
        aus = AUS

        def probabilities(self, faces):
            raise MemoryError("no room")

    use = classifier
    if stage == "ask":
        member = type(classifier.predictors[0])(
            "x", Broken(), classifier.predictors[0].postprocessing
        )
        use = Classifier([member], classifier.faces, "x", "")
    elif stage == "detect":
        monkeypatch.setattr(
            FaceInput, "face", lambda *_: (_ for _ in ()).throw(MemoryError("no room"))
        )
    else:

        def broken(*_):
            yield from [Frame(scene({0: 5}), 0.0)] * 3
            raise MemoryError("no room")

        monkeypatch.setattr("action_units.prediction.engine.timed_frames", broken)
    before = threading.active_count()
    with pytest.raises(MemoryError, match="no room"), Engine(use, batch_size=2) as engine:
        list(engine.video(two_people))
    assert threading.active_count() == before


def test_a_damaged_video_ends_in_its_sentence(classifier, two_people, tmp_path):
    path = tmp_path / "cut.avi"
    path.write_bytes(two_people.read_bytes()[:20000])
    with pytest.raises(LabelError, match="it was cut short"), Engine(classifier) as engine:
        list(engine.video(path))
    path.write_bytes(b"")
    with pytest.raises(LabelError, match="the video is empty"), Engine(classifier) as engine:
        list(engine.video(path))


def test_what_was_set_for_threads_is_put_back(classifier):
    before = torch.get_num_threads(), cv2.getNumThreads()
    with Engine(classifier, workers=2) as engine:
        assert cv2.getNumThreads() == 1
        assert engine._pool.submit(torch.get_num_threads).result() == 1
    assert (torch.get_num_threads(), cv2.getNumThreads()) == before


def test_a_video_that_says_no_times_has_no_timestamps(
    classifier, tmp_path, caplog, monkeypatch
):
    frames = [Frame(scene({0: 10}), float("nan"))] * 2
    monkeypatch.setattr(
        "action_units.prediction.engine.timed_frames", lambda *_: (frame for frame in frames)
    )
    with Engine(classifier) as engine:
        found = table(engine.video(tmp_path / "v.h264"))
    assert found["timestamp"].isna().all()
    assert "has no timestamps for its frames" in caplog.text


@needs_ffmpeg
def test_timestamps_are_those_of_the_frames(classifier, tmp_path):
    frames = [np.zeros((96, 128, 3), np.uint8)] * 30
    path = encode(tmp_path / "v.mp4", frames, *VARIABLE, rate=20)
    with Engine(classifier) as engine:
        found = table(engine.video(path))
    np.testing.assert_allclose(found["timestamp"], SHOWN, atol=1e-4)


def test_memory_does_not_grow_with_the_length(classifier, monkeypatch):
    """Python's and NumPy's memory at its highest."""
    monkeypatch.setattr("action_units.prediction.engine._FRAMES_PER_BATCH", 32)
    small = scene({}, (120, 160))

    def peak(frames):
        monkeypatch.setattr(
            "action_units.prediction.engine.timed_frames",
            lambda *_: (Frame(small.copy(), n / 20) for n in range(frames)),
        )
        gc.collect()
        tracemalloc.start()
        with Engine(classifier, workers=2) as engine:
            count = sum(rows.frames for rows in engine.video("made up"))
        highest = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert count == frames
        return highest

    peak(20)
    short, long = peak(80), peak(400)
    assert long < short * 1.3 + 200_000


@pytest.mark.parametrize("options", [{"workers": 0}, {"batch_size": 0}, {"faces": "both"}])
def test_what_cannot_be_is_refused(classifier, options):
    with pytest.raises(ConfigurationError, match=next(iter(options))):
        Engine(classifier, **options)
