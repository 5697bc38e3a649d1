"""What the page is told: a classifier, and the faces of pictures and frames, as JSON."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from action_units.csv_text import to_csv
from action_units.labels.action_units import AU_NAMES, au_column
from action_units.live.limits import Limits
from action_units.prediction.classifier import Classifier
from action_units.prediction.outputs import NO_FACE, Rows, arrow_table, data_frame, schema


def told_of_classifier(classifier: Classifier, limits: Limits) -> dict[str, Any]:
    """The name, the AUs with their thresholds, and how much is taken."""
    return {
        "name": classifier.name,
        "aus": [
            {"code": au_column(au), "name": AU_NAMES.get(au, "").lower(), "threshold": float(t)}
            for au, t in zip(classifier.aus, classifier.thresholds, strict=True)
        ],
        "upload_mb": limits.upload_mb,
    }


def told_of_rows(rows: Rows) -> list[dict[str, Any]]:
    """A frame each, with its faces: none where there is none."""
    frames: list[dict[str, Any]] = []
    for key, p, present in zip(rows.keys, rows.probabilities, rows.present, strict=True):
        _, frame, seconds, face_id, confidence, _, *box = key
        if not frames or frames[-1]["frame"] != frame:
            time = None if np.isnan(seconds) else seconds
            frames.append({"frame": frame, "seconds": time, "faces": []})
        if face_id != NO_FACE:
            usable = not np.isnan(p).any()
            frames[-1]["faces"].append(
                {
                    "id": face_id,
                    "confidence": confidence,
                    "box": box,
                    "p": [round(float(value), 4) for value in p] if usable else None,
                    "called": present.tolist() if usable else None,
                }
            )
    return frames


def csv_head(aus: Sequence[int], photographs: bool) -> str:
    """The first line of the table."""
    return ",".join(schema(aus, photographs).names) + "\n"


def csv_lines(rows: Rows, aus: Sequence[int], photographs: bool) -> str:
    """Rows of the table, as ``action-units predict`` writes them."""
    table = data_frame(arrow_table([rows], aus, photographs))
    return to_csv(table, header=False)
