"""The kiosk's processes: `c1kiosk run station|endpoint|signer|uplink --config kiosk.toml`.

One process holds one privilege (see README.md); systemd starts one unit for each. They find each other by the paths
of the configuration: the signer's and the station's sockets, the ledger, the outbox. Each loads only its own rooms:
the process that holds the key has no picture decoder in it, the one that holds the network no model.
"""

from __future__ import annotations

import faulthandler
import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click
import structlog

from firmware.alive import SELF_CHECKS
from firmware.config import KeyDriver, KioskConfig, load_config
from firmware.errors import SignerRefused
from firmware.heartbeat import beating

if TYPE_CHECKING:
    from firmware.signing.keys import Counter, DeviceKey


def _station(config: KioskConfig) -> None:
    from firmware.building import open_camera, serve_station

    serve_station(config, open_camera(config))


def _endpoint(config: KioskConfig) -> None:
    from firmware.endpoint.app import create_app
    from firmware.endpoint.peer import LocalUsers, allowed_users
    from firmware.endpoint.sources import Sources
    from firmware.endpoint.station_client import StationClient
    from firmware.http import serve_loopback

    screen = config.file.screen
    sources = Sources(StationClient.at(config.station_socket), config.ledger_folder, config.trust)
    users = allowed_users(screen.user)
    if config.lan is not None:
        from firmware.endpoint.lan import start_lan

        start_lan(config.lan, sources)
    serve_loopback(LocalUsers(create_app(sources, screen.port), users), screen.port)


def _signer(config: KioskConfig) -> None:
    from firmware.http import serve_unix, serve_unix_aside, users_named
    from firmware.signing.service import create_app, create_head_app, system_clock
    from firmware.signing.signer import Signer

    key, counter = _open_key(config)
    signer = Signer(config.key_folder, key, system_clock, counter)
    if signer.world is not config.mode:
        raise SignerRefused("key-world", world=str(signer.world), mode=str(config.mode))
    serve_unix_aside(create_head_app(signer), config.head_socket, users_named("c1kiosk-stick"), signer.stranger)
    serve_unix(create_app(signer, key), config.signer_socket, users_named("c1kiosk-station"), signer.stranger)


def _open_key(config: KioskConfig) -> tuple[DeviceKey, Counter | None]:
    """The key that `[key]` names, and what counts its records outside of the disk, where there is such a thing."""
    folder = config.key_folder / "key"
    match config.file.key.driver:
        case KeyDriver.DEVELOPMENT_FILE:
            from firmware.signing.development_key import DevelopmentKey

            return DevelopmentKey.open(folder), None
        case KeyDriver.TRAINING_FILE:
            from firmware.signing.training_key import TrainingKey

            return TrainingKey.open(folder), None
        case KeyDriver.SEALED_CREDENTIAL:
            from firmware.signing.sealed_key import SealedKey

            return SealedKey.open(folder, os.environ), None
        case KeyDriver.TPM:
            from firmware.signing.enrolment import load
            from firmware.signing.tpm_key import TpmCounter, TpmKey

            tcti = config.file.key.tcti
            return TpmKey.open(tcti, load(folder)), TpmCounter(tcti)


def _uplink(config: KioskConfig) -> None:
    from firmware.uplink.process import serve

    stop = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda _signal, _frame: stop.set())
    serve(config, stop)


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
    faulthandler.enable()  # systemd ends what hangs with SIGABRT: the journal then says where every thread was
    log_to_stderr()
    config = load_config(path)
    with ExitStack() as alive:
        if process in SELF_CHECKS:
            alive.enter_context(beating(partial(SELF_CHECKS[process], config)))
        PROCESSES[process](config)
