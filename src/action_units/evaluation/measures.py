"""The figures of merit by name, with what a reader must know of each."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Measure:
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


MEASURES: dict[str, Measure] = {
    measure.name: measure
    for measure in (
        Measure("f1", "F1", "higher", "F1 of the frames at the validation threshold."),
        Measure("f1_at_half", "F1 at 0.5", "higher", "F1 of the frames at threshold 0.5."),
        Measure("floor_f1", "floor", "", "F1 of calling every frame positive."),
        Measure(
            "f1_norm",
            "F1-norm",
            "higher",
            "F1 as it would be with as many negative frames as positive ones.",
        ),
        Measure(
            "f1_event",
            "F1-event",
            "higher",
            "F1 of events, not frames, averaged over how much of an event must be found.",
        ),
        Measure("precision", "precision", "higher", "Share of positive calls that are right."),
        Measure("recall", "recall", "higher", "Share of positive frames that are found."),
        Measure(
            "balanced_accuracy",
            "balanced acc.",
            "higher",
            "Mean of the shares of positive and of negative frames that are called right.",
        ),
        Measure("mcc", "MCC", "higher", "Correlation of call and label (Matthews)."),
        Measure(
            "auc", "AUC", "higher", "Chance that a positive frame scores above a negative one."
        ),
        Measure(
            "average_precision",
            "avg. prec.",
            "higher",
            "Precision averaged over the steps of recall.",
        ),
        Measure(
            "brier",
            "Brier",
            "lower",
            "Mean squared difference of probability and label.",
            of_positives=False,
        ),
        Measure(
            "ece",
            "ECE",
            "lower",
            "Mean gap between probability and share of positives, over 15 equal bins.",
            of_positives=False,
        ),
        Measure("icc", "ICC(3,1)", "higher", "Consistency of intensity and 5 × probability."),
        Measure("pcc", "PCC", "higher", "Correlation of intensity and 5 × probability."),
        Measure(
            "mae",
            "MAE",
            "lower",
            "Mean distance of intensity and 5 × probability.",
            of_positives=False,
        ),
        Measure(
            "prevalence", "prevalence", "", "Share of positive frames.", of_positives=False
        ),
    )
}
"""In the order to show them."""
