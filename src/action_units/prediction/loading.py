"""From files to a classifier: a run's folder, one model, or an exported folder."""

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from action_units.errors import ArtifactError, ConfigurationError
from action_units.evaluation.postprocessing.postprocessing import Postprocessing
from action_units.evaluation.postprocessing.thresholds import FittedThresholds
from action_units.evaluation.run_folder import (
    MODEL,
    check_weights,
    fold_files,
    postprocessing_path,
    read_postprocessing,
)
from action_units.faces.crop import FaceSettings
from action_units.files import reading, sha256_of, verify
from action_units.hints import command
from action_units.media.paths import given_path
from action_units.prediction.classifier import Classifier, FaceInput, FoldPredictor

if TYPE_CHECKING:
    from action_units.models.trained import TrainedModel

logger = logging.getLogger(__name__)

EXPORTED = "config.json"


def load_classifier(
    place: Path | str,
    fold: int | None = None,
    *,
    device: str = "auto",
    faces: FaceInput | None = None,
) -> Classifier:
    """Make a classifier of what lies at a place.

    Args:
        place: The folder of a run's models, such as ``data/06_models/sample/main/fg2020``;
            one model, such as ``…/fold3/finetuned.safetensors``, or the folder that it is
            in; an exported folder, or the ONNX file in it.
        fold: Which fold's network; None takes all that are there, which answer as one.
        device: Where to compute: ``auto``, ``cpu``, ``cuda``, ``cuda:1`` or ``mps``.
        faces: How faces are found and cut out, in place of what the model recorded.

    Raises:
        ArtifactError: A file is missing, damaged, or has no thresholds beside it.
        ConfigurationError: There is no such fold or device.
    """
    place = given_path(place)
    if exported := _exported(place, fold):
        return _load_exported(exported, fold, device, faces)
    if place.suffix == ".onnx":
        return _load_onnx(place, fold, faces)
    paths = find_models(place, fold)
    found = [_load(path, device) for path in paths]
    if faces is None:
        faces = _faces_of([model.provenance for _, model in found], place)
    members = [member for member, _ in found]
    told = [
        [member.sha256, member.postprocessing.to_json(member.network.aus)] for member in members
    ]
    digest = hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
    return Classifier(members, faces, name_of(paths), digest)


def find_models(place: Path, fold: int | None = None) -> list[Path]:
    """The models that a place and a fold mean, in the order of the folds.

    Raises:
        ArtifactError: None is there.
        ConfigurationError: A single model lies there, and it is of another fold.
    """
    single = place if place.suffix == ".safetensors" else place / MODEL
    if single.is_file():
        if fold is not None and single.resolve().parent.name != f"fold{fold}":
            raise ConfigurationError(
                f"fold={fold} was asked for, but {single} is one model; name the folder that "
                "the folds lie in, or leave the fold out."
            )
        return [single]
    found = list(fold_files(place, MODEL).values()) if fold is None else []
    wanted = place / f"fold{fold}" / MODEL
    if fold is not None and wanted.is_file():
        found = [wanted]
    if not found:
        there = sorted(place.rglob(MODEL)) if place.is_dir() else []
        near = f" There is {there[0]}." if there else ""
        what = MODEL if fold is None else f"fold{fold}/{MODEL}"
        raise ArtifactError(
            f"{place}: no model is there; expected a run's folder with {what} in it, such as "
            "data/06_models/sample/main/fg2020, or a .safetensors file; "
            f"{command('finetune')} makes them.{near}"
        )
    return found


def name_of(paths: list[Path]) -> str:
    """What models are called: ``sample/main/fg2020/fold3``, or the run and its folds."""
    folders = [path.resolve().parent for path in paths]
    if len(folders) == 1:
        return "/".join(folders[0].parts[-4:])
    return f"{'/'.join(folders[0].parts[-4:-1])} ({', '.join(f.name for f in folders)})"


def face_input(recorded: Mapping[str, Any] | None, place: Path | str) -> FaceInput:
    """How a model's faces were found and cut out, as its provenance has it under ``faces``.

    Args:
        recorded: That; None where the model was trained on crops made elsewhere. Then the
            defaults hold, and the log says that they are a guess.
        place: Where the model lies, for sentences.

    Raises:
        ArtifactError: What is recorded cannot be read.
    """
    if recorded is None:
        logger.warning(
            "%s: how its faces were cut out of pictures is not recorded, because it was "
            "trained on crops that were made elsewhere; the detector's box is taken as it "
            "comes, which may not be what the network has learned.",
            place,
        )
        return FaceInput()
    try:
        return FaceInput(FaceSettings.from_provenance(recorded), int(recorded["size"]))
    except (ArtifactError, KeyError, TypeError, ValueError) as error:
        raise ArtifactError(f"{place}: {error}") from error


