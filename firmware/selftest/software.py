"""The program: installed whole, its parts running and watched, its model the released one and still reading."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from firmware.digit_model.classifier import DigitModel
from firmware.records import CELL_PIXELS
from firmware.selftest.finding import Outcome, bad, good
from firmware.selftest.kiosk import Kiosk
from provisioning import release

KNOWN_CELLS = Path(__file__).parent / "known_answers.png"
"""One cell of every label below, side by side, as capture/cells.py cuts them out."""
KNOWN_LABELS = ("0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "X", "-", "blank")
SURE = 0.9
"""Confidence that clearly written cells have on every machine: processors differ in its sixth digit."""
UNITS = tuple(f"c1kiosk-{name}.service" for name in ("signer", "station", "endpoint", "uplink"))
SCREEN = "c1kiosk-screen.service"
"""The browser: not watched, and not there on a kiosk whose screen is another machine's."""
RESTARTS_MOST = 3
"""Since a unit was started: one that is restarted more often does not stay up for a day."""
_PROPERTIES = ("Id", "LoadState", "ActiveState", "SubState", "WatchdogUSec", "NRestarts")
UNFINISHED = "/opt/c1kiosk-releases/unfinished"
"""What install.sh is at, from the stop of the services until it is done."""
_SHOWN = 48
"""Characters of a path that are shown."""
_NAMED = 3
"""Paths that are named on the page; the audit names them all."""


def installed(kiosk: Kiosk, whole: bool) -> Outcome:
    """What is installed is what the release's manifest names; `whole`: byte for byte, else that all of it is there."""
    root, path = kiosk.tree.root, kiosk.tree.path(f"/{release.MANIFEST}")
    if not path.is_file():
        return bad("release-missing")
    cut_off = kiosk.tree.text(UNFINISHED)
    if cut_off is not None:
        return bad("release-unfinished", cut_off)
    manifest = release.decode(path.read_bytes())
    passwd, group = (kiosk.tree.text(f"/etc/{name}") or "" for name in ("passwd", "group"))
    wrong = [f"{entry.what} {entry.path}" for entry in release.compare_users(passwd, group)]
    if whole:
        there = release.list_tree(root, (*manifest.trees, *manifest.watched))
        wrong += [f"{entry.what} {_short(entry.path)}" for entry in release.compare(manifest, there)]
    else:
        wrong += [f"missing {_short(entry.path)}" for entry in manifest.entries if not _like(root, entry)]
    if wrong:
        return bad("release-differs", manifest.version, count=len(wrong), paths=", ".join(wrong[:_NAMED]))
    return good(manifest.version)


def _short(path: str) -> str:
    """The end of a long path, for the page."""
    return path if len(path) <= _SHOWN else f"...{path[3 - _SHOWN :]}"


def _like(root: Path, entry: release.Entry) -> bool:
    """Whether something of the right size lies there."""
    path = root / entry.path
    if entry.kind is release.Kind.LINK:
        return path.is_symlink()
    return path.is_dir() if entry.kind is release.Kind.FOLDER else path.is_file() and path.stat().st_size == entry.size


installed_whole = partial(installed, whole=True)
installed_at_a_glance = partial(installed, whole=False)


def units(kiosk: Kiosk) -> Outcome:
    """Every process of the kiosk runs, stays up, and is watched by systemd."""
    text = kiosk.tool(("systemctl", "show", f"--property={','.join(_PROPERTIES)}", *UNITS, SCREEN))
    found = {facts["Id"]: facts for facts in map(_facts, text.strip().split("\n\n")) if "Id" in facts}
    screen = found.get(SCREEN, {}).get("LoadState") == "loaded"
    wanted = (*UNITS, SCREEN) if screen else UNITS
    wrong = (_wrong_with(name, found.get(name, {})) for name in wanted)
    return next(filter(None, wrong), good(f"{len(wanted)}"))


def _wrong_with(name: str, facts: Mapping[str, str]) -> Outcome | None:
    if facts.get("LoadState") != "loaded":
        return bad("unit-missing", name, unit=name)
    state = f"{facts.get('ActiveState')}, {facts.get('SubState')}"
    if state != "active, running":
        return bad("unit-not-active", name, unit=name, state=state)
    if name in UNITS and facts.get("WatchdogUSec") in (None, "0", "infinity"):
        return bad("unit-not-watched", name, unit=name)
    restarts = facts.get("NRestarts", "")
    if not re.fullmatch(r"[0-9]{1,9}", restarts) or int(restarts) > RESTARTS_MOST:
        return bad("unit-restarts", name, unit=name, times=restarts or "?")
    return None


def _facts(block: str) -> dict[str, str]:
    return {name: value for name, sign, value in (line.partition("=") for line in block.splitlines()) if sign}


def model(kiosk: Kiosk) -> Outcome:
    """The file has the digest of its manifest, and reads cells whose labels are known."""
    loaded = DigitModel.load(kiosk.config.models)
    readings = loaded.read(known_cells())
    wrong = [
        f"{known}: {reading.label}"
        for known, reading in zip(KNOWN_LABELS, readings, strict=True)
        if reading.label != known or reading.confidence < SURE
    ]
    return bad("model-answers", wrong="; ".join(wrong)) if wrong else good(loaded.sha256[:16])


def known_cells() -> list[np.ndarray[tuple[int, int], np.dtype[np.uint8]]]:
    """The cells of KNOWN_CELLS, in the order of KNOWN_LABELS."""
    strip = cv2.imread(str(KNOWN_CELLS), cv2.IMREAD_GRAYSCALE)
    if strip is None:
        raise OSError(f"{KNOWN_CELLS.name}")
    count = len(KNOWN_LABELS)
    return [np.ascontiguousarray(strip[:, n * CELL_PIXELS : (n + 1) * CELL_PIXELS], np.uint8) for n in range(count)]
