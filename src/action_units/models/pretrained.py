"""Weights that were trained elsewhere, read from a local file for a new backbone."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import safetensors.torch
from torch import Tensor

from action_units.errors import ArtifactError, ConfigurationError
from action_units.files import sha256_of
from action_units.models.network import Backbone
from action_units.models.torch_files import read_torch_file

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class PretrainedWeights:
    """A file's tensors by name, and the SHA-256 of its bytes."""

    path: Path
    sha256: str
    tensors: Mapping[str, Tensor]

    @classmethod
    def read(cls, path: Path | str) -> "PretrainedWeights":
        """Read a file of tensors; no code in it runs.

        Args:
            path: A ``.safetensors`` file, or one of ``torch.save`` that holds a state
                dict, bare or under ``state_dict`` or ``model``.

        Raises:
            ConfigurationError: The file does not exist.
            ArtifactError: It does not hold tensors.
        """
        path = Path(path)
        if not path.is_file():
            raise ConfigurationError(
                f"Recipe option 'backbone_weights' is {path}, which does not exist; give the "
                "path of a .safetensors or .pt file, or null for random weights."
            )
        try:
            tensors = _tensors(path)
        except Exception as error:  # whatever comes of a file that is not ours
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise ArtifactError(
                f"{path} does not hold plain tensors by name ({reason}). Save the network's "
                "state_dict as .safetensors, or with torch.save."
            ) from error
        return cls(path, sha256_of(path), tensors)

    def fill(self, backbone: Backbone) -> None:
        """Give a backbone these weights; those of a classifier after it are left out.

        A first convolution for colour fits a grey input by the sum over its channels; one for
        grey fits colour by a third for each.

        Raises:
            ArtifactError: As ``fitted``.
        """
        filled, left_out = self.fitted(backbone)
        backbone.load_state_dict(filled, strict=False)
        logger.info(
            "The backbone starts from %s (SHA-256 %s…); left out: %s.",
            self.path,
            self.sha256[:12],
            ", ".join(left_out) or "nothing",
        )

    def fitted(self, backbone: Backbone) -> tuple[dict[str, Tensor], list[str]]:
        """The weights by the backbone's names and in its shapes; names of those left out.

        Raises:
            ArtifactError: A tensor of the backbone is missing, or of another shape.
        """
        taken: set[str] = set()
        filled: dict[str, Tensor] = {}
        for name, current in backbone.state_dict().items():
            keys = (*_keys(name), *backbone.other_names(name))
            key = next((key for key in keys if key in self.tensors), None)
            if key is None:
                if name in backbone.own_buffers or name.endswith("num_batches_tracked"):
                    continue
                raise ArtifactError(
                    f"{self.path} has no tensor {name!r}, so it is of another network; it "
                    f"holds {len(self.tensors)}, such as {', '.join(list(self.tensors)[:3])}."
                )
            value = _fitted(self.tensors[key], current)
            if value.shape != current.shape:
                raise ArtifactError(
                    f"{self.path}: tensor {key!r} is {tuple(value.shape)} and the network "
                    f"needs {tuple(current.shape)}; choose the image_size, width and channels "
                    "that it was trained with."
                )
            taken.add(key)
            filled[name] = value
        return filled, sorted(set(self.tensors) - taken)


def _tensors(path: Path) -> dict[str, Tensor]:
    if path.suffix == ".safetensors":
        return safetensors.torch.load_file(path)
    state = read_torch_file(path)
    for wrapper in ("state_dict", "model"):
        if isinstance(state, Mapping) and isinstance(state.get(wrapper), Mapping):
            state = state[wrapper]
    if not isinstance(state, Mapping) or not state:
        raise ValueError("no state dict")
    for name, value in state.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            raise ValueError(f"{name!r} is {type(value).__name__} and not a tensor")
    return dict(state)


def _keys(name: str) -> tuple[str, ...]:
    """A tensor's possible names: as here, in a whole model of this project, in timm."""
    return name, f"backbone.{name}", name.removeprefix("network.")


def _fitted(value: Tensor, current: Tensor) -> Tensor:
    """The value with as many input channels as the network's, where possible.

    A convolution of one pixel is a linear layer, and a scale by channel may have axes of one.
    """
    value = value.to(current.dtype)
    if value.ndim > current.ndim and value.squeeze().shape == current.shape:
        return value.squeeze()
    if value.ndim == 4 and current.ndim == 4 and value.shape[0] == current.shape[0]:
        channels = value.shape[1], current.shape[1]
        if channels == (3, 1):
            return value.sum(dim=1, keepdim=True)
        if channels == (1, 3):
            return value.expand(-1, 3, -1, -1) / 3.0
    return value
