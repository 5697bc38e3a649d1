"""All figures of merit from what each subject contributes to them.

Every figure here is a function of sums over subjects. So the figure itself is one
weighing of the subjects, each counted once, and a bootstrap resample is another: the same
code computes both, and no frame is looked at twice.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from action_units.evaluation import bootstrap, metrics
from action_units.evaluation.agreement import SubjectAgreement, subject_agreement
from action_units.evaluation.bootstrap import SubjectCounts
from action_units.evaluation.events import SubjectEvents, subject_events
from action_units.evaluation.measures import METRICS
from action_units.evaluation.metrics import Bools, Confusion, Floats
from action_units.evaluation.predictions import Predictions
from action_units.evaluation.ranks import SubjectRanks, subject_ranks
from action_units.evaluation.reliability import SubjectCalibration, subject_calibration

MetricValues = dict[str, Floats]
"""By name of `METRICS`; (A,), or (R, A) of resamples."""

_COUNTED = {
    "f1": metrics.f1,
    "floor_f1": metrics.floor_f1,
    "f1_norm": metrics.f1_norm,
    "precision": metrics.precision,
    "recall": metrics.recall,
    "balanced_accuracy": metrics.balanced_accuracy,
    "mcc": metrics.mcc,
    "prevalence": metrics.prevalence,
}
"""The figures of confusion counts at the threshold."""


@dataclass(frozen=True, eq=False)
class SubjectStatistics:
    """What each subject contributes to the figures of one network.

    Attributes:
        people: The subjects, and their confusion counts at the threshold.
        at_half: Their counts at threshold 0.5, (S, A); this and what follows is
            missing where nothing but counts is known.
        ranks: By AU, for AUC and average precision.
        calibration: For Brier score and ECE.
        events: For F1-event; missing too where frames have no numbers.
        agreement: For ICC, PCC and MAE; missing too where there are no intensities.
    """

    people: SubjectCounts
    at_half: Confusion | None = None
    ranks: tuple[SubjectRanks, ...] | None = None
    calibration: SubjectCalibration | None = None
    events: SubjectEvents | None = None
    agreement: SubjectAgreement | None = None

    @property
    def n_aus(self) -> int:
        """How many AUs there are."""
        return int(self.people.counts.tp.shape[-1])

    @property
    def values(self) -> MetricValues:
        """Every figure, (A,)."""
        everyone = np.ones((1, len(self.people.subjects)))
        return {name: figure[0] for name, figure in self.weighed(everyone).items()}

    def resampled(
        self, seed: Sequence[int], resamples: int = bootstrap.RESAMPLES
    ) -> MetricValues:
        """Every figure in resamples of the subjects, (R, A).

        Args:
            seed: As in `bootstrap.draws`.
            resamples: How many.
        """
        return self.weighed(bootstrap.draws(len(self.people.subjects), seed, resamples))

    def weighed(self, times: Floats) -> MetricValues:
        """Every figure with each subject counted so many times.

        Args:
            times: (R, S).

        Returns:
            (R, A) each, in the order of `METRICS`; NaN where undefined.
        """
        counts = _weigh(self.people.counts, times)
        found = {name: figure(counts) for name, figure in _COUNTED.items()}
        if self.at_half is not None:
            found["f1_at_half"] = metrics.f1(_weigh(self.at_half, times))
        if self.ranks is not None:
            found["auc"] = np.stack([r.auc(times) for r in self.ranks], axis=1)
            found["average_precision"] = np.stack(
                [r.average_precision(times) for r in self.ranks], axis=1
            )
        if self.calibration is not None:
            found["brier"] = self.calibration.brier(times)
            found["ece"] = self.calibration.ece(times)
        if self.at_half is not None:
            nothing = np.full((len(times), self.n_aus), np.nan)
            found["f1_event"] = nothing if self.events is None else self.events.f1(times)
            sums = self.agreement
            found["icc"] = nothing if sums is None else sums.icc(times)
            found["pcc"] = nothing if sums is None else sums.pcc(times)
            found["mae"] = nothing if sums is None else sums.mae(times)
        return {name: found[name] for name in METRICS if name in found}

    def why_undefined(self, values: Mapping[str, Floats]) -> list[dict[str, str]]:
        """For each AU, the figures that are NaN and why.

        Args:
            values: As `values`.
        """
        counts = self.people.counts.sum()
        called = counts.tp + counts.fp
        reasons = []
        for au in range(self.n_aus):
            said: dict[str, str] = {}
            for name, figure in values.items():
                if not np.isnan(figure[au]):
                    continue
                if name in ("icc", "pcc", "mae"):
                    said[name] = self._why_no_agreement(au)
                elif counts.n[au] == 0:
                    said[name] = "no frame with a label"
                elif name == "precision":
                    said[name] = "never called present"
                elif counts.support[au] == 0:
                    said[name] = "no positive frame"
                elif name == "f1_event":
                    said[name] = "frames without a number of their own"
                elif counts.support[au] == counts.n[au]:
                    said[name] = "no negative frame"
                else:
                    said[name] = f"{'always' if called[au] else 'never'} called present"
            reasons.append(said)
        return reasons

    def _why_no_agreement(self, au: int) -> str:
        if self.agreement is None:
            return "no intensities in the data"
        if not self.agreement.n[:, au].any():
            return "no frame with an intensity"
        return "the same intensity in every frame, coded or predicted"


def subject_statistics(answers: Predictions) -> SubjectStatistics:
    """What each subject contributes.

    Args:
        answers: One network on some subjects.
    """
    ids, index = np.unique(answers.subjects, return_inverse=True)  # (S,), (N,)
    n, y, p = ids.size, answers.labels, answers.probabilities
    agreement = None
    if answers.intensities is not None:
        agreement = subject_agreement(answers.intensities, answers.estimates, index, n)
    return SubjectStatistics(
        people=SubjectCounts(
            tuple(ids.tolist()), bootstrap.counted(y, answers.predicted, index, n)
        ),
        at_half=bootstrap.counted(y, p >= 0.5, index, n),
        ranks=tuple(
            subject_ranks(*column, index, n)
            for column in zip(np.ascontiguousarray(y.T), np.ascontiguousarray(p.T), strict=True)
        ),
        calibration=subject_calibration(y, p, index, n),
        events=subject_events(answers, index, n),
        agreement=agreement,
    )


def enough(people: SubjectCounts, measure: str) -> Bools:
    """Which AUs have an interval: at least two subjects must tell of them, (A,)."""
    if METRICS[measure].of_positives:
        return people.with_positives >= 2
    return np.asarray(np.count_nonzero(people.counts.n > 0, axis=0) >= 2, np.bool_)


def _weigh(counts: Confusion, times: Floats) -> Confusion:
    return Confusion(
        *(
            (times @ part).astype(np.int64)
            for part in (counts.tp, counts.fp, counts.fn, counts.tn)
        )
    )
