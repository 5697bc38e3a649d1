"""Train a network: one function to call, and the loop from top to bottom.

A run is a function of its job: killed at any time and started again, it ends in the same
weights. Faces and labels lie on the device. The last incomplete batch of an epoch is dropped,
so that every step has the same size; the order is new in each epoch, so these are other faces
each time.
"""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from action_units.errors import ConfigurationError
from action_units.files import temporary_folder
from action_units.fingerprint import differences
from action_units.labels.action_units import au_columns
from action_units.models.dropout import dropouts, seed_dropout
from action_units.progress import Progress
from action_units.training.augment import Augmenter, Plan, make_plan, mix
from action_units.training.context import TrainingContext, TrainingResult
from action_units.training.curves import Curve, curve_log
from action_units.training.data import EpochFaces
from action_units.training.device import (
    check_machine,
    choose_machine,
    compiled,
    readable_memory_errors,
)
from action_units.training.distributed import (
    ProcessGroup,
    SyncFlags,
    share_batch_statistics,
)
from action_units.training.divergence import RECENT, check_state, describe_progress
from action_units.training.interruption import Interrupted, StopRequest, stop_request
from action_units.training.job import TrainingJob
from action_units.training.launch import JobWritten, remove_job, run_processes
from action_units.training.micro_batches import MicroBatches
from action_units.training.noise import Batch
from action_units.training.optim import freeze, set_rate
from action_units.training.randomness import dropout_seed
from action_units.training.sampling import sample_numbers
from action_units.training.state import Checkpoints, TrainingState
from action_units.training.streaming import Windows, load_faces, should_stream
from action_units.training.validation import Evaluation, evaluate

logger = logging.getLogger(__name__)


def train(job: TrainingJob, *, restart: bool = False) -> TrainingResult:
    """Train a network, or resume where an earlier call with the same job stopped.

    Args:
        job: What to train.
        restart: Start over. The checkpoint of the earlier training stays until the first save
            replaces it.

    Raises:
        ConfigurationError: Parts of the job do not fit together, or this computer cannot
            train it.
        ArtifactError: The checkpoint is damaged or of another training, or cannot be
            written.
        DivergedError: The loss became NaN or infinite.
        DeviceMemoryError: A batch does not fit into the device's memory.
        LostProcessError: One of several processes was killed.
        Interrupted: SIGTERM or SIGINT arrived; the state is saved.
        JobWritten: ``devices`` is ``torchrun``, and the job is written.
    """
    if type(restart) is not bool:
        raise ConfigurationError(f"restart is {restart!r}; it must be true or false.")
    devices = check_machine(job.machine)
    context = TrainingContext.of(job)
    for part, aus in context.data.not_scored.items():
        logger.warning(
            "%s: %s %s scored in no face %s.",
            job.description,
            ", ".join(au_columns(aus)),
            "is" if len(aus) == 1 else "are",
            "to learn from, so the network does not learn it"
            if part == "train"
            else "that chooses the epoch, so the others choose it",
        )
    if context.data.faces.ndim == 4 and context.network_spec.channels == 1:
        logger.info(
            "%s: the network has one channel, so it takes the grey of the faces' colours.",
            job.description,
        )
    in_colour = context.data.faces.ndim == 4 and context.network_spec.channels == 3
    if context.recipe.augmentation.recolours and not in_colour:
        logger.warning(
            "%s: the recipe's augmentation changes colours, but the %s grey, so it does not.",
            job.description,
            "network takes" if context.data.faces.ndim == 4 else "faces are",
        )
    if restart:
        logger.info("%s starts over; to resume it later, leave restart out.", job.description)
    with Checkpoints(job.checkpoint_folder, context.identity) as checkpoints:
        if restart:
            job = replace(job, replaces=checkpoints.sha256())
        saved = None if devices == 1 else checkpoints.load(job.replaces)
    if devices == 1:
        return run(replace(context, job=job))
    if saved is not None and saved["finished"]:
        remove_job(job.checkpoint_folder)
        return run(replace(context, job=job))
    if devices == "torchrun":
        raise JobWritten(job)
    with temporary_folder("action-units-job") as folder:
        if job.checkpoint_folder is None:
            job = replace(job, checkpoint_folder=folder / "checkpoints")
        run_processes(job.write(folder), devices)
        return run(replace(context, job=job), quiet=True)


