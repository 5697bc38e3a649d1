"""Where the arithmetic runs, and where worker processes do."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from action_units.config.base import Count, Expected, Settings

Precision = Literal["auto", "fp32", "tf32", "bf16"]
Compilation = Literal["none", "default", "reduce-overhead", "max-autotune"]
InMemory = Literal["auto", "always", "blocks"]
MicroBatch = Count | Literal["auto"] | None


class MachineConfig(Settings):
    """How a network is trained on this computer; changes its weights by rounding only."""

    device: Annotated[
        str,
        Field(pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$"),
        Expected("auto, cpu, cuda, cuda:1 or mps"),
    ] = "auto"
    """auto takes a CUDA device, then Apple's, then the CPU."""
    precision: Precision = "auto"
    """auto takes bf16 where the hardware multiplies it natively, else fp32."""
    threads: Annotated[int, Field(ge=1, le=4096)] | None = None
    """CPU threads of every stage; null is one for each core. A resumed run keeps its own."""
    compilation: Compilation = "none"
    """none, or a mode of ``torch.compile``; reduce-overhead records CUDA graphs."""
    devices: Count | Literal["torchrun"] | None = None
    """How many devices train one network, each in its own process; null is one. torchrun
    writes a job for that program and stops."""
    micro_batch: MicroBatch = None
    """Most faces that go through the network at once; null is a device's whole part of a
    batch, auto halves that until it fits into memory."""
    gradient_checkpointing: bool = False
    """Compute what is within a network's blocks again in the backward pass instead of holding
    it in memory: slower, the same weights bit for bit. convnextv2 alone."""
    faces_in_memory: InMemory = "auto"
    """always; blocks reads faces from disk during training, in an order of its own; auto does
    so where they would take more than half of the free memory."""
    tensorboard: bool = False
    """Whether to write the training curve for TensorBoard too."""


class ClusterSettings(Settings):
    """Where worker processes are."""

    engine: Annotated[
        str,
        Field(pattern="^(local|dask|[^:]+:[^:]+)$"),
        Expected("local, dask, or module:name of what makes a concurrent.futures.Executor"),
    ] = "local"
    """local; dask, a running Dask cluster; or the module:name of a function that returns a
    ``concurrent.futures.Executor``."""
    address: str | None = None
    """Of the Dask scheduler, such as tcp://10.0.0.1:8786."""
    options: dict[str, Any] = Field(default_factory=dict)
    """Keyword arguments of the engine's client."""

    @model_validator(mode="after")
    def _has_address(self) -> Self:
        if self.engine == "dask" and not self.address:
            raise ValueError(
                "engine=dask needs the address of its scheduler, such as tcp://10.0.0.1:8786"
            )
        return self
