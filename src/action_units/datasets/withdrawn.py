"""The list of people who have withdrawn."""

import pandas as pd

from action_units.datasets.artifacts import TableDataset


class WithdrawnDataset(TableDataset):
    """``person, date``; empty as long as nobody has withdrawn."""

    def load(self) -> pd.DataFrame:
        """The list; raises ArtifactError where it is damaged."""
        if not self.path.is_file():
            return pd.DataFrame({"person": [], "date": []}, dtype=str)
        table: pd.DataFrame = super().load()
        return table.astype(str)

    def _exists(self) -> bool:
        return True
