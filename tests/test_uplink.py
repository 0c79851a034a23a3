"""The uplink: only the collector's signature ends a delivery, and no network, portal or kill loses a record."""

from __future__ import annotations

import json
import multiprocessing
import random
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from http.server import BaseHTTPRequestHandler
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from collector.store import RecordStore
from firmware.errors import LedgerRefused, VerificationRefused
from firmware.ledger.outbox import Outbox
from firmware.messages import sentence
from firmware.records import DeliveryState
from firmware.signing.acknowledgement import acknowledge
from firmware.signing.verification import verify_acknowledgement
from firmware.uplink import chunks
from firmware.uplink.backoff import FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS, backoff
from firmware.uplink.outcome import Answered, Attempt, Outcome, Unanswered, judge
from firmware.uplink.process import Loop, Way
from firmware.uplink.transport import ANSWER_BYTES_MAX, HttpTransport
from firmware.uplink.wire import Request
from tests.sealing import SEALED_AT, make_world, pictures_of
from tests.tus_collector import TusCollector
from tests.uplinks import NAME, Kiosk, collector, dead_port, opened, reply, somebody, write_uplink

HOUR = 3600.0
FORK = multiprocessing.get_context("fork")


@pytest.fixture
def kiosk(tmp_path: Path) -> Iterator[Kiosk]:
    with opened(tmp_path) as kiosk:
        yield kiosk


PORTAL = reply(200, b"<!doctype html><title>Wi-Fi Gratis</title>", **{"content-type": "text/html"})


def test_record_arrives_and_its_acknowledgement_is_kept(kiosk: Kiosk) -> None:
    records = [kiosk.store(1), kiosk.store(2)]
    with collector(kiosk) as url:
        assert [attempt.outcome for attempt in kiosk.round(url)] == [Outcome.ACKNOWLEDGED] * 2
        assert kiosk.round(url) == []
    for record in records:
        proof = kiosk.outbox.acknowledgement(record)
        assert proof is not None
        verify_acknowledgement(proof, kiosk.world.trust, record)
        assert kiosk.delivery(record).state is DeliveryState.ACKNOWLEDGED


def test_captive_portal_says_200_to_everything(kiosk: Kiosk) -> None:
    record = kiosk.store(1)
    with somebody(PORTAL) as url:
        (attempt,) = kiosk.round(url)
    assert attempt.outcome is Outcome.NOT_A_COLLECTOR
    assert kiosk.delivery(record).state is DeliveryState.WAITING
    kiosk.now += HOUR
    with collector(kiosk) as url:
        assert [attempt.outcome for attempt in kiosk.round(url)] == [Outcome.ACKNOWLEDGED]


def test_portal_redirects_to_its_login(kiosk: Kiosk) -> None:
    kiosk.store(1)
    with collector(kiosk) as real, somebody(reply(307, b"", location=f"{real}/v1/records/{'0' * 64}")) as url:
        (attempt,) = kiosk.round(url)
    assert attempt.outcome is Outcome.NOT_A_COLLECTOR


def test_acknowledgement_of_another_record(kiosk: Kiosk) -> None:
    record, other = kiosk.store(1), bytes(32)
    with somebody(reply(200, acknowledge(other, 1, kiosk.world.collector_key))) as url:
        (attempt,) = kiosk.round(url)
    assert (attempt.outcome, attempt.detail) == (Outcome.NOT_A_COLLECTOR, "acknowledgement-other-record")
    assert kiosk.outbox.acknowledgement(record) is None


def test_acknowledgement_of_a_collector_that_nobody_knows(kiosk: Kiosk, tmp_path: Path) -> None:
    record = kiosk.store(1)
    impostor = make_world(tmp_path / "elsewhere").collector_key
    with somebody(reply(200, acknowledge(record, 1, impostor))) as url:
        (attempt,) = kiosk.round(url)
    assert (attempt.outcome, attempt.detail) == (Outcome.NOT_A_COLLECTOR, "collector-unknown")


