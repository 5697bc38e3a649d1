"""Whether this computer can train as configured, checked before any face is read."""

from typing import Any, Literal

from action_units.config import MachineConfig, Seed, Settings
from action_units.training.curves import summary_writer
from action_units.training.devices import check_devices, choose_machine


class _Plain(Settings):
    seed: Seed
    restart: bool


def check_arguments(
    machine: MachineConfig, seed: Any, restart: Any
) -> int | Literal["torchrun"]:
    """Refuse what this computer lacks.

    What torchrun starts may run on another computer, so its processes check the device.

    Returns:
        How many devices train, as from ``check_devices``.

    Raises:
        ConfigurationError: A device, precision or package is missing, or a value is invalid.
    """
    _Plain(seed=seed, restart=restart)
    count = check_devices(machine.devices, machine.device)
    if count != "torchrun":
        choose_machine(machine.device, machine.precision, machine.threads, machine.compilation)
    if machine.tensorboard:
        summary_writer()
    return count