def run(
    context: TrainingContext, group: ProcessGroup | None = None, quiet: bool = False
) -> TrainingResult:
    """Train as one of the processes of a group, or as the only one; raises as ``train``.

    Args:
        context: A checked job for this process's device.
        group: The processes.
        quiet: Do not log that the training was finished before.
    """
    job, group = context.job, group or ProcessGroup()
    machine = replace(choose_machine(job.machine), devices=group.size)
    group = replace(group, device=machine.torch_device)
    _check_same(group, context.identity)
    folder = job.checkpoint_folder if group.is_main else None
    with Checkpoints(folder, context.identity, job.checkpoint_seconds) as checkpoints:
        saved = group.broadcast(checkpoints.load(job.replaces))
        finished = saved is not None and saved["finished"]
        if saved is not None and not finished:
            machine = machine.resumed(saved["machine"], job.machine.precision)
        windows = _windows(group, context, saved)
        context = replace(context, group=group, machine=machine, windows=windows)
        with machine.in_use(), stop_request() as stop, readable_memory_errors(machine.device):
            state = context.first_state()
            if saved is not None:
                state.restore(saved)
                if group.is_main and not quiet:
                    _log_resumed(context, state)
            if not finished:
                share_batch_statistics(state.network, group)
                fit(context, state, checkpoints, stop, saved)
        if stop.number is not None and group.size == 1:  # it came after the last step
            logger.warning(
                "%s was stopped by a signal when its last step was done; %s.",
                job.description,
                "its result is lost, as no checkpoint folder was given"
                if folder is None
                else "its result is saved, and the same command uses it",
            )
            raise Interrupted(stop.number)
    made_on = saved["machine"] if saved is not None and finished else machine.to_dict()
    return context.result(state, made_on)


