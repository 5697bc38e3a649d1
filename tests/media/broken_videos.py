"""Videos whose frames show their own numbers, and what disks and copies do to files."""

import random
import struct

import cv2
import numpy as np

SIZE = (160, 120)
N = 40
_BITS = 6
_TEXTURE = cv2.resize(
    np.random.default_rng(0).integers(0, 256, (24, 32, 3), dtype=np.uint8), SIZE
)


def numbered(k):
    """A moving texture with the number `k` painted in it, a block a bit."""
    frame = np.roll(_TEXTURE, 3 * k, axis=1).copy()
    for bit in range(_BITS):
        frame[4:36, 4 + bit * 26 : 28 + bit * 26] = 255 if k >> bit & 1 else 0
    return frame


def number_in(frame):
    """The number painted in a frame."""
    means = (frame[12:28, 10 + bit * 26 : 22 + bit * 26].mean() for bit in range(_BITS))
    return sum((mean > 127) << bit for bit, mean in enumerate(means))


def write_numbered(path, codec, count=N, size=SIZE):
    """A video of `count` such frames."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*codec), 20.0, size)
    assert writer.isOpened()
    for k in range(count):
        writer.write(cv2.resize(numbered(k), size))
    writer.release()
    return path


def frames_of(content):
    """Where each frame lies: the first byte, the first of its data, and the byte after."""
    return _frames_of_avi(content) if content.startswith(b"RIFF") else _frames_of_mp4(content)


def _frames_of_avi(content):
    at, found = content.index(b"movi") + 4, []
    while content[at : at + 4] == b"00dc":
        length = struct.unpack_from("<I", content, at + 4)[0]
        found.append((at, at + 8, at + 8 + length + length % 2))
        at = found[-1][2]
    return found


def _frames_of_mp4(content):
    def table(kind, columns, head):
        at = content.index(kind) + 4 + head
        count = struct.unpack_from(">I", content, at)[0]
        values = struct.unpack_from(f">{count * columns}I", content, at + 4)
        return [values[i : i + columns] for i in range(0, len(values), columns)]

    sizes = iter(size for (size,) in table(b"stsz", 1, 8))
    runs = table(b"stsc", 3, 4)
    found = []
    for chunk, (at,) in enumerate(table(b"stco", 1, 4), 1):
        many = [per for first, per, _ in runs if first <= chunk][-1]
        for _ in range(many):
            size = next(sizes)
            found.append((at, at, at + size))
            at += size
    return found


def with_lengths(content, before):
    """An AVI file whose header owns to the bytes that it gained or lost."""
    content = bytearray(content)
    for at in (4, content.index(b"movi") - 4):
        old = struct.unpack_from("<I", content, at)[0]
        struct.pack_into("<I", content, at, old + len(content) - len(before))
    return bytes(content)


def damaged(content, kind, k, seed):
    """A file of which `k` frames in a row are damaged; at least one before and one after."""
    rng = random.Random(seed)
    frames = frames_of(content)
    p = rng.randrange(1, len(frames) - k)
    rows = frames[p : p + k]
    begin, end = rows[0][0], rows[-1][2]
    changed = bytearray(content)
    if kind == "cut":
        del changed[begin:]
    elif kind == "taken out":
        del changed[begin:end]
    elif kind == "doubled":
        changed[end:end] = content[begin:end]
    elif kind == "one out, one doubled":
        q = rng.choice([i for i in range(1, len(frames) - k) if i != p])
        twice = content[frames[q][0] : frames[q + k - 1][2]]
        places = [(begin, end, b""), (frames[q][0], frames[q][0], twice)]
        for first, last, new in sorted(places, reverse=True):
            changed[first:last] = new
    elif kind == "zeros over all":
        changed[begin:end] = bytes(end - begin)
    for at, data, stop in rows:
        if kind == "zeros for data":
            changed[data:stop] = bytes(stop - data)
        elif kind == "zeros for half":
            changed[(data + stop) // 2 : stop] = bytes(stop - (data + stop) // 2)
        elif kind == "tag":
            changed[at : at + 4] = rng.randbytes(4)
        elif kind == "length":
            changed[at + 4 : at + 8] = struct.pack("<I", rng.randrange(stop - data + 4000))
        elif kind == "noise":
            start = rng.randrange(data, max(data + 1, stop - 64))
            changed[start : start + 64] = rng.randbytes(min(64, stop - start))
    return bytes(changed)
