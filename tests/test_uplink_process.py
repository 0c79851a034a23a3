"""The uplink's process: several collectors, a network that comes up, what systemd hears, what stops it."""

from __future__ import annotations

import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from firmware.config import load_config
from firmware.errors import LayoutRefused
from firmware.heartbeat import Heartbeat
from firmware.ledger.outbox import Outbox
from firmware.messages import sentence
from firmware.records import DeliveryState, Mode
from firmware.uplink.backoff import LONGEST_OF_ALL_SECONDS
from firmware.uplink.network import NetworkWatch
from firmware.uplink.outcome import Outcome
from firmware.uplink.process import Loop, Way, serve
from firmware.uplink.transport import HttpTransport
from tests.sealing import pictures_of
from tests.tls_parties import authority, party, server_context
from tests.tus_collector import TusCollector
from tests.uplinks import NAME, Kiosk, dead_port, opened, reply, somebody, write_uplink

FIRST, SECOND = "kota", "provinsi"


@pytest.fixture
def kiosk(tmp_path: Path) -> Iterator[Kiosk]:
    with opened(tmp_path) as kiosk:
        yield kiosk


def in_order(kiosk: Kiosk, first: str, second: str, turns: int) -> None:
    """Lets one loop ask two collectors in order, for so many beats."""
    stop, beats = threading.Event(), []

    def beat() -> None:
        beats.append(1)
        if len(beats) == turns:
            stop.set()

    state = kiosk.folder / "state"
    with HttpTransport(first, 5.0) as one, HttpTransport(second, 5.0) as two:
        ways = [Way(FIRST, one), Way(SECOND, two)]
        Loop(state / "ledger", state / "outbox", kiosk.world.trust, ways, pictures=False, beat=beat).run(stop)


def states(kiosk: Kiosk, record: bytes) -> dict[str, DeliveryState]:
    return {delivery.collector: delivery.state for delivery in kiosk.outbox.deliveries(record)}


def test_the_next_collector_gets_only_what_the_first_did_not_acknowledge(kiosk: Kiosk) -> None:
    here, there = (TusCollector(kiosk.world.collector_key) for _ in range(2))
    record = kiosk.store(1)
    with somebody(here.answer) as first, somebody(there.answer) as second:
        in_order(kiosk, first, second, turns=3)
    assert (list(here.records), list(there.records)) == ([record.hex()], [])
    assert states(kiosk, record) == {FIRST: DeliveryState.ACKNOWLEDGED, SECOND: DeliveryState.WAITING}


@pytest.mark.parametrize("first", ["dead", "refusing"])
def test_the_first_collector_is_out_and_the_next_takes_over_at_once(kiosk: Kiosk, first: str) -> None:
    there = TusCollector(kiosk.world.collector_key)
    record = kiosk.store(1)
    refusing = reply(422, b'{"code": "device-unknown", "message": ""}')
    with somebody(refusing) as here, somebody(there.answer) as second:
        in_order(kiosk, here if first == "refusing" else dead_port(), second, turns=3)
    assert list(there.records) == [record.hex()]
    assert states(kiosk, record)[SECOND] is DeliveryState.ACKNOWLEDGED


def test_a_network_comes_up_and_nothing_waits_for_the_last_ones_failures(kiosk: Kiosk) -> None:
    record = kiosk.store(1)
    assert [attempt.outcome for attempt in kiosk.round(dead_port())] == [Outcome.NO_SERVER]
    assert kiosk.outbox.due(NAME, kiosk.now, LONGEST_OF_ALL_SECONDS) == ()
    kiosk.outbox.hasten(NAME)
    assert [entry.record for entry in kiosk.outbox.due(NAME, kiosk.now, LONGEST_OF_ALL_SECONDS)] == [record]


def test_what_was_refused_waits_for_an_operator_and_not_for_a_network(kiosk: Kiosk) -> None:
    kiosk.store(1)
    with somebody(reply(422, b'{"code": "device-unknown", "message": ""}')) as url:
        kiosk.round(url)
    kiosk.outbox.hasten(NAME)
    assert kiosk.outbox.due(NAME, kiosk.now, LONGEST_OF_ALL_SECONDS) == ()


HEAD = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n"
WIFI = "wlan0\t00000000\t0101A8C0\t0003\t{use}\t{use}\t600\t00000000\t0\t0\t0\n"
LOOPBACK = "0" * 31 + "1 80 " + "0" * 32 + " 00 " + "0" * 32 + " 00000000 00000002 00000000 80200001 lo\n"
LTE = "fe800000000000000000000000000000 40 " + "0" * 32 + " 00 " + "0" * 32 + " 00000100 {use} {use} 00000001 wwan0\n"


def test_a_route_comes_and_goes(tmp_path: Path) -> None:
    (tmp_path / "route").write_text(HEAD)
    (tmp_path / "ipv6_route").write_text(LOOPBACK)
    watch = NetworkWatch(tmp_path)
    assert not watch.came_up()
    assert not watch.routed(), "loopback leads nowhere"
    (tmp_path / "route").write_text(HEAD + WIFI.format(use=0))
    assert watch.came_up()
    assert watch.routed()
    (tmp_path / "route").write_text(HEAD + WIFI.format(use=7))
    assert not watch.came_up(), "only its use was counted"
    (tmp_path / "ipv6_route").write_text(LTE.format(use=1))
    assert watch.came_up()
    (tmp_path / "ipv6_route").write_text(LTE.format(use=2))
    (tmp_path / "route").write_text(HEAD)
    assert not watch.came_up()
    (tmp_path / "route").write_text(HEAD + WIFI.format(use=0))
    assert watch.came_up()


