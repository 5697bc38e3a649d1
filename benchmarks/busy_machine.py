"""What a short spin of waiting threads costs on an idle machine, and gains on a busy one.

Each measurement is a process of its own, because OpenMP reads how to wait when it is loaded:
``short``, as the package sets it, or ``spinning``, OpenMP's default. Rounds are interleaved,
and a ratio is the median of the ratios of each round. A machine is made busy by processes
that spin, one for each core; they are started and stopped here. There, OpenMP's default is
left out: a single pass may take it a minute (``--spinning`` measures it all the same).

    python -m benchmarks.busy_machine --rounds 3
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import median

import numpy as np

from action_units.threads import cores

SPINNING = {"GOMP_SPINCOUNT": "300000"}
"""GNU OpenMP's count where nothing is set; the package leaves alone what is set."""

WAYS: dict[str, tuple[dict[str, str], int]] = {
    "short": ({}, cores()),
    "spinning": (SPINNING, cores()),
    "short, 1": ({}, 1),
}
BATCH = 32
KINDS = ("inference", "training")


def rate(work: Callable[[], int], seconds: float) -> float:
    """Faces a second of work that returns how many it did."""
    work()
    started, done = time.perf_counter(), 0
    while (taken := time.perf_counter() - started) < seconds:
        done += work()
    return done / taken


def measure(threads: int, seconds: float) -> dict[str, float]:
    """Faces a second of both kinds in this process."""
    import torch

    from action_units.config import MachineConfig, NetworkSpec
    from action_units.models.registry import build_network
    from action_units.training.device import choose_machine
    from action_units.training.inference import logits

    machine = choose_machine(MachineConfig(device="cpu", precision="fp32", threads=threads))
    network = build_network(NetworkSpec(), 12, seed=1)
    network = network.to(memory_format=torch.channels_last)
    faces = torch.from_numpy(
        np.random.default_rng(0).integers(0, 256, (BATCH, 64, 64), np.uint8)
    )
    labels = torch.zeros(BATCH, 12)
    optimizer = torch.optim.AdamW(network.parameters())

    def inference() -> int:
        logits(network, faces, machine, flip=True)
        return len(faces)

    def training() -> int:
        x = faces[:, None].float().div(255).contiguous(memory_format=torch.channels_last)
        loss = torch.nn.functional.binary_cross_entropy_with_logits(network(x), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return len(faces)

    with machine.in_use():
        network.eval()
        found = {"inference": rate(inference, seconds)}
        network.train()
        return found | {"training": rate(training, seconds)}


def in_a_process(variables: dict[str, str], threads: int, seconds: float) -> dict[str, float]:
    names = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME", "OMP_NUM_THREADS")
    plain = {name: value for name, value in os.environ.items() if name not in names}
    command = [sys.executable, "-m", "benchmarks.busy_machine", "--seconds", str(seconds)]
    command += ["--measure", str(threads)]
    done = subprocess.run(command, env=plain | variables, stdout=subprocess.PIPE, check=True)
    return dict(json.loads(done.stdout))


@contextmanager
def busy(processes: int) -> Iterator[None]:
    """Other programs on the cores."""
    spinning = [
        subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(processes)
    ]
    try:
        yield
    finally:
        for process in spinning:
            process.kill()
            process.wait()


def rounds(n: int, seconds: float, others: int, spinning: bool) -> None:
    """Print the ratios with so many other programs on the cores."""
    ways = {name: way for name, way in WAYS.items() if spinning or name != "spinning"}
    taken: list[dict[str, dict[str, float]]] = []
    for _ in range(n):
        with busy(others):
            taken.append({name: in_a_process(*how, seconds) for name, how in ways.items()})
    for kind in KINDS:
        each = {name: median(one[name][kind] for one in taken) for name in ways}
        print(f"{'busy' if others else 'idle'}, {kind}, faces/s:", end=" ")
        print(", ".join(f"{name} {value:,.0f}" for name, value in each.items()), end="; ")
        for under in [name for name in ways if name != "short"]:
            ratios = [one["short"][kind] / one[under][kind] for one in taken]
            print(f"short / {under} {median(ratios):.2f}", end="  ")
        print(flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="OpenMP's waiting, idle and busy.")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1.5, help="of each measurement")
    parser.add_argument("--spinning", action="store_true", help="on the busy machine too")
    parser.add_argument("--measure", type=int, metavar="THREADS", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        print(json.dumps(measure(arguments.measure, arguments.seconds)))
        return
    rounds(arguments.rounds, arguments.seconds, 0, spinning=True)
    rounds(arguments.rounds, arguments.seconds, cores(), spinning=arguments.spinning)


if __name__ == "__main__":
    main()
