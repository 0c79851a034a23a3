"""The local API, version 1, read-only: what is sealed and where the kiosk stands, for an operator's own tools.

    GET /v1/status                               the session, and how many records there are
    GET /v1/records?after=&limit=                sealed records in the order of the chain
    GET /v1/records/{sha256}                     the record, byte for byte as it was signed
    GET /v1/records/{sha256}/images              the pictures it names
    GET /v1/records/{sha256}/images/{page}       one of them, untouched; may be pulled in parts
    GET /v1/records/{sha256}/proof?size=         that the record is in the log of all records
    GET /v1/consistency?from=&to=                that one log is the beginning of another
    GET /v1/device, /v1/device/certificate       the device certificate, opened, and as PEM
    GET /v1/openapi.json                         this description, for machines

On loopback it stands beside the screen; on a network it stands alone (lan.py). It reads the ledger and the trust folder
and asks the station how it stands; the signer's socket is not for it. Refusals are RFC 9457 problems (problems.py).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

from cryptography.hazmat.primitives.serialization import Encoding
from flask import Blueprint, current_app
from msgspec import UNSET
from werkzeug.routing import BaseConverter

from firmware.endpoint import openapi
from firmware.endpoint.answers import (
    AtSize,
    Between,
    Consistency,
    DeviceAnswer,
    ImageEntry,
    ImageList,
    Inclusion,
    Paging,
    RecordList,
    Status,
)
from firmware.endpoint.contract import Content, serves
from firmware.endpoint.exposure import Exposure, reachable
from firmware.endpoint.problems import ApiRefused
from firmware.endpoint.sources import Sources, entry_of, first, pictures_of
from firmware.errors import LedgerRefused
from firmware.ledger.store import Ledger
from firmware.records import StoredRecord
from firmware.signing import merkle
from firmware.signing.keys import key_id

routes = Blueprint("api", __name__, url_prefix="/v1")

COSE = 'application/cose; cose-type="cose-sign1"'
JPEG = "image/jpeg"
PEM = "application/pem-certificate-chain"
"""RFC 8555, 9.1."""

_MISSING, _AWAY = HTTPStatus.NOT_FOUND, HTTPStatus.SERVICE_UNAVAILABLE
_BROKEN = HTTPStatus.INTERNAL_SERVER_ERROR
"""What the ledger holds is damaged: told, never served."""


class Sha256Converter(BaseConverter):
    """A record's name in an address."""

    regex = "[0-9a-f]{64}"
    schema: Mapping[str, Any] = {"type": "string", "pattern": "^[0-9a-f]{64}$"}


class PageConverter(BaseConverter):
    """A page number in an address."""

    regex = "[1-9][0-9]{0,2}"
    schema: Mapping[str, Any] = {"type": "integer", "minimum": 1, "maximum": 999}

    def to_python(self, value: str) -> int:
        """The number."""
        return int(value)


CONVERTERS: Mapping[str, type[BaseConverter]] = {"sha256": Sha256Converter, "page": PageConverter}
"""To be known to an application before `routes` are registered."""


@routes.get("/status")
@reachable(Exposure.LAN)
@serves()
def status() -> Status:
    """Where the session stands, and how many records there are.

    Always answers: what cannot be told is null, with the reason beside it.
    """
    session, newest, count, problem = _sources().session(), None, None, None
    try:
        with _sources().ledger() as ledger:
            count = len(ledger.record_hashes())
            last = ledger.records(after=count - 1) if count else ()
            newest = entry_of(last[-1]) if last else None
    except LedgerRefused as refusal:
        count, problem = None, refusal.code
    return Status("here" if session else "away", session, count, newest, problem)


@routes.get("/records")
@reachable(Exposure.LAN)
@serves(refuses=(_BROKEN, _AWAY))
def records(query: Paging) -> RecordList:
    """Sealed records in the order of the chain, a part at a time."""
    with _sources().ledger() as ledger:
        found = ledger.records(after=query.after, limit=query.limit + 1)
    shown = tuple(entry_of(stored) for stored in found[: query.limit])
    more = {"after": shown[-1].sequence, "limit": query.limit} if len(found) > query.limit else None
    return RecordList(shown, f"{routes.url_prefix}/records?{urlencode(more)}" if more else None)


