"""Whether an ONNX file answers as torch does.

Where a network takes another size than the store's, torch and ONNX Runtime may round a
value half way between two grey levels to different sides (``graph.resizing``). So two
things are asked: that pixels are a grey level off at most, and that of the same pixels
the networks say the same.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from scipy.special import expit

from action_units.errors import ArtifactError
from action_units.evaluation.ensemble import EPS
from action_units.export.graph import CALIBRATED_WITHIN
from action_units.export.members import PackagedMember
from action_units.export.onnx import evenly, made_up_faces
from action_units.export.onnx_network import open_session
from action_units.extras import import_extra
from action_units.faces.store import Faces
from action_units.training.data.arrays import resized
from action_units.training.devices import choose_machine
from action_units.training.inference import logits

MOST_OFF = 1e-5
"""A file whose probabilities are further from torch's is refused."""

CHECKED_FACES = 1000
"""How many a file is checked on …"""

MADE_UP_FACES = 256
"""… and how many of them are made up where there are real ones."""

_BLOCK = 64


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
        ``faces`` (how many), ``made_up`` (of them), ``max_difference`` of a probability,
        ``allowed``, and ``pixels_off``, the share of resized pixels that are a grey level off.

    Raises:
        ArtifactError: A probability is further off than ``MOST_OFF``, or a pixel than one
            grey level.
    """
    taken = evenly(0 if real is None else len(real), CHECKED_FACES - MADE_UP_FACES)
    asked = made_up_faces(CHECKED_FACES - len(taken), size, seed)
    if real is not None:
        asked = np.concatenate([asked, real[taken]])
    found, given = _asked(content, len(members), asked)
    pixels_off = _grey_levels_off(members, asked, given)
    off = float(np.abs(found - torch_probabilities(members, asked, given)).max())
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
        "pixels_off": pixels_off,
    }


def torch_probabilities(
    members: Sequence[PackagedMember], faces: Faces, given: Sequence[Faces] | None = None
) -> npt.NDArray[np.float64]:
    """What the networks say through evaluation's own code, combined in float64.

    Args:
        members: One network, or several that answer as one.
        faces: uint8 (N, S, S).
        given: The same faces in each network's size, where they have been resized already.

    Returns:
        (N, A).
    """
    machine = choose_machine("cpu", "fp32")
    found = np.empty((len(members), len(faces), len(members[0].model.aus)))  # (M, N, A)
    for k, member in enumerate(members):
        row, seen = found[k], faces if given is None else given[k]
        network = member.model.network.eval()
        spec = member.model.spec
        for start in range(0, len(faces), _BLOCK):
            block = torch.from_numpy(np.array(seen[start : start + _BLOCK]))
            batch = resized(block, spec.image_size)
            row[start : start + _BLOCK] = logits(
                network, batch, machine, spec.channels, flip=member.flip
            ).numpy()
        if member.postprocessing.calibration is not None and member.temperatures is not None:
            furthest = np.log(CALIBRATED_WITHIN / (1 - CALIBRATED_WITHIN))
            row[:] = np.clip(row, furthest, -furthest) / np.array(member.temperatures)
    if len(found) == 1:
        return np.asarray(expit(found[0]), np.float64)
    furthest = np.log(EPS / (1 - EPS))
    return np.asarray(expit(np.clip(found, furthest, -furthest).mean(axis=0)), np.float64)


def _asked(
    content: bytes, n_members: int, faces: Faces
) -> tuple[npt.NDArray[np.float32], list[Faces]]:
    """What a file says of faces, (N, A), and what it gives each of its networks to see."""
    onnx = import_extra("onnx", "onnx", "An ONNX file")
    model = onnx.load_from_string(content)
    made = {node.name: node.output[0] for node in model.graph.node}
    names = [made.get(f"/parts.{k}/Round") for k in range(n_members)]  # of graph._Part
    for name in filter(None, names):
        pixels = onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None)
        model.graph.output.append(pixels)
    session = open_session(model.SerializeToString())
    blocks = [
        session.run(None, {"faces": faces[start : start + _BLOCK]})
        for start in range(0, len(faces), _BLOCK)
    ]
    found, *seen = (np.concatenate(output) for output in zip(*blocks, strict=True))
    resized_faces = iter(seen)
    return found, [
        faces if name is None else next(resized_faces).astype(np.uint8) for name in names
    ]


def _grey_levels_off(
    members: Sequence[PackagedMember], faces: Faces, given: Sequence[Faces]
) -> float:
    """The share of pixels that are a grey level off torch's, of all that are resized."""
    off = pixels = 0
    for member, seen in zip(members, given, strict=True):
        wanted = resized(torch.from_numpy(faces), member.model.spec.image_size).numpy()
        apart = np.abs(seen.astype(np.int16) - wanted)
        if apart.max() > 1:
            raise ArtifactError(
                f"The ONNX file is not written: it gives {member.name} faces that are up to "
                f"{apart.max()} grey levels off those that torch gives it; one is allowed."
            )
        if seen is not faces:
            off += int(np.count_nonzero(apart))
            pixels += apart.size
    return off / pixels if pixels else 0.0
