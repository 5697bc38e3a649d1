"""Expected intensities, 0 to 5, from probabilities of presence: a curve for each AU.

The intensity of an AU is `scale · p ** exponent`, p being its probability after all other
postprocessing. A curve keeps the order of frames and is fitted on validation subjects, so it
costs no training, and presence, thresholds and F1 stay as they are. docs/evaluation.md says
what was measured instead.

Scale and exponent maximise the ICC(3,1) minus the mean absolute error as a part of that of the
estimate 0. Most frames of a rare AU are 0, so the error alone chooses 0 for all of them, and
the ICC alone does not see how far estimates are from the codes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from action_units.errors import ArtifactError
from action_units.evaluation.metrics import Floats
from action_units.evaluation.postprocessing.thresholds import MINIMUM_POSITIVES
from action_units.evaluation.predictions import HIGHEST_INTENSITY, check_subjects
from action_units.labels.action_units import au_columns

_SCALES = np.arange(1, 51) / 10  # to HIGHEST_INTENSITY
_EXPONENTS = np.geomspace(0.25, 8.0, 41)


@dataclass(frozen=True)
class IntensityCurve:
    """A power of each AU's probability.

    Attributes:
        scale: The intensity at probability 1, 0 to 5; NaN where an AU has no intensities in the
            data, which is then not estimated, (A,).
        exponent: Of the probability; NaN likewise, (A,).
        fallback: AUs with too few validation frames above 0, which took the medians of the
            other AUs, (A,).
        fitted_on: Subjects.
        training_mean: Mean coded intensity of the training subjects, for comparison; NaN where
            it is not known, (A,).
    """

    scale: tuple[float, ...]
    exponent: tuple[float, ...]
    fallback: tuple[bool, ...]
    fitted_on: tuple[str, ...]
    training_mean: tuple[float, ...]

    @property
    def known(self) -> NDArray[np.bool_]:
        """Which AUs have a curve, (A,)."""
        return np.asarray(~np.isnan(self.scale), np.bool_)

    def apply(self, probabilities: ArrayLike) -> Floats:
        """Expected intensities of probabilities after all other postprocessing, (N, A)."""
        p = np.asarray(probabilities, np.float64)
        return np.asarray(np.array(self.scale) * p ** np.array(self.exponent), np.float64)

    def columns(self, aus: Sequence[int], probabilities: ArrayLike) -> dict[str, Any]:
        """Columns of a predictions table: ``AU01_e`` and, where known, ``AU01_m``.

        Args:
            aus: The AUs of the curve.
            probabilities: As in `apply`.
        """
        estimates = self.apply(probabilities).astype(np.float32)
        names = au_columns(aus)
        of_aus = {f"{names[a]}_e": estimates[:, a] for a in np.flatnonzero(self.known)}
        means = zip(names, self.training_mean, strict=True)
        return of_aus | {f"{n}_m": np.float32(m) for n, m in means if not np.isnan(m)}

    def to_json(self, aus: Sequence[int]) -> dict[str, Any]:
        """JSON values of the AUs that have a curve."""
        rows = zip(
            aus, self.scale, self.exponent, self.fallback, self.training_mean, strict=True
        )
        return {
            "kind": "power",
            "aus": {
                str(au): {
                    "scale": scale,
                    "exponent": exponent,
                    "fallback": fallback,
                    "training_mean": None if np.isnan(mean) else mean,
                }
                for au, scale, exponent, fallback, mean in rows
                if not np.isnan(scale)
            },
            "fitted_on": list(self.fitted_on),
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any], aus: Sequence[int]) -> "IntensityCurve":
        """The curves that `to_json` wrote, for these AUs in this order.

        Raises:
            ArtifactError: It is of another kind, or something is missing in it.
        """
        try:
            if content["kind"] != "power":
                raise ValueError(f"kind {content['kind']!r}, expected 'power'")
            nothing = {"scale": np.nan, "exponent": np.nan, "fallback": False}
            rows = [content["aus"].get(str(au), nothing) for au in aus]
            means = [row.get("training_mean") for row in rows]
            return cls(
                tuple(float(row["scale"]) for row in rows),
                tuple(float(row["exponent"]) for row in rows),
                tuple(bool(row["fallback"]) for row in rows),
                tuple(content["fitted_on"]),
                tuple(float(np.nan if mean is None else mean) for mean in means),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ArtifactError(
                f"the intensities' curves cannot be read ({error!r}): fit them again on the "
                "same AUs as the predictions."
            ) from error


def fit_intensity(
    intensities: ArrayLike,
    probabilities: ArrayLike,
    subjects: ArrayLike,
    minimum: int = MINIMUM_POSITIVES,
    training_mean: Sequence[float] | None = None,
) -> IntensityCurve | None:
    """The curve of each AU, the best of a grid of scales and exponents.

    Args:
        intensities: Coded on validation subjects, 0 to 5, NaN where missing, (N, A).
        probabilities: After all other postprocessing, (N, A).
        subjects: Each frame's subject, (N,).
        minimum: AUs with fewer frames of an intensity above 0 (or no other frames) are not
            fitted; they take the medians of the others. Where none is fitted, the curve is 5 p.
        training_mean: As in `IntensityCurve`.

    Returns:
        None where no AU has intensities.

    Raises:
        PredictionError: There is not one subject for each frame.
    """
    coded, p = np.asarray(intensities, np.float64), np.asarray(probabilities, np.float64)
    fitted_on = tuple(np.unique(check_subjects(subjects, len(p))).tolist())
    known = ~np.isnan(coded)  # (N, A)
    has: NDArray[np.bool_] = np.asarray(known.any(axis=0))
    if not has.any():
        return None
    shown = np.count_nonzero(known & (coded > 0), axis=0)
    varies = np.array([np.unique(coded[k, a]).size > 1 for a, k in enumerate(known.T)])
    few = has & ((shown < max(minimum, 1)) | ~varies)
    values = np.full((2, len(has)), np.nan)  # scale, exponent
    for a in np.flatnonzero(has & ~few):
        values[:, a] = _best(coded[known[:, a], a], p[known[:, a], a])
    fitted = values[:, has & ~few]
    typical = np.median(fitted, axis=1) if fitted.size else (HIGHEST_INTENSITY, 1.0)
    values[:, few] = np.reshape(typical, (2, 1))
    means = np.full(len(has), np.nan) if training_mean is None else np.array(training_mean)
    scale, exponent = (tuple(row.tolist()) for row in values)
    return IntensityCurve(
        scale, exponent, tuple(few.tolist()), fitted_on, tuple(means.tolist())
    )


def _best(coded: Floats, p: Floats) -> tuple[float, float]:
    """Scale and exponent of one AU, from coded intensities that vary and probabilities (N,)."""
    shown = coded > 0
    logarithm = np.log(np.maximum(p, np.finfo(np.float64).tiny))
    x, variance = coded - coded.mean(), coded.var()
    zero = np.abs(coded).mean()  # the error of the estimate 0
    best, found = -np.inf, (HIGHEST_INTENSITY, 1.0)
    for exponent in _EXPONENTS:
        q = np.exp(exponent * logarithm)
        covariance, spread = (x * q).mean(), q.var()
        icc = 2 * _SCALES * covariance / (_SCALES**2 * spread + variance)
        errors = [np.abs(scale * q[shown] - coded[shown]).sum() for scale in _SCALES]
        error = (errors + _SCALES * q[~shown].sum()) / len(q)
        score = icc - error / zero
        if score.max() > best:
            best, found = score.max(), (float(_SCALES[score.argmax()]), float(exponent))
    return found
