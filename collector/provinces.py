"""The provinces of Indonesia: code (the first two digits of a TPS code), name, and the time of day there.

Codes and names are those of Kepmendagri 100.1.1-6117 of 2022, with the six provinces on Papua, which KPU uses too (BPS
counts otherwise there). Time zones are those of Keppres 41 of 1987; there is no summer time. Codes that are not in the
list, such as KPU's 99 for voters abroad, have no name here, and Jakarta's time.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta, timezone

PROVINCE_DIGITS = 2
"""Of a TPS code."""
WIB = timezone(timedelta(hours=7), "WIB")
WITA = timezone(timedelta(hours=8), "WITA")
WIT = timezone(timedelta(hours=9), "WIT")

_WEST = {
    "11": "Aceh",
    "12": "Sumatera Utara",
    "13": "Sumatera Barat",
    "14": "Riau",
    "15": "Jambi",
    "16": "Sumatera Selatan",
    "17": "Bengkulu",
    "18": "Lampung",
    "19": "Kepulauan Bangka Belitung",
    "21": "Kepulauan Riau",
    "31": "DKI Jakarta",
    "32": "Jawa Barat",
    "33": "Jawa Tengah",
    "34": "Daerah Istimewa Yogyakarta",
    "35": "Jawa Timur",
    "36": "Banten",
    "61": "Kalimantan Barat",
    "62": "Kalimantan Tengah",
}
_MIDDLE = {
    "51": "Bali",
    "52": "Nusa Tenggara Barat",
    "53": "Nusa Tenggara Timur",
    "63": "Kalimantan Selatan",
    "64": "Kalimantan Timur",
    "65": "Kalimantan Utara",
    "71": "Sulawesi Utara",
    "72": "Sulawesi Tengah",
    "73": "Sulawesi Selatan",
    "74": "Sulawesi Tenggara",
    "75": "Gorontalo",
    "76": "Sulawesi Barat",
}
_EAST = {
    "81": "Maluku",
    "82": "Maluku Utara",
    "91": "Papua",
    "92": "Papua Barat",
    "93": "Papua Selatan",
    "94": "Papua Tengah",
    "95": "Papua Pegunungan",
    "96": "Papua Barat Daya",
}
PROVINCES = dict(sorted((_WEST | _MIDDLE | _EAST).items()))
"""Name by code: all 38."""
_ZONES = {code: zone for codes, zone in ((_WEST, WIB), (_MIDDLE, WITA), (_EAST, WIT)) for code in codes}


def province_of(code: str) -> str:
    """The province in which a TPS or region lies."""
    return code[:PROVINCE_DIGITS]


def zone_of(code: str) -> timezone:
    """The time zone of a TPS or region; Jakarta's for everything and for codes outside the list."""
    return _ZONES.get(province_of(code), WIB)


def common_zone(codes: Iterable[str]) -> timezone:
    """The time zone in which all these places lie; Jakarta's when they lie in several."""
    zones = {zone_of(code) for code in codes}
    return zones.pop() if len(zones) == 1 else WIB


def local_time(unix: int, zone: timezone) -> str:
    """The moment on the clocks of a zone, with its name: 2029-02-14 15:04 WITA."""
    return datetime.fromtimestamp(unix, UTC).astimezone(zone).strftime("%Y-%m-%d %H:%M %Z")
