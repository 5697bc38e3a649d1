"""What an annotator's labels are worth: how often it errs, by AU.

Of each AU the false-positive rate P(label 1 | absent) and the false-negative rate
P(label 0 | present): counted, where the annotator labelled frames that experts have coded, or
estimated, where it labelled other faces. For the estimate both kinds of faces have the scores
of a network that was trained on the annotator's labels (``score_mixture``).

The mean of such a network's probabilities over the coded frames of each class (Hendrycks et
al., NeurIPS 2018) is simpler, and too high wherever the network does not recognise the AU in
every frame: it takes what the network confuses for the annotator's errors.

Rates of rare AUs are shrunk towards the others' (``shrinkage``). Intervals are over people.
Those of estimates also allow for their assumptions: by as much as rates change, on average
over AUs, where scores need not be distributed alike in both kinds of faces.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import logit

from action_units.evaluation import bootstrap
from action_units.evaluation.metrics import MISSING, Floats, Ints, Labels, ratio
from action_units.evaluation.predictions import EPS, check_arrays, check_subjects
from action_units.evaluation.score_mixture import binned, bins, likelihood_ratios, unmix
from action_units.evaluation.shrinkage import independent_frames, shrink
from action_units.evaluation.subject_statistics import MIN_SUBJECTS
from action_units.labels.action_units import AU_NAMES

RESAMPLES = 100
"""Of the bootstrap: enough for a variance."""

_TOLD_APART = 0.975  # of the resamples, those in which frames with the AU score higher

NOT_CODED = "not coded in this set"


@dataclass(frozen=True, eq=False)
class AnnotatorRates:
    """How often an annotator errs, by AU, (A,) each; NaN where nothing can be said.

    Attributes:
        aus: The AUs that it labels.
        false_positive: P(label 1 | absent), shrunk.
        false_positive_low: Low end of its 95 % interval.
        false_positive_high: High end.
        false_negative: P(label 0 | present), shrunk.
        false_negative_low: As of `false_positive`.
        false_negative_high: As of `false_positive`.
        prevalence: The share of positive labels among the annotator's.
        frames: Coded frames that the rates rest on.
        positives: Those that show the AU.
        subjects: People in those frames.
        subjects_with_positives: Those who show the AU.
        why: Why a rate is undefined; empty where both are defined.
    """

    aus: tuple[int, ...]
    false_positive: Floats
    false_positive_low: Floats
    false_positive_high: Floats
    false_negative: Floats
    false_negative_low: Floats
    false_negative_high: Floats
    prevalence: Floats
    frames: Ints
    positives: Ints
    subjects: Ints
    subjects_with_positives: Ints
    why: tuple[str, ...]

    def table(self) -> pd.DataFrame:
        """A row for each AU: ``au``, ``name`` and the attributes."""
        columns: dict[str, Any] = {"au": self.aus, "name": [AU_NAMES[au] for au in self.aus]}
        return pd.DataFrame(columns | {k: v for k, v in vars(self).items() if k != "aus"})

    def to_json(self) -> dict[str, Any]:
        """JSON values, null for what is undefined."""
        return {
            name: [None if value != value else value for value in np.array(column).tolist()]
            for name, column in vars(self).items()
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """The rates that `to_json` wrote."""
        kinds: dict[Any, Any] = {Floats: np.float64, Ints: np.int64}
        values: dict[str, Any] = {
            field.name: np.array(content[field.name], kinds[field.type])
            if field.type in kinds
            else tuple(content[field.name])
            for field in fields(cls)
        }
        return cls(**values)


Rates = Mapping[str, AnnotatorRates]
"""By how they were found: ``estimated``, ``counted``."""


def rates_table(rates: Rates) -> pd.DataFrame:
    """A row for each AU and way to find its rates, which the column ``how`` has."""
    tables = [one.table().assign(how=how) for how, one in rates.items()]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=["how"])


def estimate_rates(
    annotated: tuple[ArrayLike, ArrayLike, ArrayLike],
    coded: tuple[ArrayLike, ArrayLike, ArrayLike],
    aus: Sequence[int],
    seed: Sequence[int],
) -> AnnotatorRates:
    """Estimate the rates of an annotator that has not labelled the coded frames.

    Args:
        annotated: Of faces that the network was not trained with: the annotator's labels 1,
            0 or −1, (N, A); the network's probabilities, calibrated or not, (N, A); and the
            person of each, (N,).
        coded: Of coded frames experts' labels, probabilities and subjects, likewise. An AU
            that they do not code is −1 throughout.
        aus: The AUs of the columns.
        seed: Of the bootstrap, such as ``[seed, fold]``.

    Raises:
        PredictionError: As `check_arrays` and `check_subjects`.
    """
    noisy, noisy_scores = _logits(*annotated[:2])
    y, scores = _logits(*coded[:2])
    person, subject = _index(annotated[2], len(noisy)), _index(coded[2], len(y))
    of_people, of_subjects = _resamples(person, [*seed, 1]), _resamples(subject, [*seed, 0])
    support = _support(y, subject)
    rates = np.full((2, RESAMPLES + 1, len(aus)), np.nan)
    others, frames = np.full((2, len(aus)), np.nan), np.zeros((2, len(aus)))
    few = (support["subjects"] < MIN_SUBJECTS) | (
        support["subjects_with_positives"] < MIN_SUBJECTS
    )
    unseen: list[int] = []
    absent = (y == 0).any(axis=0) & (noisy != MISSING).any(axis=0)
    for au in np.flatnonzero(~few & absent).tolist():
        edges, middle = bins(np.concatenate([scores[:, au], noisy_scores[:, au]]))
        truth = binned(scores[:, au], y[:, au], subject, edges, of_subjects)
        labels = binned(noisy_scores[:, au], noisy[:, au], person, edges, of_people)
        ratios = likelihood_ratios(truth, middle)
        if np.mean(ratios[:, -1] > ratios[:, 0]) < _TOLD_APART:
            unseen.append(au)
            continue
        rates[:, :, au], share = unmix(ratios, labels)
        others[:, au] = unmix(ratios[:1], labels[:1], alike=False)[0][:, 0]
        frames[:, au] = labels[0].sum() * np.array([1 - share[0], share[0]])
    people = np.stack([support["subjects"], support["subjects_with_positives"]])
    doubt = ratio((others - rates[:, 0]) ** 2, rates[:, 0] * (1 - rates[:, 0]))
    found = _shrunk(rates, people, frames, aus, noisy, support, doubt)
    unclear = "the pre-trained network does not recognise it in the training subjects"
    why = [unclear if au in unseen else why for au, why in enumerate(found.why)]
    return replace(found, why=tuple(why))


def count_rates(
    labels: ArrayLike,
    annotated: ArrayLike,
    subjects: ArrayLike,
    aus: Sequence[int],
    seed: Sequence[int],
) -> AnnotatorRates:
    """Count the rates of an annotator that has labelled the coded frames.

    Args:
        labels: Experts' labels 1, 0 or −1, (N, A).
        annotated: The annotator's labels of the same frames, (N, A).
        subjects: The subject of each frame, (N,).
        aus: The AUs of the columns.
        seed: Of the bootstrap, such as ``[seed, fold]``.

    Raises:
        PredictionError: As `check_arrays` and `check_subjects`.
    """
    noisy = check_arrays(annotated, np.zeros(np.shape(annotated)))[0]
    y = check_arrays(np.where(noisy == MISSING, MISSING, labels), np.zeros(noisy.shape))[0]
    subject = _index(subjects, len(y))
    classes = np.stack([y == 0, y == 1])
    n = _by_person(classes, subject)  # (2, S, A)
    wrong = _by_person(classes & np.stack([noisy == 1, noisy == 0]), subject)
    people = np.count_nonzero(n, axis=1)
    times = _resamples(subject, [*seed, 0])
    rates = ratio(times @ wrong, times @ n)  # (2, R, A)
    rates[np.broadcast_to(people[:, None] < MIN_SUBJECTS, rates.shape)] = np.nan
    return _shrunk(rates, people, n.sum(axis=1), aus, noisy, _support(y, subject))


def _shrunk(
    rates: Floats,
    people: Ints,
    frames: Floats,
    aus: Sequence[int],
    noisy: Labels,
    support: Mapping[str, Ints],
    doubt: Floats | None = None,
) -> AnnotatorRates:
    """The result from both rates (2, R, A), first of everyone once, then of the resamples.

    Args:
        rates: Of false positives and of false negatives.
        people: Who each rests on, (2, A).
        frames: Of how many frames each is a share, (2, A).
        aus: The AUs of the columns.
        noisy: The annotator's labels, (N, A).
        support: From `_support`.
        doubt: As of `shrink`, (2, A); its mean is taken.
    """
    values: dict[str, Any] = dict(support)
    for k, kind in enumerate(("false_positive", "false_negative")):
        known = [] if doubt is None else doubt[k][~np.isnan(doubt[k])]
        mean = float(np.mean(known)) if len(known) else 0.0
        effective = independent_frames(rates[k], people[k], frames[k])
        shrunk = shrink(rates[k, 0], effective, mean)
        values |= dict(zip((kind, f"{kind}_low", f"{kind}_high"), shrunk, strict=True))
    undefined: list[bool] = np.any(np.isnan(rates[:, 0]), axis=0).tolist()
    return AnnotatorRates(
        aus=tuple(aus),
        **values,
        prevalence=ratio((noisy == 1).sum(axis=0), (noisy != MISSING).sum(axis=0)),
        why=tuple(
            _reason(*counts) if one else ""
            for one, *counts in zip(undefined, *support.values(), strict=True)
        ),
    )


def _reason(frames: int, positives: int, subjects: int, with_positives: int) -> str:
    """Why a rate is undefined, by an AU's part of `_support`."""
    if not frames:
        return NOT_CODED
    if not positives:
        return "no frame of the training subjects shows it"
    if with_positives < MIN_SUBJECTS:
        return "only one training subject shows it"
    return "too few labels of the annotator, or no frame without the AU"


