"""An evidence bundle in hostile hands, and in the hands of a court: made, checked, spoiled, made again."""

from __future__ import annotations

import io
import json
import os
import tarfile
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from cryptography import x509

from firmware.errors import VerificationRefused
from firmware.ledger.outbox import Outbox
from firmware.ledger.store import Ledger
from firmware.signing import archive, checkpoint, merkle
from firmware.signing.acknowledgement import acknowledge
from firmware.signing.bundle import examine_bundle
from firmware.signing.bundling import acknowledgements_of, bundle_command, gather
from firmware.signing.command import verify_command
from firmware.signing.evidence import compare
from firmware.signing.keys import open_device
from firmware.signing.trust import TrustRoots, write_trust
from tests import sealing
from tests.test_signer_process import Process

RECORDS = 3
WHOLE = os.environ.get("C1KIOSK_WHOLE_MUTATION") == "1"
"""Flip every byte of the bundle instead of every 151st; every byte of a small archive is always flipped."""


@dataclass(frozen=True)
class Kiosk:
    """A kiosk after its evening."""

    folder: Path
    members: dict[str, bytes]

    @property
    def trust(self) -> TrustRoots:
        return TrustRoots.load(self.folder / "trust")


@pytest.fixture(scope="module")
def kiosk(tmp_path_factory: pytest.TempPathFactory) -> Kiosk:
    folder = tmp_path_factory.mktemp("kiosk")
    world = sealing.make_world(folder)
    with Ledger.open(folder / "ledger") as ledger, Outbox.open(folder / "outbox") as outbox:
        for number in range(1, RECORDS + 1):
            ledger.append_event({"event": "record.stored", "number": number})
            sealed = world.seal(number, journal=ledger.journal_head())
            ledger.commit(sealed, sealing.pictures_of(number))
        ledger.append_event({"event": "station.started"})
        names = ledger.record_hashes()
        outbox.adopt(names, sealing.COLLECTOR)
        word = acknowledge(names[0], sealing.SEALED_AT + 9, world.collector_key)
        outbox.acknowledged(names[0], sealing.COLLECTOR, word)
        device = open_device(x509.load_der_x509_certificate(world.device_key.certificate))
        head = checkpoint.make(RECORDS, merkle.root(names), device, world.device_key)
        (folder / "checkpoint.txt").write_text(head)
        members = gather(ledger, folder / "trust", acknowledgements_of(outbox, ledger.records()), head.encode())
        kept = {name: members[name] for name in members}
    return Kiosk(folder, kept)


