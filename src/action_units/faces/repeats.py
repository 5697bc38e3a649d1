"""Several web sets as one: people of one name, and faces that several of the sets have."""

import logging
from collections.abc import Mapping

import numpy as np

from action_units.faces.join_sets import join_stores
from action_units.faces.store import FaceStore

logger = logging.getLogger(__name__)


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
