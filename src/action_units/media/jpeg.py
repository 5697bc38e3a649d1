"""JPEG files and the frames of Motion JPEG: whether anything of them is missing.

A decoder makes a picture of almost any JPEG data, gray where they are missing. What shows
the damage is taken together here (ITU-T T.81, annexes B, F and G):

- Each component must be sent to its last bit; a progressive file that lost its last scans
  is a blurred picture to a decoder.
- Zeros in the coded data are blocks that no picture has, unless the Huffman tables allow
  that they are flat ones.
- libjpeg-turbo must not warn of the coded data: that they end before the last block, or
  go on after it. simplejpeg gives the first warning.

Warnings that cameras' files are known for do no harm: application segments and comments
are left out before libjpeg looks, and padding before the end is allowed. Damage that
leaves the number of blocks unchanged cannot be detected: of exchanged bytes,
and now and then of lost ones where each byte codes little.

Plain files are decoded straight to gray here. Frames of videos are only looked at by their
marks: decoders of videos give a picture for almost any bytes, half of one or the frame before.
"""

import re
import struct
from collections.abc import Collection
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import simplejpeg

Pixels = npt.NDArray[np.uint8]

_START, _END = b"\xff\xd8", b"\xff\xd9"
_EOI, _SOS, _DHT, _DRI, _EXIF, _ADOBE = 0xD9, 0xDA, 0xC4, 0xDD, 0xE1, 0xEE
_SEQUENTIAL, _PROGRESSIVE, _ARITHMETIC = (0xC0, 0xC1), (0xC2, 0xCA), (0xC9, 0xCA)
_FRAMES = (*_SEQUENTIAL, *_PROGRESSIVE, 0xC9)
_TABLES = (0xC4, 0xCC, 0xDB, _DRI)
_WITHOUT_LENGTH = frozenset((0x00, 0x01, *range(0xD0, 0xD9), 0xFF))
# In coded data FF is followed by a stuffed zero or a restart marker, or is a filler.
_RESTART = re.compile(rb"\xff[\xd0-\xd7]")
_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_USUAL_TABLES = {0x00: True, 0x01: True, 0x10: False, 0x11: True}
"""Of the usual tables (T.81, annex K), by class and id: whether zeros code flat blocks."""

NO_END = "its JPEG data have no end mark"

_FRAME_SIZES = (0xC0, 0xC1, 0xC2, 0xC3)
_BETWEEN_SCANS = (_SOS, _DHT)  # of progressive pictures
# How many codes of each length the usual tables have (T.81, table K.3); a table made
# for one picture may code flat parts as nothing but zeros.
_USUAL_TABLE = bytes((0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0))
_HOLE = bytes(512)
_ZEROS = bytes(128)  # more than the bits that refine a run of blocks, which may be zeros
_DAMAGE = re.compile(
    r"premature end|bad (Huffman|arithmetic) code|found marker|extraneous bytes|"
    r"Inconsistent progression|Bogus|Invalid|was not defined"
)
_LEFT_OVER = re.compile(r"(?P<count>\d+) extraneous bytes before marker 0xd9")
_AHEAD = 16  # bytes that libjpeg-turbo may have read before it finds that all are there


@dataclass(frozen=True)
class _Scan:
    """Coded data of some components.

    Attributes:
        header: Number of components, their ids and tables, and which bits are sent.
        flat: By a Huffman table's class and id, whether zeros code flat blocks.
        start: Where the coded data begin.
        stop: Where the marker behind them stands.
        restarts: How many MCUs lie between two restart markers; 0 without such.
    """

    header: bytes
    flat: dict[int, bool]
    start: int
    stop: int
    restarts: int

    @property
    def components(self) -> dict[int, int]:
        """The tables of each component, by its id."""
        return dict(zip(self.header[1:-3:2], self.header[2:-3:2], strict=True))

    @property
    def bits(self) -> tuple[int, int, bool, int]:
        """First and last coefficient, whether bits refine earlier ones, and bits to come."""
        first, last, approximation = self.header[-3:]
        return first, last, approximation >> 4 > 0, approximation & 15

    def may_be_zeros(self, progressive: bool) -> bool:
        """Whether zeros code flat blocks, as a picture may have many."""
        first, last, refines, _ = self.bits if progressive else (0, 63, False, 0)
        used = [tables >> 4 for tables in self.components.values() if not (first or refines)]
        used += [0x10 | tables & 15 for tables in self.components.values() if last]
        return all(self.flat.get(table, True) for table in used)


