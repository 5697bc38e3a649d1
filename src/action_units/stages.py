"""The stages of training on face stores: pre-train, fine-tune, predict test subjects.

Test subjects' faces are not in what a stage learns from or chooses by.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from action_units.config import TrainingConfig
from action_units.errors import ConfigurationError
from action_units.evaluation.postprocessing.thresholds import choose_thresholds
from action_units.evaluation.predictions import check_not_trained_on_test
from action_units.faces.store import FaceStore
from action_units.hints import command
from action_units.labels.action_units import au_columns
from action_units.labels.coded_frames import MISSING
from action_units.models.trained import TrainedModel

Split = dict[str, Any]
Tuned = tuple[TrainedModel, dict[str, Any], pd.DataFrame, pd.DataFrame]

_DESCRIPTIONS = {"finetuned": "Fine-tuning", "teacher": "Fine-tuning a teacher"}
_OF_TEACHER = ("protocol", "fold", "subjects")
_COLUMNS = ("image", "subject", "recording", "frame", "origin", "set")


def pretrain(
    faces: FaceStore, checkpoints: Path, training: TrainingConfig
) -> tuple[TrainedModel, pd.DataFrame, pd.DataFrame]:
    """Train on the web set's labels; identities held out of it choose the best epoch.

    Args:
        faces: Of the web sets, with a column ``split``.
        checkpoints: Folder of the states of this training.
        training: The recipe, the seed and the machine.

    Returns:
        The model of the AUs that the faces are labelled with, its training curve, and who it
        was trained with: ``identity, split, photographs``.

    Raises:
        ConfigurationError: The faces were packed with another ``face_size``.
    """
    model, curve = _pretrain(faces, faces.labels, checkpoints, training, "Pre-training", {})
    people = faces.table.groupby(["subject", "split"], as_index=False).size()
    people.columns = pd.Index(["identity", "split", "photographs"])
    return model, curve, people


def _pretrain(
    faces: FaceStore,
    labels: npt.NDArray[np.generic],
    checkpoints: Path,
    training: TrainingConfig,
    description: str,
    provenance: Mapping[str, Any],
) -> tuple[TrainedModel, pd.DataFrame]:
    from action_units.training.data import intensities_of, probabilities_of
    from action_units.training.job import TrainingJob
    from action_units.training.train import train

    check_face_size(faces.faces.shape[1], training)
    held_out = (faces.table["split"] == "test").to_numpy()
    job = TrainingJob(
        training.recipe.network,
        training.recipe.pretrain,
        faces.faces,
        labels,
        ~held_out,
        held_out,
        faces.aus,
        seed=training.seed,
        machine=training.machine,
        images=faces.table["image"],
        subjects=faces.subjects,
        sets=faces.table.get("set"),
        intensities=intensities_of(faces.table, faces.aus),
        probabilities=probabilities_of(faces.table, faces.aus),
        checkpoint_folder=checkpoints,
        description=description,
        provenance={
            "stage": "pretrain",
            "recipe": training.name,
            "faces": faces.notes.get("faces"),
            **annotators_of(faces.table),
            **provenance,
        },
    )
    result = train(job, restart=training.restart)
    return result.model, result.curve


def finetune(
    faces: FaceStore,
    split: Split,
    pretrained: TrainedModel | None,
    checkpoints: Path,
    training: TrainingConfig,
    web: FaceStore | None = None,
    memory: Path | None = None,
) -> Tuned:
    """Give the pre-trained network a new head and train all of it on expert codes.

    Where the recipe has a student, the result is the teacher that relabels the web set, and a
    network that was pre-trained on that is fine-tuned in its place.

    Args:
        faces: Of the coded sets.
        split: The fold's subjects.
        pretrained: The network to start from; None, without pre-training, starts from random
            weights.
        checkpoints: Folder of the states of all folds' networks.
        training: The recipe, the seed and the machine.
        web: Faces of the web sets; a student needs them.
        memory: Folder of predictions, where they are kept for a repeated run.

    Returns:
        The model of the coded AUs, its thresholds, its training curve, and its predictions of
        the validation subjects, on whom epoch and thresholds were chosen.

    Raises:
        ConfigurationError: The faces were packed with another ``face_size``, the pre-trained
            network is another than the recipe's or had grey faces where these are in colour,
            or the other way round, or there is nothing to relabel.
    """
    part = training.recipe.student
    if part and pretrained is not None:
        if web is None:
            raise ConfigurationError(
                f"recipes.{training.name}.student is {part:g}, but the web set's faces are "
                f"not here; run {command('preprocess')} first, or set it to 0."
            )
        teacher = _train(faces, split, pretrained, checkpoints, training, memory, "teacher")[0]
        labels = relabelled(web, teacher, split, part, training.machine.device)
        pretrained, _ = _pretrain(
            web,
            labels,
            checkpoints / f"fold{split['fold']}_student",
            training,
            f"Pre-training a student, fold {split['fold']}",
            {"student": part, **{name: teacher.provenance[name] for name in _OF_TEACHER}},
        )
    return _train(faces, split, pretrained, checkpoints, training, memory, "finetuned")


def relabelled(
    web: FaceStore, teacher: TrainedModel, split: Split, part: float, device: str
) -> npt.NDArray[np.float32]:
    """What a student learns: the web set's labels, moved towards a teacher's probabilities.

    Noisy student (Xie et al. 2020, arXiv 1911.04252). Labels of AUs that the teacher does not
    know, and those of held-out identities, by which the epoch is chosen, stay as they are.

    Args:
        web: The faces, with a column ``split``.
        teacher: A network of the fold.
        split: The fold's subjects; what a teacher has seen of a test subject, its student
            would hand on.
        part: The teacher's share of a label, from 0 to 1.
        device: Where to compute.

    Returns:
        float32 (N, A); negative where an AU that the teacher does not know has no label.

    Raises:
        ConfigurationError: The teacher was trained or chosen on a test subject of the fold, or
            on faces in colour where these are grey, or the other way round.
    """
    from action_units.training.inference import predict
    from action_units.training.same_faces import check_colour

    check_colour(teacher, web)
    check_not_trained_on_test(teacher.provenance, split["test"])
    labels = web.labels.astype(np.float32)
    learned = np.flatnonzero((web.table["split"] != "test").to_numpy())
    not_learned = teacher.provenance.get("not_scored", {}).get("training", ())
    common = [au for au in web.aus if au in teacher.aus and au not in not_learned]
    here, there = [web.aus.index(au) for au in common], [teacher.aus.index(au) for au in common]
    probabilities = predict(teacher, web.faces[learned], device)[:, there]
    cells = (learned[:, None], np.array(here))
    known = labels[cells] != MISSING
    mixed = part * probabilities + (1.0 - part) * labels[cells]
    labels[cells] = np.where(known, mixed, MISSING)
    return labels


def train_from_scratch(
    faces: FaceStore,
    split: Split,
    checkpoints: Path,
    training: TrainingConfig,
    memory: Path | None = None,
) -> Tuned:
    """Train the same network with the same budget, but from random weights.

    Arguments and result are ``finetune``'s.
    """
    return _train(faces, split, None, checkpoints, training, memory, "scratch")


def _train(
    faces: FaceStore,
    split: Split,
    pretrained: TrainedModel | None,
    checkpoints: Path,
    training: TrainingConfig,
    memory: Path | None,
    network: str,
) -> Tuned:
    from action_units.training.data import intensities_of
    from action_units.training.inference import predict
    from action_units.training.job import TrainingJob
    from action_units.training.same_faces import check_colour
    from action_units.training.train import train

    check_face_size(faces.faces.shape[1], training)
    if pretrained is not None and pretrained.spec != training.recipe.network:
        name = re.sub(r"[^A-Za-z0-9.-]+", "-", training.name)
        own_run = command("pretrain,finetune", recipe=training.name, run=name)
        raise ConfigurationError(
            f"recipe {training.name!r} needs another network than the pre-trained "
            f"one; train both in a run of its own, such as {own_run}."
        )
    if pretrained is not None:
        check_colour(pretrained, faces)
    # Test subjects are excluded here.
    known = faces.select(np.isin(faces.subjects, split["train"] + split["validation"]))
    validation = np.isin(known.subjects, split["validation"])
    not_scored = _not_scored(known, ~validation)
    what = "Training from scratch" if pretrained is None else _DESCRIPTIONS[network]
    state = checkpoints / f"fold{split['fold']}_{network}"
    job = TrainingJob(
        training.recipe.network,
        training.recipe.from_scratch if pretrained is None else training.recipe.finetune,
        known.faces,
        known.labels,
        ~validation,
        validation,
        known.aus,
        seed=training.seed,
        machine=training.machine,
        images=known.table["image"],
        subjects=known.subjects,
        sets=known.table.get("set"),
        intensities=intensities_of(known.table, known.aus),
        initial=pretrained,
        checkpoint_folder=state,
        description=f"{what}, fold {split['fold']}",
        provenance={
            "stage": "scratch" if pretrained is None else "finetune",
            "recipe": training.name,
            "flip_average": training.recipe.flip_average,
            "faces": faces.notes.get("faces"),
            "protocol": split["protocol"],
            "fold": split["fold"],
            "subjects": {part: split[part] for part in ("train", "validation", "test")},
            **({"not_scored": not_scored} if not_scored else {}),
            **_origin_of(pretrained),
        },
    )
    result = train(job, restart=training.restart)
    probabilities = predict(
        result.model,
        known.faces[validation],
        training.machine.device,
        flip=training.recipe.flip_average,
        memory=memory and memory / f"fold{split['fold']}_{network}_validation.npz",
    )
    predictions = predictions_of(
        known.select(validation), known.aus, probabilities, not_scored.get("training", ())
    )
    thresholds = choose_thresholds(
        predictions[au_columns(known.aus)],
        probabilities,
        subjects=known.subjects[validation],
        seed=training.seed,
    )
    return result.model, thresholds.to_json(known.aus), result.curve, predictions


def predict_test_subjects(
    model: TrainedModel,
    faces: FaceStore,
    split: Mapping[str, Any],
    device: str,
    memory: Path | None = None,
) -> pd.DataFrame:
    """Ask a network about the faces of the subjects that it has never seen.

    Args:
        model: The network.
        faces: Of the coded sets.
        split: The fold's subjects.
        device: Where to compute.
        memory: Folder of predictions, where they are kept for a repeated run.

    Returns:
        One row a frame, as ``predictions_of`` gives it.

    Raises:
        ConfigurationError: The network was trained on faces that were made otherwise.
    """
    from action_units.training.inference import predict
    from action_units.training.same_faces import check_same_faces

    check_same_faces(model, faces)
    tested = faces.select(np.isin(faces.subjects, split["test"]))
    # As the thresholds were fitted: a threshold holds for one way of asking.
    flip = bool(model.provenance["flip_average"])
    if memory is not None:
        network = "scratch" if model.provenance["stage"] == "scratch" else "finetuned"
        memory /= f"fold{split['fold']}_{network}_test.npz"
    probabilities = predict(model, tested.faces, device, flip=flip, memory=memory)
    return predictions_of(
        tested,
        model.aus,
        probabilities,
        model.provenance.get("not_scored", {}).get("training", ()),
    )


def predictions_of(
    faces: FaceStore,
    aus: Sequence[int],
    probabilities: npt.NDArray[np.floating],
    not_learned: Collection[int] = (),
) -> pd.DataFrame:
    """Join probabilities to the labels.

    Args:
        faces: The predicted faces.
        aus: The AUs.
        probabilities: Of each face and AU, ``(N, A)``.
        not_learned: AUs that no face was scored for in training: their labels are left out,
            so that nothing is fitted to or computed from probabilities that mean nothing.

    Returns:
        One row a face: ``image, subject, recording, frame, origin, set``, labels ``AU01`` …,
        intensities ``AU01_r`` … where the data has them, probabilities ``AU01_p`` ….
    """
    columns = au_columns(aus)
    names = [*_COLUMNS, *columns, *(f"{column}_r" for column in columns)]
    table = faces.table[[name for name in names if name in faces.table]].reset_index(drop=True)
    for column in au_columns(not_learned):
        table[column] = np.int8(MISSING)
        table = table.drop(columns=f"{column}_r", errors="ignore")
    table[[f"{column}_p" for column in columns]] = probabilities
    return table


def annotators_of(table: pd.DataFrame) -> dict[str, list[str]]:
    """Who labelled the faces, as ``annotators``; nothing where that is OpenFace alone."""
    if "annotator" not in table:
        return {}
    return {"annotators": sorted(table["annotator"].fillna("OpenFace").unique().tolist())}


def check_face_size(packed: int, training: TrainingConfig) -> None:
    """Refuse faces that were packed with another ``face_size``.

    Training would resize them without a word: a store of 32 pixels has no more detail at 48.

    Args:
        packed: Side of the faces in the store, in pixels.
        training: Its network has the size that is wanted.

    Raises:
        ConfigurationError: The faces' size is not the network's.
    """
    wanted = training.recipe.network.image_size
    if packed != wanted:
        raise ConfigurationError(
            f"face_size is {wanted}, but the faces were packed with {packed}; run "
            f"{command('preprocess')} first, or set face_size={packed}."
        )


def _not_scored(faces: FaceStore, training: npt.NDArray[np.bool_]) -> dict[str, list[int]]:
    """The AUs without a label in ``training`` and, of the others, in ``validation``."""
    known = faces.labels != MISSING  # (N, A)
    learned, checked = known[training].any(axis=0), known[~training].any(axis=0)
    missing = {"training": ~learned, "validation": learned & ~checked}
    return {
        part: [au for au, absent in zip(faces.aus, columns, strict=True) if absent]
        for part, columns in missing.items()
        if columns.any()
    }


def _origin_of(pretrained: TrainedModel | None) -> dict[str, Any]:
    """Whose labels pre-training had, if not OpenFace's alone, and whose weights it took."""
    known = {} if pretrained is None else pretrained.provenance
    names = ("annotators", "student", "backbone_weights")
    return {name: known[name] for name in names if name in known}
