"""A study from its plan to finished trainings: what is left to do, how long, and doing it."""

import logging
import math
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np

from action_units.config import MachineConfig, StudySettings, TrainingConfig
from action_units.errors import ArtifactError, ConfigurationError
from action_units.faces.store import FaceStore
from action_units.faces.workers import WorkerDied, Workers, each
from action_units.files import make_folder, sweep, temporary_folder
from action_units.progress import Progress, clock
from action_units.stages import Split
from action_units.study.cells import (
    CODED,
    STATE,
    WEB,
    Fingerprints,
    Pace,
    Training,
    at_steps,
    own_steps,
    rehearse,
    run_in_worker,
)
from action_units.study.plan import Plan, Point, WebPeople, WebSample, draw_subjects
from action_units.threads import cores

logger = logging.getLogger(__name__)

Result = TypeVar("Result")


@dataclass(frozen=True, eq=False)
class StudyData:
    """What a study learns from.

    Attributes:
        web: Faces of the web sets, with ``split``.
        coded: Faces of the coded sets.
        people: Those of the web set who are drawn from.
        splits: The subjects of each fold, by its number.
    """

    web: FaceStore
    coded: FaceStore
    people: WebPeople
    splits: Mapping[int, Split]


@dataclass(frozen=True, eq=False)
class Cell:
    """A point of an axis with the trainings that it stands for.

    Attributes:
        point: The point.
        trainings: Of each seed and fold: the training on coded subjects.
        photographs: How many web photographs are learned from, on average over seeds.
    """

    point: Point
    trainings: Mapping[tuple[int, int], Training]
    photographs: float


def plan_trainings(
    plan: Plan, data: StudyData, settings: StudySettings, training: TrainingConfig
) -> tuple[list[Training], list[Cell]]:
    """The trainings of all points, each once.

    Args:
        plan: The points.
        data: What is learned from.
        settings: Of the study.
        training: The recipe, the first seed, and the machine of one training.

    Returns:
        The pre-trainings, and the points with their trainings on coded subjects.
    """
    factory = _Trainings(data, settings, training)
    seeds = range(training.seed, training.seed + settings.seeds)
    cells = []
    for point in plan.points:
        before = {seed: factory.on_web(point, seed) for seed in seeds}
        trainings = {
            (seed, fold): factory.on_coded(point, before[seed], seed, fold)
            for seed in seeds
            for fold in data.splits
        }
        n_web = [0 if one is None else one.n_learned for one in before.values()]
        cells.append(Cell(point, trainings, float(np.mean(n_web))))
    return list(factory.pretrainings.values()), cells


class _Trainings:
    """Makes the trainings of points."""

    def __init__(
        self, data: StudyData, settings: StudySettings, training: TrainingConfig
    ) -> None:
        self.data, self.training = data, training
        self.pretrainings: dict[str, Training] = {}
        self._of_web, self._of_coded = Fingerprints(data.web), Fingerprints(data.coded)
        self._held_out = np.flatnonzero(data.web.table["split"] == "test")
        recipe = training.recipe
        whole = WebSample(data.people.people, data.people.per_person)
        self._all_photographs = len(data.people.draw(whole, training.seed))
        self._n_frames = {
            fold: int(np.isin(data.coded.subjects, split["train"]).sum())
            for fold, split in data.splits.items()
        }
        self._pretrain_steps = settings.pretrain_steps or own_steps(
            recipe.pretrain, self._all_photographs
        )
        self._finetune_steps = settings.finetune_steps or max(
            own_steps(recipe.finetune, n) for n in self._n_frames.values()
        )

    def on_coded(self, point: Point, before: Training | None, seed: int, fold: int) -> Training:
        """The training of a point on a fold's coded subjects."""
        whole, data = self.data.splits[fold], self.data
        train = draw_subjects(whole["train"], point.subjects, seed)
        split = {**whole, "train": train}
        n_learned = int(np.isin(data.coded.subjects, train).sum())
        stage = "from_scratch" if before is None else "finetune"
        recipe = at_steps(
            getattr(self.training.recipe, stage),
            self._finetune_steps,
            self._n_frames[fold],
            n_learned,
        )
        config = _with(self.training, seed, **{stage: recipe})
        subjects = [*train, *split["validation"], *split["test"]]
        rows = np.flatnonzero(np.isin(data.coded.subjects, subjects))
        initial = None if before is None else before.key
        named = {key: value for key, value in split.items() if key != "data_sha256"}
        flip = config.recipe.flip_average
        return Training(
            key=self._of_coded.of(rows, recipe, config, initial, named, flip),
            rows=rows,
            split=split,
            training=config,
            initial=initial,
            n_learned=n_learned,
            n_checked=int(np.isin(data.coded.subjects, split["validation"]).sum()),
            n_tested=int(np.isin(data.coded.subjects, split["test"]).sum()),
        )

    def on_web(self, point: Point, seed: int) -> Training | None:
        """The pre-training of a point; None from scratch."""
        if point.web is None:
            return None
        drawn = self.data.people.draw(point.web, seed)
        rows = np.sort(np.concatenate([drawn, self._held_out]))
        recipe = at_steps(
            self.training.recipe.pretrain,
            self._pretrain_steps,
            self._all_photographs,
            len(drawn),
        )
        config = _with(self.training, seed, pretrain=recipe)
        key = self._of_web.of(rows, recipe, config)
        made = Training(
            key=key,
            rows=rows,
            split=None,
            training=config,
            initial=None,
            n_learned=len(drawn),
            n_checked=len(self._held_out),
        )
        return self.pretrainings.setdefault(key, made)


