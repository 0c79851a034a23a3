"""The recapitulation for people: read-only pages, made on the server, Indonesian first (`?lang=en`).

    /                            the first contest
    /rekap/{contest}/{code}      sums of a region and of those below it
    /tps/{code}                  a polling station: every number beside its picture
    /cari?kode=                  search by TPS code
    /operator                    silent devices, backlog, refusals, forks: for named operators (callers.py)

and the JSON of kpu.py; whole files are in exports.py. Results, pictures and log are public and need no certificate. No
page has a script. Times are those on the clocks of the place, WIB, WITA or WIT, and say which; files have UTC.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timezone
from http import HTTPStatus
from typing import Any

from flask import Blueprint, Response, jsonify, redirect, render_template, request, url_for
from sqlalchemy.exc import SQLAlchemyError

from collector import kpu
from collector.aside import kept_by_code
from collector.callers import Callers
from collector.codes_shown import codes_shown
from collector.intake import Intake, queue_shown
from collector.live import Live
from collector.night import REGION_DIGITS, Night
from collector.provinces import common_zone, local_time, zone_of
from collector.receipts import ReceiptStore
from collector.refusals import Refusals
from collector.regions import region_names, regions_above
from collector.shown import contest_title, field_labels, shown_contest
from collector.store import RecordStore
from collector.submission import CollectorRefused
from firmware.config import Contest
from firmware.errors import LayoutRefused
from firmware.messages import DEFAULT_LANGUAGE, LANGUAGES, sentence
from firmware.signing.statement import result_fields
from firmware.signing.trust import TrustRoots
from firmware.signing.verification import verify_record

LISTED = 200
"""Rows of each list on the operator's page: what is beyond is counted."""
_LEVELS = {2: "province", 4: "regency", 6: "district", 10: "village", 13: "station"}
_POLICY = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'"


@dataclass(frozen=True, slots=True)
class Shelf:
    """What the pages are made from."""

    store: RecordStore
    trust: TrustRoots
    callers: Callers
    refusals: Refusals
    live: Live
    names: Mapping[str, str]
    zone: timezone
    """Of all its TPS; Jakarta's when they lie in several."""
    intake: Intake | None = None

    @classmethod
    def of(
        cls,
        store: RecordStore,
        trust: TrustRoots,
        callers: Callers,
        refusals: Refusals,
        clock: Callable[[], float],
        intake: Intake | None = None,
    ) -> Shelf:
        """The pages of one collector."""
        election = trust.election.election
        names = region_names(election.polling_stations)
        zone = common_zone(station.code for station in election.polling_stations)
        return cls(store, trust, callers, refusals, Live(store.reading, election, clock), names, zone, intake)

    @property
    def contests(self) -> tuple[Contest, ...]:
        """Those of the election."""
        return self.trust.election.election.contests

    def contest(self, name: str) -> Contest:
        """A contest of the election; raises CollectorRefused("collector-unknown-place")."""
        try:
            return self.trust.election.contest(name)
        except LayoutRefused as refusal:
            raise CollectorRefused("collector-unknown-place") from refusal


def page_routes(shelf: Shelf) -> Blueprint:
    """The pages for everybody."""
    routes = Blueprint(
        "pages", __name__, template_folder="templates", static_folder="static", static_url_path="/rekap/static"
    )
    _add_words(routes, shelf)
    _add_sums(routes, shelf)
    _add_stations(routes, shelf)
    _add_operator(routes, shelf)
    return routes


def _add_sums(routes: Blueprint, shelf: Shelf) -> None:
    @routes.get("/")
    def home() -> Any:
        return redirect(url_for(".region", contest=shelf.contests[0].id, lang=request.args.get("lang")))

    @routes.get("/rekap/<contest>/", defaults={"code": ""})
    @routes.get("/rekap/<contest>/<code>")
    def region(contest: str, code: str) -> Any:
        shelf.contest(contest)
        with shelf.live.night() as night:
            _check_place(night, code)
            if len(code) == REGION_DIGITS[-1]:
                return redirect(url_for(".station", code=code, lang=request.args.get("lang")))
            totals, parts = night.totals(contest, code), night.parts(contest, code)
        fields = result_fields(shelf.trust.contest_layout(contest).fields)
        return render_template(
            "region.html",
            contest=contest,
            code=code,
            totals=totals,
            parts=parts,
            fields=fields,
            above=regions_above(code),
        )


def _add_stations(routes: Blueprint, shelf: Shelf) -> None:
    @routes.get("/tps/<code>")
    def station(code: str) -> Any:
        with shelf.live.night() as night:
            _check_place(night, code)
            if len(code) != REGION_DIGITS[-1]:
                raise CollectorRefused("collector-unknown-place")
            shown = [
                shown_contest(night, contest.id, code, shelf.trust, shelf.store.record, language())
                for contest in shelf.contests
            ]
            codes = codes_shown(ReceiptStore(shelf.store), night, code, shelf.trust, language())
        place = shelf.trust.election.polling_station(code).place
        return render_template(
            "station.html", code=code, place=place, shown=shown, codes=codes, above=regions_above(code)
        )

    @routes.get("/cari")
    def search() -> Any:
        code = "".join(character for character in request.args.get("kode", "") if character.isdigit())
        with shelf.live.night() as night:
            known = len(code) in REGION_DIGITS and night.knows(code)
        if not known:
            return render_template("search.html", code=code), 404
        return redirect(url_for(".region", contest=shelf.contests[0].id, code=code, lang=request.args.get("lang")))


