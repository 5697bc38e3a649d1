"""Only the live view's own page may use the live view, whatever else a browser shows.

Another web page can make a browser send requests to this computer in two ways:

- **DNS rebinding**: its own name is made to point here. The request's ``Host`` is then that
  name. So ``Host`` must be an IP address, ``localhost``, or the name given with ``--host``.
  (Starlette's TrustedHostMiddleware takes a list of names, and no "any IP address".)
- **Cross-site requests**: it posts here directly. Browsers then name the sender in
  ``Origin`` and ``Sec-Fetch-Site``. So these must name this page.

The page itself may load nothing from elsewhere, and no other page may show it in a frame.
"""

import ipaddress
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
        "media-src blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class OriginCheck:
    """Middleware that refuses requests of other pages, and adds the security headers."""

    def __init__(self, app: ASGIApp, host: str) -> None:
        """Wrap an application; `host` is the name or address that the server listens to."""
        self._app, self._host = app, host.lower()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        problem = self._problem(Headers(scope=scope), scope["method"] + scope["path"])
        answer = JSONResponse({"error": problem}, 403) if problem else self._app
        await answer(scope, receive, with_headers)

    def _problem(self, headers: Headers, what: str) -> str:
        """Why a request is refused, or an empty text."""
        host = headers.get("host", "")
        if not self._is_own(host):
            return (
                f"The host {host[:80]!r} is not this page's; open it by the address that the "
                "terminal shows, or start it with --host and this name."
            )
        origin = headers.get("origin", f"http://{host}")
        site = headers.get("sec-fetch-site", "none")
        # A link on any page may lead to this page.
        own = site in ("same-origin", "none") or what == "GET/"
        if origin.partition("://")[2] != host or not own:
            return "Another page sent this; the live view answers only its own page."
        return ""

    def _is_own(self, host: str) -> bool:
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return name in ("localhost", self._host)
        return True
