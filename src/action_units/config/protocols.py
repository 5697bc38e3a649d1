"""Fold protocols as settings: which subjects each fold tests."""

import re
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Annotated, Literal, Self, TypeAlias

import numpy as np
import numpy.typing as npt
from pydantic import AfterValidator, Field, model_validator

from action_units.config.base import Expected, PartBetween, Seed, Settings
from action_units.errors import ConfigurationError
from action_units.labels.balance import SubjectLabels, balanced_groups
from action_units.labels.folds import FoldProtocol, join_protocols


def _once(subjects: list[str]) -> list[str]:
    if not subjects:
        raise ValueError("a list of subjects has at least one")
    if twice := [name for name, n in Counter(subjects).items() if n > 1]:
        raise ValueError(f"subject {twice[0]!r} is listed twice; name each once")
    return subjects


def _disjoint(folds: list[list[str]]) -> list[list[str]]:
    if not folds:
        raise ValueError("a protocol has at least one fold")
    fold_of: dict[str, int] = {}
    for number, subjects in enumerate(folds, 1):
        for name in subjects:
            if name in fold_of:
                raise ValueError(
                    f"subject {name!r} is tested in fold {fold_of[name]} and in fold {number}; "
                    "each subject is tested once"
                )
            fold_of[name] = number
    return folds


Subject: TypeAlias = Annotated[
    str,
    Field(min_length=1),
    Expected("a subject's name as text (in quotes where it is a number: '7')"),
]
Subjects: TypeAlias = Annotated[list[Subject], AfterValidator(_once)]


class KFoldSettings(Settings):
    """Folds of about equally many subjects, in which each AU is about equally common."""

    folds: Annotated[int, Field(ge=2, le=999)]
    seed: Seed = 0
    """Of the draw; the same subjects, labels and seed give the same folds."""


class HoldOutSettings(Settings):
    """A share of the subjects, in which each AU is about as common as in the others."""

    share: PartBetween
    seed: Seed = 0


class ProtocolSettings(Settings):
    """A fold protocol, given in exactly one of four ways."""

    folds: Annotated[list[Subjects], AfterValidator(_disjoint)] | None = None
    """The test subjects of each fold."""
    k_fold: KFoldSettings | None = None
    """Folds drawn by subject."""
    leave_one_subject_out: Annotated[Literal[True], Expected("true")] | None = None
    """A fold for each subject."""
    hold_out: Subjects | HoldOutSettings | None = None
    """One fold: its test subjects, or the share of the subjects that is tested."""

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        given = [name for name in type(self).model_fields if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(
                f"a fold protocol has exactly one of {', '.join(type(self).model_fields)}, but "
                f"this one has {' and '.join(given) or 'none of them'}"
            )
        return self

    @property
    def n_folds(self) -> int | None:
        """How many folds there are; None where it is the number of subjects."""
        if self.folds is not None:
            return len(self.folds)
        if self.k_fold is not None:
            return self.k_fold.folds
        return None if self.leave_one_subject_out else 1

    def resolve(self, name: str, labels: SubjectLabels) -> FoldProtocol:
        """The protocol for the subjects that the data has.

        Args:
            name: Its name.
            labels: The subjects and how often each shows each AU.

        Raises:
            ConfigurationError: The data has fewer subjects than the protocol needs.
        """
        n_subjects = len(labels.subjects)
        if self.folds is not None:
            return FoldProtocol(name, tuple(tuple(sorted(fold)) for fold in self.folds))
        if self.k_fold is not None:
            n_folds = self.k_fold.folds
            if n_subjects < n_folds:
                raise ConfigurationError(
                    f"protocol {name!r} divides the subjects into {n_folds} folds, but the "
                    f"data has {n_subjects}; set protocols.{name}.k_fold.folds to at most "
                    f"{n_subjects}."
                )
            sizes = [n_subjects // n_folds + (k < n_subjects % n_folds) for k in range(n_folds)]
            return FoldProtocol(name, balanced_groups(labels, sizes, self.k_fold.seed))
        if self.leave_one_subject_out:
            return FoldProtocol(name, tuple((subject,) for subject in labels.subjects))
        assert self.hold_out is not None
        if isinstance(self.hold_out, HoldOutSettings):
            n_tested = min(max(round(self.hold_out.share * n_subjects), 1), n_subjects)
            sizes = [n_tested, n_subjects - n_tested]
            tested = balanced_groups(labels, sizes, self.hold_out.seed)[0]
        else:
            tested = tuple(sorted(self.hold_out))
        others = tuple(name for name in labels.subjects if name not in tested)
        return FoldProtocol(name, (tested,), others)


_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,62}[A-Za-z0-9])?")


def check_protocol_names(protocols: Iterable[str]) -> None:
    """Check the names of protocols, which are those of folders; raises ValueError."""
    for name in protocols:
        if not _NAME.fullmatch(name) or name.isdecimal():
            raise ValueError(
                f"{name!r} cannot be the name of a protocol: expected 1 to 64 letters, digits, "
                "points, hyphens and underscores that begin and end with a letter or digit; no "
                "number"
            )


class SetProtocol(Settings):
    """The fold protocol of one of the chosen coded sets."""

    name: str
    settings: ProtocolSettings


class ChosenProtocols(Settings):
    """The fold protocols of the chosen coded sets, by the sets' names."""

    sets: dict[str, SetProtocol]

    @property
    def name(self) -> str:
        """``fg2020``, or of several sets ``fg2020+studio_folds``; equal names once."""
        return "+".join(dict.fromkeys(one.name for one in self.sets.values()))

    def n_folds(self, n_subjects: Callable[[str], int]) -> int:
        """How many folds a run has: as many as the set with the most.

        Args:
            n_subjects: Counts the subjects of a set; called only where a fold is left for each.
        """
        return max(one.settings.n_folds or n_subjects(name) for name, one in self.sets.items())

    def resolve(
        self,
        subjects: npt.NDArray[np.str_],
        labels: npt.NDArray[np.int8],
        sets: npt.NDArray[np.str_] | None = None,
    ) -> FoldProtocol:
        """The protocol for the data of the chosen sets.

        Args:
            subjects: Of each frame, (N,); of several sets ``set/subject``.
            labels: 1 present, 0 absent, −1 not scored, (N, A).
            sets: The coded set of each frame, (N,); not needed for one set.

        Raises:
            ConfigurationError: A set has fewer subjects than its protocol needs.
        """
        if len(self.sets) == 1:
            (one,) = self.sets.values()
            return one.settings.resolve(one.name, SubjectLabels.of(subjects, labels))
        assert sets is not None
        resolved, named = {}, {}
        for name, one in self.sets.items():
            own = sets == name
            named[name] = {
                full.partition("/")[2]: full for full in np.unique(subjects[own]).tolist()
            }
            alone = np.char.partition(subjects[own], "/")[:, 2]
            known = SubjectLabels.of(alone.tolist(), labels[own])
            resolved[name] = one.settings.resolve(one.name, known)
        return join_protocols(resolved, named)
