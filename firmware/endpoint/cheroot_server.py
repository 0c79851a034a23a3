"""TLS to an operator's laptop: the only user of cheroot. Specification.

TLS 1.3 only; a client without a certificate of the configured authority, or with one that is not valid now, is closed
after the handshake and no byte of HTTP of it is read. No tickets are given: every connection proves itself anew.

A client that is slow hurts itself: the handshake runs in a worker (cheroot would run it where connections are accepted)
and has HANDSHAKE_SECONDS as a whole; a connection has one request, of a few headers and no body, and every read and
write has IO_SECONDS. More than WAITING connections at once are closed. None of these threads is the screen's.
"""

from __future__ import annotations

import logging
import queue
import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog
from cheroot.makefile import StreamReader, StreamWriter
from cheroot.server import HTTPConnection
from cheroot.ssl import Adapter
from cheroot.wsgi import Server
from cryptography import x509

from firmware.errors import LayoutRefused

if TYPE_CHECKING:
    import socket

    from _typeshed.wsgi import WSGIApplication

THREADS = 4
"""Requests at once: one laptop pulls pictures over four connections; a Pi has four cores for everything."""
WAITING = 16
"""Accepted connections that may wait for a thread."""
HANDSHAKE_SECONDS = 5.0
"""For a whole handshake: ten times one over a bad WLAN."""
IO_SECONDS = 10.0
"""For one read or write, after which the client counts as gone."""
HEADER_BYTES_MAX = 8 * 1024
"""Of one request: ours are under 1 kB."""
BODY_BYTES_MAX = 1
"""Nothing is written here; 0 would mean no limit to cheroot."""
ACCEPT_TIMES_OUT = 0
"""Seconds for which accepting may wait for room in the queue: not at all."""

_log = structlog.get_logger(__name__)


def mutual_tls(certificate: Path, key: Path, client_authority: Path) -> ssl.SSLContext:
    """A server's context that asks every client for a certificate. Raises LayoutRefused("lan-certificate")."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.verify_mode = ssl.CERT_REQUIRED
    context.num_tickets = 0
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # it is below the root: the root itself is not believed
    try:
        context.load_cert_chain(certificate, key)
        context.load_verify_locations(client_authority)
    except OSError as problem:
        raise LayoutRefused("lan-certificate", file=str(certificate.parent), problem=str(problem)) from problem
    return context


class TlsServer(Server):
    """Serves one application over TLS; `start` blocks until `stop`."""

    keep_alive_conn_limit = 0
    max_request_header_size = HEADER_BYTES_MAX
    max_request_body_size = BODY_BYTES_MAX

    def __init__(self, app: WSGIApplication, address: str, port: int, context: ssl.SSLContext) -> None:
        super().__init__(
            (address, port),
            app,
            numthreads=THREADS,
            max=THREADS,
            request_queue_size=WAITING,
            timeout=IO_SECONDS,  # type: ignore[arg-type]  # cheroot's stub says int; it goes to settimeout
            accepted_queue_size=WAITING,
            accepted_queue_timeout=ACCEPT_TIMES_OUT,
        )
        self.ssl_adapter = _LateHandshake(context)
        self.ConnectionClass = _Connection

    def process_conn(self, conn: HTTPConnection) -> None:
        """Queues a connection for a worker; closes it when too many wait."""
        try:
            self.requests.put(conn)
        except queue.Full:
            _log.warning("lan.crowded", client=conn.remote_addr)
            conn.close()

    def error_log(self, msg: str = "", level: int = logging.INFO, traceback: bool = False) -> None:
        """Into our own log."""
        _log.log(level, "lan.server", message=msg, exc_info=traceback)


class _Connection(HTTPConnection):
    """A connection whose handshake is done by the worker that serves it."""

    def communicate(self) -> bool:
        """Handshake, then one request; False: to be closed."""
        try:
            self.socket.settimeout(HANDSHAKE_SECONDS)
            self.socket.do_handshake()
            self.socket.settimeout(IO_SECONDS)
        except OSError as problem:
            _log.warning("lan.handshake", client=self.remote_addr, problem=str(problem))
            return False
        _log.info("lan.client", client=self.remote_addr, subject=_subject(self.socket))
        return bool(super().communicate())  # type: ignore[no-untyped-call]


class _LateHandshake(Adapter):
    """Wraps accepted sockets without waiting for their clients."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self.context = context

    def bind(self, sock: socket.socket) -> socket.socket:
        """The listening socket, as it is."""
        return sock

    def wrap(self, sock: socket.socket) -> tuple[ssl.SSLSocket, dict[str, Any]]:
        """The socket with TLS to come, and what the application is told of it."""
        wrapped = self.context.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
        return wrapped, self.get_environ()

    def get_environ(self) -> dict[str, Any]:
        """What is known before the handshake."""
        return {"wsgi.url_scheme": "https", "HTTPS": "on"}

    def makefile(self, sock: ssl.SSLSocket, mode: str = "r", bufsize: int = -1) -> StreamReader | StreamWriter:
        """A buffered file over the socket."""
        return (StreamReader if "r" in mode else StreamWriter)(sock, mode, bufsize)


def _subject(connection: ssl.SSLSocket) -> str:
    """Whose certificate it is, for the log."""
    der = connection.getpeercert(binary_form=True)
    return x509.load_der_x509_certificate(der).subject.rfc4514_string() if der else ""
