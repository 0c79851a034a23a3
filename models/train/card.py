"""Writes the figures of digits.json into CARD.md, so that the card cannot say anything else than was measured."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from firmware.digit_model.manifest import MANIFEST, Manifest
from firmware.records import LABELS

CARD = "CARD.md"
BEGIN, END = "<!-- figures: begin (written by models.train.card) -->", "<!-- figures: end -->"

BLOCKS = {
    "test_published_labels": "test, labels as published",
    "test_corrected_labels": "test, corrected labels",
    "validation": "validation (used for calibration)",
    "synthetic_validation": "synthetic validation cells, harder than life",
    "cvl_measured_only": "CVL digits on plain cells (measured only)",
}


def _overview(figures: dict[str, Any]) -> list[str]:
    lines = [
        "| block | cells | right | accepted with no error | surest error | calibration error | accepted, wrong |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, title in BLOCKS.items():
        block = figures[name]
        at = block["at_accept_digit"]
        lines.append(
            f"| {title} | {block['cells']} | {block['accuracy']:.2%} | {block['accepted_at_zero_errors']:.2%} "
            f"| {block['most_confident_error']:.4f} | {block['calibration_error']:.4f} "
            f"| {at['accepted']} ({at['accepted'] / block['cells']:.1%}), {at['accepted_wrong']} |"
        )
    return lines


def _by_class(figures: dict[str, Any]) -> list[str]:
    old, new = (figures[name]["by_class"] for name in ("test_published_labels", "test_corrected_labels"))
    lines = ["| class | right, labels as published | right, corrected labels |", "|---|---|---|"]
    for label in LABELS:
        shown = [f"{t[label]['right']} of {t[label]['cells']}" if label in t else "none" for t in (old, new)]
        if label in old or label in new:
            lines.append(f"| {label} | {shown[0]} | {shown[1]} |")
    return lines


def section(manifest: Manifest) -> str:
    """The figures as Markdown."""
    figures = manifest.figures
    errors = [f"- {line}" for line in figures["test_corrected_labels"]["errors"]] or ["- none"]
    lines = [
        f"Model `{manifest.sha256[:16]}`, {manifest.date}; cells are accepted from {manifest.accept_digit} on; "
        f"{figures['milliseconds_a_cell_one_thread']} ms a cell on one thread of the training machine.",
        "",
        *_overview(figures),
        "",
        "By class, on the held-back test block:",
        "",
        *_by_class(figures),
        "",
        "Every error on the test block (corrected labels):",
        "",
        *errors,
    ]
    return "\n".join(lines)


def write(folder: Path) -> None:
    """Replace the figures in the card of `folder` by those of its manifest."""
    manifest = msgspec.json.decode((folder / MANIFEST).read_bytes(), type=Manifest)
    card = folder / CARD
    head, _, rest = card.read_text().partition(BEGIN)
    _, _, tail = rest.partition(END)
    card.write_text(f"{head}{BEGIN}\n\n{section(manifest)}\n\n{END}{tail}")


if __name__ == "__main__":
    write(Path(__file__).parent.parent)
