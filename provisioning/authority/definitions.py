"""Election definitions as files: what trust is put into them, and how a device is revoked. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from firmware.config import parse_election
from firmware.forms.layout import FormLayout
from firmware.signing.authorities import Scope
from firmware.signing.keys import KEY_ID_BYTES
from provisioning.authority.issuing import ProvisioningRefused


def with_trust(
    data: bytes,
    issuers: Sequence[x509.Certificate],
    collectors: Mapping[str, Sequence[x509.Certificate]],
    layouts: Mapping[str, FormLayout],
) -> bytes:
    """The definition `data` (JSON) with its first `trust`; `data` itself when that is in it already. Raises Refused.

    `layouts` are those that the program knows, by id; those of the definition's contests are named by hash. Of
    `collectors` only those of the definition are taken.
    """
    election, document = parse_election(data).election, json.loads(data)
    already = document.pop("trust", None)
    forms = sorted({contest.form for contest in election.contests})
    missing = [form for form in forms if form not in layouts]
    if missing:
        raise ProvisioningRefused("definition-form", form=missing[0])
    unnamed = [entry.id for entry in election.collectors if not collectors.get(entry.id)]
    if unnamed:
        raise ProvisioningRefused("definition-collector", id=unnamed[0])
    document["trust"] = {
        "id": Scope.of(issuers[0]).election,
        "edition": 1,
        "earlier": [],
        "issuers": [_pem(entry) for entry in issuers],
        "layouts": {form: layouts[form].sha256 for form in forms},
        "collectors": {entry.id: [_pem(pem) for pem in collectors[entry.id]] for entry in election.collectors},
        "revoked": [],
    }
    if already not in (None, document["trust"]):
        raise ProvisioningRefused("definition-trust", edition=already["edition"])
    return _written(document)


def revoked(data: bytes, kid: bytes, since: int, reason: str) -> bytes:
    """The next edition of `data`, in which the device is revoked; records of this one stand. Raises Refused."""
    trust = parse_election(data).election.trust
    if trust is None or len(kid) != KEY_ID_BYTES:
        raise ProvisioningRefused("definition-no-trust")
    document = json.loads(data)
    others = [entry for entry in document["trust"].get("revoked", []) if entry["kid"] != kid.hex()]
    document["trust"] |= {
        "edition": trust.edition + 1,
        "earlier": [*trust.earlier, hashlib.sha256(data).hexdigest()],
        "revoked": [*others, {"kid": kid.hex(), "since": since, "reason": reason}],
    }
    return _written(document)


def _written(document: dict[str, Any]) -> bytes:
    data = json.dumps(document, indent=1, ensure_ascii=False).encode() + b"\n"
    parse_election(data)
    return data


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(Encoding.PEM).decode()
