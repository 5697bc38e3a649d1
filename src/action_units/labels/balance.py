"""Groups of subjects in which each action unit is about equally common."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

_PASSES = 20
"""Most rounds of swaps; a few are enough."""


@dataclass(frozen=True, eq=False)
class SubjectLabels:
    """Who is in the data, and how often each of them shows each action unit.

    Attributes:
        subjects: Sorted, each once; S of them.
        positives: Frames that show each AU, (S, A).
        scored: Frames in which each AU was scored, (S, A).
    """

    subjects: tuple[str, ...]
    positives: npt.NDArray[np.int64]
    scored: npt.NDArray[np.int64]

    @classmethod
    def of(cls, subjects: Iterable[str], labels: npt.NDArray[np.int8]) -> "SubjectLabels":
        """Count frames, in whatever order they come.

        Args:
            subjects: Of each frame, (N,).
            labels: 1 present, 0 absent, −1 not scored, (N, A).
        """
        names, index = np.unique(np.asarray(list(subjects), dtype=str), return_inverse=True)
        positives = np.zeros((len(names), labels.shape[1]), np.int64)
        scored = np.zeros_like(positives)
        np.add.at(positives, index, labels == 1)
        np.add.at(scored, index, labels >= 0)
        return cls(tuple(names.tolist()), positives, scored)


def balanced_groups(
    labels: SubjectLabels, sizes: Sequence[int], seed: int
) -> tuple[tuple[str, ...], ...]:
    """Divide subjects into groups in which every AU is about as common as in all of them.

    Begins with a seeded draw and then swaps pairs of subjects between groups while this makes
    the groups more alike: it lowers the sum, over groups and AUs, of the squared relative
    deviation of the AU's prevalence in the group from its prevalence in the data. A rare AU
    counts as much as a common one.

    Args:
        labels: The subjects and their labels.
        sizes: How many subjects each group has; the sum is the number of subjects.
        seed: Of the draw.

    Returns:
        The subjects of each group, sorted. They depend on the counts, sizes and seed alone.
    """
    shown = labels.positives.sum(axis=0) > 0  # an AU that nobody shows cannot be balanced
    positives, scored = labels.positives[:, shown], labels.scored[:, shown]
    n_subjects = len(labels.subjects)
    group_of = np.empty(n_subjects, np.int64)  # (S,)
    drawn = np.random.default_rng([seed, n_subjects]).permutation(n_subjects)
    group_of[drawn] = np.repeat(np.arange(len(sizes)), sizes)
    overall = positives.sum(axis=0) / scored.sum(axis=0)  # (A,)

    def deviation(
        positive: npt.NDArray[np.int64], n: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.float64]:
        """Of groups with these counts, (…, A) to (…)."""
        prevalence = positive / np.maximum(n, 1)
        squared = (prevalence / overall - 1) ** 2
        return np.asarray(squared.sum(axis=-1), dtype=np.float64)

    group_positives = np.stack(
        [positives[group_of == g].sum(axis=0) for g in range(len(sizes))]
    )
    group_scored = np.stack([scored[group_of == g].sum(axis=0) for g in range(len(sizes))])
    for _ in range(_PASSES):
        swapped = False
        for one in range(n_subjects):
            mine = group_of[one]
            now = deviation(group_positives, group_scored)  # (G,)
            more_positives, more_scored = positives - positives[one], scored - scored[one]
            change = (
                deviation(
                    group_positives[mine] + more_positives, group_scored[mine] + more_scored
                )
                + deviation(
                    group_positives[group_of] - more_positives,
                    group_scored[group_of] - more_scored,
                )
                - now[mine]
                - now[group_of]
            )  # (S,) by swapping with each other subject
            change[group_of == mine] = 0.0
            # Rounded, so that the last bits of a processor do not decide.
            other = int(np.argmin(np.round(change, 9)))
            if change[other] < -1e-6:
                theirs = group_of[other]
                group_positives[mine] += more_positives[other]
                group_scored[mine] += more_scored[other]
                group_positives[theirs] -= more_positives[other]
                group_scored[theirs] -= more_scored[other]
                group_of[one], group_of[other] = theirs, mine
                swapped = True
        if not swapped:
            break
    return tuple(
        tuple(name for name, group in zip(labels.subjects, group_of, strict=True) if group == g)
        for g in range(len(sizes))
    )
