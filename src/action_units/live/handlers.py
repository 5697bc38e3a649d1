"""Request handlers: pictures and videos, one at a time, and frames of webcams."""

import asyncio
from collections.abc import AsyncIterator, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager, closing, contextmanager
from pathlib import Path
from typing import Any

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import Response

from action_units.errors import ActionUnitsError
from action_units.faces.quarantine import Quarantine
from action_units.files import temporary_folder
from action_units.labels.action_units import AU_NAMES, au_column
from action_units.live.limits import Limits
from action_units.live.streaming import PredictionStream, frames_to_json, prediction_lines
from action_units.live.uploads import read_body, temporary_upload
from action_units.live.webcams import Busy, Webcams
from action_units.media.file_types import kind_of_file
from action_units.media.images import decode, further_images, read_content
from action_units.media.video import container_info, read_frames
from action_units.prediction.centring import centred_thresholds
from action_units.prediction.classifier import Classifier
from action_units.prediction.engine import Engine, InputImage
from action_units.prediction.outputs import Rows, schema


class Handlers:
    """Handles the requests of the page.

    Attributes:
        webcams: The webcam sessions.
    """

    def __init__(
        self, classifier: Classifier, limits: Limits, person_centred: str = "none"
    ) -> None:
        self.webcams = Webcams(limits)
        self._classifier, self._limits = classifier, limits
        self._engine = Engine(classifier, person_centred=person_centred)
        self._busy = False
        self._uploads = 0

    @asynccontextmanager
    async def lifespan(self, _: object) -> AsyncIterator[None]:
        """The threads and the folder for uploads, for as long as the server runs."""
        with (
            temporary_folder("action-units-live") as self._folder,
            self._engine,
            ThreadPoolExecutor(1, "webcam") as self._webcam_executor,
        ):
            yield

    def describe(self) -> dict[str, Any]:
        """The classifier's name, its AUs with their thresholds, and the limit of uploads."""
        limits = (
            centred_thresholds(self._classifier)
            if self._engine.centred
            else self._classifier.thresholds
        )
        thresholds = zip(self._classifier.aus, limits, strict=True)
        return {
            "name": self._classifier.name,
            "aus": [
                {
                    "code": au_column(au),
                    "name": AU_NAMES.get(au, "").lower(),
                    "threshold": float(threshold),
                    "intensity": au in self._classifier.estimated,
                }
                for au, threshold in thresholds
            ],
            "upload_mb": self._limits.upload_mb,
        }

    async def predict_upload(self, request: Request, name: str) -> Response:
        """Predict a picture or video; see ``streaming.prediction_lines``."""
        async with AsyncExitStack() as stack:
            self._check_free()  # before the whole file is received in vain
            with self._receiving():
                path = await stack.enter_async_context(
                    temporary_upload(request, self._limits, self._folder)
                )
            stack.enter_context(self._one_at_a_time())
            begin, rows = await to_thread.run_sync(self._open, path, name)
            lines = prediction_lines(
                begin,
                rows,
                self._classifier.aus,
                begin["kind"] == "picture",
                self._classifier.estimated,
            )
            return PredictionStream(lines, stack.pop_all(), self._limits.patience)
        raise AssertionError  # no context above swallows an error

    async def predict_frame(self, request: Request, session: str) -> dict[str, Any]:
        """Predict a webcam's next frame."""
        content = await read_body(request, self._limits.frame_mb, self._limits)
        cam = self.webcams.get(session)
        cam.in_work = True
        try:
            rows = await asyncio.get_running_loop().run_in_executor(
                self._webcam_executor,
                cam.predict,
                self._engine,
                content,
                self._limits.megapixels,
            )
        finally:
            cam.in_work = False
        return frames_to_json(rows)[0]

    def _open(
        self, path: Path, name: str
    ) -> tuple[dict[str, Any], Generator[Rows, None, None]]:
        """A description of an upload, and its rows."""
        kind = kind_of_file(path)
        largest = self._limits.megapixels
        begin: dict[str, Any] = {"kind": kind}
        if kind == "picture":
            content = read_content(path)
            pixels = decode(content, max_megapixels=largest)
            height, width = pixels.shape[:2]
            begin["left_out"] = further_images(content)
            rows = self._engine.images(iter([InputImage(name, 1, 0.0, pixels)]), Quarantine())
        elif kind == "video":
            with closing(read_frames(path, None, largest)) as frames:
                height, width = next(frames).shape[:2]
            container = container_info(path)
            begin |= {"rate": container.rate, "frames": container.frames}
            rows = self._engine.video(path, largest)
        else:
            raise ActionUnitsError(
                "This is not a picture (JPEG, PNG, WebP, BMP, TIFF, GIF) or a video (such "
                "as MP4, AVI, WebM, MOV)."
            )
        columns = schema(self._classifier.aus, kind == "picture", self._classifier.estimated)
        header = ",".join(columns.names) + "\n"
        return begin | {"width": width, "height": height, "csv": header}, rows

    def _check_free(self) -> None:
        if self._busy:
            raise Busy(
                "Another picture or video is being processed; try again when it is done."
            )

    @contextmanager
    def _one_at_a_time(self) -> Iterator[None]:
        self._check_free()
        self._busy = True
        try:
            yield
        finally:
            self._busy = False

    @contextmanager
    def _receiving(self) -> Iterator[None]:
        """Receive several files at the same time, so that a slow one does not delay others."""
        if self._uploads >= self._limits.uploads:
            raise Busy(f"{self._uploads} files are being received already; try again later.")
        self._uploads += 1
        try:
            yield
        finally:
            self._uploads -= 1
