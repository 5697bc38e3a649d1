r"""Names of photographs, of their crops, and in other programs' files.

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

Other programs' files name photographs as those programs do: ``./anna/1.jpg``,
``C:\photos\anna\1.JPG``, ``anna/1.csv``, ``1``. A name means the photograph whose path ends
as it does, or the other way round, whatever the suffix and the case. Where it fits several,
the one that agrees in more counts: the whole path, the suffix, the case. Where these do not
decide, it means none.
"""

import hashlib
import os
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Literal, TypeVar

from action_units.media.file_types import PICTURES, is_hidden

_LONGEST = 200
_LONGEST_IDENTITY = 170  # a number and FaceId come after it
_NUMBER_BYTES = 6
_WEB = re.compile(
    r"(?P<identity>[A-Za-z0-9_-][A-Za-z0-9._-]*)[/_](?P<number>\d+)-FaceId-(?P<face>\d+)"
    rf"(?i:{'|'.join(map(re.escape, PICTURES))})",
    re.ASCII,
)
_UNSAFE = re.compile(rb"[^A-Za-z0-9._-]")
_FORMS: tuple[Literal["NFC", "NFD"], ...] = ("NFC", "NFD")
_ESCAPED = re.compile(rb"=([0-9A-F]{2})")

Value = TypeVar("Value")


def suffix_of(name: str) -> str:
    """How a file that is not a picture is counted: by its suffix, or as ``hidden``."""
    if is_hidden(name):
        return "hidden"
    return PurePosixPath(name).suffix.lower() or "no suffix"


def portable(name: str) -> str:
    """A name as text that any file can hold, different for different names."""
    return os.fsencode(name.replace("\\", "\\\\")).decode("utf-8", "backslashreplace")


def stem_of(name: str, within: str = "") -> str:
    """The name of a photograph's crop, without suffix.

    Args:
        name: The photograph's name in its source, with ``/`` between folders.
        within: The file of many photographs that it is in; a web face has no need of it.
    """
    web = _WEB.fullmatch(name)
    if web is not None and len(name) <= _LONGEST:
        return "{identity}_{number}-FaceId-{face}".format(**web.groupdict())
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
    by_name: dict[str, Value] = {}
    for name, value in values.items():
        by_name[identity_of(name)] = value
    for name, value in values.items():
        for form in _FORMS:
            by_name.setdefault(identity_of(unicodedata.normalize(form, name)), value)
    return {**values, **by_name}


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


_Alike = tuple[bool, ...]  # in what a name and a photograph are alike, the weightiest first


@dataclass(frozen=True)
class Matches:
    """Names and the photographs that they mean.

    Attributes:
        found: The photograph of each matched name; each photograph at most once.
        ambiguous: Of each other name that fits a photograph: why it means none.
        unclear: Of photographs that such a name fits: the reason, too.
    """

    found: dict[str, str] = field(default_factory=dict)
    ambiguous: dict[str, str] = field(default_factory=dict)
    unclear: dict[str, str] = field(default_factory=dict)


def match_names(names: Iterable[str], photographs: Iterable[str]) -> Matches:
    """Find the photograph that each name means.

    Args:
        names: As they stand in a file.
        photographs: All that there are, by their names in their source.
    """
    by_end: dict[tuple[str | None, str], list[tuple[str, list[str]]]] = defaultdict(list)
    for photograph in dict.fromkeys(photographs):
        path = _parts(photograph)
        stem = _split(path[-1])[0].casefold()
        for folder in (None, _folder(path)):  # None: for names without a folder
            by_end[folder, stem].append((photograph, path))
    matches = Matches()
    claims: dict[str, list[tuple[_Alike, str]]] = defaultdict(list)
    for name in dict.fromkeys(names):
        parts = _parts(name)
        last = parts[-1] = _without_csv(parts[-1])
        # What looks like a suffix may be a part of the name: x.png of x.png.jpg.
        stems = dict.fromkeys((_split(last)[0].casefold(), last.casefold()))
        folders = (_folder(parts), "") if len(parts) > 1 else (None,)
        best = _best(
            (_alike(name, parts, photograph, path), photograph)
            for stem in stems
            for folder in folders
            for photograph, path in by_end.get((folder, stem), ())
            if _ends_alike(parts, path)
        )
        if len(best) == 1:
            alike, photograph = best[0]
            claims[photograph].append((alike[1:], name))  # ./x.jpg is x.jpg once more
        elif best:
            shown = " and ".join(photograph for _, photograph in best[:2])
            _give_up(matches, name, [one for _, one in best], f"{name} fits {shown}")
    for photograph, claimed in claims.items():
        best = _best(claimed)
        if len(best) == 1:
            matches.found[best[0][1]] = photograph
        else:
            shown = " and ".join(name for _, name in best[:2])
            for _, name in best:
                _give_up(matches, name, [photograph], f"{shown} both fit {photograph}")
    return matches


def _best(fitting: Iterable[tuple[_Alike, str]]) -> list[tuple[_Alike, str]]:
    """Those that are most alike."""
    fitting = list(fitting)
    most = max((alike for alike, _ in fitting), default=())
    return [one for one in fitting if one[0] == most]


def _give_up(matches: Matches, name: str, photographs: list[str], why: str) -> None:
    matches.ambiguous[name] = why
    matches.unclear.update(dict.fromkeys(photographs, why))


def _parts(name: str) -> list[str]:
    text = unicodedata.normalize("NFC", name.strip()).replace("\\", "/")
    return [part for part in text.split("/") if part not in ("", ".", "..")] or [""]


def _folder(parts: list[str]) -> str:
    return parts[-2].casefold() if len(parts) > 1 else ""


def _without_csv(last: str) -> str:
    return last[: -len(".csv")] if last.lower().endswith(".csv") else last


def _split(last: str) -> tuple[str, str]:
    """A file's name and its picture's suffix, where it has one: ``1`` and ``.jpg``."""
    suffix = next((suffix for suffix in PICTURES if last.lower().endswith(suffix)), "")
    stem = last[: len(last) - len(suffix)]
    return (stem, last[len(stem) :]) if stem else (last, "")


def _ends_alike(parts: list[str], path: list[str]) -> bool:
    shared = min(len(parts), len(path))
    folders, others = parts[-shared:-1], path[-shared:-1]
    return [one.casefold() for one in folders] == [one.casefold() for one in others]


def _alike(name: str, parts: list[str], photograph: str, path: list[str]) -> _Alike:
    stem, suffix = _split(path[-1])
    own_stem, own_suffix = _split(parts[-1])
    if parts[-1].casefold() == stem.casefold():
        own_stem, own_suffix = parts[-1], ""
    return (
        name == photograph,
        len(parts) == len(path),
        own_suffix.lower() == suffix.lower(),
        parts[:-1] == path[:-1],
        own_stem == stem,
        own_suffix == suffix,
    )
