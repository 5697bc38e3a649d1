"""OpenFace 3 (Hu et al., FG 2025): eight values from 0 to 1, which are numbered, not named.

The network has eight outputs without names (``model/MLT.py`` and ``demo.py`` of
CMU-MultiComp-Lab/OpenFace-3.0), and files of it have them as ``AU01_r`` … ``AU08_r``, one
after the other. They are AU 1, 2, 4, 6, 9, 12, 25 and 26: its training
(``train_mix_au_dev.py``) takes the labels 0, 4, 8, 10, 11, 1, 6 and 7 of DISFA's twelve, and
these are the eight AUs in this order where the twelve are in the order of their files' names
(``au1, au12, au15, au17, au2, …``). The values are similarities of features that are not
negative, so they lie in 0 to 1, and are read as probabilities. Its own output has no fixed
columns for the picture, the face or the confidence; those of OpenFace 2 are read where they are
there.
"""

import re
from collections.abc import Iterator, Sequence

from action_units.labels.action_units import EIGHT_AUS, au_column
from action_units.labels.annotations.openface2 import intensities_of
from action_units.labels.annotations.program import Program


def _is_own(header: Sequence[str]) -> bool:
    scored = intensities_of(header)
    # OpenFace 2 has no AU 3 and no AU 8.
    return scored <= {*range(1, len(EIGHT_AUS) + 1)} and bool(scored & {3, 8})


def _columns(header: Sequence[str], scale: int | None) -> Iterator[tuple[str, str]]:
    for number, au in enumerate(EIGHT_AUS, 1):
        if f"AU{number:02d}_r" in header:
            yield f"{au_column(au)}_p", f"AU{number:02d}_r"


PROGRAM = Program(
    name="openface3",
    title="OpenFace 3",
    columns=_columns,
    is_own=_is_own,
    scales=(1,),
    rows_are_faces=True,
    ignored=re.compile(r"timestamp|(gaze|pose|emotion|[xy]|landmark)_?\w*"),
)
