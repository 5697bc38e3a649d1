"""What is known of a program that annotates pictures: its columns and their scale."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

IMAGE_COLUMNS = ("image", "image_name", "filename", "file", "input", "name")
"""Where a merged file may have the picture's name; the first of them that is there is read."""

NOTHING = re.compile(r"(?!)")


def no_check(
    path: Path, header: Sequence[str], aus: Sequence[int] | None, scale: int | None
) -> None:
    """Accept any columns."""


@dataclass(frozen=True)
class Program:
    """The CSV files of a program.

    An AU's values are presence (``AU01_c``, 0 or 1), intensity (``AU01_r``, 0 to 5) or a
    probability of presence (``AU01_p``, 0 to 1), whatever the file calls them.

    Attributes:
        name: ``annotations.program`` in the settings.
        title: Its name in messages.
        columns: Of a header and the stated scale, the columns of AUs: pairs of ``AU01_c``,
            ``AU01_r`` or ``AU01_p`` and the name in the file.
        is_own: Whether a header can be of this program's files.
        scales: The highest intensities or probabilities, 1 or 5, that its files may have.
        may_lack: An AU may lack its value in a row (empty, NaN or -1), and its label is then
            missing.
        rows_are_faces: Rows of one picture are its faces, also where the file has frames.
        images: Columns that may have the picture's name; without one, a file is named after
            its picture.
        confidence: Columns that may have the detector's confidence, 0 to 1.
        frames: Columns that may have the number of a video's frame.
        ignored: Columns that are known and not read.
        remarks: Of an AU in its files, what a person should know.
        check: Raises LabelError where a header lacks what the program always writes; gets
            the file, the header, the AUs to read (None: all) and the stated scale.
    """

    name: str
    title: str
    columns: Callable[[Sequence[str], int | None], Iterable[tuple[str, str]]]
    is_own: Callable[[Sequence[str]], bool]
    scales: tuple[int, ...]
    may_lack: bool = True
    rows_are_faces: bool = False
    images: tuple[str, ...] = IMAGE_COLUMNS
    confidence: tuple[str, ...] = ("confidence",)
    frames: tuple[str, ...] = ("frame",)
    ignored: re.Pattern[str] = NOTHING
    remarks: Mapping[int, str] = field(default_factory=dict)
    check: Callable[[Path, Sequence[str], Sequence[int] | None, int | None], None] = no_check
