"""The whole recapitulation of a contest as a file, for programs; beside KPU's JSON (kpu.py).

    /unduh/{contest}.csv            every TPS, one row each
    /unduh/{contest}.nist.json      NIST SP 1500-100 version 2 (nist.py)

Both are written while they are sent, from a snapshot: a slow reader holds up nobody.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from flask import Blueprint, Response

from collector.night import Night, Report, Standing
from collector.nist import Words, report, snapshot
from collector.pages import Shelf
from collector.shown import contest_title, field_labels
from firmware.messages import DEFAULT_LANGUAGE
from firmware.signing.statement import result_fields

Row = tuple[str, Standing, Report | None]


def export_routes(shelf: Shelf, clock: Callable[[], float]) -> Blueprint:
    """The files; `clock` gives Unix seconds."""
    routes = Blueprint("exports", __name__)

    @routes.get("/unduh/<contest>.csv")
    def table(contest: str) -> Response:
        fields = result_fields(shelf.trust.contest_layout(shelf.contest(contest).id).fields)
        with shelf.live.night() as night:
            rows = _rows(night, contest)
        return Response(_csv(rows, fields), content_type="text/csv; charset=utf-8")

    @routes.get("/unduh/<contest>.nist.json")
    def nist(contest: str) -> Response:
        fields = result_fields(shelf.trust.contest_layout(shelf.contest(contest).id).fields)
        labels = field_labels(shelf.trust, contest, DEFAULT_LANGUAGE)
        title = contest_title(shelf.trust, contest, DEFAULT_LANGUAGE)
        words = Words(title, {field: labels[field] for field in fields}, shelf.names)
        with shelf.live.night() as night:
            taken = snapshot(night, contest)
        pieces = report(taken, shelf.trust.election, words, int(clock()))
        return Response(pieces, content_type="application/json; charset=utf-8")

    return routes


def _rows(night: Night, contest: str) -> list[Row]:
    judged = ((tps, *night.judged(contest, tps)) for tps in night.stations(""))
    return [(tps, standing, reports[-1] if reports else None) for tps, standing, reports in judged]


def _csv(rows: Sequence[Row], fields: Sequence[str]) -> Iterator[str]:
    """One row a TPS; numbers only where the pictures are here."""
    yield _line(["tps", "keadaan", "koreksi", "alarm", "record", *fields])
    for tps, standing, last in rows:
        row: list[Any] = [tps, str(standing)]
        if last is not None:
            row += [int(last.supersedes is not None), int(last.alarmed), last.sha256.hex()]
            row += [last.results.get(name) if standing is Standing.COUNTED else None for name in fields]
        yield _line(row)


def _line(row: Sequence[Any]) -> str:
    out = io.StringIO()
    csv.writer(out).writerow(row)
    return out.getvalue()
