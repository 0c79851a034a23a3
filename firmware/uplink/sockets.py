"""TCP connections for networks that are slow, silent and swallow large packets: what httpcore connects with.

What matters must be set before a connection is made (the size of segments is agreed on with its first packet), which
no ready-made backend of httpcore does.
"""

from __future__ import annotations

import errno
import select
import socket
import ssl
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import httpcore

T = TypeVar("T")

SEGMENT_BYTES = 1220
"""Fits the smallest packets that IPv6 allows (1280): on a way that swallows larger ones without a word, as tunnels of
mobile networks do, nothing would arrive at all."""
REACH_SECONDS = 4.0
"""To reach an address: the kernel asks at 0, 1 and 3 s, then seldom; asking anew finds
a network that came back sooner."""
SEND_BUFFER_BYTES = 64 * 1024
"""At most this is out of our hands at once (8 s of 2G); enough for 10 Mbit/s at 50 ms."""
UNHEARD_MS = 20_000
"""After that long without any sign from the other side a connection is dead: a network went away, and the next one
must not wait for the last one's silence."""
PROBE_AFTER_SECONDS, PROBE_EVERY_SECONDS, PROBES = 10, 3, 3
"""How a connection on which nothing has to be said is asked for a sign."""

SOCKET_OPTIONS = (
    (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
    (socket.IPPROTO_TCP, socket.TCP_MAXSEG, SEGMENT_BYTES),
    (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNHEARD_MS),
    (socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES),
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, PROBE_AFTER_SECONDS),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, PROBE_EVERY_SECONDS),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, PROBES),
)


class Connection(httpcore.NetworkStream):
    """One connection, with or without TLS; faults are raised as httpcore's."""

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """What has come, at most `max_bytes`; waits for something for `timeout` seconds."""
        return self._do(lambda: self._socket.recv(max_bytes), timeout, httpcore.ReadTimeout, httpcore.ReadError)

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Hands all of `buffer` to the kernel."""
        self._do(lambda: self._socket.sendall(buffer), timeout, httpcore.WriteTimeout, httpcore.WriteError)

    def close(self) -> None:
        """Ends the connection."""
        self._socket.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        """The same connection with TLS; verifies the other side."""

        def wrap() -> ssl.SSLSocket:
            return ssl_context.wrap_socket(self._socket, server_hostname=server_hostname)

        try:
            return Connection(self._do(wrap, timeout, httpcore.ConnectTimeout, httpcore.ConnectError))
        except BaseException:
            self.close()
            raise

    def get_extra_info(self, info: str) -> Any:
        """What httpcore asks: whether an idle connection was closed meanwhile, and which protocol TLS agreed on."""
        if info == "is_readable":
            return self._socket.fileno() < 0 or bool(select.select([self._socket], [], [], 0)[0])
        return self._socket if info == "ssl_object" and isinstance(self._socket, ssl.SSLSocket) else None

    def _do(self, work: Callable[[], T], timeout: float | None, late: type[Exception], broken: type[Exception]) -> T:
        try:
            self._socket.settimeout(timeout)
            return work()
        except OSError as problem:
            # The kernel's own ETIMEDOUT is a TimeoutError too: nothing was heard from the other side at all.
            own = isinstance(problem, TimeoutError) and problem.errno != errno.ETIMEDOUT
            raise (late if own else broken)(problem) from problem


class CarefulNetwork(httpcore.NetworkBackend):
    """Makes connections with SOCKET_OPTIONS."""

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> Connection:
        """Tries every address of `host`, each for REACH_SECONDS at most; raises for the last one."""
        del local_address, socket_options
        reach = min(timeout or REACH_SECONDS, REACH_SECONDS)
        try:
            addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError as problem:
            raise httpcore.ConnectError(problem) from problem
        failure: Exception = httpcore.ConnectError(f"no address: {host}")
        for family, kind, protocol, _, address in addresses:
            try:
                return _connect(socket.socket(family, kind, protocol), address, reach)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as problem:
                failure = problem
        raise failure


def _connect(made: socket.socket, address: Any, timeout: float | None) -> Connection:
    try:
        for option in SOCKET_OPTIONS:
            made.setsockopt(*option)
        made.settimeout(timeout)
        made.connect(address)
    except TimeoutError as problem:
        made.close()
        raise httpcore.ConnectTimeout(problem) from problem
    except OSError as problem:
        made.close()
        raise httpcore.ConnectError(problem) from problem
    return Connection(made)
