"""Exports in the tests are checked and measured on few faces."""

import pytest

from action_units.export import check, quantisation


@pytest.fixture(autouse=True, scope="session")
def _few_faces():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(quantisation, "_SECONDS", 0.02)
        patch.setattr(check, "CHECKED_FACES", 200)
        patch.setattr(check, "SYNTHETIC_FACES", 50)
        yield
