"""The plan of a batch: a CSV file with a row for each device. It is taken whole or not at all.

    serial     as on the device's label
    host       how ssh reaches it; may be empty where a stick is used
    tps        13 digits, in the election definition; empty: a spare
    seal       number of the seal that the case will get
    protection tpm, sealed-file, or plain-file (training only): what a person has seen in the device
    camera, camera_device, printer, printer_device, lan_address    may be missing: the template's

Every problem is told with its line (`plan-unreadable`); serials, hosts, TPS and seals stand in it once.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from firmware.signing.enrolment import SERIAL
from firmware.signing.keys import Protection
from provisioning.authority.issuing import ProvisioningRefused

NEEDED = ("serial", "host", "tps", "seal", "protection")
SETTINGS = {
    "camera": "camera.driver",
    "camera_device": "camera.device",
    "printer": "printer.driver",
    "printer_device": "printer.device",
    "lan_address": "lan.address",
}
"""Columns that change the template, and what they change."""
ONCE = ("serial", "host", "tps", "seal")
MAX_BYTES = 4 * 1024 * 1024
"""Of a plan: 15,000 rows are about 1 MB."""

_SEAL = re.compile(r"[A-Za-z0-9][A-Za-z0-9./-]{0,31}")
_HOST = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*@)?[A-Za-z0-9][A-Za-z0-9.:_-]*|")
_TPS = re.compile(r"[0-9]{13}|")


@dataclass(frozen=True, slots=True)
class Row:
    """One device."""

    serial: str
    host: str
    tps: str
    seal: str
    protection: Protection
    settings: tuple[tuple[str, str], ...] = ()
    """What differs from the template, by dotted name."""

    @property
    def changes(self) -> dict[str, Any]:
        """For the template."""
        return {"tps": self.tps, **dict(self.settings)}


def read_plan(path: Path, stations: Iterable[str]) -> list[Row]:
    """The rows of a plan whose TPS are all in `stations`. Raises ProvisioningRefused with every problem."""
    try:
        with path.open("rb") as file:
            text = file.read(MAX_BYTES).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ProvisioningRefused("plan-unreadable", file=path.name, line=0, problem=str(error)) from error
    reader = csv.DictReader(io.StringIO(text), strict=True)
    columns = reader.fieldnames or ()
    wrong = [name for name in NEEDED if name not in columns] + [n for n in columns if n not in (*NEEDED, *SETTINGS)]
    if wrong:
        raise ProvisioningRefused("plan-unreadable", file=path.name, line=1, problem=f"columns: {', '.join(wrong)}")
    lines = [(reader.line_num, line) for line in reader]
    problems = [*_problems(lines, frozenset(stations)), *_doubles(lines)]
    if problems or not lines:
        number, problem = problems[0] if problems else (1, "no rows")
        more = f" (and {len(problems) - 1} more: " + "; ".join(f"line {n}: {p}" for n, p in problems[1:6]) + ")"
        raise ProvisioningRefused(
            "plan-unreadable", file=path.name, line=number, problem=problem + (more if len(problems) > 1 else "")
        )
    return [_row(line) for _, line in lines]


def _problems(lines: list[tuple[int, dict[str, str]]], stations: frozenset[str]) -> Iterator[tuple[int, str]]:
    for number, line in lines:
        if None in line or None in line.values():
            yield number, "another number of columns than the first line"
            continue
        for name, form in (("serial", SERIAL), ("host", _HOST), ("tps", _TPS), ("seal", _SEAL)):
            if not form.fullmatch(line[name]):
                yield number, f"{name} {line[name]!r}"
        if line["protection"] not in list(Protection):
            yield number, f"protection {line['protection']!r}"
        if _TPS.fullmatch(line["tps"]) and line["tps"] and line["tps"] not in stations:
            yield number, f"TPS {line['tps']} is not in the election"


def _doubles(lines: list[tuple[int, dict[str, str]]]) -> Iterator[tuple[int, str]]:
    for name in ONCE:
        counted = Counter(line.get(name) or "" for _, line in lines)
        for number, line in lines:
            if line.get(name) and counted[line[name]] > 1:
                yield number, f"{name} {line[name]} stands more than once"


def _row(line: dict[str, str]) -> Row:
    settings = tuple((SETTINGS[name], line[name]) for name in SETTINGS if line.get(name))
    return Row(line["serial"], line["host"], line["tps"], line["seal"], Protection(line["protection"]), settings)
