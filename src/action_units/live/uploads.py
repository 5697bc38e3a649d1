"""What the page sends, taken in pieces and never more than allowed."""

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from anyio import open_file
from starlette.requests import Request

from action_units.errors import ActionUnitsError
from action_units.live.limits import Limits


class TooMuch(ActionUnitsError):
    """An upload above its limit."""


class TooSlow(ActionUnitsError):
    """An upload that does not come along."""


async def pieces(request: Request, most_mb: float, limits: Limits) -> AsyncIterator[bytes]:
    """The body of a request as it comes.

    Args:
        request: What the page sent.
        most_mb: The most that is taken, in 10⁶ bytes.
        limits: How fast it must come.

    Raises:
        TooMuch: There is more, as the header says or as it turns out.
        TooSlow: It comes too slowly.
    """
    clock = asyncio.get_running_loop().time
    began = clock()
    most = int(most_mb * 1e6)
    said = request.headers.get("content-length", "")
    taken = int(said) if said.isdecimal() else 0
    if taken <= most:
        taken = 0
        stream = request.stream()
        while True:
            last = began + limits.patience + taken / (1e3 * limits.slowest_kb)
            try:
                async with asyncio.timeout_at(min(last, clock() + limits.patience)):
                    piece = await anext(stream, None)
            except TimeoutError:
                raise TooSlow(
                    f"The file came too slowly ({taken:,} bytes in {clock() - began:.0f} s); "
                    "send it again."
                ) from None
            if piece is None:
                break
            taken += len(piece)
            if taken > most:
                break
            yield piece
    if taken > most:
        raise TooMuch(
            f"The file is larger than {most_mb:g} MB, which is the most that is taken here; "
            "`action-units predict` takes files of any size."
        )


async def body(request: Request, most_mb: float, limits: Limits) -> bytes:
    """The whole body of a request; raises as ``pieces``."""
    return b"".join([piece async for piece in pieces(request, most_mb, limits)])


@asynccontextmanager
async def kept_until_used(
    request: Request, limits: Limits, folder: Path
) -> AsyncIterator[Path]:
    """The body of a request as a file that only this user can read, and that goes away.

    Args:
        request: What the page sent.
        limits: How large it may be, and how slow.
        folder: Where the file lies meanwhile.

    Raises:
        TooMuch: As for ``pieces``.
        TooSlow: As for ``pieces``.
        ClientDisconnect: The page went away.
        ActionUnitsError: The disk is full.
    """
    descriptor, name = tempfile.mkstemp(dir=folder)  # readable by this user alone
    os.close(descriptor)
    try:
        try:
            async with await open_file(name, "wb") as file:
                async for piece in pieces(request, limits.upload_mb, limits):
                    await file.write(piece)
        except OSError as error:
            raise ActionUnitsError(
                f"The file could not be laid down for decoding ({error.strerror})."
            ) from error
        yield Path(name)
    finally:
        Path(name).unlink(missing_ok=True)
