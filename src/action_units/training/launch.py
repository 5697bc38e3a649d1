"""The processes of a training that runs in several: starting them, and being one.

``python -m action_units.training.launch JOB`` is one process. ``torchrun`` starts it on each
device of each computer, and ``devices: N`` does the same on this one; no Kedro catalog is read
here. Each process finds its rank in the environment (RANK, WORLD_SIZE, LOCAL_RANK,
LOCAL_WORLD_SIZE, and MASTER_ADDR and MASTER_PORT or ACTION_UNITS_MEETING). The result is the
finished checkpoint: the command that wrote the job continues from there.
"""

import argparse
import json
import logging
import os
import shutil
import signal
import socket
import subprocess
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

from action_units.errors import ActionUnitsError, ArtifactError, ConfigurationError
from action_units.files import write_text
from action_units.signals import orderly_end
from action_units.threads import cores
from action_units.training.context import TrainingContext
from action_units.training.device import DeviceMemoryError, best_device, visible_devices
from action_units.training.distributed import LostProcessError, ProcessGroup
from action_units.training.divergence import DivergedError
from action_units.training.interruption import Interrupted, stop_request
from action_units.training.job import TrainingJob

logger = logging.getLogger(__name__)

INIT_METHOD = "ACTION_UNITS_MEETING"
"""Environment variable: where the processes meet, a URL of torch.distributed."""

GRACE = 10.0
"""Seconds that the other processes have to end by themselves when one has."""

TIMEOUT = timedelta(minutes=10)
"""How long a process waits for the others; a save or an evaluation is far shorter."""

SILENCE = 25.0
"""Seconds after which torchrun, by its defaults, counts a silent computer as lost.

A process that ends earlier, because another is lost, is started again together with the lost
computer, in vain.
"""

JOB_FOLDER = "job"

_KINDS = {
    kind.__name__: kind
    for kind in (ArtifactError, ConfigurationError, DeviceMemoryError, DivergedError)
}
_POLL = 0.05


class JobWritten(SystemExit):
    """The job is written, and torchrun has to start its processes; exit code 0."""

    def __init__(self, job: TrainingJob) -> None:
        """Write it into its checkpoint folder, and log the command that continues.

        Raises:
            ConfigurationError: No checkpoint folder was given, so the result would be lost.
            ArtifactError: The disk refused.
        """
        super().__init__(0)
        if job.checkpoint_folder is None:
            raise ConfigurationError(
                "devices is torchrun, which saves a checkpoint; give a checkpoint_folder."
            )
        self.folder = job.write(Path(job.checkpoint_folder) / JOB_FOLDER)
        logger.info(
            "%s is ready for torchrun. Start this on each computer (docs/clusters.md):\n"
            "TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1 torchrun --nnodes=NUMBER "
            "--nproc-per-node=DEVICES --rdzv-backend=c10d "
            "--rdzv-endpoint=HOST:29400 "
            "--rdzv-conf=keep_alive_interval=1,keep_alive_max_attempt=3 --max-restarts=3 "
            "-m action_units.training.launch %s\n"
            "When it has ended, the same command as now, without restart, continues from its "
            "result.",
            job.description,
            self.folder,
        )


def remove_job(checkpoint_folder: Path | str | None) -> None:
    """Delete the job that ``JobWritten`` wrote, with its copies of faces."""
    if checkpoint_folder is not None:
        shutil.rmtree(Path(checkpoint_folder) / JOB_FOLDER, ignore_errors=True)


def run_processes(folder: Path, count: int) -> None:
    """Run a job in several processes of this computer and wait for all.

    SIGTERM and SIGINT are passed on; the processes save and end.

    Args:
        folder: The job's, on this computer alone.
        count: How many.

    Raises:
        ActionUnitsError: The error of the first process that failed, of the same class.
        LostProcessError: One was killed.
        Interrupted: A signal arrived, and they have saved.
    """
    processes = [_start(folder, rank, count) for rank in range(count)]
    try:
        with stop_request() as stop:
            passed_on, since = None, None
            while any(process.poll() is None for process in processes):
                if stop.number != passed_on:
                    passed_on = stop.number
                    for process in processes:
                        process.send_signal(passed_on or signal.SIGTERM)
                if since is None and any(process.poll() for process in processes):
                    since = time.monotonic()
                if since is not None and time.monotonic() - since > GRACE:
                    break
                time.sleep(_POLL)
            # Processes that are left after the grace wait for one that is lost.
            _kill(processes)
            check_exits(folder, [process.wait() for process in processes], stop.number)
    finally:
        _kill(processes)
        for process in processes:
            process.wait()


