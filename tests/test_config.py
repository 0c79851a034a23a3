"""Configuration that must not start a kiosk."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from firmware.config import load_config, parse_election
from firmware.errors import LayoutRefused

TPS = "3173041003012"
ELECTION: dict[str, Any] = {
    "version": 1,
    "name": "contoh",
    "mode": "development",
    "contests": [{"id": "ppwp", "form": "c.hasil-ppwp-2024", "candidates": [], "limits": {"voters": 400}}],
    "polling_stations": [{"code": TPS, "place": "Kel. Contoh", "voters": 158}],
    "collectors": [],
}
KIOSK = f"""
tps = "{TPS}"
election = "election.json"
state = "state"
run = "run"
[camera]
driver = "v4l2"
device = "/dev/video0"
[printer]
driver = "escpos-serial"
device = "/dev/ttyUSB0"
[key]
driver = "development-file"
"""


def write(folder: Path, kiosk: str = KIOSK, **election: Any) -> Path:
    (folder / "election.json").write_text(json.dumps(ELECTION | election), encoding="utf-8")
    path = folder / "kiosk.toml"
    path.write_text(kiosk, encoding="utf-8")
    return path


def test_paths_are_found_beside_the_file(tmp_path: Path) -> None:
    config = load_config(write(tmp_path))
    assert config.station_socket == tmp_path / "run" / "station.sock"
    assert config.tps.voters == 158
    assert config.definition.limits("ppwp", TPS, {"voters": 306, "other": 1}) == {"voters": 400, "other": 1, "dpt": 158}


def test_the_name_of_an_election_is_the_hash_of_its_bytes(tmp_path: Path) -> None:
    before = load_config(write(tmp_path)).definition.sha256
    (tmp_path / "election.json").write_text(json.dumps(ELECTION, indent=2), encoding="utf-8")
    assert load_config(tmp_path / "kiosk.toml").definition.sha256 != before


@pytest.mark.parametrize("driver", ["simulator", "mock", "fake", "tests.simulators.camera", ""])
@pytest.mark.parametrize("part", ["v4l2", "escpos-serial", "development-file"])
def test_a_configuration_asks_for_a_mock(tmp_path: Path, part: str, driver: str) -> None:
    with pytest.raises(LayoutRefused, match="config-invalid"):
        load_config(write(tmp_path, KIOSK.replace(f'"{part}"', f'"{driver}"')))


@pytest.mark.parametrize(
    "change",
    [
        ("[camera]", 'colour = "red"\n[camera]'),
        ('device = "/dev/video0"', 'device = "/dev/video0"\nmock = true'),
        (f'tps = "{TPS}"', 'tps = "317304100301"'),
        (f'tps = "{TPS}"', 'tps = "317304100301x"'),
        ('state = "state"', ""),
        ('device = "/dev/ttyUSB0"', 'device = "/dev/ttyUSB0"\ncopies = 0'),
        ('device = "/dev/ttyUSB0"', 'device = "/dev/ttyUSB0"\nwidth_dots = 512'),
        ('device = "/dev/ttyUSB0"', 'device = "/dev/ttyUSB0"\nflow = "hardware"'),
        ('device = "/dev/ttyUSB0"', 'device = "04b8:0e15"'),
        ('"escpos-serial"', '"escpos-network"'),
        ('"escpos-serial"', '"escpos-usb"'),
        ('device = "/dev/video0"', ""),
        ("[printer]", "[printer"),
    ],
)
def test_a_configuration_has_a_mistake(tmp_path: Path, change: tuple[str, str]) -> None:
    assert change[0] in KIOSK
    with pytest.raises(LayoutRefused, match="config-invalid"):
        load_config(write(tmp_path, KIOSK.replace(*change)))


PEDAL = '[panel.pedal]\ndevice = "/dev/input/by-id/usb-pedal-event-kbd"\nkeys = [48, 28]\n'


def test_a_panel_is_where_the_configuration_says(tmp_path: Path) -> None:
    panel = load_config(write(tmp_path, f"{KIOSK}[panel]\nbutton_pin = 17\nlamp_pin = 27\n{PEDAL}")).file.panel
    assert (panel.button_pin, panel.lamp_pin, panel.buzzer_pin) == (17, 27, None)
    assert panel.pins == (17, 27)
    assert panel.pedal is not None
    assert panel.pedal.keys == (48, 28)
    assert load_config(write(tmp_path)).file.panel.pins == ()


@pytest.mark.parametrize(
    "panel",
    [
        "[panel]\nbutton_pin = 17\nlamp_pin = 17\n",
        "[panel]\nbutton_pin = 28\n",
        "[panel]\nbutton_pin = 1\n",
        "[panel]\nbutton_pin = true\n",
        '[panel]\nbutton_pin = "GPIO17"\n',
        "[panel]\nbuton_pin = 17\n",
        '[panel]\nfactory = "mock"\n',
        PEDAL.replace("/dev/input/by-id/", "/tmp/"),
        PEDAL.replace("[48, 28]", "[]"),
        PEDAL.replace("[48, 28]", "[768]"),
        PEDAL.replace("[48, 28]", '["b"]'),
        PEDAL.replace("keys = [48, 28]", ""),
        PEDAL + "grab = false\n",
    ],
)
def test_a_panel_is_wired_wrongly_on_paper(tmp_path: Path, panel: str) -> None:
    with pytest.raises(LayoutRefused, match="config-invalid"):
        load_config(write(tmp_path, KIOSK + panel))


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"mode": "real"}, "config-key-mode"),
        ({"mode": "training"}, "config-key-mode"),
        ({"mode": "test"}, "election-invalid"),
        ({"version": 2}, "election-invalid"),
        ({"contests": []}, "election-invalid"),
        ({"extra": 1}, "election-invalid"),
        ({"polling_stations": [{"code": "3173041003099", "place": "", "voters": 1}]}, "tps-unknown"),
    ],
)
def test_an_election_that_is_not_this_kiosks(tmp_path: Path, change: dict[str, Any], code: str) -> None:
    with pytest.raises(LayoutRefused, match=code):
        load_config(write(tmp_path, **change))


def test_a_file_is_missing_or_far_too_large(tmp_path: Path) -> None:
    with pytest.raises(LayoutRefused, match="config-unreadable"):
        load_config(tmp_path / "kiosk.toml")
    with pytest.raises(LayoutRefused, match="config-unreadable"):
        load_config(write(tmp_path, KIOSK + "#" * 5_000_000))


@pytest.mark.parametrize(
    ("device", "address"), [("10.0.0.7:9100", ("10.0.0.7", 9100)), ("[fe80::1]:9100", ("fe80::1", 9100))]
)
def test_a_network_printer_is_looked_for_elsewhere(tmp_path: Path, device: str, address: tuple[str, int]) -> None:
    kiosk = KIOSK.replace('"escpos-serial"', '"escpos-network"').replace("/dev/ttyUSB0", device)
    assert load_config(write(tmp_path, kiosk)).file.printer.address == address


def test_a_printer_on_usb_is_taken_for_another(tmp_path: Path) -> None:
    kiosk = KIOSK.replace('"escpos-serial"', '"escpos-usb"').replace("/dev/ttyUSB0", "04b8:0e15")
    assert load_config(write(tmp_path, kiosk)).file.printer.usb_numbers == (0x04B8, 0x0E15)


def test_a_polling_station_stands_twice_in_the_election() -> None:
    election = ELECTION | {"polling_stations": ELECTION["polling_stations"] * 2}
    with pytest.raises(LayoutRefused, match="election-invalid"):
        parse_election(json.dumps(election).encode())
