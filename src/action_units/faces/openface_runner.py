"""Annotating a folder of photographs with OpenFace, in parallel and restartable.

OpenFace (Baltrušaitis et al., FG 2018) is a separate program under a licence for research, and
is not installed with this package. Each photograph has one CSV, named ``<photograph>.csv``,
which ``read_openface`` reads. A person may have run the program instead, so whether a
photograph is done is decided by the times of the two files, without a record.

This relies on the following behaviour (``ImageCapture.cpp`` and ``RecorderOpenFace.cpp`` of
version 2.2): FaceLandmarkImg names its files after the picture without suffix, writes
``<name>_of_details.txt`` for every picture that it could read and ``<name>.csv`` for those with
a face, and exits with 1 at the first picture that it cannot read.
"""

import logging
import os
import shlex
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from action_units.errors import ArtifactError, ConfigurationError
from action_units.faces.quarantine import Quarantine
from action_units.files import (
    SUMS,
    differing,
    sweep,
    temporary_folder,
    write_bytes,
    write_sums,
    write_text,
)
from action_units.locks import locked
from action_units.media.file_types import is_picture
from action_units.media.paths import is_folder, printable, walk
from action_units.progress import Progress

logger = logging.getLogger(__name__)

_ARGUMENTS = ("-aus", "-2Dfp")  # action units, and landmarks to match faces
_NO_FACE = b"face, confidence\n"  # the CSV of a photograph in which it found no face

REASON = "openface"
"""Why photographs are quarantined."""

_COMMAND = "command.txt"
_MAX_FAILURES = 8  # before the first success: then the program is the cause


@dataclass(frozen=True)
class Annotated:
    """The outcome of a run.

    Attributes:
        new: Photographs that OpenFace has seen in this run.
        existing: Photographs whose file existed already.
        quarantine: Photographs on which OpenFace failed, in this run or one before.
    """

    new: int
    existing: int
    quarantine: Quarantine


@dataclass(frozen=True)
class _Photograph:
    name: str  # unique; that of the CSV without its suffix
    path: Path
    changed: int  # nanoseconds


@dataclass(frozen=True)
class _Outcome:
    csv: bytes = b""
    failure: str = ""  # a sentence; empty on success


_Batch = list[tuple[_Photograph, _Outcome]]


def annotate(
    photographs: Path | str,
    out: Path | str,
    binary: Path | str | None,
    workers: int | None = None,
    extra_args: Sequence[str] = (),
    batch: int = 16,
    seconds: float = 60.0,
    left_out: Callable[[str], bool] = lambda name: False,
) -> Annotated:
    """Annotate photographs with OpenFace, each once.

    A batch on which OpenFace crashes, or that takes too long, is run again photograph by
    photograph; those that fail are quarantined, with a file ``<photograph>.failed`` that keeps
    a later run from trying them again. A photograph that changed since is annotated again.

    Args:
        photographs: Their folder, at any depth.
        out: Gets the CSV files, in folders as the photographs are.
        binary: OpenFace's FaceLandmarkImg: its path, or its name where it is on the PATH.
        workers: Programs at a time; None is one for each core.
        extra_args: More arguments for it, such as ``-wild`` for difficult photographs.
        batch: Photographs a program; its models take seconds to load.
        seconds: The longest that one photograph may take.
        left_out: Whether a photograph, by its name in the folder, is not to be annotated.

    Raises:
        ConfigurationError: No binary or photograph was found, OpenFace fails on
            everything, or `out` was made with other arguments.
        ArtifactError: The disk refused, another run is using `out`, or a file in it is not as
            it was written.
    """
    out = Path(out).absolute()
    if batch < 1 or (workers is not None and workers < 1):
        raise ConfigurationError(f"batch={batch} and workers={workers} must be 1 or more.")
    path = find_binary(binary, photographs, out, extra_args)
    listed = [one for one in _list_photographs(photographs) if not left_out(one.name)]
    command = shlex.join([path.name, *_ARGUMENTS, *extra_args])
    quarantine = Quarantine()
    with locked(out):
        _check_command(out, command)
        sweep(out, deep=True)
        for changed in differing(out):
            if changed.is_file():  # one that was deleted is made again
                raise ArtifactError(
                    f"{changed} was changed after it was written: {SUMS} has another SHA-256. "
                    f"If you changed it on purpose, delete {out / SUMS}; otherwise delete "
                    "both to make it again."
                )
        made = {name: changed for name, _, changed in _files_below(out)}
        todo = []
        for photograph in listed:
            if made.get(f"{photograph.name}.failed", -1) >= photograph.changed:
                detail = (out / f"{photograph.name}.failed").read_text().strip()
                quarantine.add(photograph.path, REASON, detail)
            elif made.get(f"{photograph.name}.csv", -1) < photograph.changed:
                todo.append(photograph)
        existing = len(listed) - len(todo) - len(quarantine)
        if todo:
            (out / SUMS).unlink(missing_ok=True)  # until all are there
            program = FaceLandmarkImg(path, extra_args, seconds)
            quarantine.extend(_run(program, todo, out, workers, batch))
            done = [name for name, _, _ in _files_below(out) if name.endswith(".csv")]
            write_sums(out, [name for name in done if name.isprintable()])
    if len(quarantine):
        logger.warning("OpenFace failed on %s photographs", f"{len(quarantine):,}")
    return Annotated(len(todo), existing, quarantine)


