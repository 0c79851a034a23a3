"""Pictures: after the records, piece by piece, resumed where the collector says, never on a metered link."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from firmware.errors import LedgerRefused
from firmware.ledger.outbox import Outbox
from firmware.records import Delivery, DeliveryState
from firmware.uplink.chunks import CHUNK_SECONDS, FIRST_BYTES, LEAST_BYTES, MOST_BYTES, ChunkSize
from firmware.uplink.outcome import (
    Answered,
    Attempt,
    Elsewhere,
    Offset,
    Outcome,
    Unanswered,
    judge_appended,
    judge_created,
    judge_offset,
)
from firmware.uplink.transport import HttpTransport
from tests.sealing import pictures_of
from tests.tus_collector import TusCollector
from tests.uplinks import NAME, Kiosk, dead_port, opened, reply, somebody
from tests.uplinks import collector as real_collector

TEN_YEARS = 3.15e8


@pytest.fixture
def kiosk(tmp_path: Path) -> Iterator[Kiosk]:
    with opened(tmp_path) as kiosk:
        yield kiosk


@pytest.fixture
def collector(kiosk: Kiosk) -> TusCollector:
    return TusCollector(kiosk.world.collector_key)


def rounds(kiosk: Kiosk, url: str, most: int = 200, **choices: bool) -> list[Attempt]:
    """Rounds as long as there is more to send at once."""
    with HttpTransport(url, 5.0) as transport:
        forwarder, attempts = kiosk.forwarder(transport, **choices)
        for _ in range(most):
            if not forwarder.round():
                return attempts
    raise AssertionError(f"not at rest after {most} rounds")


def test_pictures_arrive_after_the_records_of_all_contests(kiosk: Kiosk, collector: TusCollector) -> None:
    records = [kiosk.store(1), kiosk.store(2), kiosk.store(3)]
    (before,) = deliveries_after_adopting(kiosk, records[0])
    assert (before.pictures_left, before.bytes_left) == (len(pictures_of(1)), total(1))
    with somebody(collector.answer) as url:
        rounds(kiosk, url)
    assert collector.arrived[:3] == ["record"] * 3
    assert set(collector.arrived[3:]) == {"piece"}
    wanted = {name for number in (1, 2, 3) for name in pictures_of(number)}
    assert dict(collector.stored) == dict.fromkeys(wanted, 1)
    for record in records:
        assert (kiosk.delivery(record).pictures_left, kiosk.delivery(record).bytes_left) == (0, 0)


def deliveries_after_adopting(kiosk: Kiosk, record: bytes) -> tuple[Delivery, ...]:
    kiosk.outbox.adopt(kiosk.ledger.record_hashes(), NAME, kiosk.ledger.pictures_of)
    return kiosk.outbox.deliveries(record)


def total(number: int) -> int:
    return sum(len(data) for data in pictures_of(number).values())


def test_metered_link_never_carries_a_picture(kiosk: Kiosk, collector: TusCollector) -> None:
    record = kiosk.store(1)
    with somebody(collector.answer) as url:
        rounds(kiosk, url, pictures=False)
    assert (kiosk.delivery(record).state, collector.uploads) == (DeliveryState.ACKNOWLEDGED, {})
    assert kiosk.delivery(record).bytes_left == total(1)


def test_new_record_overtakes_the_pictures(kiosk: Kiosk, collector: TusCollector) -> None:
    kiosk.store(1)
    with somebody(collector.answer) as url, HttpTransport(url, 5.0) as transport:
        forwarder, _ = kiosk.forwarder(transport)
        while "piece" not in collector.arrived:
            forwarder.round()
        kiosk.store(2)
        while forwarder.round():
            pass
    assert collector.arrived[:3] == ["record", "piece", "record"]


def test_connection_breaks_and_the_upload_goes_on_where_it_was(kiosk: Kiosk, collector: TusCollector) -> None:
    kiosk.store(1)
    with somebody(collector.answer) as url, HttpTransport(url, 5.0) as transport:
        forwarder, _ = kiosk.forwarder(transport)
        while not collector.uploads:
            forwarder.round()
    (name,) = collector.uploads
    half = next(data for data in pictures_of(1).items() if data[0] == name)[1][:1000]
    collector.uploads[name] = half  # arrived, but its answer was lost
    assert rounds(kiosk, dead_port())[-1].outcome is Outcome.NO_SERVER
    kiosk.now += 60
    with somebody(collector.answer) as url:
        rounds(kiosk, url)
    assert dict(collector.stored) == dict.fromkeys(pictures_of(1), 1)
    assert sum(collector.pieces) == total(1) - len(half), "what had arrived was not sent again"


def test_piece_is_damaged_on_its_way(kiosk: Kiosk, collector: TusCollector) -> None:
    kiosk.store(1)
    collector.damage = 1
    with somebody(collector.answer) as url:
        assert rounds(kiosk, url)[-1].outcome is Outcome.BROKEN
        kiosk.now += 60
        rounds(kiosk, url)
    assert dict(collector.stored) == dict.fromkeys(pictures_of(1), 1)


def test_collector_has_forgotten_an_upload(kiosk: Kiosk, collector: TusCollector) -> None:
    kiosk.store(1)
    with somebody(collector.answer) as url, HttpTransport(url, 5.0) as transport:
        forwarder, _ = kiosk.forwarder(transport)
        while not collector.uploads:
            forwarder.round()
        collector.uploads.clear()
        for _ in range(20):
            kiosk.now += 1000
            forwarder.round()
    assert dict(collector.stored) == dict.fromkeys(pictures_of(1), 1)


def test_two_records_show_the_same_picture(kiosk: Kiosk, collector: TusCollector) -> None:
    first = kiosk.store(1)
    sealed = kiosk.world.seal(1, supersedes=first, reason="mistyped")
    kiosk.ledger.commit(sealed, {})
    with somebody(collector.answer) as url:
        rounds(kiosk, url)
    assert dict(collector.stored) == dict.fromkeys(pictures_of(1), 1)
    assert kiosk.delivery(sealed.sha256).pictures_left == 0


def test_correction_comes_when_its_pictures_are_there_already(kiosk: Kiosk, collector: TusCollector) -> None:
    first = kiosk.store(1)
    with somebody(collector.answer) as url:
        rounds(kiosk, url)
        kiosk.ledger.commit(kiosk.world.seal(1, supersedes=first, reason="mistyped"), {})
        rounds(kiosk, url)
    assert dict(collector.stored) == dict.fromkeys(pictures_of(1), 1)
    assert [delivery.pictures_left for delivery in kiosk.outbox.deliveries()] == [0, 0]


def test_refused_record_keeps_its_pictures_to_itself(kiosk: Kiosk) -> None:
    record = kiosk.store(1)
    with somebody(reply(422, b'{"code": "election-other", "message": ""}')) as url:
        attempts = rounds(kiosk, url)
    assert [attempt.outcome for attempt in attempts] == [Outcome.REFUSED]
    assert kiosk.delivery(record).pictures_left == len(pictures_of(1))


def test_picture_damaged_on_the_card_does_not_hold_up_the_others(kiosk: Kiosk, collector: TusCollector) -> None:
    kiosk.store(1)
    damaged = min(pictures_of(1))
    (kiosk.folder / "state" / "ledger" / "pictures" / damaged[:2] / damaged).write_bytes(b"rust")
    with somebody(collector.answer) as url, HttpTransport(url, 5.0) as transport:
        forwarder, _ = kiosk.forwarder(transport)
        faults = 0
        for _ in range(20):
            kiosk.now += 1
            try:
                forwarder.round()
            except LedgerRefused as refusal:
                assert refusal.code == "ledger-picture-damaged"
                faults += 1
    assert set(collector.stored) == set(pictures_of(1)) - {damaged}
    assert 1 <= faults < 20


def test_portal_is_not_believed_about_pictures(kiosk: Kiosk, collector: TusCollector) -> None:
    record = kiosk.store(1)
    with somebody(collector.answer) as url:
        rounds(kiosk, url, pictures=False)
    for status in (200, 201, 204, 302, 404):
        kiosk.now += TEN_YEARS
        with somebody(reply(status, b"" if status == 204 else b"<html>Wi-Fi Gratis</html>")) as url:
            outcomes = [attempt.outcome for attempt in rounds(kiosk, url)]
        assert outcomes == [Outcome.NOT_A_COLLECTOR], status
    assert kiosk.delivery(record).pictures_left == len(pictures_of(1))


REFUSAL = b'{"code": "picture-unnamed", "message": "x"}'


@pytest.mark.parametrize(
    ("answer", "created", "appended", "asked"),
    [
        (Unanswered(Outcome.TIMEOUT), Outcome.TIMEOUT, Outcome.TIMEOUT, Outcome.TIMEOUT),
        (Answered(201, b"", {"location": "/x"}), 0, Outcome.NOT_A_COLLECTOR, Outcome.NOT_A_COLLECTOR),
        (Answered(201, b"", {"location": "/x", "upload-offset": "9"}), 9, Outcome.NOT_A_COLLECTOR, None),
        (Answered(201, b"", {"location": "/x", "upload-offset": "99"}), Outcome.NOT_A_COLLECTOR, None, None),
        (Answered(204, b"", {"upload-offset": "-1"}), None, Outcome.NOT_A_COLLECTOR, None),
        (Answered(204, b"", {"upload-offset": "10"}), None, 10, None),
        (Answered(200, b"", {"upload-offset": "10"}), Outcome.NOT_A_COLLECTOR, Outcome.NOT_A_COLLECTOR, 10),
        (Answered(409, REFUSAL), Outcome.REFUSED, "elsewhere", Outcome.REFUSED),
        (Answered(404, REFUSAL), Outcome.REFUSED, "gone", "gone"),
        (Answered(460, b""), None, Outcome.BROKEN, None),
        (Answered(422, REFUSAL), Outcome.REFUSED, Outcome.REFUSED, Outcome.REFUSED),
        (Answered(503, b""), Outcome.SERVER_ERROR, Outcome.SERVER_ERROR, Outcome.SERVER_ERROR),
    ],
)
def test_answers_about_a_picture(
    answer: Answered | Unanswered, created: object, appended: object, asked: object
) -> None:
    for judge, wanted in ((judge_created, created), (judge_appended, appended), (judge_offset, asked)):
        said = judge(answer, 10)
        if wanted == "elsewhere":
            assert isinstance(said, Elsewhere)
        elif wanted == "gone":
            assert said == Offset(None)
        elif isinstance(wanted, int):
            assert said == Offset(wanted)
        elif wanted is not None:
            assert isinstance(said, Attempt)
            assert said.outcome is wanted


def test_pieces_fit_the_link() -> None:
    for rate in (1_000.0, 8_000.0, 100_000.0, 1e9):
        chunk = ChunkSize()
        for _ in range(20):
            chunk.arrived(chunk.bytes, 0.8 + chunk.bytes / rate)
        assert LEAST_BYTES <= chunk.bytes <= MOST_BYTES
        takes = 0.8 + chunk.bytes / rate
        assert takes <= CHUNK_SECONDS * 1.01, rate
        assert takes > CHUNK_SECONDS / 2 or chunk.bytes == MOST_BYTES, rate


def test_pieces_that_break_off_become_smaller() -> None:
    chunk = ChunkSize()
    for _ in range(10):
        chunk.failed()
    assert chunk.bytes == LEAST_BYTES
    chunk.arrived(LEAST_BYTES, 0.0)
    assert chunk.bytes == 2 * LEAST_BYTES
    chunk.arrived(1, 1000.0)
    assert chunk.bytes == 2 * LEAST_BYTES, "the last piece of a picture tells nothing"
    assert FIRST_BYTES > LEAST_BYTES


def test_outbox_itself_keeps_what_is_stored(kiosk: Kiosk, collector: TusCollector) -> None:
    kiosk.store(1)
    with somebody(collector.answer) as url:
        rounds(kiosk, url)
    with closing(sqlite3.connect(kiosk.folder / "state" / "outbox" / "outbox.sqlite")) as raw:
        for change in ("UPDATE pictures SET stored = 0", "DELETE FROM pictures"):
            with pytest.raises(sqlite3.IntegrityError, match=r"stored|forgotten"):
                raw.execute(change)


def test_progress_is_on_disk_before_the_next_piece(kiosk: Kiosk, collector: TusCollector) -> None:
    record = kiosk.store(1)
    with somebody(collector.answer) as url, HttpTransport(url, 5.0) as transport:
        forwarder, _ = kiosk.forwarder(transport)
        more = True
        while more:
            more = forwarder.round()
            with Outbox.open(kiosk.folder / "state" / "outbox", readonly=True) as seen:
                (delivery,) = seen.deliveries(record)
            assert delivery.bytes_left == total(1) - sum(collector.pieces)


def test_pictures_arrive_at_the_real_collector(kiosk: Kiosk) -> None:
    records = [kiosk.store(1), kiosk.store(2)]
    with real_collector(kiosk) as url:
        attempts = rounds(kiosk, url)
        for record in records:
            said = httpx.get(f"{url}/v1/records/{record.hex()}/pictures", trust_env=False).json()
            assert said == {"missing": []}
    assert [attempt.outcome for attempt in attempts] == [Outcome.ACKNOWLEDGED] * 2
    assert [delivery.pictures_left for delivery in kiosk.outbox.deliveries()] == [0, 0]
