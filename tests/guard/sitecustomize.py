"""Refuses connections beyond this computer, in each Python process that the tests start.

Python imports a module of this name at its start. What is refused is also written down,
because programs tend to catch the error.
"""

import ipaddress
import os
import socket
import sys
from typing import Any

NOTED = "CONNECTIONS_NOTED"
"""Environment variable: the file to write to."""

_LOOKUPS = ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyname_ex")
_HERE = {"", "localhost", socket.gethostname()}


def is_here(host: Any) -> bool:
    """Whether a host is this computer."""
    if isinstance(host, bytes):
        host = host.decode()
    if host is None or host in _HERE:
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def is_address(host: Any) -> bool:
    """Whether a host is an address, which nobody has to be asked for."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def refuse(event: str, arguments: tuple[Any, ...]) -> None:
    """An audit hook (PEP 578)."""
    if event in _LOOKUPS:
        host = arguments[0]
        if is_here(host) or is_address(host):
            return
    elif event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
        connection, address = arguments
        if not isinstance(address, tuple) or is_here(address[0]):  # others are local sockets
            return
        if event == "socket.connect" and connection.type & socket.SOCK_DGRAM:
            return  # sends nothing
        host = address
    else:
        return
    if place := os.environ.get(NOTED):
        with open(place, "a") as file:
            file.write(f"{event} {host!r} by {sys.argv}\n")
    raise PermissionError(f"{event} {host!r}: the tests stay on this computer")


sys.addaudithook(refuse)
