"""What evidence weighs and what verifying it costs: `python -m tests.bench.verify_night [COUNT]`.

Sizes of record, receipt and code for every shipped form; a bundle of one evening; and COUNT records (100,000 unless
told otherwise) verified on one core, with the election night of 2024 extrapolated: 823,236 polling stations and five
contests. The records are those of DEVICES kiosks, a thousand different ones, verified over and over: nothing is kept
between two verifications, so the next record costs the same. Times are CPU time of this process.
"""

from __future__ import annotations

import hashlib
import io
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import segno
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from firmware.forms.layout import FormLayout
from firmware.forms.loader import shipped_layouts
from firmware.ledger.store import Ledger
from firmware.records import Mode
from firmware.signing import archive, checkpoint, merkle, receipt_code
from firmware.signing.bundle import examine_bundle
from firmware.signing.bundling import gather
from firmware.signing.certificates import issue, subject
from firmware.signing.cose import MessageType, sign
from firmware.signing.evidence import compare
from firmware.signing.key_file import FileKey
from firmware.signing.keys import DeviceClaims, Protection, claims_extension, open_device
from firmware.signing.schema import check_record
from firmware.signing.statement import statement_of
from firmware.signing.trust import TrustRoots, write_trust
from firmware.signing.verification import verify_receipt, verify_record
from tests import sealing
from tests.simulators.paper.sets import demo_set, numbers
from tests.vectors import parts

COUNT = 100_000
DEVICES, RECORDS_OF_EACH = 200, 5
NIGHT = 823_236 * 5
"""Records of the election of 2024 (KPU): polling stations, and contests in each."""
OUT = Path(__file__).parents[2] / "build" / "bench" / "verify_night.json"
FACTS = {"driver": "picamera2", "exposure_us": 12_000, "gain": "1.5", "lens": "6.2", "width": 4608, "height": 2592}


def device(number: int) -> FileKey:
    """The key of one kiosk."""
    key, serial = ec.generate_private_key(ec.SECP256R1()), f"BENCH-{number:04d}"
    claims = DeviceClaims(Mode.DEVELOPMENT, serial, Protection.SEALED_FILE)
    name = subject(f"DEVELOPMENT kiosk {serial}", parts.ORGANISATION, serial)
    made = issue(name, key.public_key(), parts.ISSUING, parts.MADE, extensions=[claims_extension(claims)])
    return FileKey(key, made.public_bytes(Encoding.DER))


def payload(layout: FormLayout, election: bytes, tps: str, seed: int, sequence: int) -> dict[str, Any]:
    """A record of a form filled with plausible numbers."""
    values = numbers(layout, seed)
    fields = [
        {
            "id": entry.id,
            "page": entry.page,
            "value": values[entry.id],
            "settled": "machine-and-confirmed",
            "machine": {"value": values[entry.id], "text": f"{values[entry.id]:X>3}", "confidence_ppm": 999_412},
        }
        for entry in layout.fields.values()
    ]
    pages = [
        {
            "page": page.number,
            "sha256": hashlib.sha256(f"{seed} {page.number}".encode()).digest(),
            "facts": FACTS,
            "marks": ["TL", "TR", "BL", "BR"],
            "residual_um": 183,
            "support_ppm": 981_000,
        }
        for page in layout.pages
    ]
    log = {"size": sequence - 1, "root": merkle.root([bytes(32)] * (sequence - 1))}
    return sealing.draft(1) | {
        "election": election,
        "tps": tps,
        "contest": layout.contest,
        "form": layout.id,
        "layout": bytes.fromhex(layout.sha256),
        "pages": pages,
        "fields": fields,
        "software": "c1kiosk 0.1.0",
        "sequence": sequence,
        "previous": bytes(32) if sequence == 1 else bytes(31) + b"\1",
        "log": log,
        "time": {"unix": parts.SEALED_AT, "clock": "synchronised"},
    }


def sealed(entry: dict[str, Any], key: FileKey) -> tuple[bytes, bytes]:
    """Record and receipt."""
    record = sign(entry, MessageType.RECORD, key)
    statement = statement_of(hashlib.sha256(record).digest(), check_record(entry))
    return record, sign(statement.payload(), MessageType.RECEIPT, key)


