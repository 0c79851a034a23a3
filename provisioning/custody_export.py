"""Checked chains of many devices as files for a logistics dashboard: CSV (a row for each event), JSON (the same, by
device, with findings), GeoJSON (RFC 7946: a point for each event that has coordinates, a line for each device).

A chain that does not hold is named with its code in each of them. The same chains give the same bytes.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from firmware.errors import Refused, VerificationRefused
from firmware.signing import custody_folder
from firmware.signing.custody import Custody
from firmware.signing.handover import Event, open_event
from firmware.signing.label import Label
from firmware.signing.officers import OfficerTrust

Found = Sequence[tuple[str, Custody | Refused]]
"""By serial."""
MILLION = 1_000_000
COLUMNS = (
    "device", "kid", "number", "time", "place", "latitude", "longitude", "seal", "seal_state", "resealed", "condition",
    "giver", "giver_role", "receiver", "receiver_role", "signatures", "alone", "findings", "sha256", "refused",
)  # fmt: skip
_FORMULA = ("=", "+", "-", "@", "\t")
"""A spreadsheet runs a text that begins so: it gets an apostrophe in the CSV."""


def chains(folder: Path, trust: OfficerTrust, only: Label | None = None) -> Iterator[tuple[str, Custody | Refused]]:
    """Every device's chain, checked, by serial; the label is what its first event says, or `only`."""
    try:
        serials = [only.serial] if only else sorted(path.name for path in folder.iterdir() if path.is_dir())
    except OSError as error:
        raise VerificationRefused("custody-unreadable", file=str(folder), problem=str(error.strerror)) from error
    for serial in serials:
        try:
            label = only or _label(folder / serial, serial, trust)
            yield serial, custody_folder.load(folder / serial, trust, label)
        except Refused as refusal:
            yield serial, refusal


def _label(folder: Path, serial: str, trust: OfficerTrust) -> Label:
    events = custody_folder.read(folder)
    if not events:
        raise VerificationRefused("custody-gap", number=1)
    return Label(serial, open_event(events[0], trust).label.kid)


def to_csv(found: Found) -> bytes:
    """A row for each event; a refused chain has one row."""
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\r\n")
    writer.writeheader()
    for serial, custody in found:
        if isinstance(custody, Refused):
            writer.writerow({"device": serial, "refused": custody.code})
            continue
        for event in custody.events:
            writer.writerow({name: _cell(value) for name, value in _row(custody, event).items()})
    return out.getvalue().encode()


def to_json(found: Found) -> bytes:
    """By device: holder, seal, findings, events."""
    document = {"devices": [_device(serial, custody) for serial, custody in found]}
    return json.dumps(document, indent=1, ensure_ascii=False).encode() + b"\n"


def to_geojson(found: Found) -> bytes:
    """Points and lines; longitude comes first."""
    features = [feature for _serial, custody in found if isinstance(custody, Custody) for feature in _features(custody)]
    refused = {serial: custody.code for serial, custody in found if isinstance(custody, Refused)}
    document = {"type": "FeatureCollection", "refused": refused, "features": features}
    return json.dumps(document, indent=1, ensure_ascii=False).encode() + b"\n"


WRITERS: dict[str, Callable[[Found], bytes]] = {"csv": to_csv, "json": to_json, "geojson": to_geojson}
"""By the name of the option."""


def _device(serial: str, custody: Custody | Refused) -> dict[str, Any]:
    if isinstance(custody, Refused):
        return {"device": serial, "refused": custody.code}
    holder = custody.holder
    return {
        "device": serial,
        "kid": custody.label.kid.hex(),
        "holder": {"name": holder.name, "role": holder.role} if holder else None,
        "seal": custody.seal,
        "serious": [f"{entry.oddity} at {entry.number}" for entry in custody.serious],
        "events": [_row(custody, event) for event in custody.events],
    }


def _row(custody: Custody, event: Event) -> dict[str, Any]:
    said = event.said
    latitude, longitude = [part / MILLION for part in said.at] if said.at else (None, None)
    return {
        "device": said.device,
        "kid": said.kid.hex(),
        "number": said.number,
        "time": datetime.fromtimestamp(said.unix, UTC).isoformat().replace("+00:00", "Z"),
        "place": said.place,
        "latitude": latitude,
        "longitude": longitude,
        "seal": said.seal,
        "seal_state": said.seal_state,
        "resealed": said.resealed,
        "condition": said.condition,
        "giver": said.giver.name,
        "giver_role": said.giver.role,
        "receiver": said.receiver.name,
        "receiver_role": said.receiver.role,
        "signatures": len(event.signed_by),
        "alone": said.alone,
        "findings": " ".join(str(entry.oddity) for entry in custody.findings if entry.number == said.number),
        "sha256": event.sha256.hex(),
    }


def _cell(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def _features(custody: Custody) -> Iterator[dict[str, Any]]:
    line: list[list[float]] = []
    for event in custody.events:
        if event.said.at is None:
            continue
        latitude, longitude = (part / MILLION for part in event.said.at)
        line.append([longitude, latitude])
        yield _feature("Point", line[-1], _row(custody, event))
    if len(line) > 1:
        yield _feature("LineString", line, {"device": custody.label.serial})


def _feature(kind: str, coordinates: Any, properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "Feature", "geometry": {"type": kind, "coordinates": coordinates}, "properties": properties}
