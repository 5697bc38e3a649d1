"""Training a network: the one function to call.

A run is a function of its arguments: killed anywhere and started again, it ends in the
same weights. Faces and labels lie on the device; a step picks its rows from the epoch's
order, augments them there, and goes through forward, loss, backward and update. The last
faces of an epoch that do not fill a batch sit it out, so that every step has the same
size; the order is new in each epoch, so these are other faces each time.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy.typing as npt

from action_units.config import InMemory, MachineConfig, NetworkSpec, Recipe
from action_units.differences import differences
from action_units.errors import ConfigurationError
from action_units.files import temporary_folder
from action_units.models.trained import TrainedModel
from action_units.progress import Progress
from action_units.training.arguments import check_arguments
from action_units.training.checkpoints import Checkpoints
from action_units.training.curves import curve_log
from action_units.training.data.arrays import Faces, TrainingData
from action_units.training.data.streaming import Windows, stream_faces
from action_units.training.devices import choose_machine
from action_units.training.distributed.job import Job
from action_units.training.distributed.processes import JobWritten, remove_job, run_processes
from action_units.training.distributed.statistics import share_batch_statistics
from action_units.training.distributed.team import ALONE, Team
from action_units.training.epochs import run_epochs
from action_units.training.interruption import Interrupted, stop_request
from action_units.training.memory import memory_told
from action_units.training.preparation import Prepared, prepare
from action_units.training.result import TrainingResult, make_result
from action_units.training.setup import Setup
from action_units.training.state import TrainingState
from action_units.training.step import MicroBatch, Step

logger = logging.getLogger(__name__)


def train(
    network_spec: NetworkSpec,
    recipe: Recipe,
    faces: Faces,
    labels: npt.ArrayLike,
    train_rows: npt.ArrayLike,
    validation_rows: npt.ArrayLike,
    aus: Sequence[int],
    *,
    seed: int,
    subjects: npt.ArrayLike | None = None,
    intensities: npt.ArrayLike | None = None,
    images: npt.ArrayLike | None = None,
    initial: TrainedModel | None = None,
    checkpoint_folder: Path | str | None = None,
    checkpoint_seconds: float | None = 60.0,
    restart: bool = False,
    device: str = "auto",
    precision: str = "auto",
    threads: int | None = None,
    compilation: str = "none",
    devices: int | str | None = None,
    micro_batch: MicroBatch = None,
    faces_in_memory: InMemory = "auto",
    tensorboard: bool = False,
    description: str = "Training",
    provenance: Mapping[str, Any] | None = None,
) -> TrainingResult:
    """Train a network, or go on where an earlier call of the same training stopped.

    Args:
        network_spec: The network.
        recipe: How to train it.
        faces: uint8 (N, S, S), in memory or mapped.
        labels: (N, A) in [0, 1]; negative where a label is missing.
        train_rows: Row numbers or a mask of the faces to learn from.
        validation_rows: Of the faces that choose the best epoch; where there are none,
            the last epoch is kept.
        aus: The AU of each label column.
        seed: Decides everything random.
        subjects: (N,), whose each face is; needed where the recipe balances subjects.
        intensities: (N, A) from 0 to 5, NaN where there is none; needed where the recipe
            learns soft targets.
        images: (N,), what each face is called where something is wrong with it.
        initial: A pre-trained model; it gets a new head for ``aus`` and all its layers
            are trained.
        checkpoint_folder: Where to keep the state; nothing is kept without.
        checkpoint_seconds: Save within an epoch when this long has passed since the last
            save; None saves only after each epoch. It does not change the result.
        restart: Put this training in the place of the one that the checkpoint is of, which
            stays until the first save stands.
        device: As in ``choose_machine``.
        precision: As in ``choose_machine``.
        threads: As in ``choose_machine``; a resumed run keeps its own. On several devices
            None is each process's part of the cores.
        compilation: As in ``choose_machine``; the first steps then take a minute longer.
        devices: How many devices of this computer train together, each in a process of
            its own; None is one. Batches and order stay as they are, and the result is the
            same up to rounding. ``torchrun`` writes a job for that program and ends.
        micro_batch: Most faces that go through the network at once; None is a device's
            whole part of a batch, and ``auto`` halves that until it fits into memory. The
            result is the same up to rounding, but for batch normalisation, which sees what
            goes through at once.
        faces_in_memory: ``always``; ``blocks`` reads them from disk while it trains, in an
            order of its own (``streaming``); ``auto`` does so where they would take more
            than half of the free memory. A resumed run goes on as it began.
        tensorboard: Whether to write the curve for TensorBoard too, beside ``curve.csv`` in
            the checkpoint folder.
        description: What progress is called.
        provenance: Plain values that belong to the model, such as fold and protocol. A
            checkpoint with others is refused.

    Raises:
        ConfigurationError: The arguments do not fit together.
        ArtifactError: The checkpoint is damaged or of another training, or cannot be
            written.
        DivergedError: The loss became NaN or infinite.
        DeviceMemoryError: A batch does not fit into the device's memory.
        LostProcessError: One of several processes was killed.
        Interrupted: SIGTERM or SIGINT arrived; the state is saved.
        JobWritten: ``devices`` is ``torchrun``, and the job is there.
    """
    job = Job(
        network_spec=network_spec,
        recipe=recipe,
        faces=faces,
        labels=labels,
        train_rows=train_rows,
        validation_rows=validation_rows,
        aus=aus,
        seed=seed,
        subjects=subjects,
        intensities=intensities,
        images=images,
        initial=initial,
        checkpoint_folder=checkpoint_folder,
        checkpoint_seconds=checkpoint_seconds,
        device=device,
        precision=precision,
        threads=threads,
        compilation=compilation,
        micro_batch=micro_batch,
        faces_in_memory=faces_in_memory,
        tensorboard=tensorboard,
        description=description,
        provenance=provenance or {},
    )
    names = MachineConfig.model_fields
    values = {name: getattr(job, name) for name in names if name != "devices"}
    count = check_arguments(MachineConfig.read(values | {"devices": devices}), seed, restart)
    prepared = prepare(job)
    if restart:
        logger.info("%s starts over; to go on with it later, leave restart out.", description)
    with Checkpoints(checkpoint_folder, prepared.identity, None) as checkpoints:
        if restart:
            job = replace(job, replaces=checkpoints.sha256())
        saved = None if count == 1 else checkpoints.load(job.replaces)
    if count == 1:
        return train_job(ALONE, job, prepared)
    if saved is not None and saved["finished"]:
        remove_job(checkpoint_folder)
        return train_job(ALONE, job, prepared)
    if count == "torchrun":
        raise JobWritten(job)
    with temporary_folder("action-units-job") as folder:
        if checkpoint_folder is None:
            job = replace(job, checkpoint_folder=folder / "checkpoints")
        run_processes(job.write(folder), count)
        return train_job(ALONE, job, prepared, tell=False)


def train_job(
    team: Team,
    job: Job,
    prepared: Prepared | None = None,
    tell: bool = True,
) -> TrainingResult:
    """Train as one of the processes of a training, or as the only one.

    Args:
        team: The processes; their device is the job's.
        job: What to train, on this process's device.
        prepared: The job, checked; that is done here without.
        tell: Whether to say that a training was finished before.

    Raises:
        ActionUnitsError: As ``train``.
        Interrupted: SIGTERM or SIGINT arrived; the state is saved.
    """
    prepared = prepared or prepare(job)
    identity = prepared.identity
    machine = choose_machine(job.device, job.precision, job.threads, job.compilation)
    machine = replace(machine, devices=team.size)
    team = replace(team, device=machine.torch_device)
    _check_same(team, identity)
    folder = job.checkpoint_folder if team.leads else None
    with Checkpoints(folder, identity, job.checkpoint_seconds) as checkpoints:
        saved = team.from_leader(checkpoints.load(job.replaces))
        finished = saved is not None and saved["finished"]
        if saved is not None and not finished:
            machine = machine.resumed(saved["machine"], job.precision)
        windows = _windows(team, job, prepared.data, saved)
        with machine.in_use(), stop_request() as stop, memory_told(machine.device):
            setup = Setup(
                job.network_spec, job.recipe, prepared.data, job.seed, job.initial, machine,
                prepared.weights, windows,
            )  # fmt: skip
            state = setup.first_state()
            if saved is not None:
                state.restore(saved)
                if tell and team.leads:
                    _tell_resumed(job.description, setup, state)
            if not finished:
                share_batch_statistics(state.network, team)
                step = Step(setup, state, team, job.micro_batch)
                if saved is not None:
                    step.resume(saved)
                remaining = (setup.steps - state.step) * setup.batch_size
                with (
                    curve_log(checkpoints.folder, job.tensorboard, state.curve) as log,
                    Progress(job.description, remaining, "faces") as progress,
                ):
                    run_epochs(setup, state, step, checkpoints, stop, progress, log)
        if stop.number is not None and team.size == 1:  # it came after the last look
            _tell_stopped(job)
            raise Interrupted(stop.number)
    made_on = saved["machine"] if saved is not None and finished else machine.to_dict()
    return make_result(setup, state, identity, made_on)


def _check_same(team: Team, identity: Mapping[str, Any]) -> None:
    """Refuse processes that read other faces, labels or options than the leader."""
    of_leader = team.from_leader(identity)
    if found := list(differences(of_leader, identity)):
        raise ConfigurationError(
            f"Process {team.rank + 1} of {team.size} has another training than the first: "
            f"{'; '.join(found)}. All must read the same job and faces."
        )


def _windows(
    team: Team, job: Job, data: TrainingData, saved: Mapping[str, Any] | None
) -> Windows | None:
    """How the faces are streamed, or None where they lie in memory."""
    wanted = job.faces_in_memory
    streams = stream_faces(wanted, data, job.network_spec.image_size, team.device)
    if saved is not None:
        began = bool(saved.get("in_blocks", False))
        if wanted != "auto" and began != streams and not saved["finished"]:
            raise ConfigurationError(
                f"faces_in_memory is {wanted}, and the checkpoint in {job.checkpoint_folder} "
                f"was made with {'blocks' if began else 'always'}, whose epochs have another "
                "order; leave it auto, which goes on as it began, or start over with restart."
            )
        streams = began
    # What the leader sees of its memory holds for all.
    agreed = team.from_leader({"streams": streams})
    return Windows.of(data.faces) if agreed and agreed["streams"] else None


def _tell_resumed(description: str, setup: Setup, state: TrainingState) -> None:
    if state.finished:
        logger.info("%s was finished before; its result is taken as it is.", description)
        return
    logger.info(
        "%s resumes after step %s of %s with %d CPU threads, as it began.",
        description,
        f"{state.step:,}",
        f"{setup.steps:,}",
        setup.machine.threads,
    )


def _tell_stopped(job: Job) -> None:
    kept = "its result is kept, and the same command takes it from there"
    lost = "its result is lost, for want of a checkpoint folder"
    logger.warning(
        "%s was stopped by a signal when its last step was done; %s.",
        job.description,
        lost if job.checkpoint_folder is None else kept,
    )
