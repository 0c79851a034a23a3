"""The uplink: only the collector's signature ends a delivery, and no network, portal or kill loses a record."""

from __future__ import annotations

import http.server
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
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from multiprocessing.connection import Connection
from pathlib import Path

import pytest
from click.testing import CliRunner
from waitress.server import create_server

from collector.app import create_app
from collector.store import RecordStore
from firmware.errors import LedgerRefused, VerificationRefused
from firmware.ledger.outbox import Outbox
from firmware.ledger.store import Ledger
from firmware.messages import sentence
from firmware.records import Delivery, DeliveryState
from firmware.signing.acknowledgement import acknowledge
from firmware.signing.verification import verify_acknowledgement
from firmware.uplink.forwarder import FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS, Forwarder, backoff
from firmware.uplink.outcome import Answered, Attempt, Outcome, Unanswered, judge
from firmware.uplink.process import main, run
from firmware.uplink.transport import ANSWER_BYTES_MAX, HttpTransport
from tests.sealing import SEALED_AT, World, make_world, pictures_of

NAME = "collector"
HOUR = 3600.0
FORK = multiprocessing.get_context("fork")


@dataclass
class Kiosk:
    """A ledger with records, an outbox, and a clock that the test sets."""

    folder: Path
    world: World
    ledger: Ledger
    outbox: Outbox
    now: float = 0.0

    def store(self, number: int) -> bytes:
        sealed = self.world.seal(number)
        self.ledger.commit(sealed, pictures_of(number))
        return sealed.sha256

    def round(self, url: str, silence_seconds: float = 5.0) -> list[Attempt]:
        attempts: list[Attempt] = []
        trust = self.world.trust
        with HttpTransport(url, silence_seconds) as transport:
            Forwarder(
                self.ledger,
                self.outbox,
                NAME,
                transport,
                lambda cose, record: verify_acknowledgement(cose, trust, record),
                lambda: self.now,
                random.Random(1),
                lambda _record, attempt: attempts.append(attempt),
            ).round()
        return attempts

    def delivery(self, record: bytes) -> Delivery:
        (found,) = self.outbox.deliveries(record)
        return found


@pytest.fixture
def kiosk(tmp_path: Path) -> Iterator[Kiosk]:
    world = make_world(tmp_path)
    with Ledger.open(tmp_path / "ledger") as ledger, Outbox.open(tmp_path / "outbox") as outbox:
        yield Kiosk(tmp_path, world, ledger, outbox)


@contextmanager
def collector(kiosk: Kiosk) -> Iterator[str]:
    """The real one, on a free port of the loopback."""
    with closing(RecordStore.open(kiosk.folder / "collector")) as store:
        app = create_app(store, kiosk.world.trust, kiosk.world.collector_key, time.time)
        server = create_server(app, host="127.0.0.1", port=0)
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.effective_port}"
        finally:
            server.trigger.pull_trigger(server.close)  # in its own thread, which then ends
            thread.join()
            server.task_dispatcher.shutdown()


Answer = Callable[[BaseHTTPRequestHandler, bytes], None]


@contextmanager
def somebody(answer: Answer) -> Iterator[str]:
    """A server that is not the collector: `answer(handler, body)` replies to every PUT."""

    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            answer(self, self.rfile.read(int(self.headers["content-length"])))

        def log_message(self, format: str, *args: object) -> None:
            del format, args

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def reply(status: int, body: bytes, **headers: str) -> Answer:
    def answer(handler: BaseHTTPRequestHandler, _body: bytes) -> None:
        handler.send_response(status)
        for name, value in {"content-length": str(len(body)), **headers}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def dead_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"http://127.0.0.1:{listener.getsockname()[1]}"


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
    assert attempt.outcome is Outcome.NOT_AN_ACKNOWLEDGEMENT
    assert kiosk.delivery(record).state is DeliveryState.WAITING
    kiosk.now += HOUR
    with collector(kiosk) as url:
        assert [attempt.outcome for attempt in kiosk.round(url)] == [Outcome.ACKNOWLEDGED]


def test_portal_redirects_to_its_login(kiosk: Kiosk) -> None:
    kiosk.store(1)
    with collector(kiosk) as real, somebody(reply(307, b"", location=f"{real}/v1/records/{'0' * 64}")) as url:
        (attempt,) = kiosk.round(url)
    assert attempt.outcome is Outcome.NOT_AN_ACKNOWLEDGEMENT


