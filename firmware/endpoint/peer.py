"""Which user of this machine is at the other end of a loopback connection. Specification.

A port on 127.0.0.1 can be reached by every user of the machine, so the address proves nothing. The kernel knows who
made the other socket: /proc/net/tcp and tcp6 (Linux, proc_pid_net(5)) list every socket with its two addresses, its
state and the user id of its owner. A request is let through only when the table holds exactly that connection, seen
from the client's side, ESTABLISHED, and owned by an allowed user; anything else is answered 403 (fail closed: a table
that cannot be read lets nobody in).

- Only ESTABLISHED counts: a socket that its program closed is owned by nobody and listed as of user 0, so a stranger
  could otherwise send a request, close, and be taken for root.
- Allowed are the user whose browser shows the screen (`[screen] user`), our own, and root, who can become any of them:
  refusing root would protect nothing. In the demo that is whoever started it, and root.
- A client may have made an IPv6 socket and reached us over ::ffff:127.0.0.1: it then stands in tcp6.
- In a user namespace of its own a process sees other users as 65534: the unit of the endpoint runs without one.

This does not tell two programs of one user apart; against pages of other sites in the same browser stands guard.py.
"""

from __future__ import annotations

import ipaddress
import os
import pwd
import re
import sys
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from firmware.errors import LayoutRefused
from firmware.http import LOOPBACK
from firmware.messages import both

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

Address = tuple[str, int]
"""Dotted IPv4 address and port."""
Owner = Callable[[Address, Address], int | None]
"""The user id of the client of a connection: (client's address, our address); None when it cannot be told."""

ESTABLISHED = "01"
"""TCP_ESTABLISHED of <netinet/tcp.h>, as the tables print it."""
TABLES = (Path("/proc/self/net/tcp"), Path("/proc/self/net/tcp6"))
ROOT = 0

_WORD = 4
"""Addresses are printed as 32-bit words, each in the machine's byte order."""
_ROW = re.compile(
    r" *[0-9]+: (?P<local>[0-9A-F]+:[0-9A-F]{4}) (?P<remote>[0-9A-F]+:[0-9A-F]{4}) (?P<state>[0-9A-F]{2})"
    r" [0-9A-F]{8}:[0-9A-F]{8} [0-9A-F]{2}:[0-9A-F]{8} [0-9A-F]{8} {1,5}(?P<uid>[0-9]{1,10}) +[0-9]+ [0-9]+ "
)
"""A row as get_tcp4_sock and get_tcp6_sock of Linux print it, as far as the inode."""

_log = structlog.get_logger(__name__)


class LocalUsers:
    """A WSGI application that only `allowed` users of this machine reach; others are answered 403."""

    def __init__(self, app: WSGIApplication, allowed: Collection[int], owner: Owner | None = None) -> None:
        self._app = app
        self._allowed = frozenset(allowed)
        self._owner = owner or owner_by_kernel

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Passes a request of an allowed user on."""
        peer = (str(environ.get("REMOTE_ADDR", "")), int(environ.get("REMOTE_PORT") or 0))
        user = self._owner(peer, (LOOPBACK, int(environ["SERVER_PORT"])))
        if user in self._allowed:
            return self._app(environ, start_response)
        _log.warning("screen.stranger", uid=user, port=peer[1])
        body = both("api.stranger").encode()
        headers = [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(body)))]
        start_response("403 Forbidden", [*headers, ("Cache-Control", "no-store")])
        return [body]


def allowed_users(screen_user: str) -> frozenset[int]:
    """Ids of our own user, root and `screen_user` (empty: nobody else). Raises LayoutRefused("screen-user-unknown")."""
    own = frozenset({os.getuid(), ROOT})
    if not screen_user:
        return own
    try:
        return own | {pwd.getpwnam(screen_user).pw_uid}
    except KeyError as problem:
        raise LayoutRefused("screen-user-unknown", user=screen_user) from problem


def owner_by_kernel(client: Address, ours: Address) -> int | None:
    """Who made the client's socket, by the kernel's tables of now; None when they do not tell.

    A table takes the kernel as long as it has places for connections, some milliseconds: the second is read only when
    the first, where all but IPv6 programs stand, does not tell.
    """
    owners = (owner_in(_rows(table), client, ours) for table in TABLES)
    return next((owner for owner in owners if owner is not None), None)


def owner_in(rows: Iterable[str], client: Address, ours: Address) -> int | None:
    """The owner of the established socket from `client` to `ours` in rows of the tables; None unless there is one.

    Rows that are not as the kernel writes them are not looked at; two owners of one connection are none.
    """
    try:
        wanted = {(_printed(client, mapped), _printed(ours, mapped), ESTABLISHED) for mapped in (False, True)}
    except ValueError:
        return None
    port = f":{client[1]:04X} "
    matches = filter(None, (_ROW.match(row) for row in rows if port in row))
    found = {int(row["uid"]) for row in matches if (row["local"], row["remote"], row["state"]) in wanted}
    return found.pop() if len(found) == 1 else None


def _rows(table: Path) -> Iterator[str]:
    """The rows of a table; none when it cannot be read."""
    try:
        with table.open(encoding="ascii", errors="replace") as file:
            yield from file
    except OSError as problem:
        _log.error("screen.peers-unknown", table=str(table), problem=problem.strerror)


def _printed(address: Address, mapped: bool) -> str:
    """An address as the tables print it, `mapped` as an IPv6 one. Raises ValueError."""
    host = ipaddress.IPv4Address(address[0])
    packed = ipaddress.IPv6Address(f"::ffff:{host}").packed if mapped else host.packed
    words = (int.from_bytes(packed[at : at + _WORD], sys.byteorder) for at in range(0, len(packed), _WORD))
    return "".join(f"{word:08X}" for word in words) + f":{address[1]:04X}"
