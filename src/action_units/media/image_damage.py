"""Damage to image files that decoders ignore: cut ends, failed checksums, holes.

Decoders stop once they have the pixels of the first picture, and so ignore the missing end
of an animation or of a TIFF of several pages, and over checksums. What follows the end of a
JPEG, such as a telephone's second picture, is not looked at.
"""

import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from action_units.errors import UnusableFace
from action_units.media.jpeg import jpeg_fault

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"

_NOTES = (b"iCCP", b"tEXt", b"zTXt", b"iTXt")
_OF_ORIENTATION = (b"Raw profile type exif\0", b"XML:com.adobe.xmp\0\0")
_LONGEST_NOTE = 1 << 20  # bytes, which is Pillow's limit
_WEBP_ZEROS = re.compile(rb"\0{64,}")
_VP8_BLOCK = 16  # side of VP8's macroblocks, in pixels
# How many zeros a block without detail takes at most: libwebp 1.5 writes 0.7 of them in VP8,
# and in VP8L, which codes pixels, below 100.
_MOST_ZEROS = {b"VP8 ": 2, b"VP8L": 256}
_MOST_PAGES = 10_000
_PLACES_AND_SIZES = ((273, 279), (324, 325), (513, 514))  # of TIFF's strips, tiles, JPEG
_COMPRESSION, _JPEG_TABLES = 259, 347
_READ = frozenset((_COMPRESSION, *(tag for pair in _PLACES_AND_SIZES for tag in pair)))
_DEFLATE, _JPEG = (8, 32946), 7
_BLOCK = 1 << 20
_INTEGERS = {3: "H", 4: "I", 16: "Q"}  # TIFF's types of whole numbers
_TYPE_SIZES = {3: 2, 4: 4, 5: 8, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}


def check_end(image: Image.Image, content: bytes) -> None:
    """Refuse a file that was cut short behind its first picture.

    Args:
        image: The file, opened and not yet loaded.
        content: Its bytes.

    Raises:
        UnusableFace: It was cut short (``truncated``); a checksum does not hold, or it
            has more pages than make sense (``damaged``).
    """
    if image.format == "WEBP":
        whole = 8 + struct.unpack_from("<I", content, 4)[0] <= len(content)
    elif image.format == "BMP":
        whole = struct.unpack_from("<I", content, 2)[0] <= len(content)
    elif image.format == "GIF":
        whole = _has_trailer(content)
    elif image.format == "TIFF":
        whole = _has_all_pages(content)
    else:
        return
    if not whole:
        raise UnusableFace("truncated", f"the file ends before its {image.format} data do")


def _has_trailer(content: bytes) -> bool:
    """Whether a GIF's blocks, followed one by one, lead to its trailer (GIF89a)."""
    try:
        at = 13 + _colours(content[10])
        while (block := content[at]) != 0x3B:
            at += 1
            if block == 0x2C:  # a picture: place, size, colours, code size, data
                at = _after_data(content, at + 10 + _colours(content[at + 8]))
            elif block == 0x21:  # an extension
                at = _after_data(content, at + 1)
    except IndexError:
        return False
    return True


def _colours(flags: int) -> int:
    """Bytes of the colour table that a GIF's flags announce."""
    return 3 << (1 + (flags & 7)) if flags & 0x80 else 0


def _after_data(content: bytes, at: int) -> int:
    """Where a GIF's chain of data blocks ends."""
    while length := content[at]:
        at += 1 + length
    return at + 1


@dataclass(frozen=True)
class _Tiff:
    """A TIFF or BigTIFF file (TIFF 6.0).

    Attributes:
        content: Its bytes.
        order: Of the bytes of a number, as ``struct`` has it.
        word: Bytes of a position in the file.
    """

    content: bytes
    order: str
    word: int

    def number(self, at: int) -> int:
        """The position or count that stands at a byte."""
        return int(self.unpack("Q" if self.word == 8 else "I", at)[0])

    def unpack(self, form: str, at: int) -> tuple[int, ...]:
        """The numbers that stand at a byte."""
        return struct.unpack_from(self.order + form, self.content, at)

    def end_of_page(self, start: int) -> int:
        """Where a page's directory names the next page; 0 where something of it is missing."""
        (count,) = self.unpack("Q" if self.word == 8 else "H", start)
        at = start + (8 if self.word == 8 else 2)
        tags: dict[int, tuple[int, ...]] = {}
        tables = b""
        for _ in range(count):
            tag, kind = self.unpack("HH", at)
            number = self.number(at + 4)
            size = number * _TYPE_SIZES.get(kind, 1)
            inline = at + 4 + self.word
            place = inline if size <= self.word else self.number(inline)
            if place + size > len(self.content):
                return 0
            if tag == _JPEG_TABLES:
                tables = self.content[place : place + size]
            if tag in _READ and kind in _INTEGERS:
                tags[tag] = self.unpack(f"{number}{_INTEGERS[kind]}", place)
            at += 4 + 2 * self.word
        for places, sizes in _PLACES_AND_SIZES:
            for place, size in zip(tags.get(places, ()), tags.get(sizes, ()), strict=False):
                if place + size > len(self.content):
                    return 0
                strip = self.content[place : place + size]
                _check_strip(strip, tags.get(_COMPRESSION, (1,))[0], tables)
        return at