def test_collector_refuses_and_says_why(kiosk: Kiosk, tmp_path: Path) -> None:
    stranger = make_world(tmp_path / "elsewhere").seal(1)
    kiosk.ledger.commit(stranger, pictures_of(1))
    record = stranger.sha256
    with collector(kiosk) as url:
        (attempt,) = kiosk.round(url)
    assert attempt == Attempt(Outcome.REFUSED, detail="device-unknown")
    refused = kiosk.delivery(record)
    assert (refused.state, refused.problem, refused.detail) == (DeliveryState.REFUSED, "refused", "device-unknown")


def test_refused_record_does_not_hold_up_the_others(kiosk: Kiosk) -> None:
    first, second = kiosk.store(1), kiosk.store(2)

    def refuse_the_first(handler: BaseHTTPRequestHandler, body: bytes) -> None:
        if first.hex() in handler.path:
            return reply(422, json.dumps({"code": "election-other", "message": ""}).encode())(handler, body)
        return reply(200, acknowledge(second, SEALED_AT, kiosk.world.collector_key))(handler, body)

    with somebody(refuse_the_first) as url:
        kiosk.round(url)
    assert kiosk.delivery(first).state is DeliveryState.REFUSED
    assert kiosk.delivery(second).state is DeliveryState.ACKNOWLEDGED


def test_record_damaged_on_the_card_does_not_hold_up_the_others(kiosk: Kiosk) -> None:
    damaged, whole = kiosk.store(1), kiosk.store(2)
    with closing(sqlite3.connect(kiosk.folder / "state" / "ledger" / "ledger.sqlite")) as raw:
        raw.executescript("DROP TRIGGER records_keep; UPDATE records SET cose = x'00' WHERE sequence = 1;")
    with collector(kiosk) as url, pytest.raises(LedgerRefused, match="ledger-hash"):
        kiosk.round(url)
    assert kiosk.delivery(damaged).attempts == 0
    assert kiosk.delivery(whole).state is DeliveryState.ACKNOWLEDGED


def test_no_server_ends_the_round_and_all_wait(kiosk: Kiosk) -> None:
    records = [kiosk.store(1), kiosk.store(2)]
    url = dead_port()
    assert [attempt.outcome for attempt in kiosk.round(url)] == [Outcome.NO_SERVER]
    assert kiosk.round(url) == [], "nothing is due yet"
    assert [kiosk.delivery(record).attempts for record in records] == [1, 0]
    kiosk.now += LONGEST_WAIT_SECONDS[Outcome.NO_SERVER]
    assert kiosk.round(url) != []
    assert [kiosk.delivery(record).attempts for record in records] == [1, 1], "the other one has its turn"


def test_server_accepts_and_never_answers(kiosk: Kiosk) -> None:
    kiosk.store(1)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        (attempt,) = kiosk.round(f"http://127.0.0.1:{listener.getsockname()[1]}", silence_seconds=0.2)
    assert attempt.outcome is Outcome.TIMEOUT


def test_connection_breaks_in_the_middle_of_the_answer(kiosk: Kiosk) -> None:
    kiosk.store(1)
    with somebody(reply(200, b"half", **{"content-length": "200", "connection": "close"})) as url:
        (attempt,) = kiosk.round(url)
    assert attempt.outcome is Outcome.BROKEN


def test_answer_without_an_end(kiosk: Kiosk) -> None:
    kiosk.store(1)

    def flood(handler: BaseHTTPRequestHandler, _body: bytes) -> None:
        handler.send_response(200)
        handler.end_headers()
        try:
            while True:
                handler.wfile.write(bytes(ANSWER_BYTES_MAX))
        except OSError:
            return  # the kiosk hung up: what the test wants

    with somebody(flood) as url:
        (attempt,) = kiosk.round(url)
    assert attempt.outcome is Outcome.NOT_A_COLLECTOR


def test_unpacked_answer_cannot_blow_up(kiosk: Kiosk) -> None:
    kiosk.store(1)
    with somebody(reply(200, b"\x1f\x8bnonsense", **{"content-encoding": "gzip"})) as url:
        (attempt,) = kiosk.round(url)
    assert attempt.outcome is Outcome.NOT_A_COLLECTOR


def _holds(_cose: bytes) -> None:
    pass


def _does_not_hold(_cose: bytes) -> None:
    raise VerificationRefused("cose-signature")


