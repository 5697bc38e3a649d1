"""AU columns of a table, however they are spelled, as codes.

A column is named ``AU01``, ``AU1``, ``au_1``, ``AU 1`` or, where no column is named so, ``1``.
``_r`` or ``_intensity`` after it says that it has intensities, ``_c``, ``_presence`` or
``_occurrence`` that it has presence. A cell is 0 or 1, 0 to 5 (also ``3.0``
and ``3,0``), or one of FACS's letters A to E for 1 to 5; ``true`` and ``false`` are 1 and 0.
"""

import logging
import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from action_units.labels.action_units import (
    AU_NAMES,
    au_column,
    au_columns,
    parse_au_column,
)
from action_units.labels.coded_frames import MISSING
from action_units.labels.text_table import TextTable

logger = logging.getLogger(__name__)

_BARE = re.compile(r"\s*0*([1-9]\d?)\s*", re.ASCII)
_WHOLE = re.compile(r"([+-]?\d{1,9})(?:[.,]0*)?", re.ASCII)
_LETTERS = {letter: code for code, letter in enumerate("abcde", 1)}
_NUMBERS = {**{str(code): code for code in range(6)}, "false": 0, "true": 1}
_WRONG = -2


@dataclass(frozen=True)
class AUColumn:
    """A column of an AU's codes.

    Attributes:
        place: Among the columns of the table, from 0.
        name: As it is written.
        kind: ``c`` of presence, ``r`` of intensities, or nothing where the name does not say.
    """

    place: int
    name: str
    kind: str


@dataclass(frozen=True)
class _Column:
    """A column that was read.

    Attributes:
        codes: ``(N,)`` int8; ``MISSING`` where not scored, ``_WRONG`` where no code.
        not_scored: How often each cell occurs that means so.
        letter: The first row with a letter.
        number: The first row with a number above 0.
    """

    column: AUColumn
    codes: np.ndarray
    not_scored: Counter[str]
    letter: int | None
    number: int | None


def whole_number(cell: str) -> str:
    """A cell as it is compared: in lower case, whole numbers (``3.0``, ``03``) as digits."""
    match = _WHOLE.fullmatch(cell.strip())
    return str(int(match[1])) if match else cell.strip().lower()


def find_au_columns(table: TextTable) -> dict[int, list[AUColumn]]:
    """The columns of each AU, by rising AUs; of two, that of the presence is the first.

    Raises:
        LabelError: Two columns are readings of one AU. One may have its presence and one
            its intensities.
    """
    parsed = [parse_au_column(name) for name in table.names]
    if not any(parsed):
        matches = [_BARE.fullmatch(name) for name in table.names]
        parsed = [(int(match[1]), "") if match else None for match in matches]
    columns: dict[int, list[AUColumn]] = {}
    for place, au_and_kind in enumerate(parsed):
        au, kind = au_and_kind or (0, "")
        if au not in AU_NAMES or kind == "p":
            continue
        one = AUColumn(place, table.names[place], kind)
        for other in columns.setdefault(au, []):
            if {one.kind, other.kind} != {"c", "r"}:
                raise table.fault(
                    f"{other.name} and {one.name} are two readings of AU {au}; remove one of "
                    "the two columns."
                )
        columns[au].append(one)
    for each in columns.values():
        each.sort(key=lambda one: one.kind)
    return dict(sorted(columns.items()))


