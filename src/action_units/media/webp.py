"""Holes in WebP files, which have no checksum and which decoders draw something over.

Where a disk lost a block of a file, zeros are read. Zeros in the coded data of a frame are
pixels without any detail: of one colour, or as the row above or the column beside them
(RFC 9649; RFC 6386). A picture with many zeros in its data and without such parts is
damaged. Other bytes in the place of the right ones cannot be told from them.
"""

import re
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

_ZEROS = re.compile(rb"\0{64,}")
_BLOCK = 16  # side of VP8's macroblocks, in pixels
# How many zeros a block without detail takes at most: libwebp 1.5 writes 0.7 of them in VP8,
# and in VP8L, which codes pixels, below 100.
_MOST_ZEROS = {b"VP8 ": 2, b"VP8L": 256}


def webp_fault(content: bytes, pixels: npt.NDArray[np.uint8]) -> str | None:
    """What is wrong with a WebP file's coded data, as a clause; None where nothing shows.

    Args:
        content: The file, all of which is there.
        pixels: What was made of its first picture, ``(H, W)`` or ``(H, W, 3)``.
    """
    for kind, start, stop in _frames(content, 12, len(content)):
        holes = [found.span() for found in _ZEROS.finditer(content, start, stop)]
        if not holes:
            continue
        first, end = max(holes, key=lambda hole: hole[1] - hole[0])
        if _blocks_without_detail(pixels) * _MOST_ZEROS[kind] < end - first:
            return f"its data are zeros from byte {first:,}"
        return None
    return None


def _frames(content: bytes, at: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Kind, first byte and end of the coded pictures, also of those of an animation."""
    while at + 8 <= end:
        kind, start = content[at : at + 4], at + 8
        stop = start + int.from_bytes(content[at + 4 : at + 8], "little")
        if kind in _MOST_ZEROS:
            yield kind, start, stop
        elif kind == b"ANMF":
            yield from _frames(content, start + 16, stop)
        at = stop + (stop - start) % 2


def _blocks_without_detail(pixels: npt.NDArray[np.uint8]) -> int:
    """How many blocks have equal rows or equal columns."""
    plane = pixels if pixels.ndim == 2 else pixels[..., 1]
    rows, columns = (side // _BLOCK for side in plane.shape)
    plane = plane[: rows * _BLOCK, : columns * _BLOCK]
    blocks = plane.reshape(rows, _BLOCK, columns, _BLOCK).swapaxes(1, 2)
    equal = [(blocks == line).all((2, 3)) for line in (blocks[:, :, :1], blocks[..., :1])]
    return int((equal[0] | equal[1]).sum())