def sizes() -> dict[str, dict[str, int]]:
    """What one record of each form weighs."""
    found = {}
    for layout in shipped_layouts().values():
        record, receipt = sealed(payload(layout, bytes(32), sealing.TPS[0], 5, 1), parts.DEVICE)
        code = receipt_code.encode(receipt)
        version = segno.make_qr(code, error="q", boost_error=False).version
        found[layout.id] = {
            "fields": len(layout.fields),
            "record": len(record),
            "receipt": len(receipt),
            "code": len(code),
            "qr_version": int(version),
        }
    return found


def trust_of(folder: Path, keys: list[FileKey]) -> TrustRoots:
    """Everybody believes these kiosks."""
    write_trust(
        folder,
        election=sealing.ELECTION,
        layouts=[sealing.LAYOUT],
        authorities=[parts.der(parts.ISSUING)],
        devices=[key.certificate for key in keys],
        collectors=[],
    )
    return TrustRoots.load(folder)


def seconds(work: Callable[[], object]) -> float:
    """CPU time of `work`."""
    before = time.process_time()
    work()
    return time.process_time() - before


def night(count: int) -> dict[str, float]:
    """Verifies `count` records on this core."""
    keys = [device(number) for number in range(DEVICES)]
    election = hashlib.sha256(sealing.ELECTION).digest()
    made = [
        sealed(
            payload(sealing.LAYOUT, election, sealing.TPS[at % len(sealing.TPS)], at, 1 + at % 5), keys[at % DEVICES]
        )
        for at in range(DEVICES * RECORDS_OF_EACH)
    ]
    with tempfile.TemporaryDirectory() as folder:
        opening = seconds(lambda: trust_of(Path(folder), keys))
        trust = TrustRoots.load(Path(folder))

    def verify() -> None:
        for at in range(count):
            verify_record(made[at % len(made)][0], trust)

    records = seconds(verify)
    receipts = seconds(lambda: [verify_receipt(receipt, trust) for _record, receipt in made])
    return {
        "count": count,
        "seconds": records,
        "record_ms": records / count * 1000,
        "receipt_ms": receipts / len(made) * 1000,
        "night_core_hours": records / count * NIGHT / 3600,
        "trust_of_200_devices_s": opening,
    }


def evening() -> dict[str, float]:
    """A bundle of one kiosk's one contest, with the photographs of its pages."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        world = sealing.make_world(folder)
        shots = [data for _name, data, _values in demo_set(sealing.LAYOUT.id, 5)]
        pictures = {sealing.sha256_hex(data): data for data in shots}
        pages = [
            sealing.draft(1)["pages"][0] | {"page": number, "sha256": hashlib.sha256(data).digest()}
            for number, data in enumerate(shots, start=1)
        ]
        with Ledger.open(folder / "ledger") as ledger:
            ledger.commit(world.seal(1, pages=pages), pictures)
            opened = open_device(x509.load_der_x509_certificate(world.device_key.certificate))
            head = checkpoint.make(1, merkle.root(ledger.record_hashes()), opened, world.device_key).encode()
            members = gather(ledger, folder / "trust", {}, head)
            file = io.BytesIO()
            archive.write(file, members)
        trust = world.trust

        def check() -> None:
            file.seek(0)
            findings = examine_bundle("x", file, trust)
            assert not any(finding.refusal for finding in [*findings, compare(findings)])

        photographs = sum(map(len, shots))
        return {
            "bundle": len(file.getvalue()),
            "pictures": photographs,
            "without_pictures": len(file.getvalue()) - photographs,
            "verify_ms": seconds(check) * 1000,
        }


def main() -> None:
    """Prints all figures and writes them."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else COUNT
    found: dict[str, Any] = {"sizes": sizes(), "bundle": evening(), "night": night(count)}
    for form, weighs in found["sizes"].items():
        print(f"{form:<20}" + "  ".join(f"{name} {value}" for name, value in weighs.items()))
    for part in ("bundle", "night"):
        print(f"{part:<20}" + "  ".join(f"{name} {value:.4g}" for name, value in found[part].items()))
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
