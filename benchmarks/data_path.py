"""What the data path costs: its share of a training step, and faces a second.

Three parts are timed in turn within each round, so that a drift of the machine falls on
all of them: an epoch's order and augmentation plan (counted by the part of it that one
step uses), a batch's way to the network (gathering, augmentation, normalisation, layout),
and the model step (forward, loss, backward, clipping, update, average). The model step is
timed a second time in each round; the ratio of its two medians is the noise against which
everything else is to be read.

With ``--loop`` it then times whole epochs as ``train`` does them (data path, progress, losses
looked at, metrics of held-out faces, curve, a checkpoint an epoch) beside the bare arithmetic:
as many model steps on one batch, and the network asked once about the held-out faces. Between
any two steps of the loop, two other trainings do a bare step each, so that all three meet the
same machine; what the two differ by is the noise. By the clock, and in the CPU's seconds,
which other work on the machine hardly changes.

    OMP_NUM_THREADS=1 python benchmarks/data_path.py --architecture residual --batch 64 --loop 9
"""

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from action_units.config import MachineConfig, NetworkSpec, Recipe
from action_units.labels.action_units import DISFA_AUS
from action_units.models.dropout import dropouts, seed_dropout
from action_units.progress import Progress
from action_units.training import train
from action_units.training.augment import Augmenter, make_plan, normalise
from action_units.training.context import TrainingContext
from action_units.training.device import Machine, choose_machine
from action_units.training.interruption import stop_request
from action_units.training.job import TrainingJob
from action_units.training.randomness import dropout_seed, epoch_order
from action_units.training.state import Checkpoints, Content
from action_units.training.train import fit

FACES = 8192
HELD_OUT = 256
"""Faces that an epoch of the loop is scored on."""


class Parts:
    """The parts of a step, on made-up faces."""

    def __init__(
        self, spec: NetworkSpec, recipe: Recipe, machine: Machine, count: int = FACES
    ) -> None:
        random = np.random.default_rng(0)
        self.count, shape = count, (count, spec.image_size, spec.image_size)
        faces = random.integers(0, 256, shape).astype(np.uint8)
        labels = (random.random((count, len(DISFA_AUS))) < 0.1).astype(np.int8)
        job = TrainingJob(spec, recipe, faces, labels, np.arange(count), [], DISFA_AUS, seed=0)
        self.context = replace(TrainingContext.of(job), machine=machine)
        self.state, data = self.context.first_state(), self.context.data
        self.state.network.train()
        device = machine.torch_device
        self.faces = torch.from_numpy(faces).to(device)
        self.targets = torch.from_numpy(data.targets).to(device)
        self.rows = torch.arange(count, device=device)
        self.augment = Augmenter(recipe.augmentation, 0, device)
        self.parameters = list(self.state.network.parameters())
        self.dropouts = dropouts(self.state.network)

    def epoch(self, step: int) -> None:
        """Order and plan of an epoch."""
        context = self.context
        order = epoch_order(0, step, self.count, self.faces.device)
        self.order, size = order, context.network_spec.image_size
        self.plan = make_plan(context.recipe.augmentation, 0, step, self.rows[order], size)

    def batch(self, step: int) -> tuple[Tensor, Tensor]:
        """A batch on its way to the network."""
        start = step % self.context.steps_per_epoch * self.context.batch_size
        part = slice(start, start + self.context.batch_size)
        x = self.augment(self.faces[self.order[part]], self.plan[part])
        return x.contiguous(memory_format=torch.channels_last), self.targets[self.order[part]]

    def model_step(self, x: Tensor, targets: Tensor, step: int) -> None:
        """Everything after that."""
        state, context = self.state, self.context
        seed_dropout(self.dropouts, dropout_seed(0, step))
        with context.machine.autocast():
            z = state.network(x)
        context.loss(z, targets).backward()
        nn.utils.clip_grad_norm_(self.parameters, context.recipe.gradient_clip or 1.0)
        state.optimizer.step()
        state.optimizer.zero_grad(set_to_none=True)
        if state.averaged is not None:
            state.averaged.update(step)


class Bare:
    """A training's arithmetic on one batch, and what it took, by both clocks."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        parts.epoch(0)
        self.batch = parts.batch(0)
        self.seconds, self.steps = np.zeros(2), 0
        parts.state.network.train()

    def step(self) -> None:
        """A model step."""
        before = clocks()
        self.parts.model_step(*self.batch, self.steps)
        self.seconds += clocks() - before
        self.steps += 1

    def ask(self) -> None:
        """The network's, or its average's, answer about the held-out faces."""
        before = clocks()
        state = self.parts.state
        network = (state.averaged.network if state.averaged else state.network).eval()
        with torch.no_grad(), self.parts.context.machine.autocast():
            faces = normalise(self.parts.faces[:HELD_OUT])
            network(faces.contiguous(memory_format=torch.channels_last))
        state.network.train()
        self.seconds += clocks() - before


class Kept(Checkpoints):
    """The loop's checkpoints, and what they took, by both clocks."""

    def save(self, state: Content) -> None:
        """Save and count."""
        before = clocks()
        super().save(state)
        self.spent = clocks() - before


class Between(Progress):
    """The loop's progress, between whose steps others do theirs."""

    others: Sequence[Bare] = ()

    def advance(self, amount: int = 1, note: str = "") -> None:
        """Count, and let the others have their turn."""
        super().advance(amount, note)
        for other in self.others:
            other.step()


