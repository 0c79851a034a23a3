"""The station holds camera and printer: it lends them while no day is open, and to nobody else at that time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from flask import Flask

from firmware.capture.camera import CameraFault
from firmware.capture.picture import frame_from_bytes
from firmware.errors import Refused
from firmware.panel.panel import Heard, LampState, Sound
from firmware.panel.service import create_app
from firmware.panel.view import Answer
from firmware.receipt.printer import PrinterStatus
from firmware.receipt.strip import ReceiptLayout
from firmware.receipt.trial import Slip
from firmware.records import Frame, Mode
from firmware.selftest.devices import FLASH_SECONDS, Bench, NotToBeHad, Presses, TriedPanel
from firmware.selftest.lending import add_trial
from firmware.selftest.lent import LentDevices, station_runs
from firmware.states import State
from firmware.station import Station
from tests.kiosks import PIN, Room
from tests.readied import served

SLIP = Slip(Mode.TRAINING, "3171010001001", "Kel. Contoh", 1_800_000_000, "synchronised", code="C1K-UJI:0")


class Lamp:
    """A lamp that keeps what it showed."""

    def __init__(self) -> None:
        self.shown: list[LampState] = []

    def lamp(self, state: LampState) -> None:
        self.shown.append(state)

    def sound(self, sound: Sound) -> None:
        raise AssertionError(sound)

    def close(self) -> None:
        raise AssertionError


@dataclass
class Lent:
    """A station that lends, and the client of its socket."""

    station: Station
    room: Room
    devices: LentDevices
    heard: Presses
    panel: TriedPanel
    lamp: Lamp


class OneShot:
    """A camera that gives one picture, or a fault."""

    def __init__(self) -> None:
        self.shots: tuple[Frame, ...] | CameraFault = (frame_from_bytes(b"one", "x"), frame_from_bytes(b"two", "x"))
        self.printed: list[ReceiptLayout] = []

    def capture(self) -> tuple[Frame, ...] | CameraFault:
        return self.shots

    def preview(self) -> CameraFault:
        return CameraFault.TIMEOUT

    def close(self) -> None:
        raise AssertionError


@pytest.fixture
def lent(tmp_path: Path, memory: Path) -> Iterator[Lent]:
    room = Room(memory, begins_open=False, camera=OneShot())
    station, lamp, heard = room.switch_on(), Lamp(), Presses()
    panel = TriedPanel(lamp)
    app: Flask = create_app(station)
    camera = room.camera
    assert camera is not None
    add_trial(app, station, Bench(lambda: camera, lambda: room.printer, lambda: (panel, heard), 576))
    socket = tmp_path / "run" / "station.sock"
    with served(app, socket):
        yield Lent(station, room, LentDevices(socket), heard, panel, lamp)


def test_the_station_lends_what_it_holds(lent: Lent) -> None:
    taken = lent.devices.picture()
    assert isinstance(taken, Frame)
    assert taken.data == b"two", "the last of a burst, bytes untouched"
    assert lent.devices.status() is PrinterStatus.READY
    lent.devices.print(SLIP)
    assert "CETAK UJI" in lent.room.printer.out[0].text
    lent.heard(Heard.PRESSED, "button")
    lent.heard(Heard.HELD, "button")
    assert lent.devices.presses() == 1


def test_the_camera_fails_while_it_is_lent(lent: Lent) -> None:
    assert isinstance(lent.room.camera, OneShot)
    lent.room.camera.shots = CameraFault.HUNG
    assert lent.devices.picture() is CameraFault.HUNG


def test_the_lamp_flashes_although_the_station_would_show_something_else(lent: Lent) -> None:
    lent.devices.flash()
    lent.panel.lamp(LampState.OFF)
    assert lent.lamp.shown == [LampState.ATTENTION]
    now = [100.0]
    patient = TriedPanel(lent.lamp, lambda: now[0])
    patient.flash()
    now[0] += FLASH_SECONDS
    patient.lamp(LampState.OFF)
    assert lent.lamp.shown[-1] is LampState.OFF


def test_a_day_is_open(lent: Lent) -> None:
    """Nobody gets at the camera of an open TPS by this way."""
    assert lent.station.examine() is Answer.ACCEPTED
    assert lent.station.open_day(PIN) is Answer.ACCEPTED
    assert lent.station.view().state is State.IDLE
    for ask in (lent.devices.picture, lent.devices.status, lent.devices.presses, lambda: lent.devices.print(SLIP)):
        with pytest.raises(NotToBeHad) as lack:
            ask()
        assert lack.value.code == "station-busy"


def test_the_day_is_opened_while_devices_are_lent(lent: Lent) -> None:
    with lent.station.lent() as answer, lent.station.lent() as again:
        assert (answer, again) == (Answer.ACCEPTED, Answer.BUSY)
        assert lent.station.examine() is Answer.BUSY
    assert lent.station.examine() is Answer.ACCEPTED


def test_a_device_is_refused_over_the_socket(lent: Lent) -> None:
    bench = lent.room.printer

    def refuse() -> PrinterStatus:
        raise Refused("printer-profile", profile="x")

    bench.status = refuse  # type: ignore[method-assign]
    with pytest.raises(Refused) as refusal:
        lent.devices.status()
    assert (refusal.value.code, refusal.value.details) == ("printer-profile", {"profile": "x"})
    assert lent.station.examine() is Answer.ACCEPTED, "given back"


def test_no_station_runs(tmp_path: Path) -> None:
    """A socket that a killed station left behind is nobody."""
    assert not station_runs(tmp_path / "none.sock")
    (tmp_path / "left.sock").touch()
    assert not station_runs(tmp_path / "left.sock")
    with pytest.raises(NotToBeHad, match="station-silent"):
        LentDevices(tmp_path / "left.sock").status()


def test_a_station_runs(lent: Lent, tmp_path: Path) -> None:
    assert station_runs(tmp_path / "run" / "station.sock")


def test_somebody_empties_the_roll(lent: Lent) -> None:
    """A strip as long as the roll is no strip of the self-test."""
    endless = Slip(SLIP.mode, SLIP.tps, SLIP.place, SLIP.unix, SLIP.clock, verdict="x", lines=(("x", "ha " * 1000),))
    with pytest.raises(NotToBeHad, match="station-silent"):
        lent.devices.print(endless)
    assert lent.room.printer.out == []
