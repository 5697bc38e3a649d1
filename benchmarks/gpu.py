"""Training on a GPU: seconds an epoch, part of the peak, data path, launches, gaps.

Five looks at the paper's network, each in turns where there is something to compare:

    epochs    the whole loop, by batch and precision: seconds for 160,000 faces, part of peak
    data      what of a step is gathering, augmentation and normalisation, by CUDA events
    launches  the loop's step: eager as it is, and with forward, loss and backward as one CUDA
              graph, whose dropout generators are set to the step's seeds before each replay;
              and how far their weights are apart after the same steps, which should be nothing
    syncs     an epoch's steps with every wait of the host for the GPU forbidden
    trace     how long the GPU idled between kernels, and the longest kernels

It has not run on a GPU yet: none was at hand. Without one it says so and ends; ``--smoke`` goes
through all of it on the CPU, very small, where a "graph" is the same work called again.

    python benchmarks/gpu.py
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import replace
from statistics import median
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

from action_units.config import MachineConfig, NetworkSpec, Recipe
from action_units.labels.action_units import PRETRAIN_AUS
from action_units.models.dropout import SeededDropout
from action_units.models.registry import build_network
from action_units.training.augment import make_plan
from action_units.training.context import TrainingContext
from action_units.training.data import ResidentFaces, upload
from action_units.training.device import choose_machine
from action_units.training.job import TrainingJob
from action_units.training.noise import Batch
from action_units.training.train import Step, train

# Dense peaks without sparsity in TFLOP/s, from the makers' data sheets: fp32, tf32, bf16.
PEAKS = {
    "H200": (67, 495, 989),
    "H100 PCIe": (51, 378, 756),
    "H100": (67, 495, 989),
    "A100": (19.5, 156, 312),
    "L40S": (91.6, 183, 362),
    "L4": (30.3, 60, 121),
    "RTX 4090": (82.6, 82.6, 165),
}
PRECISIONS = ("fp32", "tf32", "bf16")
PAPER_FACES = 160_000


class Workload:
    """Made-up faces and labels, and what trains on them."""

    def __init__(self, device: str, spec: NetworkSpec, n: int) -> None:
        random = np.random.default_rng(0)
        self.device, self.spec, self.n = torch.device(device), spec, n
        self.precisions = PRECISIONS if device != "cpu" else ("fp32", "bf16")
        self.faces = random.integers(0, 256, (n, spec.image_size, spec.image_size), np.uint8)
        self.labels = (random.random((n, len(PRETRAIN_AUS))) < 0.2).astype(np.int8)

    def recipe(self, batch: int) -> Recipe:
        """The paper's, with the loop's defaults where they cost time."""
        return Recipe(epochs=2, batch_size=batch, optimizer="adam", learning_rate=1e-4)

    def job(self, batch: int, precision: str) -> TrainingJob:
        """Of a training on them."""
        return TrainingJob(
            self.spec,
            self.recipe(batch),
            self.faces,
            self.labels,
            np.arange(self.n),
            [],
            PRETRAIN_AUS,
            seed=0,
            machine=MachineConfig(device=str(self.device), precision=precision),
        )

    def gigaflops(self) -> float:
        """Of one face and step."""
        network = build_network(self.spec, len(PRETRAIN_AUS))
        with FlopCounterMode(display=False) as counter:
            x = torch.zeros(1, self.spec.channels, self.spec.image_size, self.spec.image_size)
            network(x).sum().backward()
        return counter.get_total_flops() / 1e9


class Steps:
    """Steps as the loop does them, one by one."""

    def __init__(self, workload: Workload, batch: int, precision: str) -> None:
        job = workload.job(batch, precision)
        context = replace(TrainingContext.of(job), machine=choose_machine(job.machine))
        self.context, self.state = context, context.first_state()
        self.state.network.train()
        self.step, size = Step(context, self.state), workload.spec.image_size
        faces = upload(context.data.faces, context.data.train_rows, size, workload.device)
        self.source, self.order = ResidentFaces(faces), context.faces_of(0)[0]
        self.source.start_epoch(self.order)
        self.targets = torch.from_numpy(context.data.learned).to(workload.device)
        self.plan = make_plan(context.recipe.augmentation, 0, 0, self.order, size)
        self._next = 0

    def _batch(self) -> slice:
        number = self._next = (self._next + 1) % self.context.steps_per_epoch
        size = self.context.batch_size
        return slice(number * size, (number + 1) * size)

    def data(self) -> Tensor:
        """A batch's way to the network."""
        batch = self._batch()
        x = self.step.augment(self.source[batch], self.plan[batch])
        return x.contiguous(memory_format=torch.channels_last)

    def whole(self) -> None:
        """A whole step."""
        batch = self._batch()
        loss = self.step(self.source, self.targets, self.order[batch], self.plan, batch)
        self.state.losses[batch.start // self.context.batch_size] = loss
        self.state.step += 1


class Graphed(Steps):
    """Steps whose forward, loss and backward are recorded once and replayed.

    Picking and augmenting a batch, clipping, the update and the average stay eager: they are
    a few launches of many faces or weights each, and take numbers that change by the step.
    """

    def __init__(self, workload: Workload, batch: int, precision: str) -> None:
        super().__init__(workload, batch, precision)
        self._eager, self.step.learn = self.step.learn, self._learn
        self._parameters = list(self.state.network.parameters())
        self._dropouts = [
            layer for layer in self.state.network.modules() if isinstance(layer, SeededDropout)
        ]
        self._replay: Callable[[], None] | None = None

    def _learn(self, x: Tensor, batch: Batch, known: Tensor | None = None) -> Tensor:
        """In the place of ``Step.learn``, for batches that go through as a whole."""
        assert known is None
        if self._replay is None:
            self._x = x.clone()
            self._recorded = Batch(batch.targets.clone(), batch.positions.clone())
            self._replay = self._record()
        self._x.copy_(x)
        self._recorded.targets.copy_(batch.targets)
        for layer in self._dropouts:
            assert layer.generator is not None
            layer.generator.manual_seed(layer.seed)
        self._replay()
        for parameter, gradient in zip(self._parameters, self._gradients, strict=True):
            parameter.grad = gradient  # the update has let go of it
        return self._loss.clone()

    def _work(self) -> None:
        self._loss = self._eager(self._x, self._recorded)
        self._gradients = [parameter.grad for parameter in self._parameters]

    def _record(self) -> Callable[[], None]:
        """Record the work on the fixed batch; a network without running statistics is meant."""
        if self._x.device.type != "cuda":
            self._work()  # makes the generators
            self.state.optimizer.zero_grad(set_to_none=True)
            return self._again
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):  # a graph wants everything to exist beforehand
            for _ in range(3):
                self._work()
                self.state.optimizer.zero_grad(set_to_none=True)
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        for layer in self._dropouts:
            if layer.rate:
                graph.register_generator_state(layer.generator)
        with torch.cuda.graph(graph):
            self._work()
        return graph.replay

    def _again(self) -> None:
        for parameter in self._parameters:
            parameter.grad = None
        self._work()


