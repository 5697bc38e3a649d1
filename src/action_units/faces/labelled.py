"""Crops beside their labels, matched by name and never by order."""

from pathlib import Path

import numpy as np
import pandas as pd

from action_units.errors import LabelError
from action_units.faces.crops import CropResult
from action_units.faces.quarantine import Quarantine
from action_units.facs.openface import OpenFaceTable


def with_annotations(
    crops: pd.DataFrame, annotations: OpenFaceTable, path: Path
) -> tuple[pd.DataFrame, Quarantine]:
    """Put OpenFace's labels beside the crops.

    Annotations are of photographs or of crops; whichever more names match decides.

    Args:
        crops: With ``image``, the crop, and ``photograph``.
        annotations: One row a picture.
        path: Where they were read, for the error's sentence.

    Returns:
        The crops that have labels, in their order, and the others.

    Raises:
        LabelError: No name matches.
    """
    labels = annotations.table.set_index("image")
    matches = {name: crops[name].isin(labels.index) for name in ("photograph", "image")}
    on = max(matches, key=lambda name: int(matches[name].sum()))
    known = matches[on].to_numpy()
    if not known.any():
        shown = f"{crops['photograph'].iloc[0]}" if len(crops) else "none"
        raise LabelError(
            path,
            f"none of its {len(labels):,} pictures ({labels.index[0]} is the first) is one of "
            f"the {len(crops):,} photographs that were cropped ({shown} is the first); are "
            "these the annotations of these photographs?",
        )
    kept = crops[known].reset_index(drop=True)
    beside = labels.loc[kept[on]].reset_index(drop=True)
    new = beside[[name for name in beside if name not in kept]]
    reasons = annotations.dropped.drop_duplicates("image").set_index("image")["reason"]
    aside = Quarantine()
    for photograph, name in crops.loc[~known, ["photograph", on]].itertuples(index=False):
        aside.add(photograph, "openface", reasons.get(name, "OpenFace has no row of it"))
    return pd.concat([kept, new], axis=1), aside


def frames_with_crops(
    labels: pd.DataFrame, result: CropResult, excluded: pd.DataFrame
) -> pd.DataFrame:
    """Every coded frame: with what is known of its crop, or the reason why it has none.

    Args:
        labels: A row a frame, with ``image``, the name that its crop has.
        result: The crops.
        excluded: ``image`` and ``reason`` of frames that a person leaves out.

    Returns:
        `labels` with the crops' columns and ``reason``: empty, ``excluded: …``, or the
        quarantine's. No row is lost.
    """
    crops = result.table.set_index("image").drop(columns=["subject", "frame"])
    frames = labels.join(crops, on="image")
    aside = result.quarantine.table().drop_duplicates("path")
    reasons = dict(zip(aside["path"], aside["reason"], strict=True))
    left_out = zip(excluded["image"], excluded["reason"], strict=True)
    reasons |= {image: f"excluded: {reason}" for image, reason in left_out}
    reason = pd.Series([reasons.get(image, "") for image in frames["image"]], dtype=str)
    missing = frames["rectsize"].isna().to_numpy() & (reason == "").to_numpy()
    if missing.any():
        image = frames["image"].iloc[int(np.argmax(missing))]
        raise ValueError(f"{image} has labels, but neither a crop nor a reason for having none")
    return frames.assign(reason=reason)


def lost_frames(frames: pd.DataFrame) -> pd.DataFrame:
    """Of each subject: ``frames``, how many are ``lost``, having no crop, and by reason."""
    kinds = frames["reason"].str.split(":").str[0]
    table = pd.DataFrame({"subject": frames["subject"], "frames": 1, "lost": kinds != ""})
    for kind in sorted(set(kinds) - {""}):
        table[kind] = kinds == kind
    return table.groupby("subject", sort=True).sum().astype(int).reset_index()
