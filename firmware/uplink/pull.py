"""`c1kiosk pull`: an operator's laptop fetches all records of a kiosk over the local network. Specification.

    DIR/lists/<count>.txt      the SHA-256 of the records, in order, as the kiosk listed them; one for each count seen
    DIR/records/<sha256>.cose  a record, kept once its signature, its election and its place in the list hold
    DIR/proofs/<sha256>.json   that the record is in the log of all records, kept once it holds
    DIR/pictures/<sha256>      a picture that a kept record names; <sha256>.part while it is on its way
    DIR/device-<kid>.pem       the certificate of the key that signed the newest record, the same as in the trust folder

Each file is there whole or not at all and is never overwritten. What is there is checked again, not fetched again. A
kiosk must show at least the records that it showed before, in the same order: fewer (`pull-shrunk`) or others
(`pull-rewritten`) end the pull before anything is fetched, and what is kept stays. One bad record or picture does not
keep the others from coming. Exit status 0 only when everything that the kiosk lists is here and holds.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlencode

import click
import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from firmware.endpoint.answers import LOG_MOST, PAGE_MOST, Inclusion, RecordList
from firmware.errors import Refused
from firmware.messages import both
from firmware.signing import durable, merkle
from firmware.signing.trust import TrustRoots
from firmware.signing.verification import VerifiedRecord, verify_record
from firmware.uplink.lan_kiosk import LanKiosk, PullRefused, PullStopped, address_of

LISTS, RECORDS, PROOFS, PICTURES = "lists", "records", "proofs", "pictures"
_COUNT_DIGITS = len(str(LOG_MOST))
FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


class Pull:
    """One kiosk's records into one folder, checked against one trust folder."""

    def __init__(self, kiosk: LanKiosk, trust: TrustRoots, folder: Path) -> None:
        self._kiosk = kiosk
        self._trust = trust
        self._folder = folder
        self.records = 0
        """How many are here and hold, with their pictures and proofs."""

    def run(self) -> list[Refused]:
        """Fetches what is missing; gives what was refused. Empty: everything is here. Raises OSError of the folder."""
        refused: list[Refused] = []
        try:
            for name in (LISTS, RECORDS, PROOFS, PICTURES):
                (self._folder / name).mkdir(durable.PRIVATE_FOLDER, parents=True, exist_ok=True)
            log = self._log()
            self._remember(log)
            for index in range(len(log)):
                refused += self._record(log, index)
        except Refused as refusal:
            refused.append(refusal)
        return refused

    def _log(self) -> list[bytes]:
        """The hashes of all records, in the order of the chain."""
        log: list[bytes] = []
        more = True
        while more:
            query = urlencode({"after": len(log), "limit": PAGE_MOST})
            shown = self._kiosk.ask(f"/v1/records?{query}", RecordList)
            numbers = [entry.sequence for entry in shown.records]
            if numbers != list(range(len(log) + 1, len(log) + 1 + len(numbers))) or (shown.next and not numbers):
                raise PullRefused("pull-list", after=len(log))
            log += [bytes.fromhex(entry.sha256) for entry in shown.records]
            more = shown.next is not None
            if len(log) > LOG_MOST:
                raise PullRefused("pull-list", after=LOG_MOST)
        return log

    def _remember(self, log: Sequence[bytes]) -> None:
        """Writes the list down before anything is fetched, so that no kiosk can take back what it has shown."""
        folder = self._folder / LISTS
        shown = _lines(log)
        for file in sorted(folder.glob("[0-9]*.txt")):
            before = file.read_text(encoding="ascii", errors="replace").splitlines()
            if len(log) < len(before):
                raise PullRefused("pull-shrunk", before=len(before), now=len(log))
            if shown[: len(before)] != before:
                raise PullRefused("pull-rewritten", folder=str(self._folder))
        path = folder / f"{len(log):0{_COUNT_DIGITS}d}.txt"
        if not path.exists():
            durable.create(path, "".join(f"{line}\n" for line in shown).encode("ascii"))

    def _record(self, log: Sequence[bytes], index: int) -> list[Refused]:
        """Fetches one record and all that belongs to it; gives what was refused. Raises PullStopped."""
        try:
            record = self._message(log, index)
        except PullStopped:
            raise
        except Refused as refusal:
            return [refusal]
        steps: list[Callable[[], None]] = [partial(self._proof, log, index)]
        for page in record.record.pages:
            address = f"/v1/records/{record.sha256.hex()}/images/{page.page}"
            steps.append(partial(self._picture, address, page.sha256))
        if index == len(log) - 1:
            steps.append(partial(self._device, record.kid))
        refused = [refusal for refusal in map(_tried, steps) if refusal]
        self.records += not refused
        return refused

    def _message(self, log: Sequence[bytes], index: int) -> VerifiedRecord:
        name = log[index].hex()
        path = self._folder / RECORDS / f"{name}.cose"
        kept = path.exists()
        cose = path.read_bytes() if kept else self._kiosk.content(f"/v1/records/{name}")
        if hashlib.sha256(cose).digest() != log[index]:
            raise _damaged(path) if kept else PullRefused("pull-record-hash", record=name)
        record = verify_record(cose, self._trust)
        told = (record.record.sequence, record.record.log.size, record.record.log.root)
        if told != (index + 1, index, merkle.root(log[:index])):
            raise PullRefused("pull-record-place", record=name, number=index + 1)
        if not kept:
            durable.create(path, cose)
        return record

    def _proof(self, log: Sequence[bytes], index: int) -> None:
        name = log[index].hex()
        path = self._folder / PROOFS / f"{name}.json"
        if path.exists():
            try:
                _check_proof(msgspec.json.decode(path.read_bytes(), type=Inclusion), log, index)
            except (msgspec.DecodeError, Refused) as problem:
                raise _damaged(path) from problem
            return
        proof = self._kiosk.ask(f"/v1/records/{name}/proof?size={len(log)}", Inclusion)
        _check_proof(proof, log, index)
        durable.create(path, msgspec.json.encode(proof))

    def _picture(self, address: str, sha256: bytes) -> None:
        path = self._folder / PICTURES / sha256.hex()
        if path.exists():
            if _hash(path) != sha256:
                raise _damaged(path)
            return
        part = path.with_name(f"{path.name}.part")
        begun = part.exists()
        if not (begun and _hash(part) == sha256):  # whole, when a power cut came before its new name
            self._receive(address, part, sha256, begun)
        durable.rename(part, path)

    def _receive(self, address: str, part: Path, sha256: bytes, begun: bool) -> None:
        """A part from before may be torn by a power cut: when the whole is wrong, it is fetched once from its start."""
        try:
            self._kiosk.resume(address, part, sha256.hex())
            right = _hash(part) == sha256
        except PullRefused as refusal:
            if not begun or refusal.details.get("status") != HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                raise
            right = False
        if right:
            return
        part.unlink(missing_ok=True)
        if not begun:
            raise PullRefused("pull-picture-hash", picture=sha256.hex())
        self._receive(address, part, sha256, begun=False)

    def _device(self, kid: bytes) -> None:
        path = self._folder / f"device-{kid.hex()}.pem"
        kept = path.exists()
        pem = path.read_bytes() if kept else self._kiosk.content("/v1/device/certificate")
        try:
            certificate = x509.load_pem_x509_certificate(pem)
        except ValueError as problem:
            raise PullRefused("pull-device", kid=kid.hex()) from problem
        if certificate != self._trust.device(kid).certificate:
            raise _damaged(path) if kept else PullRefused("pull-device", kid=kid.hex())
        if not kept:
            durable.create(path, certificate.public_bytes(Encoding.PEM))


