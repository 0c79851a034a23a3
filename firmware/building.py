"""Puts a station together from its configuration, and serves it.

The camera is given to `serve_station` from outside: a simulator can be given by a program of the tests, never by a
configuration.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import structlog

from firmware import delays
from firmware.capture import picture
from firmware.capture.camera import Camera
from firmware.capture.camera_process import ProcessCamera
from firmware.capture.camera_programs import camera_program
from firmware.capture.missing import explained
from firmware.capture.page import take_page
from firmware.config import Contest, KioskConfig
from firmware.day import custody
from firmware.day.day import Moment
from firmware.day.evidence import key_of_this_world, same_election
from firmware.day.opening import SelfExamination
from firmware.day.pin import Pin, read_pin
from firmware.day.strips import DayStrips
from firmware.digit_model.classifier import DigitModel
from firmware.errors import LayoutRefused, LedgerRefused, Refused, SignerRefused
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
from firmware.parts import Parts, Place, Race, Sealer
from firmware.reading import read_pages
from firmware.receipt.connecting import printer_of
from firmware.receipt.printer import Printer
from firmware.receipts import Receipts
from firmware.records import Confirmation, Delivery, DeliveryState, Page, RefusedPage
from firmware.selftest.devices import Bench, Presses, TriedPanel
from firmware.selftest.lending import add_trial
from firmware.signing.client import SignerClient
from firmware.signing.draft import RecordContext, draft_record
from firmware.signing.head import compare
from firmware.signing.keys import DeviceClaims, key_id
from firmware.signing.service import system_clock
from firmware.signing.trust import TrustRoots
from firmware.station import Station
from firmware.uplink.stick_notes import FOLDER, notes_to_show

_log = structlog.get_logger(__name__)


def software() -> str:
    """Name and version of this program, as records name it."""
    return f"c1kiosk {version('c1kiosk')}"


def run_aside(work: Callable[[], None]) -> None:
    """Work in a thread of its own; the station itself sees to it that there is one at a time."""
    threading.Thread(target=work, name="station-work").start()


def open_printer(config: KioskConfig) -> Printer:
    """The printer that the configuration names. Raises LayoutRefused("printer-profile")."""
    return printer_of(config.file.printer)


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
        panel = TriedPanel(fittings.panel)
        station = build_station(config, ledger, signer, camera, printer, panel=panel)
        heard = Presses(hands_on(station))
        fittings.listen(heard)
        app = create_app(station)
        bench = Bench(lambda: camera, lambda: printer, lambda: (panel, heard), config.file.printer.width_dots)
        add_trial(app, station, bench)
        with watching(station):
            serve_unix(app, config.station_socket, users_named("c1kiosk-endpoint"))


@contextmanager
def watching(station: Station) -> Iterator[None]:
    """Looks under the camera, in a thread of its own, as long as the context lasts."""
    stop = threading.Event()

    def look() -> None:
        pause = 0.0
        while not stop.wait(pause):
            began = time.monotonic()
            pause = max(delays.LEAST_PAUSE, station.watch() - (time.monotonic() - began))

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
    """The station, going on where the last one stopped. Raises Refused when a part is missing."""
    model = DigitModel.load(config.models)
    layouts = tuple(shipped_layouts().values())
    place = place_of(config)
    device = _devices(config)
    parts = Parts(
        camera=camera,
        recognise=lambda frame: explained(take_page(frame, layouts), layouts),
        read=lambda pages, race: read_pages(pages, race.layout, model, race.limits),
        upright=_upright,
        draft=_drafter(config, place, model, ledger),
        signer=signer,
        ledger=ledger,
        receipts=Receipts(ledger, printer),
        strips=DayStrips(
            place=place,
            election=config.definition.election.name,
            election_sha256=bytes.fromhex(config.definition.sha256),
            ledger=ledger,
            device=device,
            checkpoint=lambda: _checkpoint(config),
            width_dots=config.file.printer.width_dots,
        ),
        copies=config.file.printer.copies,
        pin=Pin(read_pin(config.pin), ledger, time.monotonic),
        checks=SelfExamination(
            tps=config.tps.code,
            election=lambda: same_election(config),
            key=lambda: key_of_this_world(config, ledger.record_hashes()),
            ledger=ledger,
            folder=config.state,
            camera=camera,
            printer=printer,
            now=wall_clock,
            custody=lambda: custody.examine(config),
        ),
        agree=lambda: _agree(config, ledger),
        now=wall_clock,
        deliveries=deliveries_of(config),
        sticks=lambda: notes_to_show(config.run / FOLDER),
        start=start,
        panel=panel,
        layouts=layouts,
    )
    return Station.open(place, parts)


def place_of(config: KioskConfig) -> Place:
    """Where the kiosk stands and what it counts. Raises LayoutRefused: a form is unknown, or of two contests."""
    definition, tps = config.definition, config.tps
    layouts = [form_of(contest) for contest in definition.election.contests]
    if len({layout.id for layout in layouts}) < len(layouts):
        raise LayoutRefused("form-twice", forms=", ".join(layout.id for layout in layouts))
    races = (Race(layout, definition.limits(layout.contest, tps.code, layout.limits)) for layout in layouts)
    return Place(config.mode, tps.code, tps.place, tuple(races))


def wall_clock() -> Moment:
    """The time of day, and how good it is."""
    now = system_clock()
    return Moment(now.unix, str(now.quality))


def _checkpoint(config: KioskConfig) -> str | None:
    """The signed end of the log for the strip; None when the signer does not answer, and the strip says so."""
    try:
        return SignerClient(config.signer_socket).checkpoint().decode()
    except SignerRefused as refusal:
        _log.warning("checkpoint.missing", code=refusal.code)
        return None


def _agree(config: KioskConfig, ledger: Ledger) -> None:
    """Signer and ledger hold the same records. A signer that is not up yet is met again by the seal."""
    try:
        head = SignerClient(config.signer_socket).head()
    except SignerRefused as refusal:
        if refusal.code != "signer-unreachable":
            raise
        _log.warning("signer.away")
        return
    compare(head, ledger.record_hashes())


def _devices(config: KioskConfig) -> Callable[[bytes | None], DeviceClaims | None]:
    """Asks the trust folder whose key a key id is of; without one, the signer for the key that signs now."""
    trust = TrustRoots.load(config.trust)

    def claims(kid: bytes | None) -> DeviceClaims | None:
        try:
            return trust.device(kid or key_id(SignerClient(config.signer_socket).device().certificate)).claims
        except Refused as refusal:
            _log.warning("device.unknown", code=refusal.code)
            return None

    return claims


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
    config: KioskConfig, place: Place, model: DigitModel, ledger: Ledger
) -> Callable[[Confirmation], dict[str, Any]]:
    def draft(confirmation: Confirmation) -> dict[str, Any]:
        race = place.race(confirmation.contest)
        assert race is not None
        context = RecordContext(
            mode=config.mode,
            election=bytes.fromhex(config.definition.sha256),
            layout=race.layout,
            software=software(),
            model=bytes.fromhex(model.sha256),
        )
        return draft_record(confirmation, context, ledger.journal_head())

    return draft


def deliveries_of(config: KioskConfig) -> Callable[[Sequence[bytes]], Sequence[Delivery]]:
    """Asks the uplink's outbox how far records have come; what it does not know yet is waiting."""
    collectors = [collector.id for collector in config.definition.election.collectors]

    def deliveries(records: Sequence[bytes]) -> Sequence[Delivery]:
        known = {(entry.record, entry.collector): entry for entry in _outbox_rows(config.outbox_folder, records)}
        return tuple(
            known.get((record, name)) or Delivery(record, name, DeliveryState.WAITING, 0, None, None)
            for record in records
            for name in collectors
        )

    return deliveries


def _outbox_rows(folder: Path, records: Sequence[bytes]) -> Sequence[Delivery]:
    """What the outbox says. Nothing while there is no outbox, which the uplink makes when it starts; nor while it
    cannot be read, for then nobody knows of an acknowledgement: waiting is what can be said."""
    try:
        with Outbox.open(folder, readonly=True) as outbox:
            return [entry for record in records for entry in outbox.deliveries(record)]
    except LedgerRefused as refusal:
        if refusal.code != "ledger-missing":
            _log.warning("outbox.unreadable", code=refusal.code)
        return []