def _support(y: Labels, subject: Ints) -> dict[str, Ints]:
    """How many frames and subjects are coded and show each AU, (A,) each."""
    known, shown = _by_person(np.stack([y != MISSING, y == 1]), subject)  # (S, A)
    return {
        "frames": known.sum(axis=0).astype(np.int64),
        "positives": shown.sum(axis=0).astype(np.int64),
        "subjects": np.count_nonzero(known, axis=0),
        "subjects_with_positives": np.count_nonzero(shown, axis=0),
    }


def _by_person(values: NDArray[np.bool_], person: Ints) -> Floats:
    """Sums over each person's rows, (K, N, A) to (K, P, A)."""
    sums = np.zeros((len(values), int(person.max(initial=-1)) + 1, values.shape[2]))
    for total, part in zip(sums, values, strict=True):
        np.add.at(total, person, part)
    return sums


def _resamples(person: Ints, seed: Sequence[int]) -> Floats:
    """Everyone once, and then how often each person is drawn in each resample, (R, P)."""
    n = int(person.max(initial=-1)) + 1
    return np.concatenate([np.ones((1, n)), bootstrap.resample(n, seed, RESAMPLES)])


def _index(people: ArrayLike, n: int) -> Ints:
    """The number of each face's person, (N,)."""
    return np.unique(check_subjects(people, n), return_inverse=True)[1]


def _logits(labels: ArrayLike, probabilities: ArrayLike) -> tuple[Labels, Floats]:
    """Labels and logits, (N, A) each."""
    y, p = check_arrays(labels, probabilities)
    return y, np.asarray(logit(np.clip(p, EPS, 1 - EPS)), np.float64)
