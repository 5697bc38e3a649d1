"""An ONNX file in eight-bit integers, and what that loses and gains.

Static quantisation: the range of every layer is measured once on some faces, and stands in the
file. Dynamic quantisation, which measures ranges anew in each batch and needs no faces,
was tried first (docs/exporting.md): it runs slower than float32 or hardly faster, and what it
says of a face depends on the other faces in the batch.
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

from action_units.evaluation.bootstrap import mean_defined
from action_units.evaluation.metrics import confusion, f1
from action_units.evaluation.postprocessing.postprocessing import Postprocessing
from action_units.evaluation.tables import average_sets
from action_units.export.onnx import evenly
from action_units.export.onnx_network import ask, open_session
from action_units.extras import import_extra
from action_units.faces.store import Faces, FaceStore
from action_units.files import temporary_folder
from action_units.labels.action_units import au_column

CALIBRATION_FACES = 256
"""More change nothing to speak of."""

BATCHES = (1, 64)
"""Faces at a time in which speed is measured."""

_QUANTISED = "/network/backbone/"
"""In the names of the nodes that become integers (``graph.FaceClassifier``)."""

_BLOCK = 16
_SECONDS = 1.5


def quantise(content: bytes, faces: Faces) -> bytes:
    """An ONNX file's content with backbones of eight bits.

    Args:
        content: Of ``onnx.to_onnx``.
        faces: To measure ranges on, uint8 (N, S, S); ``CALIBRATION_FACES``, evenly spaced
            among them, are taken.

    Returns:
        The new file's content, with the same metadata.
    """
    onnx = import_extra("onnx", "onnx", "An ONNX file")
    tools = import_extra("onnxruntime.quantization", "onnx", "An ONNX file")
    prepare = import_extra(
        "onnxruntime.quantization.shape_inference", "onnx", "An ONNX file"
    ).quant_pre_process
    taken = faces[evenly(len(faces), CALIBRATION_FACES)]

    class Reader(tools.CalibrationDataReader):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            starts = range(0, len(taken), _BLOCK)
            self.blocks = iter([{"faces": taken[start : start + _BLOCK]} for start in starts])

        def get_next(self) -> Any:
            return next(self.blocks, None)

    with temporary_folder("action-units-export") as folder, _quiet():
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
            # Heads and what stands around the networks cost nothing, and a sigmoid of eight
            # bits knows 256 probabilities.
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
        store: Labelled faces of the right AUs.
        postprocessing: What is left to be done to both files' probabilities.
        unseen: The faces' subjects took no part in the training.

    Returns:
        JSON values: ``faces``, ``subjects``, ``unseen``, ``max_difference`` and
        ``mean_difference`` of probabilities, ``calls_changed`` (a share), ``f1`` with
        ``before``, ``after`` and ``lost`` by AU and average (null where undefined), and
        ``speed`` from ``measure_speed``.
    """
    alone = np.arange(len(store.faces)), np.zeros(len(store.faces), np.int64)
    said = [  # every face for itself: nothing is smoothed
        postprocessing.probabilities(
            ask(open_session(content), np.asarray(store.faces)), *alone
        )
        for content in (before, after)
    ]
    calls = [p >= np.array(postprocessing.thresholds.values) for p in said]
    scores = [f1(confusion(store.labels, called)) for called in calls]  # of (A,)
    off = np.abs(said[1] - said[0])
    return {
        "faces": len(store.faces),
        "subjects": len(np.unique(store.subjects)),
        "unseen": unseen,
        "max_difference": float(off.max()),
        "mean_difference": float(off.mean()),
        "calls_changed": float((calls[0] != calls[1]).mean()),
        "f1": _by_line(store.aus, *scores),
        "speed": measure_speed(before, after, np.asarray(store.faces[: max(BATCHES)])),
    }


def measure_speed(before: bytes, after: bytes, faces: Faces) -> dict[str, Any]:
    """Faces a second of both files on one thread, taken in turn, medians of its own time.

    Args:
        before: The float32 file's content.
        after: The eight-bit file's.
        faces: To ask about; repeated where they are fewer than a batch.

    Returns:
        ``machine``, ``threads``; under ``batches``, by size, ``before``, ``after``, ``gain``.
    """
    sessions = [open_session(content, threads=1) for content in (before, after)]
    found: dict[str, dict[str, float]] = {}
    for batch in BATCHES:
        asked = np.resize(faces, (batch, *faces.shape[1:]))
        rounds: list[list[float]] = []
        ends = time.perf_counter() + _SECONDS
        while len(rounds) < 4 or (time.perf_counter() < ends and len(rounds) < 200):
            rounds.append([_seconds(session, asked) for session in sessions])
        slow, fast = (batch / median(column) for column in zip(*rounds[1:], strict=True))
        found[str(batch)] = {"before": slow, "after": fast, "gain": fast / slow}
    return {"machine": machine(), "threads": 1, "batches": found}


def machine() -> dict[str, Any]:
    """The processor that speed was measured on."""
    name = platform.processor() or platform.machine()
    told = Path("/proc/cpuinfo")
    if told.is_file():
        lines = (line.partition(":") for line in told.read_text().splitlines())
        name = next((v.strip() for k, _, v in lines if k.strip() == "model name"), name)
    return {"processor": name, "cores": os.cpu_count(), "system": platform.system()}


def _seconds(session: Any, faces: Faces) -> float:
    started = time.process_time()
    session.run(None, {"faces": faces})
    return time.process_time() - started


def _by_line(aus: tuple[int, ...], before: Any, after: Any) -> dict[str, dict[str, Any]]:
    """F1 before and after, by AU and average."""
    lines = {au_column(au): (au,) for au in aus} | average_sets(aus)
    found = {}
    for name, chosen in lines.items():
        columns = [aus.index(au) for au in chosen]
        one, other = (float(mean_defined(scores[columns])) for scores in (before, after))
        figures = {"before": one, "after": other, "lost": one - other}
        found[name] = {k: None if np.isnan(v) else v for k, v in figures.items()}
    return found


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the advice that the quantiser gives through the root logger."""

    def refuse(record: logging.LogRecord) -> bool:
        return False

    root = logging.getLogger()
    root.addFilter(refuse)
    try:
        yield
    finally:
        root.removeFilter(refuse)
