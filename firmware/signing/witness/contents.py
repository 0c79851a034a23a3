"""What is put into a witness's page: the public part of an opened trust folder that receipts are judged by.

The folder has been verified as for `c1kiosk verify` when it comes here. Device certificates go in whole, so that the
page itself verifies the issuing authority's signature on each and the root's on that authority; those of the same shape
are packed (`pack`). The same folder gives the same bytes on any machine: nothing is compressed by a library.
"""

from __future__ import annotations

import base64
from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from firmware.config import Contest
from firmware.errors import VerificationRefused
from firmware.forms.layout import FormLayout
from firmware.messages import LANGUAGES, templates
from firmware.receipt.clock import zone_of
from firmware.signing.statement import result_fields
from firmware.signing.trust import TrustRoots

MAX_DEVICES = 20_000
"""More than the kiosks of any kabupaten or kota; the page then weighs some 6 MB, which a phone still opens."""
MAX_PLACES = 5_000
"""Polling stations that are told by place and not by code alone: 80 bytes each."""


def contents_of(trust: TrustRoots, root: x509.Certificate | None) -> dict[str, Any]:
    """What the page's program reads (web/src/contents.ts). `root` is None for an unsigned development election.

    Raises VerificationRefused("witness-devices") when there are none or too many.
    """
    if not 1 <= len(trust.devices) <= MAX_DEVICES:
        raise VerificationRefused("witness-devices", found=len(trust.devices), most=MAX_DEVICES)
    election = trust.election.election
    stations = election.polling_stations
    named = len(stations) <= MAX_PLACES
    zones = {station.code[:2]: zone_of(station.code) for station in stations}
    return {
        "election": {"name": election.name, "mode": str(election.mode), "edition": trust.edition},
        "root": trust.root,
        "folder": trust.fingerprint,
        "authorities": {"root": _text(_der(root)) if root else "", "issuers": [_text(_der(i)) for i in trust.issuers]},
        "devices": pack(device.certificate for device in trust.devices.values()),
        "revoked": {kid.hex(): {"since": e.since, "reason": e.reason} for kid, e in trust.revoked.items()},
        "contests": {entry.id: _contest(entry, trust.contest_layout(entry.id)) for entry in election.contests},
        "stations": {station.code: station.place if named else "" for station in stations},
        "zones": {province: [zone.name, zone.value] for province, zone in zones.items()},
        "sentences": {language: templates("witness", language) for language in LANGUAGES},
    }


def pack(certificates: Iterable[x509.Certificate]) -> list[dict[str, Any]]:
    """The certificates in groups of one shape: the first of each, and of the others only the bytes that differ.

    `runs` are [start, length] of the bytes that differ anywhere in the group, `rows` those bytes of every further
    certificate. Certificates differ in their number, serial, key, and signature; the shape is only a good guess at
    where those stand: any grouping of certificates of one length unpacks to the same.
    """
    shapes: dict[tuple[int, ...], list[bytes]] = defaultdict(list)
    for certificate in certificates:
        shapes[_shape(certificate)].append(_der(certificate))
    return [_group(sorted(members)) for _, members in sorted(shapes.items())]


def _shape(certificate: x509.Certificate) -> tuple[int, ...]:
    """Lengths of the whole and of the parts whose length varies."""
    number = certificate.serial_number.bit_length() // 8
    return len(_der(certificate)), len(certificate.tbs_certificate_bytes), number


def _group(members: Sequence[bytes]) -> dict[str, Any]:
    first, *others = members
    runs = _runs([at for at, column in enumerate(zip(*members, strict=True)) if len(set(column)) > 1])
    rows = b"".join(other[start : start + length] for other in others for start, length in runs)
    return {"first": _text(first), "runs": runs, "rows": _text(rows)}


def _runs(places: Sequence[int]) -> list[list[int]]:
    """[start, length] of every run of consecutive numbers."""
    grouped = groupby(enumerate(places), lambda entry: entry[1] - entry[0])
    runs = [[place for _, place in run] for _, run in grouped]
    return [[run[0], len(run)] for run in runs]


def _contest(contest: Contest, layout: FormLayout) -> dict[str, Any]:
    """Title and result fields, each with the name of who stands there; empty where nobody does."""
    names = {candidate.number: candidate.name for candidate in contest.candidates}
    results = [
        {"id": field, "label": dict(layout.fields[field].label), "name": _name(field, names)}
        for field in result_fields(layout.fields)
    ]
    return {"title": dict(layout.title), "results": results}


def _name(field: str, names: dict[int, str]) -> str:
    """`suara_2` and `partai_2_total` are those of candidate or party number 2."""
    number = field.split("_")[1]
    name = names.get(int(number)) if number.isdecimal() else None
    return f"{number}. {name}" if name else ""


def _der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.DER)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
