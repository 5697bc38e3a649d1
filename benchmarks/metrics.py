"""What the figures of merit cost: all AUs at once against loops over scikit-learn.

Both sides compute the same figures of the same simulated predictions, as many frames and
AUs as DISFA has. They are timed in turn within each round, so that a drift of the machine
falls on both, and the first is timed a second time: the ratio of its two medians is the
noise. Before that, the figures are compared. The bootstraps are timed beside naive ones,
which let scikit-learn look at the frames of the drawn subjects; these are run for a few
resamples in each round and scaled up to a thousand.

    OMP_NUM_THREADS=1 python benchmarks/metrics.py --rounds 7
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import replace
from statistics import median
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn import metrics as sk
from sklearn.calibration import calibration_curve

from action_units.evaluation import bootstrap
from action_units.evaluation.comparison import gain_table
from action_units.evaluation.fold import au_report
from action_units.evaluation.groups import score_groups
from action_units.evaluation.postprocessing.intensity import fit_intensity
from action_units.evaluation.predictions import Predictions
from action_units.evaluation.ranks import subject_ranks
from action_units.evaluation.reliability import BINS
from action_units.evaluation.subject_statistics import (
    SubjectStatistics,
    subject_counts,
    subject_statistics,
)
from action_units.labels.action_units import DISFA_AUS
from action_units.labels.folds import DISFA_SUBJECTS

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
    "ece",
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
                expected_calibration_error(y, p),
                sk.f1_score(y, np.ones_like(y)),
            )
        )
    return pd.DataFrame(rows, columns=list(FIGURES))


def expected_calibration_error(y: NDArray[np.int8], p: NDArray[np.float64]) -> float:
    """From scikit-learn's bins, which do not tell their sizes."""
    share, mean = calibration_curve(y, p, n_bins=BINS)
    n = np.bincount((p * BINS).astype(int).clip(max=BINS - 1), minlength=BINS)
    return float(np.average(np.abs(share - mean), weights=n[n > 0]))


def naive_bootstrap(
    figure: Callable[..., float],
    labels: NDArray[np.int8],
    scores: NDArray[Any],
    subjects: NDArray[np.str_],
    resamples: int,
) -> None:
    """A figure of the frames of drawn subjects, by scikit-learn, an AU at a time."""
    frames = [np.flatnonzero(subjects == subject) for subject in DISFA_SUBJECTS]
    random = np.random.default_rng(0)
    for _ in range(resamples):
        drawn = np.concatenate([frames[i] for i in random.integers(0, 27, 27)])
        for y, p in zip(labels[drawn].T, scores[drawn].T, strict=True):
            figure(y, p)


def seconds(work: Callable[[], Any]) -> float:
    """Of one core's time, which other programs on the machine hardly change."""
    started = time.process_time()
    work()
    return time.process_time() - started


