"""Labels joined to crops by name and by where the face is, never by order."""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from action_units.errors import LabelError
from action_units.faces.preprocess import CropResult
from action_units.faces.quarantine import Quarantine
from action_units.labels.annotations.layout import BOX
from action_units.labels.annotations.read import Annotations
from action_units.media.photograph_names import Matches, match_names

logger = logging.getLogger(__name__)

SEVERAL, ANOTHER = "several faces", "another face"
"""Why crops have no label, apart from the program's having none."""

_MAX_OFFSET = 0.4  # of the crop's face: how far from its middle that of the program may be
_MAX_SIZE = 1.75  # of the crop's face: the program's width or height, also when turned
_MIN_SIZE = 0.125
_MANY_LOST = 0.1  # of the crops: more without a row than a program finds no face in
_SQUARE = r"\(\s*(-?\d+),\s*(-?\d+),\s*(\d+),\s*\d+\s*\)"


@dataclass(frozen=True, eq=False)
class _Joined:
    """Crops with labels, and what became of the others.

    Attributes:
        crops: Numbers of the crops that have one, in their order.
        rows: The number of the row of annotations of each.
        unlabelled: Of each other crop: the reason and the detail.
        without_row: Numbers of the crops that no name in the annotations means.
        names: What the names in the annotations mean.
    """

    crops: np.ndarray
    rows: np.ndarray
    unlabelled: dict[int, tuple[str, str]]
    without_row: list[int]
    names: Matches


def join_annotations(
    crops: pd.DataFrame,
    annotations: Annotations,
    path: Path,
    margin: float = 0.0,
    others: Iterable[str] = (),
) -> tuple[pd.DataFrame, Quarantine]:
    """Join a program's labels to the crops.

    Annotations are of photographs or of crops; whichever labels more of them decides. Among
    several faces of a photograph, the face in the crop's square is used. If the file lacks face
    positions, only a photograph's single face is used.

    Args:
        crops: With ``image``, the crop, and ``photograph``; where faces have positions also
            ``source`` and ``angle``, and ``rectsize``.
        annotations: The program's rows.
        path: The file they were read from, for error messages.
        margin: Of the crops, as in ``CropSettings``.
        others: All photographs, where that is known: a name may mean one without a crop.

    Returns:
        The crops that have labels, in their order, and the others.

    Raises:
        LabelError: No name matches, no face lies in its crop, or a picture has two frames.
    """
    crops = crops.reset_index(drop=True)
    faces = annotations.table if annotations.faces is None else annotations.faces
    faces = faces.reset_index(drop=True)
    dropped = annotations.dropped.drop_duplicates("image").set_index("image")["reason"]
    title = annotations.title
    on, best = "photograph", _label(crops, "photograph", faces, dropped, title, margin, others)
    if len(best.crops) < len(crops):
        by_crop = _label(crops, "image", faces, dropped, title, margin)
        if len(by_crop.crops) > len(best.crops):
            on, best = "image", by_crop
    if not len(best.crops):
        raise LabelError(path, _why_none(crops, faces, best))
    _warn_of_lost(path, crops[on], faces["image"], best)
    labelled = crops.iloc[best.crops].reset_index(drop=True)
    notes = {*BOX, "file", "line", "found", "reason", "image"}
    joined = faces.iloc[best.rows].reset_index(drop=True)
    new = joined[[name for name in joined if name not in labelled and name not in notes]]
    if "faces" in new:
        new = new.astype({"faces": np.int64})
    quarantine = Quarantine()
    for crop, (reason, detail) in sorted(best.unlabelled.items()):
        quarantine.add(str(crops["photograph"].iloc[crop]), reason, detail)
    return pd.concat([labelled, new], axis=1), quarantine


def check_names(
    photographs: Mapping[str, str], annotations: Annotations, path: Path
) -> list[str]:
    """Check that annotations are of the photographs, before these are cropped.

    Args:
        photographs: Of each, the name that its crop gets.
        annotations: The program's rows.
        path: The file they were read from, for error messages.

    Returns:
        The crops of those that have a usable row.

    Raises:
        LabelError: Not one is in the annotations, or one has two frames.
    """
    images = annotations.table["image"]
    matches = match_names(images, photographs)
    crop_of = {name: photographs[photograph] for name, photograph in matches.found.items()}
    if not crop_of:
        crop_of = match_names(images, photographs.values()).found
    if not crop_of:
        raise LabelError(path, _other_pictures(annotations.table, list(photographs), matches))
    faces = annotations.table if annotations.faces is None else annotations.faces
    matched = faces.assign(crop=faces["image"].map(crop_of))
    _check_frames(matched[matched["crop"].notna()])
    return list(crop_of.values())


