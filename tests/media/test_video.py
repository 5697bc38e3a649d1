"""Videos, whole and damaged: no frame may be lost without a word."""

import os
import struct
import sys

import cv2
import numpy as np
import pytest

from action_units.errors import LabelError
from action_units.media.video import check_video, read_frames
from tests.media.broken_videos import (
    damaged,
    frames_of,
    number_in,
    numbered,
    with_lengths,
    write_numbered,
)

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
    return [at for at, _, _ in frames_of(content)]


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
    with pytest.raises(LabelError, match="frame 10 is damaged: it is empty"):
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
    with pytest.raises(LabelError, match="frame 10 is damaged: it is empty"):
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


CODECS = {"MJPG": "avi", "XVID": "avi", "mp4v": "mp4", "FFV1": "avi"}
M = 40


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The bytes of a video of each codec, whose frames show their numbers."""
    folder = tmp_path_factory.mktemp("whole")
    return {
        codec: write_numbered(folder / f"{codec}.{suffix}", codec).read_bytes()
        for codec, suffix in CODECS.items()
    }


def numbers(path, expected=M):
    return [number_in(frame) for frame in read_frames(path, expected)]


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("expected", [M, None])
def test_whole_videos_of_each_codec_are_read(tmp_path, whole, codec, expected):
    path = tmp_path / f"a.{CODECS[codec]}"
    path.write_bytes(whole[codec])
    assert numbers(path, expected) == list(range(M))


KINDS = (
    "cut", "taken out", "doubled", "one out, one doubled", "zeros over all", "zeros for data",
)  # fmt: skip


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("kind", KINDS)
def test_lost_doubled_and_zeroed_frames_are_refused(tmp_path, whole, codec, kind):
    """One to ten frames at ten places, against labels for all of them."""
    path = tmp_path / f"a.{CODECS[codec]}"
    for k in range(1, 11):
        path.write_bytes(damaged(whole[codec], kind, k, seed=k))
        with pytest.raises(LabelError) as error:
            numbers(path)
        assert "cannot be opened" not in str(error.value)


@pytest.mark.parametrize("codec", ["MJPG", "XVID", "FFV1"])
@pytest.mark.parametrize("kind", ["taken out", "doubled", "one out, one doubled"])
def test_an_index_tells_of_frames_even_where_lengths_agree(tmp_path, whole, codec, kind):
    path = tmp_path / "a.avi"
    for k in range(1, 11):
        for expected in (M, M - k, M + k, None):
            content = damaged(whole[codec], kind, k, seed=k)
            path.write_bytes(with_lengths(content, whole[codec]))
            with pytest.raises(LabelError, match=r"index lists other|file holds"):
                numbers(path, expected)


@pytest.mark.parametrize("codec", ["MJPG", "XVID", "FFV1"])
@pytest.mark.parametrize("kind", ["tag", "length"])
def test_destroyed_chunk_headers_are_refused(tmp_path, whole, codec, kind):
    path = tmp_path / "a.avi"
    for k in range(1, 11):
        path.write_bytes(damaged(whole[codec], kind, k, seed=k))
        with pytest.raises(LabelError):
            numbers(path)


@pytest.mark.parametrize("codec", ["MJPG", "XVID"])
def test_frames_of_which_half_is_lost_are_refused_by_number(tmp_path, whole, codec):
    path = tmp_path / "a.avi"
    for k in range(1, 11):
        path.write_bytes(damaged(whole[codec], "zeros for half", k, seed=k))
        with pytest.raises(LabelError, match=r"frame \d+ is damaged"):
            check_video(path)


def test_noise_in_jpeg_frames_is_refused_or_stays_in_its_frames(tmp_path, whole):
    """What cannot be told from sound data spoils its own picture and no other."""
    path = tmp_path / "a.avi"
    refused = 0
    for seed in range(40):
        content = damaged(whole["MJPG"], "noise", 1 + seed % 10, seed)
        path.write_bytes(content)
        same = [
            content[at:stop] == whole["MJPG"][at:stop]
            for at, _, stop in frames_of(whole["MJPG"])
        ]
        try:
            found = numbers(path)
        except LabelError:
            refused += 1
            continue
        assert [n for n, sound in zip(found, same, strict=True) if sound] == [
            k for k, sound in enumerate(same) if sound
        ]
    assert refused >= 20


def test_a_frame_that_cannot_be_decoded_is_told_from_the_end(tmp_path, whole):
    _, data, stop = frames_of(whole["mp4v"])[20]
    content = bytearray(whole["mp4v"])
    content[data:stop] = bytes(stop - data)
    path = tmp_path / "a.mp4"
    path.write_bytes(content)
    for expected in (M, M - 1, 20, None):
        with pytest.raises(LabelError, match=r"frame 21 cannot be decoded, but|more than 20"):
            numbers(path, expected)


def test_zeros_are_no_frame_of_a_lossless_codec_either(tmp_path):
    path = write_numbered(tmp_path / "a.avi", "HFYU", 12)
    assert numbers(path, 12) == list(range(12))
    path.write_bytes(damaged(path.read_bytes(), "zeros for data", 2, seed=0))
    with pytest.raises(LabelError, match=r"frame \d+ is damaged: it is empty"):
        numbers(path, 12)


def test_an_mp4_file_that_is_cut_after_its_list_of_frames(tmp_path):
    boxes = [(8, b"ftyp", 8), (8, b"moov", 8), (100, b"mdat", 60)]
    content = b"".join(struct.pack(">I4s", n, kind) + bytes(m - 8) for n, kind, m in boxes)
    (tmp_path / "a.mp4").write_bytes(content)
    with pytest.raises(LabelError, match="the file ends at byte 76 of 116: it was cut short"):
        check_video(tmp_path / "a.mp4")


def test_boxes_of_mp4_files_are_walked(tmp_path, whole):
    content = whole["mp4v"]
    path = tmp_path / "a.mp4"
    moov = content.index(b"moov") - 4
    for changed, says in (
        (content[: len(content) // 2], "cut short"),
        (content[:moov], "list of frames is missing"),
        (content[:100] + content[101:], "cut short|is damaged at byte"),
        (content[:100] + b"x" + content[100:], "cut short|is damaged at byte"),
        (content + b"\0\0\0", "is damaged at byte"),
    ):
        path.write_bytes(changed)
        with pytest.raises(LabelError, match=says):
            numbers(path)
    mdat = content.index(b"mdat") - 4  # lengths of 64 bits, and up to the end of the file
    assert content[mdat - 8 : mdat - 4] == b"\0\0\0\x08"
    longer = bytearray(content)
    longer[mdat - 8 : mdat + 8] = struct.pack(">I4sQ", 1, b"mdat", moov - mdat + 8)
    path.write_bytes(longer)
    assert numbers(path) == list(range(M))
    path.write_bytes(content + b"\0\0\0\0free" + bytes(99))
    assert numbers(path) == list(range(M))


def test_a_count_in_the_container_that_is_wrong_is_logged(tmp_path, whole, caplog):
    """FRAME_COUNT differs from what decodes: the labels decide, not the header."""
    path = tmp_path / "a.mp4"
    content = bytearray(whole["mp4v"])
    _, data, stop = frames_of(whole["mp4v"])[-1]
    content[data:stop] = bytes(stop - data)
    path.write_bytes(content)
    assert numbers(path, None) == list(range(M - 1))
    assert f"{M - 1} frames decoded of the {M} listed" in caplog.text
    assert numbers(path, M - 1) == list(range(M - 1))
    with pytest.raises(LabelError, match=f"only {M - 1} frames can be decoded"):
        numbers(path)
    avi = bytearray(whole["XVID"])
    struct.pack_into("<I", avi, avi.index(b"avih") + 8 + 16, 3 * M)
    struct.pack_into("<I", avi, avi.index(b"strh") + 8 + 32, 3 * M)
    (tmp_path / "b.avi").write_bytes(avi)
    assert numbers(tmp_path / "b.avi") == list(range(M))


def test_a_webm_without_a_frame_is_refused_and_a_short_one_is_told_of(tmp_path, caplog):
    """It lists a length in its head and no frames, so a cut cannot be seen before decoding."""
    path = write_numbered(tmp_path / "a.webm", "VP80", M)
    content = path.read_bytes()
    path.write_bytes(content[:600])
    with pytest.raises(LabelError, match="no frame of it can be decoded"):
        list(read_frames(path, None))
    assert not caplog.text
    path.write_bytes(content[: len(content) // 2])
    count = len(list(read_frames(path, None)))
    assert 0 < count < M
    assert f"{count} frames decoded of the {M} listed" in caplog.text


def test_without_labels_a_file_of_jpegs_says_how_many_it_holds(video):
    assert check_video(video) == N
    assert len(levels(video, None)) == N


def test_the_codec_is_that_of_the_format_not_of_the_program(tmp_path, whole):
    content = bytearray(damaged(whole["MJPG"], "zeros for half", 1, seed=0))
    handler = content.index(b"vidsMJPG") + 4
    content[handler : handler + 4] = bytes(4)
    path = tmp_path / "a.avi"
    path.write_bytes(content)
    with pytest.raises(LabelError, match=r"frame \d+ is damaged"):
        check_video(path)


def test_another_index_is_needed_for_nothing(tmp_path, whole):
    """A file without an index, as a recorder that was switched off leaves."""
    content = whole["MJPG"]
    index = content.rindex(b"idx1")
    bare = bytearray(content[:index])
    struct.pack_into("<I", bare, 4, index - 8)
    path = tmp_path / "a.avi"
    path.write_bytes(bare)
    assert numbers(path) == list(range(M))


def test_numbers_are_painted_as_they_are_read():
    assert [number_in(numbered(k)) for k in range(64)] == list(range(64))
