"""Damages pictures in every way and reads them: ``python -m tests.media.corrupted_media``.

It runs in a process of its own, so that a crash is seen and memory can be capped. What
came of each kind of damage is printed as JSON.
"""

import json
import resource
import sys
import tempfile
import warnings
from collections import Counter
from pathlib import Path

import numpy as np

from action_units.errors import UnusableFace
from action_units.media.images import read_image
from tests.media.picture_files import picture_files
from tests.media.test_image_damage import PADDING

CAP = 3 << 30  # bytes of addresses: a hostile header must not get more


def damage(rng, name, files):
    """A kind of damage and the damaged bytes."""
    content = files[name]
    size = len(content)
    kind = str(
        rng.choice(["cut", "bits", "header", "zeros", "lost", "mixed", "noise", "added"])
    )
    if kind == "cut":
        return kind, content[: rng.integers(0, size - PADDING.get(name, 0))]
    if kind == "lost":
        first, last = sorted(rng.integers(0, size, 2))
        return kind, content[:first] + content[last + 1 :]
    if kind == "mixed":
        other = files[str(rng.choice(sorted(files)))]
        return kind, content[: rng.integers(0, size)] + other[rng.integers(0, len(other)) :]
    if kind == "noise":
        return kind, content[: rng.integers(0, 40)] + rng.bytes(rng.integers(1, 3000))
    damaged = bytearray(content)
    if kind == "bits":
        for place in rng.integers(0, size, rng.integers(1, 9)):
            damaged[place] ^= 1 << rng.integers(8)
    elif kind == "header":
        for place in rng.integers(0, min(size, 64), rng.integers(1, 9)):
            damaged[place] = rng.integers(256)
    elif kind == "zeros":
        first, last = sorted(rng.integers(0, size, 2))
        damaged[first:last] = bytes(last - first)
    else:
        place = int(rng.integers(0, size))
        damaged[place:place] = rng.bytes(rng.integers(1, 200))
    return kind, bytes(damaged)


def main(count, seed):
    warnings.simplefilter("ignore")
    files = picture_files()
    names = sorted(files)
    outcomes, whole_cuts, odd = Counter(), [], []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.jpg"
        path.write_bytes(files["PNG"])
        read_image(path)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        resource.setrlimit(resource.RLIMIT_AS, (CAP, CAP))
        for index in range(count):
            rng = np.random.default_rng([seed, index])
            name = names[index % len(names)]
            kind, content = damage(rng, name, files)
            path.write_bytes(content)
            try:
                pixels = read_image(path, gray=bool(rng.integers(2)))
            except UnusableFace as error:
                outcomes[f"{kind}: {error.reason}"] += 1
                if not error.detail:
                    odd.append([index, name, kind, "no detail"])
                continue
            outcomes[f"{kind}: a picture"] += 1
            if kind == "cut":
                whole_cuts.append([index, name, len(content)])
            if pixels.dtype != np.uint8 or pixels.ndim not in (2, 3) or not pixels.size:
                odd.append([index, name, kind, str(pixels.shape)])
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    print(json.dumps({
        "outcomes": outcomes, "cuts that were taken": whole_cuts, "odd": odd,
        "grown MiB": grown >> 10,
    }))  # fmt: skip


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
