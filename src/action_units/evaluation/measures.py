"""The figures of merit by name, with what a reader must know of each."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Metric:
    """One figure of merit.

    Attributes:
        name: Its column in tables and its key in JSON.
        title: Its heading.
        better: ``higher``, ``lower``, or nothing where it is no merit.
        what: One sentence that says what it is.
        of_positives: It is about the frames that show the AU: where fewer than two
            subjects show it, it has no interval.
    """

    name: str
    title: str
    better: str
    what: str
    of_positives: bool = True


METRICS: dict[str, Metric] = {
    measure.name: measure
    for measure in (
        Metric("f1", "F1", "higher", "F1 of the frames at the validation threshold."),
        Metric("f1_at_half", "F1 at 0.5", "higher", "F1 of the frames at threshold 0.5."),
        Metric("floor_f1", "floor", "", "F1 of calling every frame positive."),
        Metric(
            "f1_norm",
            "F1-norm",
            "higher",
            "F1 as it would be with as many negative frames as positive ones.",
        ),
        Metric(
            "f1_event",
            "F1-event",
            "higher",
            "F1 of events, not frames, averaged over how much of an event must be found.",
        ),
        Metric("precision", "precision", "higher", "Share of positive calls that are right."),
        Metric("recall", "recall", "higher", "Share of positive frames that are found."),
        Metric(
            "balanced_accuracy",
            "balanced acc.",
            "higher",
            "Mean of the shares of positive and of negative frames that are called right.",
        ),
        Metric("mcc", "MCC", "higher", "Correlation of call and label (Matthews)."),
        Metric(
            "auc", "AUC", "higher", "Chance that a positive frame scores above a negative one."
        ),
        Metric(
            "average_precision",
            "avg. prec.",
            "higher",
            "Precision averaged over the steps of recall.",
        ),
        Metric(
            "brier",
            "Brier",
            "lower",
            "Mean squared difference of probability and label.",
            of_positives=False,
        ),
        Metric(
            "ece",
            "ECE",
            "lower",
            "Mean gap between probability and share of positives, over 15 equal bins.",
            of_positives=False,
        ),
        Metric("icc", "ICC(3,1)", "higher", "Consistency of intensity and 5 × probability."),
        Metric("pcc", "PCC", "higher", "Correlation of intensity and 5 × probability."),
        Metric(
            "mae",
            "MAE",
            "lower",
            "Mean distance of intensity and 5 × probability.",
            of_positives=False,
        ),
        Metric("prevalence", "prevalence", "", "Share of positive frames.", of_positives=False),
    )
}
"""In the order to show them."""
