"""Which of the web faces are trained on, and which people are held out.

Fung & McDuff (FG 2020) draw N faces of a large web set, as many of women as of men, at most
a few of each person. Every draw here is a rank by a hash of the seed and a name, so it does
not depend on the order of the rows, and samples of one seed are nested: the faces of a small
one are all in a larger one.
"""

import logging
from collections.abc import Iterable
from hashlib import blake2b
from typing import Any

import numpy as np
import pandas as pd

from action_units.errors import ConfigurationError

logger = logging.getLogger(__name__)

GENDERS = (0, 1)
"""The numbers of the genders; in the rendered sample 0 is a woman and 1 a man."""


def sample_faces(
    table: pd.DataFrame,
    n: int | None = None,
    *,
    seed: int,
    per_identity: int | None = None,
    identities: int | None = None,
    even_gender: bool = True,
) -> pd.DataFrame:
    """Draw faces as the paper did.

    First, of each person the `per_identity` faces of lowest rank; a person's draw does not
    depend on who else is there. Then `identities` people, and of their faces `n`. Where the
    people are drawn, each one's first face comes before anyone's second, so that all of them
    are in the sample if `n` is large enough.

    A larger `n`, at the same other arguments, adds faces and takes none away; so does a larger
    `identities` or `per_identity` where `n` is None: subjects and images a subject can be
    varied alone. Hold people out first (``hold_out``) and sample the others, so that samples
    of all sizes are tested on the same people.

    Args:
        table: A row a face, with ``image`` (each once), ``subject`` and ``gender`` 0 or 1.
        n: How many faces; None takes all that the other arguments leave.
        seed: Of the draw.
        per_identity: The most faces of one person; None for no limit.
        identities: How many people; None for no limit.
        even_gender: Half of the `identities` and half of the `n` of each gender; of an odd
            number, gender 0 has one more.

    Returns:
        The drawn rows in the table's order, with a new index.

    Raises:
        ConfigurationError: Too few exist; the message has the counts.
    """
    for name, value in (("n", n), ("per_identity", per_identity), ("identities", identities)):
        if value is not None and (isinstance(value, bool) or value < 1):
            raise ConfigurationError(f"{name}={value!r} must be 1 or more, or null.")
    pool = pd.DataFrame(
        {
            "subject": table["subject"].to_numpy(),
            "gender": table["gender"].to_numpy() if even_gender else 0,
            "hash": _hashes(seed, "face", table["image"]),
        }
    )
    pool = pool.sort_values("hash", kind="stable")  # its index is the row in the table
    pool["rank"] = pool.groupby("subject").cumcount()
    if per_identity is not None:
        pool = pool[pool["rank"] < per_identity]
    if identities is not None:
        drawn = _draw_people(pool, identities, seed, even_gender)
        pool = pool[pool["subject"].isin(drawn)].sort_values(["rank", "hash"], kind="stable")
    limits = [
        *([f"at most {per_identity} a person"] if per_identity else []),
        *([f"{identities:,} people"] if identities else []),
    ]
    n_rows = _requested(n, "faces", pool["gender"], even_gender, " and ".join(limits))
    rows = np.concatenate(
        [pool.index[pool["gender"] == gender][:count] for gender, count in n_rows.items()]
    )
    return table.iloc[np.sort(rows)].reset_index(drop=True)


def hold_out(
    table: pd.DataFrame, part: float, *, seed: int, even_gender: bool = True
) -> set[str]:
    """Draw the people that training never sees.

    Args:
        table: A row a face, with ``subject`` and ``gender``.
        part: The part of the people to hold out, above 0 and below 1.
        seed: Of the draw; a larger part of the same seed holds out more people and gives none
            back.
        even_gender: Hold out the same part of each gender, to within one person.

    Raises:
        ConfigurationError: The part leaves one side without people.
    """
    people = _people(table, even_gender)
    if isinstance(part, bool) or not 0.0 < part < 1.0:
        raise ConfigurationError(f"held_out={part!r} must be above 0 and below 1.")
    count = round(part * len(people))
    if not 0 < count < len(people):
        raise ConfigurationError(
            f"held_out={part!r} holds out {count} of {len(people)} people; both sides need "
            "some."
        )
    order: list[tuple[float, int, str]] = []
    for gender in sorted(set(people)):
        names = _ranked(people[people == gender].index, seed, "held out")
        order += [
            ((place + 0.5) / len(names), gender, name) for place, name in enumerate(names)
        ]
    return {name for _, _, name in sorted(order)[:count]}


