"""Another user of this machine opens the screen's port: the kernel's word on who is at the other end."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from waitress.server import create_server

from firmware.endpoint import peer
from firmware.endpoint.peer import LocalUsers, allowed_users, owner_by_kernel, owner_in
from firmware.errors import LayoutRefused
from firmware.http import LOOPBACK
from firmware.messages import both

CLIENT, OURS = ("127.0.0.1", 40001), ("127.0.0.1", 8080)
ROW = "   7: {local} {remote} {state} 00000000:00000000 00:00000000 00000000 {uid:>5}        0 4711 1 000 100 0 0 10 0"
KIOSK_USER = 1200
STRANGER = 1300

pytestmark = pytest.mark.skipif(not peer.TABLES[0].exists(), reason="no /proc/self/net/tcp here")


def row(uid: Any, state: str = "01", local: str = "0100007F:9C41", remote: str = "0100007F:1F90") -> str:
    """A row as a little-endian kernel prints it: 127.0.0.1:40001 to 127.0.0.1:8080."""
    return ROW.format(local=local, remote=remote, state=state, uid=uid)


def hello(_environ: Any, start_response: Any) -> list[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"screen"]


@contextmanager
def served(app: Any) -> Iterator[str]:
    """`app` on a loopback port, as the screen is."""
    server = create_server(app, host=LOOPBACK, port=0, threads=2, clear_untrusted_proxy_headers=True)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        yield f"http://{LOOPBACK}:{server.effective_port}"
    finally:
        server.trigger.pull_trigger(server.close)
        thread.join()
        server.task_dispatcher.shutdown()


# --- the kernel's table


def test_the_owner_of_a_connection_is_found_among_others() -> None:
    header = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode"
    ours = row(0, local="0100007F:1F90", remote="0100007F:9C41")
    other = row(STRANGER, local="0100007F:9C42")
    assert owner_in([header, ours, other, row(KIOSK_USER)], CLIENT, OURS) == KIOSK_USER


def test_a_client_comes_by_ipv6() -> None:
    mapped = "0000000000000000FFFF00000100007F:"
    assert owner_in([row(STRANGER, local=mapped + "9C41", remote=mapped + "1F90")], CLIENT, OURS) == STRANGER


@pytest.mark.parametrize("state", ["02", "04", "05", "06", "07", "08", "0A", "0C"])
def test_a_stranger_closes_the_socket_and_is_taken_for_root(state: str) -> None:
    assert owner_in([row(0, state=state)], CLIENT, OURS) is None


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [""],
        ["\x00" * 300],
        [row("")],
        [row("-1")],
        [row("0x0")],
        [row("²")],
        [row("1200").split("1200")[0]],
        [row(KIOSK_USER), row(STRANGER)],
        [row(KIOSK_USER, local="0100007F:9c41")],
        [row(KIOSK_USER, remote="0200007F:1F90")],
        [row(KIOSK_USER, remote="0100007F:1F91")],
        [row(KIOSK_USER)[:60]],
    ],
)
def test_the_table_does_not_tell(rows: list[str]) -> None:
    assert owner_in(rows, CLIENT, OURS) is None


@pytest.mark.parametrize("client", [("", 0), ("::1", 40001), ("localhost", 40001), ("127.0.0.1.", 40001)])
def test_a_client_without_an_ipv4_address(client: tuple[str, int]) -> None:
    assert owner_in([row(KIOSK_USER)], client, OURS) is None


@given(st.lists(st.text(), max_size=20))
def test_any_text_stands_in_the_table(rows: list[str]) -> None:
    assert owner_in(rows, CLIENT, OURS) is None
    assert owner_in([*rows, row(KIOSK_USER)], CLIENT, OURS) == KIOSK_USER


# --- the real kernel


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_the_kernel_names_the_client(family: socket.AddressFamily) -> None:
    with socket.create_server((LOOPBACK, 0)) as listener, socket.socket(family) as client:
        ours = listener.getsockname()
        try:
            client.connect(ours if family is socket.AF_INET else (f"::ffff:{LOOPBACK}", ours[1]))
        except OSError as problem:
            pytest.skip(f"no IPv6 here: {problem}")
        connection, address = listener.accept()
        with connection:
            assert owner_by_kernel(address, ours) == os.getuid()
            client.close()
            assert owner_by_kernel(address, ours) is None, "whoever has gone is nobody"


def test_a_browser_of_this_user_opens_the_screen() -> None:
    with served(LocalUsers(hello, {os.getuid()})) as url:
        assert httpx.get(url).text == "screen"


def test_a_browser_of_another_user_opens_the_screen() -> None:
    with served(LocalUsers(hello, {os.getuid() + 1})) as url:
        answer = httpx.get(url, headers={"X-Forwarded-For": LOOPBACK, "Forwarded": "for=127.0.0.1"})
    assert answer.status_code == 403
    assert answer.text == both("api.stranger")


def test_the_table_cannot_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peer, "TABLES", [peer.TABLES[0].with_name("nothing")])
    with served(LocalUsers(hello, {os.getuid()})) as url:
        assert httpx.get(url).status_code == 403


# --- who is allowed


def test_our_own_user_root_and_the_users_of_the_screen_are_allowed() -> None:
    assert allowed_users("") == {os.getuid(), 0}
    assert allowed_users("daemon") > {os.getuid(), 0} or os.getuid() in {0, 1}


def test_the_screens_user_is_not_there() -> None:
    with pytest.raises(LayoutRefused) as refusal:
        allowed_users("nobody-of-this-name")
    assert both("error." + refusal.value.code, **refusal.value.details)
