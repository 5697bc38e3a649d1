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


def fold_files(folder: Path, file: str) -> dict[int, Path]:
    """A file, such as ``evaluation.json``, of every fold in a folder that has it, in order.

    Other folders, such as a copy ``fold1.old``, are ignored.
    """
    named = ((_FOLD.fullmatch(path.parent.name), path) for path in folder.glob(f"*/{file}"))
    return dict(sorted((int(name[1]), path) for name, path in named if name))


def postprocessing_path(model: Path) -> Path:
    """The file of a network's postprocessing, written by its evaluation."""
    return model.with_name(f"{model.stem}_treatment.json")


def read_postprocessing(model: Path, aus: tuple[int, ...]) -> tuple[Postprocessing, str]:
    """The postprocessing of a network's file, and the SHA-256 of the weights it was fitted to.

    The hash is empty in files of versions that did not record it.

    Raises:
        ArtifactError: It is missing or damaged.
    """
    path = verify(postprocessing_path(model), made_by=command("evaluate"))
    with reading(path, command("evaluate")):
        content = json.loads(path.read_text())
        return Postprocessing.from_json(content, aus), str(content.get("weights", ""))


def check_weights(model: Path, sha256: str, fitted_to: str) -> None:
    """Check that postprocessing was fitted to the weights in a network's file.

    Args:
        model: The network's file.
        sha256: Of that file.
        fitted_to: From ``read_postprocessing``.

    Raises:
        ArtifactError: The network was trained again since.
    """
    if fitted_to not in ("", sha256):
        raise ArtifactError(
            f"{model} was trained again after it was evaluated, so the thresholds in "
            f"{postprocessing_path(model).name} are not its own; {command('evaluate')} fits "
            "them again."
        )
