"""What is asked of a collector, as HTTP requests. Pure.

    PUT   /v1/records/{sha256}    the COSE bytes; 200 or 201 with the signed acknowledgement
    POST  /v1/pictures            tus 1.0 creation: Upload-Length and Upload-Metadata (`sha256` and `record`, base64 of
                                  the hexadecimal hashes); 201 with Location, and Upload-Offset where a part is there
    PATCH /v1/pictures/{sha256}   tus 1.0: the bytes from Upload-Offset on with their Upload-Checksum; 204 with the new
                                  Upload-Offset; 409 another offset, 460 another checksum, 404 no such upload
    HEAD  /v1/pictures/{sha256}   200 with Upload-Offset; 404 no such upload

Every refusal is JSON {"code", "message"}.
"""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass

TUS_VERSION = "1.0.0"
COSE = "application/cose"
OFFSET_HEADER = "upload-offset"
CHECKSUM_MISMATCH = 460
"""tus's own status."""

_TUS = {"tus-resumable": TUS_VERSION}


@dataclass(frozen=True, slots=True)
class Request:
    """One request, path relative to the collector's address."""

    method: str
    path: str
    body: bytes
    headers: Mapping[str, str]


def put_record(sha256: bytes, cose: bytes) -> Request:
    """Offers a record."""
    return Request("PUT", f"v1/records/{sha256.hex()}", cose, {"content-type": COSE, "accept": COSE})


def create_picture(picture: bytes, record: bytes, size: int) -> Request:
    """Begins the upload of a picture of `size` bytes that `record` shows."""
    metadata = ",".join(f"{name} {_base64(value.hex().encode())}" for name, value in
                        (("sha256", picture), ("record", record)))  # fmt: skip
    return Request("POST", "v1/pictures", b"", {**_TUS, "upload-length": str(size), "upload-metadata": metadata})


def append_picture(picture: bytes, offset: int, piece: bytes) -> Request:
    """Sends the bytes of a picture that begin at `offset`."""
    headers = {
        "content-type": "application/offset+octet-stream",
        OFFSET_HEADER: str(offset),
        "upload-checksum": f"sha256 {_base64(hashlib.sha256(piece).digest())}",
    }
    return Request("PATCH", f"v1/pictures/{picture.hex()}", piece, {**_TUS, **headers})


def picture_offset(picture: bytes) -> Request:
    """Asks how much of a picture has arrived."""
    return Request("HEAD", f"v1/pictures/{picture.hex()}", b"", _TUS)


def _base64(data: bytes) -> str:
    return b64encode(data).decode("ascii")
