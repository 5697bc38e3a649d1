"""Connections that hold a place without asking for anything are closed.

uvicorn waits without end for the first byte of a request, and for the last of its head.
"""

import asyncio
from typing import ClassVar

from uvicorn.protocols.http.h11_impl import H11Protocol

from action_units.live.limits import Limits


class Impatient(H11Protocol):
    """uvicorn's HTTP, with a limit on connections and on their idle time.

    Attributes:
        limits: How many connections, and how long they may be idle.
    """

    limits: ClassVar[Limits]

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a connection, unless there are too many."""
        super().connection_made(transport)
        if len(self.connections) > self.limits.connections:
            transport.abort()
            return
        self._idle_since = self.loop.time()
        self._look()

    def _look(self) -> None:
        """Look again and again whether a request is at work; it has its own limits."""
        if self.transport.is_closing():
            return
        now = self.loop.time()
        if self.cycle is not None and not self.cycle.response_complete:
            self._idle_since = now
        elif now - self._idle_since > self.limits.patience:
            self.transport.abort()
            return
        self.loop.call_later(self.limits.patience / 4, self._look)
