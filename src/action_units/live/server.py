"""The server of the live view.

FastAPI and uvicorn, and a page of a few files: little to install, nothing that loads a
script from elsewhere, and every limit in view. A toolkit such as Gradio would bring a front
end of many megabytes, keep uploads in a cache of its own, and queue a webcam's frames.
"""

import asyncio
import logging
import mimetypes
import socket
import threading
import webbrowser
from typing import Any, ClassVar

import uvicorn
from fastapi import FastAPI, Request
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, Response
from starlette.staticfiles import StaticFiles
from uvicorn.protocols.http.h11_impl import H11Protocol

from action_units.errors import ActionUnitsError, ConfigurationError
from action_units.live.handlers import Handlers
from action_units.live.limits import Limits
from action_units.live.origin_check import OriginCheck
from action_units.live.streaming import UNEXPECTED, error_message
from action_units.live.uploads import UploadTooLarge, UploadTooSlow
from action_units.live.webcams import Busy, SessionEnded
from action_units.prediction.classifier import Classifier

logger = logging.getLogger(__name__)

_STATUS: dict[type[ActionUnitsError], int] = {
    UploadTooLarge: 413, UploadTooSlow: 408, SessionEnded: 410, Busy: 503
}  # fmt: skip
_LOOPBACK = ("127.0.0.1", "localhost", "::1")

mimetypes.add_type("text/javascript", ".js")  # some Windows registries say text/plain


def serve(
    classifier: Classifier,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    max_upload_mb: float = 500.0,
    max_megapixels: float = 64.0,
    open_browser: bool = False,
    person_centred: str = "none",
) -> None:
    """Serve the live view until Ctrl-C.

    Args:
        classifier: Predicts the faces.
        host: The address to listen on; the default is for this computer alone.
        port: 0 takes a free one.
        max_upload_mb: The largest file, in 10⁶ bytes.
        max_megapixels: The largest picture or frame that is decoded, in 10⁶ pixels.
        open_browser: Open the page.
        person_centred: ``running``: probabilities are relative to the face's frames until now.

    Raises:
        ConfigurationError: The address is not available, or a limit is invalid.
    """
    limits = Limits(upload_mb=max_upload_mb, megapixels=max_megapixels)
    app = create_app(classifier, limits, host=host, person_centred=person_centred)
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listening = socket.create_server((host, port), family=family)
    except (OSError, OverflowError) as error:
        raise ConfigurationError(
            f"{host}, port {port}, cannot be listened to ({error}); choose another --port."
        ) from None
    with listening:
        name = f"[{host}]" if ":" in host else host
        address = f"http://{name}:{listening.getsockname()[1]}"
        logger.info("The live view of %s is at %s; Ctrl-C ends it.", classifier.name, address)
        if host not in _LOOPBACK:
            logger.warning(
                "Others on this network can use it too, and nothing is encrypted. Browsers "
                "give a webcam only to the page of their own computer."
            )
        if open_browser:
            threading.Timer(1.0, webbrowser.open, [address]).start()
        uvicorn.Server(configuration(app, limits)).run(sockets=[listening])


def configuration(app: FastAPI, limits: Limits) -> uvicorn.Config:
    """How uvicorn serves an application."""
    protocol = type("Protocol", (IdleTimeoutProtocol,), {"limits": limits})
    return uvicorn.Config(
        app,
        http=protocol,
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=3,
    )


class IdleTimeoutProtocol(H11Protocol):
    """uvicorn's HTTP, with a limit on connections and on their idle time.

    uvicorn waits without limit for the first byte of a request, and for the last of its head.

    Attributes:
        limits: How many connections, and how long they may be idle.
    """

    limits: ClassVar[Limits]

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Accept a connection, unless there are too many."""
        super().connection_made(transport)
        if len(self.connections) > self.limits.connections:
            transport.abort()
            return
        self._idle_since = self.loop.time()
        self._check_idle()

    def _check_idle(self) -> None:
        """Close the connection if it is idle; a request in work has limits of its own."""
        if self.transport.is_closing():
            return
        now = self.loop.time()
        if self.cycle is not None and not self.cycle.response_complete:
            self._idle_since = now
        elif now - self._idle_since > self.limits.patience:
            self.transport.abort()
            return
        self.loop.call_later(self.limits.patience / 4, self._check_idle)


def create_app(
    classifier: Classifier,
    limits: Limits | None = None,
    *,
    host: str = "127.0.0.1",
    person_centred: str = "none",
) -> FastAPI:
    """The live view as an application.

    Args:
        classifier: Predicts the faces.
        limits: How much is accepted.
        host: The name or address it will be opened by; see ``origin_check``.
        person_centred: As of ``serve``.
    """
    handlers = Handlers(classifier, limits or Limits(), person_centred)
    # FastAPI's own documentation would load scripts from elsewhere.
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, lifespan=handlers.lifespan)
    app.add_middleware(OriginCheck, host=host)

    @app.exception_handler(ActionUnitsError)
    def refuse(_: Request, error: ActionUnitsError) -> Response:
        return JSONResponse({"error": error_message(error)}, _STATUS.get(type(error), 422))

    @app.exception_handler(ClientDisconnect)
    def disconnected(_: Request, error: ClientDisconnect) -> Response:
        return Response(status_code=400)  # the client is gone

    @app.exception_handler(Exception)
    def unexpected(_: Request, error: Exception) -> Response:
        return JSONResponse({"error": UNEXPECTED}, 500)

    @app.get("/api/classifier")
    def describe() -> dict[str, Any]:
        return handlers.describe()

    @app.post("/api/look")
    async def predict_upload(request: Request, name: str = "picture") -> Response:
        return await handlers.predict_upload(request, name)

    @app.post("/api/webcam")
    async def begin_webcam() -> dict[str, str]:
        return {"session": handlers.webcams.begin()}

    @app.post("/api/webcam/{session}")
    async def predict_frame(request: Request, session: str) -> dict[str, Any]:
        return await handlers.predict_frame(request, session)

    @app.delete("/api/webcam/{session}")
    async def end_webcam(session: str) -> None:
        handlers.webcams.end(session)

    app.mount("/", StaticFiles(packages=[("action_units.live", "page")], html=True))
    return app
