"""A missing optional package is one sentence with what to install."""

import sys

import pytest

from action_units.errors import ConfigurationError
from action_units.extras import import_extra


def test_a_missing_package_is_named_with_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "fastapi", None)
    monkeypatch.delitem(sys.modules, "action_units.live.server", raising=False)
    with pytest.raises(ConfigurationError) as caught:
        import_extra("action_units.live.server", "live", "The live view")
    assert str(caught.value) == (
        "The live view needs the package fastapi, which is not installed: "
        "pip install 'action-units[live]'."
    )


def test_a_missing_module_of_this_project_is_a_mistake_of_it():
    with pytest.raises(ModuleNotFoundError):
        import_extra("action_units.no_such_module", "live", "The live view")
