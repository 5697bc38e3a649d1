"""Py-Feat (Cheong et al., Affective Science 2023): probabilities of 20 AUs.

``detector.detect(…).to_csv`` writes a row a face (``feat/detector.py`` and the news samples of
cosanlab/py-feat): ``FaceRectX, FaceRectY, FaceRectWidth, FaceRectHeight, FaceScore``,
landmarks ``x_0`` … ``y_67``, poses, ``AU01, AU02, AU04, AU05, AU06, AU07, AU09, AU10, AU11,
AU12, AU14, AU15, AU17, AU20, AU23, AU24, AU25, AU26, AU28, AU43`` from 0 to 1, emotions,
``Identity_1`` …, ``input`` (the picture's path) and ``frame`` (of a list of pictures, its
place). A picture without a face has a row of NaN. AU43 is closed eyes, as they stay, and not
the blink of AU45.
"""

import re
from collections.abc import Iterator, Sequence

from action_units.labels.annotations.program import Program

_AU = re.compile(r"AU\d\d", re.ASCII)


def _is_own(header: Sequence[str]) -> bool:
    return any(map(_AU.fullmatch, header)) and bool({"FaceScore", "FaceRectX"} & {*header})


def _columns(header: Sequence[str], scale: int | None) -> Iterator[tuple[str, str]]:
    for name in header:
        if _AU.fullmatch(name):
            yield f"{name}_p", name


PROGRAM = Program(
    name="pyfeat",
    title="Py-Feat",
    columns=_columns,
    is_own=_is_own,
    scales=(1,),
    rows_are_faces=True,
    confidence=("FaceScore",),
    ignored=re.compile(
        r"FaceRect\w+|(mesh_)?[xyz]_\d+|Pitch|Roll|Yaw|[XYZ]|gaze_\w+|Identity(_\d+)?|"
        r"Frame(Height|Width)|approx_time|valence|arousal|"
        r"(?i:anger|disgust|fear|happiness|sadness|surprise|neutral|happy|sad)"
    ),
    remarks={43: "AU43 is closed eyes, not the blink of AU45: it is not taken as AU45"},
)
