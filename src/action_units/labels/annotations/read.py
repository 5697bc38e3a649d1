"""AU annotations of pictures by another program: one face of each picture.

Which programs there are: ``registry``. Files: ``csv_rows``; their columns: ``layout``.
"""

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from action_units.errors import ConfigurationError, LabelError
from action_units.labels.action_units import PRETRAIN_AUS, au_column
from action_units.labels.annotations.csv_rows import Rows, read_rows
from action_units.labels.annotations.layout import BOX
from action_units.labels.annotations.program import Program
from action_units.labels.annotations.registry import DEFAULT, find_program
from action_units.labels.coded_frames import MISSING

MIN_CONFIDENCE = 0.8
HIGHEST = 5
"""Of intensities as they are returned, whatever the file's scale."""

PRESENT_FROM = {"r": 1.0, "p": 0.5}
"""From which intensity, of 0 to 5, and probability an AU without presence is present."""

logger = logging.getLogger(__name__)

_OF_FACES = ("face", "success", "frame")
_KEPT, _FAILED, _UNSURE, _OTHER = range(4)  # what becomes of a row
_NOT_A_NUMBER = re.compile(r"[-+]?(nan(\(.*\))?|\d\.?#(ind|[qs]?nan)\w*)", re.IGNORECASE)
_ENOUGH = 20  # faces, of which one shows an AU at intensity 1 if the scale goes to 5
_ROUNDING = 1e-3  # by which a value may be above its scale or below 0


@dataclass(frozen=True)
class Annotations:
    """A program's annotations.

    Attributes:
        table: One face a picture, the most confident: ``image``; ``frame`` where the files
            are of videos; ``face``, ``confidence``, ``faces`` (how many usable ones the
            picture had); int8 presence ``AU01`` …, -1 where it is not known; float32
            intensity ``AU01_r`` …, 0 to 5, or probability ``AU01_p`` …, 0 to 1, where the
            program gives them, NaN where it does not; in the files' order.
        dropped: ``image``, ``file``, ``line``, ``reason``: what was not taken. A picture
            without a row has line 1.
        faces: Every face, with the columns of `table` and ``left``, ``top``, ``right``,
            ``bottom`` (where its landmarks or its box are in the picture, in pixels; NaN
            where the file lacks it), ``file`` (its path), ``line``, ``found`` (False
            of a row where the program failed) and ``reason`` (why it cannot be used,
            and then its labels mean nothing; else empty). None: `table` is all there is.
        title: The program's name.
    """

    table: pd.DataFrame
    dropped: pd.DataFrame
    faces: pd.DataFrame | None = None
    title: str = "OpenFace"


