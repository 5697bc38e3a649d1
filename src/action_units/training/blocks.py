"""Training a network block by block: rates that fall with depth, gradual unfreezing."""

from collections.abc import Sequence

from torch import nn

from action_units.errors import ConfigurationError
from action_units.models.network import AUNetwork


def rate_factors(network: AUNetwork, decay: float) -> dict[nn.Parameter, float]:
    """Each parameter's part of the learning rate (Howard & Ruder 2018, 1801.06146, 3.2).

    Args:
        network: Its head learns at the full rate.
        decay: What a block's rate is multiplied by for the block below it.
    """
    groups = _parameters(network)
    return {
        parameter: decay ** (len(groups) - 1 - depth)
        for depth, group in enumerate(groups)
        for parameter in group
    }


def check_unfreezing(network: AUNetwork, starts: Sequence[int]) -> None:
    """Refuse more epochs than the network has blocks.

    Raises:
        ConfigurationError: With the number of blocks.
    """
    blocks = len(network.blocks())
    if len(starts) > blocks:
        raise ConfigurationError(
            f"Recipe option 'unfreeze' is {list(starts)}; this network has {blocks} blocks, "
            "the head among them, so give that many epochs at most."
        )


def freeze(network: AUNetwork, starts: Sequence[int], epoch: int) -> None:
    """Freeze what does not train in an epoch; call it after ``network.train()``.

    The parameters of a frozen block stay as they are, without decay, and its batch
    normalisation uses its running statistics and leaves them alone. Its dropout goes on.

    Args:
        network: Changed in place.
        starts: The epochs at which blocks start to train, from the head down; the last one
            holds for all blocks below. All train where it is empty.
        epoch: Counted from 0.
    """
    if not starts:
        return
    blocks, groups = network.blocks(), _parameters(network)
    for height, (block, group) in enumerate(zip(blocks[::-1], groups[::-1], strict=True)):
        trains = epoch >= starts[min(height, len(starts) - 1)]
        for parameter in group:
            parameter.requires_grad_(trains)
        if not trains:
            for layer in block.modules():
                if isinstance(layer, nn.modules.batchnorm._BatchNorm):
                    layer.eval()


def _parameters(network: AUNetwork) -> list[list[nn.Parameter]]:
    """The parameters of each block; those of none, as position embeddings, lead the first."""
    groups = [list(block.parameters()) for block in network.blocks()]
    known = {parameter for group in groups for parameter in group}
    loose = [parameter for parameter in network.parameters() if parameter not in known]
    return [loose + groups[0], *groups[1:]]
