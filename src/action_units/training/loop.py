"""The training loop.

A run is a function of its arguments: killed anywhere and started again, it ends in the
same weights. Faces and labels lie on the device; a step picks its rows from the epoch's
order, augments them there, and goes through forward, loss, backward and update. The last
faces of an epoch that do not fill a batch sit it out, so that every step has the same
size; the order is new in each epoch, so these are other faces each time.
"""

import hashlib
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy.typing as npt
import pandas as pd
import torch
from torch import nn

from action_units.errors import ConfigurationError
from action_units.models.dropout import seed_dropout
from action_units.models.registry import AUNetwork, build_network
from action_units.models.spec import NetworkSpec
from action_units.models.trained import TrainedModel, plain_state, spec_difference
from action_units.progress import Progress
from action_units.training.arrays import Faces, checked_data, upload
from action_units.training.augmentation import Augmenter, make_plan
from action_units.training.checkpoints import Checkpoints
from action_units.training.devices import choose_machine
from action_units.training.divergence import RECENT, check_weights, describe_progress
from action_units.training.interruption import Interrupted, StopRequest, stop_request
from action_units.training.randomness import dropout_seed, epoch_order
from action_units.training.recipe import Recipe
from action_units.training.schedule import learning_rate
from action_units.training.setup import Setup
from action_units.training.state import CURVE_COLUMNS, TrainingState
from action_units.training.validation import Evaluation, evaluate

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainingResult:
    """What a training leaves.

    Attributes:
        model: With the weights of the best epoch.
        curve: One row an epoch; columns ``state.CURVE_COLUMNS``. ``seconds`` is the
            epoch's time with its evaluation, ``faces_per_second`` its training alone;
            the validation columns are NaN where an epoch was not evaluated.
        best_epoch: Counted from 1.
    """

    model: TrainedModel
    curve: pd.DataFrame
    best_epoch: int


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
    initial: TrainedModel | None = None,
    checkpoint_folder: Path | str | None = None,
    checkpoint_seconds: float | None = 60.0,
    restart: bool = False,
    device: str = "auto",
    precision: str = "auto",
    threads: int | None = None,
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
        initial: A pre-trained model; it gets a new head for ``aus`` and all its layers
            are trained.
        checkpoint_folder: Where to keep the state; nothing is kept without.
        checkpoint_seconds: Save within an epoch when this long has passed since the last
            save; None saves only after each epoch. It does not change the result.
        restart: Delete an existing checkpoint first.
        device: As in ``choose_machine``.
        precision: As in ``choose_machine``.
        threads: As in ``choose_machine``; a resumed run keeps its own.
        description: What progress is called.
        provenance: Plain values that belong to the model, such as fold and protocol. A
            checkpoint with others is refused.

    Raises:
        ConfigurationError: The arguments do not fit together.
        ArtifactError: The checkpoint is damaged or of another training, or cannot be
            written.
        DivergedError: The loss became NaN or infinite.
        Interrupted: SIGTERM or SIGINT arrived; the state is saved.
    """
    data = checked_data(faces, labels, train_rows, validation_rows, aus)
    if initial is not None and initial.spec != network_spec:
        raise ConfigurationError(
            f"The pre-trained model does not fit: {spec_difference(initial.spec, network_spec)}"
        )
    if type(seed) is not int or not 0 <= seed < 2**63:
        raise ConfigurationError(f"seed is {seed!r}; it must be a whole number from 0.")
    machine = choose_machine(device, precision, threads)
    identity = {
        "network": network_spec.to_dict(),
        "recipe": recipe.to_dict(),
        "aus": list(data.aus),
        "seed": seed,
        "data_sha256": data.sha256(),
        "initial_sha256": _weights_sha256(initial.network) if initial else None,
        "provenance": dict(provenance or {}),
    }
    with Checkpoints(checkpoint_folder, identity, checkpoint_seconds) as checkpoints:
        saved = checkpoints.load(restart)
        if saved is not None:
            machine = machine.resumed(saved["machine"], precision)
        with machine.in_use(), stop_request() as stop:
            setup = Setup(network_spec, recipe, data, seed, initial, machine)
            state = setup.first_state()
            if saved is not None:
                state.restore(saved)
                _tell_resumed(description, setup, state)
            if not state.finished:
                remaining = (setup.steps - state.step) * setup.batch_size
                with Progress(description, remaining, "faces") as progress:
                    _run(setup, state, checkpoints, stop, progress)
    return _result(setup, state, identity)


def _run(
    setup: Setup,
    state: TrainingState,
    checkpoints: Checkpoints,
    stop: StopRequest,
    progress: Progress,
) -> None:
    """Train from the state's step to the end."""
    recipe, data, machine = setup.recipe, setup.data, setup.machine
    device, size, batch_size = machine.torch_device, setup.spec.image_size, setup.batch_size
    faces = upload(data.faces, data.train_rows, size, device)  # uint8 (N, S, S)
    targets = torch.from_numpy(data.targets[data.train_rows]).to(device)  # (N, A)
    rows = torch.from_numpy(data.train_rows).to(device)  # (N,)
    held_out = upload(data.faces, data.validation_rows, size, device)
    augment = Augmenter(recipe.augmentation, setup.seed, device)
    network, optimizer = state.network, state.optimizer
    parameters = list(network.parameters())
    # A look at the loss makes a GPU wait for itself, so there it is rare.
    every = 1 if device.type == "cpu" else RECENT

    def save() -> None:
        check_weights(setup, state)
        checkpoints.save({**state.to_dict(), "machine": machine.to_dict()})

    for epoch in range(state.step // setup.steps_per_epoch, setup.epochs):
        started = time.perf_counter() - state.seconds
        order = epoch_order(setup.seed, epoch, len(faces), device)
        plan = make_plan(recipe.augmentation, setup.seed, epoch, rows[order], size)
        first, last = state.step - epoch * setup.steps_per_epoch, setup.steps_in(epoch)
        network.train()
        for number in range(first, last):
            part = slice(number * batch_size, (number + 1) * batch_size)
            x = augment(faces[order[part]], plan[part])  # (B, 1, S, S)
            x = x.expand(-1, setup.spec.channels, -1, -1)
            rate = learning_rate(
                recipe.schedule,
                recipe.learning_rate,
                state.step,
                setup.steps,
                setup.steps_per_epoch,
            )
            seed_dropout(network, dropout_seed(setup.seed, state.step))
            with machine.autocast():
                z = network(x.contiguous(memory_format=torch.channels_last))  # (B, A)
            loss = setup.loss(z, targets[order[part]])
            loss.backward()
            if recipe.gradient_clip is not None:
                nn.utils.clip_grad_norm_(parameters, recipe.gradient_clip)
            for group in optimizer.param_groups:
                group["lr"] = rate
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            if state.averaged is not None:
                state.averaged.update(state.step)
            state.losses[number] = loss.detach()
            state.step += 1

            looks = state.step % every == 0 or number + 1 == last
            note = describe_progress(setup, state, epoch, number) if looks else ""
            progress.advance(batch_size, note)
            if number + 1 < last and (stop.number is not None or checkpoints.due):
                state.seconds = time.perf_counter() - started
                save()
                _leave_if_asked(stop, setup, state, checkpoints)

        trained = time.perf_counter() - started
        scores = Evaluation()
        if (epoch + 1) % recipe.validate_every == 0 or epoch + 1 == setup.epochs:
            scores = evaluate(setup, state, held_out, epoch)
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
        state.seconds = 0.0
        patience = recipe.patience
        state.finished = epoch + 1 == setup.epochs or (
            patience is not None and state.stale >= patience
        )
        save()
        if state.finished:
            break
        _leave_if_asked(stop, setup, state, checkpoints)


def _leave_if_asked(
    stop: StopRequest, setup: Setup, state: TrainingState, checkpoints: Checkpoints
) -> None:
    """Raise ``Interrupted`` once a signal has arrived; the state has just been saved."""
    if stop.number is None:
        return
    kept = f"it is saved in {checkpoints.folder} and the same command goes on from here"
    lost = "it was not saved, for want of a checkpoint folder"
    logger.warning(
        "Stopped by a signal after step %s of %s; %s.",
        f"{state.step:,}",
        f"{setup.steps:,}",
        lost if checkpoints.folder is None else kept,
    )
    raise Interrupted(stop.number)


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


def _result(setup: Setup, state: TrainingState, identity: Mapping[str, Any]) -> TrainingResult:
    """Build the model of the best epoch."""
    network = build_network(setup.spec, len(setup.data.aus))
    network.load_state_dict(state.best)
    training = {
        key: value
        for key, value in identity.items()
        if key not in ("network", "aus", "provenance")
    }
    training |= {
        "best_epoch": state.best_epoch,
        "best_score": state.best_score[0],
        "steps": state.step,
        "machine": setup.machine.to_dict(),
    }
    provenance = {**identity["provenance"], "training": training}
    model = TrainedModel(network.eval(), setup.spec, setup.data.aus, provenance)
    curve = pd.DataFrame(state.curve, columns=list(CURVE_COLUMNS))
    return TrainingResult(model, curve, state.best_epoch)


def _weights_sha256(network: AUNetwork) -> str:
    """A name for a network's weights."""
    digest = hashlib.sha256()
    for name, value in sorted(plain_state(network.state_dict()).items()):
        digest.update(name.encode())
        digest.update(value.numpy().tobytes())
    return digest.hexdigest()
