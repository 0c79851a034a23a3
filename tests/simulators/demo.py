"""`c1kiosk demo`: the whole kiosk on this machine, with paper, camera and printer that are made here.

Nothing of it can be reached by configuration: the command starts the kiosk's own processes around a simulated desk and
printer (room.py). With --auto a simulated person walks the whole way and everything that came out is verified.
"""

from __future__ import annotations

import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import click

from firmware.forms.loader import shipped_layouts
from firmware.records import Mode
from tests.simulators import proof
from tests.simulators.gallery import serve_gallery
from tests.simulators.mishaps import mishaps
from tests.simulators.paper.sets import demo_set
from tests.simulators.room import PIN, NotStarted, Room, free_port
from tests.simulators.visitor import Stuck, Visitor

DEFAULT_FORM = "c.hasil-ppwp-2024"
DAY = (DEFAULT_FORM, "c.hasil-dpr-demo")
"""Forms of a demo that a person walks through."""
DEFAULT_SEED = 1
SCREEN_PORT = 8080


@click.command("demo")
@click.option("--auto", is_flag=True, help="Walk the whole way unattended and verify everything.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="With --auto: leave the evidence here.")
@click.option("--port", type=click.IntRange(1, 65535), help=f"Port of the screen; else {SCREEN_PORT}, or a free one.")
@click.option("--form", type=click.Choice(sorted(shipped_layouts())), default=DEFAULT_FORM, show_default=True)
@click.option("--training", is_flag=True, help="A training day (SIMULASI), with its own key, colour and records.")
@click.option("--seed", type=int, default=DEFAULT_SEED, show_default=True, help="Which numbers, in which hand.")
def demo_command(auto: bool, out: Path | None, port: int | None, form: str, training: bool, seed: int) -> None:
    """The whole kiosk with simulated camera and printer and a local collector."""
    if out is not None and not auto:
        raise click.UsageError("--out needs --auto")
    signal.signal(signal.SIGTERM, lambda _signal, _frame: sys.exit(1))
    tell = _teller()
    try:
        with _room((form, *(() if auto else _others(form))), seed, port, training, tell) as room:
            if auto:
                _walk(room, out, tell)
            else:
                _attend(room)
    except (Stuck, NotStarted, proof.NotProven) as problem:
        click.echo(f"FAILED: {problem}", err=True)
        sys.exit(1)
    except KeyboardInterrupt:
        click.echo("\nstopped")
        return
    tell("done")


def _others(form: str) -> tuple[str, ...]:
    """Contests beside the one of `form`, for a day with more than one."""
    return tuple(name for name in DAY if name != form)


def _teller() -> Callable[[str], None]:
    """Prints a line with the seconds since the start."""
    began = time.monotonic()
    return lambda line: click.echo(f"{time.monotonic() - began:5.1f} s  {line}")


@contextmanager
def _room(
    forms: Sequence[str], seed: int, port: int | None, training: bool, tell: Callable[[str], None]
) -> Iterator[Room]:
    """The kiosk, running over freshly written paper, in a folder that is gone afterwards."""
    stack: list[tuple[str, bytes]] = []
    truth: dict[str, int] = {}
    for name in forms:
        tell(f"writing and photographing the paper: {name}, seed {seed}")
        sheets = demo_set(name, seed)
        stack += [(f"{name}-{file}" if len(forms) > 1 else file, data) for file, data, _truth in sheets]
        truth |= {field: value for _, _, values in sheets for field, value in values.items() if name == forms[0]}
    with (
        tempfile.TemporaryDirectory(prefix="c1kiosk-demo-") as folder,
        Room(
            Path(folder),
            forms[0],
            stack,
            truth,
            port or free_port(SCREEN_PORT),
            mishaps(stack[0][1]),
            tell,
            also=forms[1:],
            mode=Mode.TRAINING if training else Mode.DEVELOPMENT,
        ) as room,
    ):
        yield room


def _walk(room: Room, out: Path | None, tell: Callable[[str], None]) -> None:
    """The way of a person, then the proof."""
    visit = Visitor(room.url, room.truth, PIN, tell).walk()
    tell(
        f"{len(room.truth)} fields: {visit.asked} asked, {visit.corrected} corrected, "
        f"{visit.silent_errors} silent errors; {visit.taps} taps"
    )
    evidence = proof.gather(room)
    for claim in proof.check(room, evidence):
        tell(f"proven: {claim}")
    if out is not None:
        proof.leave(evidence, room, out)
        tell(f"evidence in {out}: c1kiosk verify --trust {out / 'trust'} {out / 'record.cose'}")


def _attend(room: Room) -> None:
    """Leaves the kiosk to a person until Ctrl-C."""
    with serve_gallery(room) as gallery:
        click.echo(f"screen of the kiosk:          {room.url}   (Enter is the big button)")
        click.echo(f"desk, printer, receipts:      {gallery}")
        click.echo(f"PIN of the ketua:             {PIN}")
        click.echo("Ctrl-C ends the demo.")
        while True:
            time.sleep(1)
