"""Check that an ONNX file gives torch's probabilities and the intensities of these.

Where a network takes another size than the store's, torch and ONNX Runtime may round a
value half way between two grey levels to different sides (``onnx.resizing``). So there are
two checks: pixels are at most one grey level off, and on the same pixels the probabilities
agree.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from scipy.special import expit

from action_units.config import MachineConfig
from action_units.errors import ArtifactError
from action_units.evaluation.predictions import EPS
from action_units.export.fold_models import FoldModel
from action_units.export.onnx import CALIBRATION_EPS
from action_units.export.onnx_runtime import import_onnx, open_session
from action_units.faces.store import Faces
from action_units.training.data import resized
from action_units.training.device import choose_machine
from action_units.training.inference import logits

MAX_DIFFERENCE = 1e-5
"""Of a probability, or an intensity of 0 to 5, from torch's."""

CHECKED_FACES = 1000
"""How many faces a file is checked on …"""

SYNTHETIC_FACES = 256
"""… and how many of them are synthetic where there are real ones."""

_BLOCK = 64


def check_onnx(
    content: bytes,
    models: Sequence[FoldModel],
    size: int,
    real: Faces | None = None,
) -> dict[str, Any]:
    """Check an ONNX file against torch.

    Args:
        content: Of ``to_onnx``.
        models: What it was made of.
        size: Side of the faces.
        real: Faces of people or of the sample, uint8 (M, S, S[, 3]); up to ``CHECKED_FACES -
            SYNTHETIC_FACES`` of them, evenly spaced, are used.

    Returns:
        ``faces`` (how many), ``made_up`` (of them synthetic), ``max_difference`` of a
        probability, ``allowed``, ``pixels_off``, the share of resized pixels that are a grey
        level off, and ``max_difference_of_intensity`` where the file has intensities.

    Raises:
        ArtifactError: A probability is further off than ``MAX_DIFFERENCE``, or a pixel than
            one grey level.
    """
    chosen = evenly_spaced(0 if real is None else len(real), CHECKED_FACES - SYNTHETIC_FACES)
    faces = synthetic_faces(CHECKED_FACES - len(chosen), size, models[0].model.colour)
    if real is not None:
        faces = np.concatenate([faces, real[chosen]])
    probabilities, intensities, inputs = _run_onnx(content, len(models), faces)
    pixels_off = _share_off(models, faces, inputs)
    difference = float(np.abs(probabilities - torch_probabilities(models, faces, inputs)).max())
    further = {}
    if intensities is not None:
        expected = _torch_intensities(models, _torch_logits(models, faces, inputs))
        off = float(np.nanmax(np.abs(intensities - expected)))
        if not off <= MAX_DIFFERENCE:
            raise ArtifactError(
                f"The ONNX file is not written: over {len(faces):,} faces its intensities "
                f"differ from torch's by up to {off:.2g}; {MAX_DIFFERENCE:g} is allowed."
            )
        further["max_difference_of_intensity"] = off
    if not difference <= MAX_DIFFERENCE:  # also where it is NaN
        raise ArtifactError(
            f"The ONNX file is not written: over {len(faces):,} faces its probabilities differ "
            f"from torch's by up to {difference:.2g}; {MAX_DIFFERENCE:g} is allowed."
        )
    return {
        "faces": len(faces),
        "made_up": len(faces) - len(chosen),
        "max_difference": difference,
        "allowed": MAX_DIFFERENCE,
        "pixels_off": pixels_off,
        **further,
    }


def torch_probabilities(
    models: Sequence[FoldModel], faces: Faces, inputs: Sequence[Faces] | None = None
) -> npt.NDArray[np.float64]:
    """Probabilities by evaluation's own code, combined in float64.

    Args:
        models: One network, or several that are combined.
        faces: uint8 (N, S, S[, 3]).
        inputs: The same faces in each network's size, where they have been resized already.

    Returns:
        (N, A).
    """
    return _combined(_torch_logits(models, faces, inputs))


