"""The printer that the configuration names, on the line that it names. Nothing is opened before it is used."""

from __future__ import annotations

from firmware.config import FlowControl, PrinterConfig, PrinterDriver
from firmware.receipt.conversation import Patience
from firmware.receipt.escpos_printer import EscposPrinter, profile_of
from firmware.receipt.serial_wire import SerialWire
from firmware.receipt.wire import Wire, open_network, open_usb


def printer_of(config: PrinterConfig, patience: Patience | None = None) -> EscposPrinter:
    """The printer of `[printer]`. Raises LayoutRefused("printer-profile"); a printer that is not there is a status."""
    waits = patience or Patience()
    profile = profile_of(config.profile, config.width_dots)
    return EscposPrinter(lambda: _wire(config, waits.stall_s), profile, waits)


def _wire(config: PrinterConfig, stall_s: float) -> Wire:
    match config.driver:
        case PrinterDriver.ESCPOS_SERIAL:
            xonxoff, rtscts = config.flow is FlowControl.XONXOFF, config.flow is FlowControl.RTSCTS
            return SerialWire(config.device, config.baud, xonxoff, rtscts, stall_s)
        case PrinterDriver.ESCPOS_NETWORK:
            return open_network(*config.address, stall_s)
        case PrinterDriver.ESCPOS_USB:
            return open_usb(*config.usb_numbers, stall_s)
