"""What is done with what the page sends; pictures and videos one at a time."""

import asyncio
from collections.abc import AsyncIterator, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager, closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import Response

from action_units.errors import ActionUnitsError
from action_units.faces.quarantine import Quarantine
from action_units.files import temporary_folder
from action_units.live.answers import csv_head, told_of_rows
from action_units.live.limits import Limits
from action_units.live.session import Busy, Webcams, look
from action_units.live.streaming import Streamed, lines
from action_units.live.uploads import body, kept_until_used
from action_units.media.file_types import kind_of_file
from action_units.media.images import decode, further_images, read_content
from action_units.media.video import container_info, read_frames
from action_units.prediction.classifier import Classifier
from action_units.prediction.engine import Engine, InputImage
from action_units.prediction.outputs import Rows


class Desk:
    """What all requests share.

    Attributes:
        webcams: Those that are watched.
    """

    def __init__(self, classifier: Classifier, limits: Limits) -> None:
        self.webcams = Webcams(limits)
        self._classifier, self._limits = classifier, limits
        self._busy = False
        self._arriving = 0

    @asynccontextmanager
    async def open(self, _: object) -> AsyncIterator[None]:
        """The threads and the folder for uploads, for as long as the server runs."""
        with (
            temporary_folder("action-units-live") as self._folder,
            Engine(self._classifier) as self._engine,
            ThreadPoolExecutor(1) as self._eye,
        ):
            yield

    @contextmanager
    def _one_at_a_time(self) -> Iterator[None]:
        self._refuse_when_busy()
        self._busy = True
        try:
            yield
        finally:
            self._busy = False

    def _refuse_when_busy(self) -> None:
        if self._busy:
            raise Busy(
                "Another picture or video is being looked at; try again when it is done."
            )

    @contextmanager
    def _among_few(self) -> Iterator[None]:
        """Files arrive beside each other, so that a slow one holds nobody up."""
        if self._arriving >= self._limits.uploads:
            raise Busy(f"{self._arriving} files are arriving already; try again later.")
        self._arriving += 1
        try:
            yield
        finally:
            self._arriving -= 1

    async def look_at_upload(self, request: Request, name: str) -> Response:
        """Find the faces of a picture or video; see ``streaming.lines``."""
        async with AsyncExitStack() as stack:
            self._refuse_when_busy()  # before the whole file has come for nothing
            with self._among_few():
                path = await stack.enter_async_context(
                    kept_until_used(request, self._limits, self._folder)
                )
            stack.enter_context(self._one_at_a_time())
            begin, rows = await to_thread.run_sync(self._opened, path, name)
            picture, aus = begin["kind"] == "picture", self._classifier.aus
            found = lines(begin, rows, aus, picture)
            return Streamed(found, stack.pop_all(), self._limits.patience)
        raise AssertionError  # no context above swallows an error

    def _opened(
        self, path: Path, name: str
    ) -> tuple[dict[str, Any], Generator[Rows, None, None]]:
        """What an upload is, and the rows that will be found in it."""
        kind = kind_of_file(path)
        most = self._limits.megapixels
        if kind == "picture":
            content = read_content(path)
            pixels = decode(content, max_megapixels=most)
            begin = {"kind": kind, "width": pixels.shape[1], "height": pixels.shape[0]}
            begin["left_out"] = further_images(content)
            shots = iter([InputImage(name, 1, 0.0, pixels)])
            rows = self._engine.images(shots, Quarantine())
        elif kind == "video":
            with closing(read_frames(path, None, most)) as frames:
                height, width = next(frames).shape[:2]
            said = container_info(path)
            begin = {"kind": kind, "width": width, "height": height, "rate": said.rate}
            begin["frames"] = said.frames
            rows = self._engine.video(path, most)
        else:
            raise ActionUnitsError(
                "This is neither a picture (JPEG, PNG, WebP, BMP, TIFF, GIF) nor a video (such "
                "as MP4, AVI, WebM, MOV)."
            )
        return {**begin, "csv": csv_head(self._classifier.aus, kind == "picture")}, rows

    async def look_at_frame(self, request: Request, session: str) -> dict[str, Any]:
        """Find the faces of a webcam's next frame."""
        content = await body(request, self._limits.frame_mb, self._limits)
        cam = self.webcams.of(session)
        cam.at_work = True
        try:
            asked = partial(look, self._engine, cam, content, self._limits.megapixels)
            rows = await asyncio.get_running_loop().run_in_executor(self._eye, asked)
        finally:
            cam.at_work = False
        return told_of_rows(rows)[0]
