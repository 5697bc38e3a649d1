"""Predictions as JSON lines that are sent while they are made."""

import json
import logging
from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import AsyncExitStack
from typing import Any

import numpy as np
from anyio import CancelScope, create_task_group, move_on_after, to_thread
from starlette.responses import StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from action_units.csv_text import to_csv
from action_units.errors import ActionUnitsError, LabelError, UnusableFace
from action_units.prediction.outputs import NO_FACE, Rows, arrow_table, data_frame

logger = logging.getLogger(__name__)

UNEXPECTED = "An unexpected error occurred; the terminal shows it."


class PredictionStream(StreamingResponse):
    """JSON lines as they are made.

    When all are sent, or the page is closed before, the work ends and its resources are
    released.
    """

    def __init__(
        self, lines: AsyncGenerator[str, None], resources: AsyncExitStack, patience: float
    ) -> None:
        """Prepare an answer.

        Args:
            lines: Each a JSON object and a newline.
            resources: What the work needs, such as the uploaded file.
            patience: Seconds that the page may accept none of what is sent; then it is
                treated as closed.
        """
        super().__init__(lines, media_type="application/x-ndjson")
        self._lines, self._resources, self._patience = lines, resources, patience

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the lines."""
        try:
            async with create_task_group() as group:

                async def watch_for_disconnect() -> None:
                    while (await receive())["type"] != "http.disconnect":
                        pass
                    group.cancel_scope.cancel()

                async def send_in_time(message: Message) -> None:
                    with move_on_after(self._patience) as waiting:
                        await send(message)
                    if waiting.cancelled_caught:
                        group.cancel_scope.cancel()

                group.start_soon(watch_for_disconnect)
                await self.stream_response(send_in_time)
                group.cancel_scope.cancel()
        finally:
            with CancelScope(shield=True):
                await self._lines.aclose()
                await self._resources.aclose()


async def prediction_lines(
    begin: dict[str, Any],
    rows: Generator[Rows, None, None],
    aus: Sequence[int],
    photographs: bool,
    estimated: Sequence[int] = (),
) -> AsyncGenerator[str, None]:
    """Predictions as JSON lines.

    The first line is `begin`, the last has ``end`` or an ``error`` message; between them are
    ``frames`` for the page and the same as lines of the table, ``csv``.

    Args:
        begin: What is known before.
        rows: Made in another thread, and closed in the end.
        aus: The AU of each column.
        photographs: Whether the table has the column ``image``.
        estimated: The AUs that have intensities.
    """
    try:
        yield _line(begin=begin)
        while (some := await to_thread.run_sync(next, rows, None)) is not None:
            table = data_frame(arrow_table([some], aus, photographs, estimated))
            yield _line(frames=frames_to_json(some), csv=to_csv(table, header=False))
        yield _line(end=True)
    except ActionUnitsError as error:
        yield _line(error=error_message(error))
    except Exception:
        logger.exception("The live view could not finish an upload.")
        yield _line(error=UNEXPECTED)
    finally:
        with CancelScope(shield=True):
            await to_thread.run_sync(rows.close)


def frames_to_json(rows: Rows) -> list[dict[str, Any]]:
    """One object a frame, with its faces."""
    frames: list[dict[str, Any]] = []
    each = zip(rows.keys, rows.probabilities, rows.present, strict=True)
    for row, (key, p, present) in enumerate(each):
        if not frames or frames[-1]["frame"] != key.frame:
            seconds = None if np.isnan(key.timestamp) else key.timestamp
            frames.append({"frame": key.frame, "seconds": seconds, "faces": []})
        if key.face_id != NO_FACE:
            usable = not np.isnan(p).any()
            frames[-1]["faces"].append(
                {
                    "id": key.face_id,
                    "confidence": key.confidence,
                    "box": [key.x, key.y, key.width, key.height],
                    "p": [round(float(value), 4) for value in p] if usable else None,
                    "called": present.tolist() if usable else None,
                    "intensity": _intensities(rows, row) if usable else None,
                }
            )
    return frames


def _intensities(rows: Rows, row: int) -> list[float | None] | None:
    """Of each AU of a face, null where it is not estimated; None where none is."""
    if rows.intensities is None:
        return None
    values = rows.intensities[row]
    return [None if np.isnan(value) else round(float(value), 3) for value in values]


def error_message(error: ActionUnitsError) -> str:
    """An error for the page, without the upload's path on this computer."""
    text = str(error)
    if isinstance(error, LabelError):
        text = error.problem
    elif isinstance(error, UnusableFace):
        text = f"this cannot be used: {error.detail.rstrip('.')}."
    return text[:1].upper() + text[1:]


def _line(**content: Any) -> str:
    return json.dumps(content, allow_nan=False) + "\n"
