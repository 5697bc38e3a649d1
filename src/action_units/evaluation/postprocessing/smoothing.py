"""Probabilities of a video, smoothed along its frames.

Expressions change more slowly than frame-to-frame prediction noise. The window is chosen on
validation subjects; no smoothing is among the candidates. Where a frame number is missing a
video is cut in two: nothing is smoothed over a gap.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.ndimage import gaussian_filter1d, median_filter, uniform_filter1d

from action_units.errors import ArtifactError, ConfigurationError
from action_units.evaluation.events import frame_order, runs
from action_units.evaluation.metrics import Floats, mean_defined, rank
from action_units.evaluation.predictions import PredictionError, Predictions, check_arrays

_Filter = Callable[[Floats, int], Floats]

_FILTERS: dict[str, _Filter] = {
    "mean": lambda p, window: uniform_filter1d(p, window, axis=0, mode="nearest"),
    "median": lambda p, window: median_filter(p, (window, 1), mode="nearest"),
    "gaussian": lambda p, window: gaussian_filter1d(
        p, window / 4, axis=0, mode="nearest", radius=window // 2
    ),
}
"""By name; (n, A) of one run of frames and a window. Beyond its ends the first and last
frame are repeated. A Gaussian's window is four of its standard deviations wide."""


@dataclass(frozen=True)
class Smoothing:
    """A centred window along the frames of a video.

    Attributes:
        kind: ``none``, ``mean``, ``median`` or ``gaussian``.
        window: In frames, odd; 1 for ``none``.
        fitted_on: Subjects it was chosen on.
    """

    kind: str = "none"
    window: int = 1
    fitted_on: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check kind and window."""
        if self.kind != "none" and self.kind not in _FILTERS:
            raise ConfigurationError(
                f"smoothing {self.kind!r}: expected none, {', '.join(_FILTERS)}."
            )
        if self.window < 1 or self.window % 2 == 0:
            raise ConfigurationError(
                f"a smoothing window of {self.window} frames: expected an odd number, such as "
                "5, so that it has a middle."
            )

    def apply(
        self,
        probabilities: ArrayLike,
        recordings: ArrayLike | None,
        frames: ArrayLike | None,
    ) -> Floats:
        """Smoothed probabilities, (N, A), in the order given.

        Args:
            probabilities: (N, A).
            recordings: Each frame's video, (N,); not needed for ``none``.
            frames: Its number there, (N,); not needed for ``none``.

        Raises:
            PredictionError: The frames have no numbers.
        """
        smoothed = np.array(probabilities, np.float64)
        if self.kind == "none" or self.window == 1:
            return smoothed
        if recordings is None or frames is None:
            raise PredictionError(
                "frames without numbers cannot be smoothed along their video: expected a "
                "column 'frame' in the predictions."
            )
        order, follows = frame_order(recordings, frames)
        for start, stop in zip(*runs(np.ones(order.size, np.bool_), follows), strict=True):
            if stop - start > 1:
                rows = order[start:stop]
                smoothed[rows] = _FILTERS[self.kind](smoothed[rows], self.window)
        return np.clip(smoothed, 0.0, 1.0)  # sums may be off 1 by a rounding

    def to_json(self) -> dict[str, Any]:
        """JSON values."""
        return {"kind": self.kind, "window": self.window, "fitted_on": list(self.fitted_on)}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "Smoothing":
        """The smoothing that `to_json` wrote.

        Raises:
            ArtifactError: Something is missing in it.
        """
        try:
            fitted_on = tuple(content["fitted_on"])
            return cls(str(content["kind"]), int(content["window"]), fitted_on)
        except (KeyError, TypeError, ValueError) as error:
            raise ArtifactError(f"the smoothing cannot be read ({error!r}).") from error


CANDIDATES = (
    Smoothing(),
    *(Smoothing(kind, window) for window in (3, 5, 9, 15, 25) for kind in _FILTERS),
)
"""From none to the widest window."""


def choose_smoothing(
    validation: Predictions, candidates: Sequence[Smoothing] = CANDIDATES
) -> Smoothing:
    """The candidate with the best F1 on validation subjects.

    Each is scored by the mean over AUs of F1 at the best threshold, which is fitted
    afterwards; of equals the first is taken.

    Args:
        validation: A network on the validation subjects, with frame numbers.
        candidates: To choose from.

    Raises:
        PredictionError: The frames have no numbers.
    """
    reached = []
    for candidate in candidates:
        smoothed = candidate.apply(
            validation.probabilities, validation.recordings, validation.frames
        )
        y, p = check_arrays(validation.labels, smoothed)
        f1 = [rank(y[:, column], p[:, column]).f1() for column in range(y.shape[1])]
        best = np.array([cuts.max() if cuts.size else math.nan for cuts in f1])  # (A,)
        reached.append(float(mean_defined(best)))
    chosen = candidates[int(np.argmax(np.nan_to_num(reached, nan=-1.0)))]
    return replace(chosen, fitted_on=tuple(np.unique(validation.subjects).tolist()))
