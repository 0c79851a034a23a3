"""Measures when a record arrives over 2G after an outage, as often as asked: python -m tests.system.arrivals [TIMES]

The kiosk's own uplink process runs in its namespace with TLS on both sides and has been failing for long, so that its
waits are the longest. The time is counted from the moment at which the line carries packets again.
"""

from __future__ import annotations

import random
import statistics
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from tests.system.networks import SECOND_GENERATION, networks
from tests.system.test_networks import far, tls_server, uplink
from tests.tus_collector import TusCollector
from tests.uplinks import opened

OUTAGE_S = 30.0
"""Longer than every wait of an uplink without a network."""
PATIENCE_S = 120.0
USABLE_S = 10.0
LINE = "{count} records of {size} bytes: {soon} within {usable:.0f} s; median {median:.1f} s, longest {most:.1f} s"


def main(times: int) -> None:
    """Prints one line."""
    took: list[float] = []
    size = 0
    with tempfile.TemporaryDirectory() as folder, opened(Path(folder)) as kiosk, networks() as both:
        collector = TusCollector(kiosk.world.collector_key)
        with far(both, tls_server(kiosk, collector.answer)) as url, uplink(both, kiosk, url):
            for number in range(1, times + 1):
                both.line.quality = replace(SECOND_GENERATION, up=False)
                record = kiosk.store(number)
                size = len(kiosk.ledger.record(record).sealed.cose)
                time.sleep(OUTAGE_S + random.uniform(0, 5))
                began = time.monotonic()
                both.line.quality = replace(SECOND_GENERATION)
                while record.hex() not in collector.records and time.monotonic() - began < PATIENCE_S:
                    time.sleep(0.01)
                took.append(time.monotonic() - began)
    soon = sum(seconds <= USABLE_S for seconds in took)
    median = statistics.median(took)
    print(LINE.format(count=times, size=size, soon=soon, usable=USABLE_S, median=median, most=max(took)))
    print(" ".join(f"{seconds:.1f}" for seconds in took))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10)