def read_annotations(
    path: Path | str,
    program: str = "openface2",
    aus: Sequence[int] | None = None,
    *,
    min_confidence: float = MIN_CONFIDENCE,
    suffix: str = ".jpg",
    present_from: float | None = None,
    scale: int | None = None,
) -> Annotations:
    """Read annotations, keeping the most confident face of each picture.

    Among equally confident faces the lowest number wins, and rows without a confidence are
    sure.

    Args:
        path: A CSV file with the pictures' names in a column, a file of one video, or a
            folder of files, each of one picture or video or merged.
        program: Which wrote them, one of ``registry.PROGRAMS``.
        aus: The AUs to read; None: all that the program gives.
        min_confidence: Faces below it are dropped, as are frames without success.
        suffix: A file ``x.csv`` is of the picture ``x`` with this suffix; ``x.png.csv`` is
            of ``x.png`` whatever it is. Videos are named without a suffix.
        present_from: The value, as the file has it, from which an AU without presence is
            present; None: the program's own.
        scale: The highest value that an intensity or a probability can have, 1 or 5; None:
            the program's own, or that of the file.

    Raises:
        LabelError: A column is missing, a value is not what its column holds, a face is
            there twice, or the file is of another program; names file and line.
        ConfigurationError: An argument is out of its range or not one of this program.
    """
    program_ = find_program(program)
    _check_arguments(program_, min_confidence, present_from, scale)
    path = Path(path)
    rows = read_rows(path, program_, aus, suffix, scale)
    values = np.frombuffer(rows.numbers).reshape(len(rows.images), -1).copy()  # (N, C)
    coded = {name: place for place, name in enumerate(rows.names) if name.startswith("AU")}
    _check(rows, values, np.arange(len(values)), dict.fromkeys(_OF_FACES, np.inf))
    column = {name: values[:, place] for place, name in enumerate(rows.names)}
    confidence = column.setdefault("confidence", np.ones(len(values)))
    outcome = np.where(confidence < min_confidence, _UNSURE, _KEPT)
    outcome[_not_a_number(rows, confidence, program_.may_lack)] = _FAILED
    if "success" in column:
        outcome[column["success"] != 1] = _FAILED
    found_none = f"{program_.title} found no face (success 0)"
    if program_.may_lack:
        lacks = {name: _lacking(rows, values, name) for name in coded}
        for name, lacking in lacks.items():
            column[name][lacking] = 0.0  # until they are checked
        outcome[np.all(list(lacks.values()), axis=0)] = _FAILED
        found_none = f"{program_.title} found no face (no AU has a value)"
    _check(rows, values, np.flatnonzero(outcome != _FAILED), {"confidence": 1.0})
    usable = outcome == _KEPT
    top = _scale_of(path, program_, scale, column, usable)
    limits = {name: float(top) if name[-1] == "r" else 1.0 for name in coded}
    _check(rows, values, np.flatnonzero(usable), limits)
    for name in coded:
        if name[-1] != "c":
            factor = HIGHEST / top if name[-1] == "r" else 1.0
            column[name][:] = np.clip(column[name], 0.0, limits[name]) * factor
        if program_.may_lack:
            column[name][lacks[name]] = np.nan
    table, key = _faces(rows, column, program_)
    kept = table[usable]
    table["faces"] = kept.groupby(key)["face"].transform("size")
    thresholds = PRESENT_FROM
    if present_from is not None:
        thresholds = {"r": present_from * HIGHEST / top, "p": present_from}
    labels = _labels(path, program_, column, usable, thresholds)
    table = pd.concat([table, pd.DataFrame(labels)], axis=1)
    ranked = kept.sort_values(["confidence", "face"], ascending=[False, True], kind="stable")
    best = np.sort(ranked.drop_duplicates(key).index.to_numpy())
    reasons = {
        _KEPT: "",
        _FAILED: found_none,
        _UNSURE: f"confidence below {min_confidence:g}",
        _OTHER: "another face of the picture is more confident",
    }
    faces = table.assign(
        **{name: column[name] for name in BOX},
        file=[str(rows.files[file]) for file in rows.file],
        line=np.asarray(rows.line),
        found=outcome != _FAILED,
        reason=[reasons[code] for code in outcome.tolist()],
    )
    outcome[kept.index.difference(best)] = _OTHER
    chosen = table.loc[best].reset_index(drop=True).astype({"faces": np.int64})
    return Annotations(chosen, _dropped(rows, outcome, reasons), faces, program_.title)


def _check_arguments(
    program: Program, min_confidence: float, present_from: float | None, scale: int | None
) -> None:
    """Raise ConfigurationError where an argument is out of its range."""
    if not 0.0 <= min_confidence <= 1.0:
        raise ConfigurationError(f"min_confidence={min_confidence!r} must be 0 to 1.")
    if scale is not None and scale not in program.scales:
        raise ConfigurationError(
            f"annotations.scale={scale!r} is not one of {program.name}: its values go from 0 "
            f"to {' or '.join(map(str, program.scales))}."
        )
    highest = scale or max(program.scales)
    if present_from is not None and not 0.0 < present_from <= highest:
        raise ConfigurationError(
            f"present_from={present_from!r} must be above 0, at most {highest}."
        )


