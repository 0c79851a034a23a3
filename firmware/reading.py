"""From pictures to a tally: Frame -> Page -> Reading -> Tally, for the station, `c1kiosk read` and `c1kiosk digits`.

The pictures of one TPS come in any order. A picture that is not used is an outcome with its reason; of two pictures of
one page that do not read the same, nothing is given as sure.
"""

from __future__ import annotations

import hashlib
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import click

from firmware import results
from firmware.capture import picture
from firmware.capture.page import take_page
from firmware.digit_model.classifier import DigitModel
from firmware.digit_model.framing import frame_box
from firmware.errors import Refused
from firmware.forms.layout import FormLayout
from firmware.forms.loader import shipped_layouts
from firmware.messages import both
from firmware.records import (
    LABELS,
    CellReading,
    Check,
    Doubt,
    FieldReading,
    Frame,
    Gray,
    Page,
    PageRefusal,
    Reading,
    RefusedPage,
    Status,
    StrokeReading,
    Tally,
)
from firmware.tally.belonging import same_writing
from firmware.tally.bubbles import read_bubbles
from firmware.tally.channels import weigh
from firmware.tally.decide import DEFAULT_POLICY, decide, doubt_all
from firmware.tally.strokes import read_strokes

MODELS = Path(__file__).parent.parent / "models"
MAX_PICTURES = 64
"""Pictures of one TPS. The longest form (DPR) has 20 pages; three of each is a session gone wrong."""

MIN_BOX_SIDE = 10
"""Pixels of the shorter side of a loose picture of one box; a digit of fewer has no shape."""

UNCLEAR = LABELS[-1]
LEAST_CLAIM = 0.5
"""Below one half a label is a guess. Whoever uses loose digits without asking a person takes the model's `accept_digit`
as threshold instead; it stands in its manifest."""

Outcome = Page | RefusedPage


class CellReader(Protocol):
    """What reads cells: digit_model.classifier.DigitModel."""

    @property
    def accept_number(self) -> float:
        """Posterior from which a whole number needs no question."""

    def read(self, cells: Sequence[Gray]) -> list[CellReading]:
        """One reading a cell, in the order given."""


@dataclass(frozen=True, slots=True)
class TpsReading:
    """What the pictures of one TPS gave."""

    form: str | None
    """None when no page of any form was found."""
    outcomes: tuple[Outcome, ...]
    """One a picture, in the order given."""
    reading: Reading | None
    tally: Tally | None

    @property
    def complete(self) -> bool:
        """Every picture was used and no page is missing."""
        used = all(isinstance(outcome, Page) for outcome in self.outcomes)
        return used and self.tally is not None and not self.tally.missing


def read_frames(
    frames: Iterable[Frame | RefusedPage],
    layouts: Sequence[FormLayout],
    model: CellReader,
    limits: Mapping[str, int] | None = None,
    form: str | None = None,
) -> TpsReading:
    """Reads the pictures of one TPS; pictures are taken from `frames` one at a time.

    `form` is the form that is asked for; without it, the form of most pages counts. An entry that is refused already
    (a file that is missing) keeps its reason.
    """
    outcomes = _take(frames, layouts)
    asked = form or _form_of_most(outcomes)
    outcomes = [_of_form(outcome, asked) for outcome in outcomes]
    if not any(isinstance(outcome, Page) for outcome in outcomes):
        return TpsReading(None, tuple(outcomes), None, None)
    layout = next(entry for entry in layouts if entry.id == asked)
    return _read(outcomes, layout, model, limits)


def read_pages(
    pages: Sequence[Page], layout: FormLayout, model: CellReader, limits: Mapping[str, int] | None = None
) -> Tally:
    """The tally of pages of one form that are taken already, each page once: what the station reads."""
    tally = _read(pages, layout, model, limits).tally
    assert tally is not None
    return tally


# --- pages


def _take(frames: Iterable[Frame | RefusedPage], layouts: Sequence[FormLayout]) -> list[Outcome]:
    """One outcome a picture; the same bytes are looked at once."""
    outcomes: list[Outcome] = []
    seen: set[str] = set()
    for entry in frames:
        if isinstance(entry, RefusedPage):
            outcomes.append(entry)
        elif len(outcomes) >= MAX_PICTURES:
            outcomes.append(RefusedPage(replace(entry, data=b""), PageRefusal.TOO_MANY))
        elif entry.sha256 in seen:
            outcomes.append(RefusedPage(entry, PageRefusal.SAME_PICTURE))
        else:
            seen.add(entry.sha256)
            outcomes.append(take_page(entry, layouts))
    return outcomes


