"""Names of photographs, and the names of their crops.

A web face keeps the name that the paper's labels have for it, whether it lies in a
folder of its identity (``m.0d27_dy/84-FaceId-0.jpg``) or not
(``m.0d27_dy_84-FaceId-0.jpg``): its crop is ``m.0d27_dy_84-FaceId-0``. Any other
name is turned into one of the same form, which label tables need: the folder is the
identity, and the number a hash of the whole name, of 48 bits, so that it stays when
photographs are added. ``anna/my photo.jpg`` is cropped to
``anna_66352541923574-FaceId-0``. A photograph in no folder is an identity of its own:
``anna.jpg`` becomes ``anna_0-FaceId-0``.

In an identity ``/`` becomes ``~``, and each byte outside ``A-Z a-z 0-9 . _ -`` becomes
``=`` and its two hexadecimal digits; so does a dot at the beginning, which would hide the
crop. Of a name that is an identity, ``.jpg`` is dropped and other suffixes stay (``a.png``
beside ``a.jpg``). What is longer than 170 bytes is cut and ends in ``=~`` and a hash.
"""

import hashlib
import os
import re
import unicodedata
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Literal, TypeVar

from action_units.trees import PICTURES, is_hidden

_LONGEST = 200
_LONGEST_IDENTITY = 170  # a number and FaceId come after it
_NUMBER_BYTES = 6
_WEB = re.compile(
    r"([A-Za-z0-9_-][A-Za-z0-9._-]*)[/_](\d+)-FaceId-(\d+)"
    rf"(?i:{'|'.join(map(re.escape, PICTURES))})",
    re.ASCII,
)
_UNSAFE = re.compile(rb"[^A-Za-z0-9._-]")
_FORMS: tuple[Literal["NFC", "NFD"], ...] = ("NFC", "NFD")
_ESCAPED = re.compile(rb"=([0-9A-F]{2})")

Value = TypeVar("Value")


def suffix_of(name: str) -> str:
    """What a file that is no picture is counted under: its suffix, or ``hidden``."""
    if is_hidden(name):
        return "hidden"
    return PurePosixPath(name).suffix.lower() or "no suffix"


def portable(name: str) -> str:
    """A name as text that any file can hold, different for different names."""
    if "\\" not in name and _is_utf8(name):
        return name
    return os.fsencode(name.replace("\\", "\\\\")).decode("utf-8", "backslashreplace")


def stem_of(name: str, within: str = "") -> str:
    """The name of a photograph's crop, without suffix.

    Args:
        name: The photograph's name in its source, with ``/`` between folders.
        within: The file of many photographs that it is in; a web face has no need of it.
    """
    web = _WEB.fullmatch(name)
    if web is not None and len(name) <= _LONGEST:
        return f"{web[1]}_{web[2]}-FaceId-{web[3]}"
    folder = name.rpartition("/")[0]
    whole = f"{within}/{name}" if within else name
    if not folder:
        return f"{identity_of(_without_jpg(whole))}_0-FaceId-0"
    digest = hashlib.blake2b(os.fsencode(whole), digest_size=_NUMBER_BYTES).digest()
    return f"{identity_of(folder)}_{int.from_bytes(digest)}-FaceId-0"


def by_identity(values: Mapping[str, Value]) -> dict[str, Value]:
    """What people are given by the names of their folders, by the identities in crops' names.

    A name with accents counts in both of its Unicode forms, since systems name folders in
    one or the other. An identity itself counts too, where no folder is called so.
    """
    found: dict[str, Value] = {}
    for name, value in values.items():
        found[identity_of(name)] = value
    for name, value in values.items():
        for form in _FORMS:
            found.setdefault(identity_of(unicodedata.normalize(form, name)), value)
    return {**values, **found}


def folder_of(identity: str) -> str:
    """The name of the folder that an identity stands for, as far as it is not cut."""
    raw = identity.replace("~", "/").encode() if "=~" not in identity else identity.encode()
    whole = _ESCAPED.sub(lambda match: bytes.fromhex(match[1].decode()), raw)
    return whole.decode("utf-8", "backslashreplace")


def identity_of(name: str) -> str:
    """The identity that label tables have for a folder's name."""
    safe = _UNSAFE.sub(_escape, os.fsencode(name)).decode()
    if safe.startswith("."):
        safe = "=2E" + safe[1:]
    if len(safe) <= _LONGEST_IDENTITY:
        return safe
    digest = hashlib.sha256(os.fsencode(name)).hexdigest()[:32]
    return f"{safe[: _LONGEST_IDENTITY - len(digest) - 2]}=~{digest}"


def _without_jpg(name: str) -> str:
    rest = name.removesuffix(".jpg")
    if rest == name or not rest or rest.endswith("/") or rest.lower().endswith(PICTURES):
        return name
    return rest


def _escape(match: re.Match[bytes]) -> bytes:
    return b"~" if match[0] == b"/" else b"=%02X" % match[0][0]


def _is_utf8(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
