"""Prediction from end to end against its bare stages, in one run.

A rendered face moves through a 640×480 Motion-JPEG video. *Bare* is what nothing can do
without, each stage by itself in one thread on one core: OpenCV's decoder, the detector, the
network with its mirror image. End to end is all of it: the walk through the file, tracks, the
cut through a crop's file, treatment, CSV and Parquet. It is measured on one core, where its
threads only take turns, and on all. Rounds are interleaved and medians are given.

``--memory`` instead gives the peak memory of a process that predicts on 300 and on 3,000
frames. ``--blocks`` gives the speed of networks in blocks of several sizes: blocks of one
size are what makes a face's probabilities independent of the faces beside it. ``--faces``
gives the speed on packed faces with their mirror images, as evaluation predicts them: blocks
side by side, each on one core, against block after block, each spread over all cores, by the
network as it was trained and with its batch normalisation folded.
"""

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import torch

from action_units.config import MachineConfig, NetworkSpec
from action_units.evaluation.postprocessing.postprocessing import Postprocessing
from action_units.evaluation.postprocessing.thresholds import FittedThresholds
from action_units.faces.detection.registry import make_detector
from action_units.labels.action_units import DISFA_AUS
from action_units.models.registry import build_network
from action_units.models.trained import TrainedModel
from action_units.prediction.classifier import Classifier, FaceInput, FoldPredictor
from action_units.prediction.engine import Engine
from action_units.prediction.outputs import write_tables
from action_units.prediction.sources import open_source
from action_units.training.device import choose_machine
from action_units.training.inference import Predictor, logits, predict
from benchmarks.preprocessing import scene

NETWORKS = {"residual": "residual network", "vgg13": "VGG-13, full width"}
BARE_BATCH = 64


def write_video(path: Path, frames: int) -> Path:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 20.0, (640, 480))
    still = scene(1)
    for frame in range(frames):
        writer.write(np.roll(still, frame % 8, axis=1))
    writer.release()
    return path


def model_of(architecture: str) -> TrainedModel:
    spec = NetworkSpec(architecture=architecture)
    network = build_network(spec, len(DISFA_AUS), seed=1).eval()
    return TrainedModel(network, spec, DISFA_AUS, {"flip_average": True})


def classifier_of(model: TrainedModel, device: str = "cpu") -> Classifier:
    n = len(model.aus)
    treatment = Postprocessing(FittedThresholds((0.5,) * n, (False,) * n, (0.5,) * n))
    member = FoldPredictor("one", Predictor(model, device, flip=True), treatment)
    faces = FaceInput(size=model.spec.image_size, colour=model.colour)
    return Classifier([member], faces, model.spec.architecture, "benchmark")