REFUSAL = b'{"code": "collector-fork", "message": "x"}'


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (Unanswered(Outcome.TIMEOUT), Outcome.TIMEOUT),
        (Answered(204, b""), Outcome.NOT_A_COLLECTOR),
        (Answered(302, REFUSAL), Outcome.NOT_A_COLLECTOR),
        (Answered(409, REFUSAL), Outcome.REFUSED),
        (Answered(403, b"<html>blocked</html>"), Outcome.NOT_A_COLLECTOR),
        (Answered(404, b'{"error": "no such page"}'), Outcome.NOT_A_COLLECTOR),
        (Answered(400, b'{"code": "Call 0800-1234!", "message": "x"}'), Outcome.NOT_A_COLLECTOR),
        (Answered(408, REFUSAL), Outcome.SERVER_ERROR),
        (Answered(429, REFUSAL), Outcome.SERVER_ERROR),
        (Answered(503, REFUSAL), Outcome.SERVER_ERROR),
        (Answered(511, b""), Outcome.NOT_A_COLLECTOR),
    ],
)
def test_answers_that_are_no_acknowledgement(answer: Answered | Unanswered, outcome: Outcome) -> None:
    attempt = judge(answer, _holds)
    assert (attempt.outcome, attempt.acknowledgement) == (outcome, None)


def test_status_200_is_worth_nothing_without_the_signature() -> None:
    assert judge(Answered(200, b"ok"), _holds) == Attempt(Outcome.ACKNOWLEDGED, b"ok")
    assert judge(Answered(200, b"ok"), _does_not_hold).outcome is Outcome.NOT_A_COLLECTOR


def test_backoff_grows_to_its_cap_and_is_never_in_step() -> None:
    rng = random.Random(1)
    for outcome, cap in LONGEST_WAIT_SECONDS.items():
        for attempts in (1, 2, 3, 10, 10_000):
            bound = min(cap, FIRST_WAIT_SECONDS * 2.0 ** min(attempts - 1, 30))
            waits = [backoff(outcome, attempts, rng) for _ in range(200)]
            assert 0 <= min(waits) < bound / 4
            assert bound * 3 / 4 < max(waits) <= bound


def test_every_outcome_has_a_sentence() -> None:
    for language in ("id", "en"):
        for name in {*Outcome, *DeliveryState}:
            assert sentence(f"delivery.{name}", language, detail="device-unknown")


def test_address_that_is_none() -> None:
    for address in ("collector.example", "ftp://collector.example", "", "https://without-certificates.example"):
        with pytest.raises(ValueError, match=r"collector|certificates"):
            HttpTransport(address)


