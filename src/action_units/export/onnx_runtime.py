"""An exported network in ONNX Runtime; this module does not import torch."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from action_units.errors import ArtifactError, ConfigurationError
from action_units.evaluation.postprocessing.calibration import calibration_from_json
from action_units.evaluation.postprocessing.intensity import IntensityCurve
from action_units.evaluation.postprocessing.postprocessing import PersonCentred, Postprocessing
from action_units.evaluation.postprocessing.smoothing import Smoothing
from action_units.evaluation.postprocessing.thresholds import FittedThresholds
from action_units.extras import import_extra
from action_units.faces.store import Faces
from action_units.files import verify
from action_units.labels.action_units import au_columns
from action_units.threads import thread_limit

SCHEMA = 1
"""Of the metadata in an ONNX file."""

BATCH = 64


def import_onnx(module: str) -> Any:
    """A module of the optional packages ``onnx`` (writing) and ``onnxruntime`` (running)."""
    return import_extra(module, "onnx", "An ONNX file")


class OnnxNetwork:
    """An ONNX file of this project: one fold's network, or those of several folds combined.

    Attributes:
        path: The file.
        metadata: By key.
        aus: The AU of each column.
        size: Side of the faces it takes, in pixels.
        colour: It was trained on faces in colour.
        postprocessing: Thresholds, and what the graph does not do.
    """

    def __init__(self, path: Path | str, threads: int = 0) -> None:
        """Open a file after checking it against its manifest.

        Args:
            path: The file.
            threads: To compute on; 0 is what ``threads.limited`` sets, or one for each core.

        Raises:
            ArtifactError: Missing, damaged, or not an ONNX file of this project.
            ConfigurationError: ONNX Runtime is not installed.
        """
        import_onnx("onnxruntime")
        self.path = verify(path)
        try:
            self._session = open_session(self.path.read_bytes(), threads)
            self.metadata = read_metadata(self._session.get_modelmeta().custom_metadata_map)
            self.aus = tuple(int(au) for au in self.metadata["aus"])
            self.size = int(self.metadata["preprocessing"]["size"])
            self.colour = self.metadata["preprocessing"]["channels"] == 3
            self.postprocessing = _postprocessing(self.metadata, self.aus)
        except Exception as error:  # a file of another program may fail anywhere
            raise ArtifactError(
                f"{self.path} is whole but is not an ONNX file that this version can read "
                f"({error})."
            ) from error

    def probabilities(self, faces: Faces) -> npt.NDArray[np.float32]:
        """The probability of every AU on every face.

        Args:
            faces: uint8, as the face store that it was trained on holds them: (N, S, S), or
                in colour (N, S, S, 3), for which grey ones are repeated.

        Returns:
            float32 (N, A), in the order of ``aus``.

        Raises:
            ConfigurationError: They are not such faces.
        """
        expected = (self.size, self.size, *((3,) if self.colour else ()))
        if self.colour and faces.ndim == 3:
            faces = np.repeat(faces[..., None], 3, axis=3)
        if faces.dtype != np.uint8 or faces.shape[1:] != expected:
            raise ConfigurationError(
                f"faces are {faces.dtype} {faces.shape}; {self.path.name} takes uint8 "
                f"(N, {', '.join(map(str, expected))}), as the face store that it was trained "
                "on holds them."
            )
        return run_session(self._session, faces)


def open_session(content: bytes, threads: int = 0) -> Any:
    """Load the content of an ONNX file for the CPU; arguments as for ``OnnxNetwork``."""
    runtime = import_onnx("onnxruntime")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads or thread_limit() or 0
    # Threads that wait do not take a core from other programs.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3  # errors
    return runtime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def run_session(session: Any, faces: Faces) -> npt.NDArray[np.float32]:
    """Probabilities float32 (N, A) of faces uint8 (N, S, S[, 3]), by ``open_session``."""
    blocks = [
        session.run(None, {"faces": np.ascontiguousarray(faces[start : start + BATCH])})[0]
        for start in range(0, max(len(faces), 1), BATCH)
    ]
    return np.concatenate(blocks)


def to_metadata(content: dict[str, Any]) -> dict[str, str]:
    """JSON values, among them ``aus``, as the metadata of an ONNX file."""
    whole = {"schema": SCHEMA, "au_columns": au_columns(content["aus"]), **content}
    return {
        key: json.dumps(whole[key], sort_keys=True, allow_nan=False) for key in sorted(whole)
    }


def read_metadata(metadata: dict[str, str]) -> dict[str, Any]:
    """Read what ``to_metadata`` wrote; ValueError if it is of another program or version."""
    if "schema" not in metadata:
        raise ValueError("its metadata are not of this project")
    content = {key: json.loads(value) for key, value in metadata.items()}
    if content["schema"] != SCHEMA:
        raise ValueError(f"schema {content['schema']}, this version reads {SCHEMA}")
    return content


def _postprocessing(metadata: Mapping[str, Any], aus: Sequence[int]) -> Postprocessing:
    """The postprocessing that the graph does not do."""
    values = tuple(float(value) for value in metadata["thresholds"])
    if len(values) != len(aus):
        raise ValueError(f"{len(values)} thresholds for {len(aus)} AUs")
    left = metadata["left_to_do"]
    calibration, intensity = left["calibration"], metadata.get("intensity")
    return Postprocessing(
        FittedThresholds(
            values,
            (False,) * len(values),
            (math.nan,) * len(values),
            tuple(metadata["thresholds_fitted_on"]),
        ),
        Smoothing.from_json(left["smoothing"]),
        None if calibration is None else calibration_from_json(calibration, aus),
        None if intensity is None else IntensityCurve.from_json(intensity, aus),
        person_centred=PersonCentred.from_json(left["person_centred"], aus)
        if "person_centred" in left
        else None,
    )
