"""The programs whose files can be read: a further one is a file and a line here."""

from collections.abc import Sequence
from pathlib import Path

from action_units.errors import ConfigurationError, LabelError
from action_units.labels.annotations import (
    libreface,
    openface2,
    openface3,
    pyfaceau,
    pyfeat,
    table,
)
from action_units.labels.annotations.program import Program

PROGRAMS: dict[str, Program] = {
    module.PROGRAM.name: module.PROGRAM
    for module in (openface2, openface3, pyfeat, libreface, pyfaceau, table)
}
"""By their names in ``annotations.program``."""

DEFAULT = openface2.PROGRAM.name


def find_program(name: str) -> Program:
    """The program of that name; raises ConfigurationError where it is unknown."""
    if name not in PROGRAMS:
        raise ConfigurationError(
            f"annotations.program={name!r} is unknown; choose one of {', '.join(PROGRAMS)}."
        )
    return PROGRAMS[name]


def check_program(path: Path, header: Sequence[str], program: Program) -> None:
    """Check that a file is not of another program; raises LabelError, which names that."""
    if program.is_own(header):
        return
    for other in PROGRAMS.values():
        if other is not table.PROGRAM and other.is_own(header):
            raise LabelError(
                path,
                f"its columns are those of {other.title}, and annotations.program is "
                f"{program.name}; set annotations.program to {other.name}.",
                1,
            )
