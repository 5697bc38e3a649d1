"""A classifier ready for use: one fold's network, or the networks of several folds combined.

With `p_k` and `t_k` the probability and the threshold of network `k`, and `σ` the logistic
function,

    p = σ(mean_k logit p_k)        t = σ(mean_k logit t_k)

so an AU is called present where the networks' mean margin over their thresholds, in
logits, is not negative. Intensities are the mean of the networks' own. A classifier of one
network keeps its own, bit for bit.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
from numpy.typing import ArrayLike

from action_units.config import CropSettings, DetectorSettings
from action_units.errors import ArtifactError
from action_units.evaluation.postprocessing.postprocessing import Postprocessing
from action_units.evaluation.predictions import mean_logit
from action_units.faces.crop import FaceSettings, cut_and_encode
from action_units.faces.detection.base import Detection
from action_units.faces.packing import packed_face
from action_units.faces.store import Faces
from action_units.labels.action_units import au_columns
from action_units.media.images import Pixels


@dataclass(frozen=True)
class FaceInput:
    """How a face in a picture becomes the input of a network.

    Attributes:
        settings: How faces are found and cut out.
        size: Side of the square face, in pixels.
        colour: The networks were trained on faces in colour.
    """

    settings: FaceSettings = field(
        default_factory=lambda: FaceSettings(crop=CropSettings(margin=0.0))
    )
    size: int = 64
    colour: bool = False

    def face(self, pixels: Pixels, detection: Detection) -> Pixels:
        """Cut a face out as preprocessing does, through the bytes of a crop's file.

        Args:
            pixels: The picture, ``(H, W)`` or ``(H, W, 3)`` blue-green-red.
            detection: Where the face is.

        Returns:
            uint8 (S, S), or in colour (S, S, 3).

        Raises:
            UnusableFace: The face cannot be cut out.
        """
        _, content = cut_and_encode(pixels, detection, self.settings)
        return packed_face(content, self.size, colour=self.colour)


class Network(Protocol):
    """One fold's network on any runtime; called from several threads at once."""

    @property
    def aus(self) -> tuple[int, ...]:
        """The AU of each column."""

    def probabilities(self, faces: Faces) -> npt.NDArray[np.float32]:
        """Probabilities (N, A) of faces uint8 (N, S, S[, 3]), each for itself."""


@dataclass(frozen=True)
class FoldPredictor:
    """One fold's network and the postprocessing of its probabilities.

    Attributes:
        name: Such as ``fold3``.
        network: Computes the probabilities.
        postprocessing: Smoothing, calibration and thresholds, fitted on validation subjects.
        sha256: Of the file of its weights.
    """

    name: str
    network: Network
    postprocessing: Postprocessing
    sha256: str = ""


class Combined(NamedTuple):
    """Predictions of some faces.

    Attributes:
        probabilities: (N, A).
        present: Whether each AU is called present, (N, A).
        intensities: Expected, 0 to 5, NaN for an AU that is not estimated, (N, A); None where
            none is.
    """

    probabilities: npt.NDArray[np.float32]
    present: npt.NDArray[np.bool_]
    intensities: npt.NDArray[np.float32] | None