Epoch = Callable[[Sequence[Bare]], NDArray[np.float64]]
"""Lets others take their steps in between, and returns what its checkpoint took."""


def whole_epoch(parts: Parts, folder: Path, count: int) -> Epoch:
    """An epoch of so many faces as ``train`` does it, from first step to checkpoint."""
    job, rows = parts.context.job, np.arange(count + HELD_OUT)
    job = replace(
        job,
        recipe=job.recipe.model_copy(update={"epochs": 1}),
        train_rows=rows[:count],
        validation_rows=rows[count:],
    )
    context = replace(TrainingContext.of(job), machine=parts.context.machine)
    state = context.first_state()

    def epoch(others: Sequence[Bare]) -> NDArray[np.float64]:
        with Kept(folder, {}, None) as checkpoints, stop_request() as stop:
            Between.others = others
            train.Progress = Between  # type: ignore[misc]
            fit(context, state, checkpoints, stop)
        state.step, state.curve = 0, []
        return checkpoints.spent

    return epoch


def tell_loop(make_parts: Callable[[], Parts], count: int, rounds: int) -> None:
    """Time whole epochs and two bare ones, step by step in turn, and print."""
    parts = make_parts()
    others = [Bare(make_parts()), Bare(make_parts())]
    times = []
    with TemporaryDirectory() as folder:
        epoch = whole_epoch(parts, Path(folder), count)
        for _ in range(1 + rounds):
            for other in others:
                other.seconds[:] = 0.0
            before = clocks()
            kept = epoch(others)
            whole = clocks() - before - sum(other.seconds for other in others)
            for other in others:
                other.ask()
            times.append([whole, whole - kept, *(other.seconds.copy() for other in others)])
    whole, steps, bare, again = np.array(times[1:]).transpose(1, 2, 0)  # (2, R) each
    print(f"epochs of {count:,} faces, medians of {rounds} rounds and their extremes")
    for number, clock in enumerate(("clock", "CPU")):
        print(f"  by the {clock}: bare {np.median(bare[number]):.3f} s")
        columns = {"whole": whole, "whole but its checkpoint": steps, "again": again}
        for name, column in columns.items():
            ratios = bare[number] / column[number]
            low, mid, high = ratios.min(), np.median(ratios), ratios.max()
            print(f"    bare / {name} = {mid:.3f} [{low:.3f}, {high:.3f}]")


def clocks() -> NDArray[np.float64]:
    """Seconds by the clock, and of all threads of the CPU; once a GPU is done."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return np.array([time.perf_counter(), time.process_time()])


def timed(machine: Machine, work: Callable[..., Any], *arguments: Any) -> tuple[Any, float]:
    """What a piece of work returns, and its seconds."""
    wait = torch.cuda.synchronize if machine.torch_device.type == "cuda" else lambda: None
    wait()
    started = time.perf_counter()
    result = work(*arguments)
    wait()
    return result, time.perf_counter() - started


def main() -> None:
    arguments = parse_arguments()
    machine = choose_machine(
        MachineConfig(
            device=arguments.device,
            precision=arguments.precision,
            threads=arguments.threads,
        )
    )
    spec = NetworkSpec(
        architecture=arguments.architecture, width=arguments.width, image_size=arguments.size
    )

    def make_parts() -> Parts:
        count = max(FACES, arguments.epoch + HELD_OUT)
        return Parts(spec, Recipe(batch_size=arguments.batch), machine, count)

    with machine.in_use():
        parts = make_parts()
        times: list[tuple[float, ...]] = []
        for step in range(arguments.warmup + arguments.rounds):
            _, epoch = timed(machine, parts.epoch, step)
            (x, targets), batch = timed(machine, parts.batch, step)
            _, model = timed(machine, parts.model_step, x, targets, step)
            _, again = timed(machine, parts.model_step, x, targets, step)
            times.append((epoch, batch, model, again))
    medians = [1e3 * median(column) for column in zip(*times[arguments.warmup :], strict=True)]
    epoch, batch, model, again = medians
    epoch /= parts.context.steps_per_epoch
    data = epoch + batch
    print(
        f"{arguments.architecture} width {arguments.width:g}, {arguments.size} px, batch "
        f"{arguments.batch}, {machine.device} {machine.precision}, {machine.threads} threads, "
        f"medians of {arguments.rounds} rounds\n"
        f"  data path  {data:8.3f} ms ({epoch:.3f} of it the epoch's order and plan)\n"
        f"  model step {model:8.3f} ms (the same again: {again / model:.3f} of it)\n"
        f"  data / (data + step) = {data / (data + model):.4f}\n"
        f"  {1e3 * arguments.batch / (data + model):,.0f} faces/s",
        flush=True,
    )
    if arguments.loop:
        with machine.in_use():
            tell_loop(make_parts, arguments.epoch, arguments.loop)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="The data path's share of a training step.")
    parser.add_argument("--architecture", default="residual")
    parser.add_argument("--width", type=float, default=1.0)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--warmup", type=int, default=10)
    parser.add_argument("--loop", type=int, default=0, help="rounds of whole epochs")
    parser.add_argument("--epoch", type=int, default=7680, help="faces of a whole epoch")
    return parser.parse_args()


if __name__ == "__main__":
    main()