@contextmanager
def cores(wanted: int | None) -> Iterator[None]:
    """Keep this thread, and those it starts, to so many cores; None is all."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, before if wanted is None else set(sorted(before)[:wanted]))
    threads = torch.get_num_threads(), cv2.getNumThreads()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
        torch.set_num_threads(threads[0])
        cv2.setNumThreads(threads[1])


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


class Bare:
    """The stages, each over the whole video by itself."""

    def __init__(self, video: Path, model: TrainedModel, frames: int) -> None:
        self.video, self.model, self.frames = video, model, frames
        self.detector = make_detector()
        self.pictures = self.decode()[:64]
        self.machine = choose_machine(MachineConfig(device="cpu", precision="fp32", threads=1))
        self.network = model.network.to(memory_format=torch.channels_last)
        side = model.spec.image_size
        self.faces = torch.zeros(BARE_BATCH, side, side, dtype=torch.uint8)

    def decode(self) -> list[np.ndarray]:
        """Decode all frames, and keep the first."""
        capture, kept = cv2.VideoCapture(str(self.video), cv2.CAP_FFMPEG), []
        while True:
            there, frame = capture.read()
            if not there:
                return kept
            if len(kept) < 64:
                kept.append(frame)

    def detect(self) -> None:
        """Find faces in as many frames."""
        for n in range(self.frames):
            self.detector.detect(self.pictures[n % len(self.pictures)])

    def ask(self) -> None:
        """Ask the network about as many faces."""
        for start in range(0, self.frames, BARE_BATCH):
            some = self.faces[: min(BARE_BATCH, self.frames - start)]
            logits(self.network, some, self.machine, flip=True)

    def all(self) -> list[float]:
        """Seconds of each stage."""
        return [seconds(self.decode), seconds(self.detect), seconds(self.ask)]


def end_to_end(video: Path, classifier: Classifier, workers: int) -> float:
    with tempfile.TemporaryDirectory() as out, Engine(classifier, workers=workers) as engine:
        return seconds(lambda: write_tables(open_source(video), engine, Path(out)))


def compare(architecture: str, video: Path, frames: int, rounds: int) -> None:
    model = model_of(architecture)
    classifier, bare = classifier_of(model), Bare(video, model, frames)
    n_cores = len(os.sched_getaffinity(0))
    stages, one, several = [], [], []
    with cores(None):
        end_to_end(video, classifier, n_cores)  # warm
    for _ in range(rounds):
        with cores(1):
            stages.append(bare.all())
            one.append(end_to_end(video, classifier, 1))
        with cores(None):
            several.append(end_to_end(video, classifier, n_cores))
    parts = [statistics.median(stage) for stage in zip(*stages, strict=True)]
    total = statistics.median(sum(stage) for stage in stages)
    ratios = [
        statistics.median(sum(s) / t for s, t in zip(stages, times, strict=True))
        for times in (one, several)
    ]
    print(f"\n{NETWORKS[architecture]}: {frames} frames, {rounds} rounds")
    for name, spent in zip(("decode", "detect", "network"), parts, strict=True):
        print(f"  bare {name:8} {1000 * spent / frames:7.2f} ms a frame")
    print(f"  bare sum      {frames / total:7.1f} frames/s on one core")
    for cores_, times, ratio in ((1, one, ratios[0]), (n_cores, several, ratios[1])):
        rate = frames / statistics.median(times)
        print(f"  end to end    {rate:7.1f} frames/s on {cores_} cores: {ratio:.2f} × bare sum")


def measure_memory(architecture: str, folder: Path) -> None:
    """Each length in a process of its own, whose highest resident memory is asked for."""
    print(f"\npeak memory, {NETWORKS[architecture]}:")
    for frames in (300, 3000):
        video = write_video(folder / f"{frames}.avi", frames)
        command = [sys.executable, "-m", "benchmarks.prediction", "--peak", str(video)]
        command += ["--networks", architecture]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        print(f"  {frames:5,} frames: {float(done.stdout):.0f} MiB")


def peak(architecture: str, video: Path) -> None:
    end_to_end(video, classifier_of(model_of(architecture)), len(os.sched_getaffinity(0)))
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def measure_blocks(architecture: str, rounds: int) -> None:
    """Faces a second of a network in one thread, in blocks of several sizes."""
    model, machine = (
        model_of(architecture),
        choose_machine(MachineConfig(device="cpu", precision="fp32", threads=1)),
    )
    network = model.network.to(memory_format=torch.channels_last)
    side, count = model.spec.image_size, 128
    spent: dict[int, list[float]] = {size: [] for size in (1, 8, 16, 32, 64, 128)}
    with cores(1):
        for _ in range(rounds):
            for size, times in spent.items():
                faces = torch.zeros(size, side, side, dtype=torch.uint8)
                logits(network, faces, machine)
                times.append(
                    seconds(
                        lambda faces=faces, size=size: [
                            logits(network, faces, machine) for _ in range(count // size)
                        ]
                    )
                )
    print(f"\n{NETWORKS[architecture]}: faces a second in one thread, by block")
    for size, times in spent.items():
        print(f"  {size:4} {count / statistics.median(times):8.0f}")


def measure_faces(architecture: str, rounds: int) -> None:
    """Faces a second of many faces on all cores, in two ways of sharing them."""
    model = model_of(architecture)
    side, count = model.spec.image_size, 1024
    faces = np.random.default_rng(0).integers(0, 256, (count, side, side), np.uint8)
    predictor, machine = Predictor(model, "cpu", flip=True), choose_machine()
    network = model.network.to(memory_format=torch.channels_last)
    blocks = torch.from_numpy(faces).split(predictor.block)
    ways = {
        "spread, as trained": lambda: [logits(network, b, machine, flip=True) for b in blocks],
        "spread, folded": lambda: predictor.probabilities(faces),
        "side by side, folded": lambda: predict(model, faces, "cpu", flip=True),
    }
    spent: dict[str, list[float]] = {name: [] for name in ways}
    for work in ways.values():
        work()
    for _ in range(rounds):
        for name, work in ways.items():
            spent[name].append(seconds(work))
    rates = {name: count / statistics.median(times) for name, times in spent.items()}
    first = next(iter(rates.values()))
    print(f"\n{NETWORKS[architecture]}: faces a second with mirror images, all cores")
    for name, rate in rates.items():
        print(f"  {name:20} {rate:8.0f}  {rate / first:.2f} ×")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--memory", action="store_true")
    parser.add_argument("--blocks", action="store_true")
    parser.add_argument("--faces", action="store_true")
    parser.add_argument("--peak", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for architecture in asked.networks:
            if asked.peak:
                peak(architecture, asked.peak)
            elif asked.memory:
                measure_memory(architecture, Path(folder))
            elif asked.blocks:
                measure_blocks(architecture, asked.rounds)
            elif asked.faces:
                measure_faces(architecture, asked.rounds)
            else:
                video = write_video(Path(folder) / "video.avi", asked.frames)
                compare(architecture, video, asked.frames, asked.rounds)


if __name__ == "__main__":
    main()
