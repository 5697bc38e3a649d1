"""Damage to JPEG frames that shows without decoding them."""

import io

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from action_units.media.jpeg import NO_END, frame_fault

NOISE = np.random.default_rng(0).integers(0, 256, (64, 80, 3), dtype=np.uint8)


def encoded(pixels=NOISE, **options):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", **options)
    return buffer.getvalue()


FRAMES = {
    "baseline": encoded(),
    "gray": encoded(NOISE[..., 0]),
    "progressive": encoded(progressive=True),
    "optimised": encoded(np.zeros((800, 800, 3), np.uint8), optimize=True),
    "restarts": cv2.imencode(".jpg", NOISE, [cv2.IMWRITE_JPEG_RST_INTERVAL, 2])[1].tobytes(),
    "fields": encoded() * 2,
    "padded": encoded() + b"\0" * 3,
    "fillers": encoded().replace(b"\xff\xdb", b"\xff\xff\xff\xdb", 1),
    "comment": encoded(comment=b"\xff\xd9 in a comment"),
}
HEADER = FRAMES["baseline"].index(b"\xff\xda")


@pytest.mark.parametrize("name", FRAMES)
def test_sound_frames_have_no_fault(name):
    assert frame_fault(FRAMES[name]) is None


@pytest.mark.parametrize("name", ["baseline", "gray", "progressive", "restarts"])
def test_every_cut_frame_has_a_fault(name):
    frame = FRAMES[name]
    for kept in range(len(frame) - 1):
        assert frame_fault(frame[:kept]) is not None
    assert frame_fault(frame[:-2]) == NO_END


@pytest.mark.parametrize(
    ("frame", "says"),
    [
        (b"", "it is empty"),
        (bytes(999), "it is empty"),
        (b"<html>" + FRAMES["baseline"], "do not begin as such"),
        (FRAMES["baseline"] + b"more", "do not begin as such"),
        (FRAMES["baseline"][: HEADER + 900] + FRAMES["baseline"], "broken at byte"),
        (FRAMES["baseline"].replace(b"\xff\xda", b"\x00\xda", 1), "header is damaged"),
        (FRAMES["baseline"].replace(b"\xff\xc0", b"\xff\xee", 1), "have no size"),
        (
            FRAMES["baseline"][: HEADER + 100]
            + bytes(600)
            + FRAMES["baseline"][HEADER + 700 :],
            "zeros from byte",
        ),
    ],
)
def test_faults_are_named(frame, says):
    assert says in frame_fault(frame)


@settings(max_examples=120, deadline=None)
@given(st.data())
def test_any_bytes_have_an_answer(data):
    frame = bytearray(FRAMES[data.draw(st.sampled_from(sorted(FRAMES)))])
    places = st.tuples(st.integers(0, len(frame) - 1), st.binary(min_size=1, max_size=40))
    for at, new in data.draw(st.lists(places, max_size=5)):
        frame[at : at + len(new)] = new
    assert isinstance(frame_fault(bytes(frame)), str | None)