def _faces_of(provenances: Sequence[Mapping[str, Any]], place: Path) -> FaceInput:
    recorded = [provenance.get("faces") for provenance in provenances]
    if any(other != recorded[0] for other in recorded):
        raise ArtifactError(
            f"{place}: the folds' faces were cut out in different ways; choose one fold, or "
            "train them on the same crops."
        )
    return face_input(recorded[0], place)


def _treatment(model: Path, aus: tuple[int, ...], sha256: str) -> Postprocessing:
    """What lies beside a model: its treatment, or else its thresholds alone.

    Raises:
        ArtifactError: There is neither, it cannot be read, or it is of other weights.
    """
    thresholds = model.with_name(f"{model.stem}_thresholds.json")
    if postprocessing_path(model).is_file():
        postprocessing, fitted_to = read_postprocessing(model, aus)
        check_weights(model, sha256, fitted_to)
        return postprocessing
    if thresholds.is_file():
        logger.info(
            "%s: thresholds as fine-tuning fitted them; %s adds the calibration and smoothing "
            "that `evaluation.postprocessing` asks for.",
            model,
            command("evaluate"),
        )
        verify(thresholds)
        with reading(thresholds, command("finetune")):
            content = json.loads(thresholds.read_text())
            return Postprocessing(FittedThresholds.from_json(content, aus))
    raise ArtifactError(
        f"{model}: there is no {postprocessing_path(model).name} beside it, so no decision "
        f"thresholds were found; {command('evaluate')} makes it."
    )


def _load(path: Path, device: str) -> tuple[FoldPredictor, "TrainedModel"]:
    from action_units.models.model_files import load_model
    from action_units.training.inference import Predictor

    model = load_model(path)
    # As the thresholds were fitted: a threshold holds for one way of asking.
    flip = bool(model.provenance.get("flip_average", False))
    network = Predictor(model, device, flip=flip)
    sha256 = sha256_of(path)
    treatment = _treatment(path, model.aus, sha256)
    return FoldPredictor(path.resolve().parent.name, network, treatment, sha256), model


def _exported(place: Path, fold: int | None) -> Path | None:
    """The exported folder that a place means: itself, or one that `export` made in it.

    Raises:
        ConfigurationError: There are several and none is of all folds.
    """
    if (place / EXPORTED).is_file():
        return place
    there = {
        path.parent.name: path.parent
        for path in place.glob(f"*/{EXPORTED}")
        if path.parent.name == "ensemble" or path.parent.name.startswith("fold")
    }
    names = ["ensemble"] if fold is None else [f"fold{fold}", "ensemble"]
    found = [there[name] for name in names if name in there]
    if not there or found:
        return found[0] if found else None
    if fold is None and len(there) == 1:
        return next(iter(there.values()))
    raise ConfigurationError(
        f"{place} holds the exported folders {', '.join(sorted(there))}; name one of them."
    )


def _load_exported(
    place: Path, fold: int | None, device: str, faces: FaceInput | None
) -> Classifier:
    """Weights and JSON of ``export.package``."""
    from action_units.export.package import read_package
    from action_units.training.inference import Predictor

    package = read_package(place)
    chosen = [m for m in package.members if fold is None or m.name == f"fold{fold}"]
    if not chosen:
        there = ", ".join(member.name for member in package.members)
        raise ConfigurationError(f"fold={fold} is not in {place}; it has {there}.")
    members = [
        FoldPredictor(
            m.name, Predictor(m.model, device, flip=m.flip), m.postprocessing, m.sha256
        )
        for m in chosen
    ]
    digest = package.sha256
    if fold is not None:
        digest = hashlib.sha256(f"{digest} fold{fold}".encode()).hexdigest()
    return Classifier(members, faces or face_input(package.faces, place), package.name, digest)


def _load_onnx(path: Path, fold: int | None, faces: FaceInput | None) -> Classifier:
    """An ONNX file of ``export``, which answers by itself for all networks in it."""
    from action_units.export.onnx_network import OnnxNetwork

    if fold is not None:
        raise ConfigurationError(
            f"fold={fold} was asked for, but {path} is one file for all its networks; leave "
            "the fold out, or name the exported folder."
        )
    network = OnnxNetwork(path, threads=1)  # prediction's own threads are the parallelism
    digest = sha256_of(path)
    if faces is None:
        found = face_input(network.metadata.get("faces"), path)
        faces = FaceInput(found.settings, network.size)
    name = str(network.metadata.get("name", path.stem))
    return Classifier(
        [FoldPredictor(path.stem, network, network.postprocessing, digest)], faces, name, digest
    )