def _form_of_most(outcomes: Sequence[Outcome]) -> str | None:
    """The form with most pages, the first given among equals."""
    forms = Counter(outcome.form for outcome in outcomes if isinstance(outcome, Page))
    return forms.most_common(1)[0][0] if forms else None


def _of_form(outcome: Outcome, form: str | None) -> Outcome:
    if isinstance(outcome, RefusedPage) or outcome.form == form:
        return outcome
    return RefusedPage(outcome.frame, PageRefusal.OTHER_FORM, {"page": outcome.number, "form": outcome.form})


# --- reading


def _read(
    outcomes: Sequence[Outcome], layout: FormLayout, model: CellReader, limits: Mapping[str, int] | None
) -> TpsReading:
    """Reads every page; of several pictures of one page the first stands, the others are held against it."""
    settled: list[Outcome] = []
    pages: dict[int, Page] = {}
    fields: dict[str, FieldReading] = {}
    for outcome in outcomes:
        if isinstance(outcome, RefusedPage):
            settled.append(outcome)
            continue
        found = read_page(outcome, layout, model)
        if outcome.number in pages:
            reason = PageRefusal.PAGE_AGAIN if _same(found, fields) else PageRefusal.PAGE_TWICE
            settled.append(RefusedPage(outcome.frame, reason, {"page": outcome.number}))
        else:
            settled.append(outcome)
            pages[outcome.number] = outcome
            fields |= found
    reading = Reading(layout.id, tuple(sorted(pages)), fields)
    tally = decide(reading, layout, limits, replace(DEFAULT_POLICY, confidence=model.accept_number))
    tally = replace(tally, checks=tally.checks + tuple(_marks(page, layout) for page in pages.values()))
    return TpsReading(layout.id, tuple(settled), reading, _doubled(tally, settled, layout))


def read_page(page: Page, layout: FormLayout, model: CellReader) -> dict[str, FieldReading]:
    """Every field of one page, channel by channel."""
    readings = dict(
        zip([(c.field, c.index) for c in page.cells], model.read([c.gray for c in page.cells]), strict=True)
    )
    bubbles = {(column.field, column.index): read_bubbles(column) for column in page.bubbles}
    strokes = dict(_strokes(page, layout))
    found: dict[str, FieldReading] = {}
    for name in dict.fromkeys(cell.field for cell in page.cells):
        places = sorted(place for place in readings if place[0] == name)
        found[name] = FieldReading(
            name,
            page.number,
            tuple(readings[place] for place in places),
            tuple(bubbles[place] for place in places if place in bubbles),
            min(cell.sharpness for cell in page.cells if cell.field == name),
            strokes.get(name),
        )
    return found


def _strokes(page: Page, layout: FormLayout) -> Iterator[tuple[str, StrokeReading]]:
    """What every tally grid of the page says."""
    for tally in page.tallies:
        grid = layout.fields[tally.field].tally
        if grid is not None:
            yield tally.field, read_strokes(tally, grid)


def _same(found: Mapping[str, FieldReading], before: Mapping[str, FieldReading]) -> bool:
    """Whether two pictures of a page can show the same writing in every field."""
    pairs = ((weigh(entry), weigh(before[name])) for name, entry in found.items())
    return all(same_writing(one.posterior, other.posterior) for one, other in pairs)


def _doubled(tally: Tally, outcomes: Sequence[Outcome], layout: FormLayout) -> Tally:
    """When two pictures of one page differ, it is open which TPS any page is of: everything is asked (I1)."""
    refused = [entry for entry in outcomes if isinstance(entry, RefusedPage) and entry.reason is PageRefusal.PAGE_TWICE]
    times = Counter(int(entry.details["page"]) for entry in refused)
    if not times:
        return tally
    names = {page.number: tuple(field.id for field in page.fields) for page in layout.pages}
    checks = tuple(Check("I1", False, names[page], False, page, more + 1, "rule.twice") for page, more in times.items())
    return doubt_all(tally, Doubt.PAGES, checks)


def _marks(page: Page, layout: FormLayout) -> Check:
    """I2: all corner marks seen. A warning: what proves the geometry are the printed lines."""
    expected = {mark.name for mark in layout.page(page.number).marks}
    found = len(expected & set(page.geometry.marks))
    return Check("I2", found == len(expected), (), True, page.number, found, "rule.marks")


# --- files


def open_frame(path: Path) -> Frame | RefusedPage:
    """The bytes of a file as a frame; no more of it is read than a picture may have."""
    try:
        if not path.is_file():
            return _no_frame(path)
        with path.open("rb") as file:
            return picture.frame_from_bytes(file.read(picture.MAX_BYTES + 1), path.name, {})
    except (OSError, ValueError):
        return _no_frame(path)


