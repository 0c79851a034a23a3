"""The uplink on networks as they are there: real namespaces, real TCP, a line between that is slow, lossy, silent or
lies. The processes are the kiosk's own; what arrives within the first usable seconds is measured by arrivals.py.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from firmware.records import DeliveryState
from firmware.uplink import sockets
from firmware.uplink.outcome import Outcome
from firmware.uplink.tls import client_context
from tests.sealing import pictures_of
from tests.system.networks import (
    COLLECTOR,
    COLLECTOR6,
    PORTAL,
    RESOLVER,
    SECOND_GENERATION,
    Networks,
    networks,
    possible,
)
from tests.system.resolver import Mood, Resolver
from tests.tls_parties import authority, party, server_context
from tests.tus_collector import TusCollector
from tests.uplinks import NAME, Answer, Kiosk, opened, reply, somebody, write_uplink

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(not possible(), reason="only root can make network namespaces"),
]

HOST = "server.kota-contoh.example"
HTTPS = 443
HOUR = 3600.0
PATIENCE_S = 60.0
SMALLEST_IPV6_PACKET = 1280
PORTAL_PAGE = reply(200, b"<html>Wi-Fi Gratis</html>")
IMPATIENT = [
    (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 1000),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 1),
]
"""What takes half a minute in the field takes two seconds here."""
CA = authority()
SERVER = party(CA, HOST, COLLECTOR, COLLECTOR6)


@pytest.fixture(scope="module")
def both() -> Iterator[Networks]:
    with networks() as both:
        yield both


@pytest.fixture
def kiosk(tmp_path: Path) -> Iterator[Kiosk]:
    with opened(tmp_path) as kiosk:
        yield kiosk


@pytest.fixture
def collector(kiosk: Kiosk) -> TusCollector:
    return TusCollector(kiosk.world.collector_key)


@pytest.fixture(autouse=True)
def good_line(both: Networks) -> None:
    both.line.quality = replace(SECOND_GENERATION, bits_per_second=0, delay_s=0.005, loss=0)


@contextmanager
def far(both: Networks, server: AbstractContextManager[Any]) -> Iterator[Any]:
    """A server of the far namespace."""
    with ExitStack() as stack:
        yield both.within(both.far, lambda: stack.enter_context(server))


def tls_server(kiosk: Kiosk, answer: Answer, host: str = COLLECTOR, port: int = 0) -> AbstractContextManager[str]:
    return somebody(answer, server_context(kiosk.folder, SERVER, CA), host, port)


def tls_files(kiosk: Kiosk) -> tuple[Path, Path, Path]:
    return *party(CA).write(kiosk.folder, "device"), CA.write(kiosk.folder, "ca")[0]


def one_round(both: Networks, kiosk: Kiosk, url: str, silence_seconds: float = 2.0) -> Outcome:
    files = tls_files(kiosk)
    (attempt,) = both.within(both.near, lambda: kiosk.round(url, silence_seconds, tls=client_context(*files)))
    return attempt.outcome


@contextmanager
def uplink(both: Networks, kiosk: Kiosk, url: str) -> Iterator[subprocess.Popen[bytes]]:
    """The kiosk's real uplink process, in its namespace."""
    names = zip(("certificate", "key", "ca"), (str(path) for path in tls_files(kiosk)), strict=True)
    config = write_uplink(kiosk.folder, {NAME: url}, **dict(names))
    command = both.command(sys.executable, "-m", "firmware", "run", "uplink", "--config", str(config))
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            yield process
        finally:
            process.kill()


