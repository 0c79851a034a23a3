"""The ledger: nothing that it reported stored is ever lost, doubled or changed, whatever dies at whatever moment."""

from __future__ import annotations

import hashlib
import multiprocessing
import random
import resource
import sqlite3
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from firmware.errors import LedgerRefused
from firmware.ledger.printing import PrintState, record_name
from firmware.ledger.store import Ledger
from firmware.records import SealedRecord
from tests.sealing import make_world, picture, pictures_of, seal, sha256_hex

FORK = multiprocessing.get_context("fork")


def store(ledger: Ledger, sequence: int, previous: bytes = bytes(32)) -> SealedRecord:
    data = picture(sequence)
    sealed = seal(sequence, previous, (data,))
    ledger.commit(sealed, {sha256_hex(data): data})
    return sealed


def refusal(action: object, *arguments: object, **named: object) -> str:
    assert callable(action)
    with pytest.raises(LedgerRefused) as caught:
        action(*arguments, **named)
    return caught.value.code


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger.open(tmp_path / "ledger")


def test_record_is_there_after_reopening(tmp_path: Path) -> None:
    with Ledger.open(tmp_path / "ledger") as ledger:
        first = store(ledger, 1)
        second = store(ledger, 2, first.sha256)
    with Ledger.open(tmp_path / "ledger") as ledger:
        assert [stored.sealed for stored in ledger.records()] == [first, second]
        assert ledger.record(second.sha256).sealed == second
        assert ledger.picture(sha256_hex(picture(2))) == picture(2)
        ledger.check()


def test_same_record_twice_is_stored_once(ledger: Ledger) -> None:
    data = picture(1)
    sealed = seal(1, pictures=(data,))
    first = ledger.commit(sealed, {sha256_hex(data): data})
    assert ledger.commit(sealed, {}) == first
    assert ledger.record_hashes() == (sealed.sha256,)


def test_no_number_without_its_picture(ledger: Ledger) -> None:
    data, other = picture(1), picture(2)
    sealed = seal(1, pictures=(data, other))
    assert refusal(ledger.commit, sealed, {sha256_hex(data): data}) == "ledger-picture-missing"
    assert ledger.records() == ()


def test_field_on_a_page_that_was_not_photographed(ledger: Ledger) -> None:
    data = picture(1)
    sealed = seal(1, pictures=(data,), fields=[{"id": "suara_1", "page": 2, "value": 7}])
    assert refusal(ledger.commit, sealed, {sha256_hex(data): data}) == "ledger-picture-missing"


def test_picture_under_a_wrong_name(ledger: Ledger) -> None:
    data = picture(1)
    sealed = seal(1, pictures=(data,))
    assert refusal(ledger.commit, sealed, {sha256_hex(data): picture(2)}) == "ledger-picture-named"
    assert ledger.records() == ()


def test_picture_kept_at_capture_need_not_be_given_again(ledger: Ledger) -> None:
    data = picture(1)
    assert ledger.keep_picture(data) == ledger.keep_picture(data) == sha256_hex(data)
    ledger.commit(seal(1, pictures=(data,)), {})
    assert len(ledger.records()) == 1


def test_record_whose_bytes_were_changed(ledger: Ledger) -> None:
    good = seal(1)
    bad = SealedRecord(good.cose + b"\x00", good.receipt, good.sha256, 1, good.payload)
    assert refusal(ledger.commit, bad, {}) == "ledger-hash"


def test_record_that_leaves_a_gap(ledger: Ledger) -> None:
    first = store(ledger, 1)
    assert refusal(ledger.commit, seal(3, first.sha256), {}) == "ledger-sequence"


def test_record_that_names_another_predecessor(ledger: Ledger) -> None:
    store(ledger, 1)
    assert refusal(ledger.commit, seal(2, hashlib.sha256(b"another").digest()), {}) == "ledger-previous"


def test_second_record_with_the_same_number(ledger: Ledger) -> None:
    first = store(ledger, 1)
    assert refusal(ledger.commit, seal(1), {}) == "ledger-sequence"
    assert ledger.record_hashes() == (first.sha256,)


