"""The collector's HTTP interface (DESIGN 5.5).

    PUT /v1/records/{sha256}            body: COSE bytes   200 or 201: the signed acknowledgement (COSE); idempotent
    GET /v1/records/{sha256}            200: the COSE bytes
    GET /v1/records/{sha256}/pictures   200: {"missing": [hexadecimal SHA-256...]}
    GET /v1/log/checkpoint              200: the signed head of the collector's log (C2SP tlog-checkpoint)
    GET /v1/log/proof?record={sha256}   200: that the record is in it (C2SP tlog-proof)
    GET /v1/log/consistency?old={size}  200: that the log of that size begins it
    GET /v1/status                      200: counts, JSON

Pictures are in tus.py, receipt codes in struk.py, the pages for people and KPU's JSON in pages.py. Every other answer
is JSON {"code", "message"}: 4xx when this is not taken, 5xx when nothing can be taken now. A record is verified, then
stored, and only then acknowledged; sent again, it is answered with the same bytes. With a queue before the database,
intake.py says what is different.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from http import HTTPStatus

import structlog
from flask import Blueprint, Flask, Response, jsonify, request

from collector.answers import add_error_handlers
from collector.callers import Callers
from collector.exports import export_routes
from collector.intake import Intake
from collector.notes import checkpoint_of, growth_note, proof_note
from collector.pages import Shelf, kpu_routes, page_routes
from collector.pictures import PictureFolder, PictureStore
from collector.rates import Rates
from collector.receipts import ReceiptStore
from collector.receiving import Arrival, Held
from collector.refusals import Refusals
from collector.store import RecordStore
from collector.struk import struk_routes
from collector.submission import CollectorRefused, hash_of, submission_of
from collector.tus import picture_routes
from collector.uploads import Uploads
from firmware.signing.acknowledgement import acknowledge
from firmware.signing.cose import SigningKey
from firmware.signing.encoding import MAX_BYTES
from firmware.signing.trust import TrustRoots

CONTENT_TYPE = "application/cose"

_log = structlog.get_logger(__name__)


def create_app(
    store: RecordStore,
    trust: TrustRoots,
    key: SigningKey,
    clock: Callable[[], float],
    callers: Callers | None = None,
    keeper: PictureStore | None = None,
    intake: Intake | None = None,
) -> Flask:
    """The collector as a WSGI application; `clock` gives Unix seconds. Without `callers` everybody may do everything,
    without `keeper` the pictures lie in the store's folder, without `intake` records go straight into the store."""
    callers = callers or Callers()
    keeper = keeper or PictureFolder(store.folder / "pictures")
    refusals = Refusals(store.engine)
    app = Flask(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = MAX_BYTES

    def tell(code: str) -> None:
        refusals.count(code, callers.name(request.environ), request.path, int(clock()))

    add_error_handlers(app, tell, intake.may_wait if intake else lambda _record: False)
    receive = intake.receive if intake else store.receive
    app.register_blueprint(_record_routes(store, receive, trust, key, clock, callers))
    app.register_blueprint(_log_routes(store, key))
    shelf = Shelf.of(store, trust, callers, refusals, clock, intake)
    app.register_blueprint(page_routes(shelf))
    app.register_blueprint(export_routes(shelf, clock))
    app.register_blueprint(kpu_routes(shelf))
    app.register_blueprint(picture_routes(store, Uploads(store, keeper), keeper, callers, clock))

    app.register_blueprint(struk_routes(shelf, ReceiptStore(store), clock, Rates(time.monotonic)))

    @app.get("/v1/status")
    def get_status() -> Response:
        return jsonify({"election": trust.election.sha256, **store.counts()})

    return app


def _record_routes(
    store: RecordStore,
    receive: Callable[[Arrival], Held],
    trust: TrustRoots,
    key: SigningKey,
    clock: Callable[[], float],
    callers: Callers,
) -> Blueprint:
    routes = Blueprint("records", __name__)

    @routes.put("/v1/records/<name>")
    def put_record(name: str) -> tuple[Response, int]:
        callers.check_known(request.environ)
        submission = submission_of(name, request.get_data(cache=False), trust)
        callers.check_carrier(request.environ, submission.device)
        now = int(clock())
        held = receive(Arrival(submission, acknowledge(submission.sha256, now, key), now))
        _log.info("collector.record", record=name, new=held.new, device=submission.device, sequence=submission.sequence)
        status = HTTPStatus.CREATED if held.new else HTTPStatus.OK
        return Response(held.acknowledgement, content_type=CONTENT_TYPE), status

    @routes.get("/v1/records/<name>")
    def get_record(name: str) -> Response:
        cose = store.record(hash_of(name))
        if cose is None:
            raise CollectorRefused("collector-unknown-record", record=name)
        return Response(cose, content_type=CONTENT_TYPE)

    @routes.get("/v1/records/<name>/pictures")
    def get_missing(name: str) -> Response:
        missing = store.missing_pictures(hash_of(name))
        if missing is None:
            raise CollectorRefused("collector-unknown-record", record=name)
        return jsonify(missing=[picture.hex() for picture in missing])

    return routes


def _log_routes(store: RecordStore, key: SigningKey) -> Blueprint:
    routes = Blueprint("log", __name__)

    @routes.get("/v1/log/checkpoint")
    def get_checkpoint() -> Response:
        return _text(checkpoint_of(*store.head(), key).encode())

    @routes.get("/v1/log/proof")
    def get_proof() -> Response:
        name = request.args.get("record", "")
        proven = store.prove(hash_of(name))
        if proven is None:
            raise CollectorRefused("collector-unknown-record", record=name)
        return _text(proof_note(proven, key))

    @routes.get("/v1/log/consistency")
    def get_consistency() -> Response:
        old = request.args.get("old", type=int)
        growth = None if old is None else store.prove_growth(old)
        if old is None or growth is None:
            raise CollectorRefused("collector-log-size")
        return _text(growth_note(old, *growth, key))

    return routes


def _text(note: bytes) -> Response:
    return Response(note, content_type="text/plain; charset=utf-8", headers={"Cache-Control": "no-cache"})
