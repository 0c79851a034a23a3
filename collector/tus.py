"""Pictures by resumable upload: tus 1.0 with the extensions creation and checksum (https://tus.io/protocols).

    OPTIONS /v1/pictures            what is spoken here
    POST  /v1/pictures              Upload-Length, Upload-Metadata: `sha256 BASE64,record BASE64` (of hexadecimal)
                                    201, Location /v1/pictures/{sha256}, Upload-Offset
    HEAD  /v1/pictures/{sha256}     200, Upload-Offset and Upload-Length: equal when it is stored; 404 unknown
    PATCH /v1/pictures/{sha256}     Upload-Offset, Upload-Checksum: `sha256 BASE64`; 204, Upload-Offset
                                    409 another offset, 460 checksum, 422 the whole is not this picture
    GET   /v1/pictures/{sha256}     200: the picture, once it is stored; needs no certificate

A picture is announced for a stored record that names it: 404 or 422 otherwise. A piece has at most PIECE_BYTES_MAX
bytes and a checksum; of a piece that broke off nothing counts.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from http import HTTPStatus

from flask import Blueprint, Response, request, url_for

from collector.callers import Callers
from collector.pictures import PictureStore
from collector.store import RecordStore
from collector.submission import CollectorRefused, hash_of
from collector.uploads import PIECE_BYTES_MAX, Progress, Uploads
from firmware.ledger.pictures import PICTURE_BYTES_MAX

VERSION = "1.0.0"
PIECE_TYPE = "application/offset+octet-stream"
_ALGORITHM = "sha256"
_KINDS = {b"\xff\xd8\xff": "image/jpeg", b"\x89PNG": "image/png"}
"""How a picture file begins; anything else is not shown by a browser."""
_FOREVER = "public, max-age=31536000, immutable"
"""A name is the hash of its content."""


def picture_routes(
    store: RecordStore, uploads: Uploads, keeper: PictureStore, callers: Callers, clock: Callable[[], float]
) -> Blueprint:
    """The addresses under /v1/pictures."""
    routes = Blueprint("pictures", __name__)

    @routes.before_request
    def check_version() -> None:
        if request.method in ("POST", "PATCH") and request.headers.get("Tus-Resumable") != VERSION:
            raise CollectorRefused("collector-upload-version", version=VERSION)

    @routes.after_request
    def say_version(response: Response) -> Response:
        response.headers["Tus-Resumable"] = VERSION
        return response

    @routes.route("/v1/pictures", methods=["OPTIONS"], provide_automatic_options=False)
    def options() -> tuple[Response, int]:
        says = {
            "Tus-Version": VERSION,
            "Tus-Extension": "creation,checksum",
            "Tus-Checksum-Algorithm": _ALGORITHM,
            "Tus-Max-Size": str(PICTURE_BYTES_MAX),
        }
        return Response(headers=says), HTTPStatus.NO_CONTENT

    _add_sending(routes, store, uploads, callers, clock)
    _add_reading(routes, uploads, keeper, callers)
    return routes


def _add_sending(
    routes: Blueprint, store: RecordStore, uploads: Uploads, callers: Callers, clock: Callable[[], float]
) -> None:
    @routes.post("/v1/pictures")
    def announce() -> tuple[Response, int]:
        said = _metadata(request.headers.get("Upload-Metadata", ""))
        picture, record = hash_of(said.get("sha256", "")), hash_of(said.get("record", ""))
        check_carrier(record)
        known = uploads.announce(picture, record, _number("Upload-Length"), int(clock()))
        response = _told(known)
        response.headers["Location"] = url_for(".picture", name=picture.hex())
        return response, HTTPStatus.CREATED

    @routes.patch("/v1/pictures/<name>")
    def add(name: str) -> tuple[Response, int]:
        picture = hash_of(name)
        record = uploads.record_of(picture)
        if record is None and uploads.progress(picture) is None:
            raise CollectorRefused("collector-picture-unknown", picture=name)
        if record is not None:
            check_carrier(record)
        if request.content_type != PIECE_TYPE:
            raise CollectorRefused("collector-upload-header", header="Content-Type")
        checksum, offset = _checksum(request.headers.get("Upload-Checksum", "")), _number("Upload-Offset")
        reached = uploads.add(picture, offset, _piece(), checksum, int(clock()))
        return _told(reached), HTTPStatus.NO_CONTENT

    def check_carrier(record: bytes) -> None:
        device = store.device_of(record)
        if device is None:
            raise CollectorRefused("collector-unknown-record", record=record.hex())
        callers.check_carrier(request.environ, device)


def _add_reading(routes: Blueprint, uploads: Uploads, keeper: PictureStore, callers: Callers) -> None:
    @routes.route("/v1/pictures/<name>", methods=["GET", "HEAD"])
    def picture(name: str) -> Response:
        sha256 = hash_of(name)
        if request.method == "HEAD":
            callers.check_known(request.environ)
            known = uploads.progress(sha256)
            if known is None:
                raise CollectorRefused("collector-picture-unknown", picture=name)
            return _told(known)
        data = keeper.read(sha256)
        if data is None:
            raise CollectorRefused("collector-picture-unknown", picture=name)
        kind = next((kind for start, kind in _KINDS.items() if data.startswith(start)), "application/octet-stream")
        said = {"Cache-Control": _FOREVER, "X-Content-Type-Options": "nosniff"}
        return Response(data, content_type=kind, headers=said)


def _told(known: Progress) -> Response:
    says = {"Upload-Offset": str(known.offset), "Upload-Length": str(known.length), "Cache-Control": "no-store"}
    return Response(headers=says)


def _piece() -> bytes:
    """The body, all of it."""
    if (request.content_length or 0) > PIECE_BYTES_MAX:
        raise CollectorRefused("collector-too-large", most=PIECE_BYTES_MAX)
    return request.get_data(cache=False)


def _number(header: str) -> int:
    text = request.headers.get(header, "")
    if not (text.isascii() and text.isdigit()) or len(text) > len(str(PICTURE_BYTES_MAX)) + 1:
        raise CollectorRefused("collector-upload-header", header=header)
    return int(text)


def _metadata(text: str) -> Mapping[str, str]:
    """Upload-Metadata: pairs of key and base64, with a comma between them."""
    found = {}
    for pair in text.split(","):
        key, _, value = pair.strip().partition(" ")
        found[key] = _base64(value, "Upload-Metadata").decode("ascii", "replace")
    return found


def _checksum(text: str) -> bytes:
    algorithm, _, value = text.partition(" ")
    if algorithm != _ALGORITHM:
        raise CollectorRefused("collector-upload-header", header="Upload-Checksum")
    return _base64(value, "Upload-Checksum")


def _base64(text: str, header: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise CollectorRefused("collector-upload-header", header=header) from error
