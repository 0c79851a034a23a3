"""The signer process: seals drafts that come over a Unix socket. No network, no files but its own.

    POST /v1/seal          body: a draft (CBOR)   -> { "cose", "receipt" }
    GET  /v1/device                               -> { "certificate", "authority", "protection" }
    GET  /v1/head                                 -> { "size", "root", "last", "journal" }, see head.py
    GET  /v1/checkpoint                           -> a signed note (text), see checkpoint.py
    POST /v1/self-test     body: a draft (CBOR)   -> { "report" }, see selftest_report.py
    any refusal                                   -> { "code", "details" }, status 422; 503 when the disk fails

On a socket of its own (`head.sock`) only /v1/checkpoint answers: for the process that writes USB sticks.

Who may connect is decided by user id (firmware/http.py). All bodies but the note are deterministic CBOR. Every refusal
is in the signer's journal (journal.py) before it is answered, and so is whoever may not connect.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import click
import structlog
from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from firmware.errors import Refused, SignerRefused
from firmware.http import MAX_BODY_BYTES, serve_unix
from firmware.messages import both
from firmware.signing.development_key import DevelopmentKey
from firmware.signing.encoding import decode, encode
from firmware.signing.keys import DeviceKey
from firmware.signing.signer import ClockQuality, ClockReading, Signer

MEDIA_TYPE = "application/cbor"
SYNCHRONISED = Path("/run/systemd/timesync/synchronized")
"""systemd-timesyncd makes this file once it has set the clock."""

_log = structlog.get_logger(__name__)


def system_clock() -> ClockReading:
    """The system's clock, and whether a time server has set it."""
    quality = ClockQuality.SYNCHRONISED if SYNCHRONISED.exists() else ClockQuality.FREE_RUNNING
    return ClockReading(int(time.time()), quality)


def create_app(signer: Signer, key: DeviceKey) -> Flask:
    """The signer as a WSGI application."""
    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES

    @app.post("/v1/seal")
    def seal() -> Response:
        sealed = signer.seal(_draft())
        _log.info("record.sealed", sequence=sealed.sequence, sha256=sealed.sha256.hex())
        return _answer({"cose": sealed.cose, "receipt": sealed.receipt})

    @app.get("/v1/device")
    def device() -> Response:
        answer = {"certificate": key.certificate, "authority": key.authority, "protection": str(key.protection)}
        return _answer(answer)

    @app.get("/v1/head")
    def head() -> Response:
        found = signer.head()
        return _answer({"size": found.size, "root": found.root, "last": found.last, "journal": found.journal})

    @app.get("/v1/checkpoint")
    def checkpoint() -> Response:
        return Response(signer.checkpoint(), content_type="text/plain; charset=utf-8")

    @app.post("/v1/self-test")
    def self_test() -> Response:
        return _answer({"report": signer.report(_draft())})

    @app.errorhandler(Refused)
    def refused(refusal: Refused) -> Response:
        return _refuse(signer, _refusal(refusal.code, refusal.details, 422), refusal.code)

    @app.errorhandler(HTTPException)
    def http(fault: HTTPException) -> Response:
        answer = _refusal("signer-request", {"problem": fault.name}, fault.code or 500)
        return _refuse(signer, answer, "signer-request")

    @app.errorhandler(OSError)
    def disk(fault: OSError) -> Response:
        return _disk(fault)

    return app


def create_head_app(signer: Signer) -> Flask:
    """Tells the signed head of the log and nothing else."""
    app = Flask(__name__)

    @app.get("/v1/checkpoint")
    def checkpoint() -> Response:
        return Response(signer.checkpoint(), content_type="text/plain; charset=utf-8")

    @app.errorhandler(Refused)
    def refused(refusal: Refused) -> Response:
        return _refuse(signer, _refusal(refusal.code, refusal.details, 422), refusal.code)

    return app


def _draft() -> dict[Any, Any]:
    draft = decode(request.get_data())
    if not isinstance(draft, dict):
        raise SignerRefused("schema", problem="not a map")
    return draft


def _refuse(signer: Signer, answer: Response, code: str) -> Response:
    """The answer, when the journal has it; what cannot be written down is a failure of the disk."""
    _log.warning("signer.refused", code=code, status=answer.status_code)
    try:
        signer.journal.refused(code)
    except OSError as fault:
        return _disk(fault)
    return answer


def _disk(fault: OSError) -> Response:
    _log.error("signer.disk", problem=str(fault))
    return _refusal("signer-disk", {"problem": fault.strerror or ""}, 503)


def _answer(value: Any, status: int = 200) -> Response:
    return Response(encode(value), status, content_type=MEDIA_TYPE)


def _refusal(code: str, details: dict[str, Any], status: int) -> Response:
    plain = {name: value if isinstance(value, int | str) else str(value) for name, value in details.items()}
    return _answer({"code": code, "details": plain}, status)


@click.command()
@click.option("--state", type=click.Path(path_type=Path), required=True, help="Folder of the key and the chain.")
@click.option("--socket", "path", type=click.Path(path_type=Path), required=True, help="Unix socket to listen on.")
@click.option("--user", "users", type=int, multiple=True, help="User id that may connect besides our own and root.")
def main(state: Path, path: Path, users: tuple[int, ...]) -> None:
    """Run the signer."""
    try:
        key = DevelopmentKey.open(state / "key")
        signer = Signer(state, key, system_clock)
    except Refused as refusal:
        click.echo(f"{refusal.code}: {both('error.' + refusal.code, **refusal.details)}", err=True)
        sys.exit(1)
    _log.info("signer.ready", serial=signer.serial, protection=str(key.protection), socket=str(path))
    serve_unix(create_app(signer, key), path, users, signer.stranger)


if __name__ == "__main__":
    main()