GROUPS = pd.DataFrame(
    {
        "gender": [("woman", "man")[k % 2] for k in range(len(DISFA_SUBJECTS))],
        "age": [("younger", "older")[k // 3 % 2] for k in range(len(DISFA_SUBJECTS))],
        "skin": [("dark", "medium", "light")[k // 2 % 3] for k in range(len(DISFA_SUBJECTS))],
    },
    index=list(DISFA_SUBJECTS),
)
"""Three ways to divide the subjects, seven groups."""


def folds_of(full: Predictions) -> dict[int, tuple[Predictions, Predictions]]:
    """Validation and test subjects of three folds."""
    folds = {}
    for fold, start in enumerate((0, 9, 18), 1):
        tested = DISFA_SUBJECTS[start : start + 9]
        others = [name for name in DISFA_SUBJECTS if name not in tested]
        parts = (np.isin(full.subjects, names) for names in (others[:5], tested))
        validation, test = (full.select(rows) for rows in parts)
        folds[fold] = (validation, test)
    return folds


def with_groups(full: Predictions, n_resamples: int) -> None:
    """The whole report, and every figure by group with thresholds of groups."""
    _, _, statistics = au_report(full, THRESHOLDS, n_resamples=n_resamples)
    folds = folds_of(full)
    score_groups(
        {fold: test for fold, (_, test) in folds.items()},
        GROUPS,
        {fold: validation for fold, (validation, _) in folds.items()},
        n_resamples=n_resamples,
        statistics=statistics,
    )


def treatments(full: Predictions) -> float:
    """Seconds of what calibration and smoothing gain, over three folds of all frames."""
    folds = folds_of(full)
    return seconds(lambda: gain_table(folds))


def main() -> None:
    parser = argparse.ArgumentParser(description="What the figures of merit cost.")
    parser.add_argument("--frames", type=int, default=130_814)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--resamples", type=int, default=1, help="of the naive bootstraps")
    parser.add_argument("--treatments", action="store_true", help="their gains alone")
    arguments = parser.parse_args()
    labels, probabilities, subjects = simulated(arguments.frames)
    called = probabilities >= 0.5
    bare = Predictions(DISFA_AUS, labels, probabilities, called, subjects)
    numbers = np.concatenate([np.arange(np.sum(subjects == s)) for s in DISFA_SUBJECTS])
    coded = np.where(labels == 1, 3.0, 0.0)
    full = replace(
        bare,
        frames=numbers,
        recordings=subjects,
        intensities=coded,
        estimates=4 * probabilities**2,
        training_means=np.broadcast_to(0.3 * np.array(PREVALENCE), coded.shape),
    )
    validated = np.isin(subjects, DISFA_SUBJECTS[:5])
    if arguments.treatments:
        print(f"gains of treatments, {arguments.frames:,} frames: {treatments(full):.1f} s")
        return
    statistics = subject_statistics(full)
    index = np.unique(subjects, return_inverse=True)[1]
    times_drawn = bootstrap.resample(len(DISFA_SUBJECTS), [0])

    def counted() -> None:
        people = subject_counts(labels, called, subjects)
        bootstrap.interval(SubjectStatistics(people).resampled([0])["f1"])

    def resampled_auc() -> None:
        for column in range(labels.shape[1]):
            ranks = subject_ranks(labels[:, column], probabilities[:, column], index, 27)
            bootstrap.interval(ranks.auc(times_drawn))

    few = arguments.resamples
    naive_f1 = f"scikit-learn F1, {few} resamples"
    naive_auc = f"scikit-learn AUC, {few} resamples"
    works: dict[str, Callable[[], Any]] = {
        "point figures": lambda: subject_statistics(bare).values,
        "the same again": lambda: subject_statistics(bare).values,
        "scikit-learn loop": lambda: loop(labels, probabilities),
        "whole report, no intervals": lambda: au_report(full, THRESHOLDS, n_resamples=0),
        "whole report, all intervals": lambda: au_report(full, THRESHOLDS),
        "with groups, no intervals": lambda: with_groups(full, 0),
        "with groups, all intervals": lambda: with_groups(full, bootstrap.RESAMPLES),
        "curves of intensities, 5 subjects": lambda: fit_intensity(
            coded[validated], probabilities[validated], subjects[validated]
        ),
        "1,000 resamples, all count figures": counted,
        "1,000 resamples, AUC": resampled_auc,
        "1,000 resamples, avg. precision": lambda: [
            ranks.average_precision(times_drawn) for ranks in statistics.ranks or ()
        ],
        "1,000 resamples, every figure": lambda: statistics.weighted(times_drawn),
        naive_f1: lambda: naive_bootstrap(sk.f1_score, labels, called, subjects, few),
        naive_auc: lambda: naive_bootstrap(
            sk.roc_auc_score, labels, probabilities, subjects, few
        ),
    }
    apart = [
        np.abs(statistics.values[name] - column).max()
        for name, column in loop(labels, probabilities).items()
    ]
    taken: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(arguments.rounds):
        for name, work in works.items():
            taken[name].append(seconds(work))
    medians = {name: median(values) for name, values in taken.items()}
    first = medians["point figures"]
    print(
        f"{arguments.frames:,} frames × {len(DISFA_AUS)} AUs, medians of {arguments.rounds} "
        f"rounds; largest difference to scikit-learn {max(apart):.1e}"
    )
    for name, value in medians.items():
        print(f"  {name:36} {value:9.4f} s  {value / first:8.2f} × the first")
    ratios = {
        "point figures": medians["scikit-learn loop"] / first,
        "count bootstrap": medians[naive_f1]
        * (bootstrap.RESAMPLES / few)
        / medians["1,000 resamples, all count figures"],
        "AUC bootstrap": medians[naive_auc]
        * (bootstrap.RESAMPLES / few)
        / medians["1,000 resamples, AUC"],
    }
    for name, ratio in ratios.items():
        print(f"  {name}: {ratio:,.1f} × as fast as scikit-learn's")


if __name__ == "__main__":
    main()
