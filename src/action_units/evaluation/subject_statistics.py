"""All metrics from what each subject contributes to them, and their registry.

Every metric is a function of sums over subjects. So the value itself is one weighting of the
subjects, each counted once, and a bootstrap resample is another: the same code computes both,
and no frame is read twice.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from action_units.evaluation import bootstrap, metrics
from action_units.evaluation.agreement import SubjectAgreement, subject_agreement
from action_units.evaluation.events import SubjectEvents, subject_events
from action_units.evaluation.metrics import Bools, Confusion, Floats, Ints, Labels
from action_units.evaluation.predictions import Predictions, check_subjects
from action_units.evaluation.ranks import SubjectRanks, subject_ranks
from action_units.evaluation.reliability import SubjectCalibration, subject_calibration

MIN_SUBJECTS = 2
"""So many subjects must show an AU for an interval."""

MetricValues = dict[str, Floats]
"""By name of `METRICS`; (A,), or (R, A) of resamples."""


@dataclass(frozen=True)
class SubjectCounts:
    """Confusion counts of each subject.

    Attributes:
        subjects: Their ids, sorted, S of them.
        counts: Counts per subject and AU, (S, A).
    """

    subjects: tuple[str, ...]
    counts: Confusion

    @property
    def scored(self) -> Ints:
        """How many subjects each AU is scored for at all, (A,)."""
        return np.asarray(np.count_nonzero(self.counts.n > 0, axis=0), np.int64)

    @property
    def with_positives(self) -> Ints:
        """How many subjects show each AU at all, (A,)."""
        return np.asarray(np.count_nonzero(self.counts.support > 0, axis=0), np.int64)

    def has_interval(self, metric: str) -> Bools:
        """Which AUs have an interval: at least `MIN_SUBJECTS` contribute to them, (A,)."""
        contribute = self.with_positives if METRICS[metric].of_positives else self.scored
        return np.asarray(contribute >= MIN_SUBJECTS, np.bool_)


@dataclass(frozen=True, eq=False)
class SubjectStatistics:
    """What each subject contributes to the metrics of one network.

    Attributes:
        subject_counts: The subjects, and their confusion counts at the threshold.
        at_half: Their counts at threshold 0.5, (S, A); this and what follows is missing where
            only counts are known.
        ranks: By AU, for AUC and average precision.
        calibration: For Brier score and ECE.
        events: For F1-event; missing too where frames have no numbers.
        agreement: For intensities; missing too where none are coded or none are estimated.
    """

    subject_counts: SubjectCounts
    at_half: Confusion | None = None
    ranks: tuple[SubjectRanks, ...] | None = None
    calibration: SubjectCalibration | None = None
    events: SubjectEvents | None = None
    agreement: SubjectAgreement | None = None

    @property
    def counts(self) -> Confusion:
        """Confusion counts at the threshold, (S, A)."""
        return self.subject_counts.counts

    @property
    def values(self) -> MetricValues:
        """Every metric, (A,)."""
        once = np.ones((1, len(self.subject_counts.subjects)))
        return {name: value[0] for name, value in self.weighted(once).items()}

    def resampled(
        self, seed: Sequence[int], n_resamples: int = bootstrap.RESAMPLES
    ) -> MetricValues:
        """Every metric in bootstrap resamples of the subjects, (R, A).

        Args:
            seed: As in `bootstrap.resample`.
            n_resamples: How many.
        """
        n_subjects = len(self.subject_counts.subjects)
        return self.weighted(bootstrap.resample(n_subjects, seed, n_resamples))

    def weighted(self, times: Floats) -> MetricValues:
        """Every metric with each subject counted so many times.

        Args:
            times: (R, S).

        Returns:
            (R, A) each, in the order of `METRICS`; NaN where undefined.
        """
        values = {}
        for name, metric in METRICS.items():
            source = getattr(self, metric.source)
            if isinstance(source, Confusion):
                values[name] = metric.compute(source.weighted(times))
            elif isinstance(source, tuple):
                values[name] = np.stack([metric.compute(one, times) for one in source], axis=1)
            elif source is not None:
                values[name] = metric.compute(source, times)
            elif self.at_half is not None:  # frames are known, but have no number or intensity
                values[name] = np.full((len(times), self.counts.tp.shape[-1]), np.nan)
        return values

    def select(self, members: Bools) -> "SubjectStatistics":
        """Of some of the subjects, by a mask (S,); no frame is read again."""
        people = self.subject_counts.subjects
        chosen = tuple(people[index] for index in np.flatnonzero(members))
        parts = {
            field.name: _of_subjects(getattr(self, field.name), members)
            for field in fields(self)
            if field.name != "subject_counts"
        }
        counts = SubjectCounts(chosen, _of_subjects(self.counts, members))
        return SubjectStatistics(counts, **parts)

    def why_undefined(self, values: Mapping[str, Floats]) -> list[dict[str, str]]:
        """For each AU, the metrics that are NaN in `values` and why."""
        counts = self.counts.sum()
        return [
            {
                name: self._why_undefined(name, au, counts)
                for name, value in values.items()
                if np.isnan(value[au])
            }
            for au in range(counts.n.size)
        ]

    def _why_undefined(self, name: str, au: int, counts: Confusion) -> str:
        if METRICS[name].source == "agreement":
            if self.agreement is None:
                return "no intensities, coded or estimated"
            if not self.agreement.n[:, au].any():
                return "no frame with an intensity"
            if name in ("mae_of_mean", "mse_of_mean"):
                return "the training subjects' mean is not known"
            return "the same intensity in every frame, coded or predicted"
        if counts.n[au] == 0:
            return "not scored in any frame"
        if name == "precision":
            return "never called present"
        if counts.support[au] == 0:
            return "no positive frame"
        if name == "f1_event":
            return "frames without a number of their own"
        if counts.support[au] == counts.n[au]:
            return "no negative frame"
        called = counts.tp[au] + counts.fp[au]
        return f"{'always' if called else 'never'} called present"


@dataclass(frozen=True)
class Metric:
    """One metric: its column in tables and key in JSON, and what a reader needs of it.

    Attributes:
        title: Its heading.
        better: ``higher``, ``lower``, or empty if no direction is better.
        description: One sentence.
        source: Attribute of `SubjectStatistics` that it is computed from; ``counts``,
            ``at_half``, ``ranks``, ``calibration``, ``events`` or ``agreement``.
        compute: Takes the weighted counts (R, A), or the source and weights (R, S); gives
            (R, A), of ``ranks`` (R,).
        of_positives: It is about the frames that show the AU: where fewer than two
            subjects show it, it has no interval.
    """

    title: str
    better: str
    description: str
    source: str
    compute: Callable[..., Floats]
    of_positives: bool = True


METRICS = {
    "f1": Metric(
        "F1", "higher", "F1 of the frames at the validation threshold.", "counts", metrics.f1
    ),
    "f1_at_half": Metric(
        "F1 at 0.5", "higher", "F1 of the frames at threshold 0.5.", "at_half", metrics.f1
    ),
    "floor_f1": Metric(
        "all-positive",
        "",
        "Baseline: F1 of calling every frame positive.",
        "counts",
        metrics.all_positive_f1,
    ),
    "f1_norm": Metric(
        "F1-norm",
        "higher",
        "F1 as it would be with as many negative frames as positive ones.",
        "counts",
        metrics.f1_norm,
    ),
    "f1_event": Metric(
        "F1-event",
        "higher",
        "F1 of events, not frames, averaged over how much of an event must be found.",
        "events",
        SubjectEvents.f1,
    ),
    "precision": Metric(
        "precision",
        "higher",
        "Share of positive predictions that are true.",
        "counts",
        metrics.precision,
    ),
    "recall": Metric(
        "recall", "higher", "Share of positive frames that are found.", "counts", metrics.recall
    ),
    "balanced_accuracy": Metric(
        "balanced acc.",
        "higher",
        "Mean of the recall of positive and of negative frames.",
        "counts",
        metrics.balanced_accuracy,
    ),
    "mcc": Metric(
        "MCC",
        "higher",
        "Correlation of prediction and label (Matthews).",
        "counts",
        metrics.mcc,
    ),
    "auc": Metric(
        "AUC",
        "higher",
        "Probability that a positive frame scores above a negative one.",
        "ranks",
        SubjectRanks.auc,
    ),
    "average_precision": Metric(
        "avg. prec.",
        "higher",
        "Precision averaged over the steps of recall.",
        "ranks",
        SubjectRanks.average_precision,
    ),
    "brier": Metric(
        "Brier",
        "lower",
        "Mean squared difference of probability and label.",
        "calibration",
        SubjectCalibration.brier,
        of_positives=False,
    ),
    "ece": Metric(
        "ECE",
        "lower",
        "Mean gap between probability and share of positives, over 15 equal bins.",
        "calibration",
        SubjectCalibration.ece,
        of_positives=False,
    ),
    "icc": Metric(
        "ICC(3,1)",
        "higher",
        "Consistency of coded and estimated intensity.",
        "agreement",
        SubjectAgreement.icc,
    ),
    "pcc": Metric(
        "PCC",
        "higher",
        "Correlation of coded and estimated intensity.",
        "agreement",
        SubjectAgreement.pcc,
    ),
    "mae": Metric(
        "MAE",
        "lower",
        "Mean absolute difference of coded and estimated intensity.",
        "agreement",
        SubjectAgreement.mae,
        of_positives=False,
    ),
    "mse": Metric(
        "MSE",
        "lower",
        "Mean squared difference of coded and estimated intensity.",
        "agreement",
        SubjectAgreement.mse,
        of_positives=False,
    ),
    "mae_of_zero": Metric(
        "MAE, always 0",
        "",
        "Baseline: MAE of the intensity 0 in every frame.",
        "agreement",
        SubjectAgreement.mae_of_zero,
        of_positives=False,
    ),
    "mse_of_zero": Metric(
        "MSE, always 0",
        "",
        "Baseline: MSE of the intensity 0 in every frame.",
        "agreement",
        SubjectAgreement.mse_of_zero,
        of_positives=False,
    ),
    "mae_of_mean": Metric(
        "MAE, mean",
        "",
        "Baseline: MAE of the training subjects' mean intensity in every frame.",
        "agreement",
        SubjectAgreement.mae_of_mean,
        of_positives=False,
    ),
    "mse_of_mean": Metric(
        "MSE, mean",
        "",
        "Baseline: MSE of the training subjects' mean intensity in every frame.",
        "agreement",
        SubjectAgreement.mse_of_mean,
        of_positives=False,
    ),
    "prevalence": Metric(
        "prevalence",
        "",
        "Share of positive frames.",
        "counts",
        metrics.prevalence,
        of_positives=False,
    ),
}
"""All metrics by name, in the order to show them."""


def subject_statistics(predictions: Predictions) -> SubjectStatistics:
    """What each subject contributes to the metrics of these predictions."""
    ids, index = np.unique(predictions.subjects, return_inverse=True)  # (S,), (N,)
    n, y, p = ids.size, predictions.labels, predictions.probabilities
    agreement = None
    if predictions.intensities is not None and predictions.estimates is not None:
        agreement = subject_agreement(
            predictions.intensities, predictions.estimates, index, n, predictions.training_means
        )
    counts = _confusion_by_subject(y, predictions.predicted, index, n)
    return SubjectStatistics(
        subject_counts=SubjectCounts(tuple(ids.tolist()), counts),
        at_half=_confusion_by_subject(y, p >= 0.5, index, n),
        ranks=tuple(
            subject_ranks(*column, index, n)
            for column in zip(np.ascontiguousarray(y.T), np.ascontiguousarray(p.T), strict=True)
        ),
        calibration=subject_calibration(y, p, index, n),
        events=subject_events(predictions, index, n),
        agreement=agreement,
    )


def subject_counts(labels: Labels, predicted: Bools, subjects: ArrayLike) -> SubjectCounts:
    """Confusion counts per subject and AU.

    Args:
        labels: 1, 0 or −1, (N, A).
        predicted: (N, A).
        subjects: Each frame's subject, (N,).

    Raises:
        PredictionError: As `predictions.check_subjects`.
    """
    ids, index = np.unique(check_subjects(subjects, len(labels)), return_inverse=True)
    counts = _confusion_by_subject(labels, predicted, index, ids.size)
    return SubjectCounts(tuple(ids.tolist()), counts)


def pool_subjects(parts: Sequence[SubjectCounts]) -> SubjectCounts:
    """The subjects of several folds as one group, sorted."""
    subjects = np.array([subject for part in parts for subject in part.subjects], np.str_)
    order = np.argsort(subjects, kind="stable")
    counts = {
        kind: np.concatenate([getattr(part.counts, kind) for part in parts])[order]
        for kind in ("tp", "fp", "fn", "tn")
    }
    return SubjectCounts(tuple(subjects[order].tolist()), Confusion(**counts))


def _of_subjects(source: Any, members: Bools) -> Any:
    """A source of metrics for some subjects, who are the first axis of all its arrays."""
    if source is None:
        return None
    if isinstance(source, tuple):
        return tuple(one.select(members) for one in source)
    return replace(source, **{name: part[members] for name, part in vars(source).items()})


def _confusion_by_subject(
    labels: Labels, predicted: Bools, subject: NDArray[np.intp], n_subjects: int
) -> Confusion:
    """Confusion counts, (S, A), by the index of each frame's subject, (N,)."""
    n_aus = labels.shape[1]
    cell = subject[:, None] * n_aus + np.arange(n_aus)  # (N, A)
    # Six kinds of frame: missing, negative or positive, predicted negative or positive.
    kind = 2 * (labels.astype(np.intp) + 1) + predicted
    flat = np.bincount((6 * cell + kind).ravel(), minlength=n_subjects * n_aus * 6)
    kinds = flat.reshape(n_subjects, n_aus, 6).astype(np.int64)
    return Confusion(tn=kinds[..., 2], fp=kinds[..., 3], fn=kinds[..., 4], tp=kinds[..., 5])
