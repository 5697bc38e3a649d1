"""An exported folder: weights with JSON, ONNX files and a model card, and reading it back.

    config.json         describes all of it, with the SHA-256 of weights and ONNX files
    model.safetensors   the weights; of several networks, fold1.safetensors and so on
    model.onnx          all networks combined, with what comes before and after
    model-int8.onnx     the same in eight-bit integers
    README.md           the model card

Nothing in it is ever unpickled. All files are first written under temporary names, so a full
disk leaves an earlier export as it was; a folder that is being replaced does not load until
it is complete, because ``config.json`` holds the weights' SHA-256.
"""

import hashlib
import json
import logging
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from action_units import __version__
from action_units.errors import ArtifactError, ConfigurationError
from action_units.evaluation.postprocessing.postprocessing import Postprocessing
from action_units.evaluation.run_folder import MODEL
from action_units.export.check import check_onnx, evenly_spaced
from action_units.export.fold_models import (
    FoldModel,
    check_compatible,
    read_run,
    remaining_postprocessing,
)
from action_units.export.model_card import check_card, with_export
from action_units.export.onnx import OPSET, face_size, to_onnx
from action_units.export.quantisation import CALIBRATION_FACES, compare, quantise
from action_units.faces.store import INDEX_NAME, FaceStore
from action_units.files import manifest_of, sha256_of, verify, write_many
from action_units.hints import command
from action_units.labels.action_units import au_columns
from action_units.locks import locked
from action_units.models.model_files import load_model

logger = logging.getLogger(__name__)

SCHEMA = 1
CONFIG, CARD, ONNX, INT8 = "config.json", "README.md", "model.onnx", "model-int8.onnx"

MEASURED_FACES = 5_000
"""The loss of integers is measured on at most so many faces, evenly spaced."""

_WEIGHTS_OR_GRAPH = re.compile(r"(model|fold\d+)\.safetensors|model(-int8)?\.onnx")


