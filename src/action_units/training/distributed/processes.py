"""Starting the processes of a training on this computer's devices, and ending with them."""

import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from action_units.errors import ActionUnitsError, ArtifactError, ConfigurationError
from action_units.files import write_text
from action_units.training.distributed.job import Job
from action_units.training.distributed.team import LostProcessError
from action_units.training.divergence import DivergedError
from action_units.training.interruption import Interrupted, stop_request
from action_units.training.memory import DeviceMemoryError

logger = logging.getLogger(__name__)

MEETING = "ACTION_UNITS_MEETING"
"""Environment variable: where the processes meet, a URL of torch.distributed."""

GRACE = 10.0
"""Seconds that the others have to end by themselves when one has."""

JOB_FOLDER = "job"

_KINDS = {
    kind.__name__: kind
    for kind in (ArtifactError, ConfigurationError, DeviceMemoryError, DivergedError)
}
_POLL = 0.05


class JobWritten(SystemExit):
    """The job is written, and its processes are to be started by torchrun; exit code 0."""

    def __init__(self, job: Job) -> None:
        """Write it beside its checkpoint, and say how to go on.

        Args:
            job: With a checkpoint folder.

        Raises:
            ConfigurationError: It has none, and its result would be lost.
            ArtifactError: The disk refused.
        """
        super().__init__(0)
        if job.checkpoint_folder is None:
            raise ConfigurationError(
                "devices is torchrun, whose result is a checkpoint; give a checkpoint_folder."
            )
        self.folder = job.write(Path(job.checkpoint_folder) / JOB_FOLDER)
        logger.info(
            "%s is ready for torchrun. Start this on each computer (docs/clusters.md):\n"
            "TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1 torchrun --nnodes=NUMBER "
            "--nproc-per-node=DEVICES --rdzv-backend=c10d "
            "--rdzv-endpoint=HOST:29400 "
            "--rdzv-conf=keep_alive_interval=1,keep_alive_max_attempt=3 --max-restarts=3 "
            "-m action_units.training.launch %s\n"
            "When it has ended, the same command as now, without restart, goes on from its "
            "result.",
            job.description,
            self.folder,
        )


def remove_job(checkpoint_folder: Path | str | None) -> None:
    """Delete the job that ``JobWritten`` wrote, with its copies of faces."""
    if checkpoint_folder is not None:
        shutil.rmtree(Path(checkpoint_folder) / JOB_FOLDER, ignore_errors=True)


def run_processes(folder: Path, count: int) -> None:
    """Run a job in several processes and wait for all.

    SIGTERM and SIGINT are passed on; the processes save and end.

    Args:
        folder: The job's, on this computer alone.
        count: How many.

    Raises:
        ActionUnitsError: What the first process to fail said, of the same class.
        LostProcessError: One was killed.
        Interrupted: They were asked to stop, and have saved.
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
            # Who is left after the grace has been told, and waits for one that is gone.
            _kill(processes)
            _judge(folder, [process.wait() for process in processes], stop.number)
    finally:
        _kill(processes)
        for process in processes:
            process.wait()


def leave_note(folder: Path, rank: int, error: ActionUnitsError) -> None:
    """Write down why a process ends, for the one that started it."""
    note = {"kind": type(error).__name__, "message": str(error), "time": time.time()}
    write_text(folder / f"error-{rank}.json", json.dumps(note))


def _start(folder: Path, rank: int, count: int) -> "subprocess.Popen[bytes]":
    environment = {
        **os.environ,
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "WORLD_SIZE": str(count),
        "LOCAL_WORLD_SIZE": str(count),
        MEETING: f"file://{folder / 'meeting'}",
    }
    if sys.platform == "linux":  # where the name of this computer may lead nowhere
        environment.setdefault("GLOO_SOCKET_IFNAME", "lo")
    # Its standard input tells it that this process has ended. A session of its own spares
    # it the terminal's Ctrl-C, which would come twice.
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


def _judge(folder: Path, codes: list[int], asked: int | None) -> None:
    """Raise what the exit codes and notes of the processes mean."""
    if not any(codes) and asked is None:
        return
    notes = [json.loads(path.read_text()) for path in folder.glob("error-*.json")]
    told = [note for note in notes if note["kind"] != LostProcessError.__name__]
    if told:
        first = min(told, key=lambda note: float(note["time"]))
        raise _KINDS.get(first["kind"], ActionUnitsError)(first["message"])
    for number in (signal.SIGTERM, signal.SIGINT):
        if asked == number or 128 + number in codes:
            raise Interrupted(number)
    # A process that merely lost another left a note; the culprit did not.
    noted = {int(path.stem.removeprefix("error-")) for path in folder.glob("error-*.json")}
    rank = next(
        (rank for rank, code in enumerate(codes) if code and rank not in noted),
        next(rank for rank, code in enumerate(codes) if code),
    )
    code = codes[rank]
    how = f"was killed by signal {-code}" if code < 0 else f"ended with code {code}"
    raise LostProcessError(
        f"Process {rank + 1} of {len(codes)} {how}, and the others have stopped. The last "
        "checkpoint is untouched; the same command goes on from there."
    )
