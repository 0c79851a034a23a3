"""`c1kiosk witness-page`: the file that a witness opens on a phone, for one trust folder.

The template is built by `make witness-page`. What goes in (contents.py) is public; the file is as good as the way it
came: publish its SHA-256, which this command prints, beside the root's. Whoever has the same source and the same trust
folder makes the same bytes.
"""

from __future__ import annotations

import hashlib
import html
import json
from pathlib import Path
from typing import Any

import click

from firmware.errors import VerificationRefused
from firmware.messages import both, sentence
from firmware.signing.election import ROOT, load_pem
from firmware.signing.trust import TrustRoots
from firmware.signing.witness.contents import contents_of

TEMPLATE = Path(__file__).parent / "web" / "dist" / "page.html"
"""What web/build.sh makes."""


@click.command("witness-page")
@click.option("--trust", "folder", type=click.Path(path_type=Path, exists=True, file_okay=False), required=True)
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="The file, such as saksi.html."
)
def witness_page_command(folder: Path, out: Path) -> None:
    """Make the page with which witnesses check receipts on their phones, for the election of a trust folder."""
    trust = TrustRoots.load(folder)
    root = load_pem(folder / ROOT) if trust.root else None
    page = fill(_template(), contents_of(trust, root)).encode()
    out.write_bytes(page)
    counts = {"devices": len(trust.devices), "stations": len(trust.election.election.polling_stations)}
    click.echo(both("witness.made", file=out.name, bytes=len(page), **counts))
    click.echo(both("witness.publish", sha256=hashlib.sha256(page).hexdigest(), root=trust.root or "-"))


def fill(template: str, contents: dict[str, Any]) -> str:
    """The page. No text of an election can end the element that it stands in: "<" is written as JSON escapes it."""
    document = json.dumps(contents, ensure_ascii=False, sort_keys=True, separators=(",", ":")).replace("<", "\\u003c")
    words = {
        "__TITLE__": html.escape(sentence("witness.title")),
        "__NOSCRIPT__": html.escape(both("witness.no-script")),
        "__CONTENTS__": document,
    }
    for mark, text in words.items():
        before, found, after = template.partition(mark)
        if not found or mark in after:
            raise VerificationRefused("witness-template")
        template = before + text + after
    return template


def _template() -> str:
    try:
        return TEMPLATE.read_text(encoding="utf-8")
    except OSError as error:
        raise VerificationRefused("witness-template") from error