def _torch_logits(
    models: Sequence[FoldModel], faces: Faces, inputs: Sequence[Faces] | None
) -> npt.NDArray[np.float64]:
    """Logits after temperatures, (M, N, A); arguments as of `torch_probabilities`."""
    machine = choose_machine(MachineConfig(device="cpu", precision="fp32"))
    z = np.empty((len(models), len(faces), len(models[0].model.aus)))  # (M, N, A)
    for k, one in enumerate(models):
        network, spec = one.model.network.eval(), one.model.spec
        given = faces if inputs is None else inputs[k]
        for start in range(0, len(faces), _BLOCK):
            block = torch.from_numpy(np.array(given[start : start + _BLOCK]))
            batch = resized(block, spec.image_size, spec.channels)
            z[k, start : start + _BLOCK] = logits(
                network, batch, machine, spec.channels, flip=one.flip
            ).numpy()
        if one.postprocessing.calibration is not None and one.temperatures is not None:
            limit = np.log(CALIBRATION_EPS / (1 - CALIBRATION_EPS))
            z[k] = np.clip(z[k], limit, -limit) / np.array(one.temperatures)
    return z


def _torch_intensities(
    models: Sequence[FoldModel], z: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """The mean of the networks' intensities, (N, A), of their logits (M, N, A)."""
    each = [
        one.postprocessing.intensity.apply(expit(own))
        for one, own in zip(models, z, strict=True)
        if one.postprocessing.intensity is not None
    ]
    return np.asarray(np.mean(each, axis=0), np.float64)


def _combined(z: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Probabilities (N, A) of the networks' logits (M, N, A)."""
    if len(z) == 1:
        return np.asarray(expit(z[0]), np.float64)
    limit = np.log(EPS / (1 - EPS))
    return np.asarray(expit(np.clip(z, limit, -limit).mean(axis=0)), np.float64)


def evenly_spaced(rows: int, count: int) -> npt.NDArray[np.int64]:
    """At most `count` row numbers, evenly spaced over `rows` rows."""
    return np.unique(np.linspace(0, rows - 1, min(rows, count)).round().astype(np.int64))


def synthetic_faces(n: int, size: int, colour: bool = False, seed: int = 0) -> Faces:
    """Blotches from coarse to fine, uint8 (n, size, size), or in colour (n, size, size, 3)."""
    if colour:
        return np.stack([synthetic_faces(n, size, seed=seed + k) for k in range(3)], axis=3)
    random = np.random.default_rng([seed, n, size])
    faces = np.zeros((n, size, size))
    for cells in (2, 5, 11, size):
        coarse = random.normal(size=(n, cells, cells))
        at = np.arange(size) * cells // size
        faces += coarse[:, at][:, :, at]
    scaled = 128 + 40 * faces * random.uniform(0.2, 1.5, (n, 1, 1))
    return scaled.clip(0, 255).astype(np.uint8)


def _run_onnx(
    content: bytes, n_models: int, faces: Faces
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32] | None, list[Faces]]:
    """Probabilities, intensities if it has them (N, A), and each network's resized faces."""
    onnx = import_onnx("onnx")
    model = onnx.load_from_string(content)
    outputs = {node.name: node.output[0] for node in model.graph.node}
    names = [outputs.get(f"/parts.{k}/Round") for k in range(n_models)]  # of onnx._Part
    for name in filter(None, names):
        pixels = onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None)
        model.graph.output.append(pixels)
    first = ["probabilities", *(o.name for o in model.graph.output if o.name == "intensities")]
    session = open_session(model.SerializeToString())
    wanted = [*first, *filter(None, names)]
    blocks = [
        session.run(wanted, {"faces": faces[start : start + _BLOCK]})
        for start in range(0, len(faces), _BLOCK)
    ]
    results = [np.concatenate(output) for output in zip(*blocks, strict=True)]
    given = iter(results[len(first) :])
    resized = [None if name is None else next(given).astype(np.uint8) for name in names]
    inputs = [
        faces if one is None else np.moveaxis(one, 1, 3) if one.ndim == 4 else one
        for one in resized
    ]
    return results[0], results[1] if len(first) > 1 else None, inputs


def _share_off(models: Sequence[FoldModel], faces: Faces, inputs: Sequence[Faces]) -> float:
    """The share of resized pixels that are a grey level off torch's."""
    off = pixels = 0
    for one, given in zip(models, inputs, strict=True):
        if given is faces:
            continue
        spec = one.model.spec
        expected = resized(torch.from_numpy(faces), spec.image_size, spec.channels).numpy()
        difference = np.abs(given.astype(np.int16) - expected)
        if difference.max() > 1:
            raise ArtifactError(
                f"The ONNX file is not written: it gives {one.name} faces that are up to "
                f"{difference.max()} grey levels off those that torch gives it; one is allowed."
            )
        off += int(np.count_nonzero(difference))
        pixels += difference.size
    return off / pixels if pixels else 0.0
