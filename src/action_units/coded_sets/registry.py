"""The readers of coded sets, by the name that ``coded_sets.NAME.reader`` gives."""

from collections.abc import Collection
from pathlib import Path

from action_units.coded_sets.bp4d import read_bp4d_set
from action_units.coded_sets.disfa import read_disfa_set
from action_units.coded_sets.disfa_plus import read_disfa_plus_set
from action_units.coded_sets.reader import CodedData, Reader, setting
from action_units.coded_sets.table import read_table
from action_units.config.data import CodedSetSettings
from action_units.errors import ConfigurationError

READERS: dict[str, Reader] = {
    "disfa": read_disfa_set,
    "disfa_plus": read_disfa_plus_set,
    "bp4d": read_bp4d_set,
    "table": read_table,
}
"""A new reader is a file of this package and a line here."""


def read_coded_set(
    settings: CodedSetSettings, folder: Path, left_out: Collection[str] = ()
) -> CodedData:
    """Read the codes of a set, and find its pictures.

    Args:
        settings: Of the set.
        folder: The set's folder in ``data/01_raw``, which has the set's name.
        left_out: Subjects whose files are not checked.

    Raises:
        ConfigurationError: No reader has this name.
        LabelError: A file is missing or not sound.
    """
    if settings.reader not in READERS:
        raise ConfigurationError(
            f"{setting(folder, 'reader')} is {settings.reader!r}; choose one of "
            f"{', '.join(READERS)}."
        )
    return READERS[settings.reader](settings, folder, left_out)
