"""Request bodies: received in parts, within limits of size and time."""

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


class UploadTooLarge(ActionUnitsError):
    """An upload above its limit."""


class UploadTooSlow(ActionUnitsError):
    """An upload that comes too slowly."""


async def read_parts(request: Request, max_mb: float, limits: Limits) -> AsyncIterator[bytes]:
    """The body of a request as it comes.

    Args:
        request: Of the page.
        max_mb: The largest body, in 10⁶ bytes.
        limits: How fast it must come.

    Raises:
        UploadTooLarge: By its header or by its size so far.
        UploadTooSlow: It comes too slowly.
        ClientDisconnect: The page was closed.
    """
    clock = asyncio.get_running_loop().time
    began = clock()
    largest = int(max_mb * 1e6)
    length = request.headers.get("content-length", "")
    too_large = length.isdecimal() and int(length) > largest
    received = 0
    stream = request.stream()
    while not too_large:
        deadline = began + limits.patience + received / (1e3 * limits.slowest_kb)
        try:
            async with asyncio.timeout_at(min(deadline, clock() + limits.patience)):
                part = await anext(stream, None)
        except TimeoutError:
            raise UploadTooSlow(
                f"The file came too slowly ({received:,} bytes in {clock() - began:.0f} s); "
                "send it again."
            ) from None
        if part is None:
            return
        received += len(part)
        too_large = received > largest
        if not too_large:
            yield part
    raise UploadTooLarge(
        f"The file is larger than {max_mb:g} MB, the limit of this page; "
        "`action-units predict` takes files of any size."
    )


async def read_body(request: Request, max_mb: float, limits: Limits) -> bytes:
    """The whole body of a request; raises as ``read_parts``."""
    return b"".join([part async for part in read_parts(request, max_mb, limits)])


@asynccontextmanager
async def temporary_upload(
    request: Request, limits: Limits, folder: Path
) -> AsyncIterator[Path]:
    """The body of a request as a file that only this user can read, deleted in the end.

    Raises:
        ActionUnitsError: The disk refused; or as ``read_parts``.
    """
    descriptor, name = tempfile.mkstemp(dir=folder)
    os.close(descriptor)
    try:
        try:
            async with await open_file(name, "wb") as file:
                async for part in read_parts(request, limits.upload_mb, limits):
                    await file.write(part)
        except OSError as error:
            raise ActionUnitsError(
                f"The file could not be stored for decoding ({error.strerror})."
            ) from error
        yield Path(name)
    finally:
        Path(name).unlink(missing_ok=True)
