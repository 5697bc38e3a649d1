"""Where centring by person holds and fails, on variants of a run's predictions.

Centring and thresholds are fitted on the validation subjects of each fold, as `evaluate` does,
and never changed. The variants change what is known of the test subjects: how many of their
frames, which of them, how often they show an AU, or whose frames a track has. Each is scored
without and with centring on the same frames; the gain is paired over subjects.

    OMP_NUM_THREADS=1 python -m benchmarks.person_centred PREDICTIONS

PREDICTIONS is such as data/07_model_output/sample/main/disfa/fg2020.
"""

import argparse
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from action_units.evaluation.metrics import Floats
from action_units.evaluation.postprocessing.person_centred import (
    MINIMUM_FRAMES,
    PersonCentring,
)
from action_units.evaluation.postprocessing.postprocessing import (
    OPTIONS,
    Postprocessing,
    fit_person_centred,
    fit_postprocessing,
)
from action_units.evaluation.predictions import Predictions, pool
from action_units.evaluation.scores import score_folds

Fold = tuple[Postprocessing, Predictions]
Choice = Callable[[NDArray[np.intp], np.random.Generator], NDArray[np.intp]]
Reference = Callable[[PersonCentring, Predictions], Floats]
"""Each frame's reference, (N, A); NaN where there is none."""


def read_fold(folder: Path, seed: int, option: str) -> Fold:
    """The steps fitted on a fold's validation subjects, and its raw test predictions."""
    tables = [
        pd.read_parquet(folder / f"finetuned_{name}predictions.parquet")
        for name in ("validation_", "raw_")
    ]
    n_aus = sum(name.endswith("_p") for name in tables[0].columns)
    validation, test = (Predictions.read(table, np.full(n_aus, 0.5)) for table in tables)
    centred = fit_person_centred(validation, option, seed)
    steps = replace(fit_postprocessing(validation, option, seed), person_centred=centred)
    return steps, test


def compare(folds: dict[int, Fold], reference: Reference) -> str:
    """F1 and average precision without and with centring, and the paired gains."""
    plain, centred, without_reference = {}, {}, 0
    for number, (steps, test) in folds.items():
        assert steps.person_centred is not None
        plain[number] = steps.apply(test)
        references = reference(steps.person_centred.centring, test)
        p, thresholds = steps.relative_to(
            references, test.probabilities, test.recordings, test.frames
        )
        centred[number] = replace(test, probabilities=p, predicted=p >= thresholds)
        without_reference += int(np.isnan(references).any(axis=1).sum())
    scores = score_folds(plain), score_folds(centred)
    both, columns = (*scores, scores[1] - scores[0]), list(range(len(scores[0].aus)))
    frames = sum(len(test.subjects) for _, test in folds.values())
    cells = [f"{frames:,}", f"{without_reference / frames:.0%}"]
    for metric in ("f1", "average_precision"):
        before, after, gain = (one.mean_of_folds(metric, columns) for one in both)
        cells += [
            f"{before.value:.3f}",
            f"{after.value:.3f}",
            f"{gain.value:+.3f} [{gain.low:+.3f}, {gain.high:+.3f}]",
        ]
    return " | ".join(cells).replace("-", "−")


def videos(test: Predictions) -> NDArray[np.str_]:
    """Each frame's video, which shows one person."""
    return test.subjects if test.recordings is None else test.recordings


def whole(centring: PersonCentring, test: Predictions) -> Floats:
    """From all frames of the video, as `evaluate` does."""
    return centring.references(test.probabilities, videos(test))


def whole_however_few(centring: PersonCentring, test: Predictions) -> Floats:
    """The same without a minimum."""
    return whole(replace(centring, minimum_frames=1), test)


def of_frames(choose: Choice) -> Reference:
    """From some frames of each video, however few."""

    def reference(centring: PersonCentring, test: Predictions) -> Floats:
        any_number, random = replace(centring, minimum_frames=1), np.random.default_rng(0)
        found = np.empty(test.probabilities.shape)
        for own in by_video(test):
            rows = choose(own, random)
            p = test.probabilities[rows]
            found[own] = any_number.references(p, np.zeros(len(p)))[0]
        return found

    return reference


def first(n: int) -> Reference:
    """From the first frames alone."""
    return of_frames(lambda own, _: own[:n])


def drawn(n: int) -> Reference:
    """From frames drawn from all of the video."""
    return of_frames(lambda own, random: random.choice(own, min(n, own.size), replace=False))


def neutral(n: int, folds: dict[int, Fold]) -> Reference:
    """From frames in which no AU is coded above 0, as a person may give them.

    Args:
        n: How many.
        folds: Of all frames of the people, to draw them from.
    """
    random, given = np.random.default_rng(0), {}
    for _, test in folds.values():
        assert test.intensities is not None
        at_rest = (test.intensities == 0).all(axis=1)
        for person in np.unique(test.subjects):
            rows = np.flatnonzero((test.subjects == person) & at_rest)
            some = random.choice(rows, min(n, rows.size), replace=False)
            given[person] = test.probabilities[some]

    def reference(centring: PersonCentring, test: Predictions) -> Floats:
        return np.stack([centring.neutral_reference(given[who]) for who in test.subjects])

    return reference


