"""Writing networks as ONNX, and making sure that the file answers as torch does.

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
from scipy.special import expit

from action_units.errors import ArtifactError
from action_units.export.graph import CALIBRATED_WITHIN, FaceClassifier
from action_units.export.members import FURTHEST, PackagedMember, left_to_do
from action_units.export.onnx_network import ask, open_session, to_metadata
from action_units.export.optional_onnx import import_onnx
from action_units.faces.store import Faces
from action_units.facs.action_units import AU_NAMES
from action_units.training.arrays import resized
from action_units.training.devices import choose_machine
from action_units.training.inference import logits

OPSET = 18
MOST_OFF = 1e-5
"""A file whose probabilities are further from torch's is refused."""

CHECKED_FACES = 1000
"""How many a file is checked on …"""

MADE_UP_FACES = 256
"""… and how many of them are made up where there are real ones."""

_BLOCK = 64


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
    onnx = import_onnx("onnx")
    treatment = left_to_do(members)
    if treatment is None:
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
    rest = treatment.to_json(first.aus)
    del rest["thresholds"]
    metadata = {
        "aus": list(first.aus),
        "au_names": [AU_NAMES[au] for au in first.aus],
        "thresholds": list(treatment.thresholds.values),
        "thresholds_fitted_on": list(treatment.thresholds.fitted_on),
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
        "spec": member.model.spec.to_dict(),
        "fold": member.fold,
        **{key: provenance.get(key) for key in ("protocol", "recipe", "subjects")},
    }


def torch_probabilities(
    members: Sequence[PackagedMember], faces: Faces
) -> npt.NDArray[np.float64]:
    """What the networks say through evaluation's own code, combined in float64.

    Args:
        members: One network, or several that answer as one.
        faces: uint8 (N, S, S).

    Returns:
        (N, A).
    """
    machine = choose_machine("cpu", "fp32")
    found = np.empty((len(members), len(faces), len(members[0].model.aus)))  # (M, N, A)
    for row, member in zip(found, members, strict=True):
        network = member.model.network.eval()
        spec = member.model.spec
        for start in range(0, len(faces), _BLOCK):
            block = torch.from_numpy(np.array(faces[start : start + _BLOCK]))
            batch = resized(block, spec.image_size)
            row[start : start + _BLOCK] = logits(
                network, batch, machine, spec.channels, flip=member.flip
            ).numpy()
        if member.treatment.calibration is not None and member.temperatures is not None:
            furthest = np.log(CALIBRATED_WITHIN / (1 - CALIBRATED_WITHIN))
            row[:] = np.clip(row, furthest, -furthest) / np.array(member.temperatures)
    if len(found) == 1:
        return np.asarray(expit(found[0]), np.float64)
    furthest = np.log(FURTHEST / (1 - FURTHEST))
    return np.asarray(expit(np.clip(found, furthest, -furthest).mean(axis=0)), np.float64)


def check_onnx(
    content: bytes,
    members: Sequence[PackagedMember],
    size: int,
    real: Faces | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """Refuse an ONNX file that does not answer as torch does.

    Args:
        content: Of ``to_onnx``.
        members: What it was made of.
        size: Side of the faces.
        real: Faces of people or of the sample, uint8 (M, S, S); up to ``CHECKED_FACES -
            MADE_UP_FACES`` of them, evenly spaced, are asked about.
        seed: Of the made-up faces.

    Returns:
        ``faces`` (how many), ``made_up`` (of them), ``max_difference`` of a probability, and
        ``allowed``.

    Raises:
        ArtifactError: A probability is further off than ``MOST_OFF``.
    """
    taken = evenly(0 if real is None else len(real), CHECKED_FACES - MADE_UP_FACES)
    asked = made_up_faces(CHECKED_FACES - len(taken), size, seed)
    if real is not None:
        asked = np.concatenate([asked, real[taken]])
    found = ask(open_session(content), asked)
    off = float(np.abs(found - torch_probabilities(members, asked)).max())
    if not off <= MOST_OFF:
        raise ArtifactError(
            f"The ONNX file is not written: over {len(asked):,} faces its probabilities differ "
            f"from torch's by up to {off:.2g}; {MOST_OFF:g} is allowed."
        )
    return {
        "faces": len(asked),
        "made_up": len(asked) - len(taken),
        "max_difference": off,
        "allowed": MOST_OFF,
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
