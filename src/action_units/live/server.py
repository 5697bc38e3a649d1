"""The server of the live view.

FastAPI and uvicorn, and a page of a few files: little to install, nothing that loads a
script from elsewhere, and every limit in view. A toolkit such as Gradio would bring a front
end of many megabytes, keep uploads in a cache of its own, and queue a webcam's frames.
"""

import logging
import socket
import threading
import webbrowser
from collections.abc import Callable
from importlib.resources import files
from typing import Any

import uvicorn
from fastapi import FastAPI, Request
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, Response

from action_units.errors import ActionUnitsError, ConfigurationError
from action_units.live.answers import told_of_classifier
from action_units.live.desk import Desk
from action_units.live.guard import Guard
from action_units.live.impatience import Impatient
from action_units.live.limits import Limits
from action_units.live.session import Busy, Ended
from action_units.live.streaming import UNEXPECTED, sentence
from action_units.live.uploads import TooMuch, TooSlow
from action_units.prediction.classifier import Classifier

logger = logging.getLogger(__name__)

_PAGE = {
    "": ("index.html", "text/html"),
    "page.css": ("page.css", "text/css"),
    **{
        name: (name, "text/javascript")
        for name in ("page.js", "drawing.js", "server.js", "work.js")
    },
}
_STATUS: dict[type[ActionUnitsError], int] = {
    TooMuch: 413, TooSlow: 408, Ended: 410, Busy: 503
}  # fmt: skip
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def serve(
    classifier: Classifier,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    max_upload_mb: float = 500.0,
    max_megapixels: float = 64.0,
    open_browser: bool = False,
) -> None:
    """Serve the live view until Ctrl-C.

    Args:
        classifier: What is asked.
        host: Whom to listen to; as it comes, this computer alone.
        port: 0 takes any that is free.
        max_upload_mb: The largest file that is taken, in 10⁶ bytes.
        max_megapixels: The largest picture or frame that is decoded, in 10⁶ pixels.
        open_browser: Open the page.

    Raises:
        ConfigurationError: The address cannot be listened to, or a limit cannot be.
    """
    limits = Limits(upload_mb=max_upload_mb, megapixels=max_megapixels)
    app = create_app(classifier, limits, host=host)
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
    protocol = type("Protocol", (Impatient,), {"limits": limits})
    return uvicorn.Config(
        app,
        http=protocol,
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=3,
    )


def create_app(
    classifier: Classifier, limits: Limits | None = None, *, host: str = "127.0.0.1"
) -> FastAPI:
    """The live view as an application.

    Args:
        classifier: What is asked.
        limits: How much is taken.
        host: The name or address it will be opened by; see ``guard``.
    """
    limits = limits or Limits()
    desk = Desk(classifier, limits)
    # Its own documentation would load scripts from elsewhere.
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, lifespan=desk.open)
    app.add_middleware(Guard, host=host)
    app.add_exception_handler(ActionUnitsError, _refused)
    app.add_exception_handler(ClientDisconnect, _gone)
    app.add_exception_handler(Exception, _unexpected)

    @app.get("/api/classifier")
    def told() -> dict[str, Any]:
        return told_of_classifier(classifier, limits)

    @app.post("/api/look")
    async def look_at_upload(request: Request, name: str = "picture") -> Response:
        return await desk.look_at_upload(request, name)

    @app.post("/api/webcam")
    async def begin() -> dict[str, str]:
        return {"session": desk.webcams.begin()}

    @app.post("/api/webcam/{session}")
    async def look_at_frame(request: Request, session: str) -> dict[str, Any]:
        return await desk.look_at_frame(request, session)

    @app.delete("/api/webcam/{session}")
    async def end(session: str) -> None:
        desk.webcams.end(session)

    for name, (file, kind) in _PAGE.items():
        app.get(f"/{name}")(_sends(file, kind))

    return app


def _sends(file: str, kind: str) -> Callable[[], Response]:
    """What answers with a file of the page."""
    content = files("action_units.live").joinpath("page", file).read_bytes()

    def send() -> Response:
        return Response(content, media_type=kind)

    return send


def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, ActionUnitsError)  # the handler is for these
    return JSONResponse({"error": sentence(error)}, _STATUS.get(type(error), 422))


def _gone(_: Request, error: Exception) -> Response:
    return Response(status_code=400)  # nobody reads it


def _unexpected(_: Request, error: Exception) -> Response:
    return JSONResponse({"error": UNEXPECTED}, 500)
