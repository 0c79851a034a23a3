"""`c1kiosk bundle`: puts all about this kiosk's records into one evidence bundle (bundle.py). Reads, and only reads.

    c1kiosk bundle --ledger STATE/ledger --outbox STATE/outbox --trust TRUST --signer RUN/signer.sock OUT.tar

The same ledger gives the same bytes. Before it is handed out, the bundle is opened again and must hold.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import click
from cryptography.hazmat.primitives.serialization import Encoding

from firmware.errors import Refused, VerificationRefused
from firmware.ledger.outbox import Outbox
from firmware.ledger.store import Ledger
from firmware.messages import both
from firmware.records import StoredRecord
from firmware.signing import archive, merkle, proof
from firmware.signing.bundle import (
    CHECKPOINT,
    DEVICES,
    ELECTION,
    JOURNAL,
    SIGNED_ELECTION,
    examine_bundle,
    picture_name,
)
from firmware.signing.cose import parse
from firmware.signing.evidence import compare
from firmware.signing.trust import TrustRoots

FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)


class Members(Mapping[str, bytes]):
    """What goes into the bundle, by name; pictures stay on the disk until they are asked for."""

    def __init__(self, files: Mapping[str, bytes], pictures: Mapping[str, tuple[int, str]], ledger: Ledger) -> None:
        self._files, self._pictures, self._ledger = files, pictures, ledger

    def __getitem__(self, name: str) -> bytes:
        if name in self._pictures:
            return self._ledger.picture(self._pictures[name][1])
        return self._files[name]

    def __iter__(self) -> Iterator[str]:
        yield from self._files
        yield from self._pictures

    def __len__(self) -> int:
        return len(self._files) + len(self._pictures)

    def entries(self) -> archive.Entries:
        """Size and SHA-256 of each; a picture is known by them."""
        files = {name: (len(data), hashlib.sha256(data).hexdigest()) for name, data in self._files.items()}
        return {**files, **self._pictures}


def gather(
    ledger: Ledger, trust_folder: Path, acknowledgements: Mapping[str, bytes], checkpoint: bytes | None
) -> Members:
    """The members of a bundle of the whole ledger. Raises Refused.

    `acknowledgements` are COSE by `<number>.<collector>`; `checkpoint` is the note of the signer.
    """
    records, trust = ledger.records(), TrustRoots.load(trust_folder)
    if not records:
        raise VerificationRefused("bundle-missing", name="records")
    files = {f"records/{stored.sealed.sequence:06d}.cose": stored.sealed.cose for stored in records}
    files |= {f"receipts/{stored.sealed.sequence:06d}.cose": stored.sealed.receipt for stored in records}
    files |= {f"acknowledgements/{name}.cose": cose for name, cose in acknowledgements.items()}
    files |= {JOURNAL: ledger.export_journal(), DEVICES: _devices(records, trust)}
    files |= {f"layouts/{trust.layout(name).id}.toml": trust.layout(name).source for name in _layouts(records)}
    election = SIGNED_ELECTION if trust.root else ELECTION
    files[election] = (trust_folder / election).read_bytes()
    if checkpoint is not None:
        files |= {CHECKPOINT: checkpoint, **_proofs([stored.sealed.sha256 for stored in records], checkpoint)}
    return Members(files, _pictures(records, ledger), ledger)


def _devices(records: Sequence[StoredRecord], trust: TrustRoots) -> bytes:
    kids = sorted({parse(stored.sealed.cose).kid for stored in records})
    return b"".join(trust.device(kid).certificate.public_bytes(Encoding.PEM) for kid in kids)


def _layouts(records: Sequence[StoredRecord]) -> set[bytes]:
    return {stored.sealed.payload["layout"] for stored in records}


def _pictures(records: Sequence[StoredRecord], ledger: Ledger) -> dict[str, tuple[int, str]]:
    """Size and SHA-256 by name. Every picture is read, and found to be whole, before anything is written."""
    named = {page["sha256"] for stored in records for page in stored.sealed.payload["pages"]}
    found = {}
    for sha256 in named:
        data = ledger.picture(sha256.hex())
        found[picture_name(sha256, data)] = (len(data), sha256.hex())
    return found


def _proofs(names: Sequence[bytes], checkpoint: bytes) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for index in range(len(names)):
        path = merkle.inclusion_proof(names, index)
        found[f"proofs/{index + 1:06d}.tlog-proof"] = proof.inclusion(index, path, checkpoint).text()
        if index:
            path = merkle.consistency_proof(names, index)
            found[f"proofs/{index + 1:06d}.consistency"] = proof.consistency(index, path, checkpoint).text()
    return found


def acknowledgements_of(outbox: Outbox, records: Sequence[StoredRecord]) -> dict[str, bytes]:
    """Every acknowledgement of these records, by `<number>.<collector>`."""
    numbers = {stored.sealed.sha256: stored.sealed.sequence for stored in records}
    return {
        f"{numbers[entry.record]:06d}.{entry.collector}": entry.acknowledgement
        for entry in outbox.deliveries()
        if entry.acknowledgement is not None and entry.record in numbers
    }


def check(path: Path, trust: TrustRoots) -> None:
    """Raises the first Refused of the bundle at `path`."""
    with path.open("rb") as file:
        findings = examine_bundle(path.name, file, trust)
    for finding in [*findings, compare(findings)]:
        if finding.refusal:
            raise finding.refusal


@click.command("bundle")
@click.option("--ledger", "ledger_folder", type=FOLDER, required=True)
@click.option("--trust", type=FOLDER, required=True)
@click.option("--outbox", "outbox_folder", type=FOLDER, help="Where the uplink keeps acknowledgements.")
@click.option("--signer", type=click.Path(path_type=Path), help="The signer's socket: it is asked for a checkpoint.")
@click.argument("out", type=click.Path(path_type=Path, dir_okay=False))
def bundle_command(
    ledger_folder: Path, trust: Path, outbox_folder: Path | None, signer: Path | None, out: Path
) -> None:
    """Write the evidence bundle of a kiosk; nothing that exists is overwritten."""
    try:
        with Ledger.open(ledger_folder, readonly=True) as ledger:
            words = _acknowledgements(outbox_folder, ledger)
            members = gather(ledger, trust, words, _checkpoint(signer))
            _write(out, members)
        check(out, TrustRoots.load(trust))
    except FileExistsError:
        raise click.BadParameter(f"{out} exists") from None
    except OSError as error:
        raise click.FileError(str(out), error.strerror) from error
    except Refused as refusal:
        click.echo(f"{refusal.code}: {both('error.' + refusal.code, **refusal.details)}", err=True)
        sys.exit(1)
    click.echo(both("verify.bundle-written", file=str(out), members=len(members), bytes=out.stat().st_size))


def _acknowledgements(folder: Path | None, ledger: Ledger) -> dict[str, bytes]:
    if folder is None:
        return {}
    with Outbox.open(folder, readonly=True) as outbox:
        return acknowledgements_of(outbox, ledger.records())


def _checkpoint(signer: Path | None) -> bytes | None:
    if signer is None:
        return None
    from firmware.signing.client import SignerClient

    return SignerClient(signer).checkpoint()


def _write(path: Path, members: Members) -> None:
    """A whole bundle on disk, or none."""
    with path.open("xb") as file:
        try:
            archive.write_entries(file, members.entries(), members.__getitem__)
            file.flush()
            os.fsync(file.fileno())
        except BaseException:
            path.unlink()
            raise
