"""The signer: power cuts at every step, impatient stations, drafts that must not be signed."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from firmware.errors import Refused, SignerRefused
from firmware.records import SealedRecord
from firmware.signing import merkle
from firmware.signing.schema import NO_RECORD
from firmware.signing.signer import ClockQuality, ClockReading, Signer
from firmware.signing.statement import result_fields
from tests.power import completes, cut_after
from tests.vectors import parts

OTHER_TPS = "3273010001008"


@pytest.fixture
def signer(tmp_path: Path) -> Iterator[Signer]:
    opened = open_signer(tmp_path)
    yield opened
    opened.close()


def open_signer(state: Path) -> Signer:
    return Signer(state, parts.DEVICE, parts.clock)


def reopened(signer: Signer, state: Path) -> Signer:
    signer.close()
    return open_signer(state)


def refused(code: str, call: Callable[[], Any]) -> None:
    with pytest.raises(Refused) as refusal:
        call()
    assert refusal.value.code == code


def test_records_form_a_chain(signer: Signer) -> None:
    sealed = [signer.seal(parts.draft(tps=f"{int(parts.TPS) + number}")) for number in range(5)]
    previous = NO_RECORD
    for number, record in enumerate(sealed):
        hashes = [entry.sha256 for entry in sealed[:number]]
        assert record.sequence == record.payload["sequence"] == number + 1
        assert record.payload["previous"] == previous
        assert record.payload["log"] == {"size": number, "root": merkle.root(hashes)}
        previous = record.sha256


def test_the_station_asks_twice(signer: Signer, tmp_path: Path) -> None:
    first = signer.seal(parts.draft())
    assert signer.seal(parts.draft()) == first
    again = reopened(signer, tmp_path)
    assert again.seal(parts.draft()) == first
    assert again.seal(parts.draft(tps=OTHER_TPS)).sequence == 2
    again.close()


def test_the_clock_runs_on_between_two_asks(tmp_path: Path) -> None:
    ticks = iter(range(1_700_000_000, 1_700_000_009))
    signer = Signer(tmp_path, parts.DEVICE, lambda: ClockReading(next(ticks), ClockQuality.FREE_RUNNING))
    first = signer.seal(parts.draft())
    assert signer.seal(parts.draft()) == first
    assert 1_700_000_000 <= first.payload["time"]["unix"] < 1_700_000_009
    assert first.payload["time"]["clock"] == "free-running"
    signer.close()


def test_a_second_result_of_the_same_tps(signer: Signer) -> None:
    signer.seal(parts.draft())
    refused("signer-already-sealed", lambda: signer.seal(parts.draft(confirmed_by="anggota")))


def test_a_correction_must_name_what_stands(signer: Signer) -> None:
    first = signer.seal(parts.draft())
    refused("signer-supersedes", lambda: signer.seal(parts.draft(supersedes=bytes(32), reason="salah")))
    refused("schema-reason", lambda: signer.seal(parts.draft(supersedes=first.sha256)))
    second = signer.seal(parts.draft(supersedes=first.sha256, reason="salah ketik"))
    again = parts.draft(supersedes=first.sha256, reason="salah lagi")
    refused("signer-supersedes", lambda: signer.seal(again))
    assert signer.seal(parts.draft(supersedes=second.sha256, reason="salah lagi")).sequence == 3


def test_a_correction_of_nothing(signer: Signer) -> None:
    refused("signer-supersedes", lambda: signer.seal(parts.draft(supersedes=bytes(32), reason="salah")))


@pytest.mark.parametrize("mode", ["real", "training"])
def test_a_development_key_is_asked_for_a_real_result(signer: Signer, mode: str) -> None:
    refused("signer-mode", lambda: signer.seal(parts.draft(mode=mode)))


@pytest.mark.parametrize(
    "changes",
    [
        {"sequence": 7},
        {"tps": "327301000100"},
        {"tps": "٣٢٧٣٠١٠٠٠١٠٠٧"},
        {"pages": []},
        {"fields": []},
        {"model": b""},
        {"confirmed_by": "saksi"},
        {"software": "kios\n"},
        {"supersedes": b""},
        {"reason": "x" * 281},
        {"reason": "baris\nbaru"},
        {"fields": [parts.draft()["fields"][0] | {"value": 1.0}]},
        {"fields": [parts.draft()["fields"][0] | {"id": "Suara"}]},
    ],
)
def test_a_draft_is_out_of_shape(signer: Signer, tmp_path: Path, changes: dict[str, Any]) -> None:
    refused("schema", lambda: signer.seal(parts.draft(**changes)))
    assert not list((tmp_path / "chain").iterdir())


def test_a_reason_that_is_longer_in_bytes(signer: Signer) -> None:
    first = signer.seal(parts.draft())
    refused("schema-reason", lambda: signer.seal(parts.draft(supersedes=first.sha256, reason="é" * 141)))


def test_a_form_without_results(signer: Signer) -> None:
    draft = parts.draft()
    refused("schema-results", lambda: signer.seal(draft | {"fields": draft["fields"][:1], "failed": []}))


def test_a_receipt_of_a_party_form_without_its_parties() -> None:
    ids = [
        "pemilih_dpt_j",
        "surat_suara_sisa",
        "partai_1_suara",
        "partai_1_calon_2",
        "partai_1_total",
        "partai_12_total",
    ]
    assert result_fields([*ids, "suara_1", "suara_sah"]) == (*ids[-2:], "suara_1", "suara_sah")


def test_two_signers_hold_one_folder(signer: Signer, tmp_path: Path) -> None:
    refused("signer-busy", lambda: open_signer(tmp_path))


@pytest.mark.parametrize("byte", [3, 40, 900, -3])
def test_a_sealed_record_was_changed_on_disk(signer: Signer, tmp_path: Path, byte: int) -> None:
    signer.seal(parts.draft())
    path = tmp_path / "chain" / "000001.cbor"
    data = bytearray(path.read_bytes())
    data[byte] ^= 1
    path.write_bytes(data)
    signer.close()
    refused("chain-damaged", lambda: open_signer(tmp_path))


def test_a_record_was_taken_out_of_the_chain(signer: Signer, tmp_path: Path) -> None:
    for tps in (parts.TPS, OTHER_TPS):
        signer.seal(parts.draft(tps=tps))
    (tmp_path / "chain" / "000001.cbor").unlink()
    signer.close()
    refused("chain-damaged", lambda: open_signer(tmp_path))


def test_the_key_was_exchanged(signer: Signer, tmp_path: Path) -> None:
    signer.seal(parts.draft())
    signer.close()
    refused("chain-damaged", lambda: Signer(tmp_path, parts.STRANGER, parts.clock))


def test_the_power_goes_at_any_step_of_a_seal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = 0
    while not completes(steps, partial(sealing, tmp_path / str(steps)), monkeypatch):
        steps += 1
    assert steps >= 5
    for step in range(steps + 1):
        assert_one_record(tmp_path / str(step))


def test_the_disk_fails_at_any_step_of_a_seal(tmp_path: Path) -> None:
    for step in range(10):
        signer = open_signer(tmp_path / str(step))
        with pytest.MonkeyPatch.context() as patch:
            cut_after(step, fail, patch)
            try:
                first = signer.seal(parts.draft())
            except OSError:
                first = None
        second = signer.seal(parts.draft())
        assert first in (None, second)
        signer.close()
        assert_one_record(tmp_path / str(step), second)


def sealing(state: Path) -> Callable[[], object]:
    signer = open_signer(state)
    return lambda: signer.seal(parts.draft())


def fail() -> None:
    raise builtins.OSError(28, "No space left on device")


def assert_one_record(state: Path, known: SealedRecord | None = None) -> None:
    """The same draft is answered, the next gets number 2, and nothing stands twice."""
    signer = open_signer(state)
    first = signer.seal(parts.draft())
    assert known in (None, first)
    assert first.sequence == 1
    assert signer.seal(parts.draft(tps=OTHER_TPS)).payload["previous"] == first.sha256
    signer.close()
    assert sorted(path.name for path in (state / "chain").glob("[0-9]*")) == ["000001.cbor", "000002.cbor"]


def test_a_runaway_station_fills_the_disk(signer: Signer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("firmware.signing.signer.MAX_RECORDS", 1)
    signer.seal(parts.draft())
    with pytest.raises(SignerRefused, match="signer-full"):
        signer.seal(parts.draft(tps=OTHER_TPS))
