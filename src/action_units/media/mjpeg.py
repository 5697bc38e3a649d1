"""What can be told of a damaged JPEG frame without decoding it.

Decoders of video give a picture for almost any bytes: half of one, or the frame
before. The marks of a JPEG (ITU-T T.81, annex B) show the damage that moved, cut or
overwrote its data; bytes that were exchanged within them cannot be told from others.
"""

import re
import struct

NO_END = "its JPEG data have no end mark"

_START, _END = b"\xff\xd8", b"\xff\xd9"
_SCAN = 0xDA
_BETWEEN_SCANS = (_SCAN, 0xC4)  # of progressive pictures: a scan, tables of codes
_SIZES = (0xC0, 0xC1, 0xC2, 0xC3)
# In compressed data 0xFF is followed by a stuffed zero or a restart mark, or is a filler.
_MARK = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
# How many codes of each length the usual tables have (T.81, table K.3); a table made
# for one picture may code flat parts as nothing but zeros.
_USUAL_TABLE = bytes((0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0))
_HOLE = bytes(512)


def jpeg_fault(frame: bytes) -> str | None:
    """What is wrong with a frame's JPEG data, as a clause; None where nothing shows.

    A frame may be two pictures, of odd and of even lines, and may end in zeros.
    """
    if not frame.strip(b"\0"):
        return "it is empty"
    at = 0
    while True:
        if not frame.startswith(_START, at):
            return "its JPEG data do not begin as such"
        scan = _scan_of(frame, at + 2)
        if isinstance(scan, str):
            return scan
        mark = _MARK.search(frame, scan)
        while mark is not None and mark[0][1] in _BETWEEN_SCANS:
            length = int.from_bytes(frame[mark.end() : mark.end() + 2], "big")
            mark = _MARK.search(frame, mark.end() + length)
        if mark is None:
            return NO_END
        if mark[0] != _END:
            return f"its JPEG data are broken at byte {mark.start():,} of {len(frame):,}"
        hole = frame.find(_HOLE, scan, mark.start())
        if hole >= 0 and (b"\xff\xc4" not in frame[:scan] or _USUAL_TABLE in frame[:scan]):
            return f"its JPEG data are zeros from byte {hole:,}"
        at = mark.end()
        if not frame[at:].strip(b"\0"):
            return None


def _scan_of(frame: bytes, at: int) -> int | str:
    """Where the compressed data begin, or what is wrong before them."""
    sized = False
    while at + 4 <= len(frame):
        mark, length = struct.unpack_from(">HH", frame, at)
        if mark == 0xFFFF:  # a filler
            at += 1
            continue
        kind = mark & 0xFF
        if mark >> 8 != 0xFF or kind < 0xC0 or 0xD0 <= kind <= 0xD9 or length < 2:
            break
        sized = sized or kind in _SIZES
        at += 2 + length
        if kind == _SCAN:
            return at if sized else "its JPEG data have no size"
    return "its JPEG header is damaged"
