"""Which faces of a video's frames are of the same person.

The rules are those of ``faces.tracking``: a face continues a track whose last box it
overlaps, or from which it can have moved there, and a track outlives a few frames without
its face. Tracks are numbered from 0 in the order in which they begin; a number is never
given to another person, and a person who comes back later gets a new one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, get_args

import numpy as np

from action_units.config import FacesMode
from action_units.errors import ConfigurationError, UnusableFace
from action_units.faces.detection.base import Detection, choose_face
from action_units.faces.tracking import PATIENCE, Box, nearness


class Tracker(Protocol):
    """Follows faces from frame to frame."""

    def follow(self, frame: int, found: Sequence[Detection]) -> list[tuple[int, int]]:
        """Take the next frame.

        Args:
            frame: Its number; larger than the last.
            found: Its faces, the one to take first.

        Returns:
            For each face that is kept, its track and its place in `found`.
        """


def make_tracker(mode: str) -> Tracker:
    """A tracker that has seen nothing yet; raises as ``check_mode``."""
    check_mode(mode)
    return AllFaces() if mode == "all" else OneFace()


def check_mode(mode: str) -> None:
    """Refuse what is no choice of faces; raises ConfigurationError."""
    if mode not in get_args(FacesMode):
        raise ConfigurationError(
            f"faces={mode!r} is unknown: all follows every face, one takes the face that "
            "preprocessing takes."
        )


class OneFace:
    """The face that preprocessing takes of each frame, always track 0."""

    def __init__(self) -> None:
        self._last: tuple[int, Detection] | None = None

    def follow(self, frame: int, found: Sequence[Detection]) -> list[tuple[int, int]]:
        """See ``Tracker``."""
        previous, gap = (
            (None, 1) if self._last is None else (self._last[1], frame - self._last[0])
        )
        try:
            face = choose_face(found, 0.0, previous, gap)
        except UnusableFace:
            return []
        self._last = frame, face
        return [(0, next(i for i, other in enumerate(found) if other is face))]


@dataclass(slots=True)
class _Track:
    number: int
    box: Box
    frame: int


class AllFaces:
    """Every face, with the number of its track.

    Faces are given to tracks all at once, so that two people who pass each other are not
    exchanged for the sake of one: first such that overlaps are largest together, then the
    faces that are left by how near they are.
    """

    def __init__(self) -> None:
        self._tracks: list[_Track] = []
        self._begun = 0

    def follow(self, frame: int, found: Sequence[Detection]) -> list[tuple[int, int]]:
        """See ``Tracker``."""
        self._tracks = [t for t in self._tracks if frame - t.frame <= PATIENCE]
        kept = [(t.number, place) for t, place in self._assign(frame, found)]
        for place in sorted(set(range(len(found))) - {place for _, place in kept}):
            self._tracks.append(_Track(self._begun, found[place].box, frame))
            kept.append((self._begun, place))
            self._begun += 1
        return sorted(kept)

    def _assign(self, frame: int, found: Sequence[Detection]) -> list[tuple[_Track, int]]:
        """Which of the faces continue which tracks; these take them over."""
        if not self._tracks or not found:
            return []
        gain = np.zeros((2, len(self._tracks), len(found)))  # by overlap, by nearness
        for row, track in enumerate(self._tracks):
            for column, face in enumerate(found):
                near = nearness(track.box, face.box, frame - track.frame)
                if near is not None:
                    shared, away = near
                    gain[int(shared == 0), row, column] = shared or 2.0 - away
        # A third of a second, once; the first frame has no tracks yet.
        from scipy.optimize import linear_sum_assignment

        pairs: list[tuple[_Track, int]] = []
        for by in gain:
            rows, columns = linear_sum_assignment(by, maximize=True)
            for row, column in zip(rows.tolist(), columns.tolist(), strict=True):
                if by[row, column] > 0:
                    pairs.append((self._tracks[row], column))
                    gain[1, row, :] = gain[1, :, column] = 0.0
        for track, place in pairs:
            track.box, track.frame = found[place].box, frame
        return pairs
