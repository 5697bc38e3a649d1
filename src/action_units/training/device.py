"""Where and how the arithmetic runs: device, precision, threads, compiled passes, memory."""

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal, cast

import torch
from torch import Tensor, nn

from action_units.config import MachineConfig
from action_units.errors import ActionUnitsError, ConfigurationError
from action_units.models.dropout import dropouts
from action_units.threads import cores
from action_units.training.curves import summary_writer

logger = logging.getLogger(__name__)

_COMPILERS = ("torch._dynamo", "torch._inductor")


class DeviceMemoryError(ActionUnitsError):
    """The device's memory is too small."""


@dataclass(frozen=True)
class Machine:
    """A device and the way it is used.

    Attributes:
        device: ``cpu``, ``mps``, ``cuda`` or ``cuda:1``.
        precision: ``fp32``; ``tf32``, float32 whose products a GPU rounds to 10 bits; or
            ``bf16`` (mixed: weights stay float32).
        threads: Threads of one CPU operation.
        devices: How many processes train together, each on its own device.
        compilation: A mode of ``torch.compile``, or ``none``.
    """

    device: str
    precision: str
    threads: int
    devices: int = 1
    compilation: str = "none"

    @property
    def torch_device(self) -> torch.device:
        """The device for tensors."""
        return torch.device(self.device)

    def autocast(self) -> AbstractContextManager[None]:
        """The context of a forward pass."""
        enabled = self.precision == "bf16"
        return torch.autocast(self.torch_device.type, dtype=torch.bfloat16, enabled=enabled)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for a checkpoint."""
        return asdict(self)

    def resumed(self, recorded: dict[str, Any], precision: str) -> "Machine":
        """The machine that continues exactly what another one began.

        Sums on a CPU are split between its threads and rounded accordingly, so a resumed
        run takes the number of threads of its first part, whatever the computer has now. On
        another number of devices the rounding differs anyway.

        Args:
            recorded: ``to_dict`` of the first part.
            precision: The requested one; ``auto`` follows the first part.
        """
        machine, devices = self, int(recorded.get("devices", 1))
        if devices == self.devices:
            machine = replace(self, threads=int(recorded["threads"]))
        else:
            logger.info(
                "The checkpoint was made on %d devices and continues on %d: the result will "
                "be the same up to rounding.",
                devices,
                self.devices,
            )
        same_device = self.torch_device.type == torch.device(recorded["device"]).type
        if precision == "auto" and same_device:
            machine = replace(machine, precision=str(recorded["precision"]))
        before, after = {"compilation": "none", **recorded}, machine.to_dict()
        names = [name for name in ("precision", "compilation") if before[name] != after[name]]
        names += [] if same_device else ["device"]
        if names:
            logger.warning(
                "The checkpoint was made with %s and continues with %s: the result will be as "
                "good but not the same bit for bit.",
                ", ".join(f"{name} {before[name]}" for name in names),
                ", ".join(f"{name} {after[name]}" for name in names),
            )
        return machine

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Set threads, precision and repeatable algorithms; restore them afterwards."""
        threads = torch.get_num_threads()
        mode = torch.get_deterministic_debug_mode()
        deterministic: Any = torch.utils.deterministic
        fill = deterministic.fill_uninitialized_memory
        try:
            torch.set_num_threads(self.threads)
            # Without it matrix products on NVIDIA GPUs may add up in another order each time;
            # read once, at the first product, so it is not restored.
            os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
            # What use_deterministic_algorithms(True, warn_only=True) does, without importing
            # torch's compiler, which takes seconds.
            torch.set_deterministic_debug_mode("warn")
            # Filling fresh memory costs time and changes nothing here.
            deterministic.fill_uninitialized_memory = False
            with self.rounding():
                yield
        finally:
            torch.set_num_threads(threads)
            torch.set_deterministic_debug_mode(mode)
            deterministic.fill_uninitialized_memory = fill

    @contextmanager
    def rounding(self) -> Iterator[None]:
        """Let a GPU round products of float32 in tf32 alone; restore it afterwards."""
        matmul, convolutions = torch.backends.cuda.matmul, torch.backends.cudnn
        before = matmul.allow_tf32, convolutions.allow_tf32
        try:
            # By default torch rounds the products of convolutions and no others.
            matmul.allow_tf32 = convolutions.allow_tf32 = self.precision == "tf32"
            yield
        finally:
            matmul.allow_tf32, convolutions.allow_tf32 = before


