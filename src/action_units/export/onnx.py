"""Networks as an ONNX file: one graph from packed faces to probabilities.

The exporter is torch's TorchScript one. Of the two in torch 2.11 to 2.13 it is the one that
writes equal bytes for equal networks, needs no further package and is ten times as fast; the
newer one (``dynamo=True``) orders its nodes and names by chance. Both agree with torch to 3e-7.
"""

import io
import math
import warnings
from collections.abc import Sequence
from copy import deepcopy
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from action_units.errors import ArtifactError
from action_units.evaluation.predictions import EPS
from action_units.export.fold_models import FoldModel, remaining_postprocessing
from action_units.export.onnx_runtime import import_onnx, to_metadata
from action_units.labels.action_units import AU_NAMES
from action_units.training.augment import normalise
from action_units.training.data import luma, planes

OPSET = 18

CALIBRATION_EPS = 1e-7
"""Calibration keeps this distance from 0 and 1 (evaluation/postprocessing/calibration.py)."""


def to_onnx(models: Sequence[FoldModel], size: int, about: dict[str, Any]) -> bytes:
    """Networks as an ONNX file; equal networks and metadata give equal bytes.

    Its input ``faces`` is uint8 (N, S, S), or (N, S, S, 3) red-green-blue where the networks
    were trained on faces in colour, its output ``probabilities`` float32 (N, A). Where
    all networks estimate intensities and the graph does all their postprocessing, a second
    output ``intensities`` has them, NaN for an AU that is not estimated.

    Args:
        models: One network, or several that are combined.
        size: Side of the faces, in pixels.
        about: Further metadata: JSON values by key.

    Raises:
        ConfigurationError: The ``onnx`` package is not installed.
        ArtifactError: A graph cannot hold the network, or the postprocessing of several.
    """
    onnx = import_onnx("onnx")
    remaining = remaining_postprocessing(models)
    if remaining is None:
        raise ArtifactError(
            "Several networks whose probabilities are smoothed or calibrated by isotonic "
            "curves cannot be combined in one ONNX file; export them one by one "
            "(`--params fold=1`)."
        )
    first = models[0].model
    shape = (2, size, size, 3) if first.colour else (2, size, size)
    outputs = ["probabilities", *["intensities"] * has_intensities(models)]
    buffer = io.BytesIO()
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the exporter is not the newest; see the module
        try:
            torch.onnx.export(
                FaceClassifier(models, size),
                (torch.zeros(shape, dtype=torch.uint8),),
                buffer,  # type: ignore[arg-type]  # this exporter takes it
                dynamo=False,
                opset_version=OPSET,
                input_names=["faces"],
                output_names=outputs,
                dynamic_axes={name: {0: "N"} for name in ("faces", *outputs)},
            )
        except RuntimeError as error:
            raise ArtifactError(
                f"architecture {first.spec.architecture} cannot be written as ONNX "
                f"({str(error).splitlines()[0]}); export without it: `export.onnx=false`."
            ) from error
    model = onnx.load_from_string(buffer.getvalue())
    rest = remaining.to_json(first.aus)
    del rest["thresholds"]
    curve = rest.pop("intensity", None)
    metadata = {
        "aus": list(first.aus),
        "au_names": [AU_NAMES[au] for au in first.aus],
        "thresholds": list(remaining.thresholds.values),
        "thresholds_fitted_on": list(remaining.thresholds.fitted_on),
        "left_to_do": rest,
        **({} if curve is None else {"intensity": curve}),
        "preprocessing": {
            "size": size,
            "channels": 3 if first.colour else 1,
            "subtract": 127.5,
            "divide_by": 127.5,
            "network_sizes": [one.model.spec.image_size for one in models],
            "flip_average": [one.flip for one in models],
        },
        "faces": first.provenance.get("faces"),
        "members": [_facts(one) for one in models],
        **about,
    }
    onnx.helper.set_model_props(model, to_metadata(metadata))
    model.producer_name, model.producer_version = "action-units", about.get("version", "")
    onnx.checker.check_model(model, full_check=True)
    content: bytes = model.SerializeToString(deterministic=True)
    return content


def has_intensities(models: Sequence[FoldModel]) -> bool:
    """Whether a graph of these networks can estimate intensities."""
    return all(
        one.postprocessing.intensity is not None and one.temperatures is not None
        for one in models
    )


