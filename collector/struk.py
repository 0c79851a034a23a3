"""Where anybody brings a receipt code, as a photograph or as text. No certificate, no script; only the code is kept.

    GET  /struk                    the page, for a phone
    POST /struk                    its form: `foto` (a picture) or `kode` (the text); a page says what came of it
    POST /v1/receipts              body: a picture, the text of a code, or a receipt as COSE bytes
                                   201 new, 200 known: {"receipt", "record", "tps", "contest", "results", "judged", ...}
    GET  /v1/receipts/{sha256}     200: the receipt as COSE bytes, for `c1kiosk verify`

What is taken and how it is judged is in receipts.py, how pictures are read in code_reader.py, how much one address may
bring in rates.py.
"""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import structlog
from flask import Blueprint, Response, jsonify, render_template, request
from werkzeug.exceptions import RequestEntityTooLarge

from collector.answers import status_of
from collector.code_reader import PICTURE_BYTES_MAX, read_picture
from collector.codes_shown import ShownCode, code_shown
from collector.pages import Shelf, language
from collector.rates import Rates
from collector.receipts import Code, ReceiptStore, code_of
from collector.submission import CollectorRefused, hash_of
from firmware.errors import Refused, VerificationRefused
from firmware.messages import sentence
from firmware.signing.evidence import PICTURES
from firmware.signing.receipt_code import MAX_CHARACTERS, PREFIX, decode

BODY_BYTES_MAX = PICTURE_BYTES_MAX + 64 * 1024
"""A picture, and the form around it."""

_POLICY = "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'"

_log = structlog.get_logger(__name__)


def struk_routes(shelf: Shelf, kept: ReceiptStore, clock: Callable[[], float], rates: Rates) -> Blueprint:
    """The addresses above."""
    routes = Blueprint("struk", __name__, template_folder="templates")

    def bring(data: bytes) -> tuple[Code, bool]:
        """Keeps the code in a picture, a text or COSE bytes. Raises Refused."""
        rates.take(shelf.callers.address(request.environ))
        code = code_of(_message(data, rates), shelf.trust)
        new = kept.keep(code, int(clock()))
        _log.info("collector.receipt", receipt=code.sha256.hex(), device=code.device, new=new)
        return code, new

    def shown(code: Code) -> ShownCode:
        with shelf.live.night() as night:
            return code_shown(kept, night, code, shelf.trust, language())

    _add_api(routes, kept, bring, shown)
    _add_page(routes, shelf, clock, bring, shown)
    return routes


Bring = Callable[[bytes], tuple[Code, bool]]
Show = Callable[[Code], ShownCode]


def _add_api(routes: Blueprint, kept: ReceiptStore, bring: Bring, shown: Show) -> None:
    @routes.post("/v1/receipts")
    def post_receipt() -> tuple[Response, int]:
        request.max_content_length = BODY_BYTES_MAX
        code, new = bring(request.get_data(cache=False))
        answer = {
            "receipt": code.sha256.hex(),
            "record": code.record.hex(),
            "device": code.device,
            "sequence": code.sequence,
            "tps": code.tps,
            "contest": code.contest,
            "results": dict(code.results),
            "judged": shown(code).judged,
        }
        return jsonify(answer), HTTPStatus.CREATED if new else HTTPStatus.OK

    @routes.get("/v1/receipts/<name>")
    def get_receipt(name: str) -> Response:
        cose = kept.cose(hash_of(name))
        if cose is None:
            raise CollectorRefused("receipt-unknown")
        return Response(cose, content_type="application/cose")


def _add_page(routes: Blueprint, shelf: Shelf, clock: Callable[[], float], bring: Bring, shown: Show) -> None:
    @routes.app_context_processor
    def words() -> dict[str, Any]:
        return {"slip": lambda name, **values: sentence(f"struk.{name}", language(), **values)}

    @routes.after_request
    def no_strangers(response: Response) -> Response:
        response.headers["Content-Security-Policy"] = _POLICY
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response

    @routes.get("/struk")
    def page() -> Any:
        return render_template("struk.html", problem="")

    @routes.post("/struk")
    def send() -> Any:
        request.max_content_length = BODY_BYTES_MAX
        try:
            code, new = bring(_from_form())
        except (CollectorRefused, VerificationRefused) as refusal:
            return refused(refusal)
        except RequestEntityTooLarge:
            return refused(
                CollectorRefused("receipt-picture-size", bytes=request.content_length, most=PICTURE_BYTES_MAX)
            )
        place = shelf.trust.election.polling_station(code.tps).place
        return render_template("struk.html", problem="", code=code, new=new, shown=shown(code), place=place)

    def refused(refusal: Refused) -> tuple[str, int]:
        shelf.refusals.count(refusal.code, shelf.callers.name(request.environ), request.path, int(clock()))
        problem = sentence(f"error.{refusal.code}", language(), **refusal.details)
        return render_template("struk.html", problem=problem, problem_code=refusal.code), status_of(refusal)


def _from_form() -> bytes:
    """The picture, else the text."""
    picture = request.files.get("foto")
    data = picture.read() if picture else b""
    return data or request.form.get("kode", "").encode("ascii", "replace")


def _message(data: bytes, rates: Rates) -> bytes:
    """The COSE bytes of a code, however it is brought. Raises CollectorRefused or VerificationRefused."""
    if data.startswith(PICTURES):
        with rates.picture():
            return decode(read_picture(data))
    if data.strip().startswith(PREFIX.encode()):
        text = data[: 2 * MAX_CHARACTERS].decode("ascii", "replace").lstrip()
        return _decode(text.rstrip("\r\n"))
    if not data:
        raise CollectorRefused("receipt-empty")
    return data


def _decode(text: str) -> bytes:
    """A keyboard adds a space behind what is pasted, and a code may end with one."""
    try:
        return decode(text)
    except VerificationRefused:
        return decode(text.rstrip())
