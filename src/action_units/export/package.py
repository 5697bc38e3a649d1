"""An exported folder: weights with JSON, ONNX files and a model card, and reading it back.

    config.json         what all of it is, with the SHA-256 of weights and ONNX files
    model.safetensors   the weights; of several networks, fold1.safetensors and so on
    model.onnx          all of them as one, with what comes before and after
    model-int8.onnx     the same in eight-bit integers
    README.md           the model card

Nothing in it is ever unpickled. All of it is written under other names first, so a full disk
leaves an earlier export as it was; a folder that is being replaced does not load until it is
whole, because ``config.json`` knows the weights' SHA-256.
"""

import hashlib
import json
import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from action_units import __version__
from action_units.errors import ArtifactError, ConfigurationError
from action_units.evaluation.postprocessing.postprocessing import Postprocessing
from action_units.evaluation.run_folder import MODEL
from action_units.export.conversion import convert
from action_units.export.members import (
    PackagedMember,
    left_to_do,
    read_run,
    refuse_unlike_members,
)
from action_units.export.model_card import refuse_other_card, with_export
from action_units.export.project import find_card, find_faces
from action_units.faces.store import FaceStore
from action_units.files import manifest_of, sha256_of, verify, write_many
from action_units.hints import command
from action_units.labels.action_units import au_columns
from action_units.locks import locked
from action_units.models.model_files import load_model

logger = logging.getLogger(__name__)

SCHEMA = 1
CONFIG, CARD = "config.json", "README.md"

_WEIGHTS_OR_GRAPH = re.compile(r"(model|fold\d+)\.safetensors|model(-int8)?\.onnx")


@dataclass(frozen=True)
class Package:
    """What an exported folder holds.

    Attributes:
        members: Its networks, ready to be asked.
        faces: How faces are found and cut out of pictures, as the networks' provenance has
            it; None where they were trained on crops made elsewhere.
        name: Of the run and the folder, such as ``sample/main/fg2020/fold3``.
        sha256: Of its ``config.json``, and by that of everything in it.
    """

    members: tuple[PackagedMember, ...]
    faces: dict[str, Any] | None
    name: str
    sha256: str


def export_run(
    run_folder: Path | str,
    out: Path | str,
    *,
    fold: int | None = None,
    onnx: bool = True,
    int8: bool = True,
    calibration_faces: FaceStore | None = None,
    card: str | None = None,
) -> Path:
    """Write a run's networks as files for others.

    Args:
        run_folder: Such as ``data/06_models/sample/main/fg2020``.
        out: The folder to write: a new or empty one, or an earlier export's.
        fold: One fold's network; None takes all that are there, which answer as one.
        onnx: Also as ONNX, which needs the extra ``onnx``.
        int8: That also in eight-bit integers.
        calibration_faces: DISFA's faces with their labels: ranges of integers are measured
            on the training and validation subjects', loss in F1 on the test subjects'.
            Without them, those of the project that the run lies in are taken.
        card: The run's model card; without it, the one of the project's reports.

    Returns:
        The folder.

    Raises:
        ArtifactError: A file is missing or damaged, the networks cannot answer as one, or
            were trained again after they were evaluated, the ONNX file does not answer as
            torch does, another run is writing `out`, or the disk refused.
        ConfigurationError: The extra ``onnx`` is not installed, or other files lie in `out`.
    """
    run_folder, out = Path(run_folder), Path(out)
    _refuse_others_files(out)
    members = read_run(run_folder, fold)
    card = find_card(run_folder) if card is None else card
    refuse_other_card(card, members)
    store = find_faces(run_folder) if calibration_faces is None else calibration_faces
    name = "/".join([*run_folder.resolve().parts[-3:], out.resolve().name])
    with locked(out):
        contents = {
            _file_of(member, members): verify(run_folder / member.name / MODEL).read_bytes()
            for member in members
        }
        facts: dict[str, Any] = {"version": __version__, "thresholds": _thresholds(members)}
        if onnx:
            about = {"version": __version__, "name": name}
            converted, found = convert(members, store, about, int8)
            contents, facts = contents | converted, facts | found
        hashes = {file: hashlib.sha256(contents[file]).hexdigest() for file in sorted(contents)}
        contents[CARD] = with_export(card, name, members, hashes, facts).encode()
        config = {"schema": SCHEMA, "name": name, **_told(members), **facts, "sha256": hashes}
        contents[CONFIG] = (json.dumps(config, indent=2, allow_nan=False) + "\n").encode()
        files: dict[str, bytes] = {}
        for file, content in contents.items():
            # Names are given from the last to the first: no file is there without its manifest.
            files |= {file: content, f"{file}.sha256": _manifest(file, content)}
        write_many(out, files)
        for path in list(out.iterdir()):
            file = path.name.removesuffix(".sha256")
            if _WEIGHTS_OR_GRAPH.fullmatch(file) and file not in contents:
                path.unlink(missing_ok=True)
    logger.info("%s: %s", out, ", ".join(sorted(contents)))
    return out


