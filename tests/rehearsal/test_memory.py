"""The most memory that some work took is seen, also after it was given back."""

import sys

import numpy as np
import pytest

from action_units.rehearsal.memory import peak_memory

MIB = 1 << 20


@pytest.mark.skipif(sys.platform != "linux", reason="other systems cannot start over")
def test_a_peak_counts_the_work_inside_alone():
    with peak_memory() as before:
        np.ones(300 * MIB, np.uint8)
    with peak_memory() as small:
        np.ones(10 * MIB, np.uint8)
    assert before.process - small.process > 200 * MIB
    assert small.device is None
