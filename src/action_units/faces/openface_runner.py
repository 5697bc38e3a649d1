"""Annotating a folder of photographs with OpenFace, in parallel and restartable.

OpenFace (Baltrušaitis et al., FG 2018) is a program of its own under a licence for research,
and is not installed with this package. One CSV a photograph is kept, named
``<photograph>.csv``, which ``read_openface`` reads.
"""

import logging
import os
import shlex
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from action_units.errors import ArtifactError, ConfigurationError
from action_units.faces.openface_program import ARGUMENTS, FaceLandmarkImg, Outcome
from action_units.faces.quarantine import Quarantine
from action_units.files import SUMS, differing, sweep, write_bytes, write_sums, write_text
from action_units.locks import locked
from action_units.media.file_types import is_picture
from action_units.media.paths import is_folder, printable, walk
from action_units.progress import Progress

logger = logging.getLogger(__name__)

REASON = "openface"
"""What photographs are set aside for."""

_COMMAND = "command.txt"
_HOPELESS = 8  # failures before the first success, from which it cannot be the photographs


@dataclass(frozen=True)
class Annotated:
    """What a run did.

    Attributes:
        new: Photographs that OpenFace has seen in this run.
        there: Photographs whose file was there already.
        quarantine: Photographs on which OpenFace failed, in this run or one before.
    """

    new: int
    there: int
    quarantine: Quarantine


@dataclass(frozen=True)
class _Photograph:
    name: str  # unique; that of the CSV without its suffix
    path: Path
    changed: int  # nanoseconds


_Batch = list[tuple[_Photograph, Outcome]]


