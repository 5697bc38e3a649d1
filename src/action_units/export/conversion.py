"""Networks as ONNX files, checked against torch and measured, and what was found."""

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np

from action_units.errors import ArtifactError
from action_units.export.check import check_onnx
from action_units.export.members import PackagedMember, left_to_do
from action_units.export.onnx import OPSET, evenly, face_size, to_onnx
from action_units.export.quantisation import CALIBRATION_FACES, compare, quantise
from action_units.faces.store import FaceStore

logger = logging.getLogger(__name__)

ONNX, INT8 = "model.onnx", "model-int8.onnx"

MEASURED_FACES = 5_000
"""Of more faces, so many evenly spaced ones tell what integers lose."""


def convert(
    members: Sequence[PackagedMember],
    store: FaceStore | None,
    about: dict[str, Any],
    int8: bool = True,
) -> tuple[dict[str, bytes], dict[str, Any]]:
    """Write networks as one ONNX file, and as one of eight-bit integers.

    Args:
        members: One network, or several that answer as one.
        store: Labelled faces of the data that they were trained on; without them there is
            no file of integers.
        about: Further metadata of the files.
        int8: Whether to make the second file.

    Returns:
        The files' bytes by name; and facts as JSON values: ``onnx`` with the check against
        torch, ``int8`` with what it loses and gains, ``left_out`` with a sentence where
        a file is not made.

    Raises:
        ArtifactError: The file does not answer as torch does, or the store holds faces of
            another size or other AUs.
        ConfigurationError: The extra ``onnx`` is not installed.
    """
    postprocessing = left_to_do(members)
    if postprocessing is None:
        return {}, _left_out(
            "There is no ONNX file: the probabilities of each network are smoothed, or "
            "calibrated by isotonic curves, before they are averaged, and a graph cannot do "
            "that. One fold alone can be exported."
        )
    if store is not None and not len(store):
        store = None
    if store is not None:
        _refuse_other_store(members, store)
    size = face_size(members, None if store is None else store.faces.shape[1])
    content = to_onnx(members, size, about)
    check = check_onnx(content, members, size, None if store is None else store.faces)
    files = {ONNX: content}
    facts: dict[str, Any] = {"onnx": {"file": ONNX, "opset": OPSET, "check": check}}
    logger.info(
        "ONNX against torch, %s faces: the largest difference of a probability is %.1e.",
        f"{check['faces']:,}",
        check["max_difference"],
    )
    if not int8:
        return files, facts
    if store is None:
        return files, facts | _left_out(
            "There is no INT8 file: it takes faces to measure the ranges of integers on, and "
            "there is no face store with faces beside the run."
        )
    learned = np.isin(store.subjects, sorted(_subjects(members, "train", "validation")))
    tested = np.isin(store.subjects, sorted(_subjects(members, "test"))) & ~learned
    unseen = bool(tested.any())
    ranges = store.select(np.flatnonzero(learned)) if learned.any() else store
    quantised = quantise(content, _some(ranges, CALIBRATION_FACES).faces)
    judged = _some(store.select(np.flatnonzero(tested)) if unseen else store, MEASURED_FACES)
    logger.info("Measuring INT8 on %s faces.", f"{len(judged):,}")
    measured = compare(content, quantised, judged, postprocessing, unseen)
    for batch, speed in measured["speed"]["batches"].items():
        logger.info("INT8 in batches of %s: %.2f× the speed of float32.", batch, speed["gain"])
    return {**files, INT8: quantised}, facts | {
        "int8": {
            "file": INT8,
            "how": "static, backbones, by channel",
            "ranges_from_faces": min(len(ranges), CALIBRATION_FACES),
            **measured,
        }
    }


def _left_out(why: str) -> dict[str, str]:
    logger.warning(why)
    return {"left_out": why}


def _some(store: FaceStore, wanted: int) -> FaceStore:
    """At most so many faces, evenly spaced, in memory."""
    return store.select(evenly(len(store), wanted))


def _subjects(members: Sequence[PackagedMember], *parts: str) -> set[str]:
    found: set[str] = set()
    for member in members:
        who = member.model.provenance.get("subjects") or {}
        found.update(*(who.get(part, ()) for part in parts))
    return found


def _refuse_other_store(members: Sequence[PackagedMember], store: FaceStore) -> None:
    """The faces must be such as the networks were trained on."""
    size, aus = face_size(members, store.faces.shape[1]), members[0].model.aus
    if store.faces.shape[1] != size or store.aus != aus:
        raise ArtifactError(
            f"The faces given are of {store.faces.shape[1]} px with AUs "
            f"{', '.join(map(str, store.aus))}; the networks were trained on {size} px and "
            f"tell AUs {', '.join(map(str, aus))}. Give the face store that they were trained "
            "on."
        )
