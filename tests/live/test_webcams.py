"""Webcams: faces keep their numbers, one frame at a time, forgotten when they fall silent."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from action_units import predict
from action_units.errors import UnusableFace
from action_units.evaluation.postprocessing.person_centred import PersonCentring
from action_units.evaluation.postprocessing.postprocessing import PersonCentred
from action_units.live.handlers import Handlers
from action_units.live.limits import Limits
from action_units.live.webcams import Busy, SessionEnded, Webcam, Webcams
from action_units.prediction.classifier import Classifier
from action_units.prediction.engine import Engine
from tests.live.conftest import jpeg


def test_faces_keep_their_numbers_from_frame_to_frame(client, two_people):
    session = client.post("/api/webcam").json()["session"]
    found = [
        client.post(f"/api/webcam/{session}", content=jpeg(frame)).json()
        for frame in [*two_people[:3], *two_people[8:12], two_people[-1], *two_people[12:14]]
    ]
    assert [frame["frame"] for frame in found] == list(range(1, 11))
    assert [[face["id"] for face in frame["faces"]] for frame in found] == (
        [[0]] * 3 + [[0, 1]] * 4 + [[]] + [[0, 1]] * 2
    )
    other = client.post("/api/webcam").json()["session"]
    assert other != session
    first = client.post(f"/api/webcam/{other}", content=jpeg(two_people[9])).json()
    assert first["frame"] == 1, "each webcam counts for itself"


def test_a_frame_gets_what_predict_says_of_the_picture(classifier, two_people):
    content = jpeg(two_people[9])
    rows = Webcam(0.0).predict(Engine(classifier), content, 1.0)
    expected = predict(cv2.imdecode(np.frombuffer(content, np.uint8), 1), classifier)
    p = [name for name in expected if name.endswith("_p")]
    np.testing.assert_array_equal(rows.probabilities, expected[p])
    assert np.allclose(
        [key[6:] for key in rows.keys], expected[["x", "y", "width", "height"]], atol=0.01
    )


def test_frames_are_bounded_in_bytes_and_pixels(client, limits):
    session = client.post("/api/webcam").json()["session"]
    address = f"/api/webcam/{session}"
    large = client.post(address, content=bytes(int(limits.frame_mb * 1e6) + 1))
    assert large.status_code == 413
    wide = client.post(address, content=jpeg(np.zeros((1200, 1200, 3), np.uint8)))
    assert wide.status_code == 422
    assert "above 1 megapixels" in wide.json()["error"]
    assert client.post(address, content=b"no picture").status_code == 422
    # A refused frame does not end the session.
    right = client.post(address, content=jpeg(np.zeros((120, 120, 3), np.uint8)))
    assert right.json()["faces"] == []


def test_a_silent_webcam_is_forgotten_and_makes_room():
    now = [100.0]
    webcams = Webcams(Limits(sessions=2, idle_seconds=10), clock=lambda: now[0])
    first, second = webcams.begin(), webcams.begin()
    with pytest.raises(Busy, match="2 webcams"):
        webcams.begin()
    now[0] += 9
    webcams.get(second)
    now[0] += 5
    with pytest.raises(SessionEnded, match="start it again"):
        webcams.get(first)
    webcams.begin()
    webcams.get(second)
    webcams.end(second)
    with pytest.raises(SessionEnded):
        webcams.get(second)
    with pytest.raises(SessionEnded):
        webcams.get("never began")


def test_a_webcam_has_one_frame_at_a_time(classifier):
    webcams = Webcams(Limits())
    name = webcams.begin()
    webcams.get(name).in_work = True
    with pytest.raises(Busy, match="one at a time"):
        webcams.get(name)


def test_an_ended_session_is_told_apart(client):
    session = client.post("/api/webcam").json()["session"]
    client.delete(f"/api/webcam/{session}")
    assert client.post(f"/api/webcam/{session}", content=b"").status_code == 410


def test_a_damaged_frame_moves_nothing_on(classifier):
    cam = Webcam(0.0)
    with pytest.raises(UnusableFace):
        cam.predict(Engine(classifier), b"\xff\xd8\xff", 1.0)
    assert cam.frame == 0


def test_a_webcam_is_centred_by_the_frames_until_now(classifier, two_people):
    """As `predict` does it for the frames of a video; each session has faces of its own."""
    n = len(classifier.aus)
    limits = {"lowest": (-9.0,) * n, "highest": (9.0,) * n, "neutral_level": (0.0,) * n}
    centring = PersonCentring(0.5, 1.0, (0.5,) * n, **limits, minimum_frames=3, fitted_on=())
    (one,) = classifier.predictors
    steps = replace(
        one.postprocessing,
        thresholds=replace(one.postprocessing.thresholds, values=(0.6,) * n),
    )
    centred = replace(one.postprocessing, person_centred=PersonCentred(centring, steps))
    ours = Classifier(
        [replace(one, postprocessing=centred)], classifier.faces, "centred", "1" * 64
    )
    engine, plain = Engine(ours, person_centred="running"), Engine(ours)
    cam, other, bare = Webcam(0.0), Webcam(0.0), Webcam(0.0)
    for frame, pixels in enumerate(two_people[:5], 1):
        found, without = (
            c.predict(e, jpeg(pixels), 1.0).probabilities
            for c, e in ((cam, engine), (bare, plain))
        )
        assert np.array_equal(found, without) == (frame < 3)
    content = jpeg(two_people[0])
    first, alone = (
        c.predict(e, content, 1.0).probabilities
        for c, e in ((other, engine), (Webcam(0.0), plain))
    )
    np.testing.assert_array_equal(first, alone)
    described = Handlers(ours, Limits(), "running").describe()
    assert {au["threshold"] for au in described["aus"]} == {0.6}
