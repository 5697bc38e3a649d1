"""The members of a tar file, found from header to header without reading their data.

Formats: the old one, ustar, GNU (long names, sizes above 8 GiB, sparse files) and PAX,
as in POSIX.1-2008, ``pax``, "ustar Interchange Format", and in GNU tar's manual,
"Basic Tar Format".
"""

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

from action_units.errors import UnusableFace

_BLOCK = 512
_ZEROS = bytes(_BLOCK)
_REGULAR = b"0\0007"
_WITHOUT_DATA = b"123456"  # links, devices, folders, pipes
_LONGEST_NAME = 1 << 20
_HEADER = struct.Struct("100s24x12s12x8s1s100s6s82x155s12x")
_CHECKSUM = slice(148, 156)


@dataclass(frozen=True, slots=True)
class Member:
    """A file in a tar.

    Attributes:
        name: Its name there, with ``/`` between folders.
        header: The first byte of its headers.
        data: The first byte of its content.
        size: How many bytes it has.
        regular: False of a link, a folder, a sparse file and the like.
    """

    name: str
    header: int
    data: int
    size: int
    regular: bool

    @property
    def stop(self) -> int:
        """The byte after its content."""
        return self.data + self.size


def walk(file: IO[bytes], start: int, stop: int, size: int) -> Iterator[Member]:
    """The members whose headers begin in ``[start, stop)``.

    Args:
        file: The tar.
        start: Where a member's headers begin.
        stop: Such another place, or `size`.
        size: Of the file.

    Raises:
        UnusableFace: ``damaged`` or ``truncated``: what comes after cannot be found.
    """
    at, ended = start, False
    while at < stop:
        block = _read(file, at, _BLOCK, size)
        if block == _ZEROS:  # the end, or where one tar was laid behind another
            at, ended = at + _BLOCK, True
            continue
        ended = False
        member, at = _member(file, at, block, size)
        yield member
    if stop == size and not ended:
        raise UnusableFace("truncated", f"the tar ends at byte {size:,} without an end mark")


def _member(file: IO[bytes], at: int, block: bytes, size: int) -> tuple[Member, int]:
    """The member whose first header is `block`, and where the next one begins."""
    header, name, said = at, "", dict[str, str]()
    while True:
        raw_name, raw_size, kind, magic, prefix = _parse(block, at)
        length = _number(raw_size, at)
        at += _BLOCK
        if kind not in b"LKxg":
            break
        if length > _LONGEST_NAME:
            raise UnusableFace("damaged", f"a name of {length:,} bytes at byte {at:,}")
        content = _read(file, at, length, size)
        if kind == b"L":
            name = _text(content)
        elif kind == b"x":
            said |= _pax(content, at)
        at += _padded(length)
        block = _read(file, at, _BLOCK, size)
    if kind in _WITHOUT_DATA:
        length = 0
    elif "size" in said:
        length = _number(said["size"].encode(), at, octal=False)
    if kind == b"S":  # a sparse file's map may go on in blocks of its own
        more = block[482]
        while more:
            more = _read(file, at, _BLOCK, size)[504]
            at += _BLOCK
    if not name:
        folder = _text(prefix) if magic == b"ustar\0" else ""
        name = f"{folder}/{_text(raw_name)}" if folder else _text(raw_name)
    name = said.get("path", name)
    if at + length > size:
        raise UnusableFace(
            "truncated", f"{name} ends at byte {at + length:,}, but the tar at {size:,}"
        )
    regular = kind in _REGULAR and not any(key.startswith("GNU.sparse") for key in said)
    return Member(name, header, at, length, regular), at + _padded(length)


def _parse(block: bytes, at: int) -> tuple[bytes, bytes, bytes, bytes, bytes]:
    name, size, checksum, kind, _, magic, prefix = _HEADER.unpack(block)
    if not _is_header(block, _number(checksum, at)):
        raise UnusableFace("damaged", f"byte {at:,} should begin a header, but does not")
    return name, size, kind, magic, prefix


def _is_header(block: bytes, checksum: int) -> bool:
    """Whether the header's bytes sum up; old programs took bytes as signed."""
    field = block[_CHECKSUM]
    unsigned = sum(block) - sum(field) + 8 * 0x20
    if checksum == unsigned:
        return True
    high = sum(byte > 127 for byte in block) - sum(byte > 127 for byte in field)
    return checksum == unsigned - 256 * high


def _number(field: bytes, at: int, octal: bool = True) -> int:
    if field[0] in (0x80, 0xFF):  # GNU: binary, of any size
        value = int.from_bytes(field[1:], "big", signed=field[0] == 0xFF)
    else:
        text = field.split(b"\0")[0].strip()
        if not re.fullmatch(rb"[0-7]*" if octal else rb"[0-9]+", text):
            raise UnusableFace("damaged", f"a number of the header at byte {at:,} is {text!r}")
        value = int(text or b"0", 8 if octal else 10)
    if value < 0:
        raise UnusableFace("damaged", f"a size of the header at byte {at:,} is below 0")
    return value


def _pax(content: bytes, at: int) -> dict[str, str]:
    """Records of ``LENGTH KEY=VALUE`` and a line's end."""
    said: dict[str, str] = {}
    while content.strip(b"\0"):
        digits = content.partition(b" ")[0]
        length = int(digits) if digits.isdigit() and len(digits) < 10 else 0
        record = content[len(digits) + 1 : length]
        key, equals, value = record.partition(b"=")
        if not equals or not value.endswith(b"\n") or length > len(content):
            raise UnusableFace("damaged", f"a PAX record at byte {at:,} cannot be read")
        said[_text(key)] = _text(value[:-1])
        content = content[length:]
    return said


def _text(raw: bytes) -> str:
    return raw.split(b"\0")[0].decode("utf-8", "surrogateescape")


def _padded(length: int) -> int:
    return -(-length // _BLOCK) * _BLOCK


def _read(file: IO[bytes], at: int, length: int, size: int) -> bytes:
    if at + length > size:
        raise UnusableFace("truncated", f"the tar ends at byte {size:,}, within a header")
    file.seek(at)
    return file.read(length)
