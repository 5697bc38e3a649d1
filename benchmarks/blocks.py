"""Training on a store larger than memory: its speed against that of faces in memory.

A store of made-up faces is written to disk. Two processes train on it, in turn within each
round: one holds all faces in memory, the other may take no more memory than half of the
store on top of what it takes before it sees a face (RLIMIT_DATA), and reads them in blocks.
That the cap is real is checked first: under it, holding the faces in memory must fail. The
ratio of the median faces a second is printed, and that of one process against itself, the
noise to read it by. The pages of the store are dropped from the cache before each run, as
far as the system obeys.

    python benchmarks/blocks.py --rounds 3
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

import numpy as np

from action_units.labels.action_units import DISFA_AUS


def main() -> None:
    arguments = parse_arguments()
    if arguments.run is not None:
        run(arguments)
        return
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        path = Path(folder, "faces.npy")
        write_faces(path, arguments.faces, arguments.size)
        cap = arguments.faces * arguments.size**2 // 2
        failed = measured(arguments, path, "always", cap)
        assert failed is None, "the cap is none: all faces fit under it"
        speeds: dict[str, list[float]] = {"always": [], "again": [], "blocks": []}
        for number in range(arguments.rounds):
            for name in ("always", "blocks", "again"):
                kind = "always" if name == "again" else name
                speed = measured(arguments, path, kind, cap if name == "blocks" else 0)
                assert speed is not None, f"{name} ran out of memory"
                speeds[name].append(speed)
            print(f"round {number + 1}:", {name: f"{v[-1]:,.0f}" for name, v in speeds.items()})
        middle = {name: median(values) for name, values in speeds.items()}
        print(
            f"{arguments.architecture} width {arguments.width:g}, {arguments.size} px, batch "
            f"{arguments.batch}, {arguments.threads} threads, {arguments.faces:,} faces "
            f"({2 * cap / 2**20:,.0f} MiB), cap {cap / 2**20:,.0f} MiB, medians of "
            f"{arguments.rounds} rounds\n"
            f"  in memory {middle['always']:9,.0f} faces/s (the same again: "
            f"{middle['again'] / middle['always']:.3f} of it)\n"
            f"  in blocks {middle['blocks']:9,.0f} faces/s\n"
            f"  blocks / in memory = {middle['blocks'] / middle['always']:.3f}"
        )


def write_faces(path: Path, n: int, size: int) -> None:
    """A store's array of noise, written a block at a time."""
    random = np.random.default_rng(0)
    faces = np.lib.format.open_memmap(path, "w+", np.uint8, (n, size, size))
    for start in range(0, n, 4096):
        block = faces[start : start + 4096]
        block[:] = random.integers(0, 256, block.shape, np.uint8)
    faces.flush()


def measured(arguments: argparse.Namespace, path: Path, kind: str, cap: int) -> float | None:
    """Faces a second of one training in a process of its own; None where memory ran out."""
    with path.open("rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    options = ("architecture", "width", "size", "batch", "threads", "steps")
    command = [sys.executable, __file__, "--run", str(path), "--kind", kind, "--cap", str(cap)]
    command += [part for name in options for part in (f"--{name}", str(vars(arguments)[name]))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        assert cap, done.stderr
        if not any(said in done.stderr for said in ("too little memory", "allocate memory")):
            sys.exit(done.stderr)
        return None
    return float(done.stdout)


def run(arguments: argparse.Namespace) -> None:
    """One training; prints its faces a second, from the first step to the last."""
    from action_units.config import MachineConfig, NetworkSpec, Recipe
    from action_units.training.job import TrainingJob
    from action_units.training.train import train

    spec = NetworkSpec(arguments.architecture, arguments.width, image_size=arguments.size)

    def training(faces: np.ndarray, recipe: Recipe) -> float:
        labels = np.random.default_rng(1).random((len(faces), len(DISFA_AUS))) < 0.1
        machine = MachineConfig(
            device="cpu", threads=arguments.threads, faces_in_memory=arguments.kind
        )
        job = TrainingJob(
            spec, recipe, faces, labels, np.arange(len(faces)), [], DISFA_AUS, seed=0,
            machine=machine,
        )  # fmt: skip
        result = train(job)
        return float(result.curve.faces_per_second.median())

    # A few steps on a few faces, so that the cap counts what every training takes.
    training(np.zeros((256, arguments.size, arguments.size), np.uint8), Recipe(
        steps=4, batch_size=arguments.batch
    ))  # fmt: skip
    if arguments.cap:
        taken = next(
            int(line.split()[1]) * 1024
            for line in Path("/proc/self/status").read_text().splitlines()
            if line.startswith("VmData:")
        )
        resource.setrlimit(resource.RLIMIT_DATA, (taken + arguments.cap,) * 2)
    faces = np.load(arguments.run, mmap_mode="r")
    recipe = Recipe(steps=arguments.steps, batch_size=arguments.batch)
    print(training(faces, recipe))


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Faces in blocks against faces in memory.")
    parser.add_argument("--architecture", default="residual")
    parser.add_argument("--width", type=float, default=1.0)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--faces", type=int, default=200_000)
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--folder", help="where to write the store; the system's choice without"
    )
    parser.add_argument("--run", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--kind", help=argparse.SUPPRESS)
    parser.add_argument("--cap", type=int, default=0, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