class Classifier:
    """One or more networks of the same AUs, combined into one prediction."""

    def __init__(
        self, predictors: Sequence[FoldPredictor], faces: FaceInput, name: str, sha256: str
    ) -> None:
        """Combine networks.

        Args:
            predictors: One network, or one of each fold.
            faces: How a face becomes their input.
            name: For people: which run and folds.
            sha256: Changes when a network or its postprocessing does.

        Raises:
            ArtifactError: No network was given, or their AUs differ.
        """
        if not predictors:
            raise ArtifactError(f"{name} has no network.")
        self.predictors, self.faces = tuple(predictors), faces
        self.name, self.sha256 = name, sha256
        first = self.predictors[0]
        self.aus = first.network.aus
        for other in self.predictors:
            if other.network.aus != self.aus:
                raise ArtifactError(
                    f"{name}: {other.name} predicts {', '.join(au_columns(other.network.aus))} "
                    f"and {first.name} {', '.join(au_columns(self.aus))}; networks can be "
                    "combined only if their AUs are the same. Choose one fold."
                )

    def with_detector(
        self, name: str | None = None, min_confidence: float | None = None
    ) -> "Classifier":
        """The same classifier with another face detector; None keeps a setting.

        Args:
            name: ``yunet`` or ``ssd``.
            min_confidence: The lowest score that counts as a face.

        Raises:
            ConfigurationError: A value is outside its choices, or the crops are aligned by
                eyes that the detector does not find.
        """
        settings = self.faces.settings
        detector = settings.detector
        if name is not None and name != detector.name:
            changed = {"name": name, "model": None, "score": None}
            detector = DetectorSettings.read({**detector.model_dump(), **changed}, "detector")
        if min_confidence is not None:
            detector = DetectorSettings.read(
                {**detector.model_dump(), "score": min_confidence}, "min_confidence: detector"
            )
        if detector == settings.detector:
            return self
        faces = replace(self.faces, settings=replace(settings, detector=detector))
        return Classifier(self.predictors, faces, self.name, self.sha256)

    @property
    def thresholds(self) -> npt.NDArray[np.float64]:
        """An AU is called present from this probability on, (A,)."""
        return combined([p.postprocessing.thresholds.values for p in self.predictors])

    @property
    def estimated(self) -> tuple[int, ...]:
        """The AUs whose intensities all networks estimate."""
        curves = [p.postprocessing.intensity for p in self.predictors]
        known = [np.zeros(len(self.aus), np.bool_) if c is None else c.known for c in curves]
        return tuple(self.aus[a] for a in np.flatnonzero(np.all(known, axis=0)))

    @property
    def look_ahead(self) -> int:
        """How many frames before and after it a smoothed probability depends on, at most."""
        steps = [p.postprocessing for p in self.predictors]
        steps += [one.person_centred.steps for one in steps if one.person_centred]
        return max(one.smoothing.window // 2 for one in steps)

    def probabilities(self, faces: Faces) -> npt.NDArray[np.float32]:
        """Raw probabilities (M, N, A) of every network for faces uint8 (N, S, S[, 3])."""
        return np.stack([p.network.probabilities(faces) for p in self.predictors])

    def combine(
        self,
        raw: npt.NDArray[np.float32],
        tracks: ArrayLike | None = None,
        frames: ArrayLike | None = None,
        references: npt.NDArray[np.float64] | None = None,
    ) -> Combined:
        """Postprocess the networks' probabilities and combine them.

        Args:
            raw: From ``probabilities``, (M, N, A).
            tracks: The track of each face, (N,), along which probabilities are smoothed.
                None: nothing is smoothed.
            frames: The frame number of each face, (N,); None where ``tracks`` is.
            references: Of each face's person, for every network, (M, N, A), as ``centring``
                has them; NaN where there is none. None: nothing is person-centred.

        Returns:
            Probabilities, calls and, where all networks estimate them, the mean of their
            intensities.
        """
        if tracks is None or frames is None:
            tracks, frames = np.arange(raw.shape[1]), np.zeros(raw.shape[1], np.int64)
        steps = [predictor.postprocessing for predictor in self.predictors]
        thresholds = self.thresholds
        if references is None:
            postprocessed = np.stack(
                [
                    one.probabilities(p, tracks, frames)
                    for one, p in zip(steps, raw, strict=True)
                ]
            )
        else:
            each = [
                one.relative_to(own, p, tracks, frames)
                for one, own, p in zip(steps, references, raw, strict=True)
            ]
            postprocessed = np.stack([p for p, _ in each])
            thresholds = combined([limits for _, limits in each])  # (N, A)
        p = combined(postprocessed)
        rounded = p.astype(np.float32)  # as tables hold it, so that calls can be checked there
        intensities = None
        if self.estimated:
            centred = [None] * len(steps) if references is None else ~np.isnan(references)
            estimates = [
                one.intensities(own.astype(np.float32), None if c is None else c.all(axis=1))
                for one, own, c in zip(steps, postprocessed, centred, strict=True)
            ]
            intensities = np.mean(np.array(estimates, np.float64), axis=0).astype(np.float32)
        return Combined(rounded, rounded >= thresholds, intensities)


def combined(values: ArrayLike) -> npt.NDArray[np.float64]:
    """Of one network as they are, of several the mean in logits, (M, …) to (…)."""
    each = np.asarray(values, np.float64)
    return each[0] if len(each) == 1 else mean_logit(each)
