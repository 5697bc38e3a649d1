"""What a file is, by its first bytes: a picture, a video, photographs packed, or a list."""

import re
from pathlib import Path

_PICTURES = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"BM", b"II*\0", b"MM\0*")
_VIDEOS = (
    b"\x1aE\xdf\xa3",  # Matroska, WebM
    b"\x30\x26\xb2\x75",  # ASF, which WMV files are
    b"FLV",
    b"\0\0\1\xba",  # MPEG program stream
    b"\0\0\1\xb3",  # MPEG video
    b"OggS",
)
_MP4 = (b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot")
_TRANSPORT_PACKET = 188  # bytes of a packet of an MPEG transport stream, each begins with G
_TAR_MAGIC = slice(257, 262)
_LOOKED_AT = 4096
_FIVE_TABS = re.compile(r"[^\t\n]*(\t[^\t\n]*){5}")  # a row of MS-Celeb-1M has seven columns


def kind_of_file(path: Path) -> str:
    """What a file is.

    Returns:
        ``picture``, ``video``, ``tar``, ``tsv``, ``list`` (other text), ``empty``, or
        ``unknown``.

    Raises:
        OSError: It cannot be read.
    """
    with path.open("rb") as file:
        head = file.read(_LOOKED_AT)
    if not head:
        return "empty"
    if head.startswith(_PICTURES) or (head[:4] == b"RIFF" and head[8:12] == b"WEBP"):
        return "picture"
    if head.startswith(_VIDEOS) or (head[:4] == b"RIFF" and head[8:12] == b"AVI "):
        return "video"
    if head[4:8] in _MP4 or head[:1] == head[_TRANSPORT_PACKET:][:1] == b"G":
        return "video"
    if head[_TAR_MAGIC] == b"ustar":
        return "tar"
    return _kind_of_text(head)


def _kind_of_text(head: bytes) -> str:
    if b"\0" in head:
        return "unknown"
    try:
        text = head.decode()
    except UnicodeDecodeError as error:
        # A path may have bytes that are no UTF-8, and the last character may be cut in two.
        if error.start < len(head) - 4:
            return "unknown"
        text = head[: error.start].decode()
    return "tsv" if _FIVE_TABS.match(text) else "list"
