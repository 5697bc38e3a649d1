"""Thousands of damaged pictures: no crash, no cut file taken, memory under a cap."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

REASONS = {
    "empty", "too large", "not an image", "truncated", "damaged", "transparent", "unsupported",
    "a picture",
}  # fmt: skip


@pytest.mark.skipif(sys.platform != "linux", reason="addresses are capped on Linux alone")
@pytest.mark.parametrize(
    ("count", "seed"), [(500, 1), pytest.param(10_000, 2, marks=pytest.mark.slow)]
)
def test_damaged_files_neither_crash_nor_pass_for_whole_ones(count, seed):
    child = subprocess.run(
        [sys.executable, "-m", "tests.media.corrupted_media", str(count), str(seed)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        timeout=600,
        check=False,
    )
    assert child.returncode == 0, child.stderr[-2000:]
    found = json.loads(child.stdout)
    assert sum(found["outcomes"].values()) == count
    assert {key.split(": ")[1] for key in found["outcomes"]} <= REASONS
    assert found["cuts that were taken"] == []
    assert found["odd"] == []
    assert found["grown MiB"] < 1024
