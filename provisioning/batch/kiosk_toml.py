"""kiosk.toml of one device, from the batch's template and a row of the plan, through the configuration's own types.

The template is a kiosk.toml without `tps`. What comes out was decoded by the program that will read it: what it would
refuse is refused here, and nothing that it does not know can come in. Pure.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import msgspec

from firmware.config import KioskFile
from firmware.errors import LayoutRefused

msgspec.json.Decoder(KioskFile)
# Resolved now, by one thread (words.py).


def kiosk_file(template: bytes, changes: Mapping[str, Any], name: str) -> KioskFile:
    """The template with `changes`, which name tables by dots ("camera.driver"). Raises LayoutRefused."""
    try:
        document = msgspec.toml.decode(template)
        for path, value in changes.items():
            *tables, key = path.split(".")
            table = document
            for entry in tables:
                table = table.setdefault(entry, {})
            table[key] = value
        return msgspec.convert(document, KioskFile)
    except msgspec.MsgspecError as problem:
        raise LayoutRefused("config-invalid", file=name, problem=str(problem)) from problem


def written(file: KioskFile) -> bytes:
    """The TOML of a configuration; it is decoded again and must be the same."""
    document = msgspec.to_builtins(file)
    data = ("\n".join(_table((), document)) + "\n").encode()
    if msgspec.toml.decode(data, type=KioskFile) != file:
        raise AssertionError("what was written reads differently")
    return data


def _table(path: tuple[str, ...], values: Mapping[str, Any]) -> list[str]:
    head = [f"[{'.'.join(path)}]"] if path else []
    lines = [f"{key} = {_value(value)}" for key, value in values.items() if not isinstance(value, dict | None)]
    for key, value in values.items():
        if isinstance(value, dict):
            lines += ["", *_table((*path, key), value)]
    return head + lines


def _value(value: Any) -> str:
    """JSON's strings, numbers, booleans and arrays are TOML's, but for DEL, which no configuration holds."""
    return json.dumps(value, ensure_ascii=False)
