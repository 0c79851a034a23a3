"""The running station's devices, reached over its socket (lending.py)."""

from __future__ import annotations

import socket as sockets
from pathlib import Path
from typing import TypeVar

import httpx
import msgspec

from firmware.capture.camera import CameraFault
from firmware.capture.picture import frame_from_bytes
from firmware.errors import Refused
from firmware.http import unix_client
from firmware.receipt.printer import PrinterStatus, PrintOutcome
from firmware.receipt.trial import Slip
from firmware.records import Frame
from firmware.selftest.devices import NotToBeHad
from firmware.selftest.lending import JPEG, NOT_LENT, REFUSED, Fault, Heard, Refusal, Status

TIMEOUT_SECONDS = 60.0
"""A strip takes seconds; a camera that hangs is replaced, which takes ten."""
T = TypeVar("T")


def station_runs(socket: Path) -> bool:
    """Whether somebody listens at the station's socket. A file that a killed station left behind is nobody."""
    with sockets.socket(sockets.AF_UNIX, sockets.SOCK_STREAM) as probe:
        probe.settimeout(TIMEOUT_SECONDS)
        try:
            probe.connect(str(socket))
        except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError):
            return False
        except OSError:  # somebody is there, and does not talk to us or is too busy: the devices are theirs
            return True
    return True


class LentDevices:
    """Devices of the station that listens at this socket."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket

    def picture(self) -> Frame | CameraFault:
        """One picture at full size."""
        answer = self._ask("POST", "/trial/picture")
        if answer.headers.get("content-type") == JPEG:
            return frame_from_bytes(answer.content, "station")
        return _decoded(answer, Fault).fault

    def status(self) -> PrinterStatus:
        """How the printer is."""
        return _decoded(self._ask("POST", "/trial/status"), Status).status

    def print(self, slip: Slip) -> PrintOutcome:
        """Prints one strip."""
        return _decoded(self._ask("POST", "/trial/print", msgspec.json.encode(slip)), PrintOutcome)

    def flash(self) -> None:
        """Lets the lamp flash."""
        self._ask("POST", "/trial/flash")

    def presses(self) -> int:
        """How often a press was heard since the station was started."""
        return _decoded(self._ask("GET", "/trial/presses"), Heard).presses

    def _ask(self, method: str, path: str, body: bytes = b"") -> httpx.Response:
        try:
            with unix_client(self._socket, TIMEOUT_SECONDS) as http:
                answer = http.request(method, path, content=body)
        except httpx.HTTPError as problem:
            raise NotToBeHad("station-silent") from problem
        if answer.status_code == NOT_LENT:
            raise NotToBeHad("station-busy")
        if answer.status_code == REFUSED:
            refusal = _decoded(answer, Refusal)
            raise Refused(refusal.code, **refusal.details)
        if answer.status_code != httpx.codes.OK:
            raise NotToBeHad("station-silent")
        return answer


def _decoded(answer: httpx.Response, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(answer.content, type=kind)
    except msgspec.MsgspecError as problem:
        raise NotToBeHad("station-silent") from problem