def read_au_columns(
    table: TextTable,
    aus: Sequence[int] | None,
    present_from: int | None,
    not_scored: Iterable[str],
) -> tuple[np.ndarray, tuple[int, ...]]:
    """Read the AU columns of a table, and log which cells counted as not scored.

    Args:
        table: Its rows.
        aus: The AUs to read; None: all that are scored in some row.
        present_from: The intensity from which an AU is present; None: the cells are presence.
        not_scored: Cells that mean so, whatever their case. Where the empty cell is not among
            them, it means absent, as in sheets of FACS's letters.

    Returns:
        The codes, ``(N, A)`` int8: presence 0 and 1 or intensities 0 to 5, ``MISSING`` where
        not scored; and the AUs of their columns, rising.

    Raises:
        LabelError: An AU has no column or two, a cell is not a code, or the scale of the
            cells does not fit `present_from`; names file and line.
    """
    found = find_au_columns(table)
    if not found:
        raise table.fault(
            "no column has the name of an AU, such as AU01, AU1, au_1 or AU01_r; the columns "
            f"are {', '.join(table.names)}."
        )
    if missing := [au for au in aus or () if au not in found]:
        raise table.fault(
            f"no column has {au_column(missing[0])}; the file has {_names(found)}."
        )
    cells = sorted({whole_number(cell) for cell in not_scored})
    read = {
        au: [_read_column(table, column, cells) for column in found[au]] for au in aus or found
    }
    _check_cells(table, [one for each in read.values() for one in each], present_from, cells)
    codes = {au: _unite(table, au, each, present_from) for au, each in read.items()}
    scored = {au: each for au, each in codes.items() if (each != MISSING).any()}
    if never := [au for au in codes if au not in scored]:
        if aus is not None or not scored:
            raise table.fault(
                f"{au_column(never[0])} is not scored in any row: its cells are "
                f"{_cells(read[never[0]][0].not_scored)}; leave it out of the set's `aus`, or "
                "change the set's `not_scored`."
            )
        logger.warning("%s: not scored in any row, left out: %s", table.path, _names(never))
    _check_absence(table, scored, read)
    if present_from is not None:
        _check_scales(table, scored, read, present_from)
    n_missing = sum((each.not_scored for au in scored for each in read[au]), Counter[str]())
    if n_missing:
        logger.info("%s: cells read as not scored: %s", table.path, _cells(n_missing))
    return np.stack(list(scored.values()), axis=1), tuple(scored)


def _read_column(table: TextTable, column: AUColumn, not_scored: Collection[str]) -> _Column:
    index, texts = pd.factorize(np.array(table.columns[column.place], dtype=object))
    plain = [whole_number(text) for text in texts]
    values = {**_NUMBERS, **_LETTERS, "": 0} | dict.fromkeys(not_scored, MISSING)
    codes = np.array([values.get(cell, _WRONG) for cell in plain], np.int8)
    counts = np.bincount(index, minlength=len(texts))
    missing: Counter[str] = Counter()
    for cell, code, count in zip(plain, codes, counts, strict=True):
        if code == MISSING:
            missing[cell] += int(count)
    is_letter = np.array([cell in _LETTERS for cell in plain]) & (codes > 0)
    is_number = (codes > 0) & ~is_letter
    return _Column(
        column, codes[index], missing, _first(is_letter[index]), _first(is_number[index])
    )


def _check_cells(
    table: TextTable,
    columns: Sequence[_Column],
    present_from: int | None,
    not_scored: Sequence[str],
) -> None:
    """Raise LabelError for the first row with a cell that is no code of its scale."""
    faults = []
    for one in columns:
        is_presence = present_from is None or one.column.kind == "c"
        is_wrong = one.codes == _WRONG
        if is_presence:
            is_wrong |= one.codes > 1
            if one.letter is not None:
                is_wrong[one.letter] = True
        if is_wrong.any():
            faults.append((int(is_wrong.argmax()), one.column.place, one, is_presence))
    if not faults:
        return
    row, place, one, is_presence = min(faults, key=lambda fault: fault[:2])
    expected = "0 or 1" if is_presence else "a whole number from 0 to 5, or A to E"
    problem = f"{one.column.name} is {table.columns[place][row]!r}; expected {expected}"
    if present_from is None and one.codes[row] != _WRONG:
        problem += (
            ", because present_from is null; of intensities it is the one from which an AU is "
            "present, such as present_from: 2"
        )
    elif not_scored:
        problem += f", or where it was not scored {_cells(not_scored)} (the set's not_scored)"
    raise table.fault(f"{problem}.", row)