def packed(members: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    archive.write(file, members)
    return file.getvalue()


def codes(data: bytes, kiosk: Kiosk) -> list[str]:
    """Every refusal, of the bundle, its members, and all together."""
    findings = examine_bundle("b.tar", io.BytesIO(data), kiosk.trust)
    return [finding.refusal.code for finding in [*findings, compare(findings)] if finding.refusal]


def verify(kiosk: Kiosk, *files: Path, options: tuple[str, ...] = ()) -> Result:
    return CliRunner().invoke(verify_command, ["--trust", str(kiosk.folder / "trust"), *options, *map(str, files)])


def test_a_bundle_holds(kiosk: Kiosk) -> None:
    data = packed(kiosk.members)
    findings = examine_bundle("b.tar", io.BytesIO(data), kiosk.trust)
    claims = [claim.key for finding in [*findings, compare(findings)] for claim in finding.claims]
    assert codes(data, kiosk) == []
    assert claims.count("together-inclusion") == RECORDS
    assert claims.count("together-consistency") == RECORDS - 1
    assert {"bundle-pictures", "bundle-journal", "bundle-proofs", "together-acknowledgement"} <= set(claims)


def test_the_command_writes_what_it_can_verify(kiosk: Kiosk, tmp_path: Path) -> None:
    out = tmp_path / "bukti.tar"
    options = ["--ledger", kiosk.folder / "ledger", "--trust", kiosk.folder / "trust", "--outbox",
               kiosk.folder / "outbox", out]  # fmt: skip
    made = CliRunner().invoke(bundle_command, list(map(str, options)))
    assert made.exit_code == 0, made.output
    again = tmp_path / "lagi.tar"
    CliRunner().invoke(bundle_command, [*map(str, options[:-1]), str(again)])
    assert out.read_bytes() == again.read_bytes(), "the same ledger gives the same bytes"
    result = verify(kiosk, out)
    assert result.exit_code == 0, result.output
    assert "bundle-no-checkpoint" in verify(kiosk, out, options=("--json",)).output
    assert CliRunner().invoke(bundle_command, list(map(str, options))).exit_code == 2, "nothing is overwritten"


def test_the_signer_is_asked_for_the_head_of_its_log(tmp_path: Path) -> None:
    process = Process(tmp_path)
    try:
        device = process.client.device()
        write_trust(
            tmp_path / "trust",
            election=sealing.ELECTION,
            layouts=[sealing.LAYOUT],
            authorities=[device.authority],
            devices=[device.certificate],
            collectors=[],
        )
        with Ledger.open(tmp_path / "ledger") as ledger:
            ledger.commit(process.client.seal(sealing.draft(1)), sealing.pictures_of(1))
        options = ["--ledger", tmp_path / "ledger", "--trust", tmp_path / "trust", "--signer", process.socket]
        made = CliRunner().invoke(bundle_command, [*map(str, options), str(tmp_path / "bukti.tar")])
        assert made.exit_code == 0, made.output
        process.kill()
        without = CliRunner().invoke(bundle_command, [*map(str, options), str(tmp_path / "lain.tar")])
        assert (without.exit_code, "signer-unreachable" in without.output) == (1, True)
        assert not (tmp_path / "lain.tar").exists()
    finally:
        process.kill()
    with (tmp_path / "bukti.tar").open("rb") as file:
        names = [member.name for member in archive.read(file)]
    assert {"checkpoint.txt", "proofs/000001.tlog-proof"} <= set(names)


def test_every_tar_opens_a_bundle(kiosk: Kiosk) -> None:
    with tarfile.open(fileobj=io.BytesIO(packed(kiosk.members))) as opened:
        names = [entry.name for entry in opened]
        assert names == ["index.json", *sorted(kiosk.members)]
        found = opened.extractfile("records/000001.cose")
        assert found is not None and found.read() == kiosk.members["records/000001.cose"]


def test_machine_output_of_a_bundle(kiosk: Kiosk, tmp_path: Path) -> None:
    path = tmp_path / "b.tar"
    path.write_bytes(packed(kiosk.members))
    document = json.loads(verify(kiosk, path, options=("--json",)).output)
    assert document["holds"] is True
    kinds = [entry["kind"] for entry in document["files"]]
    assert [kinds.count(kind) for kind in ("record", "receipt", "acknowledgement", "proof", "checkpoint")] == [3, 3, 1, 5, 1]  # fmt: skip # noqa: E501


# --- something is missing, something is there that should not be ----------------------------------------------------


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("election.json", "bundle-missing"),
        ("devices.pem", "bundle-missing"),
        ("journal.jsonl", "bundle-missing"),
        ("receipts/000002.cose", "bundle-missing"),
        ("checkpoint.txt", "bundle-name"),
        ("proofs/000002.tlog-proof", "bundle-name"),
        ("proofs/000002.consistency", "bundle-name"),
        ("records/000002.cose", "bundle-name"),
    ],
)
def test_something_is_missing(kiosk: Kiosk, name: str, expected: str) -> None:
    members = {key: data for key, data in kiosk.members.items() if key != name}
    assert expected in codes(packed(members), kiosk)


def test_a_picture_is_missing(kiosk: Kiosk) -> None:
    name = min(key for key in kiosk.members if key.startswith("pictures/"))
    members = {key: data for key, data in kiosk.members.items() if key != name}
    assert codes(packed(members), kiosk) == ["bundle-missing"]


def test_a_record_is_missing_with_all_that_names_it(kiosk: Kiosk) -> None:
    """The last record left out whole: the checkpoint still counts it, so the proofs show the log goes on."""
    members = {key: data for key, data in kiosk.members.items() if "000003" not in key}
    named = {f"pictures/{name}.bin" for name in sealing.pictures_of(3)}
    members = {key: data for key, data in members.items() if key not in named}
    findings = examine_bundle("b.tar", io.BytesIO(packed(members)), kiosk.trust)
    held = {claim.key: claim.values for finding in [*findings, compare(findings)] for claim in finding.claims}
    assert held["together-inclusion"]["size"] == RECORDS


@pytest.mark.parametrize(
    ("name", "data", "expected"),
    [
        ("notes.txt", b"hello", "bundle-extra"),
        ("pictures/" + "0" * 64 + ".jpg", b"x", "bundle-picture"),
        ("records/000009.txt", b"x", "bundle-extra"),
        ("layouts/other.toml", b"x", "bundle-name"),
    ],
)
def test_something_does_not_belong(kiosk: Kiosk, name: str, data: bytes, expected: str) -> None:
    assert expected in codes(packed(kiosk.members | {name: data}), kiosk)


