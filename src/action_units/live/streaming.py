"""Answers that come in pieces, and end their work when the page goes away."""

import json
import logging
from collections.abc import AsyncGenerator, Generator
from contextlib import AsyncExitStack
from typing import Any

from anyio import CancelScope, create_task_group, move_on_after, to_thread
from starlette.responses import StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from action_units.errors import ActionUnitsError, LabelError, UnusableFace
from action_units.live.answers import csv_lines, told_of_rows
from action_units.prediction.outputs import Rows

logger = logging.getLogger(__name__)


class Streamed(StreamingResponse):
    """Lines of JSON as they are made.

    When all are sent, or the page goes away in the middle, the work is ended and what was
    kept for it is let go.
    """

    def __init__(
        self, lines: AsyncGenerator[str, None], kept: AsyncExitStack, patience: float
    ) -> None:
        """Prepare an answer.

        Args:
            lines: Each a JSON object and a line's end.
            kept: What the work needs, such as the uploaded file.
            patience: Seconds that the page may take none of what is sent; then it counts as
                gone.
        """
        super().__init__(lines, media_type="application/x-ndjson")
        self._lines, self._kept, self._patience = lines, kept, patience

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the lines."""
        try:
            async with create_task_group() as group:

                async def watch() -> None:
                    while (await receive())["type"] != "http.disconnect":
                        pass
                    group.cancel_scope.cancel()

                async def patiently(message: Message) -> None:
                    with move_on_after(self._patience) as waiting:
                        await send(message)
                    if waiting.cancelled_caught:
                        group.cancel_scope.cancel()

                group.start_soon(watch)
                await self.stream_response(patiently)
                group.cancel_scope.cancel()
        finally:
            with CancelScope(shield=True):
                await self._lines.aclose()
                await self._kept.aclose()


async def lines(
    begin: dict[str, Any],
    rows: Generator[Rows, None, None],
    aus: tuple[int, ...],
    photographs: bool,
) -> AsyncGenerator[str, None]:
    """What is found, as lines of JSON.

    The first line is `begin`, the last says ``end`` or has a sentence as ``error``; between
    them are ``frames`` for the page and the same as lines of the table, ``csv``.

    Args:
        begin: What is known before.
        rows: Are made in another thread, and closed in the end.
        aus: The AU of each column.
        photographs: Whether the table has the column ``image``.
    """
    try:
        yield line(begin=begin)
        while (some := await to_thread.run_sync(next, rows, None)) is not None:
            table = csv_lines(some, aus, photographs)
            yield line(frames=told_of_rows(some), csv=table)
        yield line(end=True)
    except ActionUnitsError as error:
        yield line(error=sentence(error))
    except Exception:
        logger.exception("The live view could not finish an upload.")
        yield line(error=UNEXPECTED)
    finally:
        with CancelScope(shield=True):
            await to_thread.run_sync(rows.close)


UNEXPECTED = "Something unexpected went wrong; the terminal says what."


def line(**what: Any) -> str:
    """A JSON object and a line's end; JSON has no NaN, so there must be none."""
    return json.dumps(what, allow_nan=False) + "\n"


def sentence(error: ActionUnitsError) -> str:
    """What the page shows of an error; an upload's name on this computer is left out."""
    text = str(error)
    if isinstance(error, LabelError):
        text = error.problem
    elif isinstance(error, UnusableFace):
        text = f"this cannot be used: {error.detail.rstrip('.')}."
    return text[:1].upper() + text[1:]