def test_sequence_beside_the_payload_differs(ledger: Ledger) -> None:
    sealed = seal(1)
    assert refusal(ledger.commit, SealedRecord(sealed.cose, b"", sealed.sha256, 2, {}), {}) == "ledger-sequence"


@pytest.mark.parametrize("table", ["records", "pictures", "record_pictures", "events", "print_jobs", "print_states"])
def test_nothing_can_be_changed_or_removed(tmp_path: Path, table: str) -> None:
    with Ledger.open(tmp_path) as ledger:
        job = ledger.ask_print(record_name(store(ledger, 1).sha256), 1, 2)
        ledger.move_print(job.id, PrintState.SENT)
        ledger.append_event({"event": "sealed"})
    raw = sqlite3.connect(tmp_path / "ledger.sqlite")
    column = raw.execute(f"SELECT name FROM pragma_table_info('{table}')").fetchone()[0]
    for statement in (f"DELETE FROM {table}", f"UPDATE {table} SET {column} = {column}"):
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            raw.execute(statement)


def test_record_cannot_be_replaced(tmp_path: Path) -> None:
    with Ledger.open(tmp_path) as ledger:
        first = store(ledger, 1)
    raw = sqlite3.connect(tmp_path / "ledger.sqlite")
    with pytest.raises(sqlite3.IntegrityError, match="must follow"):
        raw.execute("INSERT OR REPLACE INTO records VALUES (1, ?, zeroblob(32), x'00', x'00', '')", (first.sha256,))


def test_disk_full_while_a_picture_is_written(tmp_path: Path) -> None:
    def fill(pipe: Connection) -> None:
        with Ledger.open(tmp_path) as ledger:
            resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, resource.RLIM_INFINITY))
            data = picture(1, size=1_000_000)
            pipe.send(refusal(ledger.commit, seal(1, pictures=(data,)), {sha256_hex(data): data}))

    assert in_another_process(fill) == "ledger-full"
    with Ledger.open(tmp_path) as ledger:
        assert ledger.records() == ()
        assert not any(path.is_file() for path in (tmp_path / "pictures").rglob("*"))
        store(ledger, 1)


def test_disk_full_while_a_record_is_written(tmp_path: Path) -> None:
    with Ledger.open(tmp_path) as ledger:
        first = store(ledger, 1)
        database = ledger._database
        pages = database.rows("PRAGMA page_count")[0][0]
        database.rows(f"PRAGMA max_page_count = {pages + 1}")
        big = seal(2, first.sha256, note="x" * 100_000)
        assert refusal(ledger.commit, big, {}) == "ledger-full"
        assert ledger.record_hashes() == (first.sha256,)
        database.rows("PRAGMA max_page_count = 100000")
        ledger.commit(big, {})
        assert ledger.record_hashes() == (first.sha256, big.sha256)
        ledger.check()


FILL_THE_CARD = """
import pathlib, subprocess, sys
from firmware.errors import LedgerRefused
from tests.test_ledger import Ledger, store

folder = pathlib.Path(sys.argv[1])
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", folder], check=True)
filler = folder / "filler"
filler.write_bytes(bytes(400_000))
with Ledger.open(folder / "ledger") as ledger:
    last = bytes(32)
    try:
        for number in range(1, 1_000):
            last = store(ledger, number, last).sha256
    except LedgerRefused as refusal:
        assert refusal.code == "ledger-full", refusal
    filler.unlink()
    store(ledger, number, last)
    ledger.check()
    assert len(ledger.records()) == number > 5, number
"""


@pytest.mark.system
def test_memory_card_fills_up_and_is_freed_again(tmp_path: Path) -> None:
    """On a real file system of one megabyte, in a mount namespace of its own."""
    command = ["unshare", "--map-root-user", "--mount", sys.executable, "-c", FILL_THE_CARD, str(tmp_path)]
    subprocess.run(command, check=True)


