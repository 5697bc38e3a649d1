"""The looks of ``benchmarks.gpu`` at whole trainings: speed, memory, exact resume."""

import signal
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor

from action_units.training.interruption import Interrupted
from action_units.training.job import TrainingJob
from action_units.training.train import Step, train
from benchmarks.gpu_steps import furthest
from benchmarks.gpu_workloads import Setup, Workload, large, papers

PAPER_FACES = 160_000
Ways = dict[str, dict[str, Any]]  # of using the machine
WAYS: Ways = {
    "as it is": {},
    "gradient checkpointing": {"gradient_checkpointing": True},
}
COMPILED: Ways = {
    "compilation default": {"compilation": "default"},
    "compilation reduce-overhead": {"compilation": "reduce-overhead"},
}


def attempt(name: str, work: Callable[[], str]) -> None:
    """Print what the work finds, or its error, so that the next one has its turn."""
    try:
        found = work()
    except Exception as error:
        found = f"failed: {type(error).__name__}: {str(error).strip()[:300]}"
    torch.compiler.reset()  # what was compiled for one shape would serve others, and slowly
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    print(f"  {name}: {found}", flush=True)


def epochs(setup: Setup) -> None:
    """The whole loop on the paper's network: seconds for its 160,000 faces, part of peak."""
    workload = papers(setup)
    gigaflops = workload.gigaflops()
    print(f"epochs: {gigaflops:.2f} GFLOP a face and step")
    for batch in setup.batches:
        for precision in setup.precisions:

            def work(batch: int = batch, precision: str = precision) -> str:
                rate = faces_a_second(workload.job(batch, precision))
                part = setup.part_of_peak(rate, gigaflops, precision)
                return (
                    f"{PAPER_FACES / rate:.2f} s for {PAPER_FACES:,} faces, "
                    f"{rate:,.0f} faces/s{part}"
                )

            attempt(f"batch {batch:4} {precision}", work)


def large_recipe(setup: Setup, ways: Ways = WAYS) -> None:
    """The whole loop on recipe `large`: faces a second, part of the bf16 peak, memory."""
    workload = large(setup, 32_768)
    gigaflops = workload.gigaflops()
    print(f"large: {gigaflops:.2f} GFLOP a face and step, bf16")
    for way, options in ways.items():
        for batch in (16,) if setup.smoke else (128, 512):

            def work(batch: int = batch, options: dict[str, Any] = options) -> str:
                if setup.device == "cuda":
                    torch.cuda.reset_peak_memory_stats()
                rate = faces_a_second(workload.job(batch, "bf16", **options))
                part = setup.part_of_peak(rate, gigaflops, "bf16")
                memory = ""
                if setup.device == "cuda":
                    memory = f", {torch.cuda.max_memory_allocated() / 2**30:.2f} GiB at most"
                return f"{rate:,.0f} faces/s{part}{memory}"

            attempt(f"batch {batch:4} {way}", work)


def faces_a_second(job: TrainingJob) -> float:
    """Of the last epoch; the first one warms up and compiles."""
    return float(train(job).curve["faces_per_second"].iloc[-1])


def resume(setup: Setup, ways: Ways = WAYS) -> None:
    """Whether a training ends in the same weights again, and after a stop half-way."""
    print("resume: how far weights are apart, 0 being the same bit for bit")
    n, batch = (64, 16) if setup.smoke else (8_192, 64)
    paper, recipe = papers(replace(setup, faces=n)), large(setup, n)
    if ways is WAYS:
        for precision in setup.precisions:
            attempt(f"paper, {precision}", lambda p=precision: told(paper, batch, p))
    plain: list[Tensor] = []
    for way, options in ways.items():
        attempt(f"large, {way}", lambda o=options: told(recipe, batch, "bf16", plain, **o))


def told(
    workload: Workload,
    batch: int,
    precision: str,
    plain: list[Tensor] | None = None,
    **options: Any,
) -> str:
    """How far weights are apart.

    Args:
        workload: What to train.
        batch: Faces of a step.
        precision: As of ``MachineConfig``.
        plain: Weights to compare with too; filled in where they are empty.
        options: Of the machine.
    """
    whole = weights(workload.job(batch, precision, **options))
    again = weights(workload.job(batch, precision, **options))
    with tempfile.TemporaryDirectory() as folder:
        job = workload.job(batch, precision, checkpoint_folder=Path(folder), **options)
        stop_at(len(workload.faces) // batch // 2, job)  # in the middle of an epoch
        resumed = weights(job)
    found = f"again {furthest(whole, again):.2g}, resumed {furthest(whole, resumed):.2g}"
    if plain:
        found += f", from the first {furthest(whole, plain):.2g}"
    elif plain is not None:
        plain += whole
    return found


def weights(job: TrainingJob) -> list[Tensor]:
    """What a training ends in."""
    return list(train(job).model.network.state_dict().values())


def stop_at(number: int, job: TrainingJob) -> None:
    """Train until a step, where SIGTERM arrives."""
    step, done = Step.__call__, 0

    def counted(self: Step, *arguments: Any) -> Tensor:
        nonlocal done
        done += 1
        if done == number:
            signal.raise_signal(signal.SIGTERM)
        return step(self, *arguments)

    with patch.object(Step, "__call__", counted):
        try:
            train(job)
        except Interrupted:
            return
    raise RuntimeError("it was not stopped")