def choose_machine(config: MachineConfig | None = None) -> Machine:
    """Choose where to compute; without a configuration, on the best device.

    Raises:
        ConfigurationError: The device or the precision is not available here.
    """
    config = config or MachineConfig()
    device = best_device() if config.device == "auto" else config.device
    _check_available(device)
    kind = torch.device(device).type
    precision: str = config.precision
    if precision == "tf32" and kind != "cuda":
        raise ConfigurationError(
            f"precision is tf32, which NVIDIA GPUs have, and the device is {device}; "
            "take fp32, bf16 or auto."
        )
    if precision == "auto":
        precision = "bf16" if _has_bf16(kind) else "fp32"
    threads = config.threads or torch.get_num_threads()
    return Machine(device, precision, threads, compilation=config.compilation)


def check_machine(config: MachineConfig) -> int | Literal["torchrun"]:
    """Check that this computer can train as configured, before any face is read.

    What torchrun starts may run on another computer, so its processes check the device.

    Returns:
        How many devices train.

    Raises:
        ConfigurationError: A device, a precision or a package is missing.
    """
    if config.tensorboard:
        summary_writer()
    if config.devices == "torchrun":
        return "torchrun"
    count = config.devices or 1
    if count > 1 and ":" in config.device:
        raise ConfigurationError(
            f"devices is {count} and device is {config.device}, one device; set device: cuda "
            "and choose the GPUs by CUDA_VISIBLE_DEVICES."
        )
    choose_machine(config)
    if count == 1:
        return 1
    kind = best_device() if config.device == "auto" else config.device
    if count > (n_devices := visible_devices(kind)):
        what = "cores" if kind == "cpu" else f"{kind} devices"
        raise ConfigurationError(
            f"devices is {count}; this computer has {n_devices} {what} to train on. On several "
            "computers: devices=torchrun (docs/clusters.md)."
        )
    return count


def best_device() -> str:
    """The kind of device that ``auto`` takes."""
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def visible_devices(kind: str) -> int:
    """How many processes can have a device of a kind; on the CPU, one a core.

    Two may share one core, so that a training on two devices can be tried anywhere.
    """
    if kind == "cuda":
        return torch.cuda.device_count()
    return max(2, cores()) if kind == "cpu" else 1


def _check_available(device: str) -> None:
    available = ["cpu"]
    if torch.cuda.is_available():
        available += ["cuda", *(f"cuda:{n}" for n in range(torch.cuda.device_count()))]
    if torch.backends.mps.is_available():
        available.append("mps")
    if device not in available:
        raise ConfigurationError(
            f"device {device!r} is not available; this computer has: {', '.join(available)} "
            "(or auto, which chooses)."
        )


def _has_bf16(kind: str) -> bool:
    if kind == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    onednn = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    if kind == "cpu" and onednn:
        capabilities = torch.cpu.get_capabilities()
        return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))
    return False


def free_memory(device: torch.device) -> float:
    """Free bytes of a device, within a container's limit; infinite where unknown."""
    if device.type == "cuda":
        return float(torch.cuda.mem_get_info(device)[0])
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return float("inf")
    available = next(line.split()[1] for line in lines if line.startswith("MemAvailable:"))
    try:
        limit = Path("/sys/fs/cgroup/memory.max").read_text()
        used = Path("/sys/fs/cgroup/memory.current").read_text()  # with droppable file pages
        left = float(limit.replace("max", "inf")) - float(used)
    except (OSError, ValueError):
        left = float("inf")
    return min(1024.0 * int(available), left)


@contextmanager
def readable_memory_errors(device: str) -> Iterator[None]:
    """Turn torch's out-of-memory error, outside of a forward pass, into one sentence.

    Raises:
        DeviceMemoryError: Memory is full.
    """
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise DeviceMemoryError(
            f"{device} has too little memory for the network, its optimiser and the faces that "
            f"are evaluated at once ({memory_reason(error)}); give micro_batch a number, which "
            "limits these too, or take a smaller width or image_size."
        ) from error


def memory_reason(error: Exception) -> str:
    """The first sentence of an out-of-memory error."""
    return str(error).split(". ")[0]


def compiled(network: nn.Module, mode: str) -> Callable[[Tensor], Tensor]:
    """A network's call, compiled when it is first used; its weights stay the network's.

    Args:
        network: In training mode.
        mode: Of ``torch.compile``; ``none`` gives the network itself.

    Returns:
        Takes and gives what the network does; raises ConfigurationError where the compiler
        fails, for example without a C++ compiler.
    """
    if mode == "none":
        return network
    run = torch.compile(network, mode=mode)
    layers = dropouts(network)
    known: set[torch.Size] = set()

    def forward(x: Tensor) -> Tensor:
        if x.shape not in known:
            _record_dropout_shapes(network, x)
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
def _record_dropout_shapes(network: nn.Module, x: Tensor) -> None:
    """Let a batch through uncompiled, which records the shape of each dropout's input.

    Running statistics are restored: a resumed run must do what the uninterrupted one did.
    """
    before = [buffer.clone() for buffer in network.buffers()]
    network(x)
    for buffer, value in zip(network.buffers(), before, strict=True):
        buffer.copy_(value)
