"""Provinces: what a code means, and what time it is there."""

from __future__ import annotations

from collections import Counter

import pytest

from collector.provinces import PROVINCES, WIB, WIT, WITA, common_zone, local_time, zone_of

NOON = 1_866_000_000
"""2029-02-17 05:20 UTC."""


def test_there_are_thirty_eight() -> None:
    assert len(PROVINCES) == 38
    assert Counter(zone_of(code) for code in PROVINCES) == {WIB: 18, WITA: 12, WIT: 8}


@pytest.mark.parametrize(
    ("tps", "shown"),
    [
        ("3171010001001", "2029-02-17 12:20 WIB"),
        ("5103010001001", "2029-02-17 13:20 WITA"),
        ("9271010001001", "2029-02-17 14:20 WIT"),
        ("9901010001001", "2029-02-17 12:20 WIB"),
        ("", "2029-02-17 12:20 WIB"),
    ],
)
def test_a_clock_that_is_not_that_of_the_place(tps: str, shown: str) -> None:
    assert local_time(NOON, zone_of(tps)) == shown


def test_places_in_several_zones() -> None:
    assert common_zone(["9171010001001", "8171010001001"]) is WIT
    assert common_zone(["9171010001001", "5171010001001"]) is WIB
    assert common_zone([]) is WIB
