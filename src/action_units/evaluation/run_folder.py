"""The folder of a run's networks: ``fold1``, ``fold2`` …, and the files in them."""

import json
import re
from pathlib import Path

from action_units.errors import ArtifactError
from action_units.evaluation.postprocessing.postprocessing import Postprocessing
from action_units.files import reading, verify
from action_units.hints import command

MODEL = "finetuned.safetensors"
"""A fold's network."""

_FOLD = re.compile(r"fold([1-9]\d*)", re.ASCII)


def fold_files(place: Path, file: str) -> dict[int, Path]:
    """A file of every fold that has it.

    A copy that somebody keeps, such as ``fold1.old``, is no fold.

    Args:
        place: The folder that the folds' folders are in.
        file: Such as ``evaluation.json``.

    Returns:
        By fold, in order.
    """
    named = ((_FOLD.fullmatch(path.parent.name), path) for path in place.glob(f"*/{file}"))
    return dict(sorted((int(name[1]), path) for name, path in named if name))


def postprocessing_path(model: Path) -> Path:
    """Where a network's treatment lies, once it has been evaluated."""
    return model.with_name(f"{model.stem}_treatment.json")


def read_postprocessing(model: Path, aus: tuple[int, ...]) -> tuple[Postprocessing, str]:
    """What evaluation laid beside a network.

    Args:
        model: The network's file.
        aus: Its AUs.

    Returns:
        The treatment, and the SHA-256 of the weights that it was fitted to; that is empty in
        files of versions that did not record it.

    Raises:
        ArtifactError: It is missing or damaged.
    """
    path = verify(postprocessing_path(model), made_by=command("evaluate"))
    with reading(path, command("evaluate")):
        content = json.loads(path.read_text())
        return Postprocessing.from_json(content, aus), str(content.get("weights", ""))


def check_weights(model: Path, sha256: str, fitted_to: str) -> None:
    """Refuse a treatment of weights that were there before.

    Args:
        model: The network's file.
        sha256: Of that.
        fitted_to: From ``read_postprocessing``.

    Raises:
        ArtifactError: They are not the same.
    """
    if fitted_to not in ("", sha256):
        raise ArtifactError(
            f"{model} was trained again after it was evaluated, so the thresholds in "
            f"{postprocessing_path(model).name} are not its own; {command('evaluate')} fits "
            "them again."
        )
