"""Writing networks as ONNX.

The exporter is torch's TorchScript one. Of the two that torch 2.11 to 2.13 have it is the one
that writes equal bytes for equal networks, needs no further package and is ten times as fast;
the newer one (``dynamo=True``) orders its nodes and names by chance. Both agree with torch
to 3e-7.
"""

import io
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from action_units.errors import ArtifactError
from action_units.export.graph import FaceClassifier
from action_units.export.members import PackagedMember, left_to_do
from action_units.export.onnx_network import to_metadata
from action_units.extras import import_extra
from action_units.faces.store import Faces
from action_units.labels.action_units import AU_NAMES

OPSET = 18


def face_size(members: Sequence[PackagedMember], otherwise: int | None = None) -> int:
    """Side of the faces that networks were trained on, as a store holds them, in pixels.

    Args:
        members: The networks.
        otherwise: The side where the networks do not say it; without, what they take.
    """
    model = members[0].model
    recorded = model.provenance.get("faces") or {}
    return int(recorded.get("size", otherwise or model.spec.image_size))


def to_onnx(members: Sequence[PackagedMember], size: int, about: dict[str, Any]) -> bytes:
    """Networks as an ONNX file; equal networks and metadata give equal bytes.

    Its input ``faces`` is uint8 (N, S, S), its output ``probabilities`` float32 (N, A).

    Args:
        members: One network, or several that answer as one.
        size: Side of the faces, in pixels.
        about: Further metadata: JSON values by key.

    Raises:
        ConfigurationError: The ``onnx`` package is not installed.
        ArtifactError: The treatments of several networks cannot be put into a graph.
    """
    onnx = import_extra("onnx", "onnx", "An ONNX file")
    postprocessing = left_to_do(members)
    if postprocessing is None:
        raise ArtifactError(
            "Several networks whose probabilities are smoothed or calibrated by isotonic "
            "curves cannot answer as one ONNX file; export them one by one "
            "(`--params fold=1`)."
        )
    first = members[0].model
    buffer = io.BytesIO()
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the exporter is not the newest; see the module
        try:
            torch.onnx.export(
                FaceClassifier(members, size),
                (torch.zeros(2, size, size, dtype=torch.uint8),),
                buffer,  # type: ignore[arg-type]  # this exporter takes it
                dynamo=False,
                opset_version=OPSET,
                input_names=["faces"],
                output_names=["probabilities"],
                dynamic_axes={"faces": {0: "N"}, "probabilities": {0: "N"}},
            )
        except RuntimeError as error:
            raise ArtifactError(
                f"architecture {first.spec.architecture} cannot be written as ONNX "
                f"({str(error).splitlines()[0]}); export it without: `export.onnx=false`."
            ) from error
    model = onnx.load_from_string(buffer.getvalue())
    rest = postprocessing.to_json(first.aus)
    del rest["thresholds"]
    metadata = {
        "aus": list(first.aus),
        "au_names": [AU_NAMES[au] for au in first.aus],
        "thresholds": list(postprocessing.thresholds.values),
        "thresholds_fitted_on": list(postprocessing.thresholds.fitted_on),
        "left_to_do": rest,
        "preprocessing": preprocessing(members, size),
        "faces": first.provenance.get("faces"),
        "members": [member_facts(member) for member in members],
        **about,
    }
    onnx.helper.set_model_props(model, to_metadata(metadata))
    model.producer_name, model.producer_version = "action-units", about.get("version", "")
    onnx.checker.check_model(model, full_check=True)
    content: bytes = model.SerializeToString(deterministic=True)
    return content


def preprocessing(members: Sequence[PackagedMember], size: int) -> dict[str, Any]:
    """What happens to a face in the graph, as JSON values."""
    return {
        "size": size,
        "channels": 1,
        "subtract": 127.5,
        "divide_by": 127.5,
        "network_sizes": [member.model.spec.image_size for member in members],
        "flip_average": [member.flip for member in members],
    }


def member_facts(member: PackagedMember) -> dict[str, Any]:
    """Where a network is from, as JSON values."""
    provenance = member.model.provenance
    return {
        "name": member.name,
        "sha256": member.sha256,
        "spec": member.model.spec.to_json(),
        "fold": member.fold,
        **{key: provenance.get(key) for key in ("protocol", "recipe", "subjects")},
    }


def evenly(there: int, wanted: int) -> npt.NDArray[np.int64]:
    """At most ``wanted`` row numbers, evenly spaced over ``there`` rows."""
    return np.unique(np.linspace(0, there - 1, min(there, wanted)).round().astype(np.int64))


def made_up_faces(n: int, size: int, seed: int) -> Faces:
    """Blotches of grey from coarse to fine, uint8 (n, size, size)."""
    random = np.random.default_rng([seed, n, size])
    faces = np.zeros((n, size, size))
    for cells in (2, 5, 11, size):
        coarse = random.normal(size=(n, cells, cells))
        at = np.arange(size) * cells // size
        faces += coarse[:, at][:, :, at]
    scaled = 128 + 40 * faces * random.uniform(0.2, 1.5, (n, 1, 1))
    return scaled.clip(0, 255).astype(np.uint8)
