import logging
import os

import pytest
import torch

from action_units.config import MachineConfig
from action_units.errors import ConfigurationError
from action_units.training.device import Machine, choose_machine


def test_auto_chooses_what_is_there():
    machine = choose_machine()
    assert machine.torch_device.type in ("cpu", "cuda", "mps")
    assert machine.precision in ("fp32", "bf16")
    assert machine.threads >= 1


def test_a_missing_device_is_an_error():
    with pytest.raises(ConfigurationError, match=r"device 'cuda:99' is not available.*cpu"):
        choose_machine(MachineConfig(device="cuda:99"))


def test_tf32_needs_an_nvidia_gpu():
    with pytest.raises(
        ConfigurationError, match="tf32, which NVIDIA GPUs have, and the device is"
    ):
        choose_machine(MachineConfig(device="cpu", precision="tf32"))


def settings_of_torch():
    return (
        torch.get_num_threads(),
        torch.get_deterministic_debug_mode(),
        torch.backends.cuda.matmul.allow_tf32,
        torch.backends.cudnn.allow_tf32,
    )


def test_using_a_machine_leaves_torch_as_it_was():
    before = settings_of_torch()
    with Machine("cpu", "fp32", threads=before[0] + 1).in_use():
        assert torch.get_num_threads() == before[0] + 1
        assert torch.are_deterministic_algorithms_enabled()
    assert before == settings_of_torch()


@pytest.mark.parametrize("precision", ["fp32", "tf32", "bf16"])
def test_products_are_rounded_only_on_demand(precision):
    before = settings_of_torch()
    with Machine("cuda", precision, 1).in_use():
        assert settings_of_torch()[2:] == 2 * (precision == "tf32",)
    assert before == settings_of_torch()


def test_a_resumed_run_keeps_its_threads_and_precision():
    recorded = Machine("cpu", "fp32", 3).to_dict()
    assert Machine("cpu", "bf16", 8).resumed(recorded, "auto") == Machine("cpu", "fp32", 3)


def test_another_precision_on_demand_is_warned_of(caplog):
    recorded = Machine("cpu", "fp32", 3).to_dict()
    with caplog.at_level(logging.WARNING):
        machine = Machine("cpu", "bf16", 8).resumed(recorded, "bf16")
    assert machine == Machine("cpu", "bf16", 3)
    assert "not the same bit for bit" in caplog.text


@pytest.mark.parametrize(("before", "after"), [(None, ":4096:8"), (":16:8", ":16:8")])
def test_matrix_products_are_deterministic(before, after, monkeypatch):
    name = "CUBLAS_WORKSPACE_CONFIG"
    monkeypatch.setenv(name, before or "")
    if before is None:
        monkeypatch.delenv(name)
    with Machine("cuda", "fp32", 1).in_use():
        assert os.environ[name] == after