def read_package(folder: Path | str) -> Package:
    """Read an exported folder's networks, once their files have been found whole.

    Raises:
        ArtifactError: A file of theirs is missing, damaged or of another export.
    """
    folder = Path(folder)
    path = verify(folder / CONFIG, made_by=command("export"))
    members = []
    try:
        config = json.loads(path.read_text())
        if config.get("schema") != SCHEMA:
            raise ArtifactError(
                f"{path} has schema {config.get('schema')!r}; this version reads {SCHEMA}. "
                f"Export again: {command('export')}."
            )
        for one in config["members"]:
            sha256 = config["sha256"][one["file"]]
            _check(folder / one["file"], sha256)
            model = load_model(folder / one["file"], aus=config["aus"])
            postprocessing = Postprocessing.from_json(one["treatment"], model.aus)
            members.append(PackagedMember(one["name"], model, postprocessing, sha256))
        faces, name = config["faces"], str(config["name"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ArtifactError(f"{path} cannot be read ({error!r}); export again.") from error
    refuse_unlike_members(members, str(folder))
    return Package(tuple(members), faces, name, sha256_of(path))


def _refuse_others_files(out: Path) -> None:
    """Refuse a folder with anything in it that no export has written.

    The model card is one to be edited: an edited one is somebody's work and not overwritten.
    """
    if out.exists() and not out.is_dir():
        raise ConfigurationError(f"{out} is a file; an export takes a folder of its own.")
    for path in sorted(out.glob("[!.]*")):
        name = path.name.removesuffix(".sha256")
        ours = name in (CONFIG, CARD) or _WEIGHTS_OR_GRAPH.fullmatch(name)
        if not ours or not manifest_of(out / name).is_file():
            raise ConfigurationError(
                f"{out} holds {path.name}, which no export has written; choose a folder of its "
                "own, which may be an earlier export's."
            )
    card = out / CARD
    if card.is_file() and sha256_of(card) not in manifest_of(card).read_text():
        raise ConfigurationError(
            f"{card} is no longer as it was exported, and exporting again would overwrite it; "
            "move it elsewhere, or choose another folder."
        )


def _file_of(member: PackagedMember, members: Sequence[PackagedMember]) -> str:
    return f"{member.name if len(members) > 1 else 'model'}.safetensors"


def _thresholds(members: Sequence[PackagedMember]) -> dict[str, float] | None:
    """By AU, of the networks together; None where each is treated on its own before."""
    postprocessing, aus = left_to_do(members), members[0].model.aus
    if postprocessing is None:
        return None
    return dict(zip(au_columns(aus), postprocessing.thresholds.values, strict=True))


def _told(members: Sequence[PackagedMember]) -> dict[str, Any]:
    """What the networks are, as JSON values."""
    first = members[0].model
    return {
        "aus": list(first.aus),
        "au_columns": au_columns(first.aus),
        "faces": first.provenance.get("faces"),
        "members": [
            {
                "name": member.name,
                "file": _file_of(member, members),
                "spec": member.model.spec.to_json(),
                "flip_average": member.flip,
                "treatment": member.postprocessing.to_json(member.model.aus),
                "provenance": member.model.provenance,
            }
            for member in members
        ],
    }


def _check(path: Path, sha256: str) -> None:
    if sha256_of(verify(path, made_by=command("export"))) != sha256:
        raise ArtifactError(
            f"{path} is not of the same export as the {CONFIG} beside it: its SHA-256 is "
            f"another. Export again: {command('export')}."
        )


def _manifest(file: str, content: bytes) -> bytes:
    return f"{hashlib.sha256(content).hexdigest()}  {file}\n".encode()
