"""Another user of this machine opens the screen: a real process with another user id. Needs root to become one."""

from __future__ import annotations

import multiprocessing
import os
import socket
from multiprocessing.connection import Connection

import pytest

from firmware.endpoint.peer import LocalUsers, allowed_users
from firmware.http import LOOPBACK
from tests.test_endpoint_peer import hello, served

NOBODY = 65534
DAEMON = 1
"""System users of Debian: https://www.debian.org/doc/debian-policy/ch-opersys.html#uid-and-gid-classes."""

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user"),
]

REQUEST = b"GET / HTTP/1.0\r\nHost: kiosk\r\n\r\n"
FORK = multiprocessing.get_context("fork")


def ask(url: str, user: int, half_closed: bool = False) -> str:
    """The first line of what a client of that user is answered."""
    ours, theirs = FORK.Pipe()
    child = FORK.Process(target=_become_and_ask, args=(int(url.rpartition(":")[2]), user, half_closed, theirs))
    child.start()
    theirs.close()
    try:
        return str(ours.recv())
    finally:
        child.join()


def _become_and_ask(port: int, user: int, half_closed: bool, tell: Connection) -> None:
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)
    with socket.create_connection((LOOPBACK, port)) as peer:
        peer.sendall(REQUEST)
        if half_closed:
            peer.shutdown(socket.SHUT_WR)
        tell.send(peer.recv(200).split(b"\r\n")[0].decode())


def test_another_user_opens_the_screen() -> None:
    with served(LocalUsers(hello, allowed_users(""))) as url:
        assert "403" in ask(url, NOBODY)
        assert "200 OK" in ask(url, 0), "root can become anybody"


def test_the_screens_own_user_opens_it() -> None:
    with served(LocalUsers(hello, allowed_users("daemon"))) as url:
        assert "200 OK" in ask(url, DAEMON)
        assert "403" in ask(url, NOBODY)


def test_another_user_shuts_the_connection_down_behind_the_request() -> None:
    """A socket that is closed is owned by nobody: it must not pass for root's."""
    with served(LocalUsers(hello, allowed_users(""))) as url:
        assert "403" in ask(url, NOBODY, half_closed=True)
