"""Where and how the arithmetic runs: device, precision, threads."""

import logging
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, get_args

import torch

from action_units.config import Compilation, Precision
from action_units.errors import ConfigurationError
from action_units.threads import check_threads, cores

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Machine:
    """A device and the way it is used.

    Attributes:
        device: ``cpu``, ``mps``, ``cuda`` or ``cuda:1``.
        precision: ``fp32``; ``tf32``, float32 whose products a GPU rounds to 10 bits; or
            ``bf16`` (mixed: weights stay float32).
        threads: Threads of one CPU operation.
        devices: How many processes train together, each on a device of its own.
        compilation: How the network's passes are compiled, see ``config.Compilation``.
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
        kind = self.torch_device.type
        return torch.autocast(kind, dtype=torch.bfloat16, enabled=enabled)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for a checkpoint."""
        return asdict(self)

    def resumed(self, recorded: dict[str, Any], precision: str) -> "Machine":
        """The machine that goes on exactly with what another one began.

        Sums on a CPU are split between its threads and rounded accordingly, so a resumed
        run takes the number of threads of its first part, whatever the computer has now;
        not so on another number of devices, where the rounding differs anyway.

        Args:
            recorded: ``to_dict`` of the first part.
            precision: What the caller asked for; ``auto`` follows the first part.
        """
        machine, devices = self, int(recorded.get("devices", 1))
        if devices == self.devices:
            machine = replace(self, threads=int(recorded["threads"]))
        else:
            logger.info(
                "The checkpoint was made on %d devices and goes on on %d: the result will be "
                "the same up to rounding.",
                devices,
                self.devices,
            )
        same_device = self.torch_device.type == torch.device(recorded["device"]).type
        if precision == "auto" and same_device:
            machine = replace(machine, precision=str(recorded["precision"]))
        compilation = str(recorded.get("compilation", "none"))
        if compilation != self.compilation:
            logger.warning(
                "The checkpoint was made with compilation %s and goes on with %s: the result "
                "will be as good but not the same bit for bit.",
                compilation,
                self.compilation,
            )
        if not same_device or machine.precision != recorded["precision"]:
            logger.warning(
                "The checkpoint was made on %s in %s and goes on on %s in %s: the result "
                "will be as good but not the same bit for bit.",
                recorded["device"],
                recorded["precision"],
                machine.device,
                machine.precision,
            )
        return machine

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Set threads and precision, ask for repeatable algorithms; put all back afterwards."""
        threads = torch.get_num_threads()
        mode = torch.get_deterministic_debug_mode()
        fill = torch.utils.deterministic.fill_uninitialized_memory  # type: ignore[attr-defined]
        try:
            torch.set_num_threads(self.threads)
            # Without it matrix products on NVIDIA GPUs may add up in another order each time;
            # read once, when the first is done, so there is nothing to put back.
            os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
            # What use_deterministic_algorithms(True, warn_only=True) does, without importing
            # torch's compiler, which takes seconds.
            torch.set_deterministic_debug_mode("warn")
            # Filling fresh memory costs time and changes nothing here.
            torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
            with self.rounding():
                yield
        finally:
            torch.set_num_threads(threads)
            torch.set_deterministic_debug_mode(mode)
            torch.utils.deterministic.fill_uninitialized_memory = fill  # type: ignore[attr-defined]

    @contextmanager
    def rounding(self) -> Iterator[None]:
        """Have a GPU round products of float32 in tf32 alone; put it back afterwards."""
        matmul, convolutions = torch.backends.cuda.matmul, torch.backends.cudnn
        before = matmul.allow_tf32, convolutions.allow_tf32
        try:
            # By default torch rounds the products of convolutions and no others.
            matmul.allow_tf32 = convolutions.allow_tf32 = self.precision == "tf32"
            yield
        finally:
            matmul.allow_tf32, convolutions.allow_tf32 = before


def choose_machine(
    device: str = "auto",
    precision: str = "auto",
    threads: int | None = None,
    compilation: str = "none",
) -> Machine:
    """Choose where to compute.

    Args:
        device: ``auto`` takes a GPU where there is one; else ``cpu``, ``cuda``,
            ``cuda:N`` or ``mps``.
        precision: ``auto`` takes bf16 where the hardware multiplies it natively; else as
            in ``Machine``.
        threads: Threads of one CPU operation; torch's choice (the cores) without.
        compilation: As in ``Machine``.

    Raises:
        ConfigurationError: The device is not there, or a value is not a choice.
    """
    check_choices(precision, threads, compilation)
    if device == "auto":
        device = _best_device()
    _check_device(device)
    kind = torch.device(device).type
    if precision == "tf32" and kind != "cuda":
        raise ConfigurationError(
            f"precision is tf32, which NVIDIA GPUs have, and the device is {device}; "
            "take fp32, bf16 or auto."
        )
    if precision == "auto":
        precision = "bf16" if _has_bf16(kind) else "fp32"
    threads = threads or torch.get_num_threads()
    return Machine(device, precision, threads, compilation=compilation)


def check_choices(precision: Any, threads: Any, compilation: Any) -> None:
    """Refuse what ``choose_machine`` could take on no computer.

    Raises:
        ConfigurationError: A value is not a choice.
    """
    choices = {"precision": (precision, Precision), "compilation": (compilation, Compilation)}
    for name, (value, kind) in choices.items():
        if value not in get_args(kind):
            raise ConfigurationError(
                f"{name} is {value!r}; it must be one of: {', '.join(get_args(kind))}."
            )
    check_threads(threads)


def kind_of(device: str) -> str:
    """The kind of device that a choice means here: ``cpu``, ``cuda`` or ``mps``."""
    return torch.device(_best_device() if device == "auto" else device).type


def visible_devices(kind: str) -> int:
    """How many processes can have a device of a kind; on the CPU, as many as cores.

    Two may share one core, so that a training on two devices can be tried anywhere.
    """
    if kind == "cuda":
        return torch.cuda.device_count()
    return max(2, cores()) if kind == "cpu" else 1


def check_devices(devices: int | str | None, device: str) -> int | Literal["torchrun"]:
    """How many devices train, from what ``train`` is asked.

    Args:
        devices: A number; None is 1; ``torchrun`` leaves it to that program.
        device: As in ``choose_machine``.

    Raises:
        ConfigurationError: There are not so many, or ``device`` names a single one.
    """
    if devices == "torchrun":
        return "torchrun"
    count = 1 if devices is None else devices
    if type(count) is not int or count < 1:
        raise ConfigurationError(
            f"devices is {devices!r}; it must be a whole number from 1, null, or torchrun."
        )
    if count == 1:
        return 1
    if ":" in str(device):
        raise ConfigurationError(
            f"devices is {count} and device is {device}, a single one; say device: cuda and "
            "choose among them by CUDA_VISIBLE_DEVICES."
        )
    _check_device(device if device != "auto" else _best_device())
    there = visible_devices(kind_of(device))
    if count > there:
        what = "cores" if kind_of(device) == "cpu" else f"{kind_of(device)} devices"
        raise ConfigurationError(
            f"devices is {count}; this computer has {there} {what} to train on. On several "
            "computers: devices=torchrun (docs/clusters.md)."
        )
    return count


def _best_device() -> str:
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if _has_mps() else "cpu"


def _has_mps() -> bool:
    return bool(torch.backends.mps.is_available())


def _check_device(device: str) -> None:
    here = ["cpu"]
    if torch.cuda.is_available():
        here += ["cuda", *(f"cuda:{number}" for number in range(torch.cuda.device_count()))]
    if _has_mps():
        here.append("mps")
    if device not in here:
        raise ConfigurationError(
            f"device {device!r} is not there; this computer has: {', '.join(here)} "
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
