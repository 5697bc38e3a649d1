"""LibreFace (Chang et al., WACV 2024): presence of 12 AUs and intensity of 12.

The package writes (``README_pypi.rst`` and ``libreface/__init__.py`` of ihp-lab/LibreFace)
presence, 0 or 1, as ``au_1, au_2, au_4, au_6, au_7, au_10, au_12, au_14, au_15, au_17, au_23,
au_24`` and intensity as ``au_1_intensity, au_2_intensity, au_4_intensity, au_5_intensity, …``
of 1, 2, 4, 5, 6, 9, 12, 15, 17, 20, 25, 26; with them head pose, landmarks ``lm_mp_0_x`` … and
``facial_expression``. A file is of one picture, or of one video with ``frame_idx``; early
versions have ``input_image_path``. It has no confidence and takes one face.

Intensities lie in 0 to 5 where the network's output is multiplied by 5 (as in the research
model, and in the sources of the package that were seen) and in 0 to 1 where it is not. Values
above 1 say which; without one, ``annotations.scale`` must.
"""

import re
from collections.abc import Iterator, Sequence

from action_units.labels.action_units import au_column
from action_units.labels.annotations.program import IMAGE_COLUMNS, Program

_AU = re.compile(r"au_(\d{1,2})(_intensity)?", re.ASCII)


def _is_own(header: Sequence[str]) -> bool:
    return any(map(_AU.fullmatch, header))


def _columns(header: Sequence[str], scale: int | None) -> Iterator[tuple[str, str]]:
    for name in header:
        if match := _AU.fullmatch(name):
            yield f"{au_column(int(match[1]))}_{'r' if match[2] else 'c'}", name


PROGRAM = Program(
    name="libreface",
    title="LibreFace",
    columns=_columns,
    is_own=_is_own,
    scales=(1, 5),
    images=("input_image_path", *IMAGE_COLUMNS),
    frames=("frame_idx", "frame"),
    ignored=re.compile(
        r"|Unnamed: 0|pitch|yaw|roll|lm_mp_\w+|facial_expression\w*|frame_time_in_ms|"
        r"\w*aligned_\w*path"
    ),
)
