"""A network whose forward and backward pass torch's compiler has fused."""

from collections.abc import Callable
from typing import cast

import torch
from torch import Tensor, nn

from action_units.errors import ConfigurationError
from action_units.models.dropout import dropouts

_COMPILERS = ("torch._dynamo", "torch._inductor")


def compiled(network: nn.Module, mode: str) -> Callable[[Tensor], Tensor]:
    """A network's call, compiled when it is first used; its weights stay the network's.

    Args:
        network: In training mode.
        mode: One of ``config.Compilation``; ``none`` gives the network itself.

    Returns:
        Takes and gives what the network does. It raises ConfigurationError where the
        compiler fails, for want of a C++ compiler, say.
    """
    if mode == "none":
        return network
    run = torch.compile(network, mode=mode)
    layers = dropouts(network)
    known: set[torch.Size] = set()

    def forward(x: Tensor) -> Tensor:
        if x.shape not in known:
            _show_dropout(network, x)
            known.add(x.shape)
        for layer in layers:
            layer.draw_ahead(len(x))
        try:
            return cast(Tensor, run(x))
        except Exception as error:
            if not type(error).__module__.startswith(_COMPILERS):
                raise
            reason = next((line for line in str(error).splitlines() if line.strip()), "")
            raise ConfigurationError(
                f"compilation is {mode}, and torch's compiler fails here ({reason}); install "
                "a C++ compiler, or set compilation to none."
            ) from error

    return forward


@torch.no_grad()
def _show_dropout(network: nn.Module, x: Tensor) -> None:
    """Let a batch through uncompiled, so that each dropout layer knows what it is given.

    Nothing else comes of it: a resumed run must do what the uninterrupted one did.
    """
    before = [buffer.clone() for buffer in network.buffers()]
    network(x)
    for buffer, value in zip(network.buffers(), before, strict=True):
        buffer.copy_(value)
