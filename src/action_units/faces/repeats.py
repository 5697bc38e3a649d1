"""Faces that occur again under another name: of coded sets refused, of web sets kept once."""

import logging
from collections.abc import Mapping

import numpy as np

from action_units.errors import ConfigurationError
from action_units.faces.join_sets import join_stores
from action_units.faces.store import FaceStore

logger = logging.getLogger(__name__)


def join_coded_stores(
    stores: Mapping[str, FaceStore], people: Mapping[str, str | None]
) -> FaceStore:
    """The faces of some coded sets as one store, as ``join_stores`` has them.

    Raises:
        ConfigurationError: From ``join_stores`` and ``check_no_copies``.
    """
    joined = join_stores(stores, people)
    check_no_copies(joined)
    return joined


def check_no_copies(faces: FaceStore) -> None:
    """Check that no face is two people's, of whom one could train and the other test.

    Faces are compared by the SHA-256 of their crops. Those of one even tone, as a camera's
    dropout leaves them, show nobody.

    Args:
        faces: Of one or several sets, from ``join_stores``.

    Raises:
        ConfigurationError: Names the first pair, and how many faces are affected.
    """
    if "sha256" not in faces.table:
        return
    table = faces.table[["image", "subject", "set", "sha256"]].reset_index(drop=True)
    # A face without a hash is in no group.
    places = np.flatnonzero(table.groupby("sha256")["subject"].transform("nunique") > 1)
    shown = [int(place) for place in places if np.ptp(faces.faces[place]) > 0]
    if not shown:
        return
    copies = table.iloc[shown]
    one = copies.iloc[0]
    alike = copies[copies["sha256"] == one["sha256"]]
    two = alike[alike["subject"] != one["subject"]].iloc[0]
    entry = f"coded_sets.{two['set']}"
    raise ConfigurationError(
        f"{two['image']} of {two['subject']} is the same picture as {one['image']} of "
        f"{one['subject']} (SHA-256 {one['sha256'][:12]}…; such pictures: "
        f"{copies['sha256'].nunique():,}), so one could be trained on and the other tested on. "
        f"Leave the copies out by {entry}.exclude, or, if these are one person, use one name"
        + (f" and {entry}.people." if one["set"] != two["set"] else ".")
    )


def join_web_stores(stores: Mapping[str, FaceStore]) -> FaceStore:
    """The faces of some web sets as one store, as ``join_stores`` has them.

    Identities of one name count as one person: whoever it is, the person is then held out in
    all sets or in none. A face that two sets have is kept in one, as ``drop_repeats`` says.

    Raises:
        ConfigurationError: The faces differ in size.
    """
    first, *others = stores
    joined = join_stores(stores, dict.fromkeys(others, first))
    return drop_repeats(joined) if others else joined


def drop_repeats(faces: FaceStore) -> FaceStore:
    """Keep each face that several sets have in one of them only, and log how many.

    Faces are compared by the SHA-256 of their crops. Where a set holds one out, it is kept
    there, so that no face that is trained on is held out under another name; otherwise in the
    first set.

    Args:
        faces: Of several sets, with ``set``, ``sha256`` and ``split``.

    Returns:
        The same store where no face is in two sets.
    """
    table = faces.table[["set", "sha256"]].assign(learned=faces.table["split"] != "test")
    shared = (table.groupby("sha256")["set"].transform("nunique") > 1).to_numpy()
    if not shared.any():
        return faces
    repeated = table[shared].sort_values("learned", kind="stable")
    owner = repeated.drop_duplicates("sha256").set_index("sha256")["set"]
    keep = ~shared
    keep[shared] = (table["set"] == table["sha256"].map(owner)).to_numpy()[shared]
    logger.warning(
        "%s faces are in several of the sets %s: each is kept in one of them",
        f"{len(owner):,}",
        ", ".join(dict.fromkeys(table["set"])),
    )
    kept = faces.select(np.flatnonzero(keep))
    return FaceStore(kept.faces, kept.table, kept.aus, faces.notes)
