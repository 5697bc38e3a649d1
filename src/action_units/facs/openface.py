"""AU annotations by OpenFace 2: one face of each picture, presence and intensity.

OpenFace writes presence (0 or 1) to ``AU01_c`` and intensity (0–5) to ``AU01_r``, one row
for each face that it found. Files and layouts: ``openface_csv``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from action_units.errors import ConfigurationError, LabelError
from action_units.facs.action_units import PRETRAIN_AUS, au_column
from action_units.facs.openface_csv import Rows, read_rows

MIN_CONFIDENCE = 0.8

_OF_FACES = ("confidence", "face", "success", "frame")
_KEPT, _FAILED, _UNSURE, _OTHER = range(4)  # what becomes of a row


@dataclass(frozen=True)
class OpenFaceTable:
    """OpenFace's annotations, one face a picture.

    Attributes:
        table: ``image``; ``frame`` where the files are of videos; ``face``, ``confidence``,
            ``faces`` (how many usable ones the picture had); int8 presence ``AU01`` …;
            float32 intensity ``AU01_r`` … where OpenFace estimates it (of AU28 it gives
            presence alone); in the files' order.
        dropped: ``image``, ``file``, ``line``, ``reason``: what was not taken. A picture
            without a row has line 1.
    """

    table: pd.DataFrame
    dropped: pd.DataFrame


def read_openface(
    path: Path | str,
    aus: Sequence[int] = PRETRAIN_AUS,
    min_confidence: float = MIN_CONFIDENCE,
    suffix: str = ".jpg",
) -> OpenFaceTable:
    """Read annotations, keeping the most confident face of each picture.

    Of faces equally confident the one with the lower number is kept.

    Args:
        path: A CSV file with the pictures' names in ``image`` (or another of
            ``openface_csv.IMAGE_COLUMNS``), a file of one video, or a folder of files, each
            of one picture or video or merged.
        aus: The AUs whose presence is wanted.
        min_confidence: Faces below it are dropped, as are frames without success.
        suffix: A file ``x.csv`` is of the picture ``x`` with this suffix; ``x.png.csv`` is
            of ``x.png`` whatever it is. Videos are named without a suffix.

    Raises:
        LabelError: A column is missing, a value is not what its column holds, or a face is
            there twice; names file and line.
        ConfigurationError: `min_confidence` is not within 0 to 1.
    """
    if not 0.0 <= min_confidence <= 1.0:
        raise ConfigurationError(f"min_confidence={min_confidence!r} must be 0 to 1.")
    rows = read_rows(Path(path), aus, suffix)
    values = np.frombuffer(rows.numbers).reshape(len(rows.images), -1)  # (N, C)
    everyone = np.arange(len(values))
    _check(rows, values, everyone, [name for name in _OF_FACES if name in rows.names])
    column = {name: values[:, place] for place, name in enumerate(rows.names)}
    table, key = _faces(rows, column)
    outcome = np.where(column["confidence"] < min_confidence, _UNSURE, _KEPT)
    if "success" in column:
        outcome[column["success"] != 1] = _FAILED
    usable = table[outcome == _KEPT]
    ranked = usable.sort_values(["confidence", "face"], ascending=[False, True], kind="stable")
    best = np.sort(ranked.drop_duplicates(key).index.to_numpy())
    outcome[usable.index.difference(best)] = _OTHER
    coded = [name for name in rows.names if name.startswith("AU")]
    _check(rows, values, best, coded)
    count = usable.groupby(key)["face"].transform("size")
    kept = table.assign(faces=count).loc[best].astype({"faces": np.int64})
    labels = {au_column(au): column[f"{au_column(au)}_c"][best].astype(np.int8) for au in aus}
    for name in coded:
        if name.endswith("_r"):
            labels[name] = column[name][best].astype(np.float32)
    kept = pd.concat([kept.reset_index(drop=True), pd.DataFrame(labels)], axis=1)
    reasons = {
        _FAILED: "OpenFace found no face (success 0)",
        _UNSURE: f"confidence below {min_confidence:g}",
        _OTHER: "another face of the picture is more confident",
    }
    return OpenFaceTable(kept, _dropped(rows, outcome, reasons))


def _faces(rows: Rows, column: dict[str, np.ndarray]) -> tuple[pd.DataFrame, list[str]]:
    """Every row's picture, face and confidence, and the columns that say which picture."""
    table = pd.DataFrame({"image": rows.images}, dtype=str)
    key = ["image"]
    if "frame" in column:
        table["frame"] = column["frame"].astype(np.int64)
        key.append("frame")
    table["face"] = column.get("face", np.zeros(len(table))).astype(np.int64)
    table["confidence"] = column["confidence"]
    twice = table.duplicated([*key, "face"]).to_numpy()
    if twice.any():
        row = int(twice.argmax())
        path, line = rows.place(row)
        image = rows.images[row]
        problem = f"face {table['face'].iloc[row]} of {image} is there twice."
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
        (_printable(image), _printable(file.name), 1, reason)
        for image, file, reason in rows.skipped
    ]
    return pd.DataFrame(lost, columns=["image", "file", "line", "reason"])


def _check(rows: Rows, values: np.ndarray, chosen: np.ndarray, names: Sequence[str]) -> None:
    """Refuse the first of some rows whose value is none that its column can hold."""
    for name in names:
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