def _no_frame(path: Path) -> RefusedPage:
    return RefusedPage(Frame(b"", hashlib.sha256(b"").hexdigest(), path.name), PageRefusal.FILE_MISSING)


def _complain(file: str, outcome: RefusedPage) -> None:
    click.echo(f"{file}: {outcome.reason.value}: {both(f'page.{outcome.reason.value}')}", err=True)


def _progress(files: Sequence[Path], label: str) -> Iterator[Path]:
    """The files one by one, with a bar on a terminal."""
    with click.progressbar(files, label=label, file=sys.stderr, hidden=not sys.stderr.isatty()) as bar:
        yield from bar


# --- commands


def _output(ctx: click.Context, param: click.Parameter, value: Path) -> Path:
    """Wrong use is said before anything is read: a folder that is missing, a picture that would be written over."""
    if not value.parent.is_dir():
        raise click.BadParameter(f"no folder {value.parent}", ctx, param)
    if value.exists() and any(value.samefile(file) for file in ctx.params["files"] if file.exists()):
        raise click.BadParameter(f"{value} is one of the pictures", ctx, param)
    return value


FILES = click.argument(
    "files", metavar="FILE...", nargs=-1, required=True, is_eager=True, type=click.Path(path_type=Path)
)
JSON = click.option(
    "--json",
    "out",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    callback=_output,
    help="Where the result is written, whatever happens.",
)


@click.command("read")
@FILES
@JSON
@click.option("--form", default=None, help="The form that is asked for; without it, the form of most pages.")
@click.pass_context
def read_command(ctx: click.Context, files: tuple[Path, ...], out: Path, form: str | None) -> None:
    """Read photographs of one polling station's form, in any order."""
    names = [str(file) for file in files]
    result = results.nothing_read(names)
    try:
        layouts = shipped_layouts()
        if form is not None and form not in layouts:
            raise click.BadParameter(f"no form {form}; there are {', '.join(layouts)}", ctx, param_hint="--form")
        model = DigitModel.load(MODELS)
        frames = map(open_frame, _progress(files, "read"))
        found = read_frames(frames, list(layouts.values()), model, form=form)
        pages = [results.page_result(name, outcome) for name, outcome in zip(names, found.outcomes, strict=True)]
        result = results.read_result(pages, found.tally, layouts.get(found.form or ""))
    except Refused as refusal:
        result = results.nothing_read(names, refusal.code)
        raise
    finally:
        results.write(out, result)
    _report(names, found)
    ctx.exit(0 if found.complete else 1)


def _report(names: Sequence[str], found: TpsReading) -> None:
    """What a person at the terminal must know: refused pictures, missing pages, and how much is to be checked."""
    for name, outcome in zip(names, found.outcomes, strict=True):
        if isinstance(outcome, RefusedPage):
            _complain(name, outcome)
    if found.tally is None:
        return
    for number in found.tally.missing:
        click.echo(f"page-missing: {both('page.missing', page=number)}", err=True)
    states = Counter(entry.status for entry in found.tally.fields.values())
    alarms = sum(entry.ok is False and not entry.warning for entry in found.tally.checks)
    read, asked = states[Status.READ], states[Status.REVIEW]
    click.echo(both("page.summary", form=found.tally.form, read=read, asked=asked, alarms=alarms))


@click.command("digits")
@FILES
@JSON
@click.pass_context
def digits_command(ctx: click.Context, files: tuple[Path, ...], out: Path) -> None:
    """Read loose pictures of one digit box each."""
    found = [results.DigitResult(str(file), UNCLEAR, 0.0) for file in files]
    refused = False
    try:
        model = DigitModel.load(MODELS)
        for index, file in enumerate(_progress(files, "digits")):
            outcome = _read_digit(file, model)
            if isinstance(outcome, RefusedPage):
                refused = True
                _complain(str(file), outcome)
            else:
                found[index] = _digit_result(str(file), outcome)
    finally:
        results.write(out, found)
    ctx.exit(1 if refused else 0)


def _read_digit(file: Path, model: CellReader) -> CellReading | RefusedPage:
    frame = open_frame(file)
    if isinstance(frame, RefusedPage):
        return frame
    pixels = picture.decode(frame, MIN_BOX_SIDE)
    return pixels if isinstance(pixels, RefusedPage) else model.read([frame_box(pixels)])[0]


def _digit_result(file: str, reading: CellReading) -> results.DigitResult:
    """The most probable label with its confidence; 'unclear' where no label has at least LEAST_CLAIM."""
    cell = results.cell_result(reading)
    return results.DigitResult(file, cell.label if reading.confidence >= LEAST_CLAIM else UNCLEAR, cell.confidence)
