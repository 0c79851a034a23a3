"""Puts a station together from its configuration, and serves it.

The camera is given to `serve_station` from outside: a simulator can be given by a program of the tests, never by a
configuration.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import structlog

from firmware.capture import picture
from firmware.capture.camera import Camera
from firmware.capture.camera_process import ProcessCamera
from firmware.capture.camera_programs import camera_program
from firmware.capture.missing import explained
from firmware.capture.page import take_page
from firmware.config import Contest, KioskConfig, PrinterDriver
from firmware.digit_model.classifier import DigitModel
from firmware.errors import LayoutRefused, LedgerRefused
from firmware.forms.layout import FormLayout
from firmware.forms.loader import shipped_layouts
from firmware.http import serve_unix, users_named
from firmware.ledger.outbox import Outbox
from firmware.ledger.store import Ledger
from firmware.panel.fittings import Fittings
from firmware.panel.hands import hands_on
from firmware.panel.panel import Panel, SilentPanel
from firmware.panel.pictures import upright
from firmware.panel.service import create_app
from firmware.parts import Parts, Place, Sealer
from firmware.reading import read_pages
from firmware.receipt.escpos_printer import EscposPrinter
from firmware.receipt.printer import Printer
from firmware.receipts import Document, Receipts, record_document
from firmware.records import (
    Confirmation,
    Delivery,
    DeliveryState,
    Page,
    RefusedPage,
    StoredRecord,
)
from firmware.signing.client import SignerClient
from firmware.signing.cose import parse
from firmware.signing.draft import RecordContext, draft_record
from firmware.signing.trust import TrustRoots
from firmware.station import Station

LEAST_PAUSE_SECONDS = 0.03
"""Between two looks under the camera, also on a machine that is too slow for them: others want to work too."""

_log = structlog.get_logger(__name__)


def software() -> str:
    """Name and version of this program, as records name it."""
    return f"c1kiosk {version('c1kiosk')}"


def run_aside(work: Callable[[], None]) -> None:
    """Work in a thread of its own; the station itself sees to it that there is one at a time."""
    threading.Thread(target=work, name="station-work").start()


def open_printer(config: KioskConfig) -> Printer:
    """The printer that the configuration names."""
    match config.file.printer.driver:
        case PrinterDriver.ESCPOS_SERIAL:
            return EscposPrinter(config.file.printer.device)


def open_camera(config: KioskConfig) -> Camera:
    """The camera that the configuration names, in a process of its own."""
    return ProcessCamera(camera_program(config.file.camera))


def serve_station(config: KioskConfig, camera: Camera) -> None:
    """Opens the ledger, goes on where the session stopped, and serves the station's socket until it is told to end."""
    with (
        closing(camera),
        Ledger.open(config.ledger_folder) as ledger,
        closing(Fittings(config.file.panel)) as fittings,
    ):
        signer, printer = SignerClient(config.signer_socket), open_printer(config)
        station = build_station(config, ledger, signer, camera, printer, panel=fittings.panel)
        fittings.listen(hands_on(station))
        with watching(station):
            serve_unix(create_app(station), config.station_socket, users_named("c1kiosk-endpoint"))


@contextmanager
def watching(station: Station) -> Iterator[None]:
    """Looks under the camera, in a thread of its own, as long as the context lasts."""
    stop = threading.Event()

    def look() -> None:
        pause = 0.0
        while not stop.wait(pause):
            began = time.monotonic()
            pause = max(LEAST_PAUSE_SECONDS, station.watch() - (time.monotonic() - began))

    thread = threading.Thread(target=look, name="station-watch")
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def build_station(
    config: KioskConfig,
    ledger: Ledger,
    signer: Sealer,
    camera: Camera,
    printer: Printer,
    start: Callable[[Callable[[], None]], None] = run_aside,
    panel: Panel = SilentPanel(),  # noqa: B008 - it holds nothing
) -> Station:
    """The station of the first contest, going on where the last one stopped. Raises Refused when a part is missing."""
    contest = config.definition.election.contests[0]
    layout = form_of(contest)
    limits = config.definition.limits(contest.id, config.tps.code, layout.limits)
    model = DigitModel.load(config.models)
    layouts = tuple(shipped_layouts().values())
    place = Place(config.mode, config.tps.code, config.tps.place, layout, limits)
    parts = Parts(
        camera=camera,
        recognise=lambda frame: explained(take_page(frame, layouts), layouts),
        read=lambda pages: read_pages(pages, layout, model, limits),
        upright=lambda page: _upright(page, layout),
        draft=_drafter(config, layout, model, ledger),
        signer=signer,
        ledger=ledger,
        receipts=Receipts(ledger, printer),
        document=_documents(config, layout),
        deliveries=deliveries_of(config),
        start=start,
        panel=panel,
        layouts=layouts,
    )
    return Station.open(place, parts)


def form_of(contest: Contest) -> FormLayout:
    """The contest's form. Raises LayoutRefused when this program does not know it, or knows it as another contest's."""
    layout = shipped_layouts().get(contest.form)
    if layout is None or layout.contest != contest.id:
        raise LayoutRefused("form-unknown", form=contest.form, contest=contest.id)
    return layout


def _upright(page: Page, layout: FormLayout) -> bytes:
    decoded = picture.decode(page.frame)
    if isinstance(decoded, RefusedPage):
        raise LayoutRefused("session-picture", reason=str(decoded.reason))
    return upright(decoded, page, layout)


def _drafter(
    config: KioskConfig, layout: FormLayout, model: DigitModel, ledger: Ledger
) -> Callable[[Confirmation], dict[str, Any]]:
    context = RecordContext(
        mode=config.mode,
        election=bytes.fromhex(config.definition.sha256),
        layout=layout,
        software=software(),
        model=bytes.fromhex(model.sha256),
    )
    return lambda confirmation: draft_record(confirmation, context, ledger.journal_head())


def _documents(config: KioskConfig, layout: FormLayout) -> Callable[[StoredRecord], Document]:
    trust = TrustRoots.load(config.trust)
    printer = config.file.printer

    def document(stored: StoredRecord) -> Document:
        device = trust.device(parse(stored.sealed.cose).kid).claims
        return record_document(stored, layout, config.tps.place, device, printer.copies, printer.width_dots)

    return document


def deliveries_of(config: KioskConfig) -> Callable[[bytes], Sequence[Delivery]]:
    """Asks the uplink's outbox how far a record has come; what it does not know yet is waiting."""
    collectors = [collector.id for collector in config.definition.election.collectors]

    def deliveries(record: bytes) -> Sequence[Delivery]:
        known = _outbox_rows(config.outbox_folder, record)
        waiting = {name: Delivery(record, name, DeliveryState.WAITING, 0, None, None) for name in collectors}
        return tuple({**waiting, **known}.values())

    return deliveries


def _outbox_rows(folder: Path, record: bytes) -> Mapping[str, Delivery]:
    """What the outbox says. Nothing while there is no outbox, which the uplink makes when it starts; nor while it
    cannot be read, for then nobody knows of an acknowledgement: waiting is what can be said."""
    try:
        with Outbox.open(folder, readonly=True) as outbox:
            return {delivery.collector: delivery for delivery in outbox.deliveries(record)}
    except LedgerRefused as refusal:
        if refusal.code != "ledger-missing":
            _log.warning("outbox.unreadable", code=refusal.code)
        return {}
