"""The uplink process: forwards the ledger's records to one collector until it is told to stop.

    python -m firmware.uplink.process --ledger DIR --outbox DIR --trust DIR --collector URL

It reads the ledger, writes its own outbox, opens no listening socket and holds no key. A ledger that is not there
yet, or a disk that fails, is told and tried again: the station may be starting. SIGTERM and Ctrl-C end it between two
attempts; one that runs is finished or times out, and being killed costs a repetition at most.
"""

from __future__ import annotations

import random
import signal
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import click
import structlog

from firmware.errors import LedgerRefused, Refused
from firmware.ledger.outbox import Outbox
from firmware.ledger.store import Ledger
from firmware.messages import both
from firmware.signing.trust import TrustRoots
from firmware.signing.verification import verify_acknowledgement
from firmware.uplink.forwarder import Forwarder
from firmware.uplink.outcome import Attempt
from firmware.uplink.transport import HttpTransport, Transport

POLL_SECONDS = 1.0
"""How often the ledger is looked at for new records, in seconds: a fraction of what sending one takes."""

_log = structlog.get_logger(__name__)


def run(
    ledger: Path,
    outbox: Path,
    trust: TrustRoots,
    collector: str,
    transport: Transport,
    stop: threading.Event,
    beat: Callable[[], None] = lambda: None,
) -> None:
    """Forwards until `stop` is set. `beat` is called after every round, for a watchdog. Returns; does not raise for
    disks or networks."""
    while not stop.is_set():
        try:
            with ExitStack() as files:
                forwarder = Forwarder(
                    files.enter_context(Ledger.open(ledger, readonly=True)),
                    files.enter_context(Outbox.open(outbox)),
                    collector,
                    transport,
                    lambda acknowledgement, record: verify_acknowledgement(acknowledgement, trust, record),
                    time.time,
                    random.SystemRandom(),
                    _tell,
                )
                _forward(forwarder, stop, beat)
        except LedgerRefused as refusal:
            _log.warning("uplink.disk", code=refusal.code, **refusal.details)
            beat()
            stop.wait(POLL_SECONDS)


def _forward(forwarder: Forwarder, stop: threading.Event, beat: Callable[[], None]) -> None:
    while not stop.is_set():
        forwarder.round()
        beat()
        stop.wait(POLL_SECONDS)


def _tell(record: bytes, attempt: Attempt) -> None:
    _log.info("uplink.attempt", record=record.hex(), outcome=str(attempt.outcome), detail=attempt.detail)


@click.command()
@click.option("--ledger", type=click.Path(path_type=Path), required=True, help="Folder of the ledger; only read.")
@click.option("--outbox", type=click.Path(path_type=Path), required=True, help="Folder of the outbox.")
@click.option("--trust", type=click.Path(path_type=Path, exists=True), required=True, help="Folder of trust roots.")
@click.option("--collector", required=True, help="Address of the collector, http(s)://...")
def main(ledger: Path, outbox: Path, trust: Path, collector: str) -> None:
    """Forward the records of a ledger to a collector."""
    stop = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda _signal, _frame: stop.set())
    try:
        roots = TrustRoots.load(trust)
    except Refused as refusal:
        raise SystemExit(f"{refusal.code}: {both('error.' + refusal.code, **refusal.details)}") from refusal
    try:
        transport = HttpTransport(collector)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--collector") from error
    with transport:
        run(ledger, outbox, roots, collector, transport, stop)


if __name__ == "__main__":
    main()
