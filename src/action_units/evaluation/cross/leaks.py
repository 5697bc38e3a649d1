"""Who and what a network may be tested on in another set: new people, new faces.

The name of a subject means something within its set alone. Whether equal names in two sets are
the same people is for the configuration to say (``people`` of a coded set).
"""

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from action_units.errors import ConfigurationError
from action_units.faces.join_sets import OWN, people_root
from action_units.faces.store import FaceStore
from action_units.hints import own_settings

People = Mapping[str, str | None]
"""Of each coded set: the set that has the same people under the same names, ``own``, or None
where that is unknown."""


def check_target(target: str | None, coded: str, sets: Iterable[str], again: str) -> str:
    """The set to test on.

    Args:
        target: As the parameter ``on`` has it.
        coded: The sets that the networks were trained on, such as ``disfa+studio``.
        sets: All coded sets of the configuration.
        again: What evaluates a run on the set that it was trained on (``hints.command``).

    Raises:
        ConfigurationError: No set, or one trained on.
    """
    trained = coded.split("+")
    others = [name for name in sets if name not in trained]
    choices = f"there {'is' if len(others) == 1 else 'are'} {', '.join(others) or 'none'}"
    if target is None:
        raise ConfigurationError(
            "cross needs the coded set to test on: add `--params on=NAME`, a set that "
            f"{coded} does not contain; {choices}."
        )
    if target in trained:
        raise ConfigurationError(
            f"on={target}: the networks of coded={coded} were trained on {target}, so this is "
            f"no test across sets. {again} tests them on the subjects of {target} that they "
            f"have not seen; other sets: {choices}."
        )
    return target


def unseen_subjects(
    target: str,
    subjects: Iterable[str],
    known: Mapping[int, Collection[str]],
    everybody: Collection[str],
    coded: str,
    people: People,
) -> dict[int, tuple[str, ...]]:
    """The subjects of a set that each network may be tested on.

    A person whom a network was trained or validated on is left out for that network. So a
    network of DISFA is tested on the people of DISFA+ that its own fold tests, and on those
    who are not in DISFA.

    Args:
        target: The set to test on.
        subjects: Its subjects.
        known: By fold, the subjects that the network was trained and validated on, and whom
            its thresholds were fitted on; as that run names them.
        everybody: All subjects that the networks' folds name, those tested on too.
        coded: The sets that the networks were trained on, such as ``disfa+studio``.
        people: Of all sets.

    Returns:
        By fold, the subjects, sorted; a fold without any is left out.

    Raises:
        ConfigurationError: Equal names in two sets that may or may not be the same people, or
            nobody whom no network has seen.
    """
    trained, names = coded.split("+"), sorted(set(subjects))
    _check_known(target, names, [_in_set(who, trained) for who in everybody], people)
    persons = {name: (people_root(target, people), name) for name in names}
    unseen = {}
    for fold, who in sorted(known.items()):
        seen = {
            (people_root(of, people), name) for of, name in (_in_set(w, trained) for w in who)
        }
        if new := tuple(name for name in names if persons[name] not in seen):
            unseen[fold] = new
    if not unseen:
        folds = ", ".join(map(str, sorted(known)))
        raise ConfigurationError(
            f"nobody of {target} is new to the networks of {coded}: all {len(names)} subjects, "
            f"such as {names[0]}, are among those that every network (fold {folds}) was "
            "trained or validated on."
        )
    return unseen


def face_hashes(store: FaceStore) -> pd.DataFrame:
    """What identifies each face: image, subject, and the SHA-256 of its file and its pixels.

    Both are empty for a face of one even tone, as a camera's dropout leaves it; that of the
    file also where it is not recorded.
    """
    faces = np.ascontiguousarray(store.faces)
    flat = faces.reshape(len(faces), -1)
    shown = flat.min(axis=1, initial=255) < flat.max(axis=1, initial=0)
    pixels = [
        hashlib.sha256(face.data).hexdigest() if seen else ""
        for face, seen in zip(flat, shown, strict=True)
    ]
    recorded = store.table.get("sha256", pd.Series("", index=store.table.index))
    return pd.DataFrame(
        {
            "image": store.table["image"].astype(str),
            "subject": store.subjects,
            "file": np.where(shown, recorded.fillna("").astype(str), ""),
            "pixels": pixels,
        }
    )


def check_no_shared_faces(
    known: pd.DataFrame, tested: pd.DataFrame, known_in: str, tested_in: str, learned: str
) -> None:
    """Check that no face is on both sides, whatever it is called.

    Args:
        known: From `face_hashes`, of the faces that a network learned from.
        tested: The same of the faces that it is to be tested on.
        known_in: The name of the first's set.
        tested_in: The name of the second's set.
        learned: What the network did with the first: ``is trained or validated on``.

    Raises:
        ConfigurationError: Names the first pair, and how many faces are affected.
    """
    for kind in ("file", "pixels"):
        first = known[known[kind] != ""].drop_duplicates(kind).set_index(kind)
        both = tested[(tested[kind] != "") & tested[kind].isin(first.index)]
        if both.empty:
            continue
        copy = both.iloc[0]
        original = first.loc[copy[kind]]
        raise ConfigurationError(
            f"{copy['image']} of {copy['subject']} in {tested_in}, who is tested on, is the "
            f"same picture as {original['image']} of {original['subject']} in {known_in}, who "
            f"{learned} (SHA-256 of the {kind} {copy[kind][:12]}…; such pictures: "
            f"{len(both):,}). Take the copies out of {tested_in} (coded_sets.{tested_in}."
            "exclude), or, if these are the same people, say so with the same names and "
            f"coded_sets.{tested_in}.people."
        )


def _check_known(
    target: str, names: Sequence[str], trained: Sequence[tuple[str, str]], people: People
) -> None:
    """Check that equal names are known to be the same people, or others."""
    own_root = people_root(target, people)
    for of, name in sorted(set(trained)):
        root = people_root(of, people)
        known = root == own_root or OWN in (people.get(root), people.get(own_root))
        if name in names and not known:
            raise ConfigurationError(
                f"{target} and {of} both have a subject {name}, and the configuration does not "
                "say whether they are the same person: set "
                f"coded_sets.{target}.people to {of} (equal names are the same people) or to "
                f"{OWN} (they are not) in {own_settings('parameters_data.yml')}."
            )


def _in_set(subject: str, sets: Sequence[str]) -> tuple[str, str]:
    """The set and name of a subject; in a run of several sets, it is ``set/name``."""
    if len(sets) == 1:
        return sets[0], subject
    of, _, name = subject.partition("/")
    return of, name
