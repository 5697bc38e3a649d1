"""Scores of a run's networks on a set that they were not trained on.

Each network is tested on all subjects that are new to it; often these are all subjects of the
set, so the networks share them. A resample therefore draws each subject once, for all networks.
To draw for each network anew, as between folds that share nobody, would make the interval of
their mean far too narrow.

The *ensemble* averages the logits of the networks that are tested on a face, and those of
their thresholds, as prediction does.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit, logit

from action_units.errors import ConfigurationError
from action_units.evaluation import bootstrap
from action_units.evaluation.cross.result import (
    CrossLine,
    CrossScores,
    PairedScores,
    Refitted,
    Support,
)
from action_units.evaluation.metrics import MISSING, Floats
from action_units.evaluation.postprocessing.thresholds import choose_thresholds
from action_units.evaluation.predictions import EPS, Predictions, mean_logit, pool
from action_units.evaluation.scores import BootstrapScores, ScoreLine
from action_units.evaluation.subject_statistics import MetricValues, subject_statistics
from action_units.hints import command
from action_units.labels.action_units import AU_NAMES, au_column


@dataclass(frozen=True, eq=False)
class NetworkPredictions:
    """One network on the subjects that are new to it.

    Attributes:
        predictions: Of the AUs that the network and the set have in common.
        thresholds: From which they were called present, (A,).
        images: Each frame's image, (N,).
    """

    predictions: Predictions
    thresholds: Floats
    images: NDArray[np.str_]

    @classmethod
    def read(
        cls, table: pd.DataFrame, thresholds: Mapping[int, float], aus: Sequence[int]
    ) -> "NetworkPredictions":
        """Read a predictions table.

        Args:
            table: As `Predictions.read` takes it, with ``image``.
            thresholds: By AU.
            aus: Those that are scored.

        Raises:
            PredictionError: As `Predictions.read`.
        """
        limits = np.array([thresholds[au] for au in aus])
        images = table["image"].to_numpy().astype(str)
        return cls(Predictions.read(table, limits, aus), limits, images)

    def of_subjects(self, subjects: Sequence[str]) -> "NetworkPredictions":
        """The frames of some subjects."""
        rows = np.isin(self.predictions.subjects, list(subjects))
        return replace(
            self, predictions=self.predictions.select(rows), images=self.images[rows]
        )

    def with_thresholds(self, thresholds: Sequence[float]) -> "NetworkPredictions":
        """The same probabilities, called present from other thresholds on."""
        limits = np.asarray(thresholds, np.float64)
        called = replace(self.predictions, predicted=self.predictions.probabilities >= limits)
        return replace(self, predictions=called, thresholds=limits)


Networks = Mapping[int, NetworkPredictions]
"""By the number of the fold that each network was trained in."""


def common_aus(
    networks: Sequence[int], coded: Sequence[int], target: str
) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    """The AUs that networks and set have in common, and those of one alone.

    Args:
        networks: Known to the networks.
        coded: Coded in the set.
        target: The set's name.

    Returns:
        In common, of the networks alone, of the set alone.

    Raises:
        ConfigurationError: They have none in common.
    """
    both = tuple(au for au in coded if au in networks)
    if not both:
        raise ConfigurationError(
            f"{target} has no AU that the networks know: it codes AUs {_listed(coded)}, and "
            f"they know {_listed(networks)}."
        )
    return (
        both,
        tuple(au for au in networks if au not in coded),
        tuple(au for au in coded if au not in networks),
    )


def ensemble(networks: Networks) -> NetworkPredictions:
    """All networks as one: each face by the networks that are tested on it.

    Probabilities and thresholds are σ(mean logit) of theirs, intensities the mean. The rows
    are sorted by image, and `thresholds` is the mean over all networks, which calls a face that
    all are tested on.
    """
    images = np.concatenate([one.images for one in networks.values()])
    names, row, count = np.unique(images, return_inverse=True, return_counts=True)
    n_aus = len(next(iter(networks.values())).predictions.aus)
    first: dict[str, Any] = {}
    sums = np.zeros((2, len(names), n_aus))  # logits of probabilities and thresholds
    every = [one.predictions for one in networks.values()]
    means = {
        name: np.zeros((len(names), n_aus))
        for name in ("estimates", "training_means")
        if all(getattr(part, name) is not None for part in every)
    }
    start = 0
    for one in networks.values():
        own = row[start : start + len(one.images)]
        start += len(one.images)
        p = one.predictions.probabilities
        both = np.stack([p, np.broadcast_to(one.thresholds, p.shape)])
        sums[:, own] += logit(np.clip(both, EPS, 1 - EPS))
        for name, total in means.items():
            total[own] += getattr(one.predictions, name) / count[own, None]
        for name, value in vars(one.predictions).items():
            if name not in ("aus", "estimates", "training_means") and value is not None:
                shape = (len(names), *value.shape[1:])
                first.setdefault(name, np.empty(shape, value.dtype))[own] = value
    p, limits = expit(sums / count[None, :, None])
    rounded = p.astype(np.float32)  # as prediction does, so that calls are the same
    values = first | means | {"probabilities": rounded.astype(np.float64)}
    alone = np.asarray(first["predicted"])
    values["predicted"] = np.where(count[:, None] == 1, alone, rounded >= limits)
    thresholds = mean_logit(np.array([one.thresholds for one in networks.values()]))
    aus = next(iter(networks.values())).predictions.aus
    return NetworkPredictions(Predictions(aus=aus, **values), thresholds, names)


def score_networks(networks: Networks, seed: int = 0) -> dict[str, CrossScores]:
    """Every metric of networks that share test subjects, with intervals over subjects."""
    return _lines(_bootstrap(networks, ensemble(networks), seed))


def score_within(
    networks: Networks, within: Sequence[NetworkPredictions], seed: int = 0
) -> PairedScores:
    """The networks against those of a run that was trained on this set.

    Both are scored on the same frames: those of the networks' subjects that the run has
    tested. Each frame has one prediction of the run, by the fold that tests its subject.

    Args:
        networks: Of the other set.
        within: The run's test subjects, by fold, for the same AUs.
        seed: Of the bootstrap.

    Raises:
        ConfigurationError: No frame is the same, or a label of one differs.
    """
    own = _concatenate(within)
    index = pd.Index(own.images)
    ours, theirs = {}, {}
    for fold, network in networks.items():
        row = index.get_indexer(pd.Index(network.images))
        if not (row >= 0).any():
            continue
        shared = np.flatnonzero(row >= 0)
        ours[fold] = replace(
            network,
            predictions=network.predictions.select(shared),
            images=network.images[shared],
        )
        theirs[fold] = replace(
            own, predictions=own.predictions.select(row[shared]), images=own.images[row[shared]]
        )
        _check_labels(ours[fold], theirs[fold])
    if not ours:
        raise ConfigurationError(
            "the run that was trained on this set was tested on none of these faces; "
            f"{command('evaluate')} of that run evaluates it again."
        )
    # Of the run there is one prediction of each frame, so there is nothing to average.
    return _paired(ours, ensemble(ours), theirs, _concatenate(_once(theirs)), seed)


def refit(networks: Networks, subjects: int | float, target: str, seed: int = 0) -> Refitted:
    """Fit thresholds to some subjects of the new set, and score them on the others.

    Both kinds of threshold are scored on exactly these others.

    Args:
        networks: With the thresholds of training.
        subjects: How many subjects to fit to, or their share.
        target: The set's name.
        seed: Of the draw of subjects, of the thresholds, and of the bootstrap.

    Raises:
        ConfigurationError: Too few subjects to fit to and to test on.
    """
    chosen = subjects_to_fit(networks, subjects, target, seed)
    kept, refitted, thresholds = {}, {}, {}
    for fold, network in networks.items():
        own = sorted(set(network.predictions.subjects.tolist()))
        part = network.of_subjects([who for who in own if who in chosen]).predictions
        fitted = choose_thresholds(
            part.labels, part.probabilities, subjects=part.subjects, seed=seed
        )
        kept[fold] = network.of_subjects([who for who in own if who not in chosen])
        refitted[fold] = kept[fold].with_thresholds(fitted.values)
        thresholds[fold] = dict(zip(part.aus, fitted.values, strict=True))
    paired = _paired(refitted, ensemble(refitted), kept, ensemble(kept), seed)
    return Refitted(chosen, thresholds, paired)


def subjects_to_fit(
    networks: Networks, subjects: int | float, target: str, seed: int
) -> tuple[str, ...]:
    """Draw the subjects that thresholds are fitted to; arguments as of `refit`.

    They are drawn from each group of subjects that the same networks are tested on, so that
    each network can be fitted and tested.
    """
    chosen: set[str] = set()
    groups = _groups(networks)
    total = sum(map(len, groups))
    share = subjects / total if isinstance(subjects, int) else subjects
    for number, group in enumerate(groups):
        n = round(share * len(group))
        if not 1 <= n < len(group):
            raise ConfigurationError(
                f"cross.refit_subjects={subjects} would fit thresholds to {n} of the "
                f"{len(group)} subjects of {target} that are tested by the same networks; at "
                "least one must be fitted to and one be tested on."
            )
        generator = np.random.default_rng([seed, number, len(group)])
        chosen |= set(np.array(group)[generator.permutation(len(group))[:n]].tolist())
    return tuple(sorted(chosen))


def support(predictions: Predictions) -> tuple[Support, ...]:
    """What the scores of each AU rest on."""
    rows = []
    for column, au in enumerate(predictions.aus):
        labels = predictions.labels[:, column]
        coded, shown = (predictions.subjects[mask] for mask in (labels != MISSING, labels == 1))
        name = AU_NAMES.get(au, au_column(au))
        people = (np.unique(part).size for part in (coded, shown))
        rows.append(Support(au, name, coded.size, shown.size, *people))
    return tuple(rows)


def _bootstrap(networks: Networks, together: NetworkPredictions, seed: int) -> BootstrapScores:
    """Scores and resamples; `pooled` are those of the ensemble."""
    people = np.unique(together.predictions.subjects)
    times = np.zeros((bootstrap.RESAMPLES, people.size))
    for number, group in enumerate(_groups(networks)):
        columns = np.searchsorted(people, np.array(group))
        times[:, columns] = bootstrap.resample(len(group), [seed, number])
    whole = subject_statistics(together.predictions)
    parts = {fold: subject_statistics(one.predictions) for fold, one in networks.items()}
    values = {fold: part.values for fold, part in parts.items()}
    resampled: list[MetricValues] = [
        part.weighted(times[:, np.searchsorted(people, np.array(part.subject_counts.subjects))])
        for part in parts.values()
    ]
    pooled = whole.values
    return BootstrapScores(
        aus=together.predictions.aus,
        folds=tuple(networks),
        subject_counts=whole.subject_counts,
        by_fold={name: np.stack([one[name] for one in values.values()]) for name in pooled},
        by_fold_resampled={
            name: np.stack([one[name] for one in resampled], axis=1) for name in pooled
        },
        by_fold_why=tuple(part.why_undefined(values[fold]) for fold, part in parts.items()),
        pooled=pooled,
        pooled_resampled=whole.weighted(times),
        pooled_why=whole.why_undefined(pooled),
    )


def _groups(networks: Networks) -> list[tuple[str, ...]]:
    """The subjects, in groups that the same networks are tested on; in order."""
    tested: dict[str, list[int]] = {}
    for fold, one in sorted(networks.items()):
        for who in np.unique(one.predictions.subjects).tolist():
            tested.setdefault(who, []).append(fold)
    groups: dict[tuple[int, ...], list[str]] = {}
    for who, folds in sorted(tested.items()):
        groups.setdefault(tuple(folds), []).append(who)
    return [tuple(group) for _, group in sorted(groups.items())]


def _lines(scores: BootstrapScores) -> dict[str, CrossScores]:
    def line(one: ScoreLine) -> CrossLine:
        return CrossLine(
            one.name,
            one.by_fold,
            one.mean_of_folds,
            one.pooled,
            one.defined,
            one.possible,
            one.why,
        )

    return {
        metric: CrossScores(
            {au: line(one) for au, one in each.aus.items()},
            {name: line(one) for name, one in each.averages.items()},
        )
        for metric, each in scores.scores().items()
    }


def _paired(
    ours: Networks,
    ours_together: NetworkPredictions,
    theirs: Networks,
    theirs_together: NetworkPredictions,
    seed: int,
) -> PairedScores:
    """Two on the same frames: by each network, and by all as one."""
    one, two = _bootstrap(ours, ours_together, seed), _bootstrap(theirs, theirs_together, seed)
    subjects = one.subject_counts.subjects
    frames = len(ours_together.images)
    return PairedScores(_lines(one), _lines(two), _lines(one - two), subjects, frames)


def _concatenate(parts: Sequence[NetworkPredictions]) -> NetworkPredictions:
    """Frames of several networks that share none, sorted by image."""
    images = np.concatenate([part.images for part in parts])
    order = np.argsort(images, kind="stable")
    repeated = images[order][1:] == images[order][:-1]
    if repeated.any():
        raise ConfigurationError(
            f"{images[order][1:][repeated][0]} is tested twice in the run that was trained on "
            "this set: each face is tested once."
        )
    pooled = pool([part.predictions for part in parts]).select(order)
    return NetworkPredictions(pooled, parts[0].thresholds, images[order])


def _once(networks: Networks) -> list[NetworkPredictions]:
    """Each frame once, of the first network that has it."""
    seen: set[str] = set()
    parts = []
    for one in networks.values():
        new = np.array([image not in seen for image in one.images.tolist()], np.bool_)
        seen |= set(one.images[new].tolist())
        parts.append(
            replace(one, predictions=one.predictions.select(new), images=one.images[new])
        )
    return parts


def _check_labels(ours: NetworkPredictions, theirs: NetworkPredictions) -> None:
    differs = (ours.predictions.labels != theirs.predictions.labels).any(axis=1)
    if differs.any():
        raise ConfigurationError(
            f"{ours.images[differs][0]} has other labels than when the run that was trained on "
            f"this set was evaluated ({int(differs.sum()):,} frames in all); "
            f"{command('evaluate')} of that run evaluates it again."
        )


def _listed(aus: Sequence[int]) -> str:
    return ", ".join(map(str, aus)) or "none"
