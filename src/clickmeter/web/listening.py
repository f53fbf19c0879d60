"""From settings to a socket that listens, and to logs that are heard: what every serving process needs first."""

from __future__ import annotations

import logging
import os
import resource
import socket
from typing import TYPE_CHECKING

from clickmeter import logs
from clickmeter.config import url_of
from clickmeter.errors import Refusal

if TYPE_CHECKING:
    from clickmeter.config import Settings

BACKLOG = 2_048


def set_up_logging(settings: Settings) -> None:
    logs.configure(settings.log_level, settings.log_format)
    logging.getLogger("uvicorn").setLevel(logging.WARNING)


def raise_file_limit(wanted: int) -> None:
    """Every connection is an open file, and the usual limit is lower than the connections that are let in."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < wanted:
        resource.setrlimit(
            resource.RLIMIT_NOFILE, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard)
        )


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens, made before anything is started so that a taken port is the first thing said."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.create_server(address[:2], family=family, backlog=BACKLOG)
    except OSError as error:
        # A resolver's own errors have numbers that strerror does not know.
        reason = error.strerror if isinstance(error, socket.gaierror) else os.strerror(error.errno or 0)
        raise Refusal("store_unavailable", f"Cannot listen on {host}:{port}: {reason}.") from None
    listener.setblocking(False)  # noqa: FBT003 - the standard library's own signature
    return listener


def base_url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return url_of(host, port)
