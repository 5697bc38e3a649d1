"""The plain arguments of ``train``, checked before any face is read."""

from typing import Any, Literal, get_args

from action_units.config import InMemory
from action_units.errors import ConfigurationError
from action_units.training.curves import summary_writer
from action_units.training.devices import check_choices, check_devices, choose_machine


def check_arguments(
    *,
    seed: Any,
    restart: Any,
    devices: Any,
    device: Any,
    precision: Any,
    threads: Any,
    compilation: Any,
    micro_batch: Any,
    faces_in_memory: Any,
    tensorboard: Any,
) -> int | Literal["torchrun"]:
    """Refuse what no training could do, or none on this computer, whatever the data.

    The arguments are ``train``'s, of whatever type they came. What torchrun is to start may
    run elsewhere, so there it is left to the processes whether the device is there.

    Returns:
        How many devices train, as from ``check_devices``.

    Raises:
        ConfigurationError: A value is no choice, or this computer lacks what it asks for.
    """
    if type(seed) is not int or not 0 <= seed < 2**63:
        raise ConfigurationError(f"seed is {seed!r}; it must be a whole number from 0.")
    for name, value in (("restart", restart), ("tensorboard", tensorboard)):
        if type(value) is not bool:
            raise ConfigurationError(f"{name} is {value!r}; it must be true or false.")
    if micro_batch not in (None, "auto") and (type(micro_batch) is not int or micro_batch < 1):
        raise ConfigurationError(
            f"micro_batch is {micro_batch!r}; it must be a whole number from 1, auto, or null."
        )
    if faces_in_memory not in get_args(InMemory):
        raise ConfigurationError(
            f"faces_in_memory is {faces_in_memory!r}; it must be one of: "
            f"{', '.join(get_args(InMemory))}."
        )
    check_choices(precision, threads, compilation)
    count = check_devices(devices, device)
    if count != "torchrun":
        choose_machine(device, precision, threads, compilation)
    if tensorboard:
        summary_writer()
    return count
