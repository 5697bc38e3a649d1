"""What a file is, by its name or its first bytes: a picture, a video, a tar or TSV, a list."""

import re
from pathlib import Path

PICTURES = (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif")
"""Suffixes, in any case, by which a file or member counts as a picture."""

RAW_MJPEG = (".mjpeg", ".mjpg", ".mjp")
"""Suffixes of JPEG files one behind the other."""

VIDEOS = (
    ".264", ".265", ".3g2", ".3gp", ".amv", ".asf", ".av1", ".avc", ".avi", ".dif", ".divx",
    ".dv", ".f4v", ".flv", ".gxf", ".h261", ".h263", ".h264", ".h265", ".hevc", ".ivf", ".m1v",
    ".m2t", ".m2ts", ".m2v", ".m4v", ".mkv", ".mov", ".mp4", ".mpe", ".mpeg", ".mpg", ".mpv",
    ".mts", ".mxf", ".nut", ".obu", ".ogm", ".ogv", ".qt", ".rm", ".rmvb", ".trp", ".ts",
    ".vc1", ".vob", ".webm", ".wmv", ".wtv", ".y4m", *RAW_MJPEG,
)  # fmt: skip
"""Suffixes, in any case, of videos."""

MATROSKA = b"\x1aE\xdf\xa3"
"""The first bytes of Matroska and WebM files."""

MP4_BOXES = (b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot")
"""Bytes 4 to 7 of MP4 and MOV files."""

_JPEG = b"\xff\xd8\xff"
_PICTURES = (_JPEG, b"\x89PNG", b"GIF8", b"BM", b"II*\0", b"MM\0*")
_VIDEOS = (
    MATROSKA,
    b"\x30\x26\xb2\x75",  # ASF, which WMV files are
    b"FLV",
    b"\0\0\1\xba",  # MPEG program stream
    b"\0\0\1\xb3",  # MPEG video
    b"OggS",
    b"\x06\x0e\x2b\x34",  # MXF
    b"YUV4MPEG2 ",
    b"DKIF",  # IVF
    b".RMF",  # RealMedia
    b"\x1f\x07\0",  # DV
    b"nut/multimedia container\0",
    *(b"\0\0\0\1" + bytes([unit]) for unit in (0x06, 0x09, 0x27, 0x47, 0x67)),  # H.264
    *(b"\0\0\0\1" + bytes([unit]) for unit in (0x40, 0x42, 0x46)),  # H.265
)
_RIFF_VIDEOS = (b"AVI ", b"AVIX", b"CDXA")
_HEIF = (b"heic", b"heix", b"heim", b"heis", b"mif1", b"msf1", b"avif", b"avis")
# Bytes of a packet of an MPEG transport stream, and where its mark, a G, stands in it.
_TRANSPORT_PACKETS = ((188, 0), (192, 4), (204, 0))
_NEXT_JPEG, _SEVERAL_VIEWS = b"\xff\xd9" + _JPEG, b"MPF\0"
_TAR_MAGIC = slice(257, 262)
_LOOKED_AT, _FIRST_FRAME = 4096, 8 << 20
_FIVE_TABS = re.compile(r"[^\t\n]*(\t[^\t\n]*){5}")  # a row of MS-Celeb-1M has seven columns


def is_picture(name: str) -> bool:
    """Whether a name has a picture's suffix and nothing in it is hidden by a dot."""
    return name.lower().endswith(PICTURES) and not is_hidden(name)


def is_hidden(name: str) -> bool:
    """Whether a file, or a folder that it lies in, is hidden by a dot."""
    return any(part.startswith(".") and part not in (".", "..") for part in name.split("/"))


def kind_of_file(path: Path) -> str:
    """What a file is.

    JPEG files one behind the other, as raw Motion JPEG has them, are a video unless the
    name is a picture's.

    Returns:
        ``picture``, ``video``, ``tar``, ``tsv``, ``list`` (other text), ``empty``, or
        ``unknown``.

    Raises:
        OSError: It cannot be read.
    """
    with path.open("rb") as file:
        head = file.read(_LOOKED_AT)
        if head.startswith(_JPEG) and not is_picture(path.name):
            moves = path.suffix.lower() in RAW_MJPEG or _is_followed(
                head + file.read(_FIRST_FRAME)
            )
            return "video" if moves else "picture"
    if not head:
        return "empty"
    riff = head[8:12] if head[:4] == b"RIFF" else b""
    heif = head[4:8] == b"ftyp" and head[8:12] in _HEIF
    if head.startswith(_PICTURES) or riff == b"WEBP" or heif:
        return "picture"
    if head.startswith(_VIDEOS) or riff in _RIFF_VIDEOS or head[4:8] in MP4_BOXES:
        return "video"
    if head[_TAR_MAGIC] == b"ustar":
        return "tar"
    kind = _kind_of_text(head)
    return "video" if kind == "unknown" and _is_transport_stream(head) else kind


def kind_of_name(name: str) -> str:
    """``picture``, ``video`` or nothing, by a name's suffix."""
    if is_picture(name):
        return "picture"
    return "video" if name.lower().endswith(VIDEOS) else ""


def _is_followed(content: bytes) -> bool:
    """Whether a JPEG file is followed by another, and not by another view of the same."""
    end = content.find(_NEXT_JPEG)
    return end >= 0 and _SEVERAL_VIEWS not in content[:end]


def _is_transport_stream(head: bytes) -> bool:
    marks = (head[first::size] for size, first in _TRANSPORT_PACKETS)
    return any(len(mark) > 1 and not mark.strip(b"G") for mark in marks)


def _kind_of_text(head: bytes) -> str:
    if b"\0" in head:
        return "unknown"
    try:
        text = head.decode()
    except UnicodeDecodeError as error:
        # A path may have bytes that are not UTF-8, and the last character may be cut in two.
        if error.start < len(head) - 4:
            return "unknown"
        text = head[: error.start].decode()
    return "tsv" if _FIVE_TABS.match(text) else "list"
