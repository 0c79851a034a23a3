"""The steps of systemd/c1kiosk-stick@.service, one stick (a block device) at a time:

    python -m firmware.uplink.stick_steps write DEVICE      writes the bundle onto the mounted stick
    python -m firmware.uplink.stick_steps release DEVICE    after unmounting: tells what came out of it

Mounting and unmounting are systemd's, with the options that are in the unit. The steps run as a user of their own, who
reads ledger and outbox, writes the stick and its note for the screen (stick_notes.py), asks the signer for the head of
its log and nothing else, and has no network. What becomes of a stick is a state, not a failure; a failing ledger ends
`write` with status 1 and is told as the kiosk's fault.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import click
import structlog

from firmware.config import load_config
from firmware.errors import Refused
from firmware.processes import log_to_stderr
from firmware.uplink.stick import StickState, put
from firmware.uplink.stick_notes import FOLDER, StickNote, forget_absent, plugged, read_note, write_note

MOUNTS = Path("/run/c1kiosk-stick")
"""Where the unit mounts a stick, under the name of its device."""
TOLD_SECONDS = 1.0
"""Between two notes of how far the writing has come."""

_log = structlog.get_logger(__name__)
DEVICE = click.argument("device", metavar="DEVICE")
CONFIG = click.option(
    "--config", "path", type=click.Path(path_type=Path), default="/etc/c1kiosk/kiosk.toml", show_default=True
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Put this kiosk's evidence bundle onto a USB stick: the steps of a systemd unit."""
    log_to_stderr()


@main.command()
@DEVICE
@CONFIG
@click.option("--mounts", type=click.Path(path_type=Path), default=MOUNTS, show_default=True, hidden=True)
def write(device: str, path: Path, mounts: Path) -> None:
    """Write the bundle onto the stick that is mounted in MOUNTS/DEVICE."""
    from firmware.ledger.store import Ledger
    from firmware.uplink.stick_parcel import parcel_of  # the other steps need none of it, and are quick without

    config = load_config(path)
    folder = config.run / FOLDER
    forget_absent(folder)
    told = Teller(folder, device)
    told(0)
    try:
        with Ledger.open(config.ledger_folder, readonly=True) as ledger:
            parcel = parcel_of(config, ledger)
            state = put(parcel, mounts / device, told) if parcel else StickState.EMPTY
            records = parcel.records if parcel else 0
    except Refused as refusal:
        _log.error("stick.fault", device=device, code=refusal.code, details=refusal.details)
        told.end(StickState.FAULT, 0)
        sys.exit(1)
    if state is StickState.BROKEN and not plugged(device):
        state = StickState.PULLED
    told.end(state, records)


@main.command()
@DEVICE
@CONFIG
def release(device: str, path: Path) -> None:
    """Tell what came out, once the stick is unmounted."""
    if os.environ.get("SERVICE_RESULT") == "exec-condition":
        return
    folder = load_config(path).run / FOLDER
    note = read_note(folder, device)
    told = outcome(device, note, plugged(device), time.monotonic())
    if told is not None:
        write_note(folder, told)
        _log.info("stick.released", device=device, state=told.state, records=told.records)


def outcome(device: str, note: StickNote | None, there: bool, now: float) -> StickNote | None:
    """What is told once the stick is unmounted: `note` is what the writing said. None: there is nothing to tell."""
    if note is None or note.loose:  # the writing never began: it could not be mounted
        return StickNote(device, StickState.UNREADABLE, True, at=now) if there else None
    state = note.state
    if state is StickState.WRITING:
        state = StickState.FAULT if there else StickState.PULLED
    return StickNote(device, state, True, records=note.records, at=now)


class Teller:
    """The note of one stick while it is written, at most once a second."""

    def __init__(self, folder: Path, device: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._folder, self._device, self._clock = folder, device, clock
        self._told_at = float("-inf")

    def __call__(self, percent: int) -> None:
        """This far."""
        if self._clock() - self._told_at >= TOLD_SECONDS:
            self._told_at = self._clock()
            self._tell(StickNote(self._device, StickState.WRITING, False, percent))

    def end(self, state: StickState, records: int) -> None:
        """What came out; that it may be pulled out is said once it is unmounted."""
        _log.info("stick.done", device=self._device, state=state, records=records)
        self._tell(StickNote(self._device, state, False, 100, records))

    def _tell(self, note: StickNote) -> None:
        """A screen that says nothing is no reason to leave the stick without its bundle."""
        try:
            write_note(self._folder, note)
        except OSError as problem:
            _log.error("stick.not-told", device=self._device, problem=str(problem))


if __name__ == "__main__":
    main()