def _tried(step: Callable[[], None]) -> Refused | None:
    """What one step was refused for. Raises PullStopped."""
    try:
        step()
    except PullStopped:
        raise
    except Refused as refusal:
        return refusal
    return None


def _check_proof(proof: Inclusion, log: Sequence[bytes], index: int) -> None:
    """Against the list, whose root is computed here: the kiosk's word for the root is not taken."""
    told = (proof.record, proof.leaf_index, proof.root)
    if proof.tree_size > len(log) or told != (log[index].hex(), index, merkle.root(log[: proof.tree_size]).hex()):
        raise PullRefused("pull-proof", record=log[index].hex())
    path = [bytes.fromhex(node) for node in proof.path]
    merkle.verify_inclusion(log[index], index, proof.tree_size, bytes.fromhex(proof.root), path)


def _lines(log: Sequence[bytes]) -> list[str]:
    return [sha256.hex() for sha256 in log]


def _hash(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def _damaged(path: Path) -> PullRefused:
    return PullRefused("pull-file-damaged", file=str(path))


@click.command("pull")
@click.argument("host")
@click.option("--certificate", type=FILE, required=True, help="The laptop's certificate (PEM).")
@click.option("--key", type=FILE, required=True, help="Its key (PEM).")
@click.option("--ca", type=FILE, required=True, help="The authority of the kiosk's certificate (PEM).")
@click.option("--trust", type=click.Path(path_type=Path, exists=True, file_okay=False), required=True)
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), required=True)
def pull_command(host: str, certificate: Path, key: Path, ca: Path, trust: Path, out: Path) -> None:
    """Fetch all records of the kiosk at HOST[:PORT], with their pictures; run again to go on."""
    try:
        address = address_of(host)
    except ValueError as problem:
        raise click.BadParameter(host, param_hint="HOST") from problem
    roots = TrustRoots.load(trust)
    with closing(LanKiosk(address, certificate, key, ca)) as kiosk:
        pull = Pull(kiosk, roots, out)
        try:
            refused = pull.run()
        except OSError as problem:
            refused = [PullRefused("pull-folder", folder=str(out), problem=str(problem))]
    for refusal in refused:
        click.echo(f"{refusal.code}: {both(f'error.{refusal.code}', **refusal.details)}", err=True)
    click.echo(both("pull.done", records=pull.records, folder=out))
    sys.exit(1 if refused else 0)
