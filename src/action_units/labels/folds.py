"""Which subjects test each fold, and who is held out of training to validate.

Protocols are settings (``config.protocols``); the two of DISFA that have a name in the
literature stand here as well, because label files in the paper's format are written in the
folds of the paper whatever a run's protocol is.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from zlib import crc32

import numpy as np

from action_units.errors import ConfigurationError
from action_units.hints import own_settings

_SHOWN = 9
"""How many subjects an error names at most."""


@dataclass(frozen=True)
class FoldProtocol:
    """Disjoint groups of subjects, each the test set of one fold.

    Attributes:
        name: Its name.
        groups: The test subjects of fold 1, of fold 2, and so on.
        training: Subjects whom no fold tests.
        joint: It is of several coded sets, whose subjects are named ``set/subject``.
    """

    name: str
    groups: tuple[tuple[str, ...], ...]
    training: tuple[str, ...] = ()
    joint: bool = False

    @property
    def folds(self) -> tuple[int, ...]:
        """The fold numbers, from 1."""
        return tuple(range(1, len(self.groups) + 1))

    @property
    def subjects(self) -> tuple[str, ...]:
        """All subjects of the protocol, sorted."""
        tested = [subject for group in self.groups for subject in group]
        return tuple(sorted([*tested, *self.training]))

    def test_subjects(self, fold: int) -> tuple[str, ...]:
        """The subjects that fold `fold` tests on.

        Raises:
            ConfigurationError: The fold does not exist; the message lists the folds.
        """
        if isinstance(fold, bool) or fold not in self.folds:
            one = len(self.folds) == 1
            folds = "1" if one else f"1 to {self.folds[-1]}"
            raise ConfigurationError(
                f"fold {fold} does not exist: protocol {self.name!r} has "
                f"{'fold' if one else 'folds'} {folds}."
            )
        return self.groups[fold - 1]


def _subjects(*numbers: int) -> tuple[str, ...]:
    return tuple(f"SN{number:03d}" for number in numbers)


FG2020 = FoldProtocol(
    "fg2020",
    (
        _subjects(2, 5, 6, 7, 12, 13, 16, 18, 26),
        _subjects(1, 3, 4, 9, 10, 11, 25, 29, 30),
        _subjects(8, 17, 21, 23, 24, 27, 28, 31, 32),
    ),
)
"""DISFA in Fung & McDuff (FG 2020)."""

STANDARD = FoldProtocol(
    "standard",
    (
        _subjects(1, 2, 9, 10, 16, 26, 27, 30, 32),
        _subjects(6, 11, 12, 13, 18, 21, 24, 28, 31),
        _subjects(3, 4, 5, 7, 8, 17, 23, 25, 29),
    ),
)
"""The split that most papers about DISFA use."""

DISFA_SUBJECTS: tuple[str, ...] = FG2020.subjects
"""The 27 subjects of DISFA; the numbers 14, 15, 19, 20 and 22 do not exist."""


@dataclass(frozen=True)
class FoldSplit:
    """Who trains, who validates and who tests in one fold; sorted, disjoint."""

    train: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...]


def join_protocols(
    protocols: Mapping[str, FoldProtocol],
    named: Mapping[str, Mapping[str, str]] | None = None,
) -> FoldProtocol:
    """The protocol of several coded sets that are trained together.

    Fold k tests those whom fold k of each set tests. In a fold that a set does not have, all
    its subjects train. A person who is in two sets follows the protocol of the set that gives
    the name, so nobody is tested in two folds.

    Args:
        protocols: Of each set, by the set's name.
        named: Of each set, the names ``set/subject`` of its subjects in the joint data, which
            for a person of two sets have the name of one of them; by default of their own.

    Returns:
        A protocol of subjects named ``set/subject``; its name is that of the protocols, each
        once, with ``+`` between them.
    """
    placed: set[str] = set()

    def new(subjects: Iterable[str], own: str) -> tuple[str, ...]:
        """Those of a set's subjects that it decides about, by their names."""
        names = []
        for subject in subjects:
            name = (named or {}).get(own, {}).get(subject, f"{own}/{subject}")
            owner = name.partition("/")[0]
            others = owner != own and subject in protocols[owner].subjects
            if not others and name not in placed:
                names.append(name)
        placed.update(names)
        return tuple(names)

    groups: list[tuple[str, ...]] = []
    training: tuple[str, ...] = ()
    for set_name, protocol in protocols.items():
        more = [new(group, set_name) for group in protocol.groups]
        groups = [one + two for one, two in zip_longest(groups, more, fillvalue=())]
        training += new(protocol.training, set_name)
    return FoldProtocol(
        name="+".join(dict.fromkeys(protocol.name for protocol in protocols.values())),
        groups=tuple(tuple(sorted(group)) for group in groups),
        training=tuple(sorted(training)),
        joint=True,
    )


