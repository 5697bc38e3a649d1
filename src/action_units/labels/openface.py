"""AU annotations by OpenFace 2: one face of each picture, presence and intensity.

OpenFace writes presence (0 or 1) to ``AU01_c`` and intensity (0–5) to ``AU01_r``, one row
for each face that it found. Files and layouts: ``openface_csv``.
"""

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from action_units.errors import ConfigurationError, LabelError
from action_units.labels.action_units import PRETRAIN_AUS, au_column
from action_units.labels.openface_csv import BOX, Rows, read_rows

MIN_CONFIDENCE = 0.8
PRESENT_FROM = 1.0

logger = logging.getLogger(__name__)

_OF_FACES = ("face", "success", "frame")
_KEPT, _FAILED, _UNSURE, _OTHER = range(4)  # what becomes of a row
_NOT_A_NUMBER = re.compile(r"[-+]?(nan(\(.*\))?|\d\.?#(ind|[qs]?nan)\w*)", re.IGNORECASE)
_ENOUGH = 20  # faces, of which one shows an AU at intensity 1 if the scale goes to 5


@dataclass(frozen=True)
class OpenFaceTable:
    """OpenFace's annotations.

    Attributes:
        table: One face a picture, the most confident: ``image``; ``frame`` where the files
            are of videos; ``face``, ``confidence``, ``faces`` (how many usable ones the
            picture had); int8 presence ``AU01`` …; float32 intensity ``AU01_r`` … where
            OpenFace estimates it (of AU28 it gives presence alone); in the files' order.
        dropped: ``image``, ``file``, ``line``, ``reason``: what was not taken. A picture
            without a row has line 1.
        faces: Every face, with the columns of `table` and ``left``, ``top``, ``right``,
            ``bottom`` (where its landmarks or its box are in the picture, in pixels; NaN
            where the file lacks it), ``file`` (its path), ``line``, ``found`` (False
            of a row where OpenFace failed) and ``reason`` (why it cannot be used,
            and then its labels mean nothing; else empty). None: `table` is all there is.
    """

    table: pd.DataFrame
    dropped: pd.DataFrame
    faces: pd.DataFrame | None = None