@dataclass
class _Jpeg:
    """A file's segments, up to the end of its first picture."""

    frame: int = 0
    precision: int = 0
    height: int = 0
    width: int = 0
    sampling: dict[int, tuple[int, int]] = field(default_factory=dict)  # by component
    header_segments: list[bytes] = field(default_factory=list)  # segments before the first scan
    scans: list[_Scan] = field(default_factory=list)
    notes: set[int] = field(default_factory=set)  # markers of application segments

    @property
    def progressive(self) -> bool:
        return self.frame in _PROGRESSIVE

    def mcus(self, components: Collection[int]) -> int:
        """How many MCUs a scan of some components has (T.81, A.2)."""
        across, down = (max(f[i] for f in self.sampling.values()) for i in (0, 1))
        width, height = 8 * across, 8 * down
        if len(components) == 1:  # blocks of one component come one by one
            (own,) = (self.sampling.get(name, (1, 1)) for name in components)
            width, height = 8 * across // own[0], 8 * down // own[1]
        return -(-self.height // height) * -(-self.width // width)


def jpeg_fault(content: bytes) -> str | None:
    """What is wrong with a JPEG file, as a clause; None where nothing shows.

    Args:
        content: The file, which begins as a JPEG file does. What follows the end of its
            first picture is not looked at.
    """
    jpeg = _parsed(content)
    if isinstance(jpeg, str):
        return jpeg
    return _lost_scan(jpeg) or _fault_of_codes(content, jpeg, _warning(content, jpeg))


def decode_plain_jpeg(content: bytes, max_pixels: float, gray: bool = True) -> Pixels | None:
    """The pixels of a whole and plain JPEG file, faster than by Pillow and the same.

    Args:
        content: The file.
        max_pixels: Larger pictures are not decoded.
        gray: Give gray pixels whatever the file has.

    Returns:
        Gray ``(H, W)`` or blue-green-red ``(H, W, 3)``. None where the file is not one
        sequential scan of 8-bit gray or YCbCr, has EXIF data, is damaged, or is in any way
        unexpected.
    """
    if content[:2] != _START:
        return None
    jpeg = _parsed(content)
    if isinstance(jpeg, str) or not _is_plain(jpeg):
        return None
    if jpeg.height * jpeg.width > max_pixels:
        return None
    if _fault_of_codes(content, jpeg, "") is not None:
        return None
    gray = gray or len(jpeg.sampling) == 1
    try:
        pixels: Pixels = simplejpeg.decode_jpeg(content, "GRAY" if gray else "BGR", strict=True)
    except ValueError:  # a warning, too
        return None
    return pixels[..., 0] if gray else pixels


def _is_plain(jpeg: _Jpeg) -> bool:
    """Whether libjpeg's pixels are the picture's: upright, of gray or YCbCr."""
    luma, *others = jpeg.sampling.values()
    return (
        jpeg.frame in _SEQUENTIAL
        and jpeg.precision == 8
        and len(jpeg.scans) == 1
        and jpeg.scans[0].header[0] == len(jpeg.sampling)
        and len(jpeg.sampling) in (1, 3)
        and tuple(jpeg.sampling) != tuple(b"RGB")
        and all(luma[0] >= across and luma[1] >= down for across, down in others)
        and not jpeg.notes & {_EXIF, _ADOBE}
    )


def _parsed(content: bytes) -> _Jpeg | str:
    """Go from segment to segment to the end of the first picture; or what is wrong there."""
    jpeg, flat, restarts, at = _Jpeg(), dict(_USUAL_TABLES), 0, 2
    while (at := content.find(b"\xff", at)) >= 0 and at + 2 <= len(content):
        marker = content[at + 1]
        if marker in _WITHOUT_LENGTH:  # or no marker: stray bytes, a filler
            at += 1 if marker == 0xFF else 2
            continue
        if marker == _EOI:
            return jpeg if jpeg.scans else "its JPEG data end before the picture"
        stop = at + 2 + int.from_bytes(content[at + 2 : at + 4], "big")
        segment = content[at + 4 : stop]
        if stop < at + 4 or stop > len(content):
            return f"its JPEG data are broken at byte {at:,}"
        if marker in _FRAMES and not jpeg.frame:
            if len(segment) < 6 or len(segment) != 6 + 3 * segment[5] or not segment[5]:
                return "its JPEG header is damaged"
            jpeg.frame, jpeg.precision = marker, segment[0]
            jpeg.height, jpeg.width = segment[1] << 8 | segment[2], segment[3] << 8 | segment[4]
            for name, factors in zip(segment[6::3], segment[7::3], strict=False):
                jpeg.sampling[name] = (factors >> 4 or 1, factors & 15 or 1)
        elif marker == _DHT:
            flat.update(_tables(segment))
        elif marker == _DRI:
            restarts = int.from_bytes(segment, "big")
        elif 0xE0 <= marker <= 0xEF:
            jpeg.notes.add(marker)
        if marker == _SOS:
            if not jpeg.frame or len(segment) < 6 or len(segment) != 4 + 2 * segment[0]:
                return "its JPEG header is damaged"
            match = _MARKER.search(content, stop)
            if match is None:
                return NO_END
            jpeg.scans.append(_Scan(segment, dict(flat), stop, match.start(), restarts))
            stop = match.start()
        elif not jpeg.scans and (marker in _FRAMES or marker in _TABLES):
            jpeg.header_segments.append(content[at:stop])
        at = stop
    return NO_END


@lru_cache(maxsize=1024)  # most files of a kind have the same tables
def _tables(segment: bytes) -> tuple[tuple[int, bool], ...]:
    """Of each Huffman table in a segment: its class and id, and whether zeros are flat blocks.

    Zeros stand for the first symbol. It must be a difference of 0 or the end of a block,
    and where the table has runs of ended blocks, these are used for flat ones.
    """
    at, tables = 0, []
    while at + 17 < len(segment):
        end = at + 17 + sum(segment[at + 1 : at + 17])
        symbols = segment[at + 17 : end]
        runs = any(symbol & 15 == 0 and 0 < symbol < 0xF0 for symbol in symbols)
        flat = symbols[:1] == b"\0" and not (segment[at] >> 4 and runs)
        tables.append((segment[at], flat))
        at = end
    return tuple(tables)


def _lost_scan(jpeg: _Jpeg) -> str | None:
    """Whether a component was not sent to its last bit."""
    missing = {name: [1] * 64 for name in jpeg.sampling}
    for scan in jpeg.scans:
        first, last, _, to_come = scan.bits if jpeg.progressive else (0, 63, False, 0)
        for name in scan.components:
            if name in missing and last < 64:
                missing[name][first : last + 1] = [to_come] * (last + 1 - first)
    return "scans of it are missing" if any(map(any, missing.values())) else None


def _warning(content: bytes, jpeg: _Jpeg) -> str:
    """The first warning or error of libjpeg-turbo about the picture; empty without one."""
    scan = jpeg.scans[0]
    header = scan.header if jpeg.progressive else scan.header[:-3] + b"\0\x3f\0"
    length = (len(header) + 2).to_bytes(2, "big")
    codes = content[scan.start : jpeg.scans[-1].stop]
    stream = b"".join((_START, *jpeg.header_segments, b"\xff\xda", length, header, codes, _END))
    colours = "CMYK" if len(jpeg.sampling) == 4 else "GRAY"
    try:  # an eighth of the size has all codes in it
        simplejpeg.decode_jpeg(stream, colours, fastdct=True, min_factor=8, strict=True)
    except ValueError as error:
        return str(error)
    return ""


def _fault_of_codes(content: bytes, jpeg: _Jpeg, warning: str) -> str | None:
    """What is wrong with the coded data, given libjpeg's warning; None where nothing shows."""
    last, over = jpeg.scans[-1], 0
    if (left := _LEFT_OVER.search(warning)) is not None:
        over = int(left["count"])
        data = content[last.start : last.stop]
        padding = len(data) - len(data.rstrip(data[-1:]))
        if not over <= padding <= over + _AHEAD:
            return f"{over:,} bytes of its JPEG data belong to no block"
    elif _DAMAGE.search(warning):
        return warning.removeprefix("Corrupt JPEG data: ")
    if jpeg.frame in _ARITHMETIC:
        return None
    for scan in jpeg.scans:
        if scan.restarts:
            expected = -(-jpeg.mcus(scan.components) // scan.restarts) - 1
            count = len(_RESTART.findall(content, scan.start, scan.stop))
            if count != expected:
                return f"{count:,} restart markers are in it, expected {expected:,}"
        stop = scan.stop - (over if scan is last else 0)
        hole = content.find(_ZEROS, scan.start, stop)
        if hole >= 0 and not scan.may_be_zeros(jpeg.progressive):
            return f"its JPEG data are zeros from byte {hole:,}"
    return None


def frame_fault(frame: bytes) -> str | None:
    """What is wrong with a frame of Motion JPEG, as a clause; None where nothing shows.

    A frame may be two pictures, of odd and of even lines, and may end in zeros.
    """
    if not frame.strip(b"\0"):
        return "it is empty"
    at = 0
    while True:
        if not frame.startswith(_START, at):
            return "its JPEG data do not begin as such"
        scan = _scan_of_frame(frame, at + 2)
        if isinstance(scan, str):
            return scan
        mark = _MARKER.search(frame, scan)
        while mark is not None and mark[0][1] in _BETWEEN_SCANS:
            length = int.from_bytes(frame[mark.end() : mark.end() + 2], "big")
            mark = _MARKER.search(frame, mark.end() + length)
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


def _scan_of_frame(frame: bytes, at: int) -> int | str:
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
        sized = sized or kind in _FRAME_SIZES
        at += 2 + length
        if kind == _SOS:
            return at if sized else "its JPEG data have no size"
    return "its JPEG header is damaged"