def seconds(device: torch.device, work: Callable[[], Any], times: int) -> float:
    """The time of one call of several, by CUDA events where there is a GPU."""
    if device.type != "cuda":
        started = time.perf_counter()
        for _ in range(times):
            work()
        return (time.perf_counter() - started) / times
    first, last = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    first.record()
    for _ in range(times):
        work()
    last.record()
    last.synchronize()
    return float(first.elapsed_time(last)) / 1e3 / times


def in_turn(
    device: torch.device, works: dict[str, Callable[[], Any]], rounds: int, times: int
) -> dict[str, float]:
    """The median time of each, taken in turn in every round."""
    for work in works.values():
        seconds(device, work, times)
    taken = [[seconds(device, work, times) for work in works.values()] for _ in range(rounds)]
    return dict(zip(works, map(median, zip(*taken, strict=True)), strict=True))


def tell_epochs(workload: Workload, batches: list[int], peaks: dict[str, float]) -> None:
    gigaflops = workload.gigaflops()
    print(f"epochs: {gigaflops:.2f} GFLOP a face and step")
    for batch in batches:
        for precision in workload.precisions:
            curve = train(workload.job(batch, precision)).curve
            rate = float(curve["faces_per_second"].iloc[-1])  # the first epoch warms up
            peak = peaks.get(precision)
            part = f", {rate * gigaflops / 1e3 / peak:.3f} of peak" if peak else ""
            print(
                f"  batch {batch:4} {precision}: {PAPER_FACES / rate:8.2f} s for "
                f"{PAPER_FACES:,} faces, {rate:,.0f} faces/s{part}",
                flush=True,
            )


def tell_data(workload: Workload, batches: list[int], rounds: int) -> None:
    print("data: data / whole step")
    for batch in batches:
        for precision in workload.precisions:
            steps = Steps(workload, batch, precision)
            with steps.context.machine.in_use():
                works = {"data": steps.data, "step": steps.whole, "again": steps.whole}
                times = in_turn(workload.device, works, rounds, times=10)
            print(
                f"  batch {batch:4} {precision}: {times['data'] / times['step']:.4f} of "
                f"{1e3 * times['step']:.2f} ms; the same again: "
                f"{times['again'] / times['step']:.3f}",
                flush=True,
            )