def test_one_loop_hangs_and_the_watchdog_hears_of_it() -> None:
    told: list[str] = []
    heart = Heartbeat(["a", "b"], told.append)
    heart.ready("a")
    heart.ready("a")
    assert told == []
    heart.ready("b")
    heart.ready("b")
    assert told == ["READY=1"]
    heart.beat("a")
    heart.beat("a")
    assert told == ["READY=1"], "b does not turn"
    heart.beat("b")
    heart.beat("b")
    assert told == ["READY=1", "WATCHDOG=1"], "a does not turn"


def test_systemd_hears_that_the_process_is_ready_and_turns(kiosk: Kiosk, tmp_path: Path) -> None:
    config = write_uplink(tmp_path, {FIRST: dead_port(), SECOND: dead_port()})
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(path))
        systemd.settimeout(60.0)
        command = [sys.executable, "-m", "firmware", "run", "uplink", "--config", str(config)]
        with subprocess.Popen(command, env={"NOTIFY_SOCKET": str(path)}, stderr=subprocess.DEVNULL) as process:
            try:
                assert [systemd.recv(64) for _ in range(2)] == [b"READY=1", b"WATCHDOG=1"]
            finally:
                process.terminate()
        assert process.returncode == 0


def test_records_and_pictures_go_to_all_collectors_over_tls(kiosk: Kiosk, tmp_path: Path) -> None:
    ca = authority()
    certificate, key = party(ca).write(tmp_path, "device")
    files = {"certificate": certificate.name, "key": key.name, "ca": ca.write(tmp_path, "ca")[0].name}
    here, there = (TusCollector(kiosk.world.collector_key) for _ in range(2))
    record = kiosk.store(1)

    def server() -> ssl.SSLContext:
        return server_context(tmp_path, party(ca), ca)

    with somebody(here.answer, server()) as first, somebody(there.answer, server()) as second:
        config = load_config(write_uplink(tmp_path, {FIRST: first, SECOND: second}, **files))
        stop = threading.Event()
        thread = threading.Thread(target=serve, args=(config, stop))
        thread.start()
        try:
            wait_until_stored(kiosk, thread)
        finally:
            stop.set()
            thread.join()
    assert set(states(kiosk, record).values()) == {DeliveryState.ACKNOWLEDGED}
    assert dict(here.stored) == dict(there.stored) == dict.fromkeys(pictures_of(1), 1)


def wait_until_stored(kiosk: Kiosk, thread: threading.Thread) -> None:
    with Outbox.open(kiosk.folder / "state" / "outbox", readonly=True) as outbox:
        while thread.is_alive():
            deliveries = outbox.deliveries()
            if len(deliveries) == 2 and not any(delivery.pictures_left for delivery in deliveries):
                return
            thread.join(0.05)


@pytest.mark.parametrize(
    "uplink",
    [
        {"certificate": "a.pem", "key": "a.key"},
        {"order": "random"},
        {"proxy": "socks5://127.0.0.1:1080"},
        {"proxy": "127.0.0.1:3128"},
        {"proxy": "https://127.0.0.1:3128"},
        {"metered": "yes"},
        {"mock": True},
    ],
)
def test_uplink_is_configured_wrongly(tmp_path: Path, uplink: dict[str, str | bool]) -> None:
    with pytest.raises(LayoutRefused, match="config-invalid"):
        load_config(write_uplink(tmp_path, {}, **uplink))


@pytest.mark.parametrize("url", ["collector.example", "https://without-certificates.example", "ftp://c.example"])
def test_collector_has_no_address(kiosk: Kiosk, tmp_path: Path, url: str) -> None:
    config = load_config(write_uplink(tmp_path, {NAME: url}))
    with pytest.raises(LayoutRefused, match="uplink-address") as refusal:
        serve(config, threading.Event())
    assert sentence(f"error.{refusal.value.code}", **refusal.value.details)


def test_real_election_without_tls(kiosk: Kiosk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = load_config(write_uplink(tmp_path, {NAME: "http://collector.example"}))
    monkeypatch.setattr(type(config), "mode", Mode.REAL)
    with pytest.raises(LayoutRefused, match="uplink-plain") as refusal:
        serve(config, threading.Event())
    assert sentence(f"error.{refusal.value.code}", **refusal.value.details)


def test_the_key_that_signs_records_is_configured_for_tls(kiosk: Kiosk, tmp_path: Path) -> None:
    """With a certificate of its own for TLS, issued for the same key."""
    issuer = authority()
    certificate, key = party(issuer, key=kiosk.world.device_key.file.private_key).write(tmp_path, "uplink")
    names = {"certificate": certificate.name, "key": key.name, "ca": issuer.write(tmp_path, "ca")[0].name}
    config = load_config(write_uplink(tmp_path, {NAME: "https://collector.example"}, **names))
    with pytest.raises(LayoutRefused, match="uplink-signing-key") as refusal:
        serve(config, threading.Event())
    assert sentence(f"error.{refusal.value.code}", **refusal.value.details)
