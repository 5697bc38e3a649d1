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
    by_stem: dict[str, list[tuple[str, list[str]]]] = defaultdict(list)
    for photograph in dict.fromkeys(photographs):
        parts = _parts(photograph)
        by_stem[_stem(parts)].append((photograph, parts))
    matches = Matches()
    claims: dict[str, list[tuple[_Alike, str]]] = defaultdict(list)
    for name in dict.fromkeys(names):
        parts = _parts(name)
        fitting = [
            (_alike(name, parts, photograph, path), photograph)
            for photograph, path in by_stem.get(_stem(parts), ())
            if _ends_alike(parts, path)
        ]
        best = [one for one in fitting if one[0] == max(fitting)[0]]
        if len(best) == 1:
            claims[best[0][1]].append((best[0][0], name))
        elif best:
            shown = " and ".join(photograph for _, photograph in best[:2])
            _give_up(matches, name, [one for _, one in best], f"{name} fits {shown}")
    for photograph, claimed in claims.items():
        best = [one for one in claimed if one[0] == max(claimed)[0]]
        if len(best) == 1:
            matches.found[best[0][1]] = photograph
        else:
            shown = " and ".join(name for _, name in best[:2])
            for _, name in best:
                _give_up(matches, name, [photograph], f"{shown} both fit {photograph}")
    return matches


def _give_up(matches: Matches, name: str, photographs: list[str], why: str) -> None:
    matches.ambiguous[name] = why
    matches.unclear.update(dict.fromkeys(photographs, why))


def _parts(name: str) -> list[str]:
    text = unicodedata.normalize("NFC", name.strip()).replace("\\", "/")
    return [part for part in text.split("/") if part not in ("", ".", "..")] or [""]


def _stem(parts: list[str]) -> str:
    """The last part without suffix: ``1`` of ``1.jpg``, of ``1.csv`` and of ``1.jpg.csv``."""
    last = parts[-1].casefold().removesuffix(".csv")
    suffix = next((suffix for suffix in PICTURES if last.endswith(suffix)), "")
    return last.removesuffix(suffix) or last


def _ends_alike(parts: list[str], path: list[str]) -> bool:
    shared = min(len(parts), len(path))
    folders, others = parts[-shared:-1], path[-shared:-1]
    return [one.casefold() for one in folders] == [one.casefold() for one in others]


def _alike(name: str, parts: list[str], photograph: str, path: list[str]) -> _Alike:
    last = parts[-1].removesuffix(".csv")
    return (
        name == photograph,
        len(parts) == len(path),
        last.casefold() == path[-1].casefold(),
        parts[:-1] == path[:-1],
        last == path[-1],
    )
