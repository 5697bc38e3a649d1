"""From files to a classifier: a run's folder, one model, or an exported folder."""

import hashlib
import json
import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from action_units.config import CropSettings
from action_units.errors import ArtifactError, ConfigurationError
from action_units.evaluation.postprocessing.postprocessing import Postprocessing
from action_units.evaluation.postprocessing.thresholds import FittedThresholds
from action_units.evaluation.run_folder import MODEL, fold_files, postprocessing_path
from action_units.faces.crop import FaceSettings
from action_units.files import reading, sha256_of, verify
from action_units.hints import command
from action_units.labels.action_units import au_columns
from action_units.media.paths import given_path
from action_units.prediction.classifier import Classifier, FaceInput, FoldPredictor

if TYPE_CHECKING:
    from action_units.export.fold_models import FoldModel

logger = logging.getLogger(__name__)

EXPORTED = "config.json"


def load_classifier(
    place: Path | str,
    fold: int | None = None,
    *,
    device: str = "auto",
) -> Classifier:
    """Load a classifier.

    Args:
        place: The folder of a run's models, such as
            ``data/06_models/sample/main/disfa/fg2020``; one model, such as
            ``…/fold3/finetuned.safetensors``, or the folder that it is in; an exported folder,
            or the ONNX file in it.
        fold: Which fold's network; None combines all that exist.
        device: Where to compute: ``auto``, ``cpu``, ``cuda``, ``cuda:1`` or ``mps``.

    Raises:
        ArtifactError: A file is missing, damaged, or has no thresholds.
        ConfigurationError: The fold or device does not exist.
    """
    place = given_path(place)
    exported = _find_exported(place, fold)
    if exported is None and place.suffix == ".onnx":
        return _load_onnx(place, fold)
    # Not imported for ONNX files, which need no torch.
    from action_units.export.fold_models import check_compatible
    from action_units.export.package import read_package
    from action_units.training.inference import Predictor

    if exported is not None:
        package = read_package(exported)
        models = [m for m in package.fold_models if fold is None or m.name == f"fold{fold}"]
        if not models:
            existing = ", ".join(one.name for one in package.fold_models)
            raise ConfigurationError(f"fold={fold} is not in {exported}; it has {existing}.")
        name, sha256 = package.name, package.sha256
        if fold is not None:
            sha256 = hashlib.sha256(f"{sha256} fold{fold}".encode()).hexdigest()
    else:
        paths = find_models(place, fold)
        models = [_read_model(path) for path in paths]
        name = name_of(paths)
        content = [[m.sha256, m.postprocessing.to_json(m.model.aus)] for m in models]
        sha256 = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    check_compatible(models, str(place))
    for one in models:
        if unknown := one.model.provenance.get("not_scored", {}).get("training"):
            logger.warning(
                "%s: %s never learned %s, which no training frame was scored for; its values "
                "of that mean nothing.",
                place,
                one.name,
                ", ".join(au_columns(unknown)),
            )
    trained = models[0].model
    faces = face_input(trained.provenance.get("faces"), place, trained.colour)
    predictors = [
        # With the flip that the thresholds were fitted with.
        FoldPredictor(
            m.name, Predictor(m.model, device, flip=m.flip), m.postprocessing, m.sha256
        )
        for m in models
    ]
    return Classifier(predictors, faces, name, sha256)


def find_models(place: Path, fold: int | None = None) -> list[Path]:
    """The models of a place and a fold, in the order of the folds.

    Raises:
        ArtifactError: No model was found.
        ConfigurationError: The place is a single model of another fold.
    """
    single = place if place.suffix == ".safetensors" else place / MODEL
    if single.is_file():
        if fold is not None and single.resolve().parent.name != f"fold{fold}":
            raise ConfigurationError(
                f"fold={fold} was given, but {single} is one model; name the folder of the "
                "folds, or leave the fold out."
            )
        return [single]
    paths = list(fold_files(place, MODEL).values()) if fold is None else []
    of_fold = place / f"fold{fold}" / MODEL
    if fold is not None and of_fold.is_file():
        paths = [of_fold]
    if not paths:
        others = sorted(place.rglob(MODEL)) if place.is_dir() else []
        near = f" There is {others[0]}." if others else ""
        what = MODEL if fold is None else f"fold{fold}/{MODEL}"
        raise ArtifactError(
            f"{place}: no model was found; expected a run's folder with {what} in it, such as "
            "data/06_models/sample/main/disfa/fg2020, or a .safetensors file; "
            f"{command('finetune')} makes them.{near}"
        )
    return paths


