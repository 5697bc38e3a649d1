"""Where a program's file has the columns that are read, found by their names.

Where a face is, is read from its landmarks (``x_0``, ``y_0`` …, of OpenFace's ``-2Dfp``; else
``eye_lmk_x_0`` …, of its ``-gaze``) or from a box.
"""

import logging
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from action_units.errors import LabelError
from action_units.labels.action_units import AU_NAMES
from action_units.labels.annotations.program import Program
from action_units.labels.annotations.registry import check_program
from action_units.labels.label_files import first_names

BOX = ("left", "top", "right", "bottom")
"""The columns of a face's position, in pixels; NaN where the file lacks it."""

_FACE_COLUMNS = ("face", "face_id")
_LANDMARKS = tuple(
    re.compile(rf"{name}_\d+", re.ASCII) for name in ("x", "y", "eye_lmk_x", "eye_lmk_y")
)
_PREFIX = re.compile(r"^(face_?rect|face_?box|face|b?box|rect)_?(?=.)", re.IGNORECASE)
_CORNERS = (BOX, ("x1", "y1", "x2", "y2"), ("xmin", "ymin", "xmax", "ymax"))
_SIDES = (("x", "y", "width", "height"), ("x", "y", "w", "h"))
_NOWHERE = (math.nan,) * 4

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Layout:
    """Where a file has the columns that are read.

    Attributes:
        width: How many columns the header has.
        image: Place of the picture's name; None where the file is named after it.
        names: The columns of numbers: perhaps ``confidence``, ``face``, ``success`` and
            ``frame``; presence ``AU01_c`` …, intensity ``AU01_r`` …, probability ``AU01_p``
            … so far as they are there.
        places: Where those are.
        own: What the file calls them.
        across: Places of what lies left to right in the picture: of landmarks, or of the
            left side and the right side (or the width) of a box.
        down: The same, from top to bottom.
        has_size: A box is given by its width and height.
    """

    width: int
    image: int | None
    names: tuple[str, ...]
    places: tuple[int, ...]
    own: tuple[str, ...]
    across: tuple[int, ...] = ()
    down: tuple[int, ...] = ()
    has_size: bool = False

    def box(self, cells: Sequence[str]) -> tuple[float, float, float, float]:
        """Where the face of a row is: left, top, right and bottom; NaN where it has none."""
        try:
            across = [float(cells[place]) for place in self.across]
            down = [float(cells[place]) for place in self.down]
        except ValueError:
            return _NOWHERE
        if not across:
            return _NOWHERE
        if self.has_size:
            across[1] += across[0]
            down[1] += down[0]
        return min(across), min(down), max(across), max(down)


def find_layout(
    path: Path,
    header: Sequence[str],
    program: Program,
    aus: Sequence[int] | None = None,
    scale: int | None = None,
) -> Layout:
    """Find the columns that are read, and log which are unknown.

    Raises:
        LabelError: One is missing or there twice, or they are those of another program.
    """
    if len(header) == 1:
        problem = (
            f"the header is one column, {header[0][:60]!r}; expected columns separated by "
            "commas, semicolons or tabs, without quotes around the whole line."
        )
        raise LabelError(path, problem, 1)
    check_program(path, header, program)
    known = set(AU_NAMES if aus is None else aus)
    own = list(program.columns(header, scale))
    coded = [(name, own_name) for name, own_name in own if int(name[2:4]) in known]
    found = {
        "confidence": _first(program.confidence, header),
        "face": None if program.rows_are_faces else _first(_FACE_COLUMNS, header),
        "success": _first(("success",), header),
        "frame": _first(program.frames, header),
    }
    read = [(name, own_name) for name, own_name in found.items() if own_name is not None]
    read += sorted(coded, key=lambda pair: (pair[0][4:] == "_c", pair[0]))
    image = _first(program.images, header)
    for name in [*(own_name for _, own_name in read), *([image] if image else [])]:
        if header.count(name) > 1:
            raise LabelError(path, f"column {name} occurs twice.", 1)
    program.check(path, header, aus, scale)
    if not coded:
        problem = f"not one column is of an AU that {program.title} gives."
        raise LabelError(path, problem, 1)
    names = dict[str, str]()
    for name, own_name in read:
        if name in names:
            problem = f"columns {names[name]} and {own_name} are both {name}; keep one of them."
            raise LabelError(path, problem, 1)
        names[name] = own_name
    across, down, has_size = _find_box(header)
    boxed = {header[place] for place in (*across, *down)}
    _log_columns(path, header, program, {*names.values(), image or "", *boxed}, own)
    return Layout(
        width=len(header),
        image=None if image is None else header.index(image),
        names=tuple(names),
        places=tuple(header.index(name) for name in names.values()),
        own=tuple(names.values()),
        across=across,
        down=down,
        has_size=has_size,
    )


def _first(names: Iterable[str], header: Sequence[str]) -> str | None:
    return next((name for name in names if name in header), None)


def _log_columns(
    path: Path,
    header: Sequence[str],
    program: Program,
    read: set[str],
    own: Iterable[tuple[str, str]],
) -> None:
    """Log columns that are neither read nor known, and remarks on AUs that are there."""
    unknown = [n for n in header if n not in read and not program.ignored.fullmatch(n)]
    if unknown:
        logger.info("%s: columns that are not read: %s", path, first_names(unknown))
    for name, _ in own:
        if remark := program.remarks.get(int(name[2:4])):
            logger.info("%s: %s", path, remark)


def _find_box(header: Sequence[str]) -> tuple[tuple[int, ...], tuple[int, ...], bool]:
    """Places across and down of landmarks or of a box, as in ``Layout``."""
    landmarks = [
        tuple(place for place, name in enumerate(header) if pattern.fullmatch(name))
        for pattern in _LANDMARKS
    ]
    for across, down in (landmarks[:2], landmarks[2:]):
        if across and len(across) == len(down):
            return across, down, False
    plain = [_PREFIX.sub("", name).lower() for name in header]
    for sides in (*_CORNERS, *_SIDES):
        if all(plain.count(name) == 1 for name in sides):
            left, top, right, bottom = (plain.index(name) for name in sides)
            return (left, right), (top, bottom), sides in _SIDES
    return (), (), False
