"""The station lends its devices to the self-test, over its socket, while no day is open.

    POST /trial/picture   JPEG, or { "fault" }        POST /trial/print    Slip -> { "printed", "status" }
    POST /trial/status    { "status" }                POST /trial/flash    {}
    GET  /trial/presses   { "presses" }
    while a day is open, or the station works         409 and an Answer; a refusal: 422 and { "code", "details" }

Nothing here reads or writes the ledger, and nothing reaches the signer. Meanwhile the station answers `busy`.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from flask import Flask, Response, request

from firmware.capture.camera import CameraFault
from firmware.errors import Refused
from firmware.panel.view import Answer
from firmware.receipt.printer import PrinterStatus, PrintOutcome
from firmware.receipt.trial import Slip
from firmware.selftest.devices import Devices
from firmware.station import Station

JPEG = "image/jpeg"
JSON = "application/json"
NOT_LENT, REFUSED, BAD = 409, 422, 400


class Fault(msgspec.Struct, frozen=True):
    """There is no picture."""

    fault: CameraFault


class Status(msgspec.Struct, frozen=True):
    """How the printer is."""

    status: PrinterStatus


class Heard(msgspec.Struct, frozen=True):
    """How often somebody pressed."""

    presses: int


class Refusal(msgspec.Struct, frozen=True):
    """What a device was refused with."""

    code: str
    details: dict[str, str]


def add_trial(app: Flask, station: Station, devices: Devices) -> None:
    """Adds the routes above to the station's application."""

    def lent(use: Callable[[], Response]) -> Response:
        with station.lent() as answer:
            if answer is not Answer.ACCEPTED:
                return _json(answer, NOT_LENT)
            try:
                return use()
            except Refused as refusal:
                return _json(Refusal(refusal.code, {name: str(of) for name, of in refusal.details.items()}), REFUSED)

    def flash() -> Response:
        devices.flash()
        return _json({})

    @app.post("/trial/picture")
    def trial_picture() -> Response:
        return lent(lambda: _picture(devices))

    @app.post("/trial/status")
    def trial_status() -> Response:
        return lent(lambda: _json(Status(devices.status())))

    @app.post("/trial/print")
    def trial_print() -> Response:
        try:
            slip = msgspec.json.decode(request.get_data(), type=Slip)
        except msgspec.MsgspecError:
            return Response(status=BAD)
        return lent(lambda: _json(devices.print(slip)))

    @app.post("/trial/flash")
    def trial_flash() -> Response:
        return lent(flash)

    @app.get("/trial/presses")
    def trial_presses() -> Response:
        return lent(lambda: _json(Heard(devices.presses())))


def _picture(devices: Devices) -> Response:
    taken = devices.picture()
    return _json(Fault(taken)) if isinstance(taken, CameraFault) else Response(taken.data, content_type=JPEG)


def _json(value: msgspec.Struct | PrintOutcome | Answer | dict[str, str], status: int = 200) -> Response:
    return Response(msgspec.json.encode(value), status, content_type=JSON)
