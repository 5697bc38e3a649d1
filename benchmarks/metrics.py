"""What the figures of merit cost: all AUs at once against a loop over scikit-learn.

Both compute the same figures of the same simulated predictions, as many frames and AUs as
DISFA has. They are timed in turn within each round, so that a drift of the machine falls on
both, and the first is timed a second time: the ratio of its two medians is the noise. Before
that, the figures are compared. The bootstrap is timed beside its own naive version, which
resamples the frames and is run only a few times.

    OMP_NUM_THREADS=1 python benchmarks/metrics.py --rounds 7
"""

import argparse
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn import metrics as sk

from action_units.evaluation import bootstrap, tables
from action_units.facs.action_units import DISFA_AUS
from action_units.facs.protocols import DISFA_SUBJECTS

PREVALENCE = (0.05, 0.04, 0.15, 0.01, 0.08, 0.04, 0.13, 0.02, 0.06, 0.02, 0.28, 0.09)
THRESHOLDS = np.full(len(DISFA_AUS), 0.5)
FIGURES = (
    "precision",
    "recall",
    "f1",
    "f1_at_half",
    "balanced_accuracy",
    "mcc",
    "auc",
    "average_precision",
    "brier",
    "floor_f1",
)


def simulated(frames: int) -> tuple[NDArray[np.int8], NDArray[np.float64], NDArray[np.str_]]:
    """Labels and probabilities (N, A) with DISFA's prevalences, and subjects (N,)."""
    random = np.random.default_rng(0)
    shape = (frames, len(DISFA_AUS))
    labels = (random.random(shape) < PREVALENCE).astype(np.int8)
    # A network's float32, but as float64: scikit-learn would lose digits on the former.
    probabilities = (0.3 * labels + 0.7 * random.random(shape)).astype(np.float32)
    subjects = np.array(DISFA_SUBJECTS)[np.arange(frames) * len(DISFA_SUBJECTS) // frames]
    return labels, probabilities.astype(np.float64), subjects


def loop(labels: NDArray[np.int8], probabilities: NDArray[np.float64]) -> pd.DataFrame:
    """The figures by scikit-learn, an AU at a time."""
    rows = []
    for y, p in zip(labels.T, probabilities.T, strict=True):
        predicted = p >= 0.5
        rows.append(
            (
                sk.precision_score(y, predicted),
                sk.recall_score(y, predicted),
                sk.f1_score(y, predicted),
                sk.f1_score(y, p >= 0.5),
                sk.balanced_accuracy_score(y, predicted),
                sk.matthews_corrcoef(y, predicted),
                sk.roc_auc_score(y, p),
                sk.average_precision_score(y, p),
                sk.brier_score_loss(y, p),
                sk.f1_score(y, np.ones_like(y)),
            )
        )
    return pd.DataFrame(rows, columns=list(FIGURES))


def naive_bootstrap(
    labels: NDArray[np.int8],
    predicted: NDArray[np.bool_],
    subjects: NDArray[np.str_],
    resamples: int,
) -> None:
    """F1 of the frames of drawn subjects, by scikit-learn."""
    frames = [np.flatnonzero(subjects == subject) for subject in DISFA_SUBJECTS]
    random = np.random.default_rng(0)
    for _ in range(resamples):
        drawn = np.concatenate([frames[i] for i in random.integers(0, 27, 27)])
        for y, p in zip(labels[drawn].T, predicted[drawn].T, strict=True):
            sk.f1_score(y, p)


def seconds(work: Callable[..., Any], *arguments: Any) -> float:
    started = time.perf_counter()
    work(*arguments)
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description="What the figures of merit cost.")
    parser.add_argument("--frames", type=int, default=130_814)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--resamples", type=int, default=2, help="of the naive bootstrap")
    arguments = parser.parse_args()
    labels, probabilities, subjects = simulated(arguments.frames)

    def report() -> pd.DataFrame:
        return tables.au_table(labels, probabilities, THRESHOLDS, DISFA_AUS)

    def whole() -> None:
        table = tables.au_table(labels, probabilities, THRESHOLDS, DISFA_AUS, subjects)
        people = bootstrap.subject_counts(labels, probabilities >= 0.5, subjects)
        tables.averages_table(table, people)

    apart = np.abs(report()[list(FIGURES)].to_numpy() - loop(labels, probabilities).to_numpy())
    people = bootstrap.subject_counts(labels, probabilities >= 0.5, subjects)
    works = {
        "point report": report,
        "the same again": report,
        "scikit-learn loop": lambda: loop(labels, probabilities),
        "report, intervals, averages": whole,
        f"bootstrap of F1, {bootstrap.RESAMPLES} resamples": lambda: bootstrap.f1_interval(
            people, [0]
        ),
    }
    times: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(arguments.rounds):
        for name, work in works.items():
            times[name].append(seconds(work))
    first = median(times["point report"])
    print(
        f"{arguments.frames:,} frames × {len(DISFA_AUS)} AUs, medians of {arguments.rounds} "
        f"rounds; largest difference to scikit-learn {apart.max():.1e}"
    )
    for name, values in times.items():
        print(f"  {name:34} {median(values):8.4f} s  {median(values) / first:8.2f} × the first")
    naive = seconds(
        naive_bootstrap, labels, probabilities >= 0.5, subjects, arguments.resamples
    )
    thousand = naive / arguments.resamples * bootstrap.RESAMPLES
    own = median(values)
    print(
        f"  naive bootstrap: {thousand:.0f} s for as many resamples (from "
        f"{arguments.resamples}), {thousand / own:,.0f} × ours"
    )


if __name__ == "__main__":
    main()
