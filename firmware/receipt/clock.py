"""The time on a receipt, in the zone of the polling station. Pure.

Indonesia has three zones and no daylight saving (Keppres 41/1987). The zone follows from the province, the first two
digits of the TPS code; outside Indonesia, or in an unknown province, the time is printed in UTC and says so.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from enum import Enum


class Zone(Enum):
    """A zone as it is printed, with its hours from UTC."""

    WIB = 7
    WITA = 8
    WIT = 9
    UTC = 0


_PROVINCES = {
    Zone.WIB: "11 12 13 14 15 16 17 18 19 21 31 32 33 34 35 36 61 62",
    Zone.WITA: "51 52 53 63 64 65 71 72 73 74 75 76",
    Zone.WIT: "81 82 91 92 93 94 95 96",
}


def zone_of(tps: str) -> Zone:
    """The zone of a TPS code by its Kemendagri province code."""
    return next((zone for zone, provinces in _PROVINCES.items() if tps[:2] in provinces.split()), Zone.UTC)


def local_time(unix: int, zone: Zone) -> str:
    """Day, month, year and time, short enough for 58 mm paper: "14-02-2029 21:04 WIB"."""
    local = datetime.fromtimestamp(unix, UTC).astimezone(timezone(timedelta(hours=zone.value)))
    return f"{local:%d-%m-%Y %H:%M} {zone.name}"
