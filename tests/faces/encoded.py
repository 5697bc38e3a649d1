"""Videos as other programs write them: by the ``ffmpeg`` command, which tests alone need."""

import shutil
import subprocess

import numpy as np
import pytest

needs_ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is missing")


def run(*arguments):
    command = ["ffmpeg", "-hide_banner", "-loglevel", "error", "-y", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()[-2000:]


def encode(path, frames, *options, rate=25, pixels="bgr24"):
    """Write frames (H, W, 3) as the options say."""
    height, width = frames[0].shape[:2]
    raw = path.with_name(path.name + ".raw")
    raw.write_bytes(np.stack(frames).tobytes())
    run(
        "-f", "rawvideo", "-pix_fmt", pixels, "-s", f"{width}x{height}", "-r", rate, "-i", raw,
        *options, path,
    )  # fmt: skip
    raw.unlink()
    return path


def likeness(one, other):
    """Peak signal to noise of two pictures, in decibels."""
    error = np.square(one.astype(float) - other.astype(float)).mean()
    return 10 * np.log10(255**2 / max(error, 1e-9))