def name_of(paths: list[Path]) -> str:
    """The name of models: ``sample/main/disfa/fg2020/fold3``, or the run and its folds."""
    folders = [path.resolve().parent for path in paths]
    if len(folders) == 1:
        return "/".join(folders[0].parts[-5:])
    return f"{'/'.join(folders[0].parts[-5:-1])} ({', '.join(f.name for f in folders)})"


def face_input(
    recorded: Mapping[str, Any] | None, place: Path, colour: bool = False
) -> FaceInput:
    """How a model's faces were found and cut out.

    Args:
        recorded: As ``faces`` of its provenance; None where the model was trained on crops
            made elsewhere. Then the defaults are used, with a warning.
        place: Of the model, for messages.
        colour: The model was trained on faces in colour.

    Raises:
        ArtifactError: The record cannot be read.
    """
    if recorded is None:
        logger.warning(
            "%s: how its faces were cropped is not recorded, because it was "
            "trained on crops made elsewhere; the detector's box is used as it is, which may "
            "differ from the training.",
            place,
        )
        settings = FaceSettings(crop=CropSettings(margin=0.0, colour=colour))
        return FaceInput(settings, colour=colour)
    try:
        return FaceInput(FaceSettings.from_provenance(recorded), int(recorded["size"]), colour)
    except (ArtifactError, KeyError, TypeError, ValueError) as error:
        raise ArtifactError(f"{place}: {error}") from error


def _read_model(path: Path) -> "FoldModel":
    """A fine-tuned network with its postprocessing, or else its thresholds alone.

    Raises:
        ArtifactError: Missing, unreadable, or of other weights.
    """
    from action_units.evaluation.run_folder import check_weights
    from action_units.export.fold_models import FoldModel, read_fold_model
    from action_units.models.model_files import load_model

    if postprocessing_path(path).is_file():
        model = read_fold_model(path)
        check_weights(path, model.sha256, model.fitted_to)
        return model
    thresholds = path.with_name(f"{path.stem}_thresholds.json")
    if not thresholds.is_file():
        raise ArtifactError(
            f"{path}: {postprocessing_path(path).name} is missing next to it, so no decision "
            f"thresholds were found; {command('evaluate')} makes it."
        )
    logger.info(
        "%s: thresholds as fine-tuning fitted them; %s adds the calibration and smoothing "
        "of the option `evaluation.treatment`.",
        path,
        command("evaluate"),
    )
    trained = load_model(path)
    verify(thresholds)
    with reading(thresholds, command("finetune")):
        content = json.loads(thresholds.read_text())
        postprocessing = Postprocessing(FittedThresholds.from_json(content, trained.aus))
    return FoldModel(path.absolute().parent.name, trained, postprocessing, sha256_of(path))


def _find_exported(place: Path, fold: int | None) -> Path | None:
    """The exported folder of a place: itself, or one that `export` made in it.

    Raises:
        ConfigurationError: There are several and none is of all folds.
    """
    if (place / EXPORTED).is_file():
        return place
    existing = {
        path.parent.name: path.parent
        for path in place.glob(f"*/{EXPORTED}")
        if path.parent.name == "ensemble" or path.parent.name.startswith("fold")
    }
    names = ["ensemble"] if fold is None else [f"fold{fold}", "ensemble"]
    matching = [existing[name] for name in names if name in existing]
    if not existing or matching:
        return matching[0] if matching else None
    if fold is None and len(existing) == 1:
        return next(iter(existing.values()))
    raise ConfigurationError(
        f"{place} holds the exported folders {', '.join(sorted(existing))}; name one of them."
    )


def _load_onnx(path: Path, fold: int | None) -> Classifier:
    """An ONNX file of ``export``, which combines all networks in it."""
    from action_units.export.onnx_runtime import OnnxNetwork

    if fold is not None:
        raise ConfigurationError(
            f"fold={fold} was given, but {path} is one file for all its networks; leave the "
            "fold out, or name the exported folder."
        )
    network = OnnxNetwork(path, threads=1)  # the engine's own threads are the parallelism
    faces = face_input(network.metadata.get("faces"), path, network.colour)
    faces = replace(faces, size=network.size)
    name = str(network.metadata.get("name", path.stem))
    sha256 = sha256_of(path)
    predictor = FoldPredictor(path.stem, network, network.postprocessing, sha256)
    return Classifier([predictor], faces, name, sha256)
