"""Names of regions, as far as the election definition tells them.

The place of a TPS ends with village, district and regency or city, with commas between them ("Kel. Contoh, Kec.
Contoh, Kota Contoh"); provinces are in provinces.py. Where a place has fewer parts, codes have to do.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from collector.night import REGION_DIGITS
from collector.provinces import PROVINCES, province_of
from firmware.config import PollingStation

_NAMED_DIGITS = (10, 6, 4)
"""Village, district, regency or city: in the order in which a place names them."""


def region_names(stations: Iterable[PollingStation]) -> Mapping[str, str]:
    """Name by code of region; a TPS has its number."""
    found: dict[str, str] = {}
    for station in stations:
        province = province_of(station.code)
        if province in PROVINCES:
            found[province] = PROVINCES[province]
        parts = [part.strip() for part in station.place.split(",")][-len(_NAMED_DIGITS) :]
        if len(parts) == len(_NAMED_DIGITS):
            for digits, name in zip(_NAMED_DIGITS, parts, strict=True):
                found.setdefault(station.code[:digits], name)
        found[station.code] = f"TPS {station.code[REGION_DIGITS[-2] :]}"
    return found


def regions_above(code: str) -> list[str]:
    """The codes of the regions in which a region lies, and its own; province first."""
    return [code[:digits] for digits in REGION_DIGITS if digits <= len(code)]
