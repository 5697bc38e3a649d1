"""The whole job at the real thing's size, without people.

130,814 coded frames under DISFA's names and 160,000 web faces are made (``full_size_data``),
and every stage runs over them as a person's own would: ``kedro run --env paper`` in a project
of its own, with the recipe ``modern``, of whose training there are only a few steps. Each stage
is a process of its own, of which seconds by the clock, CPU seconds, the largest memory and the
growth of ``data`` are printed, and of the nodes in it those that take longest.

    python -m benchmarks.full_size FOLDER --scale 0.1
    python -m benchmarks.full_size FOLDER --scale 1

Where a folder has results at a smaller scale, the growth is printed as well: the exponent of
the size in CPU seconds. What takes a time that grows with its input has 1, and less where a
start of some seconds, which every process has, is a good part of it; a node has none.
"""

import argparse
import json
import math
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

from benchmarks import full_size_data as data

_LABELS = data.PROJECT.parent / "shared/data"
_JOURNAL = 1_000_000  # photographs, at scale 1
_NODE = re.compile(rb"\[\d+/\d+\] (\S+)")
_TICKS = os.sysconf("SC_CLK_TCK")
_SETTINGS = """
run: width-{width}
recipe: modern
recipes:
  modern:
    network: {{width: {width}}}
    pretrain: {{steps: 20}}
    finetune: {{steps: 20}}
evaluation: {{groups: groups.csv}}
"""


@dataclass
class Usage:
    """What a stage or a node took; of a node there is no memory and no disk."""

    seconds: float
    cpu: float
    peak: float = 0.0  # MiB
    disk: float = 0.0  # MiB
    nodes: dict[str, "Usage"] = field(default_factory=dict)


@dataclass(frozen=True)
class Stage:
    """A process to measure."""

    about: str
    command: Callable[[float], list[str]]  # from the scale


def kedro(*arguments: str) -> Callable[[float], list[str]]:
    """A run of the project."""
    return lambda scale: [sys.executable, "-m", "kedro", "run", "--env", "paper", *arguments]


def library(name: str) -> Callable[[float], list[str]]:
    """A function of this file, called in the project's folder."""
    return lambda scale: [sys.executable, "-m", "benchmarks.full_size", "--call", name, "."]


def module(name: str) -> Callable[[float], list[str]]:
    """Another benchmark, in the project's folder."""
    return lambda scale: [sys.executable, "-m", f"benchmarks.{name}"]


def journal(scale: float) -> list[str]:
    """The journal of photographs that exist by name only."""
    count = str(round(_JOURNAL * scale))
    return [sys.executable, "-m", "benchmarks.journal", "--photographs", count]


STAGES = {
    "read": Stage("all label files, read and checked", library("read")),
    "photographs": Stage("raw photographs: faces found and cropped", library("photographs")),
    "photographs again": Stage("the same, all done", library("photographs")),
    "scores": Stage("made-up answers: scores, page", module("full_size_scores")),
    "pack": Stage("crops packed into both stores", kedro("--pipeline", "preprocess")),
    "pack again": Stage("the same, all done", kedro("--pipeline", "preprocess")),
    "pretrain": Stage("20 steps, held-out faces, the audit", kedro("--pipeline", "pretrain")),
    "finetune": Stage("three folds: 20 steps, thresholds", kedro("--pipeline", "finetune")),
    "evaluate": Stage(
        "predictions, annotator's rates, scores, groups, gains of treatments, page",
        kedro("--pipeline", "evaluate"),
    ),
    "all again": Stage("every pipeline, all trained", kedro()),
    "none missing": Stage("the same, all files there", kedro("--only-missing-outputs")),
    "journal": Stage("done work of photographs: new, done, stale", journal),
}


def read() -> None:
    """Read and check all label files."""
    from action_units.labels.tables import read_fold_tables, read_web_tables

    read_fold_tables("data/01_raw/fine_tune_images")
    read_web_tables("data/01_raw/pre_train_images")


def photographs() -> None:
    """Find and crop the faces of the raw photographs."""
    from action_units.config import DetectorSettings
    from action_units.faces.crop import CropSettings, FaceSettings
    from action_units.faces.preprocess import crop_photographs
    from action_units.faces.workers import Workers
    from action_units.media.sources import open_photographs

    settings = FaceSettings(DetectorSettings(), CropSettings())
    source = open_photographs("data/01_raw/photographs")
    crop_photographs(source, "data/03_primary/p", "data/02_intermediate/p", settings, Workers())


