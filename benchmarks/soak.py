"""A hundred trainings, each killed three times and resumed: all must end in the same weights.

The kills are SIGKILLs at random times, every other one aimed at a save; TMPDIR lies on
another file system than the checkpoints where there is one; the CPU threads that are asked
for change from start to start. Weights are compared by SHA-256 with uninterrupted runs, every
checkpoint that a kill left is read, and what lies about at the end is counted. The exit code
is 1 where anything differs.

    OMP_NUM_THREADS=1 python -m benchmarks.soak --runs 100 --kills 3
"""

import argparse
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.training.killed_run import RECIPE, run, weights_hash
from tests.training.killing import Killer, Tally, other_file_system

from action_units.config import NetworkSpec

NETWORKS = (
    NetworkSpec(architecture="residual", width=0.25, image_size=32),  # batch statistics
    NetworkSpec(architecture="vgg13", width=0.125, image_size=16),  # dropout after every block
)


def killer_of(train: Callable[..., Any], scratch: Path) -> Killer:
    """A killer that knows what uninterrupted runs end in, and how long they take."""
    references = {n: weights_hash(train(scratch / f"{n} threads", n)) for n in (1, 2)}
    started = time.monotonic()
    train(scratch / "timed", 1)
    return Killer(train, references, time.monotonic() - started)


def main() -> None:
    parser = argparse.ArgumentParser(description="Kill trainings and compare their weights.")
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, help="where the checkpoints go")
    arguments = parser.parse_args()
    recipe, tally, started = RECIPE.model_copy(update={"epochs": 4}), Tally(), time.monotonic()
    with (
        TemporaryDirectory(dir=arguments.folder) as place,
        TemporaryDirectory(dir=other_file_system(Path(place))) as elsewhere,
    ):
        killers = []
        for number, spec in enumerate(NETWORKS):
            train = partial(run, spec=spec, recipe=recipe, n=128)
            killers.append(killer_of(train, Path(place) / f"network {number}"))
        for number in range(arguments.runs):
            folder = Path(place) / f"run {number}"
            folder.mkdir()
            killer = killers[number % len(killers)]
            tally.add(
                killer.run(
                    folder,
                    Path(elsewhere),
                    arguments.kills,
                    arguments.seed + number,
                    threads=2 if number % 10 == 9 else 1,
                )
            )
            if (number + 1) % 5 == 0:
                print(f"{time.monotonic() - started:5.0f} s  {tally}", flush=True)
    print(tally, flush=True)
    sys.exit(0 if tally.flawless else 1)


if __name__ == "__main__":
    main()
