"""An election for witnesses: a trust folder with the 2024 form and three pairs, and receipts that its kiosk gave."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from cryptography.hazmat.primitives.serialization import Encoding

from firmware.forms.layout import FormLayout
from firmware.forms.loader import shipped_layouts
from firmware.receipt.layout import compose
from firmware.records import Mode, SealedRecord, StoredRecord
from firmware.signing import merkle, receipt_code
from firmware.signing.authorities import Purpose, Scope
from firmware.signing.certificates import Issuer, issue, subject
from firmware.signing.cose import MessageType, SigningKey, sign
from firmware.signing.election import sign_election
from firmware.signing.key_file import FileKey
from firmware.signing.keys import DeviceClaims, Protection, claims_extension
from firmware.signing.schema import check_record
from firmware.signing.statement import statement_of
from firmware.signing.trust import write_signed_trust
from tests.simulators.paper_roll import picture
from tests.simulators.rendering import rendered
from tests.strips import PLACE, PPWP_2024, TPS, stored
from tests.system.phone import Gray
from tests.vectors import parts

FORM = shipped_layouts()["c.hasil-ppwp-2024"]
NAMES = ("Anggrek Wulandari dan Beringin Saputra", "Cempaka Putri dan Damar Wicaksono", "Edelweis Utami dan Flamboyan")
WIDTH_DOTS = 576
UNIX = parts.SEALED_AT
"""Within the validity of the vectors' certificates."""


class World:
    """The authorities of an election. Those of the development world are the vectors' own."""

    def __init__(self, mode: Mode = Mode.DEVELOPMENT) -> None:
        self.mode = mode
        self._root, self._issuing, self._election = parts.ROOT, parts.ISSUING, parts.ELECTION_AUTHORITY
        if mode is not Mode.DEVELOPMENT:
            self._root = _authority(parts.scope(Purpose.ROOT, mode), None)
            self._issuing = _authority(parts.scope(Purpose.ISSUING, mode), self._root)
            self._election = _authority(parts.scope(Purpose.ELECTION, mode), self._root)

    def device(self, serial: str, protection: Protection) -> FileKey:
        """The key of a device of this world; how it is kept is what its certificate says."""
        key, name = parts.private_key(serial), subject(f"kiosk {serial}", parts.ORGANISATION, serial)
        claims = claims_extension(DeviceClaims(self.mode, serial, protection))
        certificate = issue(name, key.public_key(), self._issuing, parts.MADE, extensions=[claims])
        return FileKey(key, certificate.public_bytes(Encoding.DER))

    def write_trust(self, folder: Path, devices: list[bytes], names: tuple[str, ...] = NAMES) -> None:
        """The trust folder; `devices` are certificates (DER)."""
        pairs = [{"number": number, "name": name} for number, name in enumerate(names, 1)]
        issuers = [parts.pem(parts.der(self._issuing))]
        document = json.loads(parts.election(layouts={FORM.id: FORM.sha256}, issuers=issuers, collectors={})) | {
            "name": "Pemilu Presiden, contoh untuk saksi",
            "mode": str(self.mode),
            "contests": [{"id": FORM.contest, "form": FORM.id, "candidates": pairs}],
            "polling_stations": [{"code": TPS, "place": PLACE, "voters": 285}],
            "collectors": [],
        }
        signer = FileKey(self._election.private_key, parts.der(self._election))
        write_signed_trust(
            folder,
            root=parts.der(self._root),
            authority=parts.der(self._election),
            election=sign_election(json.dumps(document).encode(), signer),
            layouts=[FORM],
            devices=devices,
        )


def _authority(scope: Scope, above: Issuer | None) -> Issuer:
    name = f"{scope.world} {scope.purpose}"
    key, full = parts.private_key(name), subject(name, parts.ORGANISATION)
    certificate = issue(
        full,
        key.public_key(),
        above or Issuer(full, key),
        parts.MADE,
        authority=scope.purpose is not Purpose.ELECTION,
        path_length=0 if above else 1,
        extensions=[scope.extension()],
    )
    return Issuer(full, key, certificate)


@dataclass(frozen=True, slots=True)
class Given:
    """A receipt, as the witness has it."""

    record: StoredRecord
    form: FormLayout

    @property
    def text(self) -> str:
        """The text of its code."""
        return receipt_code.encode(self.record.sealed.receipt)

    def strip(self) -> Gray:
        """The paper, one pixel a printer dot."""
        layout = compose(self.record, self.form, PLACE, 1, 4, False, WIDTH_DOTS)
        return np.asarray(picture(rendered(layout)), np.uint8)


def give(
    key: SigningKey = parts.DEVICE,
    log: tuple[bytes, ...] = (),
    mode: Mode = Mode.DEVELOPMENT,
    unix: int = UNIX,
    **votes: int | None,
) -> Given:
    """A receipt by `key`, after the records in `log`; `votes` replace numbers of the form."""
    payload = dict(stored(FORM, {**PPWP_2024, **votes}).sealed.payload) | {
        "mode": str(mode),
        "sequence": len(log) + 1,
        "previous": log[-1] if log else bytes(32),
        "log": {"size": len(log), "root": merkle.root(log)},
        "time": {"unix": unix, "clock": "synchronised"},
    }
    cose = sign(payload, MessageType.RECORD, key)
    name = hashlib.sha256(cose).digest()
    receipt = sign(statement_of(name, check_record(payload)).payload(), MessageType.RECEIPT, key)
    sealed = SealedRecord(cose, receipt, name, payload["sequence"], payload)
    return Given(StoredRecord(sealed, parts.MADE), FORM)
