"""A classifier ready for use: one fold's network, or the networks of several folds.

Several networks answer as one. With `p_k` and `t_k` the probability and the threshold of
network `k`, and `σ` the logistic function,

    p = σ(mean_k logit p_k)        t = σ(mean_k logit t_k)

so an AU is called present where the networks' mean margin over their thresholds, in
logits, is not negative. A classifier of one network keeps its own `p` and `t`, bit for bit.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt
from numpy.typing import ArrayLike

from action_units.config import CropSettings
from action_units.errors import ArtifactError
from action_units.evaluation.ensemble import mean_logit
from action_units.evaluation.postprocessing.postprocessing import Postprocessing
from action_units.faces.crop import FaceSettings, cut_and_encode
from action_units.faces.detection.base import Detection
from action_units.faces.packing import packed_face
from action_units.faces.store import Faces
from action_units.labels.action_units import au_columns
from action_units.media.images import Pixels


@dataclass(frozen=True)
class FaceInput:
    """How a face in a picture becomes what a network takes.

    Attributes:
        settings: How faces are found and cut out.
        size: Side of the square face, in pixels.
    """

    settings: FaceSettings = field(
        default_factory=lambda: FaceSettings(crop=CropSettings(margin=0.0))
    )
    size: int = 64

    def face(self, pixels: Pixels, detection: Detection) -> Pixels:
        """Cut a face out of a picture as preprocessing does, through a crop's file.

        Args:
            pixels: The picture, ``(H, W)`` or ``(H, W, 3)`` blue-green-red.
            detection: Where the face is.

        Returns:
            uint8 (S, S).

        Raises:
            UnusableFace: The face cannot be cut out.
        """
        _, content = cut_and_encode(pixels, detection, self.settings)
        return packed_face(content, self.size)


class Network(Protocol):
    """One fold's network, whatever runs it; it is asked from several threads at once."""

    @property
    def aus(self) -> tuple[int, ...]:
        """The AU of each column."""

    def probabilities(self, faces: Faces) -> npt.NDArray[np.float32]:
        """Probabilities (N, A) of faces uint8 (N, S, S); of each face its own alone."""


@dataclass(frozen=True)
class Member:
    """One fold's network and what is done to its probabilities.

    Attributes:
        name: Such as ``fold3``.
        network: What is asked.
        postprocessing: Smoothing, calibration and thresholds, from its validation subjects.
        sha256: Of the file of its weights.
    """

    name: str
    network: Network
    postprocessing: Postprocessing
    sha256: str = ""


class Classifier:
    """Networks that answer as one.

    Attributes:
        members: One network, or one of each fold.
        faces: How a face becomes their input.
        aus: The AU of each column.
        name: Which run and folds they are of.
        sha256: Changes when a network or its treatment does.
    """

    def __init__(
        self, members: Sequence[Member], faces: FaceInput, name: str, sha256: str
    ) -> None:
        """Put networks together.

        Args:
            members: One or more, of the same AUs.
            faces: How a face becomes their input.
            name: For people to read.
            sha256: Of all that the answers depend on.

        Raises:
            ArtifactError: There is none, or they are of different AUs.
        """
        if not members:
            raise ArtifactError(f"{name} has no network.")
        self.members, self.faces = tuple(members), faces
        self.name, self.sha256 = name, sha256
        self.aus = self.members[0].network.aus
        for member in self.members:
            if member.network.aus != self.aus:
                raise ArtifactError(
                    f"{name}: {member.name} tells {', '.join(au_columns(member.network.aus))} "
                    f"and {self.members[0].name} {', '.join(au_columns(self.aus))}; networks "
                    "that answer together must be of the same AUs. Choose one fold."
                )

    @property
    def thresholds(self) -> npt.NDArray[np.float64]:
        """An AU is called present from this probability on, (A,)."""
        values = np.array([m.postprocessing.thresholds.values for m in self.members])  # (M, A)
        return values[0] if len(values) == 1 else mean_logit(values)

    @property
    def look_ahead(self) -> int:
        """How many frames before and after one its smoothed probability depends on."""
        return max(member.postprocessing.smoothing.window // 2 for member in self.members)

    def probabilities(self, faces: Faces) -> npt.NDArray[np.float32]:
        """What each network says, untreated.

        Args:
            faces: uint8 (N, S, S).

        Returns:
            (M, N, A). A face's do not depend on the others.
        """
        return np.stack([member.network.probabilities(faces) for member in self.members])

    def combine(
        self,
        raw: npt.NDArray[np.float32],
        tracks: ArrayLike | None = None,
        frames: ArrayLike | None = None,
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
        """Treat what the networks said, and make one answer of it.

        Args:
            raw: From ``probabilities``, (M, N, A).
            tracks: Whose face each is, (N,): smoothing goes along a track. Without, every
                face is for itself and nothing is smoothed.
            frames: The number of each face's frame, (N,); None where ``tracks`` is.

        Returns:
            Probabilities (N, A), and whether each AU is called present (N, A).
        """
        if tracks is None or frames is None:
            tracks, frames = np.arange(raw.shape[1]), np.zeros(raw.shape[1], np.int64)
        treated = np.stack(
            [
                member.postprocessing.probabilities(p, tracks, frames)
                for member, p in zip(self.members, raw, strict=True)
            ]
        )
        p = treated[0] if len(treated) == 1 else mean_logit(treated)
        rounded = p.astype(np.float32)  # as tables hold it: so a call can be checked there
        return rounded, rounded >= self.thresholds
