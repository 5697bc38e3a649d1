"""References of people for person-centred predictions: of a track, or of neutral frames.

A reference is a quantile of the person's logits, one for each network, with that network's
parameters (`evaluation.postprocessing.person_centred`). Three ways to have one:

* ``running``: from the frames of the track until now, so that nothing waits for later ones;
* ``video``: from all frames of the track, as the evaluation has it;
* neutral frames of the person, given beforehand.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import get_args

import numpy as np
import numpy.typing as npt

from action_units.config import PersonCentredMode
from action_units.errors import ArtifactError, ConfigurationError
from action_units.evaluation.metrics import Floats
from action_units.evaluation.postprocessing.person_centred import PersonCentring
from action_units.hints import command
from action_units.prediction.classifier import Classifier, combined

KEPT_FRAMES = 1024
"""A track keeps between half as many and so many frames, evenly spaced over all until now."""

_FIRST_FRAMES = 32  # room for a new track; it grows

Raw = npt.NDArray[np.float32]


def check_mode(mode: str) -> None:
    """Raise a ConfigurationError for an unknown mode."""
    if mode not in get_args(PersonCentredMode):
        raise ConfigurationError(
            f"person_centred={mode!r} is unknown: none leaves it out, running takes the frames "
            "of a face until now, video all frames of the video."
        )


def centrings_of(classifier: Classifier) -> tuple[PersonCentring, ...]:
    """The centring of each network.

    Raises:
        ArtifactError: A network has none.
    """
    found = []
    for one in classifier.predictors:
        if one.postprocessing.person_centred is None:
            raise ArtifactError(
                f"{classifier.name}: {one.name} has no person-centred postprocessing; "
                f"{command('evaluate')} fits it. An ONNX file of several networks cannot have "
                "it: name the folder of models or of the export."
            )
        found.append(one.postprocessing.person_centred.centring)
    return tuple(found)


@dataclass
class _Track:
    """Frames of one track, of which every `stride`-th is kept, and their reference.

    Attributes:
        kept: Probabilities, (K, M, A); the first `n` are filled.
        n: How many are kept.
        seen: How many frames there were.
        stride: Which of them are kept.
        last: Number of the last one.
        reference: From the frames kept, (M, A).
    """

    kept: Raw
    n: int = 0
    seen: int = 0
    stride: int = 1
    last: int = 0
    reference: Floats | None = None

    def add(self, p: Raw) -> None:
        """Take the next frame, (M, A)."""
        if self.n == KEPT_FRAMES and self.seen % self.stride == 0:
            self.kept[: self.n // 2] = self.kept[: self.n : 2]
            self.n, self.stride = self.n // 2, 2 * self.stride
        if self.seen % self.stride == 0:
            if self.n == len(self.kept):
                self.kept = np.concatenate([self.kept, np.empty_like(self.kept)])
            self.kept[self.n] = p
            self.n, self.reference = self.n + 1, None
        self.seen += 1


class RunningReferences:
    """The references of the tracks of one video, frame by frame.

    Up to `KEPT_FRAMES` frames of a track the quantile is exact; later it is that of frames
    evenly spaced over the whole track until now, so that memory and time stay bounded.
    """

    def __init__(
        self, centrings: Sequence[PersonCentring], forget_after: int | None = None
    ) -> None:
        """Begin a video.

        Args:
            centrings: Of the M networks.
            forget_after: Tracks that were not seen for more frames do not come back.
        """
        self._centrings, self._forget_after = centrings, forget_after
        self._tracks: dict[int, _Track] = {}

    def follow(self, frames: Sequence[int], tracks: Sequence[int], raw: Raw) -> Floats:
        """Take the faces of the next frames, in order.

        Args:
            frames: The frame of each face, (N,).
            tracks: The track of each face, (N,).
            raw: The networks' probabilities, (M, N, A).

        Returns:
            References in logits, (M, N, A), each from the frames of its track until it; NaN
            where these are too few.
        """
        found = np.full(raw.shape, np.nan)
        for index, (frame, number) in enumerate(zip(frames, tracks, strict=True)):
            if number not in self._tracks:
                shape = _FIRST_FRAMES, len(raw), raw.shape[2]
                self._tracks[number] = _Track(np.empty(shape, np.float32))
            track = self._tracks[number]
            track.add(raw[:, index])
            track.last = frame
            if track.reference is None:
                track.reference = self._reference(track)
            found[:, index] = track.reference
        if frames and self._forget_after is not None:
            oldest = frames[-1] - self._forget_after
            self._tracks = {n: one for n, one in self._tracks.items() if one.last >= oldest}
        return found

    def _reference(self, track: _Track) -> Floats:
        """(M, A), NaN where the frames seen are too few."""
        each = []
        for network, centring in enumerate(self._centrings):
            enough = track.seen >= centring.minimum_frames
            # Of frames seen fewer may be kept.
            any_number = replace(centring, minimum_frames=1 if enough else KEPT_FRAMES + 1)
            p = track.kept[: track.n, network]
            each.append(any_number.references(p, np.zeros(len(p)))[0])
        return np.stack(each)


def centred_thresholds(classifier: Classifier) -> Floats:
    """From which person-centred probabilities are called present, (A,)."""
    values = [
        one.postprocessing.person_centred.steps.thresholds.values
        for one in classifier.predictors
        if one.postprocessing.person_centred is not None
    ]
    return combined(values)


def whole_video(centrings: Sequence[PersonCentring], tracks: Sequence[int], raw: Raw) -> Floats:
    """References from all frames of each track, arguments as of `RunningReferences`."""
    each = [one.references(p, np.array(tracks)) for one, p in zip(centrings, raw, strict=True)]
    return np.stack(each)


def neutral_references(centrings: Sequence[PersonCentring], raw: Raw) -> Floats:
    """The reference of a person from neutral frames, (M, A).

    Args:
        centrings: Of the M networks.
        raw: Their probabilities of the neutral frames, (M, K, A), K ≥ 1.
    """
    return np.stack([one.neutral_reference(p) for one, p in zip(centrings, raw, strict=True)])
