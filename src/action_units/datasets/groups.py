"""Which groups the subjects of the chosen sets belong to."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from kedro.io import AbstractDataset, DatasetError

from action_units.faces.join_sets import join_subjects
from action_units.labels.groups import GROUPS_FILE, read_groups


class SubjectGroupsDataset(AbstractDataset[object, pd.DataFrame]):
    """A person's own file of groups, or that of each set in its folder of raw data."""

    def __init__(
        self,
        *,
        path: str,
        sets: str,
        people: Mapping[str, str | None],
        filepath: str | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        """Name the files.

        Args:
            path: With a folder for each set.
            sets: The names of the sets, with ``+`` between them.
            people: Which sets have the same people; see ``join_stores``.
            filepath: A file of all subjects, in place of those of the sets.
            metadata: Settings of Kedro-Viz; not used here.
        """
        self.files = {name: Path(path, name, GROUPS_FILE) for name in sets.split("+")}
        self.people, self.filepath = people, filepath
        self.metadata = metadata

    def load(self) -> pd.DataFrame:
        """A row a subject, a column for each way to divide them; empty without a file.

        Raises:
            LabelError: As ``read_groups``.
        """
        if self.filepath is not None:
            return read_groups(self.filepath)
        tables = {
            name: read_groups(file) if file.is_file() else pd.DataFrame(dtype=str)
            for name, file in self.files.items()
        }
        return join_subjects(tables, self.people).fillna("")

    def save(self, data: object) -> None:
        """Refuse: the files are raw data."""
        raise DatasetError("groups of subjects are raw data: pipelines never write them.")

    def _exists(self) -> bool:
        return True

    def _describe(self) -> dict[str, Any]:
        return {"files": [str(file) for file in self.files.values()], "filepath": self.filepath}
