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


VARIABLE = (
    "-vf",
    "setpts='if(lt(N,20),N,20+(N-20)*4)'",
    "-fps_mode",
    "vfr",
    "-pix_fmt",
    "yuv420p",
)
"""Of frames at 20 a second: after the first 20 there are 5 a second."""

SHOWN = [n / 20 if n < 20 else 1 + (n - 20) / 5 for n in range(30)]
"""When 30 such frames are shown, in seconds."""


def without(content, element, size):
    """A Matroska file that lacks what this element tells: a blank of its length instead."""
    at = content.index(element)
    length = len(element) + size - 2
    return (
        content[:at] + bytes([0xEC, 0x80 | length]) + bytes(length) + content[at + length + 2 :]
    )


def as_a_browser_writes(path):
    """Take away a WebM's length, and how long a frame is."""
    content = without(path.read_bytes(), b"\x23\xe3\x83\x84", 4)
    path.write_bytes(without(content, b"\x44\x89\x88", 8))
    return path


def likeness(one, other):
    """Peak signal to noise of two pictures, in decibels."""
    error = np.square(one.astype(float) - other.astype(float)).mean()
    return 10 * np.log10(255**2 / max(error, 1e-9))
