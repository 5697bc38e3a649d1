"""The list of pictures that could not be used, and why."""

from collections import Counter
from collections.abc import Iterable, Sequence

import pandas as pd

from action_units.media.paths import AnyPath, printable

LEFT_OUT = "pictures left out"
"""The reason of a moving picture, or one of several pages, whose first picture was used."""

_COLUMNS = ("path", "reason", "detail", "sha256")


class Quarantine:
    """Collects unusable pictures while the run continues."""

    def __init__(self, rows: Iterable[Sequence[str]] = ()) -> None:
        """Begin with the rows of another."""
        self._rows = [list(row) for row in rows]

    def __len__(self) -> int:
        """How many pictures are in it."""
        return len(self._rows)

    def add(self, path: AnyPath | str, reason: str, detail: str, sha256: str = "") -> None:
        """Quarantine a picture.

        Args:
            path: The picture; bytes of its name that are not UTF-8 are escaped.
            reason: A short code that counts are grouped by, such as ``truncated``.
            detail: What exactly was wrong.
            sha256: Of the file's bytes, where they could be read.
        """
        self._rows.append([printable(path), reason, detail, sha256])

    def extend(self, other: "Quarantine") -> None:
        """Add the pictures of another list."""
        self._rows.extend(other._rows)

    def rows(self) -> list[list[str]]:
        """Path, reason, detail and SHA-256 of each picture, as JSON can hold them."""
        return [list(row) for row in self._rows]

    def unusable(self) -> list[list[str]]:
        """Those of `rows` whose picture was not used at all."""
        return [row for row in self.rows() if row[1] != LEFT_OUT]

    def table(self) -> pd.DataFrame:
        """One row a picture, in the order they came: path, reason, detail, sha256."""
        return pd.DataFrame(self._rows, columns=list(_COLUMNS), dtype=str)

    def counts(self) -> dict[str, int]:
        """How many pictures have each reason, the most frequent first."""
        counted = Counter(reason for _, reason, _, _ in self._rows)
        return dict(sorted(counted.items(), key=lambda item: (-item[1], item[0])))

    def summary(self) -> str:
        """The counts for a sentence: ``3 no face, 1 truncated``."""
        return ", ".join(f"{count:,} {reason}" for reason, count in self.counts().items())