def how_to_run(photographs: Path | str, out: Path | str, extra_args: Sequence[str] = ()) -> str:
    """The command that a person can run instead, and where its files are expected."""
    out = Path(out).absolute()
    command = ["FaceLandmarkImg", "-fdir", str(photographs), "-out_dir", str(out)]
    if not _has_folders(photographs):
        return shlex.join([*command, *_ARGUMENTS, *extra_args])
    # The program reads one folder alone: run it in each, into folders of the same names.
    find = shlex.join(["find", "-L", ".", "-type", "d", "-exec", command[0], "-fdir", "{}"])
    into = shlex.join(["-out_dir", f"{out}/{{}}", *_ARGUMENTS, *extra_args, ";"])
    return f"(cd {shlex.quote(str(photographs))} && {find} {into})"


def _has_folders(photographs: Path | str) -> bool:
    return any(
        branch.name and any(is_picture(entry.name) for entry in branch.entries)
        for branch in walk(photographs)
    )


class FaceLandmarkImg:
    """Runs OpenFace's program on a few photographs; another thread can stop it."""

    def __init__(self, path: Path, extra_args: Sequence[str], seconds: float) -> None:
        """Name the program, more arguments, and the longest time for a photograph."""
        self.path, self.extra_args, self.seconds = path, tuple(extra_args), seconds
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen[str]] = set()
        self._stopped = False

    def annotate(self, photographs: Sequence[Path]) -> list[_Outcome]:
        """Run it on some photographs, or on each alone where that fails."""
        with temporary_folder("action-units-openface") as folder:
            inputs, outputs = folder / "in", folder / "out"
            inputs.mkdir()
            outputs.mkdir()
            # Links of plain names: two photographs may differ in their suffix alone, and
            # OpenFace takes no name that is not UTF-8.
            links = [
                inputs / f"{number:05d}{photograph.suffix.lower()}"
                for number, photograph in enumerate(photographs)
            ]
            for link, photograph in zip(links, photographs, strict=True):
                link.symlink_to(photograph.absolute())
            failure = self._call(links, outputs)
            outcomes = []
            for link in links:
                csv = outputs / f"{link.stem}.csv"
                if csv.is_file():
                    outcomes.append(_Outcome(csv=csv.read_bytes()))
                elif (outputs / f"{link.stem}_of_details.txt").is_file():
                    outcomes.append(_Outcome(csv=_NO_FACE))
                else:
                    failure = failure or "OpenFace wrote nothing for it"
        if not failure:
            return outcomes
        if len(photographs) == 1:
            return [_Outcome(failure=failure)]
        return [self.annotate([photograph])[0] for photograph in photographs]

    def stop(self) -> None:
        """Kill what is running and start nothing more."""
        with self._lock:
            self._stopped = True
            for process in self._running:
                _kill(process)

    def _call(self, links: list[Path], outputs: Path) -> str:
        """Run the program once; returns the failure in a sentence, or nothing."""
        files = [part for link in links for part in ("-f", str(link))]
        command = [str(self.path), *files, "-out_dir", str(outputs), *_ARGUMENTS]
        with self._lock:
            if self._stopped:
                return "OpenFace was stopped"
            try:
                process = subprocess.Popen(
                    [*command, *self.extra_args],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    text=True,
                    errors="replace",
                    start_new_session=True,  # so that a wrapper's children stop with it
                    env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
                )
            except OSError as error:
                return f"{self.path} cannot be run ({error.strerror})"
            self._running.add(process)
        try:
            output, errors = process.communicate(timeout=self.seconds * len(links))
        except subprocess.TimeoutExpired:
            _kill(process)
            process.communicate()
            return f"OpenFace took longer than {self.seconds:g} s"
        finally:
            with self._lock:
                self._running.discard(process)
        return _describe(process.returncode, errors, output)