@routes.get("/records/<sha256:name>")
@reachable(Exposure.LAN)
@serves(COSE, refuses=(_MISSING, _BROKEN, _AWAY))
def record(name: str) -> Content:
    """One record, byte for byte as it was signed."""
    with _sources().ledger() as ledger:
        return Content(_stored(ledger, name).sealed.cose, name)


@routes.get("/records/<sha256:name>/images")
@reachable(Exposure.LAN)
@serves(refuses=(_MISSING, _BROKEN, _AWAY))
def images(name: str) -> ImageList:
    """The pictures that a record names, by page."""
    with _sources().ledger() as ledger:
        pictures = pictures_of(_stored(ledger, name))
        return ImageList(tuple(ImageEntry(page, sha, ledger.picture_bytes(sha)) for page, sha in pictures.items()))


@routes.get("/records/<sha256:name>/images/<page:page>")
@reachable(Exposure.LAN)
@serves(JPEG, refuses=(_MISSING, _BROKEN, _AWAY))
def image(name: str, page: int) -> Content:
    """One picture, byte for byte as the camera gave it.

    The entity tag is its SHA-256. A pull that broke off goes on with Range and If-Range.
    """
    with _sources().ledger() as ledger:
        sha256 = pictures_of(_stored(ledger, name)).get(page)
        if sha256 is None:
            raise ApiRefused("page-unknown", page=page)
        return Content(ledger.picture(sha256), sha256)


@routes.get("/records/<sha256:name>/proof")
@reachable(Exposure.LAN)
@serves(refuses=(_MISSING, _BROKEN, _AWAY))
def proof(name: str, query: AtSize) -> Inclusion:
    """That the record is in the log of all records of the device (RFC 9162, 2.1.3)."""
    with _sources().ledger() as ledger:
        index = _stored(ledger, name).sealed.sequence - 1
        hashes = ledger.record_hashes()
    log = first(hashes, len(hashes) if query.size is UNSET else query.size)
    if index >= len(log):
        raise ApiRefused("log-before-record", size=len(log), sequence=index + 1)
    path = merkle.inclusion_proof(log, index)
    return Inclusion(name, index, len(log), merkle.root(log).hex(), _hex(path))


@routes.get("/consistency")
@reachable(Exposure.LAN)
@serves(refuses=(_MISSING, _AWAY))
def consistency(query: Between) -> Consistency:
    """That the log of the first `from` records is the beginning of the log of the first `to` (RFC 9162, 2.1.4)."""
    if query.from_ > query.to:
        raise ApiRefused("log-order", older=query.from_, newer=query.to)
    with _sources().ledger() as ledger:
        log = first(ledger.record_hashes(), query.to)
    old = log[: query.from_]
    path = merkle.consistency_proof(log, query.from_)
    return Consistency(query.from_, query.to, merkle.root(old).hex(), merkle.root(log).hex(), _hex(path))


@routes.get("/device")
@reachable(Exposure.LAN)
@serves(refuses=(_MISSING, _BROKEN, _AWAY))
def device() -> DeviceAnswer:
    """The certificate of the key that signed the newest record, opened."""
    found = _sources().device()
    certificate, claims = found.certificate, found.claims
    return DeviceAnswer(
        key_id(certificate.public_bytes(Encoding.DER)).hex(),
        claims.serial,
        claims.world,
        claims.protection,
        certificate.not_valid_before_utc.isoformat(),
        certificate.not_valid_after_utc.isoformat(),
    )


@routes.get("/device/certificate")
@reachable(Exposure.LAN)
@serves(PEM, refuses=(_MISSING, _BROKEN, _AWAY))
def certificate() -> Content:
    """The certificate of the key that signed the newest record, as PEM.

    Its entity tag is the SHA-256 of the DER form, of which the key id is the beginning.
    """
    found = _sources().device().certificate
    return Content(found.public_bytes(Encoding.PEM), hashlib.sha256(found.public_bytes(Encoding.DER)).hexdigest())


@routes.get("/openapi.json")
@reachable(Exposure.LAN)
@serves()
def description() -> dict[str, Any]:
    """This description, for machines (OpenAPI 3.1)."""
    return openapi.describe(current_app)


def _sources() -> Sources:
    sources: Sources = current_app.extensions["sources"]
    return sources


def _stored(ledger: Ledger, name: str) -> StoredRecord:
    return ledger.record(bytes.fromhex(name))


def _hex(path: Sequence[bytes]) -> tuple[str, ...]:
    return tuple(node.hex() for node in path)
