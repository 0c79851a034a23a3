"""The kiosk's processes: `c1kiosk run station|endpoint|signer|uplink --config kiosk.toml`.

One process holds one privilege (see README.md); systemd starts one unit for each. They find each other by the paths
of the configuration: the signer's and the station's sockets, the ledger, the outbox.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

import click
import structlog

from firmware.building import build_station
from firmware.capture.camera import Camera
from firmware.config import CameraDriver, Collector, KeyDriver, KioskConfig, PrinterDriver, load_config
from firmware.endpoint.app import create_app as create_screen
from firmware.endpoint.station_client import StationClient
from firmware.http import serve_loopback, serve_unix
from firmware.ledger.store import Ledger
from firmware.panel.service import create_app as create_panel
from firmware.receipt.escpos_printer import EscposPrinter
from firmware.receipt.printer import Printer
from firmware.signing.client import SignerClient
from firmware.signing.development_key import DevelopmentKey
from firmware.signing.service import create_app as create_signer
from firmware.signing.service import system_clock
from firmware.signing.signer import Signer
from firmware.signing.trust import TrustRoots
from firmware.uplink import process as uplink
from firmware.uplink.transport import HttpTransport


def open_printer(config: KioskConfig) -> Printer:
    """The printer that the configuration names."""
    printer = config.file.printer
    match printer.driver:
        case PrinterDriver.ESCPOS_SERIAL:
            return EscposPrinter(printer.device)


def open_camera(config: KioskConfig) -> Camera:
    """The camera that the configuration names."""
    match config.file.camera.driver:
        case CameraDriver.V4L2:
            from firmware.capture.v4l2_camera import V4l2Camera

            return V4l2Camera(config.file.camera.device)


def serve_station(config: KioskConfig, camera: Camera) -> None:
    """Opens the ledger, goes on where the session stopped, and serves the station's socket until it is told to end."""
    with Ledger.open(config.ledger_folder) as ledger:
        signer = SignerClient(config.signer_socket)
        station = build_station(config, ledger, signer, camera, open_printer(config))
        try:
            serve_unix(create_panel(station), config.station_socket)
        finally:
            camera.close()


def _station(config: KioskConfig) -> None:
    serve_station(config, open_camera(config))


def _endpoint(config: KioskConfig) -> None:
    port = config.file.screen.port
    station = StationClient.at(config.station_socket)
    serve_loopback(create_screen(station, config.ledger_folder, port), port)


def _signer(config: KioskConfig) -> None:
    match config.file.key.driver:
        case KeyDriver.DEVELOPMENT_FILE:
            key = DevelopmentKey.open(config.key_folder / "key")
    signer = Signer(config.key_folder, key, system_clock)
    serve_unix(create_signer(signer, key), config.signer_socket)


def _uplink(config: KioskConfig) -> None:
    """One thread for each collector: one that is slow does not hold the others up."""
    stop = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda _signal, _frame: stop.set())
    trust = TrustRoots.load(config.trust)
    threads = [
        threading.Thread(target=_forward, args=(config, trust, collector, stop), name=f"uplink-{collector.id}")
        for collector in config.definition.election.collectors
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _forward(config: KioskConfig, trust: TrustRoots, collector: Collector, stop: threading.Event) -> None:
    with HttpTransport(collector.url) as transport:
        uplink.run(config.ledger_folder, config.outbox_folder, trust, collector.id, transport, stop)


PROCESSES: Mapping[str, Callable[[KioskConfig], None]] = {
    "station": _station,
    "endpoint": _endpoint,
    "signer": _signer,
    "uplink": _uplink,
}


def log_to_stderr() -> None:
    """One JSON object a line, with time and level, as journald and people's tools like it."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


@click.command("run")
@click.argument("process", type=click.Choice(list(PROCESSES)))
@click.option("--config", "path", type=click.Path(path_type=Path), default="/etc/c1kiosk/kiosk.toml", show_default=True)
def run_command(process: str, path: Path) -> None:
    """Run one process of the kiosk until SIGTERM or Ctrl-C."""
    log_to_stderr()
    PROCESSES[process](load_config(path))