def _run(
    program: FaceLandmarkImg,
    todo: list[_Photograph],
    out: Path,
    workers: int | None,
    batch: int,
) -> Quarantine:
    """Annotate, keeping the files of each batch when it ends; only this thread writes."""
    failures: _Batch = []
    unwritten: _Batch = []  # until one succeeds: else it is OpenFace that is broken
    succeeded = 0

    def annotate_batch(photographs: list[_Photograph]) -> _Batch:
        outcomes = program.annotate([one.path for one in photographs])
        return list(zip(photographs, outcomes, strict=True))

    pool = ThreadPoolExecutor(workers or os.cpu_count() or 1)
    try:
        with Progress("Annotating with OpenFace", len(todo), "photographs") as progress:
            batches = [todo[start : start + batch] for start in range(0, len(todo), batch)]
            for future in as_completed({pool.submit(annotate_batch, one) for one in batches}):
                outcomes = future.result()
                failed = [one for one in outcomes if one[1].failure]
                failures += failed
                succeeded += len(outcomes) - len(failed)
                unwritten += outcomes
                if succeeded:
                    _write(unwritten, out)
                    unwritten = []
                elif len(failures) >= _MAX_FAILURES:
                    photograph, outcome = failures[0]
                    raise ConfigurationError(
                        f"{program.path} failed on all of the first {len(failures)} "
                        f"photographs; the first was {printable(photograph.path)}: "
                        f"{outcome.failure}. Run it on that one by hand; a common cause is a "
                        "missing models folder."
                    )
                progress.advance(len(outcomes), f"{len(failures):,} failed")
        _write(unwritten, out)
    finally:
        program.stop()
        pool.shutdown(cancel_futures=True)
    quarantine = Quarantine()
    for photograph, outcome in sorted(failures, key=lambda one: one[0].name):
        quarantine.add(photograph.path, REASON, outcome.failure)
    return quarantine


def _write(batch: _Batch, out: Path) -> None:
    for photograph, outcome in batch:
        csv = out / f"{photograph.name}.csv"
        failed = out / f"{photograph.name}.failed"
        if outcome.failure:
            write_text(failed, outcome.failure + "\n")
            csv.unlink(missing_ok=True)
        else:
            write_bytes(csv, outcome.csv)
            failed.unlink(missing_ok=True)


def find_binary(
    binary: Path | str | None,
    photographs: Path | str,
    out: Path | str,
    extra_args: Sequence[str] = (),
) -> Path:
    """OpenFace's program; raises ConfigurationError if missing, as ``annotate`` does."""
    program = None if binary is None else shutil.which(binary)
    if program:
        return Path(program).absolute()
    problem = (
        "no OpenFace program is configured"
        if binary is None
        else f"{binary} does not exist or is not a program"
    )
    raise ConfigurationError(
        f"{problem}. Name the FaceLandmarkImg of an OpenFace 2 that is installed, or run "
        f"`{how_to_run(photographs, out, extra_args)}` where it is installed and put its CSV "
        f"files into {Path(out).absolute()}, where they are looked for."
    )


def _list_photographs(folder: Path | str) -> list[_Photograph]:
    if not Path(folder).is_dir():
        raise ConfigurationError(f"{printable(folder)} is not a folder of photographs.")
    photographs = [
        _Photograph(name, Path(path), changed)
        for name, path, changed in _files_below(folder)
        if is_picture(name)
    ]
    if not photographs:
        raise ConfigurationError(
            f"{printable(folder)} has no photograph; expected files such as x.jpg."
        )
    return sorted(photographs, key=lambda one: one.name)


def _check_command(out: Path, command: str) -> None:
    """Check that the folder has no output of other arguments."""
    file = out / _COMMAND
    before = file.read_text().strip() if file.is_file() else command
    if before != command:
        raise ConfigurationError(
            f"{out} was annotated with `{before}`, but the command is now `{command}`: choose "
            "another folder, or delete it to annotate everything again."
        )
    write_text(file, command + "\n")


def _files_below(folder: Path | str) -> Iterator[tuple[str, str, int]]:
    """Every file at any depth: its name in the folder, its path, and when it changed."""
    for branch in walk(folder):
        for entry in branch.entries:
            if not is_folder(entry):
                yield branch.name + entry.name, entry.path, _changed(entry)


def _changed(file: "os.DirEntry[str]") -> int:
    try:
        return file.stat().st_mtime_ns
    except OSError:  # a link to nowhere: OpenFace reports it
        return 0


def _describe(code: int, *outputs: str) -> str:
    """A program's failure, from its exit code and last line; nothing on success."""
    if code == 0:
        return ""
    how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"exited with {code}"
    lines = [line.strip() for text in outputs for line in reversed(text.splitlines())]
    last = next((line for line in lines if line), "")
    return f"OpenFace {how}" + (f": {last[:300]}" if last else " without a message")


def _kill(process: "subprocess.Popen[str]") -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        process.kill()
