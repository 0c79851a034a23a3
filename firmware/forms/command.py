"""The command `c1kiosk form`: blank forms from their layouts."""

from __future__ import annotations

import json
from pathlib import Path

import click
import cv2

from firmware.errors import LayoutRefused
from firmware.forms.layout import FormLayout
from firmware.forms.loader import shipped_layouts
from firmware.forms.render import cell_pixels, render_page, render_pdf

DEFAULT_DPI = 100
"""Boxes of 18 mm are 71 pixels then: enough to read, small enough to look at."""


@click.group("form")
def form_command() -> None:
    """Forms that the kiosk knows."""


@form_command.command("render")
@click.argument("form")
@click.option("--out", required=True, type=click.Path(file_okay=False, path_type=Path), help="Folder to write to.")
@click.option("--dpi", default=DEFAULT_DPI, show_default=True, type=click.FloatRange(min=10), help="Dots per inch.")
@click.option("--page", type=click.IntRange(min=1), help="Only this page as picture.")
def render_command(form: str, out: Path, dpi: float, page: int | None) -> None:
    """The blank FORM as PDF and PNG, and FORM-cells.json with the pixel box of every cell, bubble and mark."""
    layout = _layout(form)
    numbers = [entry.number for entry in layout.pages]
    if page is not None and page not in numbers:
        raise LayoutRefused("form-page-unknown", form=form, page=page, pages=len(numbers))
    chosen = [page] if page is not None else numbers
    cells = [cell_pixels(layout, number, dpi) for number in chosen]
    out.mkdir(parents=True, exist_ok=True)
    _write(out / f"{form}.pdf", render_pdf(layout))
    for number in chosen:
        ok, png = cv2.imencode(".png", render_page(layout, number, dpi))
        assert ok, "a picture of bytes always becomes a PNG"
        _write(out / f"{form}-p{number}.png", png.tobytes())
    described = {"form": form, "layout": layout.sha256, "dpi": dpi, "pages": cells}
    _write(out / f"{form}-cells.json", json.dumps(described, indent=1).encode())


def _layout(form: str) -> FormLayout:
    known = shipped_layouts()
    if form not in known:
        raise LayoutRefused("unknown-form", form=form, known=", ".join(known))
    return known[form]


def _write(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    click.echo(str(path))