def measure(command: list[str], folder: Path, log: Path) -> Usage:
    """Run a process and say what it took; raises SystemExit where it fails."""
    before, start = made_in(folder), time.perf_counter()
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    paths = [str(data.PROJECT), str(data.PROJECT / "src"), environment.get("PYTHONPATH", "")]
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    process = subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    marks = [("start", start, 0.0)]
    assert process.stdout is not None
    with log.open("wb", buffering=0) as file:
        for line in process.stdout:
            file.write(line)
            if found := _NODE.search(line):
                marks.append((found[1].decode(), time.perf_counter(), cpu_of(process.pid)))
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    end, cpu = time.perf_counter(), used.ru_utime + used.ru_stime
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} failed; see {log}")
    nodes = {
        name: Usage(after - begun, spent - had)
        for (name, begun, had), (_, after, spent) in zip(
            marks, [*marks[1:], ("end", end, cpu)], strict=True
        )
    }
    disk = made_in(folder) - before
    return Usage(end - start, cpu, used.ru_maxrss / 1024, disk, nodes)


def cpu_of(process: int) -> float:
    """CPU seconds of a process so far, and of its children that have ended."""
    numbers = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
    return sum(int(number) for number in numbers[11:15]) / _TICKS


def made_in(folder: Path) -> float:
    """What stages have written, in MiB."""
    places = [place for place in (folder / "data").iterdir() if place.name != "01_raw"]
    files = (
        Path(root, name)
        for place in places
        for root, _, names in os.walk(place)
        for name in names
    )
    return sum(file.stat().st_size for file in files) / 2**20


def report(
    stages: dict[str, Usage], before: dict[str, Usage], ratio: float, n: int
) -> Iterator[str]:
    """The table of results, and under each stage the nodes that take more than a twentieth."""
    yield "| stage | s | CPU s | peak MiB | disk MiB |" + (" growth |" if before else "")
    yield "|---|---|---|---|---|" + ("---|" if before else "")
    for name, used in stages.items():
        shown = [(name, used)]
        large = sorted(used.nodes.items(), key=lambda item: -item[1].cpu)[:n]
        shown += [(f"… {node}", one) for node, one in large if one.cpu > used.cpu / 20]
        for title, one in shown:
            whole = one is used
            memory = f"{one.peak:,.0f} | {one.disk:,.0f}" if whole else " | "
            row = f"| {title} | {one.seconds:.1f} | {one.cpu:.1f} | {memory} |"
            if before:
                old = before.get(name)
                if old and not whole:
                    old = old.nodes.get(title.removeprefix("… "))
                grown = old and old.cpu > 0.2 and math.log(one.cpu / old.cpu, ratio)
                row += f" {grown:.2f} |" if grown else " |"
            yield row


def usage(content: dict[str, dict]) -> dict[str, Usage]:  # type: ignore[type-arg]
    """From JSON."""
    return {
        name: Usage(**{**one, "nodes": usage(one["nodes"])}) for name, one in content.items()
    }


def main() -> None:
    """Make the data, run the stages, print what they took."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path, help="holds a project for each scale; 8 GB at 1")
    parser.add_argument("--scale", type=float, default=0.1, help="part of the real size")
    parser.add_argument("--only", nargs="+", choices=STAGES, metavar="STAGE")
    parser.add_argument("--labels", type=Path, default=_LABELS, help="the authors' label files")
    parser.add_argument(
        "--width", type=float, default=1.0, help="of the network; 0.25 is quick"
    )
    parser.add_argument("--nodes", type=int, default=6, help="most nodes that are listed")
    parser.add_argument("--profile", action="store_true", help="also profile each stage")
    parser.add_argument("--call", choices=["read", "photographs"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.call:
        globals()[options.call]()
        return
    results = options.folder.resolve() / f"results_{options.width:g}.json"
    folder = results.parent / f"scale_{options.scale:g}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    data.make(folder, options.labels, options.scale)
    (folder / "conf/local").mkdir(exist_ok=True)
    (folder / "conf/local/parameters.yml").write_text(_SETTINGS.format(width=options.width))
    known = json.loads(results.read_text()) if results.is_file() else {}
    mine = known.setdefault(f"{options.scale:g}", {})
    (folder / "logs").mkdir(exist_ok=True)
    for name in options.only or STAGES:
        command, log = STAGES[name].command(options.scale), folder / "logs" / f"{name}.log"
        if options.profile:
            command[1:1] = ["-m", "cProfile", "-o", str(log.with_suffix(".prof"))]
        used = measure(command, folder, log)
        mine[name] = asdict(used)
        results.write_text(json.dumps(known, indent=1))
        print(f"{name}: {STAGES[name].about}: {used.seconds:.1f} s", flush=True)
    smaller = [float(scale) for scale in known if float(scale) < options.scale]
    before = usage(known[f"{max(smaller):g}"]) if smaller else {}
    ratio = options.scale / max(smaller) if smaller else 1.0
    print("\n".join(report(usage(mine), before, ratio, options.nodes)))
    print(f"{shutil.disk_usage(folder).free >> 30} GiB of disk are free")


if __name__ == "__main__":
    main()
