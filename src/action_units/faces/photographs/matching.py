r"""Which photograph a name in another program's files means.

People write names as their programs do: ``./anna/1.jpg``, ``C:\photos\anna\1.JPG``,
``anna/1.csv``, ``1``. A name means the photograph whose path ends as it does, or the other
way round, whatever the suffix and the case. Where it fits several, the one that is alike in
more counts: the whole path, the suffix, the case. Where these do not decide, it means none.
"""

import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from action_units.trees import PICTURES

_Alike = tuple[bool, ...]  # in what a name and a photograph are alike, the weightiest first


@dataclass(frozen=True)
class Matches:
    """Names and the photographs that they mean.

    Attributes:
        found: The photograph of each name that means one; no two names mean the same.
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
