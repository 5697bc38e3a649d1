"""Node of the study."""

import logging
import shutil
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from action_units.config import (
    ChosenProtocols,
    ClusterSettings,
    FinetuneSettings,
    StudySettings,
    TrainingConfig,
    WebSetSettings,
)
from action_units.faces.store import FaceStore
from action_units.faces.workers import Workers
from action_units.pipelines.finetuning.nodes import split_subjects
from action_units.stages import check_face_size

logger = logging.getLogger(__name__)


def study(
    web: FaceStore,
    coded: FaceStore,
    checkpoints: Path,
    protocols: ChosenProtocols,
    finetune: FinetuneSettings,
    fold: int | None,
    chosen_web: Mapping[str, WebSetSettings],
    settings: StudySettings,
    training: TrainingConfig,
    cluster: ClusterSettings,
) -> tuple[pd.DataFrame, pd.DataFrame, str]:
    """Train with less and with more data, and score every network on its test subjects.

    Args:
        web: Faces of the web sets.
        coded: Faces of the coded sets.
        checkpoints: Folder of the study's trainings, of which none is done twice.
        protocols: Of the coded sets.
        finetune: The parameters of fine-tuning.
        fold: The only fold; None for those of the study's settings.
        chosen_web: The web sets' settings; they say whether as many women as men are drawn.
        settings: The study's.
        training: The recipe, the first seed and the machine.
        cluster: Where worker processes are.

    Returns:
        A row for each point, a row for each training, and one HTML document.

    Raises:
        ConfigurationError: The data are too few for any axis, or as ``train``.
    """
    from action_units.study.page import render_study
    from action_units.study.plan import WebPeople, make_plan
    from action_units.study.result import StudyResult, score_cells
    from action_units.study.run import StudyData, one_each, plan_trainings, run_trainings
    from action_units.training.device import best_device

    for faces in (web, coded):
        check_face_size(faces.faces.shape[1], training)
    if training.restart:
        shutil.rmtree(checkpoints, ignore_errors=True)
    sets = coded.table["set"].to_numpy(str)
    protocol = protocols.resolve(coded.subjects, coded.labels, sets)
    folds = [fold] if fold is not None else settings.folds or list(protocol.folds)
    splits = {
        number: split_subjects(coded, protocols, finetune, training.seed, fold=number)
        for number in folds
    }
    even = all(one.sample.even_gender for one in chosen_web.values())
    people = WebPeople.of(web.table, settings.per_person, even)
    plan = make_plan(settings, people, [len(split["train"]) for split in splits.values()])
    for sentence in plan.left_out:
        logger.warning("%s", sentence)
    device = best_device() if training.machine.device == "auto" else training.machine.device
    machine, count = one_each(training.machine, settings.workers, device != "cpu")
    data = StudyData(web, coded, people, splits)
    config = training.model_copy(update={"machine": machine})
    pretrainings, cells = plan_trainings(plan, data, settings, config)
    run_trainings(checkpoints, data, pretrainings, cells, Workers(count, cluster))
    rows, trainings = score_cells(checkpoints, cells, coded.aus, training.seed)
    one = next(iter(cells[0].trainings.values()))
    result = StudyResult(
        rows=rows,
        seeds=settings.seeds,
        folds=tuple(folds),
        steps=(pretrainings[0].steps, one.steps),
        left_out=plan.left_out,
        rendered=bool((coded.table["origin"] == "rendered").any()),
    )
    about = {
        "recipe": training.name,
        "coded_sets": "+".join(protocols.sets),
        "web_sets": "+".join(chosen_web),
        "fold_protocol": protocol.name,
        "folds": folds,
        "seeds": list(range(training.seed, training.seed + settings.seeds)),
        "trainings": len(pretrainings)
        + len({one.key for cell in cells for one in cell.trainings.values()}),
        "coded_subjects_that_choose_epoch_and_thresholds": finetune.validation_subjects,
        "web_people_held_out": web.table.loc[web.table["split"] == "test", "subject"].nunique(),
        "settings": settings.to_json(),
    }
    return result.table(), trainings, render_study(result, about)