def _has_all_pages(content: bytes) -> bool:
    """Whether the directory and the data of every page of a TIFF lie in the file."""
    order = "<" if content.startswith(b"II") else ">"
    big = struct.unpack_from(f"{order}H", content, 2) == (43,)
    tiff = _Tiff(content, order, 8 if big else 4)
    page, seen = tiff.word, 0
    try:
        while start := tiff.number(page):
            page = tiff.end_of_page(start)
            if not page:
                return False
            seen += 1
            if seen > _MOST_PAGES:
                raise UnusableFace("damaged", f"the TIFF has more than {_MOST_PAGES:,} pages")
    except (struct.error, OverflowError):  # a position beyond the file, or beyond any
        return False
    return True


def _check_strip(strip: bytes, compression: int, tables: bytes) -> None:
    """Refuse a strip or tile of a TIFF where its compression shows that it is damaged."""
    fault = None
    if compression in _DEFLATE:
        stream = zlib.decompressobj()
        try:
            while strip and not stream.eof:
                stream.decompress(strip, _BLOCK)
                strip = stream.unconsumed_tail
        except zlib.error as error:
            fault = str(error)
    elif compression == _JPEG and strip.startswith(b"\xff\xd8"):
        fault = jpeg_fault(tables[:-2] + strip[2:] if tables else strip)
    if fault:
        raise UnusableFace("damaged", f"a strip of the TIFF: {fault}")


def plain_png(content: bytes) -> bytes:
    """The same picture, whole, without large or damaged notes.

    Pillow passes over checksums and a missing end, and refuses a picture for a text or a
    colour profile that is large or damaged. Of those only the notes that can give how a
    picture is turned are kept (PNG specification, 5.3 and 11.3).

    Args:
        content: The file, which begins with `PNG_SIGNATURE`.

    Raises:
        UnusableFace: It is ``truncated``, or a checksum of its pixels fails (``damaged``).
    """
    return b"".join((PNG_SIGNATURE, *_png_chunks(content)))


def _png_chunks(content: bytes) -> Iterator[memoryview]:
    whole, at = memoryview(content), len(PNG_SIGNATURE)
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


def webp_fault(content: bytes, pixels: npt.NDArray[np.uint8]) -> str | None:
    """What is wrong with a WebP file's coded data, as a clause; None where nothing shows.

    WebP has no checksum. Where a disk lost a block of a file, zeros are read. In the coded
    data these are pixels without any detail: of one colour, or as the row above or the column
    beside them (RFC 9649; RFC 6386). A picture with many zeros in its data and without such
    parts is damaged. Replaced bytes cannot be detected.

    Args:
        content: The file, all of which is there.
        pixels: What was made of its first picture, ``(H, W)`` or ``(H, W, 3)``.
    """
    for kind, start, stop in _webp_frames(content, 12, len(content)):
        holes = [match.span() for match in _WEBP_ZEROS.finditer(content, start, stop)]
        if not holes:
            continue
        first, end = max(holes, key=lambda hole: hole[1] - hole[0])
        if _blocks_without_detail(pixels) * _MOST_ZEROS[kind] < end - first:
            return f"its data are zeros from byte {first:,}"
        return None
    return None


def _webp_frames(content: bytes, at: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Kind, first byte and end of the coded pictures, also of those of an animation."""
    while at + 8 <= end:
        kind, start = content[at : at + 4], at + 8
        stop = start + int.from_bytes(content[at + 4 : at + 8], "little")
        if kind in _MOST_ZEROS:
            yield kind, start, stop
        elif kind == b"ANMF":
            yield from _webp_frames(content, start + 16, stop)
        at = stop + (stop - start) % 2


def _blocks_without_detail(pixels: npt.NDArray[np.uint8]) -> int:
    """How many blocks have equal rows or equal columns."""
    plane = pixels if pixels.ndim == 2 else pixels[..., 1]
    rows, columns = (side // _VP8_BLOCK for side in plane.shape)
    plane = plane[: rows * _VP8_BLOCK, : columns * _VP8_BLOCK]
    blocks = plane.reshape(rows, _VP8_BLOCK, columns, _VP8_BLOCK).swapaxes(1, 2)
    equal = [(blocks == line).all((2, 3)) for line in (blocks[:, :, :1], blocks[..., :1])]
    return int((equal[0] | equal[1]).sum())
