"""The uplink process: forwards the ledger to the election's collectors until it is told to stop.

In parallel, each collector has a loop (a thread) of its own: one that is slow does not hold the others up. In order
(`first`), one loop asks the collectors one after the other, and the next gets only what none before it has
acknowledged. It reads the ledger, writes its own outbox, opens no listening socket and holds no signing key. A ledger
that is not there yet, or a disk that fails, is told and tried again: the station may be starting. SIGTERM and Ctrl-C
end it between two attempts; one that runs is finished or times out, and being killed costs a repetition at most.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import structlog

from firmware.config import Collector, KioskConfig, Order
from firmware.errors import LayoutRefused, LedgerRefused
from firmware.heartbeat import Heartbeat
from firmware.ledger.outbox import Outbox
from firmware.ledger.store import Ledger
from firmware.records import Mode
from firmware.signing.trust import TrustRoots
from firmware.signing.verification import verify_acknowledgement
from firmware.uplink.forwarder import Forwarder
from firmware.uplink.network import NetworkWatch
from firmware.uplink.outcome import Attempt
from firmware.uplink.tls import check_own_key, client_context
from firmware.uplink.transport import HttpTransport, Transport

POLL_SECONDS = 1.0
"""How often the ledger and the network are looked at, in seconds: a fraction of what sending a record takes."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Way:
    """A collector and the way to it."""

    collector: str
    transport: Transport


@dataclass(frozen=True)
class Loop:
    """One thread's work: the collectors of `ways`, in this order. `ready` is called when the outbox is open, `beat`
    after every round and every attempt."""

    ledger: Path
    outbox: Path
    trust: TrustRoots
    ways: Sequence[Way]
    pictures: bool = True
    ready: Callable[[], None] = lambda: None
    beat: Callable[[], None] = lambda: None

    def run(self, stop: threading.Event) -> None:
        """Forwards until `stop` is set. Returns; does not raise for disks or networks."""
        while not stop.is_set():
            try:
                with ExitStack() as files:
                    outbox = files.enter_context(Outbox.open(self.outbox))
                    self.ready()
                    ledger = files.enter_context(Ledger.open(self.ledger, readonly=True))
                    network = NetworkWatch()
                    self._turn([self._forwarder(way, ledger, outbox, network) for way in self.ways], network, stop)
            except LedgerRefused as refusal:
                _log.warning("uplink.disk", code=refusal.code, **refusal.details)
                self.beat()
                stop.wait(POLL_SECONDS)

    def _turn(self, forwarders: Sequence[Forwarder], network: NetworkWatch, stop: threading.Event) -> None:
        while not stop.is_set():
            if network.came_up():
                _log.info("uplink.network")
                for forwarder in forwarders:
                    forwarder.hasten()
            more = [forwarder.round() for forwarder in forwarders]
            self.beat()
            if not any(more):
                stop.wait(POLL_SECONDS)

    def _forwarder(self, way: Way, ledger: Ledger, outbox: Outbox, network: NetworkWatch) -> Forwarder:
        def tell(item: bytes, attempt: Attempt) -> None:
            outcome = str(attempt.outcome)
            _log.info(
                "uplink.attempt", collector=way.collector, item=item.hex(), outcome=outcome, detail=attempt.detail
            )
            self.beat()

        return Forwarder(
            ledger,
            outbox,
            way.collector,
            way.transport,
            lambda acknowledgement, record: verify_acknowledgement(acknowledgement, self.trust, record),
            time.time,
            random.SystemRandom(),
            tell,
            anywhere=len(self.ways) > 1,
            pictures=self.pictures,
            routed=network.routed,
        )


def serve(config: KioskConfig, stop: threading.Event) -> None:
    """Runs the uplink of a kiosk until `stop` is set. Raises Refused when it is not configured to reach collectors."""
    trust = TrustRoots.load(config.trust)
    if config.uplink_tls is not None:
        check_own_key(config.uplink_tls.certificate, [device.public_key for device in trust.devices.values()])
    with ExitStack() as connections:
        ways = [
            Way(collector.id, connections.enter_context(_transport(config, collector)))
            for collector in config.definition.election.collectors
        ]
        groups = [ways] if config.file.uplink.order is Order.FIRST else [[way] for way in ways]
        heart = Heartbeat([group[0].collector for group in groups if group])
        threads = [
            threading.Thread(target=_loop(config, trust, group, heart).run, args=(stop,), name=group[0].collector)
            for group in groups
            if group
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


def _loop(config: KioskConfig, trust: TrustRoots, ways: Sequence[Way], heart: Heartbeat) -> Loop:
    name = ways[0].collector
    return Loop(
        config.ledger_folder,
        config.outbox_folder,
        trust,
        ways,
        pictures=not config.file.uplink.metered,
        ready=lambda: heart.ready(name),
        beat=lambda: heart.beat(name),
    )


def _transport(config: KioskConfig, collector: Collector) -> HttpTransport:
    files = config.uplink_tls
    if config.mode is Mode.REAL and not collector.url.startswith("https://"):
        raise LayoutRefused("uplink-plain", collector=collector.id, url=collector.url)
    context = client_context(files.certificate, files.key, files.ca) if files else None
    try:
        return HttpTransport(collector.url, tls=context, proxy=config.file.uplink.proxy or None)
    except ValueError as problem:
        raise LayoutRefused("uplink-address", collector=collector.id, problem=str(problem)) from problem