def _add_operator(routes: Blueprint, shelf: Shelf) -> None:
    @routes.get("/operator")
    def operator() -> Any:
        shelf.callers.check_operator(request.environ)
        queue = queue_shown(shelf.intake) if shelf.intake else None
        try:
            with shelf.live.night() as night:
                silent, backlog = night.silent(), night.backlog()
            counts, aside = shelf.store.counts(), kept_by_code(shelf.store.reading)
        except SQLAlchemyError:
            if queue is None:
                raise
            return render_template("queue_alone.html", queue=queue), HTTPStatus.SERVICE_UNAVAILABLE
        return render_template(
            "operator.html",
            counts=counts,
            silent=silent,
            backlog=backlog,
            refused=shelf.refusals.all(),
            forks=shelf.store.forks(),
            queue=queue,
            aside=aside,
            listed=LISTED,
        )


def kpu_routes(shelf: Shelf) -> Blueprint:
    """The JSON for programs (kpu.py)."""
    routes = Blueprint("kpu", __name__)

    @routes.get("/pemilu/<contest>.json")
    def candidates(contest: str) -> Response:
        return jsonify(kpu.candidates(shelf.contest(contest)))

    @routes.get("/pemilu/hhcw/<contest>.json", defaults={"path": ""})
    @routes.get("/pemilu/hhcw/<contest>/<path:path>.json")
    def results(contest: str, path: str) -> Response:
        shelf.contest(contest)
        with shelf.live.night() as night:
            code = _code_of(night, path)
            if len(code) < REGION_DIGITS[-1]:
                return jsonify(kpu.region(night, contest, code))
            standing, reports = night.judged(contest, code)
        report = reports[-1] if reports else None
        cose = shelf.store.record(report.sha256) if report else None
        record = verify_record(cose, shelf.trust).record if cose else None
        return jsonify(kpu.station(standing, report, record, f"{request.host_url}v1/pictures/"))

    @routes.get("/wilayah/pemilu/<contest>/<path:path>.json")
    def below(contest: str, path: str) -> Response:
        shelf.contest(contest)
        with shelf.live.night() as night:
            return jsonify(kpu.below(night, contest, _code_of(night, "" if path == "0" else path), shelf.names))

    return routes


def language() -> str:
    """The language of the request."""
    asked = request.args.get("lang", DEFAULT_LANGUAGE)
    return asked if asked in LANGUAGES else DEFAULT_LANGUAGE


def _add_words(routes: Blueprint, shelf: Shelf) -> None:
    """What the templates may call."""

    def say(name: str, **values: Any) -> str:
        return sentence(f"recap.{name}", language(), **values)

    def to(endpoint: str, **values: Any) -> str:
        chosen = {} if language() == DEFAULT_LANGUAGE else {"lang": language()}
        return url_for(f"pages.{endpoint}", **{**chosen, **values})

    def named(code: str) -> str:
        level = say(f"level-{_LEVELS[len(code)]}") if code else say("everything")
        return shelf.names.get(code, f"{level} {code}" if code else level)

    def moment(unix: int, code: str = "") -> str:
        return local_time(unix, zone_of(code) if code else shelf.zone) if unix else "-"

    @routes.app_context_processor
    def words() -> dict[str, Any]:
        return {
            "say": say,
            "to": to,
            "named": named,
            "language": language(),
            "languages": LANGUAGES,
            "election": shelf.trust.election.election,
            "contest_name": lambda contest: contest_title(shelf.trust, contest, language()),
            "labels": lambda contest: field_labels(shelf.trust, contest, language()),
            "moment": moment,
            "number": _number,
        }

    @routes.after_request
    def no_strangers(response: Response) -> Response:
        response.headers["Content-Security-Policy"] = _POLICY
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers.setdefault("Cache-Control", "no-cache")
        return response


def _check_place(night: Night, code: str) -> None:
    if code and (len(code) not in REGION_DIGITS or not code.isdigit() or not night.knows(code)):
        raise CollectorRefused("collector-unknown-place")


def _code_of(night: Night, path: str) -> str:
    """KPU's paths repeat the code of every level; the last one says it all."""
    code = path.rpartition("/")[2]
    _check_place(night, code)
    if path and path != "/".join(regions_above(code)):
        raise CollectorRefused("collector-unknown-place")
    return code


def _number(value: int) -> str:
    """1.234 in Indonesian, 1,234 in English."""
    return f"{value:,}".replace(",", "." if language() == DEFAULT_LANGUAGE else ",")
