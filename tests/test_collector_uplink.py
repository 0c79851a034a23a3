"""The kiosk's own uplink hands everything in to the real collector: records, then pictures, until nothing is left."""

from __future__ import annotations

from pathlib import Path

import httpx

from collector import uploads
from firmware.uplink.chunks import MOST_BYTES
from firmware.uplink.transport import HttpTransport
from tests.sealing import pictures_of
from tests.uplinks import collector, opened

ROUNDS = 200
"""More than the pieces of the pictures."""


def test_a_kiosks_evening_arrives_whole(tmp_path: Path) -> None:
    with opened(tmp_path) as kiosk, collector(kiosk) as url:
        records = [kiosk.store(1), kiosk.store(2)]
        with HttpTransport(url, 5.0) as transport:
            forwarder, _attempts = kiosk.forwarder(transport)
            assert any(not forwarder.round() for _ in range(ROUNDS))
        for number, record in enumerate(records, start=1):
            assert httpx.get(f"{url}/v1/records/{record.hex()}/pictures").json() == {"missing": []}
            assert (kiosk.delivery(record).pictures_left, kiosk.delivery(record).bytes_left) == (0, 0)
            for name, data in pictures_of(number).items():
                assert httpx.get(f"{url}/v1/pictures/{name}").content == data
        shown = httpx.get(f"{url}/pemilu/hhcw/ppwp.json").json()
        assert (shown["progres"]["progres"], shown["menunggu_foto"], shown["chart"]["1"]) == (2, 0, 3)


def test_the_kiosks_largest_piece_is_taken() -> None:
    assert MOST_BYTES <= uploads.PIECE_BYTES_MAX