def test_acknowledgement_of_another_record(kiosk: Kiosk) -> None:
    record, other = kiosk.store(1), bytes(32)
    with somebody(reply(200, acknowledge(other, 1, kiosk.world.collector_key))) as url:
        (attempt,) = kiosk.round(url)
    assert (attempt.outcome, attempt.detail) == (Outcome.NOT_AN_ACKNOWLEDGEMENT, "acknowledgement-other-record")
    assert kiosk.outbox.acknowledgement(record) is None


def test_acknowledgement_of_a_collector_that_nobody_knows(kiosk: Kiosk, tmp_path: Path) -> None:
    record = kiosk.store(1)
    impostor = make_world(tmp_path / "elsewhere").collector_key
    with somebody(reply(200, acknowledge(record, 1, impostor))) as url:
        (attempt,) = kiosk.round(url)
    assert (attempt.outcome, attempt.detail) == (Outcome.NOT_AN_ACKNOWLEDGEMENT, "collector-unknown")


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
    with closing(sqlite3.connect(kiosk.folder / "ledger" / "ledger.sqlite")) as raw:
        raw.executescript("DROP TRIGGER records_keep; UPDATE records SET cose = x'00' WHERE sequence = 1;")
    with collector(kiosk) as url, pytest.raises(LedgerRefused, match="ledger-hash"):
        kiosk.round(url)
    assert kiosk.delivery(damaged).attempts == 0
    assert kiosk.delivery(whole).state is DeliveryState.ACKNOWLEDGED


def test_no_network_ends_the_round_and_all_wait(kiosk: Kiosk) -> None:
    records = [kiosk.store(1), kiosk.store(2)]
    url = dead_port()
    assert [attempt.outcome for attempt in kiosk.round(url)] == [Outcome.NO_NETWORK]
    assert kiosk.round(url) == [], "nothing is due yet"
    assert [kiosk.delivery(record).attempts for record in records] == [1, 0]
    kiosk.now += LONGEST_WAIT_SECONDS[Outcome.NO_NETWORK]
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
    assert attempt.outcome is Outcome.NO_NETWORK


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
    assert attempt.outcome is Outcome.NOT_AN_ACKNOWLEDGEMENT


def test_unpacked_answer_cannot_blow_up(kiosk: Kiosk) -> None:
    kiosk.store(1)
    with somebody(reply(200, b"\x1f\x8bnonsense", **{"content-encoding": "gzip"})) as url:
        (attempt,) = kiosk.round(url)
    assert attempt.outcome is Outcome.NOT_AN_ACKNOWLEDGEMENT


def _holds(_cose: bytes) -> None:
    pass


def _does_not_hold(_cose: bytes) -> None:
    raise VerificationRefused("cose-signature")


REFUSAL = b'{"code": "collector-fork", "message": "x"}'


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (Unanswered(Outcome.TIMEOUT), Outcome.TIMEOUT),
        (Answered(204, b""), Outcome.NOT_AN_ACKNOWLEDGEMENT),
        (Answered(302, REFUSAL), Outcome.NOT_AN_ACKNOWLEDGEMENT),
        (Answered(409, REFUSAL), Outcome.REFUSED),
        (Answered(403, b"<html>blocked</html>"), Outcome.NOT_AN_ACKNOWLEDGEMENT),
        (Answered(404, b'{"error": "no such page"}'), Outcome.NOT_AN_ACKNOWLEDGEMENT),
        (Answered(400, b'{"code": "Call 0800-1234!", "message": "x"}'), Outcome.NOT_AN_ACKNOWLEDGEMENT),
        (Answered(408, REFUSAL), Outcome.SERVER_ERROR),
        (Answered(429, REFUSAL), Outcome.SERVER_ERROR),
        (Answered(503, REFUSAL), Outcome.SERVER_ERROR),
        (Answered(511, b""), Outcome.NOT_AN_ACKNOWLEDGEMENT),
    ],
)
def test_answers_that_are_no_acknowledgement(answer: Answered | Unanswered, outcome: Outcome) -> None:
    attempt = judge(answer, _holds)
    assert (attempt.outcome, attempt.acknowledgement) == (outcome, None)


