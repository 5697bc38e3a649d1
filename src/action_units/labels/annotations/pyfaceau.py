"""pyfaceau, OpenFace 2.2's estimation of intensities in Python: 17 AUs, no presence.

It writes (``pyfaceau/pipeline.py`` of johnwilsoniv/pyfaceau) ``frame, timestamp, success`` and
``AU01_r`` … ``AU45_r``, clamped to 0 to 5, for a video, a row a frame; frames without a face
have ``success`` False and no values. It has no confidence, no position, no AU28.
"""

import re
from collections.abc import Iterator, Sequence

from action_units.labels.annotations.openface2 import has_intensity_alone
from action_units.labels.annotations.program import Program


def _columns(header: Sequence[str], scale: int | None) -> Iterator[tuple[str, str]]:
    for name in header:
        if re.fullmatch(r"AU\d\d_r", name, re.ASCII):
            yield name, name


PROGRAM = Program(
    name="pyfaceau",
    title="pyfaceau",
    columns=_columns,
    is_own=has_intensity_alone,
    scales=(5,),
    may_lack=False,
    ignored=re.compile(r"timestamp"),
)