def _unite(
    table: TextTable, au: int, columns: Sequence[_Column], present_from: int | None
) -> np.ndarray:
    """An AU's codes, ``(N,)``: of two columns the intensities, which must fit the presence.

    Where only the presence is scored and it is 0, the intensity is 0.
    """
    if len(columns) == 1:
        return columns[0].codes
    presence, intensity = columns
    if present_from is None:
        raise table.fault(
            f"{presence.column.name} and {intensity.column.name} are two readings of AU {au}; "
            "with present_from: null remove one of the two columns."
        )
    present, strength = presence.codes, intensity.codes
    agree = (present == MISSING) | np.where(
        strength == MISSING, present == 0, present == (strength >= present_from)
    )
    if not agree.all():
        row = int(agree.argmin())
        first, second = (
            f"{one.column.name} is {table.columns[one.column.place][row]!r}" for one in columns
        )
        raise table.fault(
            f"{first}, but {second}: with present_from: {present_from} the two readings of AU "
            f"{au} differ. Set present_from as the coders did, or remove one of the two "
            "columns.",
            row,
        )
    return np.where((strength == MISSING) & (present == 0), np.int8(0), strength)


def _check_absence(
    table: TextTable, codes: Mapping[int, np.ndarray], read: Mapping[int, list[_Column]]
) -> None:
    """Check that empty cells are not read as not scored where they mean absent."""
    always = [au for au, each in codes.items() if not (each == 0).any()]
    n_empty = sum(one.not_scored[""] for au in always for one in read[au])
    if n_empty and len(always) == len(codes):
        raise table.fault(
            f"no code is 0, and {n_empty:,} empty cells are read as not scored. If an empty "
            'cell means absent, take "" out of the set\'s not_scored, such as '
            "not_scored: [nan, -1, 9, 999]."
        )
    if always:
        logger.warning("%s: no row has a 0 of %s", table.path, _names(always))


def _check_scales(
    table: TextTable,
    codes: Mapping[int, np.ndarray],
    read: Mapping[int, list[_Column]],
    present_from: int,
) -> None:
    """Check that all AUs have intensities, and that these are all letters or all numbers."""
    columns = [one for au in codes for one in read[au] if one.column.kind != "c"]
    lettered = [one for one in columns if one.letter is not None]
    numbered = [one for one in columns if one.number is not None]
    if lettered and numbered:
        one, other = lettered[0], numbered[0]
        number = table.columns[other.column.place][other.number or 0]
        raise table.fault(
            f"{other.column.name} has the number {number}, but {one.column.name} has a letter "
            f"on line {table.lines[one.letter or 0]}; code all in numbers or all in letters.",
            other.number,
        )
    highest = {au: int(each.max()) for au, each in codes.items()}
    top = max(highest, key=lambda au: highest[au])
    low = [
        au
        for au, code in highest.items()
        if code == 1 and not any(one.letter is not None for one in read[au])
    ]
    if low and present_from > 1 and highest[top] > 1:
        row = int((codes[top] > 1).argmax())
        rest = ", ".join(str(au) for au in codes if au not in low)
        raise table.fault(
            f"{_names(low)} {'has' if len(low) == 1 else 'have'} only 0 and 1, but "
            f"{au_column(top)} is {table.columns[read[top][-1].column.place][row]} on line "
            f"{table.lines[row]}: with present_from: {present_from} they would never be "
            f"present. Give intensities, or leave AUs out: aus: [{rest}]."
        )


def _first(mask: np.ndarray) -> int | None:
    return int(mask.argmax()) if mask.any() else None


def _names(aus: Iterable[int]) -> str:
    return ", ".join(au_columns(aus))


def _cells(cells: Iterable[str]) -> str:
    """Cells for a message; with their counts where they were counted."""
    counts = cells if isinstance(cells, Counter) else {}
    shown = {cell: repr(cell) if cell else "empty" for cell in sorted(cells)}
    if counts:
        return ", ".join(f"{counts[cell]:,} {text}" for cell, text in shown.items())
    return ", ".join(shown.values()) or "none"