def read_openface(
    path: Path | str,
    aus: Sequence[int] = PRETRAIN_AUS,
    min_confidence: float = MIN_CONFIDENCE,
    suffix: str = ".jpg",
    present_from: float = PRESENT_FROM,
) -> OpenFaceTable:
    """Read annotations, keeping the most confident face of each picture.

    Among equally confident faces the lowest number wins. OpenFace gives AU28 no intensity,
    so the table of files with intensities alone lacks AU28.

    Args:
        path: A CSV file with the pictures' names in ``image`` (or another of
            ``openface_csv.IMAGE_COLUMNS``), a file of one video, or a folder of files, each
            of one picture or video or merged.
        aus: The AUs to read.
        min_confidence: Faces below it are dropped, as are frames without success.
        suffix: A file ``x.csv`` is of the picture ``x`` with this suffix; ``x.png.csv`` is
            of ``x.png`` whatever it is. Videos are named without a suffix.
        present_from: The intensity from which an AU is present, of files that have
            intensities alone.

    Raises:
        LabelError: A column is missing, a value is not what its column holds, or a face is
            there twice; names file and line.
        ConfigurationError: `min_confidence` is not within 0 to 1, or `present_from` not
            within 0 to 5.
    """
    if not 0.0 <= min_confidence <= 1.0:
        raise ConfigurationError(f"min_confidence={min_confidence!r} must be 0 to 1.")
    if not 0.0 < present_from <= 5.0:
        raise ConfigurationError(f"present_from={present_from!r} must be above 0, at most 5.")
    path = Path(path)
    rows = read_rows(path, aus, suffix)
    values = np.frombuffer(rows.numbers).reshape(len(rows.images), -1)  # (N, C)
    _check(rows, values, np.arange(len(values)), _OF_FACES)
    column = {name: values[:, place] for place, name in enumerate(rows.names)}
    confidence = column.setdefault("confidence", np.ones(len(values)))
    outcome = np.where(confidence < min_confidence, _UNSURE, _KEPT)
    outcome[_not_a_number(rows, confidence)] = _FAILED
    if "success" in column:
        outcome[column["success"] != 1] = _FAILED
    _check(rows, values, np.flatnonzero(outcome != _FAILED), ["confidence"])
    coded = [name for name in rows.names if name.startswith("AU")]
    _check(rows, values, np.flatnonzero(outcome == _KEPT), coded)
    table, key = _faces(rows, column)
    usable = table[outcome == _KEPT]
    table["faces"] = usable.groupby(key)["face"].transform("size")
    labels = _labels(path, column, outcome == _KEPT, aus, present_from)
    table = pd.concat([table, pd.DataFrame(labels)], axis=1)
    ranked = usable.sort_values(["confidence", "face"], ascending=[False, True], kind="stable")
    best = np.sort(ranked.drop_duplicates(key).index.to_numpy())
    reasons = {
        _KEPT: "",
        _FAILED: "OpenFace found no face (success 0)",
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
    outcome[usable.index.difference(best)] = _OTHER
    chosen = table.loc[best].reset_index(drop=True).astype({"faces": np.int64})
    return OpenFaceTable(chosen, _dropped(rows, outcome, reasons), faces)


def _labels(
    path: Path,
    column: dict[str, np.ndarray],
    usable: np.ndarray,
    aus: Sequence[int],
    present_from: float,
) -> dict[str, np.ndarray]:
    """Presence and intensity, (N,) each; 0 in rows that are not usable."""
    present = [au for au in aus if f"{au_column(au)}_c" in column]
    scored = [au for au in aus if f"{au_column(au)}_r" in column]
    intensities = {au: np.where(usable, column[f"{au_column(au)}_r"], 0.0) for au in scored}
    labels = {}
    from_intensity = [au for au in scored if au not in present]
    for au in aus:
        if au in present:
            code = np.where(usable, column[f"{au_column(au)}_c"], 0)
            labels[au_column(au)] = code.astype(np.int8)
        elif au in scored:
            labels[au_column(au)] = (intensities[au] >= present_from).astype(np.int8)
    if from_intensity:
        _check_intensities(path, aus, present, intensities, usable, present_from)
    return labels | {f"{au_column(au)}_r": intensities[au].astype(np.float32) for au in scored}


def _check_intensities(
    path: Path,
    aus: Sequence[int],
    present: Sequence[int],
    intensities: dict[int, np.ndarray],
    usable: np.ndarray,
    present_from: float,
) -> None:
    """Warn that presence is read from intensities; raise where their scale is another."""
    highest = max(values.max() for values in intensities.values())
    if highest <= 1.0 <= present_from and usable.sum() >= _ENOUGH:
        raise LabelError(
            path,
            f"no intensity of {usable.sum():,} faces is above {highest:g}: is their scale 0 to "
            "1? OpenFace's is 0 to 5.",
        )
    without = [au_column(au) for au in aus if au not in present and au not in intensities]
    logger.warning(
        "%s has intensities (AU01_r …) and no presence (AU01_c …): an AU counts as present "
        "from intensity %g; the recipe's soft_targets learns from the intensities themselves%s",
        path,
        present_from,
        f"; {', '.join(without)} has no intensity, so it gets no labels" if without else "",
    )


def _not_a_number(rows: Rows, confidence: np.ndarray) -> list[int]:
    """Rows whose confidence is NaN, as any system writes it: ``-nan(ind)``, ``-1.#IND``."""
    if "confidence" not in rows.names:
        return []
    place = rows.names.index("confidence")
    return [
        row
        for row in np.flatnonzero(np.isnan(confidence)).tolist()
        if _NOT_A_NUMBER.fullmatch(rows.odd.get((row, place), "nan"))
    ]


def _faces(rows: Rows, column: dict[str, np.ndarray]) -> tuple[pd.DataFrame, list[str]]:
    """Every row's picture, face and confidence, and the columns that name its picture."""
    table = pd.DataFrame({"image": rows.images}, dtype=str)
    key = ["image"]
    if "frame" in column:
        table["frame"] = column["frame"].astype(np.int64)
        key.append("frame")
    if "face" in column or "frame" in column:
        table["face"] = column.get("face", np.zeros(len(table))).astype(np.int64)
    else:  # a picture's rows are its faces
        table["face"] = table.groupby("image").cumcount()
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


def _dropped(rows: Rows, outcome: np.ndarray, reasons: dict[int, str]) -> pd.DataFrame:
    lost = [
        (rows.images[row], rows.place(row)[0].name, rows.line[row], reasons[int(outcome[row])])
        for row in np.flatnonzero(outcome != _KEPT).tolist()
    ]
    lost += [
        (_printable(image), _printable(file.name), line, reason)
        for image, file, line, reason in rows.skipped
    ]
    return pd.DataFrame(lost, columns=["image", "file", "line", "reason"])


def _check(rows: Rows, values: np.ndarray, chosen: np.ndarray, names: Sequence[str]) -> None:
    """Check that the values of some rows are what their columns hold; names the first fault."""
    for name in names:
        if name not in rows.names:
            continue
        place = rows.names.index(name)
        column = values[chosen, place]
        sound = np.isfinite(column)
        what = "expected a number"
        if name.endswith("_c"):
            sound, what = sound & np.isin(column, (0, 1)), "presence is 0 or 1"
        elif name.endswith("_r"):
            sound, what = sound & (column >= 0) & (column <= 5), "intensity is 0 to 5"
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
            raise LabelError(path, f"{name} is {text}; {what}.", line)


def _printable(name: str) -> str:
    return name.encode("utf-8", "backslashreplace").decode()
