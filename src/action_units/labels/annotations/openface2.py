"""OpenFace 2 (Baltrušaitis et al., FG 2018): presence and intensity of 18 AUs.

Its columns are padded with spaces, and it has two layouts (``RecorderCSV.cpp`` of its source,
and the page Output-Format of its wiki):

* FaceLandmarkImg, a file a picture: ``face, confidence, …``, a row a face; it has no
  ``success``, and where it finds no face it writes no file, or a header alone.
* FeatureExtraction, a file a video or image sequence: ``frame, face_id, timestamp,
  confidence, success, …``, a row a frame; those of older versions lack ``face_id``.

Neither holds the picture's name. Presence (0 or 1) is in ``AU01_c``, intensity (0 to 5) in
``AU01_r``, but of AU28, which has presence alone. A file without one ``AU01_c``, as FACSvatar
writes it, is read for its intensities.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from action_units.errors import LabelError
from action_units.labels.action_units import PRETRAIN_AUS, au_column
from action_units.labels.annotations.program import Program

WITHOUT_INTENSITY = 28

_PRESENCE = re.compile(r"AU\d\d_c", re.ASCII)
_INTENSITY = re.compile(r"AU(\d\d)_r", re.ASCII)


def intensities_of(header: Sequence[str]) -> set[int]:
    """The numbers in the names of the columns of intensity, ``AU01_r`` and so on."""
    return {int(match[1]) for name in header if (match := _INTENSITY.fullmatch(name))}


def has_intensity_alone(header: Sequence[str]) -> bool:
    """Whether presence must be read from intensities: AU01_r exists, AU01_c does not."""
    coded = {name for name in header if _PRESENCE.fullmatch(name)}
    scored = intensities_of(header)
    return coded <= {f"AU{WITHOUT_INTENSITY}_c"} and bool(scored) and scored <= {*PRETRAIN_AUS}


def _is_own(header: Sequence[str]) -> bool:
    return any(map(_PRESENCE.fullmatch, header)) or has_intensity_alone(header)


def _columns(header: Sequence[str], scale: int | None) -> Iterator[tuple[str, str]]:
    ours = {f"{au_column(au)}_{kind}" for au in PRETRAIN_AUS for kind in "cr"}
    return ((name, name) for name in header if name in ours)


def _check(
    path: Path, header: Sequence[str], aus: Sequence[int] | None, scale: int | None
) -> None:
    """Check that each AU is there; raises LabelError."""
    aus = PRETRAIN_AUS if aus is None else aus
    alone = has_intensity_alone(header)
    needed = ["confidence", *(f"{au_column(au)}_c" for au in aus)]
    if alone:
        needed = [f"{au_column(au)}_r" for au in aus if au != WITHOUT_INTENSITY]
    missing = [name for name in needed if name not in header]
    if not missing:
        return
    listed = ", ".join(missing[:6]) + (", …" if len(missing) > 6 else "")
    problem = f"column {listed} is missing; presence is read from AU01_c, AU02_c, …"
    if alone:
        problem = (
            f"column {listed} is missing; without AU01_c, … presence is read from AU01_r, …"
        )
    elif not _is_own(header):
        problem = (
            "presence columns (AU01_c, AU02_c, …) and intensities (AU01_r, AU02_r, …) "
            "are missing; OpenFace 2 writes both when it is run with -aus. Files of "
            "OpenFace 3 or another program need its name in annotations.program."
        )
    raise LabelError(path, problem, 1)


PROGRAM = Program(
    name="openface2",
    title="OpenFace",
    columns=_columns,
    is_own=_is_own,
    scales=(5,),
    may_lack=False,
    ignored=re.compile(r"timestamp|(gaze|pose|eye_lmk|[xyXYZ]|p)_\w+|AU\d\d_[cr]"),
    check=_check,
)
