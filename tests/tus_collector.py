"""A collector's side of the wire contract (firmware/uplink/wire.py), written from the contract alone, in memory.

It acknowledges whatever record it is offered and believes nothing about pictures: order, offset, checksum and hash are
checked, and everything that came is written down, so that a test can say what was lost, doubled or too early.
"""

from __future__ import annotations

import hashlib
import json
import threading
from base64 import b64decode, b64encode
from collections import Counter
from http.server import BaseHTTPRequestHandler

from firmware.signing.acknowledgement import acknowledge
from firmware.signing.cose import SigningKey
from tests.sealing import SEALED_AT


class TusCollector:
    """What `tests.uplinks.somebody` serves: `answer`."""

    def __init__(self, key: SigningKey) -> None:
        self._key = key
        self._lock = threading.Lock()
        self.records: dict[str, bytes] = {}
        self.arrived: list[str] = []
        """"record" and "piece", in the order in which they came."""
        self.uploads: dict[str, bytes] = {}
        self.lengths: dict[str, int] = {}
        self.stored: Counter[str] = Counter()
        """How often the last byte of a picture came."""
        self.pieces: list[int] = []
        """The sizes of the pieces that were taken."""
        self.damage = 0
        """So many pieces are damaged on their way."""

    def answer(self, handler: BaseHTTPRequestHandler, body: bytes) -> None:
        with self._lock:
            status, content, headers = self._route(handler, body)
        if status >= 400:
            content = json.dumps({"code": "stand-in", "message": ""}).encode()
        handler.send_response(status)
        for name, value in {**headers, "Tus-Resumable": "1.0.0"}.items():
            handler.send_header(name, value)
        if status != 204:
            handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        if handler.command != "HEAD" and status != 204:
            handler.wfile.write(content)

    def _route(self, handler: BaseHTTPRequestHandler, body: bytes) -> tuple[int, bytes, dict[str, str]]:
        name = handler.path.rpartition("/")[2]
        match handler.command:
            case "PUT":
                assert hashlib.sha256(body).hexdigest() == name
                self.records[name] = body
                self.arrived.append("record")
                return 201, acknowledge(bytes.fromhex(name), SEALED_AT, self._key), {}
            case "POST":
                return self._create(handler)
            case "HEAD" if name in self.uploads:
                offset, length = len(self.uploads[name]), self.lengths[name]
                return 200, b"", {"Upload-Offset": str(offset), "Upload-Length": str(length)}
            case "PATCH" if name in self.uploads:
                return self._append(name, handler, body)
        return 404, b"", {}

    def _create(self, handler: BaseHTTPRequestHandler) -> tuple[int, bytes, dict[str, str]]:
        entries = (entry.split(" ") for entry in handler.headers["Upload-Metadata"].split(","))
        metadata = {key: b64decode(value).decode() for key, value in entries}
        name = metadata["sha256"]
        if metadata["record"] not in self.records:
            return 422, b"", {}
        self.uploads.setdefault(name, b"")
        self.lengths[name] = int(handler.headers["Upload-Length"])
        return 201, b"", {"Location": f"/v1/pictures/{name}", "Upload-Offset": str(len(self.uploads[name]))}

    def _append(self, name: str, handler: BaseHTTPRequestHandler, body: bytes) -> tuple[int, bytes, dict[str, str]]:
        if int(handler.headers["Upload-Offset"]) != len(self.uploads[name]):
            return 409, b"", {}
        if self.damage:
            self.damage -= 1
            body = body[:-1] + bytes([body[-1] ^ 1])
        if handler.headers["Upload-Checksum"] != f"sha256 {b64encode(hashlib.sha256(body).digest()).decode()}":
            return 460, b"", {}
        self.uploads[name] += body
        self.pieces.append(len(body))
        self.arrived.append("piece")
        if len(self.uploads[name]) == self.lengths[name]:
            if hashlib.sha256(self.uploads[name]).hexdigest() != name:
                return 422, b"", {}
            self.stored[name] += 1
        return 204, b"", {"Upload-Offset": str(len(self.uploads[name]))}