def annotate(
    photographs: Path | str | Iterable[Path],
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
    photograph; the culprits are set aside, with a file ``<photograph>.failed`` that keeps a
    later run from trying them again. A photograph that changed since is annotated anew.

    Args:
        photographs: A folder, at any depth, or the photographs themselves.
        out: Gets the CSV files, in folders as the photographs are.
        binary: OpenFace's FaceLandmarkImg: its path, or its name where it is on the PATH.
        workers: Programs at a time; None is one for each core.
        extra_args: More arguments for it, such as ``-wild`` for difficult photographs.
        batch: Photographs a program; its models take seconds to load.
        seconds: The longest that one photograph may take.
        left_out: Whether a photograph, by its name in the folder, is not to be annotated.

    Raises:
        ConfigurationError: There is no binary or no photograph, two photographs have one name,
            OpenFace fails on everything, or `out` was made with other arguments.
        ArtifactError: The disk refused, another run is using `out`, or a file in it is not as
            it was written.
    """
    out = Path(out).absolute()
    if batch < 1 or (workers is not None and workers < 1):
        raise ConfigurationError(f"batch={batch} and workers={workers} must be 1 or more.")
    path = find_binary(binary, photographs, out, extra_args)
    found = [one for one in _list_photographs(photographs) if not left_out(one.name)]
    command = shlex.join([path.name, *ARGUMENTS, *extra_args])
    quarantine = Quarantine()
    with locked(out):
        _check_command(out, command)
        sweep(out, deep=True)
        for changed in differing(out):
            if changed.is_file():  # one that was deleted is made again
                raise ArtifactError(
                    f"{changed} is not as it was written here: {SUMS} has another SHA-256. If "
                    f"you changed it on purpose, delete {out / SUMS}; otherwise delete both, "
                    "and it is made again."
                )
        made = {name: changed for name, _, changed in _files_below(out)}
        todo = []
        for photograph in found:
            if made.get(f"{photograph.name}.failed", -1) >= photograph.changed:
                detail = (out / f"{photograph.name}.failed").read_text().strip()
                quarantine.add(photograph.path, REASON, detail)
            elif made.get(f"{photograph.name}.csv", -1) < photograph.changed:
                todo.append(photograph)
        there = len(found) - len(todo) - len(quarantine)
        if todo:
            (out / SUMS).unlink(missing_ok=True)  # until all are there
            program = FaceLandmarkImg(path, extra_args, seconds)
            quarantine.extend(_run(program, todo, out, workers, batch))
            done = [name for name, _, _ in _files_below(out) if name.endswith(".csv")]
            write_sums(out, [name for name in done if name.isprintable()])
    if len(quarantine):
        logger.warning("OpenFace failed on %s photographs", f"{len(quarantine):,}")
    return Annotated(len(todo), there, quarantine)


def how_to_run(photographs: Path | str, out: Path | str, extra_args: Sequence[str] = ()) -> str:
    """The command that a person can run instead, and where its files are expected."""
    out = Path(out).absolute()
    command = ["FaceLandmarkImg", "-fdir", str(photographs), "-out_dir", str(out)]
    if not _has_folders(photographs):
        return shlex.join([*command, *ARGUMENTS, *extra_args])
    # The program reads one folder alone: run it in each, into folders of the same names.
    find = shlex.join(["find", "-L", ".", "-type", "d", "-exec", command[0], "-fdir", "{}"])
    into = shlex.join(["-out_dir", f"{out}/{{}}", *ARGUMENTS, *extra_args, ";"])
    return f"(cd {shlex.quote(str(photographs))} && {find} {into})"


def _has_folders(photographs: Path | str) -> bool:
    return any(
        branch.name and any(is_picture(entry.name) for entry in branch.entries)
        for branch in walk(photographs)
    )


def _run(
    program: FaceLandmarkImg,
    todo: list[_Photograph],
    out: Path,
    workers: int | None,
    batch: int,
) -> Quarantine:
    """Annotate, keeping the files of each batch when it ends; only this thread writes."""
    count = workers or os.cpu_count() or 1
    batches = (todo[place : place + batch] for place in range(0, len(todo), batch))
    failures: _Batch = []
    kept_back: _Batch = []  # until one succeeds: else it is OpenFace that is broken
    succeeded = 0

    def annotate_batch(photographs: list[_Photograph]) -> _Batch:
        outcomes = program.annotate([one.path for one in photographs])
        return list(zip(photographs, outcomes, strict=True))

    pool = ThreadPoolExecutor(count)
    try:
        with Progress("Annotating with OpenFace", len(todo), "photographs") as progress:
            for outcomes in _bounded(pool, annotate_batch, batches, 2 * count):
                new = [one for one in outcomes if one[1].failure]
                failures += new
                succeeded += len(outcomes) - len(new)
                kept_back += outcomes
                if succeeded:
                    _write(kept_back, out)
                    kept_back = []
                elif len(failures) >= _HOPELESS:
                    _give_up(program.path, failures)
                progress.advance(len(outcomes), f"{len(failures):,} failed")
        _write(kept_back, out)
    finally:
        program.stop()
        pool.shutdown(cancel_futures=True)
    quarantine = Quarantine()
    for photograph, outcome in sorted(failures, key=lambda one: one[0].name):
        quarantine.add(photograph.path, REASON, outcome.failure)
    return quarantine


def _give_up(program: Path, failures: _Batch) -> None:
    photograph, outcome = failures[0]
    raise ConfigurationError(
        f"{program} failed on all of the first {len(failures)} photographs; the first was "
        f"{printable(photograph.path)}: {outcome.failure}. Run it on that one by hand; most "
        "often its models are not where it looks for them."
    )


def _bounded(
    pool: ThreadPoolExecutor,
    function: Callable[[list[_Photograph]], _Batch],
    tasks: Iterator[list[_Photograph]],
    ahead: int,
) -> Iterator[_Batch]:
    """Results as they come, with only so many tasks handed out at a time."""
    pending: set[Future[_Batch]] = {
        pool.submit(function, task) for task in islice(tasks, ahead)
    }
    while pending:
        done, pending = wait(pending, return_when=FIRST_COMPLETED)
        for future in done:
            pending |= {pool.submit(function, task) for task in islice(tasks, 1)}
            yield future.result()


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
    photographs: Path | str | Iterable[Path],
    out: Path | str,
    extra_args: Sequence[str] = (),
) -> Path:
    """OpenFace's program; raises ConfigurationError where there is none, as ``annotate``."""
    found = None if binary is None else shutil.which(binary)
    if found:
        return Path(found).absolute()
    problem = (
        "no OpenFace program is configured"
        if binary is None
        else f"{binary} is not there or is no program"
    )
    folder = photographs if isinstance(photographs, str | Path) else "PHOTOGRAPHS"
    raise ConfigurationError(
        f"{problem}. Name the FaceLandmarkImg of an OpenFace 2 that is installed, or run "
        f"`{how_to_run(folder, out, extra_args)}` where there is one and put its CSV files "
        f"into {Path(out).absolute()}, where they are looked for."
    )


def _list_photographs(photographs: Path | str | Iterable[Path]) -> list[_Photograph]:
    if isinstance(photographs, str | Path):
        folder = Path(photographs)
        if not folder.is_dir():
            raise ConfigurationError(f"{printable(folder)} is no folder of photographs.")
        found = [
            _Photograph(name, Path(path), changed)
            for name, path, changed in _files_below(folder)
            if is_picture(name)
        ]
        if not found:
            raise ConfigurationError(
                f"{printable(folder)} has no photograph; expected files such as x.jpg."
            )
        return sorted(found, key=lambda one: one.name)
    named: dict[str, _Photograph] = {}
    for path in map(Path, photographs):
        if path.name in named:
            raise ConfigurationError(
                f"{printable(path)} and {printable(named[path.name].path)} have the same name, "
                "and so would their CSV files; rename one, or give their folder."
            )
        named[path.name] = _Photograph(path.name, path, _changed(path))
    return list(named.values())


def _check_command(out: Path, command: str) -> None:
    """Never mix the output of two ways to run it."""
    file = out / _COMMAND
    before = file.read_text().strip() if file.is_file() else command
    if before != command:
        raise ConfigurationError(
            f"{out} was annotated with `{before}`, and now it is to be `{command}`: choose "
            "another folder, or delete it to annotate everything anew."
        )
    write_text(file, command + "\n")


def _files_below(folder: Path | str) -> Iterator[tuple[str, str, int]]:
    """Every file at any depth: its name in the folder, its path, and when it changed."""
    for branch in walk(folder):
        for entry in branch.entries:
            if not is_folder(entry):
                yield branch.name + entry.name, entry.path, _changed(entry)


def _changed(file: "Path | os.DirEntry[str]") -> int:
    try:
        return file.stat().st_mtime_ns
    except OSError:  # a link to nowhere: OpenFace will say so
        return 0