def running(minimum: int) -> Reference:
    """From the frames up to each one."""

    def reference(centring: PersonCentring, test: Predictions) -> Floats:
        with_minimum = replace(centring, minimum_frames=minimum)
        found = np.empty(test.probabilities.shape)
        for own in by_video(test):
            for n, frame in enumerate(own, 1):
                p = test.probabilities[own[:n]]
                found[frame] = with_minimum.references(p, np.zeros(n))[-1]
        return found

    return reference


def swapped(after: float) -> Reference:
    """From tracks in which the next person takes the place of the first."""

    def reference(centring: PersonCentring, test: Predictions) -> Floats:
        people = by_video(test)
        tracks = np.empty(len(test.subjects), np.intp)
        for index, own in enumerate(people):
            tracks[own] = index
            tracks[own[int(after * own.size) :]] = (index + 1) % len(people)
        return centring.references(test.probabilities, tracks)

    return reference


def by_video(test: Predictions) -> list[NDArray[np.intp]]:
    """The rows of each video."""
    names = videos(test)
    return [np.flatnonzero(names == name) for name in np.unique(names)]


def often_on(folds: dict[int, Fold], share: float, minimum: int = 10) -> dict[int, Fold]:
    """Videos in which one AU is on in such a share of the frames; only this AU is scored.

    Each person with enough positive frames of an AU has one such video of the AU: all of these
    frames, or as many as the share allows, and others.
    """
    return {
        number: (steps, pool([*_videos_of_aus(test, share, minimum)]))
        for number, (steps, test) in folds.items()
    }


def _videos_of_aus(test: Predictions, share: float, minimum: int) -> Iterator[Predictions]:
    random = np.random.default_rng(0)
    for column, au in enumerate(test.aus):
        for own in by_video(test):
            on, off = (own[test.labels[own, column] == label] for label in (1, 0))
            n_on = min(on.size, int(off.size * share / (1 - share)))
            n_off = round(n_on * (1 - share) / share)
            if n_on < minimum:
                continue
            rows = np.sort(
                np.concatenate(
                    [
                        random.choice(on, n_on, replace=False),
                        random.choice(off, n_off, replace=False),
                    ]
                )
            )
            part = test.select(rows)
            labels = np.full_like(part.labels, -1)
            labels[:, column] = part.labels[:, column]
            name = np.char.add(part.subjects, f"/AU{au:02d}")
            yield replace(part, labels=labels, recordings=name)


def few_frames(folds: dict[int, Fold], n: int) -> dict[int, Fold]:
    """Each person seen in so many frames, evenly spaced."""
    shorter = {}
    for number, (steps, test) in folds.items():
        rows = [own[np.linspace(0, own.size - 1, n).astype(int)] for own in by_video(test)]
        shorter[number] = steps, test.select(np.sort(np.concatenate(rows)))
    return shorter


def main() -> None:
    parser = argparse.ArgumentParser(description="Where centring by person holds.")
    parser.add_argument("predictions", type=Path, help="of a run, with fold1 and so on")
    parser.add_argument("--seed", type=int, default=20)
    parser.add_argument("--option", default="raw", choices=OPTIONS)
    arguments = parser.parse_args()
    folds = {
        int(folder.name.removeprefix("fold")): read_fold(
            folder, arguments.seed, arguments.option
        )
        for folder in sorted(arguments.predictions.glob("fold*"))
    }
    for number, (steps, _) in folds.items():
        assert steps.person_centred is not None
        one = steps.person_centred.centring
        print(f"fold {number}: quantile {one.quantile}, strength {one.strength}")
    print("| variant | frames | no reference | F1 | centred | gain | AP | centred | gain |")
    print("|---|---|---|---|---|---|---|---|---|")

    def row(name: str, reference: Reference, some: dict[int, Fold] = folds) -> None:
        print(f"| {name} | {compare(some, reference)} |", flush=True)

    row("all frames of the person", whole)
    for minimum in (1, MINIMUM_FRAMES):
        row(f"running, from frame {minimum}", running(minimum))
    for n in (5, 10, 20):
        row(f"reference: the first {n} frames", first(n))
        row(f"reference: {n} frames, drawn", drawn(n))
    for n in (1, 5, 10):
        row(f"reference: {n} neutral frames, drawn", neutral(n, folds))
    for n in (5, 10, 20):
        row(f"only {n} frames of a person", whole_however_few, few_frames(folds, n))
    for after in (0.5, 0.2):
        row(f"another person after {after:.0%} of the track", swapped(after))
    for share in (0.1, 0.3, 0.5, 0.7, 0.9):
        variant = often_on(folds, share)
        row(f"an AU on in {share:.0%} of the frames", whole_however_few, variant)
    variant = often_on(folds, 0.7)
    row("the same in 70 %, 10 neutral frames", neutral(10, folds), variant)


if __name__ == "__main__":
    main()