def _label(
    crops: pd.DataFrame,
    on: str,
    faces: pd.DataFrame,
    dropped: "pd.Series[str]",
    title: str,
    margin: float,
    others: Iterable[str] = (),
) -> _Joined:
    """Find the row of each crop, by the crops' names or by those of their photographs."""
    names = match_names([*faces["image"], *dropped.index], [*crops[on], *others])
    number = {name: crop for crop, name in enumerate(crops[on])}
    crop_of = {n: number[name] for n, name in names.found.items() if name in number}
    matched = faces.assign(crop=faces["image"].map(crop_of), row=np.arange(len(faces)))
    matched = matched[matched["crop"].notna()].astype({"crop": int})
    _check_frames(matched)
    matched["fit"] = _fit(crops, on, matched, margin)
    if "found" in matched:
        matched = matched[matched["found"].astype(bool)]
    by = ["fit", *({"confidence"} & {*matched})]
    chosen = matched.sort_values(by, kind="stable", na_position="first")
    best = chosen.drop_duplicates("crop", keep="last").set_index("crop")
    count = matched.groupby("crop").size()
    reasons = {crop_of[name]: why for name, why in dropped.items() if name in crop_of}
    rows: dict[int, int] = {}
    unlabelled: dict[int, tuple[str, str]] = {}
    without_row: list[int] = []
    for crop in range(len(crops)):
        if crop not in count.index:
            name = crops[on].iloc[crop]
            why = names.unclear.get(name, f"{title} has no row of it")
            unlabelled[crop] = (title.lower(), reasons.get(crop, why))
            if crop not in reasons:
                without_row.append(crop)
    for crop, n, fit, reason, row in zip(
        best.index, count[best.index], best["fit"],
        best["reason"] if "reason" in best else [""] * len(best), best["row"], strict=True,
    ):  # fmt: skip
        if np.isnan(fit) and n > 1:
            unlabelled[crop] = (SEVERAL, f"{n} faces, and the file lacks their positions")
        elif fit < 0:
            which = "the face" if n == 1 else f"any of the {n} faces"
            unlabelled[crop] = (ANOTHER, f"the crop does not show {which} that {title} found")
        elif reason:
            unlabelled[crop] = (title.lower(), reason)
        else:
            rows[crop] = row
    numbers = np.array(sorted(rows), int)
    return _Joined(numbers, np.array([rows[n] for n in sorted(rows)], int), unlabelled,
                     without_row, names)  # fmt: skip


def _check_frames(matched: pd.DataFrame) -> None:
    """Check that each image has rows of one frame, so that its labels are known."""
    if "frame" not in matched:
        return
    first = matched.groupby("crop")["frame"].transform("first")
    other = (matched["frame"] != first).to_numpy()
    if other.any():
        row, before = matched.iloc[int(other.argmax())], first.iloc[int(other.argmax())]
        raise LabelError(
            row.get("file", "the annotations"),
            f"{row['image']} occurs as frame {row['frame']} and as frame {before}; "
            "a picture is one frame. Give each frame the name of its own picture.",
            row.get("line"),
        )


def _fit(crops: pd.DataFrame, on: str, matched: pd.DataFrame, margin: float) -> np.ndarray:
    """How well a program's faces fit the crops' squares, (N,).

    The share of both that they have in common; -1 for a face elsewhere or of another
    size; NaN where the file lacks its position.
    """
    square, angle = ("source", "angle") if on == "photograph" else ("rectsize", None)
    if not {*BOX} <= {*matched} or square not in crops:
        return np.full(len(matched), np.nan)
    crop = crops.iloc[matched["crop"].to_numpy()]
    squares = crop[square].str.extract(_SQUARE).to_numpy(np.float64)  # (N, 3)
    left, top, right, bottom = (matched[name].to_numpy(np.float64) for name in BOX)
    dx = (left + right - 2 * squares[:, 0] - squares[:, 2]) / 2
    dy = (top + bottom - 2 * squares[:, 1] - squares[:, 2]) / 2
    if angle in crop:
        # The square is turned about its middle; turn the face back by as much.
        turned = np.radians(crop[angle].to_numpy(np.float64))
        dx, dy = (
            dx * np.cos(turned) + dy * np.sin(turned),
            dy * np.cos(turned) - dx * np.sin(turned),
        )
    side = squares[:, 2] / (1 + 2 * margin)
    width, height = right - left, bottom - top
    larger = np.maximum(width, height)
    near = (np.abs(dx) <= _MAX_OFFSET * side) & (np.abs(dy) <= _MAX_OFFSET * side)
    alike = (larger <= _MAX_SIZE * side) & (larger >= _MIN_SIZE * side)
    across = np.minimum(dx + width / 2, side / 2) - np.maximum(dx - width / 2, -side / 2)
    down = np.minimum(dy + height / 2, side / 2) - np.maximum(dy - height / 2, -side / 2)
    common = np.maximum(across, 0) * np.maximum(down, 0)
    share = common / (width * height + side * side - common)
    fit = np.where(near & alike, share, -1.0)
    fit[np.isnan(larger) | np.isnan(squares).any(axis=1)] = np.nan
    return fit


