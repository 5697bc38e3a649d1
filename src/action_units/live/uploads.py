"""What the page sends, taken in pieces and never more than allowed."""

import os
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from anyio import open_file
from starlette.requests import Request

from action_units.errors import ActionUnitsError


class TooMuch(ActionUnitsError):
    """An upload above its limit."""


async def pieces(request: Request, most_mb: float) -> AsyncIterator[bytes]:
    """The body of a request as it comes.

    Args:
        request: What the page sent.
        most_mb: The most that is taken, in 10⁶ bytes.

    Raises:
        TooMuch: There is more, as the header says or as it turns out.
    """
    most = int(most_mb * 1e6)
    said = request.headers.get("content-length", "")
    taken = int(said) if said.isdecimal() else 0
    if taken <= most:
        taken = 0
        async for piece in request.stream():
            taken += len(piece)
            if taken > most:
                break
            yield piece
    if taken > most:
        raise TooMuch(
            f"The file is larger than {most_mb:g} MB, which is the most that is taken here; "
            "`action-units predict` takes files of any size."
        )


async def body(request: Request, most_mb: float) -> bytes:
    """The whole body of a request; raises as ``pieces``."""
    return b"".join([piece async for piece in pieces(request, most_mb)])


@asynccontextmanager
async def kept_until_used(
    request: Request, most_mb: float, folder: Path
) -> AsyncIterator[Path]:
    """The body of a request as a file that only this user can read, and that goes away.

    Args:
        request: What the page sent.
        most_mb: As for ``pieces``.
        folder: Where the file lies meanwhile.

    Raises:
        TooMuch: As for ``pieces``.
        ClientDisconnect: The page went away.
        ActionUnitsError: The disk is full.
    """
    descriptor, name = tempfile.mkstemp(dir=folder)  # readable by this user alone
    os.close(descriptor)
    try:
        try:
            async with await open_file(name, "wb") as file:
                async for piece in pieces(request, most_mb):
                    await file.write(piece)
        except OSError as error:
            raise ActionUnitsError(
                f"The file could not be laid down for decoding ({error.strerror})."
            ) from error
        yield Path(name)
    finally:
        Path(name).unlink(missing_ok=True)
