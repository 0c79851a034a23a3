"""The outbox: nothing is forgotten, nothing counts as delivered without its acknowledgement."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from firmware.errors import LedgerRefused
from firmware.ledger.outbox import Outbox
from firmware.records import DeliveryState

FIRST, SECOND, THIRD = (bytes([n]) * 32 for n in (9, 5, 7))
HERE, THERE = "https://kota.example", "https://provinsi.example"


@pytest.fixture
def outbox(tmp_path: Path) -> Outbox:
    opened = Outbox.open(tmp_path)
    opened.adopt([FIRST, SECOND], HERE)
    return opened


def test_new_records_are_taken_in_once_and_in_order(outbox: Outbox) -> None:
    assert outbox.adopt([FIRST, SECOND], HERE) == 0
    assert outbox.adopt([FIRST, SECOND, THIRD], HERE) == 1
    assert [delivery.record for delivery in outbox.due(HERE, 0, 60)] == [FIRST, SECOND, THIRD]


def test_each_collector_has_its_own_state(outbox: Outbox) -> None:
    outbox.adopt([FIRST], THERE)
    outbox.sending(FIRST, THERE)
    outbox.acknowledged(FIRST, THERE, b"signed")
    states = {delivery.collector: delivery.state for delivery in outbox.deliveries(FIRST)}
    assert states == {HERE: DeliveryState.WAITING, THERE: DeliveryState.ACKNOWLEDGED}
    assert outbox.acknowledgement(FIRST) == b"signed"
    assert outbox.acknowledgement(SECOND) is None


def test_killed_while_sending_sends_again(outbox: Outbox, tmp_path: Path) -> None:
    outbox.sending(FIRST, HERE)
    outbox.close()
    with Outbox.open(tmp_path) as again:
        (kept,) = again.deliveries(FIRST)
        assert (kept.state, kept.attempts) == (DeliveryState.SENT, 1)
        assert FIRST in {delivery.record for delivery in again.due(HERE, 0, 60)}


def test_refused_record_waits_and_is_offered_again(outbox: Outbox) -> None:
    outbox.sending(FIRST, HERE)
    outbox.failed(FIRST, HERE, DeliveryState.REFUSED, "refused", "device-unknown", next_try=100.0)
    assert [delivery.record for delivery in outbox.due(HERE, 99, 60)] == [SECOND]
    assert [delivery.record for delivery in outbox.due(HERE, 100, 60)] == [SECOND, FIRST]
    (kept,) = outbox.deliveries(FIRST)
    assert (kept.state, kept.problem, kept.detail) == (DeliveryState.REFUSED, "refused", "device-unknown")


def test_collector_out_of_reach_postpones_all_and_brings_nothing_forward(outbox: Outbox) -> None:
    outbox.failed(SECOND, HERE, DeliveryState.REFUSED, "refused", "", next_try=500.0)
    outbox.postpone(HERE, 100.0)
    assert outbox.due(HERE, 99, 1000) == ()
    assert [delivery.record for delivery in outbox.due(HERE, 100, 1000)] == [FIRST]


def test_clock_put_back_does_not_silence_the_kiosk(outbox: Outbox) -> None:
    outbox.postpone(HERE, 1_000_000.0)
    assert len(outbox.due(HERE, 1_000.0, longest_wait=900.0)) == 2


def test_acknowledged_record_is_never_offered_or_changed_again(outbox: Outbox) -> None:
    outbox.acknowledged(FIRST, HERE, b"signed")
    assert [delivery.record for delivery in outbox.due(HERE, 1e9, 60)] == [SECOND]
    outbox.postpone(HERE, 2e9)
    with pytest.raises(sqlite3.IntegrityError, match="never lost"):
        outbox.failed(FIRST, HERE, DeliveryState.WAITING, "timeout", "", 0.0)
    assert outbox.acknowledgement(FIRST) == b"signed"


def test_acknowledged_without_an_acknowledgement_is_impossible(outbox: Outbox, tmp_path: Path) -> None:
    raw = sqlite3.connect(tmp_path / "outbox.sqlite")
    with pytest.raises(sqlite3.IntegrityError):
        raw.execute("UPDATE deliveries SET state = 'acknowledged'")
    with pytest.raises(sqlite3.IntegrityError, match="never forgotten"):
        raw.execute("DELETE FROM deliveries")


def test_delivery_of_a_record_that_was_never_taken_in(outbox: Outbox) -> None:
    with pytest.raises(LedgerRefused, match="ledger-unknown-record"):
        outbox.sending(THIRD, HERE)
