"""Progress on long work: a bar in a terminal, plain log lines elsewhere."""

import logging
import time
from types import TracebackType
from typing import Self

from rich import get_console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as RichProgress

logger = logging.getLogger(__name__)

SECONDS_BETWEEN_LINES = 10.0


class Progress:
    """Counts units of work and shows rate, time left and a short note.

    Work that ends within a few seconds prints no line without a terminal.

    Example:
        >>> with Progress("Cropping", total=2, unit="photographs") as progress:
        ...     progress.advance(1, note="1 without a face")
        ...     progress.advance(1)
    """

    def __init__(self, description: str, total: int, unit: str = "items") -> None:
        """Describe the work, such as ``Cropping``, and name its units in the plural."""
        self.description, self.total, self.unit = description, total, unit
        self.done = 0
        self._bar: RichProgress | None = None

    def __enter__(self) -> Self:
        """Start the clock, and the bar where there is a terminal."""
        self._started = self._last_line = time.monotonic()
        if get_console().is_terminal:
            self._bar = RichProgress(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[unit]}, {task.fields[rate]}"),
                TimeRemainingColumn(),
                TextColumn("{task.fields[note]}"),
                console=get_console(),
                transient=True,
            )
            self._bar.start()
            self._task = self._bar.add_task(
                self.description, total=self.total, unit=self.unit, note="", rate=speed(0)
            )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Remove the bar and log one line on what was done."""
        if self._bar is not None:
            self._bar.stop()
        seconds = time.monotonic() - self._started
        if kind is None and seconds >= 1.0:
            amount, rate = f"{self.done:,} {self.unit}", speed(self.done / seconds)
            logger.info("%s: %s in %s (%s)", self.description, amount, clock(seconds), rate)

    def advance(self, amount: int = 1, note: str = "") -> None:
        """Count work done.

        Args:
            amount: How many units were finished.
            note: A few words on the state, such as ``loss 0.412``.
        """
        self.done += amount
        now = time.monotonic()
        rate = self.done / max(now - self._started, 1e-9)
        if self._bar is not None:
            fields = {"rate": speed(rate), **({"note": note} if note else {})}
            self._bar.update(self._task, advance=amount, **fields)  # type: ignore[arg-type]
        elif now - self._last_line >= SECONDS_BETWEEN_LINES and self.done < self.total:
            self._last_line = now
            logger.info(
                "%s: %s of %s %s, %s, %s left%s",
                self.description,
                f"{self.done:,}",
                f"{self.total:,}",
                self.unit,
                speed(rate),
                clock((self.total - self.done) / rate if rate else float("inf")),
                f", {note}" if note else "",
            )


def speed(rate: float) -> str:
    """Units a second as a person writes them: ``2.5/s``, ``86.4/s``, ``1,063/s``."""
    return f"{rate:,.0f}/s" if rate >= 100 else f"{rate:.3g}/s"


def clock(seconds: float) -> str:
    """A duration as a person writes it: ``8 s``, ``2 min 05 s``, ``1 h 12 min``."""
    if seconds == float("inf"):
        return "unknown time"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min"