def tell_launches(workload: Workload, batches: list[int], rounds: int) -> None:
    print("launches: a whole step")
    for batch in batches:
        for precision in workload.precisions:
            eager = Steps(workload, batch, precision)
            graphed = Graphed(workload, batch, precision)
            with eager.context.machine.in_use():
                for _ in range(4):
                    eager.whole()
                    graphed.whole()
                weights = [list(s.state.network.parameters()) for s in (eager, graphed)]
                apart = max(
                    float((a - b).detach().abs().max()) for a, b in zip(*weights, strict=True)
                )
                works = {"eager": eager.whole, "graph": graphed.whole, "again": eager.whole}
                times = in_turn(workload.device, works, rounds, times=10)
            told = [
                f"{name} {1e3 * value:.3f} ms ({times['eager'] / value:.2f} times)"
                for name, value in times.items()
            ]
            told.append(f"weights apart by {apart:.2g}")
            print(f"  batch {batch:4} {precision}: {', '.join(told)}", flush=True)


def tell_syncs(workload: Workload, batch: int) -> None:
    steps = Steps(workload, batch, "bf16")
    steps.whole()
    cuda = workload.device.type == "cuda"
    found = "none" if cuda else "not looked for without a GPU"
    if cuda:
        torch.cuda.synchronize()
        torch.cuda.set_sync_debug_mode("error")
    try:
        with steps.context.machine.in_use():
            for _ in range(min(50, steps.context.steps_per_epoch)):
                steps.whole()
    except RuntimeError as error:
        trace, place = error.__traceback__, ""
        while trace is not None:
            place = f"{trace.tb_frame.f_code.co_filename}, line {trace.tb_lineno}"
            trace = trace.tb_next
        found = f"{str(error).splitlines()[0]} ({place})"
    finally:
        if cuda:
            torch.cuda.set_sync_debug_mode("default")
    print(f"syncs: {found}")


def tell_trace(workload: Workload, batch: int, n: int) -> None:
    steps = Steps(workload, batch, "bf16")
    cuda = workload.device.type == "cuda"
    activity = ProfilerActivity.CUDA if cuda else ProfilerActivity.CPU
    with steps.context.machine.in_use():
        for _ in range(3):
            steps.whole()
        with profile(activities=[activity]) as prof:
            for _ in range(n):
                steps.whole()
            if cuda:
                torch.cuda.synchronize()
    kind = torch.autograd.DeviceType.CUDA if cuda else torch.autograd.DeviceType.CPU
    spans = sorted(
        (event.time_range.start, event.time_range.end, event.name)
        for event in prof.events()
        if event.device_type == kind
    )
    gaps, end, total = [], spans[0][0], {}
    for start, stop, name in spans:
        if start > end:
            gaps.append(start - end)
        end = max(end, stop)
        total[name] = total.get(name, 0.0) + stop - start
    span = end - spans[0][0]
    longest = ", ".join(f"{gap:.0f}" for gap in sorted(gaps)[:-6:-1])
    print(
        f"trace: {n} steps of {batch} faces in {span / 1e3:.2f} ms, {len(spans) // n} kernels "
        f"a step; idle {sum(gaps) / span:.3f} of it, longest gaps {longest} µs"
    )
    for name, value in sorted(total.items(), key=lambda item: -item[1])[:8]:
        print(f"  {value / span:.3f}  {name[:80]}")


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Training on a GPU, looked at closely.")
    parser.add_argument("--faces", type=int, default=PAPER_FACES)
    parser.add_argument("--batches", type=int, nargs="+", default=[512, 32])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--smoke", action="store_true", help="on the CPU, very small")
    chosen = parser.parse_args(arguments)
    if chosen.smoke:
        workload = Workload(
            "cpu", NetworkSpec(architecture="vgg13", width=0.125, image_size=16), 64
        )
        chosen.batches, chosen.rounds, peaks = [16], 2, {}
        print("smoke: on the CPU; no figure here means anything")
    elif not torch.cuda.is_available():
        print("There is no GPU here, so nothing was measured; --smoke tries the script.")
        return
    else:
        workload = Workload("cuda", NetworkSpec(architecture="vgg13"), chosen.faces)
        name = torch.cuda.get_device_name()
        known = next((PEAKS[part] for part in PEAKS if part in name), ())
        peaks = dict(zip(PRECISIONS, known, strict=False))
        told = ", ".join(f"{p} {v:g}" for p, v in peaks.items()) or "not in the table"
        print(f"{name}, torch {torch.__version__}; peak in TFLOP/s: {told}")
    tell_epochs(workload, chosen.batches, peaks)
    tell_data(workload, chosen.batches, chosen.rounds)
    tell_launches(workload, chosen.batches, chosen.rounds)
    tell_syncs(workload, chosen.batches[-1])
    for batch in chosen.batches:
        tell_trace(workload, batch, n=3 if chosen.smoke else 20)


if __name__ == "__main__":
    main()