def split_faces(
    table: pd.DataFrame, held_out: float, *, seed: int, **sample: Any
) -> pd.DataFrame:
    """Hold people out as ``hold_out``, and draw faces of the others as ``sample_faces``.

    Args:
        table: A row a face, with ``image``, ``subject`` and ``gender``.
        held_out: The part of the people that only test.
        seed: Of both draws.
        sample: The other arguments of ``sample_faces``.

    Returns:
        The drawn rows with ``split``: those of ``train``, then those of ``test``.
    """
    is_test = table["subject"].isin(hold_out(table, held_out, seed=seed))
    train = sample_faces(table[~is_test], seed=seed, **sample)
    test = table[is_test]
    logger.info(
        "%s faces of %s people to train on, %s of %s held out",
        *(f"{n:,}" for part in (train, test) for n in (len(part), part["subject"].nunique())),
    )
    return pd.concat(
        [train.assign(split="train"), test.assign(split="test")], ignore_index=True
    )


def _draw_people(pool: pd.DataFrame, count: int, seed: int, even_gender: bool) -> set[str]:
    people = _people(pool, even_gender)
    drawn: set[str] = set()
    for gender, n in _requested(count, "people", people, even_gender).items():
        drawn.update(_ranked(people[people == gender].index, seed, "person")[:n])
    return drawn


def _requested(
    count: int | None,
    unit: str,
    genders: "pd.Series[int]",
    even_gender: bool,
    limits: str = "",
) -> dict[int, int]:
    """How many to draw of each gender: near-equal parts of `count`, or all that there are.

    Raises:
        ConfigurationError: There are fewer.
    """
    parts = GENDERS if even_gender else (0,)
    existing = {gender: int((genders == gender).sum()) for gender in parts}
    if count is None:
        return existing
    requested = {part: (count + len(parts) - 1 - part) // len(parts) for part in parts}
    if all(existing[gender] >= requested[gender] for gender in parts):
        return requested
    given = f" with {limits}" if limits else ""
    if not even_gender:
        raise ConfigurationError(
            f"{count:,} {unit} were requested; there are {existing[0]:,}{given}."
        )
    advice = "or allow more a person" if "a person" in limits else "or set even_gender to false"
    raise ConfigurationError(
        f"{count:,} {unit} were requested, {requested[0]:,} of gender 0 and {requested[1]:,} "
        f"of gender 1; there are {existing[0]:,} and {existing[1]:,}{given}. Request fewer, "
        f"{advice}."
    )


def _people(table: pd.DataFrame, by_gender: bool) -> "pd.Series[int]":
    """Each person's gender, by name: the more frequent one of their faces, of equals 0."""
    if not by_gender:
        return pd.Series(0, index=pd.Index(table["subject"].unique()))
    mean = table.groupby("subject")["gender"].mean()
    return (mean > 0.5).astype(int)


def _ranked(names: Iterable[str], seed: int, what: str) -> list[str]:
    names = sorted(names)
    order = np.argsort(_hashes(seed, what, names), kind="stable")
    return [names[place] for place in order]


def _hashes(seed: int, what: str, names: Iterable[str]) -> np.ndarray:
    """A number for each name that depends on nothing else but the seed, (N,) uint64."""
    start = blake2b(f"{seed}\0{what}\0".encode(), digest_size=8)

    def digest(name: str) -> int:
        one = start.copy()
        one.update(name.encode())
        return int.from_bytes(one.digest(), "big")

    return np.array([digest(str(name)) for name in names], np.uint64)
