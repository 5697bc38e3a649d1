"""A trained network with what it takes to use it: its spec, its AUs and where it is from.

On disk a model is one safetensors file. Its header holds the spec, the AUs and the
provenance as JSON, so the file explains itself; there is no pickle to run code from.
"""

import json
from collections.abc import Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save
from torch import Tensor

from action_units.errors import ArtifactError
from action_units.files import atomic_artifact, verify
from action_units.labels.action_units import au_columns
from action_units.models.head import AUHead, initialise_head
from action_units.models.model import TrainedModel as TrainedModel
from action_units.models.registry import BACKBONES, AUNetwork, build_network
from action_units.models.spec import NetworkSpec

SCHEMA = 1

_LARGEST_HEADER = 16 << 20
"""In bytes; a file's own say is some thousand, and the names of its tensors."""


def model_bytes(model: TrainedModel) -> bytes:
    """A model's file; equal models give equal bytes."""
    header = {
        "schema": SCHEMA,
        "spec": model.spec.to_dict(),
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
    path: Path | str,
    made_by: str = "",
    *,
    aus: Sequence[int] | None = None,
    spec: NetworkSpec | None = None,
) -> TrainedModel:
    """Read a model after checking it against its manifest.

    Args:
        path: A file of ``save_model``.
        made_by: What makes it (``hints.command``), for the sentence where it is missing.
        aus: Refuse a model of other AUs.
        spec: Refuse a model of another architecture.

    Raises:
        ArtifactError: Missing, damaged, not a model of this project, or of other AUs or
            another architecture than asked for.
    """
    path = verify(path, made_by)
    try:
        header = _header(path)
        found = NetworkSpec.from_dict(header["spec"])
        found_aus = tuple(int(au) for au in header["aus"])
        _check_shapes(path, found, len(found_aus))
        network = build_network(found, len(found_aus))
        network.load_state_dict(load_file(path))
    except Exception as error:  # whatever comes of a file that is not ours
        raise ArtifactError(
            f"{path} is whole but is not a model that this version can read ({error})."
        ) from error
    model = TrainedModel(network.eval(), found, found_aus, header["provenance"])
    if aus is not None and tuple(aus) != found_aus:
        raise ArtifactError(
            f"{path} tells AUs {_listed(found_aus)} and not {_listed(aus)}. "
            "Fine-tune it for these AUs (`rehead` gives it a new head)."
        )
    if spec is not None and spec != found:
        raise ArtifactError(f"{path}: {spec_difference(found, spec)}")
    return model


def rehead(
    model: TrainedModel,
    aus: Sequence[int],
    seed: int,
    prior: Sequence[float] | None = None,
    keep_shared: bool = False,
) -> TrainedModel:
    """Give a copy of a model a new head for other AUs, keeping the backbone's weights.

    Args:
        model: The pre-trained model; it is not changed.
        aus: The AUs of the new head.
        seed: Seed of the new head's weights.
        prior: Prevalence of each new AU, for the bias.
        keep_shared: Start the weights of AUs that the old head knows from the old head's;
            the bias follows the prior all the same.
    """
    aus = tuple(aus)
    network = deepcopy(model.network)
    old = network.head.linear
    head = AUHead(old.in_features, len(aus))
    initialise_head(head, torch.Generator().manual_seed(seed), prior)
    if keep_shared:
        with torch.no_grad():
            for row, au in enumerate(aus):
                if au in model.aus:
                    head.linear.weight[row] = old.weight[model.aus.index(au)]
    network.head = head
    provenance = {**model.provenance, "reheaded_from": list(model.aus)}
    return TrainedModel(network, model.spec, aus, provenance)


def spec_difference(found: NetworkSpec, wanted: NetworkSpec) -> str:
    """One sentence on how two network specs differ."""
    old, new = found.to_dict(), wanted.to_dict()
    parts = [f"{key} {old[key]} and not {new[key]}" for key in old if old[key] != new[key]]
    return f"the model has {', '.join(parts)}; choose the same network or train a new model."


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
        network = AUNetwork(BACKBONES[spec.architecture](spec), n_aus)
    expected = {name: list(value.shape) for name, value in network.state_dict().items()}
    with safe_open(path, "pt") as file:
        found = {name: file.get_slice(name).get_shape() for name in file.keys()}  # noqa: SIM118
    for name in expected.keys() | found.keys():
        if expected.get(name) != found.get(name):
            raise ValueError(
                f"tensor {name} is {found.get(name)} and must be {expected.get(name)}"
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


def _listed(aus: Sequence[int]) -> str:
    return ", ".join(str(au) for au in aus)