def test_uplink_killed_again_and_again_stores_each_picture_once(kiosk: Kiosk, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FIRST_BYTES", "LEAST_BYTES", "MOST_BYTES"):
        monkeypatch.setattr(chunks, name, 512)  # four pieces of each picture
    numbers = range(1, 7)
    records = [kiosk.store(number) for number in numbers]
    stand_in = TusCollector(kiosk.world.collector_key)
    with somebody(stand_in.answer) as url:
        forward_and_be_killed(kiosk, url, pictures=True)
    assert set(stand_in.records) == {record.hex() for record in records}
    shown = {name for number in numbers for name in pictures_of(number)}
    assert dict(stand_in.stored) == dict.fromkeys(shown, 1)
    first_piece = stand_in.arrived.index("piece")
    assert "record" not in stand_in.arrived[first_piece:], "records of all contests first"
    assert max(stand_in.pieces) == 512


def test_uplink_killed_while_the_real_collector_answers(kiosk: Kiosk) -> None:
    records = [kiosk.store(number) for number in range(1, 11)]
    pipe, theirs = FORK.Pipe(duplex=False)
    receiving = FORK.Process(target=serve_in_this_process, args=(kiosk, theirs), daemon=True)
    receiving.start()
    theirs.close()  # otherwise its end would never be seen
    url = pipe.recv()
    forward_and_be_killed(kiosk, url, pictures=True)
    receiving.kill()
    receiving.join()
    for record in records:
        proof = kiosk.outbox.acknowledgement(record)
        assert proof is not None
        verify_acknowledgement(proof, kiosk.world.trust, record)
    assert sum(delivery.attempts for delivery in kiosk.outbox.deliveries()) > len(records), "no kill hit an attempt"
    with closing(RecordStore.open(kiosk.folder / "collector")) as store:
        assert store.counts()["records"] == len(records)
    assert {delivery.pictures_left for delivery in kiosk.outbox.deliveries()} == {0}


def forward_and_be_killed(kiosk: Kiosk, url: str, pictures: bool) -> None:
    """Kills the uplink again and again after the beginning of an exchange, then lets it finish."""
    rng = random.Random(7)
    for _ in range(15):
        told, theirs = FORK.Pipe(duplex=False)
        process = FORK.Process(target=forward_in_this_process, args=(kiosk, url, pictures, theirs), daemon=True)
        process.start()
        theirs.close()
        received(told)
        time.sleep(rng.uniform(0, 0.015))
        process.kill()
        process.join()
    forward_in_this_process(kiosk, url, pictures)


def serve_in_this_process(kiosk: Kiosk, pipe: Connection) -> None:
    with collector(kiosk) as url:
        pipe.send(url)
        threading.Event().wait()


def received(pipe: Connection) -> None:
    """Waits for one message, or for the end of the sender."""
    with suppress(EOFError):
        pipe.recv()


class ToldTransport(HttpTransport):
    """Tells of every attempt when it begins."""

    pipe: Connection | None = None

    def exchange(self, request: Request) -> Answered | Unanswered:
        if self.pipe:
            self.pipe.send(request.path)
        return super().exchange(request)


def forward_in_this_process(kiosk: Kiosk, url: str, pictures: bool, pipe: Connection | None = None) -> None:
    """Runs the uplink until everything is acknowledged and, with `pictures`, stored."""
    stop = threading.Event()
    folder = kiosk.folder

    def until_all_has_arrived() -> None:
        with Outbox.open(folder / "state" / "outbox", readonly=True) as outbox:
            deliveries = outbox.deliveries()
        left = sum(delivery.pictures_left for delivery in deliveries) if pictures else 0
        if {delivery.state for delivery in deliveries} == {DeliveryState.ACKNOWLEDGED} and not left:
            stop.set()

    with ToldTransport(url) as transport:
        transport.pipe = pipe
        Loop(
            folder / "state" / "ledger",
            folder / "state" / "outbox",
            kiosk.world.trust,
            [Way(NAME, transport)],
            pictures=pictures,
            beat=until_all_has_arrived,
        ).run(stop)


def start_process(kiosk: Kiosk, url: str) -> subprocess.Popen[str]:
    config = write_uplink(kiosk.folder, {NAME: url})
    command = [sys.executable, "-m", "firmware", "run", "uplink", "--config", str(config)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)


def listening_sockets(pid: int) -> set[str]:
    """Inodes of the TCP sockets on which a process listens."""
    own = {str(fd.readlink()) for fd in Path(f"/proc/{pid}/fd").iterdir()}
    listening = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            columns = line.split()
            if columns[3] == "0A":
                listening.add(f"socket:[{columns[9]}]")
    return own & listening


def test_process_forwards_and_ends_on_sigterm(kiosk: Kiosk) -> None:
    record = kiosk.store(1)
    with collector(kiosk) as url:
        process = start_process(kiosk, url)
        assert process.stderr is not None
        line = process.stderr.readline()
        assert "acknowledged" in line, line
        assert listening_sockets(process.pid) == set()
        process.send_signal(signal.SIGTERM)
        process.communicate()
        assert process.returncode == 0
        with Outbox.open(kiosk.folder / "state" / "outbox", readonly=True) as outbox:
            (delivery,) = outbox.deliveries(record)
        assert (delivery.collector, delivery.state) == (NAME, DeliveryState.ACKNOWLEDGED)


def test_station_has_not_made_its_ledger_yet(tmp_path: Path) -> None:
    world = make_world(tmp_path)
    stop, rounds = threading.Event(), []

    def twice() -> None:
        rounds.append(1)
        if len(rounds) == 2:
            stop.set()

    with HttpTransport(dead_port()) as transport:
        Loop(tmp_path / "none", tmp_path / "outbox", world.trust, [Way(NAME, transport)], beat=twice).run(stop)
    assert not (tmp_path / "none").exists()
