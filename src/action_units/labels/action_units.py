"""Action units of the Facial Action Coding System: numbers, names, sets, columns."""

import re
from collections.abc import Iterable

AUSet = tuple[int, ...]
"""AU numbers in a fixed order, which is the order of the label columns."""

DISFA_AUS: AUSet = (1, 2, 4, 5, 6, 9, 12, 15, 17, 20, 25, 26)
"""The twelve AUs that DISFA's coders scored, in the column order of the label files."""

PRETRAIN_AUS: AUSet = (1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17, 20, 23, 25, 26, 28, 45)
"""The eighteen AUs whose presence OpenFace 2 writes, in its column order."""

EIGHT_AUS: AUSet = (1, 2, 4, 6, 9, 12, 25, 26)
"""The eight AUs over which the literature averages its figures on DISFA."""

AU_NAMES: dict[int, str] = {
    1: "Inner brow raiser",
    2: "Outer brow raiser",
    4: "Brow lowerer",
    5: "Upper lid raiser",
    6: "Cheek raiser",
    7: "Lid tightener",
    8: "Lips toward each other",
    9: "Nose wrinkler",
    10: "Upper lip raiser",
    11: "Nasolabial deepener",
    12: "Lip corner puller",
    13: "Sharp lip puller",
    14: "Dimpler",
    15: "Lip corner depressor",
    16: "Lower lip depressor",
    17: "Chin raiser",
    18: "Lip pucker",
    19: "Tongue show",
    20: "Lip stretcher",
    21: "Neck tightener",
    22: "Lip funneler",
    23: "Lip tightener",
    24: "Lip presser",
    25: "Lips part",
    26: "Jaw drop",
    27: "Mouth stretch",
    28: "Lip suck",
    29: "Jaw thrust",
    30: "Jaw sideways",
    31: "Jaw clencher",
    32: "Lip bite",
    33: "Cheek blow",
    34: "Cheek puff",
    35: "Cheek suck",
    36: "Tongue bulge",
    37: "Lip wipe",
    38: "Nostril dilator",
    39: "Nostril compressor",
    43: "Eye closure",
    45: "Blink",
    46: "Wink",
}
"""Names as the FACS manual has them (Ekman, Friesen & Hager 2002)."""

_COLUMN = re.compile(r"AU(\d\d)")
_SPELLING = re.compile(
    r"AU[ _-]?0*(?P<au>[1-9]\d?)"
    r"(?:[ _-](?:(?P<c>c|presence|occurrence)|(?P<r>r|intensity)|(?P<p>p|probability)))?",
    re.ASCII | re.IGNORECASE,
)


def au_column(au: int) -> str:
    """The column that holds an AU's labels: 12 gives ``AU12``, 1 gives ``AU01``."""
    return f"AU{au:02d}"


def au_columns(aus: Iterable[int]) -> list[str]:
    """The label columns of several AUs, in the order given."""
    return [au_column(au) for au in aus]


def aus_of_columns(columns: Iterable[str]) -> tuple[int, ...]:
    """The AUs whose label columns are among `columns`, in their order.

    Only the exact form ``AU01`` counts; ``AU01_r``, ``AU01_p`` and other
    columns are ignored.
    """
    matches = (_COLUMN.fullmatch(str(column)) for column in columns)
    return tuple(int(match[1]) for match in matches if match)


def parse_au_column(name: str) -> tuple[int, str] | None:
    """The AU of a column in anybody's spelling, and what its values are, where it says so.

    ``AU01``, ``AU1``, ``au_1`` and ``AU 1`` are AU 1. After it, ``_c`` or ``_presence`` or
    ``_occurrence`` gives ``c``, ``_r`` or ``_intensity`` gives ``r``, and ``_p`` or
    ``_probability`` gives ``p``; nothing after it gives an empty text. Any other name is None.
    """
    match = _SPELLING.fullmatch(name.strip())
    if match is None:
        return None
    return int(match["au"]), next((kind for kind in "crp" if match[kind]), "")