def _why_none(crops: pd.DataFrame, faces: pd.DataFrame, best: _Joined) -> str:
    if len(best.without_row) == len(crops):
        return _other_pictures(faces, list(crops["photograph"]), best.names)
    details = pd.Series([detail for _, detail in best.unlabelled.values()]).value_counts()
    return (
        f"not one of the {len(crops):,} crops gets a label, most often because "
        f"{details.index[0]} ({details.iloc[0]:,} crops). Were these photographs annotated, "
        "at this size?"
    )


def _other_pictures(faces: pd.DataFrame, photographs: list[str], matches: Matches) -> str:
    images = list(faces["image"].unique())
    first, shown = (one[0] if one else "none" for one in (images, photographs))
    why = "were these photographs annotated?"
    if matches.ambiguous:
        why = f"{next(iter(matches.ambiguous.values()))}."
    elif "frame" in faces:
        why = (
            "its rows are frames of videos or image sequences, and do not name their "
            "pictures; run FaceLandmarkImg, or add a column 'image'."
        )
    return (
        f"none of its {len(images):,} pictures ({first} is the first) is one of the "
        f"{len(photographs):,} photographs that are cropped ({shown} is the first); {why}"
    )


def _warn_of_lost(
    path: Path, names: "pd.Series[str]", images: "pd.Series[str]", joined: _Joined
) -> None:
    """Name a photograph without a row and a row without a photograph, where both are many."""
    left = [name for name in dict.fromkeys(images) if name not in joined.names.found]
    lost = joined.without_row
    if not lost or (not left and len(lost) < _MANY_LOST * len(names)):
        return
    text = f"{path}: {len(lost):,} of {len(names):,} photographs have no row in it"
    text += f" ({names.iloc[lost[0]]} is the first)"
    if left:
        text += f", and {len(left):,} pictures in it are not among the photographs ({left[0]}"
        text += " is the first)"
    if ambiguous := next(iter(joined.names.ambiguous.values()), ""):
        text += f"; {ambiguous}"
    logger.warning("%s. Their crops are not trained on.", text)


def join_crops(
    labels: pd.DataFrame, result: CropResult, excluded: pd.DataFrame
) -> pd.DataFrame:
    """Every coded frame, with its crop's columns or the reason why it has no crop.

    Args:
        labels: A row a frame, with ``image``, the name that its crop has.
        result: The crops.
        excluded: ``image`` and ``reason`` of frames that a person leaves out.

    Returns:
        `labels` with the crops' columns and ``reason``: empty, ``excluded: …``, or the
        quarantine's. No row is lost.
    """
    crops = result.table.set_index("image").drop(columns=["subject", "frame"])
    frames = labels.join(crops, on="image", validate="m:1")
    quarantined = result.quarantine.table().drop_duplicates("path")
    reasons = dict(zip(quarantined["path"], quarantined["reason"], strict=True))
    left_out = zip(excluded["image"], excluded["reason"], strict=True)
    reasons |= {image: f"excluded: {reason}" for image, reason in left_out}
    reason = pd.Series([reasons.get(image, "") for image in frames["image"]], dtype=str)
    missing = frames["rectsize"].isna().to_numpy() & (reason == "").to_numpy()
    if missing.any():
        image = frames["image"].iloc[int(np.argmax(missing))]
        raise ValueError(f"{image} has labels, but no crop and no reason for that")
    return frames.assign(reason=reason)


def lost_frames(frames: pd.DataFrame) -> pd.DataFrame:
    """Of each subject: ``frames``, how many are ``lost``, having no crop, and by reason."""
    kinds = frames["reason"].str.split(":").str[0]
    table = pd.DataFrame({"subject": frames["subject"], "frames": 1, "lost": kinds != ""})
    for kind in sorted(set(kinds) - {""}):
        table[kind] = kinds == kind
    return table.groupby("subject", sort=True).sum().astype(int).reset_index()
