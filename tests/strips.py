"""Records of the shipped forms as the ledger holds them, for what is printed from them."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from firmware.forms.layout import FormLayout
from firmware.records import SealedRecord, StoredRecord
from firmware.signing.cose import MessageType, sign
from firmware.signing.schema import check_record
from firmware.signing.statement import statement_of

TPS = "3276051004003"
PLACE = "Kel. Sukamaju, Kec. Cilodong, Kota Depok, Jawa Barat"

PPWP_2024 = {
    **{"pemilih_dpt_l": 140, "pemilih_dpt_p": 145, "pemilih_dpt_j": 285},
    **{"pengguna_dpt_l": 110, "pengguna_dpt_p": 116, "pengguna_dpt_j": 226},
    **{"pengguna_dptb_l": 2, "pengguna_dptb_p": 1, "pengguna_dptb_j": 3},
    **{"pengguna_dpk_l": 0, "pengguna_dpk_p": 2, "pengguna_dpk_j": 2},
    **{"pengguna_total_l": 112, "pengguna_total_p": 119, "pengguna_total_j": 231},
    **{"surat_suara_diterima": 291, "surat_suara_digunakan": 231},
    **{"surat_suara_dikembalikan": 1, "surat_suara_sisa": 59},
    **{"disabilitas_l": 1, "disabilitas_p": 0, "disabilitas_j": 1},
    **{"suara_1": 61, "suara_2": 128, "suara_3": 38, "suara_sah": 227, "suara_tidak_sah": 4, "suara_total": 231},
}
"""A polling station whose sums hold."""


class Key:
    """A key with a certificate's worth of bytes: `cose.sign` needs no more."""

    certificate = b"certificate of a test"
    _key = ec.derive_private_key(7, ec.SECP256R1())

    def sign(self, message: bytes) -> bytes:
        """r || s."""
        r, s = decode_dss_signature(self._key.sign(message, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32) + s.to_bytes(32)


def stored(
    form: FormLayout,
    values: Mapping[str, int | None],
    machine: Mapping[str, int | None] | None = None,
    **changes: Any,
) -> StoredRecord:
    """A record of `form`; `machine` are the fields that the machine read otherwise, `changes` replace its parts."""
    read = {**values, **(machine or {})}
    payload = _payload(form, values, read) | changes
    cose = sign(payload, MessageType.RECORD, Key())
    statement = statement_of(hashlib.sha256(cose).digest(), check_record(payload))
    receipt = sign(statement.payload(), MessageType.RECEIPT, Key())
    sealed = SealedRecord(cose, receipt, hashlib.sha256(cose).digest(), payload["sequence"], payload)
    return StoredRecord(sealed, datetime(2029, 2, 14, 14, 0, tzinfo=UTC))


def _payload(form: FormLayout, values: Mapping[str, int | None], read: Mapping[str, int | None]) -> dict[str, Any]:
    return {
        "mode": "development",
        "election": _hash("election"),
        "tps": TPS,
        "contest": form.contest,
        "form": form.id,
        "layout": bytes.fromhex(form.sha256),
        "pages": [
            {
                "page": page.number,
                "sha256": _hash(f"picture {page.number}"),
                "facts": {},
                "marks": ["TL"],
                "residual_um": 120,
                "support_ppm": 970_000,
            }
            for page in form.pages
        ],
        "fields": [_field(name, form.fields[name].page, values[name], read[name]) for name in form.fields],
        "failed": [],
        "confirmed_by": "ketua",
        "software": "c1kiosk 0.1.0",
        "model": _hash("model"),
        "journal": _hash("journal"),
        "supersedes": None,
        "reason": "",
        "sequence": 12,
        "previous": _hash("previous"),
        "log": {"size": 11, "root": _hash("root")},
        "time": {"unix": 1_865_773_445, "clock": "synchronised"},
    }


def _field(name: str, page: int, value: int | None, read: int | None) -> dict[str, Any]:
    settled = "machine-and-confirmed" if value == read else "typed" if read is None else "corrected"
    machine = {"value": read, "text": "" if read is None else str(read), "confidence_ppm": 999_000}
    return {"id": name, "page": page, "value": value, "settled": settled, "machine": machine}


def _hash(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def crowded(form: FormLayout, parties: int, candidates: int) -> FormLayout:
    """`form` with so many parties of so many candidates on its first page, as a national election has them."""
    first, *rest = form.pages
    pattern = first.fields[0]
    ids = [
        (f"partai_{party}_{what}", label)
        for party in range(1, parties + 1)
        for what, label in (
            ("suara", f"Partai {party}, suara partai"),
            *((f"calon_{number}", f"Partai {party}, calon {number}") for number in range(1, candidates + 1)),
            ("total", f"Partai {party}, jumlah"),
        )
    ]
    added = tuple(dataclasses.replace(pattern, id=name, label={"id": label, "en": label}) for name, label in ids)
    return dataclasses.replace(form, pages=(dataclasses.replace(first, fields=(*first.fields, *added)), *rest))
