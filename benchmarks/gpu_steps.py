"""The looks of ``benchmarks.gpu`` at single steps: data path, launches, waits, gaps."""

import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from statistics import median
from typing import Any

import torch
from torch import Tensor
from torch.profiler import ProfilerActivity, profile

from action_units.models.dropout import SeededDropout
from action_units.training.augment import make_plan
from action_units.training.context import TrainingContext
from action_units.training.data import ResidentFaces, upload
from action_units.training.device import choose_machine
from action_units.training.noise import Batch
from action_units.training.train import Step
from benchmarks.gpu_workloads import Setup, Workload, large, papers

Case = tuple[str, Workload, int, str]  # and a batch, and a precision


def cases(setup: Setup, precisions: Iterable[str]) -> Iterator[Case]:
    """What the looks go through: the paper's network as asked for, recipe `large` as it is."""
    paper, recipe = papers(setup), large(setup, 16_384)
    for batch in setup.batches:
        for precision in precisions:
            yield f"paper, batch {batch:4} {precision}", paper, batch, precision
    batch = 16 if setup.smoke else recipe.recipe.batch_size
    yield f"large, batch {batch:4} bf16", recipe, batch, "bf16"


class Steps:
    """Steps as the loop does them, one by one."""

    def __init__(self, workload: Workload, batch: int, precision: str) -> None:
        job = workload.job(batch, precision)
        context = replace(TrainingContext.of(job), machine=choose_machine(job.machine))
        self.context, self.state = context, context.first_state()
        self.state.network.train()
        self.step, size = Step(context, self.state), workload.spec.image_size
        faces = upload(
            context.data.faces,
            context.data.train_rows,
            size,
            workload.device,
            workload.spec.channels,
        )
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
        self._parameters = [*self.state.network.parameters(), *self.state.noise.parameters()]
        self._dropouts = [
            layer
            for layer in self.state.network.modules()
            if isinstance(layer, SeededDropout) and layer.rate
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
        self._recorded.positions.copy_(batch.positions)
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


def furthest(ones: list[Tensor], others: list[Tensor]) -> float:
    """The largest difference between tensors and others."""
    return max(float((a - b).detach().abs().max()) for a, b in zip(ones, others, strict=True))


def data(setup: Setup) -> None:
    """What of a step is gathering, augmentation and normalisation."""
    print("data: data / whole step")
    for name, workload, batch, precision in cases(setup, setup.precisions):
        steps = Steps(workload, batch, precision)
        with steps.context.machine.in_use():
            works = {"data": steps.data, "step": steps.whole, "again": steps.whole}
            times = in_turn(workload.device, works, setup.rounds, times=10)
        print(
            f"  {name}: {times['data'] / times['step']:.4f} of {1e3 * times['step']:.2f} ms; "
            f"the same again: {times['again'] / times['step']:.3f}",
            flush=True,
        )


def launches(setup: Setup) -> None:
    """A whole step, eager and as one CUDA graph, and how far their weights are apart."""
    print("launches: a whole step")
    for name, workload, batch, precision in cases(setup, setup.precisions):
        eager, graphed = (kind(workload, batch, precision) for kind in (Steps, Graphed))
        with eager.context.machine.in_use():
            for _ in range(4):
                eager.whole()
                graphed.whole()
            apart = furthest(*(list(s.state.network.parameters()) for s in (eager, graphed)))
            works = {"eager": eager.whole, "graph": graphed.whole, "again": eager.whole}
            times = in_turn(workload.device, works, setup.rounds, times=10)
        told = [
            f"{way} {1e3 * value:.3f} ms ({times['eager'] / value:.2f} times)"
            for way, value in times.items()
        ]
        print(f"  {name}: {', '.join(told)}, weights apart by {apart:.2g}", flush=True)


def syncs(setup: Setup) -> None:
    """Steps with every wait of the host for the GPU forbidden."""
    cuda = setup.device == "cuda"
    print("syncs: where the host waits" + ("" if cuda else ", not looked for without a GPU"))
    for name, workload, batch, precision in cases(setup, ["bf16"]):
        steps, found = Steps(workload, batch, precision), "nowhere"
        with steps.context.machine.in_use():
            for _ in range(3):
                steps.whole()
            if cuda:
                torch.cuda.synchronize()
                torch.cuda.set_sync_debug_mode("error")
            try:
                for _ in range(min(50, steps.context.steps_per_epoch)):
                    steps.whole()
            except RuntimeError as error:
                place = traceback.extract_tb(error.__traceback__)
                own = [one for one in place if "action_units" in one.filename] or place
                where = f"{own[-1].filename}, line {own[-1].lineno}"
                found = f"{str(error).splitlines()[0]} ({where})"
            finally:
                if cuda:
                    torch.cuda.set_sync_debug_mode("default")
        print(f"  {name}: {found}", flush=True)


def trace(setup: Setup) -> None:
    """How long the GPU idled between kernels, and the longest kernels."""
    print("trace: kernels and the time between them")
    for name, workload, batch, precision in cases(setup, ["bf16"]):
        print(f"  {name}:", flush=True)
        tell_trace(Steps(workload, batch, precision), n=3 if setup.smoke else 20)


def tell_trace(steps: Steps, n: int) -> None:
    cuda = steps.context.machine.torch_device.type == "cuda"
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
        f"    {span / 1e3 / n:.2f} ms and {len(spans) // n} kernels a step; idle "
        f"{sum(gaps) / span:.3f} of it, longest gaps {longest} µs"
    )
    for name, value in sorted(total.items(), key=lambda item: -item[1])[:12]:
        print(f"    {value / span:.3f}  {name[:90]}")