def _lacking(rows: Rows, values: np.ndarray, name: str) -> np.ndarray:
    """Rows in which an AU has no value: empty, not a number, or -1, (N,)."""
    place = rows.names.index(name)
    lacking: np.ndarray = values[:, place] == MISSING
    for row in np.flatnonzero(np.isnan(values[:, place])).tolist():
        text = rows.odd.get((row, place), "")
        lacking[row] = not text or bool(_NOT_A_NUMBER.fullmatch(text))
    return lacking


def _scale_of(
    path: Path,
    program: Program,
    scale: int | None,
    column: Mapping[str, np.ndarray],
    usable: np.ndarray,
) -> int:
    """The highest value that intensities can have: 1 or 5, as stated or as they say.

    Raises:
        LabelError: They do not fit it, or neither says which it is.
    """
    scored = [values for name, values in column.items() if name.endswith("_r")]
    top, count = scale or max(program.scales), int(usable.sum())
    if not scored or not count:
        return top
    highest = max(float(np.fmax.reduce(values[usable])) for values in scored)
    seen = f"no intensity of {count:,} faces is above {highest:g}"
    if highest > 1.0 or top == 1:
        return top
    if scale is None and len(program.scales) > 1:
        raise LabelError(
            path,
            f"{seen}, so the file does not say whether its scale is 0 to 1 or 0 to 5, and "
            f"{program.title} has both; set annotations.scale to 1 or 5.",
        )
    needed = [n for n in column if n.endswith("_r") and f"{n[:-1]}c" not in column]
    if needed and count >= _ENOUGH:
        raise LabelError(path, f"{seen}: is their scale 0 to 1? {program.title}'s is 0 to 5.")
    return top


def _labels(
    path: Path,
    program: Program,
    column: Mapping[str, np.ndarray],
    usable: np.ndarray,
    thresholds: Mapping[str, float],
) -> dict[str, np.ndarray]:
    """Presence and the other values, (N,) each; 0 in rows that are not usable."""
    labels, values = dict[str, np.ndarray](), dict[str, np.ndarray]()
    derived = dict[str, str]()  # AUs without presence, and what it is read from
    for au in sorted({name[:4] for name in column if name.startswith("AU")}):
        kinds = [kind for kind in "cpr" if f"{au}_{kind}" in column]
        source = np.where(usable, column[f"{au}_{kinds[0]}"], 0.0)
        present = source if kinds[0] == "c" else source >= thresholds[kinds[0]]
        labels[au] = np.where(np.isnan(source), MISSING, present).astype(np.int8)
        if kinds[0] != "c":
            derived[au] = kinds[0]
        for kind in kinds:
            if kind != "c":
                name = f"{au}_{kind}"
                values[name] = np.where(usable, column[name], 0.0).astype(np.float32)
    if derived:
        _log_derived(path, program, derived, thresholds, labels)
    return labels | values


def _log_derived(
    path: Path,
    program: Program,
    derived: Mapping[str, str],
    thresholds: Mapping[str, float],
    labels: Mapping[str, np.ndarray],
) -> None:
    """Say from which value on an AU without presence is present."""
    if program.name == DEFAULT:  # usually has presence
        lost = [au_column(au) for au in PRETRAIN_AUS if au_column(au) not in labels]
        logger.warning(
            "%s has intensities (AU01_r …) and no presence (AU01_c …): an AU counts as present "
            "from intensity %g; the recipe's soft_targets learns from the intensities "
            "themselves%s",
            path,
            thresholds["r"],
            f"; {', '.join(lost)} has no intensity, so it gets no labels" if lost else "",
        )
        return
    for kind, what in (("r", "intensity"), ("p", "probability")):
        if names := [au for au, source in derived.items() if source == kind]:
            logger.info(
                "%s: present from %s %g: %s; the recipe's soft_targets learns from the values "
                "themselves",
                path,
                what,
                thresholds[kind],
                ", ".join(names),
            )


