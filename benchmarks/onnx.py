r"""ONNX against torch: speed at batch 1 and 64, and how far probabilities are apart.

Every network is asked in six ways, taken in turn within each round, one thread, medians of the
process's own time: torch in float32 and in bf16 as evaluation asks, ONNX Runtime in float32,
in eight-bit integers with fixed ranges (what an export writes), and in eight-bit integers
with ranges found in each batch (dynamic quantisation, which an export does not write; with
`solo`, the largest difference of a probability between a face asked alone and in a batch).
The first way again is the noise.

    OMP_NUM_THREADS=1 python -m benchmarks.onnx --rounds 15 \
        --run data/06_models/sample/main/disfa/fg2020 --store data/04_feature/sample/disfa
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.quantization.shape_inference import quant_pre_process

from action_units.config import MachineConfig, NetworkSpec
from action_units.evaluation.metrics import confusion, f1
from action_units.evaluation.postprocessing.postprocessing import Postprocessing
from action_units.evaluation.postprocessing.thresholds import FittedThresholds
from action_units.evaluation.run_folder import MODEL
from action_units.export.check import synthetic_faces
from action_units.export.fold_models import FoldModel, read_fold_model
from action_units.export.onnx import to_onnx
from action_units.export.onnx_runtime import open_session, run_session
from action_units.export.quantisation import CALIBRATION_FACES, machine, quantise
from action_units.faces.store import Faces, FaceStore
from action_units.labels.action_units import DISFA_AUS
from action_units.models.registry import build_network
from action_units.models.trained import TrainedModel
from action_units.training.device import choose_machine
from action_units.training.inference import logits

BATCHES = (1, 64)
Way = Callable[[Faces], Any]


def untrained(spec: NetworkSpec, flip: bool) -> FoldModel:
    """A network as it was initialised."""
    model = TrainedModel(
        build_network(spec, len(DISFA_AUS)).eval(), spec, DISFA_AUS, {"flip_average": flip}
    )
    n = len(DISFA_AUS)
    thresholds = FittedThresholds((0.5,) * n, (True,) * n, (float("nan"),) * n)
    return FoldModel("untrained", model, Postprocessing(thresholds))


def in_torch(member: FoldModel, precision: str) -> Way:
    """As evaluation asks."""
    place = choose_machine(MachineConfig(device="cpu", precision=precision, threads=1))
    network = member.model.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def way(faces: Faces) -> Any:
        z = logits(network, torch.from_numpy(faces), place, flip=member.flip)
        return torch.sigmoid(z).numpy()

    return way


def on_runtime(content: bytes) -> Way:
    """On ONNX Runtime, one thread."""
    session = open_session(content, threads=1)
    return lambda faces: session.run(None, {"faces": faces})[0]


def dynamic(content: bytes) -> bytes:
    """Eight-bit integers whose ranges are found in each batch."""
    with tempfile.TemporaryDirectory() as folder:
        start, ready, done = (Path(folder) / f"{name}.onnx" for name in ("a", "b", "c"))
        start.write_bytes(content)
        quant_pre_process(str(start), str(ready))
        # Signed weights run at less than half of this.
        quantize_dynamic(str(ready), str(done), weight_type=QuantType.QUInt8)
        return done.read_bytes()


def tell(name: str, member: FoldModel, faces: Faces, rounds: int) -> dict[str, bytes]:
    """Print speed and differences of one network; its ONNX files' contents by way."""
    content = to_onnx([member], faces.shape[1], {})
    files = {
        "ONNX fp32": content,
        "ONNX INT8": quantise(content, faces[:CALIBRATION_FACES]),
        "ONNX INT8, dynamic": dynamic(content),
    }
    ways: dict[str, Way] = {
        "torch fp32": in_torch(member, "fp32"),
        "torch bf16": in_torch(member, "bf16"),
        **{way: on_runtime(file) for way, file in files.items()},
    }
    ways["torch fp32 again"] = ways["torch fp32"]
    print(
        f"{name}, {faces.shape[1]} px, mirror image "
        f"{'averaged in' if member.flip else 'not used'}"
    )
    shown = faces[: max(BATCHES)]
    exact = ways["torch fp32"](shown)
    speeds: dict[int, dict[str, float]] = {}
    for batch in BATCHES:
        asked = np.ascontiguousarray(shown[:batch])
        times = [[_seconds(way, asked) for way in ways.values()] for _ in range(rounds + 1)]
        columns = zip(*times[1:], strict=True)
        speeds[batch] = dict(zip(ways, (batch / median(one) for one in columns), strict=True))
    for way, answer in ways.items():
        told = [
            f"batch {batch}: {speed[way]:8.1f} faces/s, {speed[way] / exactly:5.2f}×"
            for batch, speed in speeds.items()
            for exactly in [speed["torch fp32"]]
        ]
        whole = answer(shown)
        alone = np.concatenate([answer(shown[row : row + 1]) for row in range(8)])
        size = f"{len(files[way]) / 1e6:.2f} MB, " if way in files else ""
        print(
            f"  {way:19} {'; '.join(told)}; {size}max |Δp| {np.abs(whole - exact).max():.1e}, "
            f"solo {np.abs(alone - whole[:8]).max():.1e}"
        )
    return files


def tell_f1(member: FoldModel, files: dict[str, bytes], tested: FaceStore) -> None:
    """Print F1 on test subjects, mean of AUs, of each file."""
    limits = np.array(member.postprocessing.thresholds.values)
    for way, content in files.items():
        p = run_session(open_session(content, threads=1), np.array(tested.faces))
        scores = f1(confusion(tested.labels, p >= limits))
        print(f"  {way:19} F1 {np.nanmean(scores):.4f}, mean of {len(scores)} AUs")


def _seconds(way: Way, faces: Faces) -> float:
    started = time.process_time()
    way(faces)
    return time.process_time() - started


def main() -> None:
    parser = argparse.ArgumentParser(description="ONNX against torch.")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--run", type=Path, help="a run's folder of models, for its fold 1")
    parser.add_argument("--store", type=Path, help="the face store it was trained on")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print(machine())
    if arguments.run is not None and arguments.store is not None:
        member = read_fold_model(arguments.run / "fold1" / MODEL)
        store = FaceStore.open(arguments.store)
        subjects = member.model.provenance["subjects"]
        known = np.flatnonzero(np.isin(store.subjects, subjects["train"]))
        chosen = known[np.linspace(0, len(known) - 1, CALIBRATION_FACES).astype(int)]
        files = tell("trained network", member, np.array(store.faces[chosen]), arguments.rounds)
        tested = store.select(np.flatnonzero(np.isin(store.subjects, subjects["test"])))
        tell_f1(member, files, tested)
    faces = synthetic_faces(CALIBRATION_FACES, 64, 0)
    for name, spec, flip in (
        ("residual", NetworkSpec(architecture="residual"), True),
        ("VGG13, quarter width", NetworkSpec(architecture="vgg13", width=0.25), False),
        ("VGG13, full width", NetworkSpec(architecture="vgg13"), False),
        ("ConvNeXt", NetworkSpec(architecture="convnext"), True),
    ):
        tell(name, untrained(spec, flip), faces, arguments.rounds)


if __name__ == "__main__":
    main()
