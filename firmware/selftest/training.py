"""A full dry run in training mode: what happens on the night, from picture to verified bundle; nothing of it stays.

The practice forms of provisioning/practice are read by the real reader with this device's model, settled as the answers
say, drafted, signed by a training key that is made for it, stored, laid out as a receipt whose code is read back,
bundled, and the bundle is verified. All of it lies in a temporary folder that goes when it is done. The device's own
key, ledger, camera and printer have no part in it.
"""

from __future__ import annotations

import csv
import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import provisioning
from firmware.building import software
from firmware.capture.picture import frame_from_bytes
from firmware.digit_model.classifier import DigitModel
from firmware.forms.layout import FormLayout
from firmware.forms.loader import shipped_layouts
from firmware.ledger.store import Ledger
from firmware.reading import TpsReading, read_frames
from firmware.receipt.layout import compose
from firmware.receipt.strip import Code
from firmware.records import Confirmation, Mode, Page, RefusedPage, Status, StoredRecord
from firmware.selftest.finding import Outcome, bad, good
from firmware.selftest.kiosk import Kiosk
from firmware.signing import archive, receipt_code
from firmware.signing.bundling import check, gather
from firmware.signing.draft import RecordContext, draft_record
from firmware.signing.signer import Signer
from firmware.signing.training_key import TrainingKey
from firmware.signing.trust import TrustRoots, write_trust
from firmware.signing.verification import verify_receipt
from firmware.tally.review import ROLES, Review

PRACTICE = Path(provisioning.__file__).parent / "practice"
FORM = "c.hasil-ppwp-2024"
TPS, PLACE = "9999999999999", "Latihan"
"""Of no province."""
_NAMED = 3
"""Fields that are named on the page."""


@dataclass(frozen=True, slots=True)
class Workshop:
    """What the run is made with, all of it new."""

    folder: Path
    layout: FormLayout
    model: DigitModel
    election: bytes

    @property
    def trust(self) -> Path:
        """The folder to verify with."""
        return self.folder / "trust"


def training(kiosk: Kiosk, practice: Path = PRACTICE) -> Outcome:
    """The whole way, once. Raises Refused where a step does not hold."""
    layout, answers = shipped_layouts()[FORM], _answers(practice)
    model = DigitModel.load(kiosk.config.models)
    reading = _read(practice, layout, model)
    for outcome in reading.outcomes:
        if isinstance(outcome, RefusedPage):
            return bad("training-refused", page=outcome.frame.name, reason=str(outcome.reason))
    wrong = _misread(reading, answers)
    if wrong:
        return bad("training-misread", fields=", ".join(wrong[:_NAMED]))
    with tempfile.TemporaryDirectory(prefix="c1kiosk-training-") as folder:
        shop = Workshop(Path(folder), layout, model, _election(layout))
        return _sealed_and_verified(shop, kiosk, _settled(reading, answers, layout))


def _answers(practice: Path) -> dict[str, int]:
    with (practice / "answers.csv").open(encoding="utf-8", newline="") as file:
        return {row["field"]: int(row["value"]) for row in csv.DictReader(file) if row["form"] == FORM}


def _read(practice: Path, layout: FormLayout, model: DigitModel) -> TpsReading:
    paths = [practice / f"{FORM}-page{page.number}.png" for page in layout.pages]
    return read_frames([frame_from_bytes(path.read_bytes(), path.name) for path in paths], [layout], model)


def _misread(reading: TpsReading, answers: Mapping[str, int]) -> list[str]:
    """Numbers that were given as sure and are not what is written, and whether anything was read at all."""
    assert reading.tally is not None
    sure = {name: entry.value for name, entry in reading.tally.fields.items() if entry.status is Status.READ}
    wrong = [f"{name}: {value}" for name, value in sure.items() if value != answers[name]]
    return wrong if sure else ["-"]


def _settled(reading: TpsReading, answers: Mapping[str, int], layout: FormLayout) -> Confirmation:
    """A person agrees where the machine is right, and types what it did not read."""
    assert reading.tally is not None
    review = Review(reading.tally)
    for name, value in answers.items():
        if review.machine(name).value == value:
            review.accept(name)
        else:
            review.correct(name, value)
    pages = [outcome for outcome in reading.outcomes if isinstance(outcome, Page)]
    return review.confirmation(TPS, ROLES[0], pages, layout)


def _election(layout: FormLayout) -> bytes:
    """The definition of a training election with one contest and one TPS."""
    definition = {
        "version": 1,
        "name": "Latihan",
        "mode": "training",
        "contests": [{"id": layout.contest, "form": layout.id, "candidates": []}],
        "polling_stations": [{"code": TPS, "place": PLACE, "voters": 0}],
        "collectors": [],
    }
    return json.dumps(definition).encode()


def _sealed_and_verified(shop: Workshop, kiosk: Kiosk, confirmation: Confirmation) -> Outcome:
    key = TrainingKey.open(shop.folder / "key")
    write_trust(
        shop.trust,
        election=shop.election,
        layouts=[shop.layout],
        authorities=[key.authority],
        devices=[key.certificate],
        collectors=[],
    )
    trust = TrustRoots.load(shop.trust)
    signer = Signer(shop.folder / "signer", key, kiosk.clock)
    try:
        with Ledger.open(shop.folder / "ledger") as ledger:
            stored = _stored(shop, trust, signer, ledger, confirmation)
            if not _receipt_holds(shop, trust, stored, kiosk.config.file.printer.width_dots):
                return bad("training-receipt")
            _bundle(shop, trust, ledger, signer.checkpoint().encode())
    finally:
        signer.close()
    return good(f"{len(confirmation.fields)}")


def _stored(
    shop: Workshop, trust: TrustRoots, signer: Signer, ledger: Ledger, confirmation: Confirmation
) -> StoredRecord:
    ledger.append_event({"event": "training"})
    election, model = bytes.fromhex(trust.election.sha256), bytes.fromhex(shop.model.sha256)
    context = RecordContext(Mode.TRAINING, election, shop.layout, software(), model)
    sealed = signer.seal(draft_record(confirmation, context, ledger.journal_head()))
    return ledger.commit(sealed, {page.frame.sha256: page.frame.data for page in confirmation.pages})


def _receipt_holds(shop: Workshop, trust: TrustRoots, stored: StoredRecord, width_dots: int) -> bool:
    """The receipt's code, as it would stand on paper, is of this record. Raises VerificationRefused."""
    strip = compose(stored, shop.layout, PLACE, 1, 1, False, width_dots)
    codes = [element.qr.text for element in strip.elements if isinstance(element, Code)]
    receipt = verify_receipt(receipt_code.decode(codes[0]), trust)
    return len(codes) == 1 and receipt.statement.record == stored.sealed.sha256


def _bundle(shop: Workshop, trust: TrustRoots, ledger: Ledger, head: bytes) -> None:
    """Everything in one file, opened again as anybody would. Raises VerificationRefused."""
    members, path = gather(ledger, shop.trust, {}, head), shop.folder / "bundle.tar"
    with path.open("xb") as file:
        archive.write_entries(file, members.entries(), members.__getitem__)
    check(path, trust)