def face_size(models: Sequence[FoldModel], default: int | None = None) -> int:
    """Side of the faces that networks were trained on, as a store holds them, in pixels.

    Args:
        models: The networks.
        default: Where they did not record it; None: the size of their input.
    """
    model = models[0].model
    recorded = model.provenance.get("faces") or {}
    return int(recorded.get("size", default or model.spec.image_size))


def _facts(one: FoldModel) -> dict[str, Any]:
    """Where a network is from, as JSON values."""
    provenance = one.model.provenance
    fold = provenance.get("fold")
    return {
        "name": one.name,
        "sha256": one.sha256,
        "spec": one.model.spec.to_json(),
        "fold": None if fold is None else int(fold),
        **{key: provenance.get(key) for key in ("protocol", "recipe", "subjects")},
    }


class FaceClassifier(nn.Module):
    """The graph: one network, or several combined, with all that comes before and after.

    Postprocessing that a graph cannot do is left out; see ``remaining_postprocessing``.
    """

    def __init__(self, models: Sequence[FoldModel], size: int) -> None:
        """Take copies of the networks, for faces of `size` pixels."""
        super().__init__()
        self.parts = nn.ModuleList(_Part(one, size) for one in models)
        self.estimates = has_intensities(models)
        self.eval()

    def forward(self, faces: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """Probabilities and perhaps intensities, (N, A), of faces uint8 (N, S, S[, 3])."""
        logits: list[Tensor] = [part(faces) for part in self.parts]  # M of (N, A)
        if len(logits) == 1:
            p = torch.sigmoid(logits[0])
        else:
            # On logits: a float32 probability near 1 has too few digits left to be averaged.
            limit = _logit(EPS)
            clamped = [z.clamp(limit, -limit) for z in logits]
            p = torch.sigmoid(torch.stack(clamped).mean(dim=0))
        if not self.estimates:
            return p
        each = [
            cast(_Part, part).intensities(z) for part, z in zip(self.parts, logits, strict=True)
        ]
        return p, torch.stack(each).mean(dim=0)


class _Part(nn.Module):
    """One fold's network, its faces resized and its logits calibrated."""

    def __init__(self, one: FoldModel, size: int) -> None:
        super().__init__()
        spec = one.model.spec
        self.network = deepcopy(one.model.network).cpu().eval()
        self.flip, self.channels = one.flip, spec.channels
        self.temperatures: Tensor | None
        self.weights: Tensor | None
        self.scales: Tensor | None
        self.exponents: Tensor | None
        temperatures = one.temperatures
        calibrated = one.postprocessing.calibration is not None and temperatures is not None
        self.register_buffer("temperatures", torch.tensor(temperatures) if calibrated else None)
        curve = one.postprocessing.intensity
        self.register_buffer("scales", None if curve is None else torch.tensor(curve.scale))
        self.register_buffer(
            "exponents", None if curve is None else torch.tensor(curve.exponent)
        )
        self.register_buffer(
            "weights", None if spec.image_size == size else resizing(size, spec.image_size)
        )

    def forward(self, faces: Tensor) -> Tensor:
        """Logits (N, A) of faces (N, S, S[, 3])."""
        if faces.ndim == 4:
            faces = luma(faces) if self.channels == 1 else planes(faces)  # or (N, 3, S, S)
        if self.weights is not None:
            rows = faces.to(torch.float32) @ self.weights.T  # (…, S, S')
            faces = (self.weights @ rows).round().clamp(0, 255)  # (…, S', S')
        x = normalise(faces) if faces.ndim == 3 else faces.to(torch.float32) / 127.5 - 1.0
        x = x.expand(-1, self.channels, -1, -1)
        z: Tensor = self.network(x)
        if self.flip:
            z = (z + self.network(x.flip(-1))) / 2
        if self.temperatures is not None:
            limit = _logit(CALIBRATION_EPS)
            z = z.clamp(limit, -limit) / self.temperatures
        return z

    def intensities(self, z: Tensor) -> Tensor:
        """Of its logits, both (N, A)."""
        assert self.scales is not None
        assert self.exponents is not None
        return self.scales * torch.sigmoid(z) ** self.exponents


def resizing(size: int, target: int) -> Tensor:
    """``training.data.resized`` along one side as a matrix, (target, size).

    ONNX has no operator that resizes as torch does; the same weights in two matrix products
    give the same grey levels, except where a value lies half way between two of them: there
    the last digit of the sum decides, and each adds up in an order of its own.
    """
    columns = functional.interpolate(
        torch.eye(size)[None, None], (target, size), mode="bilinear", antialias=True
    )
    return columns[0, 0]


def _logit(p: float) -> float:
    return math.log(p / (1.0 - p))