def test_a_picture_that_no_record_names(kiosk: Kiosk) -> None:
    data = b"\xff\xd8\xff another"
    name = f"pictures/{sealing.sha256_hex(data)}.jpg"
    assert codes(packed(kiosk.members | {name: data}), kiosk) == ["bundle-extra"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("records/000001.cose", "records/000002.cose"),
        ("receipts/000001.cose", "receipts/000002.cose"),
        ("proofs/000001.tlog-proof", "proofs/000002.tlog-proof"),
        ("receipts/000001.cose", "records/000001.cose"),
    ],
)
def test_two_members_are_exchanged(kiosk: Kiosk, one: str, other: str) -> None:
    swapped = kiosk.members | {one: kiosk.members[other], other: kiosk.members[one]}
    assert codes(packed(swapped), kiosk)


def test_an_event_is_taken_out_of_the_journal(kiosk: Kiosk) -> None:
    lines = kiosk.members["journal.jsonl"].splitlines(keepends=True)
    for at in range(RECORDS):
        cut = b"".join(lines[:at] + lines[at + 1 :])
        assert codes(packed(kiosk.members | {"journal.jsonl": cut}), kiosk) == ["journal-chain"]
    for count in range(RECORDS):
        short = b"".join(lines[:count])
        assert codes(packed(kiosk.members | {"journal.jsonl": short}), kiosk) == ["journal-head"]


@pytest.mark.parametrize(
    "text", [b"{}\n", b"[]\n", b"nonsense\n", b"null\n", b'{"at": 1, "fields": {}}\n', b"x", b"[" * 9999]
)
def test_a_journal_that_is_none(kiosk: Kiosk, text: bytes) -> None:
    assert codes(packed(kiosk.members | {"journal.jsonl": text}), kiosk) == ["journal-chain"]


def test_the_definition_is_another(kiosk: Kiosk) -> None:
    other = kiosk.members["election.json"] + b" "
    assert codes(packed(kiosk.members | {"election.json": other}), kiosk) == ["election-other"]


def test_a_bundle_cannot_bring_its_own_trust(kiosk: Kiosk, tmp_path_factory: pytest.TempPathFactory) -> None:
    stranger = sealing.make_world(tmp_path_factory.mktemp("stranger"))
    findings = examine_bundle("b.tar", io.BytesIO(packed(kiosk.members)), stranger.trust)
    assert findings[0].refusal is not None and findings[0].refusal.code == "certificate-issuer"


# --- archives that are weapons --------------------------------------------------------------------------------------