def test_status_200_is_worth_nothing_without_the_signature() -> None:
    assert judge(Answered(200, b"ok"), _holds) == Attempt(Outcome.ACKNOWLEDGED, b"ok")
    assert judge(Answered(200, b"ok"), _does_not_hold).outcome is Outcome.NOT_AN_ACKNOWLEDGEMENT


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


def test_address_that_is_none(tmp_path: Path) -> None:
    world = make_world(tmp_path)
    arguments = ["--ledger", "l", "--outbox", "o", "--trust", str(world.trust_folder), "--collector"]
    for address in ("collector.example", "ftp://collector.example", ""):
        assert CliRunner().invoke(main, [*arguments, address]).exit_code == 2


def test_uplink_killed_again_and_again_delivers_each_record_once(kiosk: Kiosk) -> None:
    records = [kiosk.store(number) for number in range(1, 21)]
    pipe, theirs = FORK.Pipe(duplex=False)
    receiving = FORK.Process(target=serve_in_this_process, args=(kiosk, theirs), daemon=True)
    receiving.start()
    url = pipe.recv()
    rng = random.Random(7)
    for _ in range(15):
        attempts, theirs = FORK.Pipe(duplex=False)
        process = FORK.Process(target=forward_in_this_process, args=(kiosk, url, theirs), daemon=True)
        process.start()
        theirs.close()
        received(attempts)
        time.sleep(rng.uniform(0, 0.015))
        process.kill()
        process.join()
    forward_in_this_process(kiosk, url)
    receiving.kill()
    receiving.join()
    for record in records:
        proof = kiosk.outbox.acknowledgement(record)
        assert proof is not None
        verify_acknowledgement(proof, kiosk.world.trust, record)
    assert sum(delivery.attempts for delivery in kiosk.outbox.deliveries()) > len(records), "no kill hit an attempt"
    with closing(RecordStore.open(kiosk.folder / "collector")) as store:
        assert store.counts()["records"] == len(records)


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

    def put_record(self, sha256: bytes, cose: bytes) -> Answered | Unanswered:
        if self.pipe:
            self.pipe.send(sha256)
        return super().put_record(sha256, cose)


def forward_in_this_process(kiosk: Kiosk, url: str, pipe: Connection | None = None) -> None:
    """Runs the uplink until everything is acknowledged."""
    stop = threading.Event()
    folder = kiosk.folder

    def until_all_are_acknowledged() -> None:
        with Outbox.open(folder / "outbox", readonly=True) as outbox:
            if {delivery.state for delivery in outbox.deliveries()} == {DeliveryState.ACKNOWLEDGED}:
                stop.set()

    with ToldTransport(url) as transport:
        transport.pipe = pipe
        run(folder / "ledger", folder / "outbox", kiosk.world.trust, url, transport, stop, until_all_are_acknowledged)


def start_process(kiosk: Kiosk, url: str) -> subprocess.Popen[str]:
    folder = kiosk.folder
    return subprocess.Popen(
        [
            *(sys.executable, "-m", "firmware.uplink.process", "--ledger", str(folder / "ledger")),
            *("--outbox", str(folder / "outbox"), "--trust", str(folder / "trust"), "--collector", url),
        ],
        stdout=subprocess.PIPE,
        text=True,
    )


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
        assert process.stdout is not None
        line = process.stdout.readline()
        assert "acknowledged" in line, line
        assert listening_sockets(process.pid) == set()
        process.send_signal(signal.SIGTERM)
        process.communicate()
        assert process.returncode == 0
        with Outbox.open(kiosk.folder / "outbox", readonly=True) as outbox:
            (delivery,) = outbox.deliveries(record)
        assert (delivery.collector, delivery.state) == (url, DeliveryState.ACKNOWLEDGED)


def test_station_has_not_made_its_ledger_yet(tmp_path: Path) -> None:
    world = make_world(tmp_path)
    stop, rounds = threading.Event(), []

    def twice() -> None:
        rounds.append(1)
        if len(rounds) == 2:
            stop.set()

    with HttpTransport(dead_port()) as transport:
        run(tmp_path / "none", tmp_path / "outbox", world.trust, NAME, transport, stop, twice)
    assert not (tmp_path / "none").exists()
