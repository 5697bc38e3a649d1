"""Which faces of a video's frames belong to the same track.

By the rules of ``faces.tracking``, a face continues a track whose last box it overlaps, or from
which it can have moved, and a track survives a few frames without its face. Tracks are
numbered from 0 in the order in which they begin; a person who returns later gets a new number.
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

    def follow(self, frame: int, detections: Sequence[Detection]) -> list[tuple[int, int]]:
        """Take the next frame.

        Args:
            frame: Its number; larger than the last.
            detections: Its faces, the one to take first.

        Returns:
            For each face that is followed, its track and its index in `detections`.
        """


def make_tracker(mode: str) -> Tracker:
    """A new tracker; raises as ``check_mode``."""
    check_mode(mode)
    return AllFaces() if mode == "all" else OneFace()


def check_mode(mode: str) -> None:
    """Raise a ConfigurationError for an unknown choice of faces."""
    if mode not in get_args(FacesMode):
        raise ConfigurationError(
            f"faces={mode!r} is unknown: all follows every face, one takes the face that "
            "preprocessing takes."
        )


class OneFace:
    """The face that preprocessing takes of each frame, always track 0."""

    def __init__(self) -> None:
        self._last: tuple[int, Detection] | None = None

    def follow(self, frame: int, detections: Sequence[Detection]) -> list[tuple[int, int]]:
        """See ``Tracker``."""
        previous, gap = (
            (None, 1) if self._last is None else (self._last[1], frame - self._last[0])
        )
        try:
            face = choose_face(detections, 0.0, previous, gap)
        except UnusableFace:
            return []
        self._last = frame, face
        return [(0, next(i for i, other in enumerate(detections) if other is face))]


@dataclass(slots=True)
class _Track:
    number: int
    box: Box
    frame: int


class AllFaces:
    """Every face, with the number of its track.

    All faces of a frame are assigned at once, so that people who pass each other keep their
    tracks: first by the largest sum of overlaps, then the remaining faces by distance.
    """

    def __init__(self) -> None:
        self._tracks: list[_Track] = []
        self._begun = 0

    def follow(self, frame: int, detections: Sequence[Detection]) -> list[tuple[int, int]]:
        """See ``Tracker``."""
        self._tracks = [t for t in self._tracks if frame - t.frame <= PATIENCE]
        assigned = [(t.number, index) for t, index in self._assign(frame, detections)]
        for index in sorted(set(range(len(detections))) - {index for _, index in assigned}):
            self._tracks.append(_Track(self._begun, detections[index].box, frame))
            assigned.append((self._begun, index))
            self._begun += 1
        return sorted(assigned)

    def _assign(self, frame: int, detections: Sequence[Detection]) -> list[tuple[_Track, int]]:
        """Which faces continue which tracks; updates the tracks."""
        if not self._tracks or not detections:
            return []
        gain = np.zeros((2, len(self._tracks), len(detections)))  # by overlap, by nearness
        for row, track in enumerate(self._tracks):
            for column, face in enumerate(detections):
                near = nearness(track.box, face.box, frame - track.frame)
                if near is not None:
                    shared, away = near
                    gain[int(shared == 0), row, column] = shared or 2.0 - away
        # Takes a third of a second to import; the first frame does not need it.
        from scipy.optimize import linear_sum_assignment

        pairs: list[tuple[_Track, int]] = []
        for by in gain:
            rows, columns = linear_sum_assignment(by, maximize=True)
            for row, column in zip(rows.tolist(), columns.tolist(), strict=True):
                if by[row, column] > 0:
                    pairs.append((self._tracks[row], column))
                    gain[1, row, :] = gain[1, :, column] = 0.0
        for track, index in pairs:
            track.box, track.frame = detections[index].box, frame
        return pairs
