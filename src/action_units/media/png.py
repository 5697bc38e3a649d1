"""PNG files before Pillow sees them: whole, with sound pixels, and without large notes.

Pillow passes over the checksums of pixels and over a missing end, and refuses a picture
for a text or a colour profile beside it that is large or damaged. Of those only the notes
that can tell how a picture is turned are kept (PNG specification, 5.3 and 11.3).
"""

import struct
import zlib
from collections.abc import Iterator

from action_units.errors import UnusableFace

SIGNATURE = b"\x89PNG\r\n\x1a\n"

_NOTES = (b"iCCP", b"tEXt", b"zTXt", b"iTXt")
_OF_ORIENTATION = (b"Raw profile type exif\0", b"XML:com.adobe.xmp\0\0")
_LONGEST_NOTE = 1 << 20  # bytes, which is Pillow's limit


def plain_png(content: bytes) -> bytes:
    """The same picture, with nothing beside it that Pillow could stumble over.

    Args:
        content: The file, which begins with `SIGNATURE`.

    Raises:
        UnusableFace: It is ``truncated``, or a checksum of its pixels fails (``damaged``).
    """
    return b"".join((SIGNATURE, *_chunks(content)))


def _chunks(content: bytes) -> Iterator[memoryview]:
    whole, at = memoryview(content), len(SIGNATURE)
    while at + 12 <= len(content):
        (length,) = struct.unpack_from(">I", content, at)
        kind, end = content[at + 4 : at + 8], at + 8 + length
        if end + 4 > len(content):
            break
        (checksum,) = struct.unpack_from(">I", content, end)
        sound = checksum == zlib.crc32(whole[at + 4 : end])
        if not (sound or kind[0] & 0x20):  # a small letter: the picture can be shown without
            raise UnusableFace("damaged", f"the PNG's checksum fails at byte {at:,}")
        if sound and (kind not in _NOTES or _may_turn(content[at + 8 : at + 40], length)):
            yield whole[at : end + 4]
        if kind == b"IEND":
            return
        at = end + 4
    raise UnusableFace("truncated", "the file ends before its PNG data do")


def _may_turn(note: bytes, length: int) -> bool:
    return note.startswith(_OF_ORIENTATION) and length < _LONGEST_NOTE
