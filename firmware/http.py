"""HTTP between the kiosk's processes (Unix sockets) and to its own screen (loopback): the only user of waitress.

A Unix socket is made with owner and group access only, and the kernel names who connects (SO_PEERCRED): a
connection by a user who is not allowed is closed before one byte of it is read. TCP is bound to 127.0.0.1 only.
SIGTERM ends a server as Ctrl-C does: requests that run are finished.
"""

from __future__ import annotations

import errno
import os
import pwd
import signal
import socket
import struct
import sys
import threading
from collections.abc import Callable, Collection
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import httpx
import structlog
from waitress.server import create_server

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

LOOPBACK = "127.0.0.1"
THREADS = 8
"""Threads of a server: a browser opens six connections at once; no request waits for work."""
MAX_BODY_BYTES = 1024 * 1024
"""Largest request body of any local service: a draft record is about 20 kB, a form post under 1 kB."""
BACKLOG = 16
"""Connections the kernel may hold while all threads are busy."""

_SOCKET_UMASK = 0o117
"""Owner and group may connect, nobody else; set while the socket file is made, so that no moment is open."""
_PEERCRED = struct.Struct("3i")
"""struct ucred of Linux: pid, uid, gid."""

_log = structlog.get_logger(__name__)


class PeerCheckedSocket(socket.socket):
    """A listening Unix socket that lets only `allowed` user ids in."""

    allowed: frozenset[int] = frozenset()
    stranger: Callable[[int], None]
    """Is told the user id of whoever is not let in."""

    def accept(self) -> tuple[socket.socket, Any]:
        """The next connection of an allowed user; another's is closed and told as an aborted connection."""
        connection, address = super().accept()
        _pid, uid, _gid = _PEERCRED.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEERCRED.size))
        if uid not in self.allowed:
            connection.close()
            _log.warning("socket.stranger", uid=uid, socket=self.getsockname())
            self.stranger(uid)
            raise ConnectionAbortedError(errno.ECONNABORTED, "this user may not connect")
        return connection, address


def users_named(*names: str) -> list[int]:
    """User ids of the kiosk's other processes (systemd/sysusers.conf); none where there are no such users."""
    return [entry.pw_uid for entry in pwd.getpwall() if entry.pw_name in names]


def _ignore(_uid: int) -> None:
    """The log has it."""


def listen_unix(
    path: Path, users: Collection[int] = (), stranger: Callable[[int], None] = _ignore
) -> PeerCheckedSocket:
    """A listening socket at `path` for our own user, root and `users`; a leftover of a killed process is replaced."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    listener = PeerCheckedSocket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.allowed = frozenset({os.getuid(), 0, *users})
    listener.stranger = stranger
    old = os.umask(_SOCKET_UMASK)
    try:
        listener.bind(str(path))
    finally:
        os.umask(old)
    listener.listen(BACKLOG)
    return listener


def serve_unix(
    app: WSGIApplication, path: Path, users: Collection[int] = (), stranger: Callable[[int], None] = _ignore
) -> None:
    """Serves `app` at the Unix socket `path` until SIGTERM or Ctrl-C; `stranger` is told of who may not connect."""
    _serve(app, listen_unix(path, users, stranger), lambda: path.unlink(missing_ok=True))


def serve_unix_aside(
    app: WSGIApplication, path: Path, users: Collection[int] = (), stranger: Callable[[int], None] = _ignore
) -> None:
    """As serve_unix, in a thread that ends with the process; returns at once."""
    server = _server(app, listen_unix(path, users, stranger), threads=1)
    threading.Thread(target=server.run, name=path.name, daemon=True).start()


def serve_loopback(app: WSGIApplication, port: int) -> None:
    """Serves `app` on 127.0.0.1:`port` until SIGTERM or Ctrl-C."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((LOOPBACK, port))
    listener.listen(BACKLOG)
    _serve(app, listener, lambda: None)


def _serve(app: WSGIApplication, listener: socket.socket, close: Callable[[], None]) -> None:
    server = _server(app, listener, THREADS)
    signal.signal(signal.SIGTERM, _stop)
    try:
        server.run()
    finally:
        server.close()
        close()


def _server(app: WSGIApplication, listener: socket.socket, threads: int) -> Any:
    return create_server(
        app,
        sockets=[listener],
        threads=threads,
        max_request_body_size=MAX_BODY_BYTES,
        ident=None,
        clear_untrusted_proxy_headers=True,
    )


def _stop(_signal: int, _frame: FrameType | None) -> None:
    sys.exit(0)


def unix_client(path: Path, timeout_s: float) -> httpx.Client:
    """A client of the service at the Unix socket `path`; one connection a request, so a restart is not noticed."""
    return httpx.Client(
        transport=httpx.HTTPTransport(uds=str(path), limits=httpx.Limits(max_keepalive_connections=0)),
        base_url="http://kiosk",
        timeout=timeout_s,
    )