@dataclass(frozen=True)
class Package:
    """The content of an exported folder.

    Attributes:
        fold_models: Its networks.
        faces: How faces are found and cut out, as the networks' provenance has it; None where
            they were trained on crops made elsewhere.
        name: Of the run and the folder, such as ``sample/main/disfa/fg2020/fold3``.
        sha256: Of its ``config.json``, and so of everything in it.
    """

    fold_models: tuple[FoldModel, ...]
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
        run_folder: Such as ``data/06_models/sample/main/disfa/fg2020``.
        out: The folder to write: a new or empty one, or an earlier export's.
        fold: One fold's network; None combines all that exist.
        onnx: Also as ONNX, which needs the extra ``onnx``.
        int8: That also in eight-bit integers.
        calibration_faces: The coded faces with their labels: ranges of integers are measured
            on the training and validation subjects', loss in F1 on the test subjects'.
            Default: those of the project that the run is in.
        card: The run's model card. Default: the one of the project's reports.

    Returns:
        The folder.

    Raises:
        ArtifactError: A file is missing or damaged, the networks cannot be combined or
            were trained again after they were evaluated, the ONNX file differs from torch,
            another process writes in `out`, or the disk refused.
        ConfigurationError: The extra ``onnx`` is not installed, or `out` has other files.
    """
    run_folder, out = Path(run_folder), Path(out)
    _check_folder(out)
    models = read_run(run_folder, fold)
    card = find_card(run_folder) if card is None else card
    check_card(card, models)
    store = (
        find_store(run_folder, run_folder.resolve().parent.name)
        if calibration_faces is None
        else calibration_faces
    )
    name = "/".join([*run_folder.resolve().parts[-4:], out.resolve().name])
    first = models[0].model
    weights = [f"{one.name if len(models) > 1 else 'model'}.safetensors" for one in models]
    with locked(out):
        contents = {
            file: verify(run_folder / one.name / MODEL).read_bytes()
            for file, one in zip(weights, models, strict=True)
        }
        remaining = remaining_postprocessing(models)
        thresholds = None  # where every network has its own, applied before they are combined
        if remaining is not None:
            values = remaining.thresholds.values
            thresholds = dict(zip(au_columns(first.aus), values, strict=True))
        facts: dict[str, Any] = {"version": __version__, "thresholds": thresholds}
        if onnx:
            about = {"version": __version__, "name": name}
            files, onnx_facts = onnx_files(models, store, about, int8)
            contents, facts = contents | files, facts | onnx_facts
        hashes = {file: hashlib.sha256(contents[file]).hexdigest() for file in sorted(contents)}
        contents[CARD] = with_export(card, name, models, hashes, facts).encode()
        config = {
            "schema": SCHEMA,
            "name": name,
            "aus": list(first.aus),
            "au_columns": au_columns(first.aus),
            "faces": first.provenance.get("faces"),
            "members": [
                {
                    "name": one.name,
                    "file": file,
                    "spec": one.model.spec.to_json(),
                    "flip_average": one.flip,
                    "treatment": one.postprocessing.to_json(one.model.aus),
                    "provenance": one.model.provenance,
                }
                for file, one in zip(weights, models, strict=True)
            ],
            **facts,
            "sha256": hashes,
        }
        contents[CONFIG] = (json.dumps(config, indent=2, allow_nan=False) + "\n").encode()
        with_manifests: dict[str, bytes] = {}
        for file, content in contents.items():
            # Named from the last to the first: no file exists without its manifest.
            manifest = f"{hashlib.sha256(content).hexdigest()}  {file}\n".encode()
            with_manifests |= {file: content, f"{file}.sha256": manifest}
        write_many(out, with_manifests)
        for path in list(out.iterdir()):
            file = path.name.removesuffix(".sha256")
            if _WEIGHTS_OR_GRAPH.fullmatch(file) and file not in contents:
                path.unlink(missing_ok=True)
    logger.info("%s: %s", out, ", ".join(sorted(contents)))
    return out


def onnx_files(
    models: Sequence[FoldModel],
    store: FaceStore | None,
    about: dict[str, Any],
    int8: bool = True,
) -> tuple[dict[str, bytes], dict[str, Any]]:
    """Networks as an ONNX file, checked against torch, and in eight-bit integers, measured.

    Args:
        models: One network, or several that are combined.
        store: Labelled faces of the data that they were trained on; needed for integers.
        about: Further metadata of the files.
        int8: Whether to make the second file.

    Returns:
        The files' bytes by name; and facts as JSON values: ``onnx`` with the check against
        torch, ``int8`` with what it loses and gains, ``left_out`` with the reason why a
        file is not made.

    Raises:
        ArtifactError: The file differs from torch, or the store has faces of another size
            or other AUs.
        ConfigurationError: The extra ``onnx`` is not installed.
    """
    remaining = remaining_postprocessing(models)
    if remaining is None:
        return {}, _left_out(
            "No ONNX file was written: the probabilities of each network are smoothed, or "
            "calibrated by isotonic curves, before they are averaged, and a graph cannot do "
            "that. One fold alone can be exported."
        )
    if store is not None and not len(store):
        store = None
    size = face_size(models, None if store is None else store.faces.shape[1])
    colour = models[0].model.colour
    if store is not None and store.colour != colour:
        raise ArtifactError(
            f"The faces given are {'in colour' if store.colour else 'grey'}, and the networks "
            f"were trained on {'faces in colour' if colour else 'grey ones'}. Give the face "
            "store that they were trained on."
        )
    if store is not None and (store.faces.shape[1] != size or store.aus != models[0].model.aus):
        raise ArtifactError(
            f"The faces given are of {store.faces.shape[1]} px with AUs "
            f"{', '.join(map(str, store.aus))}; the networks were trained on {size} px and "
            f"predict AUs {', '.join(map(str, models[0].model.aus))}. Give the face store that "
            "they were trained on."
        )
    content = to_onnx(models, size, about)
    check = check_onnx(content, models, size, None if store is None else store.faces)
    facts: dict[str, Any] = {"onnx": {"file": ONNX, "opset": OPSET, "check": check}}
    logger.info(
        "ONNX against torch, %s faces: the largest difference of a probability is %.1e.",
        f"{check['faces']:,}",
        check["max_difference"],
    )
    if not int8:
        return {ONNX: content}, facts
    if store is None:
        return {ONNX: content}, facts | _left_out(
            "No INT8 file was written: quantisation needs faces to measure value ranges on, "
            "and the run has no face store with faces."
        )
    learned = np.isin(store.subjects, _subjects(models, "train", "validation"))
    tested = np.isin(store.subjects, _subjects(models, "test")) & ~learned
    ranges = store.select(np.flatnonzero(learned)) if learned.any() else store
    quantised = quantise(content, _subset(ranges, CALIBRATION_FACES).faces)
    unseen = bool(tested.any())
    measured_on = _subset(
        store.select(np.flatnonzero(tested)) if unseen else store, MEASURED_FACES
    )
    logger.info("Measuring INT8 on %s faces.", f"{len(measured_on):,}")
    measured = compare(content, quantised, measured_on, remaining, unseen)
    for batch, speed in measured["speed"]["batches"].items():
        logger.info("INT8 in batches of %s: %.2f× the speed of float32.", batch, speed["gain"])
    facts["int8"] = {
        "file": INT8,
        "how": "static, backbones, by channel",
        "ranges_from_faces": min(len(ranges), CALIBRATION_FACES),
        **measured,
    }
    return {ONNX: content, INT8: quantised}, facts


def read_package(folder: Path | str) -> Package:
    """Read an exported folder's networks after checking their files.

    Raises:
        ArtifactError: A file is missing, damaged or of another export.
    """
    folder = Path(folder)
    path = verify(folder / CONFIG, made_by=command("export"))
    models = []
    try:
        config = json.loads(path.read_text())
        if config.get("schema") != SCHEMA:
            raise ArtifactError(
                f"{path} has schema {config.get('schema')!r}; this version reads {SCHEMA}. "
                f"Export again: {command('export')}."
            )
        for one in config["members"]:
            file, sha256 = folder / one["file"], config["sha256"][one["file"]]
            if sha256_of(verify(file, made_by=command("export"))) != sha256:
                raise ArtifactError(
                    f"{file} is not of the same export as its {CONFIG}: its SHA-256 "
                    f"differs. Export again: {command('export')}."
                )
            model = load_model(file, aus=config["aus"])
            postprocessing = Postprocessing.from_json(one["treatment"], model.aus)
            models.append(FoldModel(one["name"], model, postprocessing, sha256))
        faces, name = config["faces"], str(config["name"])
        check_compatible(models, str(folder))
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise ArtifactError(f"{path} cannot be read ({error!r}); export again.") from error
    return Package(tuple(models), faces, name, sha256_of(path))


def find_store(run_folder: Path, name: str) -> FaceStore | None:
    """A face store of the project that a run's models are in, such as ``disfa``.

    Raises:
        ArtifactError: It is damaged.
    """
    layer = _layer(run_folder, "04_feature")
    path = None if layer is None else layer / run_folder.resolve().parts[-4] / name
    return FaceStore.open(path) if path and (path / INDEX_NAME).is_file() else None


def web_rendered(run_folder: Path, sets: Iterable[str]) -> bool | None:
    """Whether web sets of a run's project are rendered; None where one does not exist."""
    stores = [find_store(run_folder, name) for name in sets]
    origins = [store.table["origin"] for store in stores if store is not None]
    if len(origins) < len(stores):
        return None
    return all(bool((origin == "rendered").all()) for origin in origins)


