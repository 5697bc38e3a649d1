"""An ONNX file in eight-bit integers, and what that loses and gains.

Static quantisation: the range of every layer is measured once on some faces and written into
the file. Dynamic quantisation, which measures ranges in each batch and needs no faces, was
tried first (docs/exporting.md): it is slower than float32 or hardly faster, and a face's
probabilities depend on the other faces in the batch.
"""

import logging
import os
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from action_units.evaluation.metrics import average_sets, confusion, f1, mean_defined
from action_units.evaluation.postprocessing.postprocessing import Postprocessing
from action_units.export.check import evenly_spaced
from action_units.export.onnx_runtime import import_onnx, open_session, run_session
from action_units.faces.store import Faces, FaceStore
from action_units.files import temporary_folder
from action_units.labels.action_units import au_column

CALIBRATION_FACES = 256
"""More faces change next to nothing."""

BATCHES = (1, 64)
"""Batch sizes in which speed is measured."""

_QUANTISED = "/network/backbone/"
"""In the names of the nodes that become integers (``onnx.FaceClassifier``)."""

_BLOCK = 16
_SECONDS = 1.5


def quantise(content: bytes, faces: Faces) -> bytes:
    """An ONNX file's content with backbones of eight bits, and the same metadata.

    Args:
        content: Of ``onnx.to_onnx``.
        faces: To measure ranges on, uint8 (N, S, S[, 3]); ``CALIBRATION_FACES`` of them, evenly
            spaced, are used.
    """
    onnx = import_onnx("onnx")
    tools = import_onnx("onnxruntime.quantization")
    prepare = import_onnx("onnxruntime.quantization.shape_inference").quant_pre_process
    chosen = faces[evenly_spaced(len(faces), CALIBRATION_FACES)]

    class Reader(tools.CalibrationDataReader):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            starts = range(0, len(chosen), _BLOCK)
            self.blocks = iter([{"faces": chosen[start : start + _BLOCK]} for start in starts])

        def get_next(self) -> Any:
            return next(self.blocks, None)

    with temporary_folder("action-units-export") as folder, _quiet_root_logger():
        start, ready, done = (folder / f"{name}.onnx" for name in ("a", "b", "c"))
        start.write_bytes(content)
        prepare(str(start), str(ready))
        nodes = [node.name for node in onnx.load(str(ready)).graph.node]
        tools.quantize_static(
            str(ready),
            str(done),
            Reader(),
            quant_format=tools.QuantFormat.QDQ,
            per_channel=True,
            activation_type=tools.QuantType.QUInt8,
            weight_type=tools.QuantType.QInt8,
            # Of seven bits: processors without VNNI add up products of eight in 16 bits, which
            # are too few, so the file would say something else there.
            reduce_range=True,
            # Heads and resizing cost nothing; a sigmoid of eight bits has 256 probabilities.
            nodes_to_exclude=[name for name in nodes if _QUANTISED not in name],
        )
        model = onnx.load(str(done))
    before = onnx.load_from_string(content)
    onnx.helper.set_model_props(model, {p.key: p.value for p in before.metadata_props})
    model.producer_name, model.producer_version = before.producer_name, before.producer_version
    onnx.checker.check_model(model)
    quantised: bytes = model.SerializeToString(deterministic=True)
    return quantised


def compare(
    before: bytes, after: bytes, store: FaceStore, postprocessing: Postprocessing, unseen: bool
) -> dict[str, Any]:
    """What the quantised file loses in F1 and gains in speed.

    Args:
        before: The float32 file's content.
        after: The eight-bit file's.
        store: Labelled faces of the same AUs.
        postprocessing: Not in the graphs; nothing is smoothed, every face is on its own.
        unseen: The faces' subjects took no part in the training.

    Returns:
        JSON values: ``faces``, ``subjects``, ``unseen``, ``max_difference`` and
        ``mean_difference`` of probabilities, ``calls_changed`` (a share), ``f1`` with
        ``before``, ``after`` and ``lost`` by AU and average (null where undefined), and
        ``speed`` from ``measure_speed``.
    """
    faces = np.asarray(store.faces)
    alone = np.arange(len(faces)), np.zeros(len(faces), np.int64)
    p = [
        postprocessing.probabilities(run_session(open_session(content), faces), *alone)
        for content in (before, after)
    ]
    calls = [one >= np.array(postprocessing.thresholds.values) for one in p]
    scores = [f1(confusion(store.labels, called)) for called in calls]  # of (A,)
    difference = np.abs(p[1] - p[0])
    by_line: dict[str, dict[str, float | None]] = {}
    for name, aus in (
        {au_column(au): (au,) for au in store.aus} | average_sets(store.aus)
    ).items():
        columns = [store.aus.index(au) for au in aus]
        one, other = (float(mean_defined(values[columns])) for values in scores)
        line = {"before": one, "after": other, "lost": one - other}
        by_line[name] = {key: None if np.isnan(value) else value for key, value in line.items()}
    return {
        "faces": len(faces),
        "subjects": len(np.unique(store.subjects)),
        "unseen": unseen,
        "max_difference": float(difference.max()),
        "mean_difference": float(difference.mean()),
        "calls_changed": float((calls[0] != calls[1]).mean()),
        "f1": by_line,
        "speed": measure_speed(before, after, faces[: max(BATCHES)]),
    }


def measure_speed(before: bytes, after: bytes, faces: Faces) -> dict[str, Any]:
    """Faces a second of both files on one thread, in alternation, medians of process time.

    Args:
        before: The float32 file's content.
        after: The eight-bit file's.
        faces: Repeated where they are fewer than a batch.

    Returns:
        ``machine``, ``threads``; under ``batches``, by size, ``before``, ``after``, ``gain``.
    """
    sessions = [open_session(content, threads=1) for content in (before, after)]
    batches: dict[str, dict[str, float]] = {}
    for batch in BATCHES:
        some = np.resize(faces, (batch, *faces.shape[1:]))
        rounds: list[list[float]] = []
        ends = time.perf_counter() + _SECONDS
        while len(rounds) < 4 or (time.perf_counter() < ends and len(rounds) < 200):
            rounds.append([_seconds(session, some) for session in sessions])
        slow, fast = (batch / median(column) for column in zip(*rounds[1:], strict=True))
        batches[str(batch)] = {"before": slow, "after": fast, "gain": fast / slow}
    return {"machine": machine(), "threads": 1, "batches": batches}


def machine() -> dict[str, Any]:
    """The processor that speed was measured on."""
    name = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        lines = (line.partition(":") for line in cpuinfo.read_text().splitlines())
        name = next((v.strip() for k, _, v in lines if k.strip() == "model name"), name)
    return {"processor": name, "cores": os.cpu_count(), "system": platform.system()}


def _seconds(session: Any, faces: Faces) -> float:
    started = time.process_time()
    session.run(None, {"faces": faces})
    return time.process_time() - started


@contextmanager
def _quiet_root_logger() -> Iterator[None]:
    """Drop the advice that the quantiser logs through the root logger."""

    def drop(record: logging.LogRecord) -> bool:
        return False

    root = logging.getLogger()
    root.addFilter(drop)
    try:
        yield
    finally:
        root.removeFilter(drop)
