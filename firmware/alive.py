"""What each service asks itself before systemd hears that it does its work (heartbeat.py): the way its clients ask.

signer    its checkpoint: the socket is served, the chain is open and nobody sits on it, and the key has signed
station   GET /alive: the socket is served, a command would get its turn, somebody looks under the camera, and no work
          has been going on for longer than any work takes (station.py)
endpoint  GET /v1/status on the screen's port: the port is served to a user who may, and the ledger has been asked;
          what the status says is not its fault

The uplink's loops tell for themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import httpx

from firmware.config import KioskConfig
from firmware.http import LOOPBACK, unix_client
from firmware.signing.client import SignerClient

PATIENCE_SECONDS = 8.0
"""For one answer: a stalled SD card takes seconds, and three answers must fit into the 30 s of the units."""


def _signer(config: KioskConfig) -> None:
    SignerClient(config.signer_socket, PATIENCE_SECONDS).checkpoint()


def _station(config: KioskConfig) -> None:
    with unix_client(config.station_socket, PATIENCE_SECONDS) as client:
        _expect(client.get("/alive"), httpx.codes.NO_CONTENT)


def _endpoint(config: KioskConfig) -> None:
    with httpx.Client(base_url=f"http://{LOOPBACK}:{config.file.screen.port}", trust_env=False) as client:
        _expect(client.get("/v1/status", timeout=PATIENCE_SECONDS), httpx.codes.OK)


def _expect(answer: httpx.Response, status: int) -> None:
    if answer.status_code != status:
        raise ConnectionError(f"status {answer.status_code}: {answer.text[:200]}")


SELF_CHECKS: Mapping[str, Callable[[KioskConfig], None]] = {
    "signer": _signer,
    "station": _station,
    "endpoint": _endpoint,
}
"""Raises when the service has not answered itself."""
