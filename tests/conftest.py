"""What all tests share."""

from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]
REAL_LABELS = PROJECT.parent / "shared" / "data"


@pytest.fixture
def real_labels() -> Path:
    """The folder of real label files; the test is skipped where they are not at hand."""
    if not REAL_LABELS.is_dir():
        pytest.skip("the real label files are not beside the project")
    return REAL_LABELS
