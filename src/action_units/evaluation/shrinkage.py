"""Rates of several AUs that learn from each other (empirical Bayes).

The rates are taken as draws of one beta distribution, which is fitted to them by the marginal
likelihood (Casella, The American Statistician 1985); rates that few frames or few people
support move towards the others' mean. Frames of one person are near copies of each other, so
how many independent frames a rate is worth comes from a bootstrap over people.
"""

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import betaln, expit, logit

from action_units.evaluation.metrics import Floats, Ints, ratio

_FEW = 3  # rates: too few to fit their distribution
_START_WEIGHT, _MOST_WEIGHT = 10.0, 1000.0  # frames that the others' mean is worth


def shrink(
    rates: ArrayLike, frames: ArrayLike, doubt: float = 0.0
) -> tuple[Floats, Floats, Floats]:
    """Move rates towards their mean, the more the fewer independent frames they rest on.

    The counts ``rate × frames`` are beta-binomial. The prior of the beta distribution's mean
    and weight is that of Gelman et al. (Bayesian Data Analysis, 5.3): flat in the mean and in
    weight^(-1/2). Of fewer than three rates no distribution is fitted; each stands on Jeffreys'
    prior.

    Args:
        rates: (A,); NaN where there is none.
        frames: Independent frames of each, (A,).
        doubt: Of all rates, the variance that is no sampling error, as a share of
            ``rate × (1 − rate)``. It widens the intervals and moves no rate.

    Returns:
        The posterior mean, and the ends of the central 95 %, (A,) each; NaN where there is
        no rate.
    """
    # A third of a second, which every command of the project would wait for.
    from scipy.optimize import minimize
    from scipy.stats import beta

    p, n = np.asarray(rates, np.float64), np.asarray(frames, np.float64)
    known = ~np.isnan(p) & (n > 0)
    hits, misses = p[known] * n[known], (1 - p[known]) * n[known]

    def prior(at: Floats) -> Floats:
        return np.asarray(expit([at[0], -at[0]]) * np.exp(at[1]))

    def loss(at: Floats) -> float:
        one, other = prior(at)
        likelihood = betaln(hits + one, misses + other) - betaln(one, other)
        weighed = np.log(expit(at[0]) * expit(-at[0])) - at[1] / 2
        return -float(likelihood.sum() + weighed)

    one, other = np.array([0.5, 0.5])
    if np.count_nonzero(known) >= _FEW:
        mean = np.clip(hits.sum() / (hits + misses).sum(), 0.01, 0.99)
        start = [logit(mean), np.log(_START_WEIGHT)]
        bounds = [(-7.0, 7.0), (0.0, np.log(_MOST_WEIGHT))]
        one, other = prior(minimize(loss, start, method="Nelder-Mead", bounds=bounds).x)
    weight = hits + misses + one + other
    out = np.full((3, p.size), np.nan)
    out[0, known] = mean = (hits + one) / weight
    weight = weight / (1 + doubt * weight)
    out[1:, known] = beta.ppf([[0.025], [0.975]], mean * weight, (1 - mean) * weight)
    return out[0], out[1], out[2]


def independent_frames(resampled: Floats, people: Ints, frames: Floats) -> Floats:
    """How many independent frames would vary as rates do in a bootstrap over people, (A,).

    Where few people show an AU, or hardly a label is wrong, a bootstrap varies too little: no
    frame is worth more than it is for the median AU, and people vary as n / (n − 1) says.

    Args:
        resampled: The rates, (R, A): first of everyone once, then of the resamples.
        people: Who each rate rests on, (A,).
        frames: Of how many frames each is a share, (A,).
    """
    known = np.flatnonzero(~np.isnan(resampled[0]))
    rate, drawn = resampled[0, known], resampled[1:, known]
    n = np.maximum(np.count_nonzero(~np.isnan(drawn), axis=0) - 1, 1)
    variance = np.nansum((drawn - rate) ** 2, axis=0) / n
    variance *= people[known] / np.maximum(people[known] - 1, 1)
    worth = np.minimum(ratio(rate * (1 - rate), variance * frames[known]), 1.0)
    usual = 1.0 if np.isnan(worth).all() else np.nanmedian(worth)
    effective = np.zeros(len(frames))
    effective[known] = np.fmin(worth, usual) * frames[known]
    return effective