def test_picture_damaged_on_the_card_is_noticed_and_mended(ledger: Ledger, tmp_path: Path) -> None:
    name = ledger.keep_picture(picture(1))
    (tmp_path / "ledger" / "pictures" / name[:2] / name).write_bytes(b"rot")
    assert refusal(ledger.picture, name) == "ledger-picture-damaged"
    assert refusal(ledger.check) == "ledger-picture-damaged"
    ledger.keep_picture(picture(1))
    assert ledger.picture(name) == picture(1)


def test_picture_name_that_climbs_out_of_the_folder(ledger: Ledger) -> None:
    assert refusal(ledger.picture, "../../ledger.sqlite") == "ledger-picture-missing"


def test_database_damaged_on_the_card_is_noticed(tmp_path: Path) -> None:
    with Ledger.open(tmp_path) as ledger:
        store(ledger, 1)
    path = tmp_path / "ledger.sqlite"
    damaged = bytearray(path.read_bytes())
    damaged[4096:] = random.Random(1).randbytes(len(damaged) - 4096)
    path.write_bytes(damaged)
    with pytest.raises(LedgerRefused, match="ledger-fault"), Ledger.open(tmp_path) as ledger:
        ledger.check()


def test_file_that_is_no_ledger(tmp_path: Path) -> None:
    (tmp_path / "ledger.sqlite").write_bytes(b"not a database" * 100)
    assert refusal(Ledger.open, tmp_path) == "ledger-fault"


def test_ledger_of_a_newer_program(tmp_path: Path) -> None:
    Ledger.open(tmp_path).close()
    raw = sqlite3.connect(tmp_path / "ledger.sqlite", isolation_level=None)
    raw.execute("PRAGMA user_version = 99")
    raw.close()
    assert refusal(Ledger.open, tmp_path) == "ledger-newer"


def test_reader_cannot_write_and_makes_nothing(tmp_path: Path) -> None:
    assert refusal(Ledger.open, tmp_path / "none", readonly=True) == "ledger-missing"
    assert not (tmp_path / "none").exists()
    with Ledger.open(tmp_path) as writer, Ledger.open(tmp_path, readonly=True) as reader:
        first = store(writer, 1)
        assert reader.record_hashes() == (first.sha256,)
        assert refusal(reader.commit, seal(2, first.sha256), {}) == "ledger-readonly"


def test_power_cut_while_reviewing_keeps_the_draft(tmp_path: Path) -> None:
    with Ledger.open(tmp_path) as ledger:
        ledger.save_draft("session", b'{"step": "review", "values": [1]}')
        ledger.save_draft("session", b'{"step": "review", "values": [1, 2]}')
    with Ledger.open(tmp_path) as ledger:
        assert ledger.load_draft("session") == b'{"step": "review", "values": [1, 2]}'
        ledger.clear_draft("session")
        assert ledger.load_draft("session") is None


def test_printing_stops_in_the_middle_and_a_person_is_asked(tmp_path: Path) -> None:
    with Ledger.open(tmp_path) as ledger:
        record = record_name(store(ledger, 1).sha256)
        printing = ledger.ask_print(record, 1, 2)
        ledger.move_print(printing.id, PrintState.SENT)
        waiting = ledger.ask_print(record, 2, 2)
    with Ledger.open(tmp_path) as ledger:
        assert [job.id for job in ledger.doubt_unfinished_prints("restarted")] == [printing.id]
        states = {job.id: job.state for job in ledger.print_jobs(record)}
        assert states == {printing.id: PrintState.DOUBTFUL, waiting.id: PrintState.SPOILED}
        assert ledger.ask_print(record, 1, 2).reprint, "the doubtful strip may be in somebody's hands"
        assert not ledger.ask_print(record, 2, 2).reprint, "this copy never reached the printer"


