"""Matroska files, whole, cut and damaged."""

import pytest

from action_units.errors import LabelError
from action_units.media.containers import walk_container
from action_units.media.video import read_frames
from tests.media.broken_videos import N, number_in, write_numbered


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return write_numbered(tmp_path_factory.mktemp("whole") / "a.webm", "VP80").read_bytes()


def blocks(content):
    """Where each frame's block begins, and where the next one does."""
    # Before the first cluster are random identifiers, which may look like a block.
    at, found = content.find(b"\x1f\x43\xb6\x75"), []
    while (at := content.find(b"\xa3", at)) >= 0:
        width = 9 - content[at + 1].bit_length()
        if width == 9:
            at += 1
            continue
        length = int.from_bytes(content[at + 1 : at + 1 + width], "big") & (
            (1 << 7 * width) - 1
        )
        end = at + 1 + width + length
        if content[at + 1 + width] == 0x81 and length > 4 and end <= len(content):
            found.append((at, end))
            at = end
        else:
            at += 1
    return found


def test_a_whole_file_is_walked(tmp_path, whole):
    path = tmp_path / "a.webm"
    path.write_bytes(whole)
    assert len(blocks(whole)) == N
    walk_container(path)


def test_a_cut_file_is_not_refused_here(tmp_path, whole):
    path = tmp_path / "a.webm"
    for part in (0.3, 0.5, 0.9, 0.99):
        path.write_bytes(whole[: int(len(whole) * part)])
        walk_container(path)


@pytest.mark.parametrize("kind", ["out", "in", "zeros", "half a frame out"])
@pytest.mark.parametrize("k", [3, 12, 30])
def test_damage_between_frames_is_refused(tmp_path, whole, kind, k):
    """Without labels too: decoders leave out what comes before the next cluster."""
    first, last = blocks(whole)[k]
    changed = bytearray(whole)
    if kind == "out":
        del changed[first + 3 : last + 3]
    elif kind == "in":
        changed[first + 20 : first + 20] = bytes(range(100))
    elif kind == "zeros":
        changed[last : last + 6] = bytes(6)
    else:
        del changed[(first + last) // 2 : last]
    path = tmp_path / "a.webm"
    path.write_bytes(changed)
    with pytest.raises(LabelError, match=r"the file is damaged at byte \d"):
        list(read_frames(path, None))


def test_lengths_that_are_not_known_are_walked_into(tmp_path, whole):
    """As browsers write them: the segment and each cluster end where the next begins."""
    changed = bytearray(whole)
    for kind in (b"\x18\x53\x80\x67", b"\x1f\x43\xb6\x75"):
        at = changed.index(kind) + 4
        while at > 4:
            width = 9 - changed[at].bit_length()
            changed[at : at + width] = ((1 << (7 * width + 1)) - 1).to_bytes(width, "big")
            at = changed.find(kind, at) + 4
    path = tmp_path / "a.webm"
    path.write_bytes(changed)
    walk_container(path)
    assert [number_in(frame) for frame in read_frames(path, N)] == list(range(N))
    path.write_bytes(whole + bytes(99))  # after the segment, whose length is known
    walk_container(path)
