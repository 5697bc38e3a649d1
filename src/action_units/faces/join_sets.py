"""Several sets of faces as one: the union of their AUs, and people named by set."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import combinations

import numpy as np
import pandas as pd

from action_units.errors import ConfigurationError
from action_units.faces.packing import allocate
from action_units.faces.store import FaceStore
from action_units.labels.action_units import au_columns
from action_units.labels.coded_frames import MISSING

OWN = "own"
"""Said of a set whose subjects are other people than those of any other set."""


def join_stores(stores: Mapping[str, FaceStore], people: Mapping[str, str | None]) -> FaceStore:
    """The faces of some sets as one store, one after the other.

    An AU that a set does not code is ``MISSING`` in its faces. A subject is called
    ``set/subject`` and an image ``set/image``. Who is in two sets, as `people` says, is one
    subject, called by the set that the other one names. Of web sets such a person is held out
    in both where one holds him out.

    Args:
        stores: By the name of their set. One alone keeps its names and its array.
        people: Of each set, the set whose subjects of the same name are the same people, or
            ``own``; None, or no entry, where that is unknown.

    Returns:
        The faces in one new array, with the column ``set``; its AUs rise.

    Raises:
        ConfigurationError: The faces differ in size, or two sets have a subject of one name
            and `people` does not say whether that is one person.
    """
    if len(stores) == 1:
        [(name, store)] = stores.items()
        return replace(store, table=store.table.assign(set=name))
    _check_sizes(stores)
    subjects = {name: store.subjects.tolist() for name, store in stores.items()}
    owners = name_people(subjects, people)
    aus = tuple(sorted({au for store in stores.values() for au in store.aus}))
    parts = []
    size = next(iter(stores.values())).faces.shape[1:]
    faces = allocate((sum(map(len, stores.values())), *size))
    start = 0
    for name, store in stores.items():
        faces[start : start + len(store)] = store.faces
        start += len(store)
        own = store.table
        missing = {column: np.int8(MISSING) for column in au_columns(aus) if column not in own}
        who = own["subject"].astype(str)
        owner = who.map(lambda subject, at=name: owners[at, subject])
        parts.append(
            own.assign(
                set=name,
                subject=owner + "/" + who,
                image=f"{name}/" + own["image"].astype(str),
                **missing,
            )
        )
    table = pd.concat(parts, ignore_index=True)
    if "split" in table:
        held_out = table.loc[table["split"] == "test", "subject"]
        table.loc[table["subject"].isin(held_out), "split"] = "test"
    made = [store.notes.get("faces") for store in stores.values()]
    alike = all(one == made[0] for one in made)
    return FaceStore(faces, table, aus, {"faces": made[0] if alike else None})


def _check_sizes(stores: Mapping[str, FaceStore]) -> None:
    sizes = {name: store.faces.shape[1:] for name, store in stores.items()}
    (first, expected), *others = sizes.items()
    for name, size in others:
        if size != expected:
            raise ConfigurationError(
                f"the faces of {first} are {_pixels(expected)} and those of {name} "
                f"{_pixels(size)}, so they cannot be joined; preprocess both sets with the "
                "same face_size and preprocess.crop.colour."
            )


def _pixels(size: tuple[int, ...]) -> str:
    return f"{size[1]} × {size[0]} pixels{' in colour' if len(size) == 3 else ''}"


def name_people(
    names: Mapping[str, Iterable[str]], people: Mapping[str, str | None]
) -> dict[tuple[str, str], str]:
    """By set and subject, the set that the subject is called by.

    Args:
        names: Of each set, its subjects; repeats do not matter.
        people: As of ``join_stores``.

    Raises:
        ConfigurationError: It is unknown whether two subjects of one name are one person.
    """
    subjects = {name: set(own) for name, own in names.items()}
    roots = {name: people_root(name, people) for name in names}
    for one, other in combinations(names, 2):
        common = sorted(subjects[one] & subjects[other])
        known = OWN in (people.get(roots[one]), people.get(roots[other]))
        if common and roots[one] != roots[other] and not known:
            raise ConfigurationError(
                f"{one} and {other} both have a subject {common[0]!r} ({len(common):,} such "
                f"names): set `people` of {other} to {one} where these are the same people, "
                f"or to {OWN} where they are not."
            )
    # The set that the others name comes first.
    ordered = sorted(names, key=lambda name: name != roots[name])
    return {
        (name, subject): next(
            owner
            for owner in ordered
            if roots[owner] == roots[name] and subject in subjects[owner]
        )
        for name in names
        for subject in subjects[name]
    }


def join_subjects(
    tables: Mapping[str, pd.DataFrame], people: Mapping[str, str | None]
) -> pd.DataFrame:
    """Tables of the subjects of some sets as one, by the names of ``join_stores``.

    Args:
        tables: By the name of their set, with subjects as index. One alone keeps its names.
        people: As of ``join_stores``. A subject of two sets has the row of the first.
    """
    if len(tables) == 1:
        return next(iter(tables.values()))
    roots = {name: people_root(name, people) for name in tables}
    joined = pd.concat(
        table.set_axis(f"{owner}/" + table.index.astype(str))
        for name, table in tables.items()
        for owner in tables  # by any of which the same person may be called
        if roots[owner] == roots[name]
    )
    return joined[~joined.index.duplicated()]


def people_root(name: str, people: Mapping[str, str | None]) -> str:
    """The set by whose people a set's are named; equal for sets of the same people."""
    passed = [name]
    while (owner := people.get(passed[-1])) not in (None, OWN):
        if owner in passed:
            return min(passed[passed.index(owner) :])
        passed.append(owner)
    return passed[-1]
