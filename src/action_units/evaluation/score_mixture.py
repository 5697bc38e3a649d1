"""Faces with an annotator's labels and unknown truth, as a mixture of two known classes.

Coded frames say how the scores of a network are distributed where an AU is present and where
it is absent. Given the truth, a web face's score and its label are taken to be independent.
Then the two rates of the annotator's errors and the share of faces that show the AU are
identified: the model of Dawid and Skene (1979) with two observers, of whom one is known, under
another prior (Saerens, Latinne and Decaestecker, Neural Computation 2002). The scores need no
calibration. All resamples of a bootstrap are fitted at once.
"""

import numpy as np
from scipy.special import expit, logit

from action_units.evaluation.metrics import MISSING, Floats, Ints, Labels
from action_units.evaluation.predictions import EPS

_BINS = 24
_STEPS = 200
_CHANGE = 1e-4  # of a rate, at which fitting stops
_NEWTON_STEPS = 25
_SLOPE_DEVIATION = 2.5  # of the prior, for scores of deviation 1: separable AUs stay finite


def binned(
    scores: Floats, labels: Labels, person: Ints, edges: Floats, times: Floats
) -> Floats:
    """How many faces have a score in each bin and a label of 0 and 1, (R, B, 2).

    Args:
        scores: (N,).
        labels: 1, 0 or −1, (N,).
        person: Index of each face's person, (N,).
        edges: Between the bins, (B - 1,).
        times: How often each person counts in each resample, (R, P).
    """
    known = labels != MISSING
    counts = np.zeros((times.shape[1], len(edges) + 1, 2))  # (P, B, 2)
    np.add.at(counts, (person[known], np.digitize(scores[known], edges), labels[known]), 1.0)
    return (times @ counts.reshape(len(counts), -1)).reshape(len(times), -1, 2)


def bins(scores: Floats) -> tuple[Floats, Floats]:
    """Edges between bins of about equally many scores, (B - 1,), and their means, (B,)."""
    edges = np.unique(np.quantile(scores, np.linspace(0, 1, _BINS + 1)[1:-1]))
    place = np.digitize(scores, edges)
    n, total = (np.bincount(place, weights, len(edges) + 1) for weights in (None, scores))
    return edges, np.where(n > 0, total / np.maximum(n, 1), np.append(edges, edges[-1]))


def likelihood_ratios(counts: Floats, middle: Floats) -> Floats:
    """P(score | present) / P(score | absent) in each bin, (R, B), by logistic regression.

    Args:
        counts: Coded frames that are absent and present in each bin, (R, B, 2).
        middle: Mean score of each bin, (B,).
    """
    x = (middle - middle.mean()) / max(float(middle.std()), EPS)
    n = counts.sum(axis=2)
    absent, present = np.maximum(counts.sum(axis=1), EPS).T  # (R,)
    offset = np.log(present / absent)
    at = np.stack([offset, np.zeros(len(n))])  # intercept and slope, (2, R)
    ridge = 1 / _SLOPE_DEVIATION**2
    for _ in range(_NEWTON_STEPS):
        p = expit(at[0][:, None] + at[1][:, None] * x)
        left, weight = counts[..., 1] - n * p, n * p * (1 - p) + EPS
        up, across = left.sum(axis=1), left @ x - ridge * at[1]
        a, b, c = weight.sum(axis=1), weight @ x, weight @ x**2 + ridge
        step = np.stack([c * up - b * across, a * across - b * up]) / (a * c - b * b)
        at += np.clip(step, -2, 2)
    return np.asarray(np.exp(at[0][:, None] + at[1][:, None] * x - offset[:, None]))


def unmix(ratios: Floats, counts: Floats, alike: bool = True) -> tuple[Floats, Floats]:
    """The likeliest rates of false positives and false negatives, (2, R).

    Expectation and maximisation over whether each face shows the AU; rates have the prior of
    one wrong and one right label.

    Args:
        ratios: From `likelihood_ratios`, (R, B).
        counts: Faces of each bin with label 0 and 1, (R, B, 2).
        alike: Scores are distributed as in the coded frames, class by class. Otherwise only
            their ratios are, up to a factor, and the labels alone are fitted, given the
            scores.

    Returns:
        The rates, and the share of faces that show the AU, (R,).
    """
    a, found, share = (np.full(len(counts), start) for start in (0.2, 0.9, 0.2))
    total, slope = counts.sum(axis=2), np.log(ratios)  # (R, B)
    for _ in range(_STEPS):
        before = a, found
        prior = expit(logit(share)[:, None] + slope)  # (R, B)
        by_label = np.stack([(1 - found) / (1 - a), found / a], axis=1)  # (R, 2)
        odds = (prior / (1 - prior))[..., None] * by_label[:, None]
        shows = counts * (odds / (1 + odds))
        present, absent = shows.sum(axis=1), (counts - shows).sum(axis=1)  # (R, 2)
        found = (present[:, 1] + 1) / (present.sum(axis=1) + 2)
        a = (absent[:, 1] + 1) / (absent.sum(axis=1) + 2)
        if alike:
            share = present.sum(axis=1) / total.sum(axis=1)
        else:
            left = present.sum(axis=1) - (total * prior).sum(axis=1)
            weight = (total * prior * (1 - prior)).sum(axis=1) + EPS
            share = expit(logit(share) + np.clip(left / weight, -1, 1))
        share = np.clip(share, EPS, 1 - EPS)
        if max(np.abs(a - before[0]).max(), np.abs(found - before[1]).max()) < _CHANGE:
            break
    return np.stack([a, 1 - found]), share
