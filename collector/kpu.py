"""The recapitulation as JSON in the shape of KPU's published files of 2024 (sirekap-obj-data), with their names.

    /pemilu/{contest}.json                               candidates by number: {"nama", "nomor_urut"}
    /pemilu/hhcw/{contest}.json                          everything; `table` by province
    /pemilu/hhcw/{contest}/31/3171/317101/....json       a region; `table` by the regions directly below
    /pemilu/hhcw/{contest}/31/.../{13 digits}.json       a TPS: chart, administrasi, images, status_suara, status_adm
    /wilayah/pemilu/{contest}/0.json, /31.json, ...      the regions below: [{"nama", "kode", "tingkat"}]

The keys of `chart` are the candidates' or parties' numbers, where KPU has ids of its own; `progres` counts TPS. What
KPU's files lack stands beside: `koreksi`, `alarm`, `menunggu_foto`, `sengketa`. A TPS without its pictures has null for
`chart` and `administrasi`: a number is never without its picture.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from collector.night import REGION_DIGITS, Night, Report, Standing, Totals
from collector.shown import candidate_number
from firmware.config import Contest
from firmware.signing.schema import RecordEntry

MODE = "hhcw"
"""KPU's name for results as counted at the TPS."""
_NAMES = {"pengguna_dpk": "pengguna_non_dpt"}
"""Where KPU's files have another word than its forms."""
_ADMINISTRATION = ("suara_sah", "suara_tidak_sah", "suara_total")


def candidates(contest: Contest) -> dict[str, Any]:
    """By number."""
    return {str(entry.number): {"nama": entry.name, "nomor_urut": entry.number} for entry in contest.candidates}


def region(night: Night, contest: str, code: str) -> dict[str, Any]:
    """A region with the ones directly below it."""
    totals = night.totals(contest, code)
    below = {part: {**_chart(found.values), **_status(found)} for part, found in night.parts(contest, code).items()}
    return {
        "ts": moment(totals.latest),
        "psu": None,
        "mode": MODE,
        "chart": {**_chart(totals.values), "persen": _percent(totals)},
        "table": below,
        "administrasi": {name: totals.values[name] for name in _ADMINISTRATION if name in totals.values},
        "progres": {"total": totals.stations, "progres": totals.counted},
        **_apart(totals),
    }


def station(standing: Standing, report: Report | None, record: RecordEntry | None, address: str) -> dict[str, Any]:
    """A TPS; `address` is where pictures are, and `record` is the one that counts."""
    shown = standing is Standing.COUNTED and report is not None and record is not None
    said: dict[str, Any] = {"mode": MODE, "chart": None, "images": [], "administrasi": None, "psu": None}
    if shown and report and record:
        values = {entry.id: entry.value for entry in record.fields}
        said["chart"] = _chart(report.results)
        said["images"] = [address + picture.hex() for _page, picture in sorted(report.pictures.items())]
        said["administrasi"] = {_kpu_name(name): value for name, value in values.items() if not candidate_number(name)}
    return said | {
        "ts": moment(report.received_at if report else 0),
        "status_suara": shown,
        "status_adm": shown,
        "keadaan": str(standing),
        "record": report.sha256.hex() if report else None,
        "koreksi": bool(report and report.supersedes),
        "alarm": bool(report and report.alarmed),
    }


def below(night: Night, contest: str, code: str, names: Mapping[str, str]) -> list[dict[str, Any]]:
    """The regions directly below a region."""
    found = night.parts(contest, code)
    return [
        {"nama": names.get(part, part), "kode": part, "tingkat": REGION_DIGITS.index(len(part)) + 1} for part in found
    ]


def moment(unix: int) -> str | None:
    """As KPU writes it, in UTC."""
    return datetime.fromtimestamp(unix, UTC).strftime("%Y-%m-%d %H:%M:%S") if unix else None


def _chart(values: Mapping[str, int | None]) -> dict[str, int | None]:
    return {number: value for name, value in values.items() if (number := candidate_number(name))}


def _kpu_name(name: str) -> str:
    group, _, part = name.rpartition("_")
    return f"{_NAMES[group]}_{part}" if group in _NAMES else name


def _status(totals: Totals) -> dict[str, Any]:
    return {
        "psu": None,
        "persen": _percent(totals),
        "status_progress": totals.stations == totals.counted,
        **_apart(totals),
    }


def _apart(totals: Totals) -> dict[str, int]:
    return {
        "koreksi": totals.corrected,
        "alarm": totals.alarmed,
        "menunggu_foto": totals.waiting,
        "sengketa": totals.disputed,
    }


def _percent(totals: Totals) -> float:
    return round(100 * totals.counted / totals.stations, 2) if totals.stations else 0.0