def split_subjects(
    protocol: FoldProtocol, fold: int, subjects: Iterable[str], n_validation: int, seed: int
) -> FoldSplit:
    """Divide the subjects of the data into train, validation and test.

    The test subjects are those of the protocol's group that the data has. The validation
    subjects are drawn from the others, of several sets in proportion to their subjects: the
    same arguments give the same draw on any machine, in whatever order `subjects` comes.

    Args:
        protocol: The protocol.
        fold: The fold, from 1.
        subjects: The subjects in the data; repeats do not matter.
        n_validation: How many of the training subjects validate.
        seed: Seed of the draw.

    Raises:
        ConfigurationError: An unknown fold, a subject the protocol does not know, no test
            subject in the data, or too few left to train.
    """
    group = protocol.test_subjects(fold)
    present = sorted(set(subjects))
    check_known(protocol, present)
    test = tuple(subject for subject in present if subject in group)
    rest = [subject for subject in present if subject not in group]
    if not group:
        raise ConfigurationError(
            f"fold {fold} of protocol {protocol.name!r} tests nobody: those whom it names are "
            "also in another set and follow that set's protocol; give both sets one protocol, "
            "such as by `--params protocol=NAME`."
        )
    if not test:
        raise ConfigurationError(
            f"fold {fold} of protocol {protocol.name!r} tests on {_some(group)}, but the data "
            f"has none of them; it has {_some(present) or 'no subject at all'}."
        )
    if n_validation < 1:
        raise ConfigurationError(
            f"{n_validation} validation subjects: at least 1 is needed, because model and "
            "thresholds are never chosen on test subjects."
        )
    if len(rest) <= n_validation:
        raise ConfigurationError(
            f"fold {fold} of protocol {protocol.name!r} leaves {len(rest)} subjects of the "
            f"data outside its test group, too few to hold out {n_validation} for validation "
            "and train on the others; add subjects or lower the number of validation subjects."
        )
    generator = np.random.default_rng([seed, crc32(protocol.name.encode()), fold])
    drawn = [rest[i] for i in generator.permutation(len(rest))]
    validation = set(
        _in_proportion(drawn, n_validation) if protocol.joint else drawn[:n_validation]
    )
    return FoldSplit(
        train=tuple(subject for subject in rest if subject not in validation),
        validation=tuple(sorted(validation)),
        test=test,
    )


def check_folds(
    protocol: FoldProtocol, folds: Iterable[int], subjects: Iterable[str], n_validation: int
) -> None:
    """Check that the subjects are enough for the folds; the error lists what they can fill.

    Args:
        protocol: The protocol.
        folds: The folds to train.
        subjects: The subjects in the data; repeats do not matter.
        n_validation: How many of the training subjects validate.

    Raises:
        ConfigurationError: As ``split_subjects``.
    """
    requested, present = set(folds), set(subjects)
    check_known(protocol, sorted(present))
    try:
        for fold in sorted(requested):
            split_subjects(protocol, fold, present, n_validation, seed=0)
    except ConfigurationError as error:
        n_outside = {
            fold: len(present - set(protocol.test_subjects(fold))) for fold in protocol.folds
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
        ways = [",".join(filter(None, (option, fewer))) for option in options[:_SHOWN]]
        raise ConfigurationError(
            f"{error} What can be trained: add `{'` or `'.join(ways)}` to --params."
        ) from None


def check_known(protocol: FoldProtocol, present: Sequence[str]) -> None:
    """Check that a protocol names all subjects of the data; raises ConfigurationError."""
    named = protocol.subjects
    unknown = sorted(map(str, set(present) - set(named)))
    file = own_settings("parameters_data.yml")
    if unknown and len(unknown) == len(present):
        raise ConfigurationError(
            f"protocol {protocol.name!r} names nobody of the data: it names {_some(named)}, "
            f"and the data has {_some(present)}; choose another by `--params protocol=NAME`, "
            f"or add one to `protocols` in {file}."
        )
    if unknown:
        raise ConfigurationError(
            f"subject {unknown[0]!r} belongs to no fold of protocol {protocol.name!r}, which "
            f"names {len(named)} subjects, {named[0]} to {named[-1]}; add the subject to a "
            f"fold in {file}, or leave it out by `exclude` of its coded set."
        )


def _in_proportion(drawn: Sequence[str], n: int) -> list[str]:
    """The first `n` of a draw of ``set/subject``, of each set by its share of the draw."""
    of_set: dict[str, list[str]] = {}
    for subject in drawn:
        of_set.setdefault(subject.partition("/")[0], []).append(subject)
    # Largest remainders; ties go to the name that sorts first.
    shares = {name: n * len(members) / len(drawn) for name, members in of_set.items()}
    taken = {name: int(share) for name, share in shares.items()}
    by_remainder = sorted(shares, key=lambda name: (taken[name] - shares[name], name))
    for name in by_remainder[: n - sum(taken.values())]:
        taken[name] += 1
    return [subject for name, members in of_set.items() for subject in members[: taken[name]]]


def _some(subjects: Sequence[str]) -> str:
    """Subjects as a sentence lists them, of many the first few and how many more."""
    if len(subjects) > _SHOWN + 1:
        return f"{', '.join(subjects[:_SHOWN])} and {len(subjects) - _SHOWN} more"
    if len(subjects) < 2:
        return "".join(subjects)
    return f"{', '.join(subjects[:-1])} and {subjects[-1]}"
