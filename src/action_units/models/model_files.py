"""A trained model on disk: one safetensors file.

Its header holds the spec, the AUs and the provenance as JSON, so the file explains itself;
they hold no pickle, which could run code.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save
from torch import Tensor

from action_units.config import NetworkSpec
from action_units.errors import ArtifactError
from action_units.files import atomic_artifact, verify
from action_units.labels.action_units import au_columns
from action_units.models.network import AUNetwork
from action_units.models.registry import build_backbone, build_network
from action_units.models.trained import TrainedModel

SCHEMA = 1

_LARGEST_HEADER = 16 << 20
"""In bytes; a real one has some thousand, and the names of its tensors."""


def model_bytes(model: TrainedModel) -> bytes:
    """A model's file; equal models give equal bytes."""
    header = {
        "schema": SCHEMA,
        "spec": model.spec.to_json(),
        "aus": list(model.aus),
        "au_columns": au_columns(model.aus),
        "provenance": model.provenance,
    }
    # One metadata key: safetensors does not fix the order of several.
    metadata = {"action_units": json.dumps(header, sort_keys=True)}
    return save(plain_state(model.network.state_dict()), metadata)


def save_model(model: TrainedModel, path: Path | str) -> None:
    """Write a model.

    Raises:
        ArtifactError: The disk refused; the previous file is untouched.
    """
    content = model_bytes(model)
    with atomic_artifact(path) as file:
        file.write(content)


def load_model(
    path: Path | str, made_by: str = "", *, aus: Sequence[int] | None = None
) -> TrainedModel:
    """Read a model after checking it against its manifest.

    Args:
        path: A file of ``save_model``.
        made_by: What makes it (``hints.command``), for the sentence where it is missing.
        aus: The AUs that it must have.

    Raises:
        ArtifactError: Missing, damaged, not a model of this project, or of other AUs.
    """
    path = verify(path, made_by)
    try:
        header = _header(path)
        spec = NetworkSpec.read(header["spec"])
        model_aus = tuple(int(au) for au in header["aus"])
        _check_shapes(path, spec, len(model_aus))
        network = build_network(spec, len(model_aus))
        network.load_state_dict(load_file(path))
    except Exception as error:  # whatever comes of a file that is not ours
        raise ArtifactError(
            f"{path} is whole but is not a model that this version can read ({error})."
        ) from error
    if aus is not None and tuple(aus) != model_aus:
        has, needs = (", ".join(map(str, numbers)) for numbers in (model_aus, aus))
        raise ArtifactError(
            f"{path} predicts AUs {has} and not {needs}. "
            "Fine-tune it for these AUs (`rehead` gives it a new head)."
        )
    return TrainedModel(network.eval(), spec, model_aus, header["provenance"])


def plain_state(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A state dict's tensors on the CPU, each contiguous and with its own memory."""
    return {
        name: value.detach().cpu().clone(memory_format=torch.contiguous_format)
        for name, value in state.items()
    }


def _check_shapes(path: Path, spec: NetworkSpec, n_aus: int) -> None:
    """Check that a file has the network's tensors, before memory is taken for a network.

    Raises:
        ValueError: It has not.
    """
    if spec.architecture == "timm":  # not each of its networks can be built without memory
        return
    with torch.device("meta"):
        network = AUNetwork(build_backbone(spec), n_aus)
    expected = {name: list(value.shape) for name, value in network.state_dict().items()}
    with safe_open(path, "pt") as file:
        actual = {name: file.get_slice(name).get_shape() for name in file.keys()}  # noqa: SIM118
    for name in expected.keys() | actual.keys():
        if expected.get(name) != actual.get(name):
            raise ValueError(
                f"tensor {name} is {actual.get(name)} and must be {expected.get(name)}"
            )


def _header(path: Path) -> dict[str, Any]:
    """The JSON of ``save_model`` in a safetensors file's header."""
    with path.open("rb") as file:
        size = int.from_bytes(file.read(8), "little")
        if size > _LARGEST_HEADER:
            raise ValueError(f"its header is {size:,} bytes")
        metadata = json.loads(file.read(size)).get("__metadata__", {})
    header: dict[str, Any] = json.loads(metadata["action_units"])
    if header["schema"] != SCHEMA:
        raise ValueError(f"schema {header['schema']}, this version reads {SCHEMA}")
    return header