def check_exits(folder: Path, codes: list[int], stopped_by: int | None) -> None:
    """Raise the error that the processes' exit codes and error files stand for, if any.

    Args:
        folder: The job's.
        codes: By rank.
        stopped_by: The signal that this process received.
    """
    if not any(codes) and stopped_by is None:
        return
    errors = {
        int(path.stem.removeprefix("error-")): json.loads(path.read_text())
        for path in folder.glob("error-*.json")
    }
    causes = [error for error in errors.values() if error["kind"] != LostProcessError.__name__]
    if causes:
        first = min(causes, key=lambda error: float(error["time"]))
        raise _KINDS.get(first["kind"], ActionUnitsError)(first["message"])
    for number in (signal.SIGTERM, signal.SIGINT):
        if stopped_by == number or 128 + number in codes:
            raise Interrupted(number)
    # A process that only lost another wrote an error file; the lost one did not.
    failed = [rank for rank, code in enumerate(codes) if code]
    rank = next((rank for rank in failed if rank not in errors), failed[0])
    code = codes[rank]
    how = f"was killed by signal {-code}" if code < 0 else f"ended with code {code}"
    raise LostProcessError(
        f"Process {rank + 1} of {len(codes)} {how}, and the others have stopped. The last "
        "checkpoint is untouched; the same command resumes from there."
    )


def _start(folder: Path, rank: int, count: int) -> "subprocess.Popen[bytes]":
    environment = {
        **os.environ,
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "WORLD_SIZE": str(count),
        "LOCAL_WORLD_SIZE": str(count),
        INIT_METHOD: f"file://{folder / 'meeting'}",
    }
    if sys.platform == "linux":  # where this computer's name may not resolve
        environment.setdefault("GLOO_SOCKET_IFNAME", "lo")
    # Its standard input closes when this process ends. Its own session spares it the
    # terminal's Ctrl-C, which would come twice.
    return subprocess.Popen(
        [sys.executable, "-m", "action_units.training.launch", str(folder)],
        env=environment,
        stdin=subprocess.PIPE,
        start_new_session=True,
    )


def _kill(processes: "list[subprocess.Popen[bytes]]") -> None:
    for process in processes:
        if process.poll() is None:
            process.kill()


def main() -> None:
    """Run this process's part of a job."""
    from action_units.training.train import run  # which imports this module

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
    if INIT_METHOD in os.environ:
        threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        with orderly_end():
            job, group = own_part(TrainingJob.read(folder), os.environ)
            with _joined(group):
                run(TrainingContext.of(job), group)
    except ActionUnitsError as error:
        content = {"kind": type(error).__name__, "message": str(error), "time": time.time()}
        write_text(folder / f"error-{rank}.json", json.dumps(content))
        print(f"Process {rank + 1} on {socket.gethostname()}: {error}", file=sys.stderr)
        several = os.environ.get("LOCAL_WORLD_SIZE") != os.environ.get("WORLD_SIZE")
        by_torchrun = "TORCHELASTIC_RUN_ID" in os.environ
        if isinstance(error, LostProcessError) and by_torchrun and several:
            time.sleep(SILENCE)
        sys.exit(1)


def own_part(
    job: TrainingJob, environment: Mapping[str, str]
) -> tuple[TrainingJob, ProcessGroup]:
    """The job on this process's own device, and its process group.

    Raises:
        ConfigurationError: The environment has no rank, or there are too few devices.
    """
    try:
        rank, size, local_rank, local_size = (
            int(environment[name])
            for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")
        )
    except (KeyError, ValueError) as error:
        raise ConfigurationError(
            f"The rank of this process is missing ({error}); start it by `torchrun "
            "-m action_units.training.launch JOB`."
        ) from error
    kind = best_device() if job.machine.device == "auto" else job.machine.device
    kind = torch.device(kind).type
    if local_size > visible_devices(kind):
        raise ConfigurationError(
            f"{local_size} processes on this computer need as many devices; it has "
            f"{visible_devices(kind)} ({kind}). Lower --nproc-per-node."
        )
    threads = job.machine.threads
    if kind == "cpu" and threads is None:
        threads = max(1, cores() // local_size)
    device = f"cuda:{local_rank}" if kind == "cuda" else kind
    machine = job.machine.model_copy(update={"device": device, "threads": threads})
    return replace(job, machine=machine), ProcessGroup(rank, size, torch.device(device))


@contextmanager
def _joined(group: ProcessGroup) -> Iterator[None]:
    """Join the other processes, and leave them."""
    cuda = group.device.type == "cuda"
    if cuda:
        torch.cuda.set_device(group.device)
    with group.lost_processes():
        dist.init_process_group(
            "nccl" if cuda else "gloo",
            init_method=os.environ.get(INIT_METHOD, "env://"),
            rank=group.rank,
            world_size=group.size,
            timeout=TIMEOUT,
            device_id=group.device if cuda else None,
        )
    yield
    # Not after an error: then the others may be lost, and it would wait for them.
    dist.destroy_process_group()


def _end_with_parent() -> None:
    """End when the process that started this one does: it holds our standard input open."""
    while os.read(sys.stdin.fileno(), 1):
        pass
    os._exit(1)


if __name__ == "__main__":
    main()
