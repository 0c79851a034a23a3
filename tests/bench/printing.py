"""What a strip costs: `python -m tests.bench.printing`. Bytes, millimetres and seconds by form, paper, code and baud.

Seconds are measured on the simulated printer, from the call to the printer's own word behind the cut, at the paper's
speed of a common printer. Its line is a pseudo-terminal, which knows XON/XOFF and no RTS/CTS.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import msgspec

from firmware.config import PrinterConfig
from firmware.forms.loader import shipped_layouts
from firmware.receipt.connecting import printer_of
from firmware.receipt.escpos_printer import profile_of, receipt_commands
from firmware.receipt.layout import compose
from firmware.receipt.printer import Printed
from firmware.receipt.strip import ReceiptLayout
from tests.simulators.printer import SimulatedPrinter
from tests.strips import PLACE, crowded, stored

BAUDS = (9600, 115_200)
MM_PER_SECOND = 150.0
PAPERS = {576: (("printer", "TM-T20II"), ("picture", "TH230")), 384: (("printer", "Sunmi-V2"), ("picture", "POS-5890"))}
"""Who draws the code, and the profile of such a printer."""
NATIONAL = (18, 10)
"""Parties of a DPR contest and candidates of each."""
OUT = Path(__file__).parents[2] / "build" / "bench" / "printing.json"


@dataclass
class Cost:
    """Of one strip."""

    form: str
    width_dots: int
    code_drawn_by: str
    bytes: int
    millimetres: float
    seconds: dict[int, float]
    """By baud rate."""


def strips() -> Iterator[tuple[str, int, ReceiptLayout]]:
    """The receipts of every shipped form, and of a national contest, for both papers."""
    forms = dict(shipped_layouts())
    forms["18 parties"] = crowded(forms["c.hasil-ppwp-2024"], *NATIONAL)
    for name, form in forms.items():
        record = stored(form, {field: index * 37 % 300 for index, field in enumerate(form.fields)})
        for width in PAPERS:
            yield name, width, compose(record, form, PLACE, 1, 5, False, width)


def seconds(layout: ReceiptLayout, profile: str, baud: int) -> tuple[float, float]:
    """Seconds and millimetres of one strip."""
    with SimulatedPrinter(None, layout.width_dots, baud, MM_PER_SECOND) as machine:
        table = {"driver": "escpos-serial", "device": machine.device, "baud": baud, "profile": profile}
        printer = printer_of(msgspec.convert(table | {"width_dots": layout.width_dots}, PrinterConfig))
        began = time.monotonic()
        outcome = printer.print(layout)
        took = time.monotonic() - began
        printer.close()
        if outcome.printed is not Printed.CONFIRMED:
            raise SystemExit(f"not printed: {outcome}")
        if not machine.strips:
            machine.tear_off()
        return took, machine.strips[0].length_mm


def main() -> None:
    """Prints the table and writes it."""
    costs = []
    print(
        f"{'form':<20}{'dots':>5} {'code by':<9}{'bytes':>7}{'mm':>6}"
        + "".join(f"{f's at {baud}':>13}" for baud in BAUDS)
    )
    for form, width, layout in strips():
        for drawn_by, profile in PAPERS[width]:
            size = sum(map(len, receipt_commands(layout, profile_of(profile, width))))
            measured = {baud: seconds(layout, profile, baud) for baud in BAUDS}
            times = {baud: round(took, 1) for baud, (took, _) in measured.items()}
            cost = Cost(form, width, drawn_by, size, measured[BAUDS[-1]][1], times)
            costs.append(asdict(cost))
            print(
                f"{form:<20}{width:>5} {drawn_by:<9}{size:>7}{cost.millimetres:>6.0f}"
                + "".join(f"{times[baud]:>13.1f}" for baud in BAUDS),
                flush=True,
            )
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(costs, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
