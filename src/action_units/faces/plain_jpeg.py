"""Plain JPEG files straight to gray by OpenCV, two to three times as fast for a crop as Pillow.

OpenCV's decoder makes a picture of most truncated files. The structure of a plain
file is so simple, though, that a look at its headers tells whether it is whole; what
is any less plain is left to Pillow.
"""

import re

import cv2
import numpy as np
import numpy.typing as npt

_MARKER, _START, _END, _SCAN = 0xFF, b"\xff\xd8", b"\xff\xd9", 0xDA
_MARKERS = re.compile(rb"\xff[^\x00\xd0-\xd7]")
_FRAMES = frozenset({0xC0, 0xC1})  # Huffman-coded, all coefficients in one scan
_NOT_PLAIN = frozenset(
    {0x00, 0x01, *range(0xC2, 0xDA), _MARKER}  # other frames, markers without a length
    | {0xE1, 0xEE}  # EXIF or XMP, which may turn the picture; Adobe's colours
) - {0xC4}  # a Huffman table


def decode_plain_jpeg(content: bytes, max_pixels: float) -> npt.NDArray[np.uint8] | None:
    """Gray pixels ``(H, W)`` of a whole and plain JPEG file.

    Args:
        content: The file.
        max_pixels: Larger pictures are not decoded.

    Returns:
        None where the file is not one sequential scan of 8-bit gray or YCbCr, has
        EXIF data, is cut short, or is in any way unexpected.
    """
    size = _plain_size(content)
    if size is None or size[0] * size[1] > max_pixels:
        return None
    flags = cv2.IMREAD_GRAYSCALE | cv2.IMREAD_IGNORE_ORIENTATION
    pixels = cv2.imdecode(np.frombuffer(content, np.uint8), flags)
    return None if pixels is None or pixels.shape != size else np.asarray(pixels, np.uint8)


def _plain_size(content: bytes) -> tuple[int, int] | None:
    """Height and width, if the file is whole and plain (ITU-T T.81, annex B)."""
    if content[:2] != _START:
        return None
    size, components, at = None, 0, 2
    while at + 4 <= len(content):
        marker = content[at + 1]
        if content[at] != _MARKER or marker in _NOT_PLAIN:
            return None
        length = content[at + 2] << 8 | content[at + 3]
        segment = content[at + 4 : at + 2 + length]
        if marker in _FRAMES:
            if size is not None or len(segment) < 6 or segment[0] != 8:
                return None
            size = (segment[1] << 8 | segment[2], segment[3] << 8 | segment[4])
            components = segment[5]
        elif marker == _SCAN:
            # In a scan's codes FF is followed by 0 or is a restart marker, so the first other
            # marker must be the end: no file that was cut short has one.
            after = _MARKERS.search(content, at + 2 + length)
            whole = after is not None and after.group() == _END
            one_scan = segment[:1] == bytes([components]) and components in (1, 3)
            return size if one_scan and whole else None
        at += 2 + length
    return None
