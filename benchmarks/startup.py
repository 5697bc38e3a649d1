"""Start-up: seconds until a command's first node, and what has been imported by then.

Each command runs in a fresh process, in a copy of the configuration with a very small sample;
one that runs pipelines is stopped when its first node begins, and once more one that trains
after its first step. The commands are timed in turn within each round, so that a drift of the
machine falls on all of them, and beside each other where another checkout is given.

    python benchmarks/startup.py --rounds 5 --against ../before
"""

import argparse
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

PROJECT = Path(__file__).parents[1]
PRETRAIN = "run --pipeline pretrain"
COMMANDS = {
    "registry list": ["registry", "list"],
    "catalog describe-datasets": ["catalog", "describe-datasets"],
    "run --pipeline preprocess": ["run", "--env", "tiny", "--pipeline", "preprocess"],
    PRETRAIN: ["run", "--env", "tiny", "--pipeline", "pretrain"],
    "run": ["run", "--env", "tiny"],
}
FIRST_NODE, FIRST_STEP = "[1/", "first step"
WITH_STEP = """
import sys, threading, time

def watch():
    while not hasattr(sys.modules.get("action_units.training.train"), "Step"):
        time.sleep(0.005)
    step = sys.modules["action_units.training.train"].Step
    call = step.__call__

    def first(*arguments):
        result = call(*arguments)
        print("first step", flush=True)
        return result

    step.__call__ = first

threading.Thread(target=watch, daemon=True).start()
from kedro.framework.cli import main
main()
"""
"""Kedro, saying when a step of a training is done."""

HEAVY = ("torch", "matplotlib", "pandas", "sklearn", "scipy", "cv2", "tensorboard", "mlflow")


def start(
    project: Path, source: Path, command: list[str], until: str
) -> tuple[float, set[str]]:
    """Seconds until a command says something, or to its end; heavy imports till then.

    Args:
        project: Where the configuration is.
        source: The folder that holds the package.
        command: Arguments of ``kedro``.
        until: What it says.
    """
    program = ["-c", WITH_STEP] if until == FIRST_STEP else ["-m", "kedro"]
    environment = {
        **os.environ, "PYTHONPATH": str(source), "DO_NOT_TRACK": "1", "PYTHONUNBUFFERED": "1"
    }  # fmt: skip
    imports = project / "imports.txt"
    with open(imports, "wb") as file:
        started = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-X", "importtime", *program, *command],
            cwd=project,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=file,
            text=True,
        )
        assert process.stdout is not None
        for line in process.stdout:
            if until in line:
                break
        seconds = time.perf_counter() - started
        process.kill()
        process.wait()
    names = {line.rsplit("|", 1)[-1].strip() for line in imports.read_text().splitlines()}
    return seconds, names & set(HEAVY)


def main() -> None:
    parser = argparse.ArgumentParser(description="Seconds until a command's first node.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--against", type=Path, help="another checkout of the project")
    arguments = parser.parse_args()
    checkouts = [PROJECT] + ([arguments.against] if arguments.against else [])
    with TemporaryDirectory() as place:
        for number, checkout in enumerate(checkouts):
            project = Path(place) / str(number)
            shutil.copytree(checkout / "conf", project / "conf")
            shutil.copy(checkout / "pyproject.toml", project)
            (project / "src").mkdir()
            subprocess.run(  # what pretrain starts from
                [sys.executable, "-m", "kedro", *COMMANDS["run --pipeline preprocess"]],
                cwd=project,
                env={**os.environ, "PYTHONPATH": str(checkout.resolve() / "src")},
                stdout=subprocess.DEVNULL,
                check=True,
            )
        cases = [(name, command, FIRST_NODE) for name, command in COMMANDS.items()]
        cases.append((PRETRAIN + ", first step", COMMANDS[PRETRAIN], FIRST_STEP))
        for name, command, until in cases:
            times: list[list[float]] = [[] for _ in checkouts]
            heavy: list[set[str]] = [set() for _ in checkouts]
            for _ in range(arguments.rounds):
                for number, checkout in enumerate(checkouts):
                    project = Path(place) / str(number)
                    seconds, heavy[number] = start(
                        project, checkout.resolve() / "src", command, until
                    )
                    times[number].append(seconds)
            here = median(times[0])
            print(f"kedro {name:36}{here:6.2f} s, imports {', '.join(sorted(heavy[0]))}")
            if arguments.against:
                there = median(times[1])
                print(
                    f"{'  the other':42}{there:6.2f} s, imports {', '.join(sorted(heavy[1]))}; "
                    f"{there / here:.2f} times"
                )


if __name__ == "__main__":
    main()
