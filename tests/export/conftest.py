"""What the tests of exports share."""

import pytest

from action_units.export import quantisation


@pytest.fixture(autouse=True, scope="session")
def _speed_is_measured_in_a_moment():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(quantisation, "_SECONDS", 0.02)
        yield
