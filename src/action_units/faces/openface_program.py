"""One run of OpenFace's FaceLandmarkImg over a few photographs.

Of its behaviour this relies on (``ImageCapture.cpp`` and ``RecorderOpenFace.cpp`` of version
2.2): it names its files after the picture without suffix, writes ``<name>_of_details.txt`` for
every picture that it could read and ``<name>.csv`` for those with a face, and exits with 1 at
the first picture that it cannot read.
"""

import os
import signal
import subprocess
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from action_units.files import temporary_folder

ARGUMENTS = ("-aus", "-2Dfp")
"""What is always asked of it: action units, and landmarks, which say whose they are."""

FACELESS = b"face, confidence\n"
"""What stands in the file of a photograph in which it found no face."""


@dataclass(frozen=True)
class Outcome:
    """What became of one photograph.

    Attributes:
        csv: OpenFace's file.
        failure: What went wrong, in a sentence; empty where all is well.
    """

    csv: bytes = b""
    failure: str = ""


class FaceLandmarkImg:
    """Runs the program; what is running can be stopped from another thread."""

    def __init__(self, path: Path, extra_args: Sequence[str], seconds: float) -> None:
        """Name the program.

        Args:
            path: Of the program.
            extra_args: Further arguments for it.
            seconds: The longest that one photograph may take.
        """
        self.path, self.extra_args, self.seconds = path, tuple(extra_args), seconds
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen[str]] = set()
        self._stopped = False

    def annotate(self, photographs: Sequence[Path]) -> list[Outcome]:
        """Run it on some photographs, or on each alone where that fails."""
        with temporary_folder("action-units-openface") as folder:
            inputs, outputs = folder / "in", folder / "out"
            inputs.mkdir()
            outputs.mkdir()
            # Links of plain names: two photographs may differ in their suffix alone, and
            # OpenFace takes no name that is not UTF-8.
            links = [
                inputs / f"{place:05d}{photograph.suffix.lower()}"
                for place, photograph in enumerate(photographs)
            ]
            for link, photograph in zip(links, photographs, strict=True):
                link.symlink_to(photograph.absolute())
            failure = self._call(links, outputs)
            outcomes = []
            for link in links:
                csv = outputs / f"{link.stem}.csv"
                if csv.is_file():
                    outcomes.append(Outcome(csv=csv.read_bytes()))
                elif (outputs / f"{link.stem}_of_details.txt").is_file():
                    outcomes.append(Outcome(csv=FACELESS))
                else:
                    failure = failure or "OpenFace wrote nothing for it"
        if not failure:
            return outcomes
        if len(photographs) == 1:
            return [Outcome(failure=failure)]
        return [self.annotate([photograph])[0] for photograph in photographs]

    def stop(self) -> None:
        """Kill what is running and start nothing more."""
        with self._lock:
            self._stopped = True
            for process in self._running:
                _kill(process)

    def _call(self, links: list[Path], outputs: Path) -> str:
        """Run the program once; what went wrong, in a sentence, or nothing."""
        files = [part for link in links for part in ("-f", str(link))]
        command = [str(self.path), *files, "-out_dir", str(outputs), *ARGUMENTS]
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


def _describe(code: int, *outputs: str) -> str:
    """What an exit code and the last words of a program say; nothing where all is well."""
    if code == 0:
        return ""
    how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"exited with {code}"
    lines = [line.strip() for text in outputs for line in reversed(text.splitlines())]
    last = next((line for line in lines if line), "")
    return f"OpenFace {how}" + (f", saying: {last[:300]}" if last else ", saying nothing")


def _kill(process: "subprocess.Popen[str]") -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        process.kill()
