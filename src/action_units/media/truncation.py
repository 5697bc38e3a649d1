"""Files that end before their format says, or whose checksums do not hold.

Decoders are content with them: they stop once they have the pixels of the first picture,
and so pass over the missing end of an animation or a TIFF of several pages, and over the
checksums of Deflate in a TIFF. PNG has a module of its own (``png``). What follows the end of
a JPEG, such as a telephone's second picture, is not looked at.
"""

import struct
import zlib
from dataclasses import dataclass

from PIL import Image

from action_units.errors import UnusableFace
from action_units.media.jpeg import jpeg_fault

_MOST_PAGES = 10_000
_PLACES_AND_SIZES = ((273, 279), (324, 325), (513, 514))  # of TIFF's strips, tiles, JPEG
_COMPRESSION, _JPEG_TABLES = 259, 347
_READ = frozenset((_COMPRESSION, *(tag for pair in _PLACES_AND_SIZES for tag in pair)))
_DEFLATE, _JPEG = (8, 32946), 7
_BLOCK = 1 << 20
_INTEGERS = {3: "H", 4: "I", 16: "Q"}  # TIFF's types of whole numbers
_TYPE_SIZES = {3: 2, 4: 4, 5: 8, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}


@dataclass(frozen=True)
class _Layout:
    """What differs between TIFF and BigTIFF.

    Attributes:
        first: Where the place of the first page stands.
        count: Format of the number of a directory's entries.
        word: Bytes of a place.
    """

    first: int
    count: str
    word: int

    def number(self, order: str, content: bytes, at: int) -> int:
        """The place or number that stands at a byte."""
        (value,) = struct.unpack_from(order + ("Q" if self.word == 8 else "I"), content, at)
        return int(value)


_TIFF, _BIG_TIFF = _Layout(4, "H", 4), _Layout(8, "Q", 8)


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


def _has_all_pages(content: bytes) -> bool:
    """Whether the directory and the data of every page of a TIFF lie in the file (TIFF 6.0)."""
    order = "<" if content.startswith(b"II") else ">"
    (version,) = struct.unpack_from(f"{order}H", content, 2)
    layout = _BIG_TIFF if version == 43 else _TIFF
    page, seen = layout.first, 0
    try:
        while start := layout.number(order, content, page):
            page = _end_of_page(content, order, layout, start)
            if not page:
                return False
            seen += 1
            if seen > _MOST_PAGES:
                raise UnusableFace("damaged", f"the TIFF has more than {_MOST_PAGES:,} pages")
    except (struct.error, OverflowError):  # a place beyond the file, or beyond any
        return False
    return True


def _end_of_page(content: bytes, order: str, layout: _Layout, start: int) -> int:
    """Where a page's directory names the next page; 0 where something of it is missing."""
    (count,) = struct.unpack_from(order + layout.count, content, start)
    at = start + struct.calcsize(layout.count)
    found: dict[int, tuple[int, ...]] = {}
    tables = b""
    for _ in range(count):
        tag, kind = struct.unpack_from(f"{order}HH", content, at)
        number = layout.number(order, content, at + 4)
        size = number * _TYPE_SIZES.get(kind, 1)
        inline = at + 4 + layout.word
        place = inline if size <= layout.word else layout.number(order, content, inline)
        if place + size > len(content):
            return 0
        if tag == _JPEG_TABLES:
            tables = content[place : place + size]
        if tag in _READ and kind in _INTEGERS:
            found[tag] = struct.unpack_from(f"{order}{number}{_INTEGERS[kind]}", content, place)
        at += 4 + 2 * layout.word
    for places, sizes in _PLACES_AND_SIZES:
        for place, size in zip(found.get(places, ()), found.get(sizes, ()), strict=False):
            if place + size > len(content):
                return 0
            strip = content[place : place + size]
            _check_strip(strip, found.get(_COMPRESSION, (1,))[0], tables)
    return at


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