def fit(
    context: TrainingContext,
    state: TrainingState,
    checkpoints: Checkpoints,
    stop: StopRequest,
    saved: Mapping[str, Any] | None = None,
) -> None:
    """Train from the state's step to the end; the state is changed in place.

    It is saved after each epoch that is evaluated, and between where the checkpoints are due.
    Signals are read between steps.

    Args:
        context: The training.
        state: Its state, new or restored.
        checkpoints: Of the training.
        stop: The signal that has arrived, if any.
        saved: The checkpoint that the state was restored from.
    """
    job, recipe, data, group = context.job, context.recipe, context.data, context.group
    device, size = context.machine.torch_device, context.network_spec.image_size
    batch_size, steps_per_epoch = context.batch_size, context.steps_per_epoch
    channels = context.network_spec.channels
    faces, held_out = load_faces(data, size, device, context.windows, channels)
    targets = torch.from_numpy(data.learned).to(device)  # (M, A)
    rows = torch.from_numpy(data.train_rows).to(device)  # (M,)
    step = Step(context, state, saved)
    flags = SyncFlags(group, stop, checkpoints)
    # Reading the loss makes a GPU wait for itself, so it is read rarely there.
    every = 1 if device.type == "cpu" else RECENT
    remaining = (context.steps - state.step) * batch_size
    with (
        curve_log(checkpoints.folder, job.machine.tensorboard, state.curve) as log,
        Progress(job.description, remaining, "faces") as progress,
    ):
        for epoch in range(state.step // steps_per_epoch, context.epochs):
            started = time.perf_counter() - state.seconds
            order, appearances = context.faces_of(epoch)
            samples = sample_numbers(rows[order], appearances)
            plan = make_plan(recipe.augmentation, job.seed, epoch, samples, size)
            first, last = state.step - epoch * steps_per_epoch, context.steps_in(epoch)
            faces.start_epoch(order, first * batch_size)
            state.network.train()
            freeze(state.network, recipe.unfreeze, epoch)

            for number in range(first, last):
                batch = slice(number * batch_size, (number + 1) * batch_size)
                should_sync = (state.step + 1) % every == 0 or number + 1 == last
                sync = flags.tensor() if should_sync else None
                state.losses[number] = step(faces, targets, order[batch], plan, batch, sync)
                state.step += 1
                note = describe_progress(context, state, epoch, number) if should_sync else ""
                progress.advance(batch_size, note)
                flags.update(sync)
                if number + 1 < last and (flags.signal is not None or flags.save):
                    state.seconds = time.perf_counter() - started
                    _save(context, state, step, checkpoints, log)
                    _stop_if_signalled(context, state, flags, checkpoints)

            trained = time.perf_counter() - started
            scores = Evaluation()
            evaluates = (epoch + 1) % recipe.validate_every == 0 or epoch + 1 == context.epochs
            if evaluates:
                scores = evaluate(context, state, held_out, epoch, step.micro_batches.limit)
            best = scores.scored and state.update_best(scores.score, epoch + 1)
            state.curve.append(
                {
                    "epoch": epoch + 1,
                    "learning_rate": context.rate(state.step - 1),
                    "train_loss": float(state.losses[:last].mean()),
                    "validation_loss": scores.loss,
                    "validation_macro_f1": scores.macro_f1,
                    "validation_average_precision": scores.average_precision,
                    "seconds": time.perf_counter() - started,
                    "faces_per_second": last * batch_size / trained,
                    "best": best,
                }
            )
            state.seconds = 0.0
            patience = recipe.patience
            state.finished = epoch + 1 == context.epochs or (
                patience is not None and state.stale >= patience
            )
            if not (evaluates or flags.save or flags.signal is not None):
                continue  # epochs of few faces are short: not each is worth a save
            # Before the save: a kill between them loses the epoch, never a row of the curve.
            log(state.curve)
            _save(context, state, step, checkpoints, log)
            if state.finished:
                break
            flags.update()
            _stop_if_signalled(context, state, flags, checkpoints)


class Step:
    """One step: augment, forward, loss, backward, clip, update, average.

    The batch may be split twice: between the processes, and then into micro-batches that go
    through the network one after the other. Either way the gradient is that of the whole batch,
    up to rounding.
    """

    def __init__(
        self,
        context: TrainingContext,
        state: TrainingState,
        saved: Mapping[str, Any] | None = None,
    ) -> None:
        """Prepare what all steps share.

        Raises:
            ConfigurationError: Batch, compilation or ``micro_batch`` do not work with so many
                processes.
        """
        self.context, self.state = context, state
        compilation = context.machine.compilation
        if compilation != "none" and context.group.size > 1:
            raise ConfigurationError(
                f"compilation {compilation} does not work on several devices; set it to none."
            )
        self.augment = Augmenter(
            context.recipe.augmentation, context.job.seed, context.machine.torch_device
        )
        self.micro_batches = MicroBatches(context, state, saved)
        self._backbone = compiled(state.network.backbone, compilation)
        self._dropouts = dropouts(state.network)
        self._parameters = [*state.network.parameters(), *state.noise.parameters()]

    def __call__(
        self,
        source: EpochFaces,
        targets: Tensor,
        positions: Tensor,
        plan: Plan,
        batch: slice,
        sync: Tensor | None = None,
    ) -> Tensor:
        """Do the state's next step.

        Args:
            source: The faces of the epoch.
            targets: float32 (M, A), of all faces to learn from.
            positions: int64 (B,), which of them the batch has.
            plan: The epoch's.
            batch: The batch's places in the epoch.
            sync: Summed over the processes along with the gradients.

        Returns:
            The loss of the whole batch, a scalar.
        """
        context, state = self.context, self.state
        share = self.micro_batches.share  # this process's part of a batch
        faces = source[slice(batch.start + share.start, batch.start + share.stop)]
        batch_plan = plan[batch]
        chosen = state.noise.batch(targets[positions], positions)
        loss = self.micro_batches.run(
            lambda parts: self._accumulate(faces, chosen, batch_plan, parts)
        )
        gradients = [p.grad for p in self._parameters if p.grad is not None]
        others = [part for part in (sync, chosen.probabilities) if part is not None]
        context.group.all_reduce([*gradients, loss, *others])
        if context.recipe.gradient_clip is not None:
            nn.utils.clip_grad_norm_(self._parameters, context.recipe.gradient_clip)
        set_rate(state.optimizer, context.rate(state.step))
        state.optimizer.step()
        state.optimizer.zero_grad(set_to_none=True)
        state.noise.remember(positions, chosen.probabilities)
        if state.averaged is not None:
            state.averaged.update(state.step)
        return loss

    def _accumulate(
        self, faces: Tensor, batch: Batch, plan: Plan, parts: list[slice]
    ) -> Tensor:
        """Gradients of this process's share of a batch.

        Args:
            faces: uint8 (b, S, S[, 3]), the share's.
            batch: The whole batch.
            plan: The batch's.
            parts: The micro-batches, as places in the batch.

        Returns:
            The share's part of the batch's loss, a scalar.
        """
        context, n = self.context, len(batch.positions)
        mixup = context.recipe.augmentation.mixup
        seed = dropout_seed(context.job.seed, self.state.step)
        whole = parts == [slice(0, n)]
        known = None if whole else self._count_labels(batch.targets, plan)
        losses = []
        for part in parts:
            start = parts[0].start
            x = self.augment(faces[part.start - start : part.stop - start], plan[part])
            piece = batch[part]
            if mixup:
                x, y = mix(x, piece.targets, plan.second[part])  # (b, C, S, S), (b, A)
                piece = replace(piece, targets=y)
            x = x.expand(-1, context.network_spec.channels, -1, -1)
            seed_dropout(self._dropouts, seed, None if whole else part, n)
            x = x.contiguous(memory_format=torch.channels_last)
            losses.append(self.learn(x, piece, known))
        return losses[0] if whole else torch.stack(losses).sum()

    def learn(self, x: Tensor, batch: Batch, known: Tensor | None = None) -> Tensor:
        """Forward, loss and backward: the part of a step that needs no number of Python's.

        Args:
            x: float32 (b, C, S, S), channels last.
            batch: Its targets.
            known: The number of labels in the whole batch, where this is a part of it.

        Returns:
            The part's contribution to the batch's loss, a scalar.
        """
        with self.context.machine.autocast():
            features = self._backbone(x)  # (b, F)
        z = self.state.network.head(features)  # (b, A)
        loss = self.state.noise.loss(self.context.loss, z, features, batch)
        if known is not None:  # from the mean over the part's labels to the batch's
            loss = loss * ((batch.targets >= 0).sum() / known)
        loss.backward()  # type: ignore[no-untyped-call]
        return loss.detach()

    def _count_labels(self, targets: Tensor, plan: Plan) -> Tensor:
        """The number of labels in the whole batch, after mixup."""
        if self.context.recipe.augmentation.mixup:
            blank = targets.new_zeros(len(targets), 1, 1, 1)
            targets = mix(blank, targets, plan.second)[1]
        return (targets >= 0).sum().clamp(min=1)


def _save(
    context: TrainingContext,
    state: TrainingState,
    step: Step,
    checkpoints: Checkpoints,
    log: Callable[[Curve], None],
) -> None:
    check_state(context, state)
    how = {
        "machine": context.machine.to_dict(),
        "pieces": step.micro_batches.count,
        "in_blocks": context.windows is not None,
    }
    checkpoints.save({**state.to_dict(), **how})
    if not state.curve:  # now that this save replaces them, an earlier training's curve goes
        log(state.curve)


def _stop_if_signalled(
    context: TrainingContext, state: TrainingState, flags: SyncFlags, checkpoints: Checkpoints
) -> None:
    if flags.signal is None:
        return
    if context.group.is_main:
        folder = checkpoints.folder
        logger.warning(
            "Stopped by a signal after step %s of %s; %s.",
            f"{state.step:,}",
            f"{context.steps:,}",
            "it was not saved, as no checkpoint folder was given"
            if folder is None
            else f"it is saved in {folder} and the same command resumes it",
        )
    raise Interrupted(flags.signal)


def _log_resumed(context: TrainingContext, state: TrainingState) -> None:
    description = context.job.description
    if state.finished:
        logger.info("%s was finished before; its result is used unchanged.", description)
        return
    logger.info(
        "%s resumes after step %s of %s with %d CPU threads, as it began.",
        description,
        f"{state.step:,}",
        f"{context.steps:,}",
        context.machine.threads,
    )


def _check_same(group: ProcessGroup, identity: Mapping[str, Any]) -> None:
    """Check that all processes read the same faces, labels and options."""
    if changes := list(differences(group.broadcast(identity), identity)):
        raise ConfigurationError(
            f"Process {group.rank + 1} of {group.size} has another training than the first: "
            f"{'; '.join(changes)}. All must read the same job and faces."
        )


def _windows(
    group: ProcessGroup, context: TrainingContext, saved: Mapping[str, Any] | None
) -> Windows | None:
    """How the faces are streamed, or None where they lie in memory."""
    job, data, spec = context.job, context.data, context.network_spec
    requested = job.machine.faces_in_memory
    streams = should_stream(requested, data, spec.image_size, group.device, spec.channels)
    if saved is not None:
        began = bool(saved.get("in_blocks", False))
        if requested != "auto" and began != streams and not saved["finished"]:
            raise ConfigurationError(
                f"faces_in_memory is {requested}, and the checkpoint in "
                f"{job.checkpoint_folder} was made with {'blocks' if began else 'always'}, "
                "which order faces differently; leave it auto, which continues as it began, "
                "or start over with restart."
            )
        streams = began
    # The free memory of the main process decides for all.
    agreed = group.broadcast({"streams": streams})
    return Windows.of(data.faces) if agreed and agreed["streams"] else None
