"""What the data path costs: its share of a training step, and faces a second.

Two parts of a step are timed in turn within each round, so that a drift of the machine
falls on both: the data path (rows from the epoch's order, gathering, augmentation,
normalisation, layout) and the model step (forward, loss, backward, clipping, update,
average). The bare step is timed a second time in each round; the ratio of its two medians
is the noise against which everything else is to be read.

    python benchmarks/data_path.py --architecture residual --size 64 --batch 64
"""

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from action_units.facs.action_units import DISFA_AUS
from action_units.models.dropout import seed_dropout
from action_units.models.spec import NetworkSpec
from action_units.training.arrays import checked_data
from action_units.training.augmentation import Augmenter, make_plan
from action_units.training.devices import choose_machine
from action_units.training.randomness import dropout_seed, epoch_order
from action_units.training.recipe import Recipe
from action_units.training.setup import Setup

FACES = 4096


def main() -> None:
    arguments = parse_arguments()
    machine = choose_machine(arguments.device, arguments.precision, arguments.threads)
    spec = NetworkSpec(arguments.architecture, arguments.width, image_size=arguments.size)
    recipe = Recipe(batch_size=arguments.batch)
    with machine.in_use():
        data_path, model_step = prepare(spec, recipe, machine)
        times: dict[str, list[float]] = {"data": [], "step": [], "again": []}
        for number in range(arguments.warmup + arguments.rounds):
            x, targets, data = timed(machine, lambda: data_path(number))
            _, step = timed(machine, lambda: model_step(x, targets, number))
            _, again = timed(machine, lambda: model_step(x, targets, number))
            if number >= arguments.warmup:
                for name, seconds in (("data", data), ("step", step), ("again", again)):
                    times[name].append(seconds)
    report(arguments, machine, times)


def prepare(spec: NetworkSpec, recipe: Recipe, machine) -> tuple[Callable, Callable]:
    """The two parts of a step, on made-up faces."""
    random = np.random.default_rng(0)
    faces = random.integers(0, 256, (FACES, spec.image_size, spec.image_size)).astype(np.uint8)
    labels = (random.random((FACES, len(DISFA_AUS))) < 0.1).astype(np.int8)
    data = checked_data(faces, labels, np.arange(FACES), [], DISFA_AUS)
    setup = Setup(spec, recipe, data, seed=0, initial=None, machine=machine)
    state = setup.first_state()
    device, network = machine.torch_device, state.network.train()
    on_device = torch.from_numpy(faces).to(device)
    targets = torch.from_numpy(data.targets).to(device)
    rows = torch.arange(FACES, device=device)
    augment = Augmenter(recipe.augmentation, 0, device)
    parameters = list(network.parameters())
    epoch: dict[str, object] = {}

    def data_path(step: int):
        number = step % setup.steps_per_epoch
        if number == 0 or not epoch:  # an epoch's order and plan are part of the cost
            epoch["order"] = epoch_order(0, step, FACES, device)
            order = epoch["order"]
            epoch["plan"] = make_plan(
                recipe.augmentation, 0, step, rows[order], spec.image_size
            )
        part = slice(number * setup.batch_size, (number + 1) * setup.batch_size)
        batch = epoch["order"][part]
        x = augment(on_device[batch], epoch["plan"][part])
        return x.contiguous(memory_format=torch.channels_last), targets[batch]

    def model_step(x, batch_targets, step: int):
        seed_dropout(network, dropout_seed(0, step))
        with machine.autocast():
            z = network(x)
        setup.loss(z, batch_targets).backward()
        nn.utils.clip_grad_norm_(parameters, recipe.gradient_clip)
        state.optimizer.step()
        state.optimizer.zero_grad(set_to_none=True)
        state.averaged.update(step)

    return data_path, model_step


def timed(machine, work: Callable):
    """What a piece of work returns, and its seconds."""
    wait(machine)
    started = time.perf_counter()
    result = work()
    wait(machine)
    seconds = time.perf_counter() - started
    return (*result, seconds) if isinstance(result, tuple) else (result, seconds)


def wait(machine) -> None:
    if machine.torch_device.type == "cuda":
        torch.cuda.synchronize()


def report(arguments: argparse.Namespace, machine, times: dict[str, list[float]]) -> None:
    # The mean of the data path, since an epoch's plan falls on its first step alone.
    data = statistics.fmean(times["data"])
    step, again = statistics.median(times["step"]), statistics.median(times["again"])
    print(
        f"{arguments.architecture} width {arguments.width:g}, {arguments.size} px, batch "
        f"{arguments.batch}, {machine.device} {machine.precision}, {machine.threads} threads, "
        f"{arguments.rounds} rounds\n"
        f"  data path {1e3 * data:8.3f} ms (mean)\n"
        f"  model step {1e3 * step:7.3f} ms (median; the same again: {again / step:.3f} of it)\n"
        f"  data / (data + step) = {data / (data + step):.4f}\n"
        f"  {arguments.batch / (data + step):,.0f} faces/s"
    )


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--architecture", default="residual")
    parser.add_argument("--width", type=float, default=1.0)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--warmup", type=int, default=10)
    return parser.parse_args()


if __name__ == "__main__":
    main()
