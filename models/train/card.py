"""Writes the figures of digits.json into CARD.md, so that the card cannot say anything else than was measured."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import msgspec

from firmware.digit_model.manifest import MANIFEST, Manifest
from firmware.records import LABELS

CARD = "CARD.md"
BEGIN, END = "<!-- figures: begin (written by models.train.card) -->", "<!-- figures: end -->"

LEFT_OUT = "sources_left_out"
"""Name of the figures of models that were trained without a source."""

BLOCKS = {
    "test_published_labels": "test, labels as published",
    "test_corrected_labels": "test, corrected labels",
    "validation": "validation (used for calibration)",
    "synthetic_validation": "synthetic validation cells, harder than life (used for calibration)",
    "foreign_hands": "synthetic cells in Semeion's hands (used for calibration)",
    "c1_2019": "cells of the filled 2019 forms (measured only)",
    "mnist_t10k": "MNIST test digits on plain cells",
    "cvl_measured_only": "CVL digits on plain cells (measured only)",
}


LEFT_OUT_BLOCKS = {
    "test_corrected_labels": "2024 test boxes",
    "c1_2019": "2019 cells",
    "mnist_t10k": "MNIST test digits",
    "cvl_measured_only": "CVL",
}


def _overview(figures: dict[str, Any]) -> list[str]:
    lines = [
        "| block | cells | right | accepted with no error | surest error | calibration error | accepted, wrong |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, title in BLOCKS.items():
        if name not in figures:
            continue
        block = figures[name]
        at = block["at_accept_digit"]
        lines.append(
            f"| {title} | {block['cells']} | {block['accuracy']:.2%} | {block['accepted_at_zero_errors']:.2%} "
            f"| {block['most_confident_error']:.4f} | {block['calibration_error']:.4f} "
            f"| {at['accepted']} ({at['accepted'] / block['cells']:.1%}), {at['accepted_wrong']} |"
        )
    return lines


def _left_out(runs: list[dict[str, Any]]) -> list[str]:
    """What models learn that never saw a source, beside one that saw all; every one for the same few steps."""
    names = [name for name in LEFT_OUT_BLOCKS if all(name in run["blocks"] for run in runs)]
    titles = " | ".join(LEFT_OUT_BLOCKS[name] for name in names)
    lines = [f"| trained without | steps | {titles} |", "|---|---|" + "---|" * len(names)]
    for run in runs:
        cells = " | ".join(
            "{right:.2%}; {accepted:.1%}, {accepted_wrong}".format(**run["blocks"][name]) for name in names
        )
        lines.append(f"| {', '.join(run['without']) or 'nothing'} | {run['steps']} | {cells} |")
    return [
        "Sources left out of short trainings (`--without`, from random weights); right; accepted, and how many of the",
        "accepted ones are wrong. One run each, so that half a point is chance:",
        "",
        *lines,
    ]


def left_out(folder: Path) -> dict[str, Any]:
    """The figures that count of a model that was trained without some source."""
    manifest = read_manifest(folder)
    blocks = {
        name: {
            "cells": block["cells"],
            "right": block["accuracy"],
            "accepted": round(block["at_accept_digit"]["accepted"] / block["cells"], 5),
            "accepted_wrong": block["at_accept_digit"]["accepted_wrong"],
            "calibration_error": block["calibration_error"],
        }
        for name, block in manifest.figures.items()
        if name in LEFT_OUT_BLOCKS
    }
    return {"without": manifest.data["without"], "steps": manifest.data["steps"], "blocks": blocks}


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
        *(["", *_left_out(figures[LEFT_OUT])] if LEFT_OUT in figures else []),
    ]
    return "\n".join(lines)


def read_manifest(folder: Path) -> Manifest:
    """The manifest in `folder`, whether its model is there or not."""
    return msgspec.json.decode((folder / MANIFEST).read_bytes(), type=Manifest)


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Replace the manifest in `folder`."""
    (folder / MANIFEST).write_bytes(msgspec.json.format(msgspec.json.encode(manifest), indent=1) + b"\n")


def write(folder: Path) -> None:
    """Replace the figures in the card of `folder` by those of its manifest."""
    card = folder / CARD
    head, _, rest = card.read_text().partition(BEGIN)
    _, _, tail = rest.partition(END)
    card.write_text(f"{head}{BEGIN}\n\n{section(read_manifest(folder))}\n\n{END}{tail}")


@click.command()
@click.argument("runs", nargs=-1, type=click.Path(exists=True, file_okay=False, path_type=Path))
def main(runs: tuple[Path, ...]) -> None:
    """Write the card again; RUNS are folders of models trained without a source, whose figures go into the manifest."""
    models = Path(__file__).parent.parent
    manifest = read_manifest(models)
    if runs:
        figures = manifest.figures | {LEFT_OUT: [left_out(folder) for folder in runs]}
        write_manifest(models, msgspec.structs.replace(manifest, figures=figures))
    write(models)


if __name__ == "__main__":
    main()
