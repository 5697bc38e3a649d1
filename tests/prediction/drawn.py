"""Tables of predictions and videos for the tests of what is drawn."""

from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from action_units.labels.action_units import au_columns

AUS = (1, 4, 12, 25)


def table(
    faces: dict[int, list[int]], aus: tuple[int, ...] = AUS, rate: float = 20.0
) -> pd.DataFrame:
    """Frames 1, 2, … with these faces; one without any keeps its row."""
    rows = []
    for frame, ids in faces.items():
        for face in ids or [-1]:
            there = face >= 0
            row: dict[str, object] = {
                "frame": frame,
                "timestamp": (frame - 1) / rate,
                "face_id": face,
                "confidence": 0.93 if there else 0.0,
                "success": int(there),
                "x": 20.0 + 60 * face if there else np.nan,
                "y": 30.0 if there else np.nan,
                "width": 50.0 if there else np.nan,
                "height": 60.0 if there else np.nan,
            }
            p = [(0.1 + 0.2 * a + 0.01 * frame) if there else np.nan for a in range(len(aus))]
            row |= {f"{c}_p": np.float32(v) for c, v in zip(au_columns(aus), p, strict=True)}
            row |= {
                f"{c}_c": int(v >= 0.4) if there else pd.NA
                for c, v in zip(au_columns(aus), p, strict=True)
            }
            rows.append(row)
    frame_ = pd.DataFrame(rows)
    return frame_.astype({name: "Int8" for name in map(str, frame_) if name.endswith("_c")})


def video(
    path: Path, frames: int, rate: float = 20.0, size: tuple[int, int] = (160, 120)
) -> Path:
    writer = cv2.VideoWriter(
        str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*"MJPG"), rate, size
    )
    for n in range(frames):
        writer.write(np.full((size[1], size[0], 3), (10 + 20 * n) % 240, np.uint8))
    writer.release()
    return path