def test_print_job_cannot_be_confirmed_before_it_was_sent(ledger: Ledger) -> None:
    job = ledger.ask_print(record_name(store(ledger, 1).sha256), 1, 1)
    assert refusal(ledger.move_print, job.id, PrintState.CONFIRMED) == "ledger-print-state"
    ledger.move_print(job.id, PrintState.SENT)
    ledger.move_print(job.id, PrintState.CONFIRMED)
    assert refusal(ledger.move_print, job.id, PrintState.DOUBTFUL) == "ledger-print-state"
    assert refusal(ledger.move_print, 99, PrintState.SENT) == "ledger-print-state"


def test_print_job_of_a_record_that_is_not_on_disk(ledger: Ledger) -> None:
    assert refusal(ledger.ask_print, record_name(bytes(32)), 1, 1) == "ledger-unknown-record"


def test_threads_that_write_at_once_keep_the_chain(ledger: Ledger) -> None:
    def write(number: int) -> None:
        for _ in range(10):
            ledger.append_event({"thread": number})

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ledger.events()) == 40


def test_the_journal_s_head_is_not_its_last_event(tmp_path: Path) -> None:
    with Ledger.open(tmp_path) as ledger:
        assert ledger.journal_head() == bytes(32)
        for number in range(3):
            assert ledger.append_event({"event": number}).sha256 == ledger.journal_head()


def test_event_that_was_rewritten_is_noticed(tmp_path: Path) -> None:
    clock = iter(datetime(2029, 2, 14, tzinfo=UTC) + timedelta(seconds=n) for n in range(9))
    with Ledger.open(tmp_path, clock=lambda: next(clock)) as ledger:
        ledger.append_event({"event": "press"})
        ledger.append_event({"event": "sealed", "record": "ab"})
        assert [event.fields["event"] for event in ledger.events()] == ["press", "sealed"]
    raw = sqlite3.connect(tmp_path / "ledger.sqlite")
    raw.executescript("""DROP TRIGGER events_keep; UPDATE events SET fields = '{"event": "none"}' WHERE id = 1;""")
    raw.close()
    with Ledger.open(tmp_path) as ledger:
        assert refusal(ledger.events) == "ledger-fault"


def test_thirty_kills_lose_nothing_and_double_nothing(tmp_path: Path) -> None:
    """Signer and ledger die together at random moments and start again from what is on disk."""
    make_world(tmp_path).signer.close()

    def keep_sealing(pipe: Connection) -> None:
        world = make_world(tmp_path)
        with Ledger.open(tmp_path / "ledger") as ledger:
            while True:
                stored = ledger.records()
                correction = {"supersedes": stored[-1].sealed.sha256, "reason": str(len(stored))} if stored else {}
                sealed = world.seal(1, **correction)
                ledger.commit(sealed, pictures_of(1))
                pipe.send(sealed.sha256)

    rng = random.Random(20290214)
    reported: list[bytes] = []
    for kill in range(30):
        ours, theirs = FORK.Pipe(duplex=False)
        process = FORK.Process(target=keep_sealing, args=(theirs,), daemon=True)
        process.start()
        theirs.close()
        if kill % 3:  # every third dies while it starts
            reported.append(ours.recv())
        time.sleep(rng.uniform(0, 0.03))
        process.kill()
        process.join()
        reported.extend(received(ours))
    with Ledger.open(tmp_path / "ledger") as ledger:
        ledger.check()
        on_disk = ledger.record_hashes()
        assert len(reported) >= 20
        assert len(set(reported)) == len(reported)
        assert set(reported) <= set(on_disk)
        assert [stored.sealed.sequence for stored in ledger.records()] == list(range(1, len(on_disk) + 1))


def received(pipe: Connection) -> list[bytes]:
    """What arrived whole before the sender died."""
    messages: list[bytes] = []
    try:
        while True:
            messages.append(pipe.recv())
    except EOFError:
        return messages


def in_another_process(target: object) -> str:
    """What `target(pipe)` sends from a process of its own: limits on a process cannot be taken back."""
    assert callable(target)
    ours, theirs = FORK.Pipe(duplex=False)
    process = FORK.Process(target=target, args=(theirs,))
    process.start()
    theirs.close()
    answer = str(ours.recv())
    process.join()
    return answer
