"""Videos, whole and damaged: no frame may be lost without a word."""

import os
import struct
import sys

import cv2
import numpy as np
import pytest

from action_units.errors import LabelError
from action_units.faces.video import check_video, read_frames

N = 30


def write_video(path, count=N, size=(64, 48), codec="MJPG"):
    """Frame k is of the gray level 8 k."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*codec), 20.0, size)
    assert writer.isOpened()
    for k in range(count):
        writer.write(np.full((size[1], size[0], 3), 8 * k, np.uint8))
    writer.release()
    return path


@pytest.fixture
def video(tmp_path):
    return write_video(tmp_path / "RightVideoSN001_comp.avi")


def levels(path, expected=N):
    return [float(frame.mean()) for frame in read_frames(path, expected)]


def chunks(content):
    """Offsets of the frames' chunks."""
    at = content.index(b"movi") + 4
    found = []
    while content[at : at + 4] == b"00dc":
        found.append(at)
        length = struct.unpack_from("<I", content, at + 4)[0]
        at += 8 + length + length % 2
    return found


def test_every_frame_comes_in_its_place(video):
    assert np.abs(np.array(levels(video)) - 8 * np.arange(N)).max() < 3
    check_video(video, N)


@pytest.mark.parametrize("expected", [N - 10, N - 1, N + 1, N + 10])
def test_another_number_of_labels_is_refused(video, expected):
    with pytest.raises(LabelError) as error:
        levels(video, expected)
    assert f"{N:,} frames" in str(error.value)
    assert f"{expected:,} have labels" in str(error.value)
    assert error.value.path == video


@pytest.mark.parametrize("expected", [N - 1, N + 1])
def test_containers_that_are_not_walked_are_counted_as_they_decode(tmp_path, expected):
    path = write_video(tmp_path / "a.mp4", codec="mp4v")
    assert len(levels(path)) == N
    with pytest.raises(LabelError, match="frames can be decoded, but"):
        levels(path, expected)


@pytest.mark.parametrize("place", [0, 1, N // 2, N - 1])
def test_a_destroyed_chunk_tag_is_refused(video, place):
    content = bytearray(video.read_bytes())
    at = chunks(content)[place]
    content[at : at + 4] = b"\x13\x37zz"
    video.write_bytes(content)
    with pytest.raises(
        LabelError, match=f"data after frame {place} are damaged at byte {at:,}"
    ):
        levels(video)


def test_a_destroyed_chunk_length_is_refused(video):
    content = bytearray(video.read_bytes())
    at = chunks(content)[4]
    for length in (0xFFFFFFF0, 3, 0):
        content[at + 4 : at + 8] = struct.pack("<I", length)
        video.write_bytes(content)
        with pytest.raises(LabelError, match=r"damaged|empty"):
            levels(video)


def test_a_zeroed_frame_is_refused(video):
    content = bytearray(video.read_bytes())
    at = chunks(content)[9]
    length = struct.unpack_from("<I", content, at + 4)[0]
    content[at + 8 : at + 8 + length] = bytes(length)
    video.write_bytes(content)
    with pytest.raises(LabelError, match="frame 10 is empty"):
        levels(video)


def test_an_empty_frame_chunk_is_refused(video):
    content = video.read_bytes()
    at = chunks(content)[9]
    length = struct.unpack_from("<I", content, at + 4)[0]
    cut = 8 + length + length % 2
    damaged = bytearray(content[:at] + b"00dc\0\0\0\0" + content[at + cut :])
    movi = content.index(b"movi") - 8
    for place in (4, movi + 4):  # the lengths of the file and of the list of frames
        old = struct.unpack_from("<I", content, place)[0]
        struct.pack_into("<I", damaged, place, old - length - length % 2)
    video.write_bytes(damaged)
    with pytest.raises(LabelError, match="frame 10 is empty"):
        levels(video)


@pytest.mark.parametrize("part", [0.01, 0.3, 0.5, 0.9, 0.999])
def test_a_file_that_was_cut_short_is_refused(video, part):
    content = video.read_bytes()
    video.write_bytes(content[: int(len(content) * part)])
    with pytest.raises(LabelError, match=r"cut short|cannot be opened"):
        levels(video)


def test_what_is_no_video_is_refused(tmp_path):
    for name, content in (
        ("empty", b""),
        ("html", b"<html></html>"),
        ("riff", b"RIFF1234WAVE"),
    ):
        (tmp_path / f"{name}.avi").write_bytes(content)
        with pytest.raises(LabelError, match=r"is empty|cannot be opened|cut short"):
            levels(tmp_path / f"{name}.avi")
    for name in ("none.avi", "."):
        with pytest.raises(LabelError, match="there is no such video"):
            levels(tmp_path / name)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
def test_a_name_that_is_not_utf8_is_survived(video):
    other = os.fsdecode(os.fsencode(video.parent) + b"/caf\xe9.avi")
    video.rename(other)
    assert len(levels(other)) == N


def test_percent_signs_are_no_pattern(video):
    other = video.with_name("%03d.avi")
    video.rename(other)
    assert len(levels(other)) == N
