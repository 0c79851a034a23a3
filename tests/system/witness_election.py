"""An election for witnesses: a trust folder with the 2024 form and three pairs, and receipts that its kiosk gave."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from firmware.forms.layout import FormLayout
from firmware.forms.loader import shipped_layouts
from firmware.receipt.layout import compose
from firmware.records import Mode, SealedRecord, StoredRecord
from firmware.signing import merkle, receipt_code
from firmware.signing.cose import MessageType, SigningKey, sign
from firmware.signing.election import sign_election
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


def write_trust(folder: Path, devices: list[bytes], place: str = PLACE, names: tuple[str, ...] = NAMES) -> None:
    """The trust folder; `devices` are certificates (DER)."""
    document = json.loads(parts.election(layouts={FORM.id: FORM.sha256}))
    document["name"] = "Pemilu Presiden, contoh untuk saksi"
    pairs = [{"number": number, "name": name} for number, name in enumerate(names, 1)]
    document["contests"] = [{"id": FORM.contest, "form": FORM.id, "candidates": pairs}]
    document["polling_stations"] = [{"code": TPS, "place": place, "voters": 285}]
    election = sign_election(json.dumps(document).encode(), parts.ELECTION_KEY)
    root, authority = parts.der(parts.ROOT), parts.der(parts.ELECTION_AUTHORITY)
    write_signed_trust(folder, root=root, authority=authority, election=election, layouts=[FORM], devices=devices)


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
    **votes: int | None,
) -> Given:
    """A receipt by `key`, after the records in `log`; `votes` replace numbers of the form."""
    payload = dict(stored(FORM, {**PPWP_2024, **votes}).sealed.payload) | {
        "mode": str(mode),
        "sequence": len(log) + 1,
        "previous": log[-1] if log else bytes(32),
        "log": {"size": len(log), "root": merkle.root(log)},
        "time": {"unix": UNIX, "clock": "synchronised"},
    }
    cose = sign(payload, MessageType.RECORD, key)
    name = hashlib.sha256(cose).digest()
    receipt = sign(statement_of(name, check_record(payload)).payload(), MessageType.RECEIPT, key)
    sealed = SealedRecord(cose, receipt, name, payload["sequence"], payload)
    return Given(StoredRecord(sealed, parts.MADE), FORM)