def find_card(run_folder: Path) -> str:
    """The model card of a run.

    Raises:
        ArtifactError: It is missing or damaged.
    """
    layer = _layer(run_folder, "08_reporting")
    if layer is None:
        raise ArtifactError(
            f"{run_folder} is not below a project's data/06_models, so its model card "
            "cannot be found; name it: `--card model_card.md` of action-units export, or its "
            "text as `card` of export_run."
        )
    path = layer.joinpath(*run_folder.resolve().parts[-4:], "model_card.md")
    return verify(path, made_by=command("evaluate")).read_text()


def _layer(run_folder: Path, name: str) -> Path | None:
    """Another layer of the project's ``data``; None outside of a project."""
    parents = run_folder.resolve().parents  # coded sets, run, data, layer, all layers
    return parents[4] / name if len(parents) > 4 and parents[3].name == "06_models" else None


def _left_out(reason: str) -> dict[str, str]:
    logger.warning(reason)
    return {"left_out": reason}


def _subset(store: FaceStore, count: int) -> FaceStore:
    """At most so many faces, evenly spaced, in memory."""
    return store.select(evenly_spaced(len(store), count))


def _subjects(models: Sequence[FoldModel], *splits: str) -> list[str]:
    named = (one.model.provenance.get("subjects") or {} for one in models)
    return sorted(
        {who for subjects in named for split in splits for who in subjects.get(split, ())}
    )


def _check_folder(out: Path) -> None:
    """Check that a folder has only files of an export.

    The model card is meant to be edited: an edited one is not overwritten.
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
            f"{card} was changed after the export, and exporting again would overwrite it; "
            "move it elsewhere, or choose another folder."
        )