def _not_a_number(rows: Rows, confidence: np.ndarray, may_be_empty: bool) -> list[int]:
    """Rows whose confidence is NaN, as any system writes it: ``-nan(ind)``, ``-1.#IND``."""
    if "confidence" not in rows.names:
        return []
    place = rows.names.index("confidence")
    texts = {
        row: rows.odd.get((row, place), "nan")
        for row in np.flatnonzero(np.isnan(confidence)).tolist()
    }
    return [
        row
        for row, text in texts.items()
        if _NOT_A_NUMBER.fullmatch(text) or (may_be_empty and not text)
    ]


def _faces(
    rows: Rows, column: Mapping[str, np.ndarray], program: Program
) -> tuple[pd.DataFrame, list[str]]:
    """Every row's picture, face and confidence, and the columns that name its picture."""
    table = pd.DataFrame({"image": rows.images}, dtype=str)
    key = ["image"]
    if "frame" in column:
        table["frame"] = column["frame"].astype(np.int64)
        key.append("frame")
    if "face" in column:
        table["face"] = column["face"].astype(np.int64)
    elif "frame" in column and not program.rows_are_faces:
        table["face"] = 0
    else:  # a picture's rows are its faces
        table["face"] = table.groupby(key).cumcount()
    table["confidence"] = column["confidence"]
    twice = table.duplicated([*key, "face"]).to_numpy()
    if twice.any():
        row = int(twice.argmax())
        path, line = rows.place(row)
        image = rows.images[row]
        problem = f"face {table['face'].iloc[row]} of {image} occurs twice."
        if path.stem in image:
            problem += " A merged file needs the picture's name in a column 'image'."
        raise LabelError(path, problem, line)
    return table, key


def _dropped(rows: Rows, outcome: np.ndarray, reasons: Mapping[int, str]) -> pd.DataFrame:
    lost = [
        (rows.images[row], rows.place(row)[0].name, rows.line[row], reasons[int(outcome[row])])
        for row in np.flatnonzero(outcome != _KEPT).tolist()
    ]
    lost += [
        (_printable(image), _printable(file.name), line, reason)
        for image, file, line, reason in rows.skipped
    ]
    return pd.DataFrame(lost, columns=["image", "file", "line", "reason"])


def _check(
    rows: Rows, values: np.ndarray, chosen: np.ndarray, limits: Mapping[str, float]
) -> None:
    """Check that the values of some rows are what their columns hold; names the first fault.

    Args:
        rows: Where they are from.
        values: All of them, (N, C).
        chosen: Numbers of the rows.
        limits: The columns, each with the highest value of an AU's.
    """
    for name, top in limits.items():
        if name not in rows.names:
            continue
        place = rows.names.index(name)
        column = values[chosen, place]
        sound = np.isfinite(column)
        what = "expected a number"
        if name.endswith("_c"):
            sound, what = sound & np.isin(column, (0, 1)), "presence is 0 or 1"
        elif name.endswith(("_r", "_p")):
            kind = "intensity" if name.endswith("_r") else "probability"
            sound &= (column >= -_ROUNDING) & (column <= top + _ROUNDING)
            what = f"{kind} is 0 to {top:g}"
        elif name in ("face", "frame"):
            sound, what = sound & (column == np.floor(column)), "expected a whole number"
        if not sound.all():
            row = int(chosen[int((~sound).argmax())])
            text = rows.odd.get((row, place))
            if text is not None or not np.isfinite(values[row, place]):
                text, what = repr(text or str(values[row, place])), "expected a number"
            else:
                text = f"{values[row, place]:g}"
            path, line = rows.place(row)
            raise LabelError(path, f"{rows.own[place]} is {text}; {what}.", line)


def _printable(name: str) -> str:
    return name.encode("utf-8", "backslashreplace").decode()
