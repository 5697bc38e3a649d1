"""bf16 against float32: what it gains in speed, and what it loses in F1.

Speed is that of forward, loss, backward and update of the paper's network at full width, in
four ways taken in turn within each round: float32 as PyTorch lays it out, float32 with
channels last, bf16 with channels last (what the loop does), and that compiled. On one thread
the time is the process's own, so that other work on the machine counts little; the ratio of the
first way's two medians is the noise.

F1 is the validation macro F1 of a small network, trained with either precision from the same
seeds on a face store whose last third of subjects is held out.

    OMP_NUM_THREADS=1 python benchmarks/precision.py --store data/04_feature/sample/disfa
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from statistics import mean, median, stdev
from typing import Any

import numpy as np
import torch
from torch import nn

from action_units.config import MachineConfig, NetworkSpec, Recipe
from action_units.faces.store import FaceStore
from action_units.labels.action_units import PRETRAIN_AUS
from action_units.models.registry import build_network
from action_units.training.job import TrainingJob
from action_units.training.optim import build_optimizer
from action_units.training.train import train


def model_step(
    spec: NetworkSpec, batch: int, bf16: bool, channels_last: bool, compiled: bool = False
) -> Callable[[], None]:
    """A step on made-up faces."""
    network = build_network(spec, len(PRETRAIN_AUS)).train()
    x = torch.randn(batch, spec.channels, spec.image_size, spec.image_size)
    if channels_last:
        network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        x = x.contiguous(memory_format=torch.channels_last)
    targets = (torch.rand(batch, len(PRETRAIN_AUS)) < 0.2).float()
    optimizer = build_optimizer("adam", network, 1e-4, 0.0)
    forward: Any = torch.compile(network) if compiled else network

    def step() -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            z = forward(x)
        nn.functional.binary_cross_entropy_with_logits(z.float(), targets).backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    return step


def tell_speed(batch: int, rounds: int, threads: int, compiled: bool) -> None:
    """Print faces a second, each way."""
    torch.set_num_threads(threads)
    spec = NetworkSpec(architecture="vgg13")
    clock = time.process_time if threads == 1 else time.perf_counter
    plain = model_step(spec, batch, bf16=False, channels_last=False)
    ways = {
        "fp32": plain,
        "fp32, channels last": model_step(spec, batch, bf16=False, channels_last=True),
        "bf16, channels last": model_step(spec, batch, bf16=True, channels_last=True),
    }
    if compiled:
        ways["the same, compiled"] = model_step(spec, batch, True, True, compiled=True)
    ways["fp32 again"] = plain

    def seconds(work: Callable[[], None]) -> float:
        started = clock()
        work()
        return clock() - started

    for work in ways.values():
        work()
    times = [[seconds(work) for work in ways.values()] for _ in range(rounds)]
    medians = dict(zip(ways, map(median, zip(*times, strict=True)), strict=True))
    print(f"VGG13, full width, 64 px, batch {batch}, {threads} thread(s), {rounds} rounds")
    for name, value in medians.items():
        print(f"  {name:20} {batch / value:7.1f} faces/s, {medians['fp32'] / value:.2f} times")


def tell_f1(store: FaceStore, seeds: int, epochs: int) -> None:
    """Print the validation macro F1 of both precisions, seed by seed."""
    subjects = np.unique(store.subjects)
    held_out = np.isin(store.subjects, subjects[2 * len(subjects) // 3 :])
    recipe = Recipe(epochs=epochs, batch_size=32, average=0.98)
    found: dict[str, list[float]] = {"fp32": [], "bf16": []}
    for seed in range(seeds):
        for precision, scores in found.items():
            job = TrainingJob(
                NetworkSpec(architecture="residual", width=0.5, image_size=48),
                recipe,
                store.faces,
                store.labels,
                ~held_out,
                held_out,
                store.aus,
                seed=seed,
                machine=MachineConfig(device="cpu", precision=precision),
            )
            curve = train(job).curve
            scores.append(float(curve["validation_macro_f1"][curve["best"]].iloc[0]))
    print(f"residual, width 0.5, 48 px, {epochs} epochs of {(~held_out).sum()} faces")
    for precision, scores in found.items():
        told = ", ".join(f"{score:.4f}" for score in scores)
        print(f"  {precision}: macro F1 {told}; mean {mean(scores):.4f}")
    lost = [a - b for a, b in zip(found["fp32"], found["bf16"], strict=True)]
    spread = stdev(lost) / len(lost) ** 0.5 if len(lost) > 1 else float("nan")
    print(f"  lost by bf16: {mean(lost):+.4f}, standard error {spread:.4f}")


def main() -> None:
    parser = argparse.ArgumentParser(description="bf16 against float32.")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--compile", action="store_true", help="time torch.compile as well")
    parser.add_argument("--store", type=Path, help="a face store, to measure F1")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=8)
    arguments = parser.parse_args()
    tell_speed(arguments.batch, arguments.rounds, arguments.threads, arguments.compile)
    if arguments.store is not None:
        tell_f1(FaceStore.open(arguments.store), arguments.seeds, arguments.epochs)


if __name__ == "__main__":
    main()
