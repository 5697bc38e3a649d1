"""Augmentation: the batch on the device against the paper's path of one face at a time.

The paper's path takes a face with Pillow, warps it with SciPy's ``affine_transform``
(order 1, mode reflect), flips it and scales it to [-1, 1], one after the other. Both paths
get the same faces and the same parameters, and the largest difference is printed. They are
timed in turn within each round, so that a drift of the machine falls on both, in time of the
one core they use; the batch is timed a second time, and the ratio of its two medians is the
noise. Drawing the parameters counts for the batch (by its share of an epoch's plan) and not for
the paper's path.

    OMP_NUM_THREADS=1 python benchmarks/augmentation.py --batches 32 512
"""

import argparse
import io
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from scipy.ndimage import affine_transform, gaussian_filter, zoom

from action_units.config import Augmentation
from action_units.training.augment import Augmenter, make_plan

EPOCH = 8192
EXTRAS: dict[str, dict[str, float]] = {
    "brightness and contrast": {"brightness": 0.1, "contrast": 0.2},
    "gamma": {"gamma": 1.5},
    "blur": {"blur": 0.02},
    "noise": {"noise": 0.05},
    "erasing": {"erase": 0.5},
}

Floats = npt.NDArray[np.float32]


def made_up_faces(n: int, size: int) -> npt.NDArray[np.uint8]:
    """Smooth noise: something that JPEG compresses as it does a face."""
    random = np.random.default_rng(0)
    coarse = gaussian_filter(random.normal(size=(n, size // 2, size // 2)), (0, 2, 2))
    fine = zoom(coarse, (1, 2, 2), order=1)
    return np.clip(128 + 60 * fine / fine.std(), 0, 255).astype(np.uint8)


def one_by_one(pictures: list[Any], matrices: npt.NDArray[np.float64], flips: Any) -> Floats:
    """The paper's path; a picture is a Pillow image, or the bytes of a JPEG file."""
    done = []
    for picture, matrix, flip in zip(pictures, matrices, flips, strict=True):
        image = Image.open(io.BytesIO(picture)) if isinstance(picture, bytes) else picture
        face = np.asarray(image, dtype=np.float32)
        face = affine_transform(face, matrix[:, :2], matrix[:, 2], order=1, mode="reflect")
        if flip:
            face = face[:, ::-1]
        done.append(face / 127.5 - 1.0)
    return np.stack(done)


def jpeg(face: npt.NDArray[np.uint8]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(face).save(file, "JPEG", quality=95)
    return file.getvalue()


def seconds(work: Callable[[], Any]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


def medians(rounds: int, *works: Callable[[], Any]) -> list[float]:
    """The median time of each, taken in turn."""
    for work in works:
        work()
    times = [[seconds(work) for work in works] for _ in range(rounds)]
    return [median(column) for column in zip(*times, strict=True)]


def tell(size: int, batch: int, rounds: int) -> None:
    """Measure one batch size, and print."""
    faces = made_up_faces(batch, size)
    on_device, rows = torch.from_numpy(faces), torch.arange(EPOCH)
    options = Augmentation()
    augment = Augmenter(options, 0, torch.device("cpu"))
    plan = make_plan(options, 0, 0, rows, size)
    part = slice(0, batch)
    # The warp before the flip, as the paper's path wants it: the same draws without a flip.
    unflipped = make_plan(options.model_copy(update={"flip": 0.0}), 0, 0, rows[part], size)
    matrices = unflipped.matrix.double().numpy()
    flips = (plan.matrix[part] != unflipped.matrix).any(dim=2).any(dim=1).numpy()
    pictures = [Image.fromarray(face) for face in faces]
    files = [jpeg(face) for face in faces]

    ours = augment(on_device, plan[part])[:, 0].double().numpy()
    error = 127.5 * np.abs(ours - one_by_one(pictures, matrices, flips)).max()
    draw, first, paper, again, decoding = medians(
        rounds,
        lambda: make_plan(options, 0, 0, rows, size),
        lambda: augment(on_device, plan[part]),
        lambda: one_by_one(pictures, matrices, flips),
        lambda: augment(on_device, plan[part]),
        lambda: one_by_one(files, matrices, flips),
    )
    draw *= batch / EPOCH
    whole = draw + first
    print(
        f"{size} px, batch {batch}, one thread, medians of {rounds} rounds\n"
        f"  batch               {1e3 * whole:8.3f} ms ({1e3 * draw:.3f} of it the draw), "
        f"{batch / whole:,.0f} faces/s; the same again: {again / first:.3f}\n"
        f"  one by one          {1e3 * paper:8.3f} ms, {paper / whole:.1f} times the batch\n"
        f"  with JPEG decoding  {1e3 * decoding:8.3f} ms, {decoding / whole:.1f} times\n"
        f"  largest difference  {error:8.4f} grey levels\n"
        "  cost of further options, in parts of the batch:"
    )
    for name, extra in EXTRAS.items():
        more = options.model_copy(update=extra)
        augment_more = Augmenter(more, 0, torch.device("cpu"))
        plan_more = make_plan(more, 0, 0, rows[part], size)
        base, longer = medians(
            rounds,
            lambda: augment(on_device, plan[part]),
            lambda a=augment_more, p=plan_more: a(on_device, p),
        )
        print(f"    {name:24}{longer / base - 1:+.2f}", flush=True)


def main() -> None:
    """Read the command line and measure each batch size."""
    parser = argparse.ArgumentParser(description="Augmentation in batches and one by one.")
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--batches", type=int, nargs="+", default=[32, 64, 512])
    parser.add_argument("--rounds", type=int, default=30)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    for batch in arguments.batches:
        tell(arguments.size, batch, arguments.rounds)


if __name__ == "__main__":
    main()