def until(kiosk: Kiosk, record: bytes, problem: Outcome | None, pictures_left: int | None = None) -> None:
    """Waits until the record's delivery says that."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        for delivery in kiosk.outbox.deliveries(record):
            arrived = delivery.state is DeliveryState.ACKNOWLEDGED
            fits = arrived if problem is None else delivery.problem == problem
            if fits and pictures_left in (None, delivery.pictures_left):
                return
        time.sleep(0.05)
    raise AssertionError(kiosk.outbox.deliveries(record))


def test_2g_with_outages_and_a_kill(both: Networks, kiosk: Kiosk, collector: TusCollector) -> None:
    """First an outage, then 2G for the record, an outage and a kill within the pictures, and the rest."""
    record = kiosk.store(1)
    both.line.quality = replace(SECOND_GENERATION, up=False)
    with far(both, tls_server(kiosk, collector.answer)) as url:
        with uplink(both, kiosk, url) as process:
            until(kiosk, record, Outcome.NO_NETWORK)
            both.line.quality = SECOND_GENERATION
            until(kiosk, record, None)
            while not collector.uploads:
                time.sleep(0.01)
            both.line.quality = replace(SECOND_GENERATION, up=False)
            time.sleep(2.0)
            process.kill()
        both.line.quality = SECOND_GENERATION
        with uplink(both, kiosk, url):
            until(kiosk, record, None, pictures_left=0)
    assert dict(collector.stored) == dict.fromkeys(pictures_of(1), 1)
    assert list(collector.records) == [record.hex()]


def test_names_that_lie_portals_and_silence(both: Networks, kiosk: Kiosk, collector: TusCollector) -> None:
    """Each is told apart, and when the network is right at last, the record leaves."""
    record = kiosk.store(1)
    stranger = authority("Wi-Fi Gratis")
    portal_tls = server_context(kiosk.folder, party(stranger, HOST), stranger)
    with ExitStack() as stack:
        stack.enter_context(far(both, tls_server(kiosk, collector.answer, port=HTTPS)))
        stack.enter_context(far(both, somebody(PORTAL_PAGE, portal_tls, PORTAL, HTTPS)))
        resolver = both.within(both.far, lambda: Resolver(RESOLVER, COLLECTOR, PORTAL))
        stack.callback(resolver.close)
        resolver.mood = Mood.SILENT
        stack.enter_context(uplink(both, kiosk, f"https://{HOST}"))
        until(kiosk, record, Outcome.NO_NETWORK)
        for mood, wanted in (
            (Mood.UNKNOWN, Outcome.NO_NAME),
            (Mood.LIE, Outcome.CERTIFICATE_UNKNOWN),
            (Mood.TRUTH, None),
        ):
            resolver.mood = mood
            both.another_network()
            until(kiosk, record, wanted)


def test_portal_without_tls_answers_on_every_port(both: Networks, kiosk: Kiosk) -> None:
    kiosk.store(1)
    with far(both, somebody(PORTAL_PAGE, None, COLLECTOR)) as url:
        assert one_round(both, kiosk, url.replace("http:", "https:")) is Outcome.NOT_A_COLLECTOR


def test_nobody_listens(both: Networks, kiosk: Kiosk) -> None:
    kiosk.store(1)
    assert one_round(both, kiosk, f"https://{COLLECTOR}:1") is Outcome.NO_SERVER


def test_kiosk_has_no_network_at_all(both: Networks, kiosk: Kiosk) -> None:
    kiosk.store(1)
    assert one_round(both, kiosk, "https://192.0.2.1") is Outcome.NO_NETWORK


def test_record_goes_over_ipv6(both: Networks, kiosk: Kiosk, collector: TusCollector) -> None:
    kiosk.store(1)
    with far(both, tls_server(kiosk, collector.answer, COLLECTOR6)) as url:
        assert one_round(both, kiosk, url) is Outcome.ACKNOWLEDGED


def test_collector_accepts_and_never_answers(both: Networks, kiosk: Kiosk) -> None:
    kiosk.store(1)
    end = threading.Event()

    def think(_handler: BaseHTTPRequestHandler, _body: bytes) -> None:
        end.wait()

    with far(both, tls_server(kiosk, think)) as url:
        assert one_round(both, kiosk, url, silence_seconds=0.5) is Outcome.TIMEOUT
        end.set()


def test_connection_is_closed_on_one_side(both: Networks, kiosk: Kiosk) -> None:
    """The collector says that it will send nothing more, and goes on listening."""
    kiosk.store(1)

    def half_close(handler: BaseHTTPRequestHandler, _body: bytes) -> None:
        handler.connection.shutdown(socket.SHUT_WR)
        handler.rfile.read()

    with far(both, tls_server(kiosk, half_close)) as url:
        assert one_round(both, kiosk, url) is Outcome.BROKEN


def test_network_goes_away_while_the_collector_thinks(
    both: Networks, kiosk: Kiosk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Noticed by the silence of the line, long before the collector's time is over."""
    monkeypatch.setattr(sockets, "SOCKET_OPTIONS", (*sockets.SOCKET_OPTIONS, *IMPATIENT))
    kiosk.store(1)
    end = threading.Event()

    def pull_the_plug(_handler: BaseHTTPRequestHandler, _body: bytes) -> None:
        both.line.quality.up = False
        end.wait()

    with far(both, tls_server(kiosk, pull_the_plug)) as url:
        assert one_round(both, kiosk, url, silence_seconds=PATIENCE_S) is Outcome.BROKEN
        end.set()


def test_large_packets_vanish_without_a_word(
    both: Networks, kiosk: Kiosk, collector: TusCollector, monkeypatch: pytest.MonkeyPatch
) -> None:
    kiosk.store(1)
    kiosk.store(2)
    both.line.quality.largest = SMALLEST_IPV6_PACKET
    with far(both, tls_server(kiosk, collector.answer)) as url:
        with monkeypatch.context() as careless:
            careless.setattr(sockets, "SOCKET_OPTIONS", ())
            assert one_round(both, kiosk, url) is not Outcome.ACKNOWLEDGED, "the line is no black hole"
        kiosk.now += HOUR
        files = tls_files(kiosk)
        attempts = both.within(both.near, lambda: kiosk.round(url, 2.0, tls=client_context(*files)))
    assert [attempt.outcome for attempt in attempts] == [Outcome.ACKNOWLEDGED] * 2
