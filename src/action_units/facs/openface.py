"""AU annotations as OpenFace 2 writes them: one CSV of all photographs.

OpenFace pads its column names with spaces, writes presence to ``AU01_c`` and
intensity (0–5) to ``AU01_r``, one row for each face it found in a picture. Its
own files are one a picture; merged ones have the picture's name in ``image``.
"""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from action_units.errors import LabelError
from action_units.facs.action_units import PRETRAIN_AUS, au_column

MIN_CONFIDENCE = 0.8


@dataclass(frozen=True)
class OpenFaceTable:
    """OpenFace's annotations, one face a photograph.

    Attributes:
        table: ``image``, ``face``, ``confidence``, ``faces`` (how many usable ones
            the photograph had), int8 presence ``AU01`` …, intensity ``AU01_r`` …
            where OpenFace estimates it; in the file's order.
        dropped: ``image``, ``line``, ``reason``: the rows that were not taken.
    """

    table: pd.DataFrame
    dropped: pd.DataFrame


def read_openface(
    path: Path | str,
    aus: Sequence[int] = PRETRAIN_AUS,
    min_confidence: float = MIN_CONFIDENCE,
) -> OpenFaceTable:
    """Read merged annotations, keeping the most confident face of each photograph.

    Args:
        path: The CSV file, with a header.
        aus: The AUs whose presence is wanted.
        min_confidence: Rows below it are dropped, as are those without success.

    Raises:
        LabelError: A column is missing, a value is not what its column holds, or a
            face is there twice; names file and line.
    """
    path = Path(path)
    raw = _read_text(path, aus)
    presence = [f"{au_column(au)}_c" for au in aus]
    intensity = [name for au in aus if (name := f"{au_column(au)}_r") in raw]
    unnamed = raw["image"] == ""
    if unnamed.any():
        raise LabelError(path, "the row has no image name.", int(raw.index[unnamed][0]))
    table = pd.DataFrame({"image": raw["image"]})
    for name in ("face", "confidence", "success"):
        table[name] = _numbers(path, raw[name])
    twice = table.duplicated(["image", "face"])
    if twice.any():
        line = int(table.index[twice][0])
        image, face = table.loc[line, ["image", "face"]]
        raise LabelError(path, f"face {face:g} of {image} is there twice.", line)
    reason = pd.Series("", index=table.index, dtype=object)
    reason[table["confidence"] < min_confidence] = f"confidence below {min_confidence:g}"
    reason[table["success"] != 1] = "OpenFace found no face (success 0)"
    usable = table[reason == ""]
    ranked = usable.sort_values(["confidence", "face"], ascending=[False, True], kind="stable")
    best = ranked.drop_duplicates("image").index.sort_values()
    reason[usable.index.difference(best)] = "another face of the photograph is more confident"
    faces = usable.groupby("image").size()
    kept = table.loc[best].drop(columns="success")
    kept["face"] = kept["face"].astype(np.int64)
    kept["faces"] = kept["image"].map(faces).astype(np.int64)
    for name in presence:
        values = _numbers(path, raw.loc[best, name])
        odd = ~values.isin((0, 1))
        if odd.any():
            line = int(values.index[odd][0])
            raise LabelError(path, f"{name} is {values[line]:g}; presence is 0 or 1.", line)
        kept[name.removesuffix("_c")] = values.astype(np.int8)
    for name in intensity:
        values = _numbers(path, raw.loc[best, name])
        odd = ~values.between(0, 5)
        if odd.any():
            line = int(values.index[odd][0])
            raise LabelError(path, f"{name} is {values[line]:g}; intensity is 0 to 5.", line)
        kept[name] = values.astype(np.float32)
    lost = reason != ""
    dropped = pd.DataFrame(
        {"image": table["image"][lost], "line": table.index[lost], "reason": reason[lost]}
    )
    return OpenFaceTable(kept.reset_index(drop=True), dropped.reset_index(drop=True))


def _read_text(path: Path, aus: Sequence[int]) -> pd.DataFrame:
    """The columns that matter, as text, indexed by line."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, skipinitialspace=True)
            header = [name.strip() for name in next(reader, [])]
            chosen = _columns(path, header, aus)
            places = [header.index(name) for name in chosen]
            lines: list[int] = []
            rows: list[list[str]] = []
            for cells in reader:
                if not cells:
                    continue
                if len(cells) != len(header):
                    raise LabelError(
                        path,
                        f"{len(cells)} columns, but the header has {len(header)}.",
                        reader.line_num,
                    )
                lines.append(reader.line_num)
                rows.append([cells[place].strip() for place in places])
    except FileNotFoundError:
        raise LabelError(path, "there is no such file.") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise LabelError(path, f"the file cannot be read ({error}).") from None
    if not rows:
        raise LabelError(path, "there is a header and nothing below it.")
    raw = pd.DataFrame(rows, columns=chosen, index=pd.Index(lines), dtype=str)
    if "face" not in raw:
        raw["face"] = "0"
    return raw


def _columns(path: Path, header: list[str], aus: Sequence[int]) -> list[str]:
    """Which of a file's columns are read."""
    if not header:
        raise LabelError(path, "the file is empty; expected OpenFace's header.")
    presence = [f"{au_column(au)}_c" for au in aus]
    needed = ["image", "confidence", "success", *presence]
    wanted = [*needed, "face", *(f"{au_column(au)}_r" for au in aus)]
    if doubled := [name for name in wanted if header.count(name) > 1]:
        raise LabelError(path, f"column {doubled[0]} is there twice.", 1)
    if missing := [name for name in needed if name not in header]:
        raise LabelError(path, _missing_columns(missing, header), 1)
    return [name for name in wanted if name in header]


def _numbers(path: Path, column: "pd.Series[str]") -> "pd.Series[float]":
    values = pd.to_numeric(column, errors="coerce").astype(np.float64)
    odd = ~np.isfinite(values)
    if odd.any():
        line = int(values.index[odd][0])
        raise LabelError(path, f"{column.name} is {column[line]!r}; expected a number.", line)
    return values


def _missing_columns(missing: list[str], found: list[str]) -> str:
    if any(name.endswith("_c") for name in missing) and not any("AU" in name for name in found):
        return (
            "no AU column is named (expected AU01_c, AU02_c, …); OpenFace 3 does not name "
            "them, and only OpenFace 2's files can be read."
        )
    if "image" in missing:
        return (
            "there is no column 'image'; merge OpenFace's files, one a picture, into one with "
            "the picture's name in that column."
        )
    listed = ", ".join(missing[:6]) + (", …" if len(missing) > 6 else "")
    return f"column {listed} is missing; presence is read from AU01_c, AU02_c, …"