def hostile_tar(change: Callable[[tarfile.TarInfo], None], name: str = "records/000001.cose", **options: Any) -> bytes:
    """A tar as others make it."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=options.pop("format", tarfile.USTAR_FORMAT), **options) as made:
        for entry_name in ("index.json", name):
            entry = tarfile.TarInfo(entry_name)
            entry.mode = 0o444
            if entry_name == name:
                change(entry)
            made.addfile(entry, io.BytesIO(bytes(entry.size)))
    return file.getvalue()


def link(kind: bytes) -> Callable[[tarfile.TarInfo], None]:
    def change(entry: tarfile.TarInfo) -> None:
        entry.type, entry.linkname = kind, "/etc/passwd"

    return change


def mode(entry: tarfile.TarInfo) -> None:
    entry.mode = 0o4755


def owner(entry: tarfile.TarInfo) -> None:
    entry.uid, entry.uname = 1000, "ketua"


def time(entry: tarfile.TarInfo) -> None:
    entry.mtime = 1


KINDS = (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE)


@pytest.mark.parametrize("change", [*map(link, KINDS), mode, owner, time])
def test_an_entry_that_is_no_plain_file(kiosk: Kiosk, change: Callable[[tarfile.TarInfo], None]) -> None:
    assert codes(hostile_tar(change), kiosk) == ["bundle-form"]


ELSEWHERE = ["/etc/passwd", "../../etc/passwd", "records/../../x", "records/./x", "C:\\x", "a//b", ".hidden"]
NO_NAME = ["records/" + "x" * 95, "x" * 300, "récords/1", "records/\x07"]


@pytest.mark.parametrize("name", ELSEWHERE + NO_NAME)
def test_a_name_that_leads_elsewhere(kiosk: Kiosk, name: str) -> None:
    assert codes(hostile_tar(lambda entry: None, name, format=tarfile.GNU_FORMAT), kiosk) == ["bundle-form"]


def test_other_kinds_of_archive(kiosk: Kiosk, tmp_path: Path) -> None:
    packed_zip = io.BytesIO()
    with zipfile.ZipFile(packed_zip, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("index.json", bytes(1_000_000))
    path = tmp_path / "b.zip"
    path.write_bytes(packed_zip.getvalue())
    assert verify(kiosk, path).exit_code == 1
    for kind in (tarfile.PAX_FORMAT, tarfile.GNU_FORMAT):
        assert codes(hostile_tar(lambda entry: None, "records/" + "x" * 120, format=kind), kiosk) == ["bundle-form"]


def header(name: str, size: int) -> bytes:
    return archive.header(name, size)


def test_a_member_promises_more_than_there_is(kiosk: Kiosk) -> None:
    data = packed(kiosk.members)
    for size in (archive.MAX_MEMBER_BYTES, 8**11 - 1):
        huge = data[: -2 * 512] + header("records/999999.cose", size) + bytes(1024)
        assert codes(huge, kiosk)[0] in ("bundle-form", "bundle-too-large")


def test_an_index_of_a_billion_bytes_is_not_read(kiosk: Kiosk) -> None:
    assert codes(header("index.json", 8**10) + bytes(512), kiosk) == ["bundle-too-large"]
    assert codes(header("index.json", 8 * 1024 * 1024) + bytes(8 * 1024 * 1024 + 1024), kiosk) == ["bundle-form"]


def test_an_index_names_what_no_archive_holds(kiosk: Kiosk) -> None:
    """It is not repeated to whoever checks the bundle at a terminal."""
    data = b'{"version": 1, "members": {"\\u001b]0;x\\u0007": {"bytes": 1, "sha256": ""}}}'
    with pytest.raises(VerificationRefused) as caught:
        list(archive.read(io.BytesIO(archive.entry(archive.INDEX, data) + bytes(1024))))
    assert (caught.value.code, caught.value.details) == ("bundle-index", {"name": archive.INDEX})


def test_a_name_stands_twice_or_out_of_order(kiosk: Kiosk) -> None:
    entry = header("devices.pem", 0)
    index = archive.entry("index.json", b"{}")
    end = bytes(1024)
    assert codes(index + entry + entry + end, kiosk) == ["bundle-order"]
    assert codes(index + header("election.json", 0) + entry + end, kiosk) == ["bundle-order"]
    assert codes(index + index + end, kiosk) == ["bundle-order"]
    assert codes(entry + index + end, kiosk) == ["bundle-form"]


@pytest.mark.parametrize("size", [0, 1, 511, 512, 513, 5_000, -1, -512, -1023, -1024])
def test_a_bundle_is_cut(kiosk: Kiosk, size: int) -> None:
    assert codes(packed(kiosk.members)[:size], kiosk) == ["bundle-form"]


def test_something_stands_after_the_end(kiosk: Kiosk) -> None:
    for more in (b"\0", bytes(512), bytes(8192), b"PK\3\4"):
        assert codes(packed(kiosk.members) + more, kiosk) == ["bundle-form"]


@pytest.mark.parametrize(
    "index", [b"", b"null", b"[]", b'{"version":1}', b'{"members": {"a": 1}}', b"\xff", b"[" * 9999]
)
def test_an_index_that_is_none(kiosk: Kiosk, index: bytes) -> None:
    data = packed(kiosk.members)
    old = 512 + -(-int(data[124:135], 8) // 512) * 512
    assert codes(archive.entry("index.json", index) + data[old:], kiosk) == ["bundle-index"]


def flips_are_refused(data: bytes, places: Iterable[int]) -> None:
    for at in places:
        for mask in (0x01, 0x80):
            damaged = data[:at] + bytes([data[at] ^ mask]) + data[at + 1 :]
            with pytest.raises(archive.VerificationRefused):
                for _member in archive.read(io.BytesIO(damaged)):
                    pass


def test_one_byte_of_an_archive_was_flipped() -> None:
    data = packed({"records/000001.cose": b"record" * 100, "journal.jsonl": b"", "pictures/x.jpg": b"picture"})
    flips_are_refused(data, range(len(data)))


def test_one_byte_of_the_bundle_was_flipped(kiosk: Kiosk) -> None:
    data = packed(kiosk.members)
    flips_are_refused(data, range(0, len(data), 1 if WHOLE else 151))
