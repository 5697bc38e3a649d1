"""What every source of photographs gives: portions of work, and the photographs in them.

A source lists its *portions* without reading the photographs; a portion is sent to
a worker, which reads them. A portion whose stamp is the one of an earlier run need
not be done again.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from action_units.errors import UnusableFace


@dataclass(frozen=True)
class Photograph:
    """A photograph as a file, not yet decoded.

    Attributes:
        name: Its name in the source; no two are the same, unless a TSV has one twice.
            Text that any file can hold.
        stem: The name of its crop, without suffix; see ``naming.stem_of``.
        place: Where a person finds it: a path, a file and a byte in it, a member of a tar.
        content: Its bytes, or why there are none.
        face: Where the source says that the face is: left, top, right and bottom in
            parts of the picture's width and height. Of the faces of MS-Celeb-1M, which
            come cut out, in parts of the photograph they were cut from.
    """

    name: str
    stem: str
    place: str
    content: bytes | UnusableFace
    face: tuple[float, float, float, float] | None = None


class Portion(Protocol):
    """The smallest part of a source that is skipped when it has been done; can be pickled."""

    @property
    def id(self) -> str:
        """Its name among the source's portions, the same in every run."""

    @property
    def stamp(self) -> str:
        """Changes when the bytes of the photographs may have changed."""

    @property
    def weight(self) -> int:
        """About how many photographs are in it, at least 1."""

    def photographs(self) -> Iterator[Photograph]:
        """Read them, one after the other.

        What cannot be read is a photograph whose content says why; nothing is raised.
        """


class PhotographSource(Protocol):
    """Where photographs come from.

    Attributes:
        ignored: What ``portions`` has passed over so far, as no picture by its name:
            how many of each suffix.
    """

    ignored: Counter[str]

    def portions(self) -> Iterator[Portion]:
        """All portions, in an order that depends on their names alone.

        Raises:
            LabelError: There is nothing to read, or it cannot be listed.
        """
