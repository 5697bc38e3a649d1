"""The loop over epochs and steps."""

import logging
import time

import torch

from action_units.progress import Progress
from action_units.training.blocks import freeze
from action_units.training.checkpoints import Checkpoints
from action_units.training.curves import CurveLog
from action_units.training.data.arrays import upload
from action_units.training.data.augmentation import make_plan
from action_units.training.data.sampling import sample_numbers
from action_units.training.data.sources import HeldOut, Resident
from action_units.training.data.streaming import MappedFaces, StreamedFaces
from action_units.training.distributed.agreement import Agreement
from action_units.training.divergence import RECENT, check_state, describe_progress
from action_units.training.interruption import Interrupted, StopRequest
from action_units.training.memory import DeviceMemoryError
from action_units.training.schedule import learning_rate
from action_units.training.setup import Setup
from action_units.training.state import TrainingState
from action_units.training.step import Step
from action_units.training.validation import Evaluation, evaluate

logger = logging.getLogger(__name__)


def run_epochs(
    setup: Setup,
    state: TrainingState,
    step: Step,
    checkpoints: Checkpoints,
    stop: StopRequest,
    progress: Progress,
    log: CurveLog,
) -> None:
    """Train from the state's step to the end.

    Args:
        setup: What is trained.
        state: Changed in place.
        step: Does its steps.
        checkpoints: Take the state after each epoch, and within where they are due.
        stop: Looked at between steps.
        progress: Told of every step.
        log: Given the curve after every epoch.

    Raises:
        DivergedError: The loss became NaN or infinite.
        Interrupted: SIGTERM or SIGINT arrived; the state is saved.
    """
    recipe, data, machine = setup.recipe, setup.data, setup.machine
    device, size, batch_size = machine.torch_device, setup.spec.image_size, setup.batch_size
    faces, held_out = _faces(setup)
    targets = torch.from_numpy(data.learned).to(device)  # (N, A)
    rows = torch.from_numpy(data.train_rows).to(device)  # (N,)
    agreement = Agreement(step.team, stop, checkpoints)
    # A look at the loss makes a GPU wait for itself, so there it is rare.
    every = 1 if device.type == "cpu" else RECENT

    def save() -> None:
        check_state(setup, state)
        how = {"machine": machine.to_dict(), "pieces": step.pieces}
        how["in_blocks"] = setup.windows is not None
        checkpoints.save({**state.to_dict(), **how})
        if not state.curve:  # a curve of before a restart goes when this save stands
            log(state.curve)

    def leave_if_asked() -> None:
        if agreement.signal is not None:
            if step.team.leads:
                _tell_stopped(setup, state, checkpoints)
            raise Interrupted(agreement.signal)

    for epoch in range(state.step // setup.steps_per_epoch, setup.epochs):
        started = time.perf_counter() - state.seconds
        order, appearances = setup.faces_of(epoch)
        samples = sample_numbers(rows[order], appearances)
        plan = make_plan(recipe.augmentation, setup.seed, epoch, samples, size)
        first, last = state.step - epoch * setup.steps_per_epoch, setup.steps_in(epoch)
        source = faces.in_order(order, first * batch_size)
        state.network.train()
        freeze(state.network, recipe.unfreeze, epoch)
        for number in range(first, last):
            batch = slice(number * batch_size, (number + 1) * batch_size)
            rate = learning_rate(
                recipe.schedule,
                recipe.learning_rate,
                state.step,
                setup.steps,
                setup.steps_per_epoch,
            )
            looks = (state.step + 1) % every == 0 or number + 1 == last
            ballot = agreement.ballot() if looks else None
            loss = step(source, targets[order[batch]], plan, batch, rate, ballot)
            state.losses[number] = loss
            state.step += 1

            note = describe_progress(setup, state, epoch, number) if looks else ""
            progress.advance(batch_size, note)
            agreement.decide(ballot)
            if number + 1 < last and (agreement.signal is not None or agreement.save_due):
                state.seconds = time.perf_counter() - started
                save()
                leave_if_asked()

        trained = time.perf_counter() - started
        scores = Evaluation()
        if (epoch + 1) % recipe.validate_every == 0 or epoch + 1 == setup.epochs:
            scores = evaluate(setup, state, held_out, epoch, step.team, step.most)
        best = scores.judged and state.judge(scores.score, epoch + 1)
        state.curve.append(
            {
                "epoch": epoch + 1,
                "learning_rate": rate,
                "train_loss": float(state.losses[:last].mean()),
                "validation_loss": scores.loss,
                "validation_macro_f1": scores.macro_f1,
                "validation_average_precision": scores.average_precision,
                "seconds": time.perf_counter() - started,
                "faces_per_second": last * batch_size / trained,
                "best": best,
            }
        )
        # Before the save: a kill between them costs the epoch, and no row of a finished run.
        log(state.curve)
        state.seconds = 0.0
        patience = recipe.patience
        state.finished = epoch + 1 == setup.epochs or (
            patience is not None and state.stale >= patience
        )
        save()
        if state.finished:
            break
        agreement.decide()
        leave_if_asked()


def _faces(setup: Setup) -> tuple[Resident | StreamedFaces, HeldOut]:
    """The faces to learn from and those to evaluate on, in memory or on disk."""
    data, size, device = setup.data, setup.spec.image_size, setup.machine.torch_device
    learn, held_out = data.train_rows, data.validation_rows
    if setup.windows is not None:
        streamed = StreamedFaces(data.faces, learn, setup.windows, size, device)
        return streamed, MappedFaces(data.faces, held_out, size, device)
    try:
        return (
            Resident(upload(data.faces, learn, size, device)),
            upload(data.faces, held_out, size, device),
        )
    except (RuntimeError, MemoryError) as error:
        if "memory" not in str(error):  # torch has no class of its own for this on the CPU
            raise
        n = len(learn) + len(held_out)
        raise DeviceMemoryError(
            f"{device} has too little memory for {n:,} faces of {size} × {size} pixels "
            f"({n * size * size / 2**20:,.0f} MiB); set faces_in_memory to blocks, which reads "
            "them from disk, or take a smaller image_size."
        ) from error


def _tell_stopped(setup: Setup, state: TrainingState, checkpoints: Checkpoints) -> None:
    kept = f"it is saved in {checkpoints.folder} and the same command goes on from here"
    lost = "it was not saved, for want of a checkpoint folder"
    logger.warning(
        "Stopped by a signal after step %s of %s; %s.",
        f"{state.step:,}",
        f"{setup.steps:,}",
        lost if checkpoints.folder is None else kept,
    )
