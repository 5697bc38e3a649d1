"""One process of a training that runs in several: ``-m action_units.training.launch JOB``.

``torchrun`` starts it on each device of each machine, and ``devices: N`` does the same on
one; no Kedro catalog is read here. Each process learns its place from the environment (RANK,
WORLD_SIZE, LOCAL_RANK, LOCAL_WORLD_SIZE, and MASTER_ADDR and MASTER_PORT or
ACTION_UNITS_MEETING). The result is the finished checkpoint: the command that wrote the job
takes it from there.
"""

import argparse
import logging
import os
import socket
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import torch
import torch.distributed as dist

from action_units.errors import ActionUnitsError, ConfigurationError
from action_units.signals import orderly_end
from action_units.threads import cores
from action_units.training.devices import kind_of, visible_devices
from action_units.training.distributed.job import Job
from action_units.training.distributed.processes import MEETING, leave_note
from action_units.training.distributed.team import LostProcessError, Team
from action_units.training.loop import train_job

PATIENCE = timedelta(minutes=10)
"""How long a process waits for the others; a save or an evaluation is far shorter."""

SILENCE = 25.0
"""Seconds after which torchrun counts a computer that is silent as gone, by its defaults.

A process that ends before, because another is gone, is started again together with the
computer that is not there, in vain.
"""


def main() -> None:
    """Run this process's part of a job."""
    parser = argparse.ArgumentParser(
        prog="python -m action_units.training.launch",
        description="One process of a training that `devices` wrote a job for.",
    )
    parser.add_argument("job", type=Path, help="the job's folder")
    folder = parser.parse_args().job
    rank = int(os.environ.get("RANK", "0"))
    logging.basicConfig(
        level=logging.INFO if rank == 0 else logging.ERROR,
        format="%(asctime)s %(levelname)-7s %(message)s",
        datefmt="%H:%M:%S",
    )
    if MEETING in os.environ:
        threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        with orderly_end():
            job, team = _place(Job.read(folder), os.environ)
            with _joined(team):
                train_job(team, job)
    except ActionUnitsError as error:
        leave_note(folder, rank, error)
        print(f"Process {rank + 1} on {socket.gethostname()}: {error}", file=sys.stderr)
        if isinstance(error, LostProcessError) and _on_several_computers(os.environ):
            time.sleep(SILENCE)
        sys.exit(1)


def _place(job: Job, environment: Mapping[str, str]) -> tuple[Job, Team]:
    """The job on this process's own device, and its place among the others.

    Raises:
        ConfigurationError: The launcher said nothing, or there are too few devices.
    """
    try:
        rank, size, local, beside = (
            int(environment[name])
            for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")
        )
    except (KeyError, ValueError) as error:
        raise ConfigurationError(
            f"Nothing says which of the processes this is ({error}); start it by `torchrun "
            "-m action_units.training.launch JOB`."
        ) from error
    kind = kind_of(job.device)
    if beside > visible_devices(kind):
        raise ConfigurationError(
            f"{beside} processes on this computer need as many devices; it has "
            f"{visible_devices(kind)} ({kind}). Lower --nproc-per-node."
        )
    threads = job.threads
    if kind == "cpu" and threads is None:
        threads = max(1, cores() // beside)
    device = f"cuda:{local}" if kind == "cuda" else kind
    return (
        replace(job, device=device, threads=threads),
        Team(rank, size, torch.device(device)),
    )


def _on_several_computers(environment: Mapping[str, str]) -> bool:
    """Whether torchrun has started processes on other computers too."""
    alike = environment.get("LOCAL_WORLD_SIZE") == environment.get("WORLD_SIZE")
    return "TORCHELASTIC_RUN_ID" in environment and not alike


@contextmanager
def _joined(team: Team) -> Iterator[None]:
    """Meet the other processes, and part from them."""
    cuda = team.device.type == "cuda"
    if cuda:
        torch.cuda.set_device(team.device)
    with team.meeting():
        dist.init_process_group(
            "nccl" if cuda else "gloo",
            init_method=os.environ.get(MEETING, "env://"),
            rank=team.rank,
            world_size=team.size,
            timeout=PATIENCE,
            device_id=team.device if cuda else None,
        )
    yield
    # Not after an error: then the others may be gone, and it would wait for them.
    dist.destroy_process_group()


def _end_with_parent() -> None:
    """End when the process that started this one does: it holds our standard input open."""
    while os.read(sys.stdin.fileno(), 1):
        pass
    os._exit(1)


if __name__ == "__main__":
    main()
