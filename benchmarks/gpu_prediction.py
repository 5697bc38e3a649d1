"""The looks of ``benchmarks.gpu`` at prediction: many faces, and a video from end to end."""

import os
import tempfile
import time
from functools import partial
from pathlib import Path

import numpy as np

from action_units.config import NetworkSpec
from action_units.faces.detection.registry import thread_detector
from action_units.labels.action_units import DISFA_AUS
from action_units.media.video import timed_frames
from action_units.models.registry import build_network
from action_units.models.trained import TrainedModel
from action_units.prediction.classifier import Classifier
from action_units.training.inference import Predictor
from action_units.training.inference import predict as predict_faces
from benchmarks.gpu_workloads import PAPERS_NETWORK, Setup, large
from benchmarks.prediction import classifier_of, cores, end_to_end, seconds, write_video


def models(setup: Setup) -> dict[str, TrainedModel]:
    """Untrained networks: the default's, the paper's and recipe `large`'s."""
    small = {"width": 0.25, "image_size": 32} if setup.smoke else {}
    specs = {
        "residual": NetworkSpec().model_copy(update=small),
        "paper": PAPERS_NETWORK.model_copy(update=small),
        "large": large(setup, 1).spec,
    }
    return {
        name: TrainedModel(
            build_network(spec, len(DISFA_AUS), seed=1).eval(),
            spec,
            DISFA_AUS,
            {"colour": spec.channels == 3},
        )
        for name, spec in specs.items()
    }


def predict(setup: Setup) -> None:
    """Faces a second with their mirror images, by network, precision and block."""
    print("predict: faces a second, each with its mirror image, by the size of a block")
    blocks = (16, 32) if setup.smoke else (64, 256, 1024)
    n, random = 2 * max(blocks) if setup.smoke else 8192, np.random.default_rng(0)
    for name, model in models(setup).items():
        size = model.spec.image_size
        faces = random.integers(
            0, 256, (n, size, size) + ((3,) if model.colour else ()), np.uint8
        )
        for precision in setup.precisions:
            predictor = Predictor(model, setup.device, precision=precision, flip=True)
            rates = []
            for predictor.block in blocks:
                predictor.probabilities(faces[: predictor.block])
                work = partial(predictor.probabilities, faces)
                spent = min(seconds(work) for _ in range(3))
                rates.append(f"{predictor.block}: {n / spent:,.0f}")
            print(f"  {name}, {precision}: {', '.join(rates)}", flush=True)
        spent = seconds(partial(predict_faces, model, faces, setup.device, flip=True))
        print(f"  {name}, `predict` as it is: {n / spent:,.0f}", flush=True)


def video(setup: Setup) -> None:
    """Frames a second of a video from end to end, and each stage by itself in one thread."""
    n, n_cores = 24 if setup.smoke else 1000, len(os.sched_getaffinity(0))
    print(f"video: {n} frames of 640 × 480, one face each; detection on the CPU")
    with tempfile.TemporaryDirectory() as folder:
        path = write_video(Path(folder) / "video.avi", n)
        for name, model in models(setup).items():
            classifier = classifier_of(model, setup.device)
            with cores(None):
                spent = stages(path, classifier)
                end_to_end(path, classifier, n_cores)  # warm
                rates = {k: n / end_to_end(path, classifier, k) for k in (1, n_cores)}
            total = sum(spent.values())
            parts = [f"{s} {1e3 * t:.2f} ms ({t / total:.3f})" for s, t in spent.items()]
            whole = [f"{rate:,.1f} frames/s by {k} threads" for k, rate in rates.items()]
            print(f"  {name}: {', '.join(parts)}; end to end {', '.join(whole)}", flush=True)


def stages(path: Path, classifier: Classifier) -> dict[str, float]:
    """Seconds a frame of each stage by itself, in this thread."""
    spent = {}

    def lap(name: str) -> None:
        nonlocal started
        spent[name] = (time.perf_counter() - started) / len(frames)
        started = time.perf_counter()

    settings = classifier.faces.settings
    detector, network = thread_detector(settings.detector), classifier.predictors[0].network
    started = time.perf_counter()
    frames = [frame.pixels for frame in timed_frames(path, None)]
    lap("decode")
    found = [detector.detect(frame)[0] for frame in frames]
    lap("detect")
    crops = [
        classifier.faces.face(frame, face) for frame, face in zip(frames, found, strict=True)
    ]
    lap("crop")
    network.probabilities(np.stack(crops))
    lap("first network")  # allocates and chooses algorithms
    network.probabilities(np.stack(crops))
    lap("network")
    del spent["first network"]
    return spent
