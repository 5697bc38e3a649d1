"""Nodes that remove a person who has withdrawn."""

import dataclasses
import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from action_units.media.paths import AnyPath
from action_units.withdrawal import Layers, People, check_person, files_of, withdraw

logger = logging.getLogger(__name__)


def register(
    person: object, withdrawn: pd.DataFrame, raw: Path, **layers: AnyPath
) -> pd.DataFrame:
    """Add a person to the list of those who have withdrawn.

    Args:
        person: A subject or an identity, as the labels or the raw folders have it.
        withdrawn: The list so far: ``person, date``.
        raw: The folder of raw data.
        layers: Where the products are, by the fields of ``Layers``; and the crops of sets.

    Raises:
        ConfigurationError: Nothing of such a person was found.
    """
    name = check_person(person, _layers(layers), raw, withdrawn["person"])
    if name in set(withdrawn["person"]):
        return withdrawn
    row = pd.DataFrame({"person": [name], "date": [datetime.now(UTC).date().isoformat()]})
    return pd.concat([withdrawn, row], ignore_index=True)


def remove(person: str, withdrawn: pd.DataFrame, raw: Path, **layers: AnyPath) -> None:
    """Remove the person from all products of all runs and protocols; see ``withdrawal``.

    Args:
        person: The subject or identity.
        withdrawn: The list, with the person.
        raw: The folder of raw data, in which nothing is changed.
        layers: Where the products are, by the fields of ``Layers``; and the crops of sets.

    Raises:
        ArtifactError: Another run is at work, or the disk refused.
    """
    name = person.strip()
    date = str(withdrawn.loc[withdrawn["person"] == name, "date"].iloc[0])
    done = withdraw(name, _layers(layers), date)
    for file, rows in done.rows.items():
        logger.info("%s: removed %d rows", file, rows)
    logger.info("Deleted %d files of %s", len(done.deleted), name)
    if not done:
        logger.warning(
            "Nothing was made of the pictures of %s in %s; --env names other data",
            name,
            layers["reports"],
        )
    for model in done.models:
        logger.warning("%s was trained with %s and is not used any more", model, name)
    if done.models:
        logger.warning(
            "Train these models again with the command that made them (with the same `env`, "
            "`run`, `coded`, `recipe` and `protocol`); their states were deleted, so nothing "
            "of the old weights is used."
        )
    if paths := files_of(People.named(name), raw):
        logger.warning(
            "%d raw files of %s are yours to delete: %s%s",
            len(paths),
            name,
            ", ".join(map(str, paths[:3])),
            ", …" if len(paths) > 3 else "",
        )


def _layers(folders: Mapping[str, AnyPath]) -> Layers:
    """The layers; folders of other names are of crops, and count where they lie elsewhere."""
    fields = {field.name for field in dataclasses.fields(Layers)}
    layers: dict[str, Any] = {name: folders[name] for name in folders.keys() & fields}
    crops = [folder for name, folder in folders.items() if name not in fields]
    elsewhere = [folder for folder in crops if folder.parent != layers["primary"]]
    return Layers(**layers, crops=tuple(elsewhere))
