"""Which DISFA subjects test each fold, and who is held out of training to validate."""

from collections.abc import Iterable
from dataclasses import dataclass
from zlib import crc32

import numpy as np

from action_units.errors import ConfigurationError


def _subjects(*numbers: int) -> tuple[str, ...]:
    return tuple(f"SN{number:03d}" for number in numbers)


@dataclass(frozen=True)
class FoldProtocol:
    """Three disjoint groups of DISFA's 27 subjects, each the test set of one fold.

    Attributes:
        name: The name it is chosen by.
        groups: The test subjects of fold 1, of fold 2, and of fold 3.
    """

    name: str
    groups: tuple[tuple[str, ...], ...]

    @property
    def folds(self) -> tuple[int, ...]:
        """The fold numbers, from 1."""
        return tuple(range(1, len(self.groups) + 1))

    @property
    def subjects(self) -> tuple[str, ...]:
        """All subjects of the protocol, sorted."""
        return tuple(sorted(subject for group in self.groups for subject in group))

    def test_subjects(self, fold: int) -> tuple[str, ...]:
        """The subjects that fold `fold` tests on.

        Raises:
            ConfigurationError: The fold does not exist; the message lists the folds.
        """
        if isinstance(fold, bool) or fold not in self.folds:
            raise ConfigurationError(
                f"fold {fold} does not exist: protocol {self.name!r} has folds "
                f"{_listed(self.folds)}."
            )
        return self.groups[fold - 1]


PROTOCOLS: dict[str, FoldProtocol] = {
    "fg2020": FoldProtocol(
        "fg2020",
        (
            _subjects(2, 5, 6, 7, 12, 13, 16, 18, 26),
            _subjects(1, 3, 4, 9, 10, 11, 25, 29, 30),
            _subjects(8, 17, 21, 23, 24, 27, 28, 31, 32),
        ),
    ),
    "standard": FoldProtocol(
        "standard",
        (
            _subjects(1, 2, 9, 10, 16, 26, 27, 30, 32),
            _subjects(6, 11, 12, 13, 18, 21, 24, 28, 31),
            _subjects(3, 4, 5, 7, 8, 17, 23, 25, 29),
        ),
    ),
}
"""``fg2020``: Fung & McDuff (FG 2020). ``standard``: the split most DISFA papers use."""

DISFA_SUBJECTS: tuple[str, ...] = PROTOCOLS["fg2020"].subjects
"""The 27 subjects of DISFA; the numbers 14, 15, 19, 20 and 22 do not exist."""


@dataclass(frozen=True)
class FoldSplit:
    """Who trains, who validates and who tests in one fold; sorted, disjoint."""

    train: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...]


def fold_protocol(name: str) -> FoldProtocol:
    """The protocol of that name.

    Raises:
        ConfigurationError: It does not exist; the message lists the choices.
    """
    if name not in PROTOCOLS:
        raise ConfigurationError(
            f"protocol {name!r} does not exist: choose {_listed(sorted(PROTOCOLS), 'or')}."
        )
    return PROTOCOLS[name]


def split_subjects(
    protocol: str, fold: int, subjects: Iterable[str], n_validation: int, seed: int
) -> FoldSplit:
    """Divide the subjects of the data into train, validation and test.

    The test subjects are those of the protocol's group that the data has. The validation
    subjects are drawn from the others: the same arguments give the same draw on any
    machine, in whatever order `subjects` comes.

    Args:
        protocol: The protocol's name.
        fold: The fold, from 1.
        subjects: The subjects in the data; repeats do not matter.
        n_validation: How many of the training subjects validate.
        seed: Seed of the draw.

    Raises:
        ConfigurationError: An unknown protocol or fold, a subject the protocol
            does not know, no test subject in the data, or too few left to train.
    """
    chosen = fold_protocol(protocol)
    group = chosen.test_subjects(fold)
    present = sorted(set(subjects))
    if unknown := sorted(set(present) - set(chosen.subjects)):
        raise ConfigurationError(
            f"subject {unknown[0]!r} belongs to no fold of protocol {protocol!r}: it knows "
            f"the {len(chosen.subjects)} subjects of DISFA, {chosen.subjects[0]} to "
            f"{chosen.subjects[-1]}. Take the subject's faces out of the data."
        )
    test = tuple(subject for subject in present if subject in group)
    rest = [subject for subject in present if subject not in group]
    if not test:
        raise ConfigurationError(
            f"fold {fold} of protocol {protocol!r} tests on {_listed(group)}, but the data "
            f"has none of them; it has {_listed(present) or 'no subject at all'}."
        )
    if n_validation < 1:
        raise ConfigurationError(
            f"{n_validation} validation subjects: at least 1 is needed, because model and "
            "thresholds are never chosen on test subjects."
        )
    if len(rest) <= n_validation:
        raise ConfigurationError(
            f"fold {fold} of protocol {protocol!r} leaves {len(rest)} subjects of the data "
            f"outside its test group, too few to hold out {n_validation} for validation and "
            "train on the others; add subjects or lower the number of validation subjects."
        )
    generator = np.random.default_rng([seed, crc32(protocol.encode()), fold])
    drawn = generator.permutation(len(rest))[:n_validation]
    validation = {rest[i] for i in drawn}
    return FoldSplit(
        train=tuple(subject for subject in rest if subject not in validation),
        validation=tuple(sorted(validation)),
        test=test,
    )


def check_folds(
    protocol: str, folds: Iterable[int], subjects: Iterable[str], n_validation: int
) -> None:
    """Check that the subjects are enough for the folds; the error lists what they can fill.

    Args:
        protocol: The protocol's name.
        folds: The folds to train.
        subjects: The subjects in the data; repeats do not matter.
        n_validation: How many of the training subjects validate.

    Raises:
        ConfigurationError: As ``split_subjects``.
    """
    requested, present = set(folds), set(subjects)
    chosen = fold_protocol(protocol)
    try:
        for fold in sorted(requested):
            split_subjects(protocol, fold, present, n_validation, seed=0)
    except ConfigurationError as error:
        if present - set(chosen.subjects):
            raise
        n_outside = {
            fold: len(present - set(chosen.test_subjects(fold))) for fold in chosen.folds
        }
        possible = {fold for fold, n in n_outside.items() if 2 <= n < len(present)}
        if not possible:
            raise ConfigurationError(
                f"{error} No fold of it can be trained with these subjects: one is needed to "
                "test, and two outside its group to train and to validate."
            ) from None
        if requested <= possible:
            options, limiting = [""], requested
        else:
            options, limiting = [f"fold={fold}" for fold in sorted(possible)], possible
        least = min(n_outside[fold] for fold in limiting)
        fewer = f"finetune.validation_subjects={least - 1}" if least <= n_validation else ""
        ways = [",".join(filter(None, (option, fewer))) for option in options]
        raise ConfigurationError(
            f"{error} What can be trained: add `{'` or `'.join(ways)}` to --params."
        ) from None


def _listed(items: Iterable[object], word: str = "and") -> str:
    """Items as a sentence lists them: ``1, 2 and 3``."""
    names = [str(item) for item in items]
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} {word} {names[-1]}"