def run_trainings(
    folder: Path,
    data: StudyData,
    pretrainings: Sequence[Training],
    cells: Iterable[Cell],
    workers: Workers,
) -> None:
    """Do all trainings that are not finished, and say before how long it should take.

    Args:
        folder: Of the study's trainings.
        data: What is learned from.
        pretrainings: They come first.
        cells: With the trainings that start from them.
        workers: The processes.

    Raises:
        ArtifactError: A process was killed; or as ``train``.
    """
    on_coded = {one.key: one for cell in cells for one in cell.trainings.values()}
    everything = [*pretrainings, *on_coded.values()]
    left = [one for one in everything if not one.is_finished(folder)]
    make_folder(folder)
    sweep(folder, deep=True)
    for one in everything:
        if one.is_finished(folder):  # and was killed before its state was deleted
            shutil.rmtree(folder / one.key / STATE, ignore_errors=True)
    if not left:
        logger.info("%s", estimate(everything, left, 0, 1))
        return
    count = workers.count or 1
    with temporary_folder("faces", folder) as stores:
        data.web.save(stores / WEB)
        data.coded.save(stores / CODED)
        logger.info("Study: rehearsing a few steps to estimate the time")
        paces = _rehearse(stores, left, workers)
        seconds = {one.key: one.seconds(paces[one.kind]) for one in left}
        ahead = sum(seconds.values())
        logger.info("%s", estimate(everything, left, ahead, count))
        work = partial(run_in_worker, folder, stores)
        with Progress("Study", len(left), "trainings") as progress:
            for pretrains in (True, False):  # those on coded subjects start from the others
                tasks = [one for one in left if (one.split is None) == pretrains]
                for task, result in each(work, tasks, workers):
                    _check_alive(result)
                    ahead -= seconds[task.key]
                    progress.advance(1, f"about {clock(ahead / count)} of training")


def estimate(
    everything: Sequence[Training], left: Sequence[Training], seconds: float, n_workers: int
) -> str:
    """How many trainings there are, how many are left, and how long these should take."""
    n_web = sum(one.split is None for one in everything)
    text = (
        f"Study: {len(everything):,} trainings ({n_web:,} pre-trainings and "
        f"{len(everything) - n_web:,} on coded subjects), {len(left):,} to do"
    )
    if not left:
        return f"{text}."
    rounds = math.ceil(len(left) / n_workers)  # of few trainings, some processes have none
    longest = seconds / len(left) * rounds
    processes = "1 process" if n_workers == 1 else f"{n_workers} processes"
    return f"{text}, about {clock(longest)} with {processes} by a rehearsal of their steps."


def _rehearse(stores: Path, left: Sequence[Training], workers: Workers) -> dict[str, Pace]:
    """The pace of each kind of training, with as many processes at work as later."""
    kinds = {one.kind: one for one in left}
    tasks = [one for one in kinds.values() for _ in range(workers.count or 1)]
    paces: dict[str, list[Pace]] = {kind: [] for kind in kinds}
    for task, pace in each(partial(rehearse, stores), tasks, workers):
        paces[task.kind].append(_check_alive(pace))
    return {
        kind: Pace(
            float(np.mean([one.step for one in several])),
            float(np.mean([one.face for one in several])),
        )
        for kind, several in paces.items()
    }


def _check_alive(result: Result | WorkerDied) -> Result:
    if isinstance(result, WorkerDied):
        raise ArtifactError(
            "a process of the study was killed, perhaps because memory was full; run again "
            "with fewer study.workers. Finished trainings are kept."
        )
    return result


def one_each(
    machine: MachineConfig, n_workers: int | None, on_gpu: bool
) -> tuple[MachineConfig, int]:
    """How many trainings there are at once, and the machine of each.

    Args:
        machine: Of the run.
        n_workers: As configured; None is one for each core, or one on a GPU.
        on_gpu: Whether the device is not the CPU.

    Raises:
        ConfigurationError: ``devices`` is more than one.
    """
    if machine.devices not in (None, 1):
        raise ConfigurationError(
            f"devices is {machine.devices}, but the study trains each network on one device; "
            "leave devices null."
        )
    count = n_workers or (1 if on_gpu else max(1, cores() // (machine.threads or 1)))
    threads = machine.threads or (None if on_gpu else max(1, cores() // count))
    update = {"threads": threads, "tensorboard": False}
    return machine.model_copy(update=update), count


def _with(training: TrainingConfig, seed: int, **stages: object) -> TrainingConfig:
    recipe = training.recipe.model_copy(update=stages)
    return training.model_copy(update={"recipe": recipe, "seed": seed, "restart": False})
