"""A GPU, looked at closely: training, exact resume and prediction.

    epochs    the paper's network: seconds for its 160,000 faces by batch and precision,
              part of the peak
    large     recipe `large` at 112 pixels in colour: faces a second, part of the bf16 peak and
              memory, as it is and with gradient checkpointing
    resume    whether a training ends in the same weights again, and after a stop half-way
    compiled, compiled_resume
              recipe `large` again, by torch's compiler
    predict   faces a second of prediction, by network, precision and size of a block
    video     frames a second of a video from end to end, and the time of each stage
    data      what of a step is gathering, augmentation and normalisation, by CUDA events
    launches  the loop's step: eager as it is, and with forward, loss and backward as one CUDA
              graph, whose dropout generators are set to the step's seeds before each replay;
              and how far their weights are apart after the same steps, which should be nothing
    syncs     where the host waits for the GPU in a step
    trace     how long the GPU idled between kernels, and the longest kernels

Each look runs in a process of its own and for a limited time, so that no other one depends on
it. None has run on a GPU yet: none was at hand. Without one the script says so and ends;
``--smoke`` goes through all of it on the CPU, very small, where a "graph" is the same work
called again.

    python -m benchmarks.gpu --looks epochs large resume
"""

import argparse
import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable
from functools import partial

import torch

from benchmarks import gpu_prediction, gpu_steps, gpu_training
from benchmarks.gpu_workloads import Setup

# Dense peaks without sparsity in TFLOP/s, from the makers' data sheets: fp32, tf32, bf16.
PEAKS = {
    "H200": (67, 495, 989),
    "H100 PCIe": (51, 378, 756),
    "H100": (67, 495, 989),
    "A100": (19.5, 156, 312),
    "L40S": (91.6, 183, 362),
    "L4": (30.3, 60, 121),
    "RTX 4090": (82.6, 82.6, 165),
}
LOOKS: dict[str, Callable[[Setup], None]] = {
    "epochs": gpu_training.epochs,
    "large": gpu_training.large_recipe,
    "resume": gpu_training.resume,
    "predict": gpu_prediction.predict,
    "video": gpu_prediction.video,
    "data": gpu_steps.data,
    "launches": gpu_steps.launches,
    "syncs": gpu_steps.syncs,
    "trace": gpu_steps.trace,
    "compiled": partial(gpu_training.large_recipe, ways=gpu_training.COMPILED),
    "compiled_resume": partial(gpu_training.resume, ways=gpu_training.COMPILED),
}


def look(name: str, setup: Setup) -> None:
    # A look that was stopped while it compiled leaves half a file in the compiler's cache.
    with tempfile.TemporaryDirectory() as cache:
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = cache
        LOOKS[name](setup)


def each_look(names: list[str], setup: Setup, limit: float) -> None:
    """Look in processes of their own, one after the other, whatever becomes of one.

    Args:
        names: Of the looks.
        setup: What they share.
        limit: Seconds that each may take.
    """
    context = multiprocessing.get_context("spawn")
    for name in names:
        process, started = context.Process(target=look, args=(name, setup)), time.monotonic()
        process.start()
        process.join(limit)
        ended = not process.is_alive()
        if not ended:
            process.kill()
            process.join()
        end = "done" if process.exitcode == 0 else f"failed, exit code {process.exitcode}"
        end = end if ended else "stopped, it took too long"
        print(f"  {name} {end} ({time.monotonic() - started:.0f} s)", flush=True)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--looks", nargs="+", choices=LOOKS, default=list(LOOKS))
    parser.add_argument("--limit", type=float, default=400, help="seconds that a look may take")
    parser.add_argument("--faces", type=int, default=gpu_training.PAPER_FACES)
    parser.add_argument("--batches", type=int, nargs="+", default=[512, 32])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--smoke", action="store_true", help="on the CPU, very small")
    chosen = parser.parse_args(arguments)
    if chosen.smoke:
        setup = Setup()
        print("smoke: on the CPU; no figure here means anything", flush=True)
    elif not torch.cuda.is_available():
        print("There is no GPU here, so nothing was measured; --smoke tries the script.")
        return
    else:
        name = torch.cuda.get_device_name()
        known = next((PEAKS[part] for part in PEAKS if part in name), ())
        peaks = dict(zip(("fp32", "tf32", "bf16"), known, strict=False))
        batches = tuple(chosen.batches)
        setup = Setup("cuda", False, chosen.faces, batches, chosen.rounds, peaks)
        told = ", ".join(f"{p} {v:g}" for p, v in peaks.items()) or "not in the table"
        print(f"{name}, torch {torch.__version__}; peak in TFLOP/s: {told}", flush=True)
    each_look(chosen.looks, setup, chosen.limit)


if __name__ == "__main__":
    main()
