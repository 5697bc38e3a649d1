"""A table of any program: a column of pictures' names, and AU columns however they are spelled.

``AU01``, ``AU1``, ``au_1`` and ``AU 1`` are AU 1; ``_c`` or ``_presence`` after it means
presence, ``_p`` or ``_probability`` a probability, ``_r`` or ``_intensity`` an intensity.
Without one of these ``annotations.scale`` says what the values are: 1 for presence or
probabilities, 5 for intensities. A cell that is empty, NaN or -1 is not scored.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from action_units.errors import LabelError
from action_units.labels.action_units import au_column, parse_au_column
from action_units.labels.annotations import openface3
from action_units.labels.annotations.program import Program


def _is_own(header: Sequence[str]) -> bool:
    return not openface3.PROGRAM.is_own(header)


def _columns(header: Sequence[str], scale: int | None) -> Iterator[tuple[str, str]]:
    for name in header:
        if parsed := parse_au_column(name):
            au, kind = parsed
            yield f"{au_column(au)}_{kind or ('r' if scale == 5 else 'p')}", name


def _check(
    path: Path, header: Sequence[str], aus: Sequence[int] | None, scale: int | None
) -> None:
    """Check that values without a kind have a scale; raises LabelError."""
    bare = [name for name in header if (one := parse_au_column(name)) and not one[1]]
    if bare and scale is None:
        raise LabelError(
            path,
            f"nothing says what {bare[0]} holds; set annotations.scale to 1 for presence or "
            "probabilities, or to 5 for intensities.",
            1,
        )


PROGRAM = Program(
    name="table",
    title="the table",
    columns=_columns,
    is_own=_is_own,
    scales=(1, 5),
    rows_are_faces=True,
    confidence=("confidence", "score"),
    check=_check,
)
