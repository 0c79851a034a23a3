"""`make bench-peers`: the held-back boxes through every reader, cell by cell in turn, on one thread.

Prints a Markdown table and writes build/peers/report.json. Exit code 2 when the boxes are not there: then nothing was
measured. A reader that is not installed stands in the table with the reason.
"""

from __future__ import annotations

import json
import sys
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence

import cv2

from tests.peers.boxes import DATA, ROOT, Cell, cells
from tests.peers.c1kiosk_engine import C1Kiosk
from tests.peers.ddddocr_engine import DdddOcr
from tests.peers.engine import Answer, Engine, NotInstalled
from tests.peers.lookalikes import label_of, learn
from tests.peers.rapidocr_engine import RapidOcr
from tests.peers.report import Row, as_json, table
from tests.peers.scoring import Outcome, milliseconds, score
from tests.peers.tesserocr_engine import Tesseract

OUT = ROOT / "build" / "peers" / "report.json"

PEERS: tuple[type[Tesseract | DdddOcr | RapidOcr], ...] = (Tesseract, DdddOcr, RapidOcr)

MANY_SCRIPTS = (DdddOcr.name, RapidOcr.name)
"""Readers that may write 日 for 8; Tesseract is held to digits."""

WARM_UP = 20
"""Cells read before the clock starts: the first ones fill caches."""

Answers = dict[str, list[tuple[Answer, float]]]
"""By reader: its answer and processor seconds (all its threads, no other program's) for every cell, in order."""


def main() -> int:
    """Runs the bench; the exit code."""
    if not (DATA / "digits").is_dir():
        print("Nothing measured: the real boxes are missing (../shared/data, or set C1KIOSK_DATA).", file=sys.stderr)
        return 2
    cv2.setNumThreads(1)
    engines, missing = _load()
    lookalikes = _learn([engine for engine in engines if engine.name in MANY_SCRIPTS])
    held_back = cells("test")
    print(f"{len(held_back)} held-back boxes, {len(engines)} readers", file=sys.stderr)
    answers = _read(engines, held_back)
    rows = _rows(engines, held_back, answers, lookalikes) + missing
    ours = milliseconds([seconds for _, seconds in answers[C1Kiosk.name]])
    print(table(rows, ours))
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(as_json(rows, lookalikes), ensure_ascii=False, indent=1), encoding="utf-8")
    return 0


def _load() -> tuple[list[Engine], list[Row]]:
    """Our reader and the peers that are installed; a row for each that is not."""
    engines: list[Engine] = [C1Kiosk()]
    missing = []
    for peer in PEERS:
        try:
            engines.append(peer())
        except NotInstalled as problem:
            missing.append(Row(peer.name, "", None, None, str(problem)))
    return engines, missing


def _learn(engines: Sequence[Engine]) -> dict[str, dict[str, str]]:
    """By reader, what its texts stand for on the training block."""
    if not engines:
        return {}
    training = cells("train")
    print(f"learning look-alikes from {len(training)} training boxes", file=sys.stderr)
    return {engine.name: learn((engine.read(cell.picture).text, cell.label) for cell in training) for engine in engines}


def _read(engines: Sequence[Engine], block: Sequence[Cell]) -> Answers:
    """Every cell by every engine in turn, so that all meet the same state of the machine."""
    for cell in block[:WARM_UP]:
        for engine in engines:
            engine.read(cell.picture)
    answers: Answers = defaultdict(list)
    for cell in block:
        for engine in engines:
            start = time.process_time()
            answer = engine.read(cell.picture)
            answers[engine.name].append((answer, time.process_time() - start))
    return answers


def _rows(
    engines: Sequence[Engine], block: Sequence[Cell], answers: Answers, lookalikes: Mapping[str, Mapping[str, str]]
) -> list[Row]:
    rows = []
    for engine in engines:
        said = [answer for answer, _ in answers[engine.name]]
        time_a_cell = milliseconds([seconds for _, seconds in answers[engine.name]])
        rows.append(Row(engine.name, engine.version, score(_outcomes(block, said, {})), time_a_cell))
        if known := lookalikes.get(engine.name):
            mapped = score(_outcomes(block, said, known))
            rows.append(Row(f"{engine.name} with look-alikes", engine.version, mapped, time_a_cell))
    return rows


def _outcomes(block: Sequence[Cell], said: Sequence[Answer], known: Mapping[str, str]) -> list[Outcome]:
    return [
        Outcome(cell.name, cell.label, label_of(answer.text, known), answer.confidence)
        for cell, answer in zip(block, said, strict=True)
    ]


if __name__ == "__main__":
    sys.exit(main())
