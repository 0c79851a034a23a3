"""Codes on bad paper: `python -m tests.bench.codes`. Which share of worn prints decodes, by level, cause and decoder,
and by the code's error correction and module size. Figures go to build/bench/codes.json, samples to docs/codes.png.

A print is what the simulated printer burns from the bytes of a real strip; tests/simulators/thermal wears it out and
photographs it. Every cell of the table of choices gets the same seeds: it differs by the code alone.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path

import cv2
import numpy as np
import segno
from PIL import Image

from firmware.receipt.qr import QUIET_MODULES, QrCode
from firmware.receipt.strip import Code, ReceiptLayout
from tests.bench.decoders import Decoder, installed
from tests.bench.printing import PAPERS, strips
from tests.evaluation.bounds import rate
from tests.simulators.paper_roll import PAPER_DOTS
from tests.simulators.thermal.used import Fate, Print, printed, seen, used
from tests.simulators.thermal.wear import CAUSES, LEVELS

ROOT = Path(__file__).parents[2]
OUT, PLATE = ROOT / "build" / "bench" / "codes.json", ROOT / "docs" / "codes.png"
PRINTS = {"mild": 100, "medium": 700, "hard": 200}
"""Of each paper: 2,000 in all. 1,400 at the medium level tell 99.5 % from 99 %."""
WORST, BY_CAUSE, BY_CHOICE = 40, 20, 40
"""Prints of each paper with every cause at the level's worst; of each cause alone at its worst; of each choice."""
ATTEMPTS = 3
"""Pictures that a witness takes before giving up."""
CORRECTIONS = "mqh"
MODULE_DOTS = range(3, 9)
PLATE_COLOURS = 48
"""Of the samples' picture: it stays small."""
BATCH = 50
"""Pictures that are kept at once."""


@dataclasses.dataclass
class Result:
    """Of one decoder on the prints of one row."""

    row: str
    paper: int
    decoder: str
    prints: int
    decoded: int = 0
    wrong: int = 0
    """Another text than the one printed."""
    in_attempts: int = 0
    """Decoded from one of ATTEMPTS pictures of the same strip."""

    def line(self) -> str:
        """For people."""
        share = rate(self.decoded, self.prints)
        bounds = f"{share.share:7.1%} ({share.low:.1%} to {share.high:.1%})"
        again = f", {rate(self.in_attempts, self.prints).share:.1%} in {ATTEMPTS}" if self.in_attempts else ""
        return f"{self.row:<28}{self.paper:>4} {self.decoder:<10}{self.prints:>5}{bounds}{again}, wrong {self.wrong}"


def try_out(
    row: str, prints: Sequence[Print], fate: Fate, count: int, decoders: dict[str, Decoder], attempts: int = 1
) -> list[Result]:
    """`count` prints, one after the other of those given, seeds 0 to `count` - 1."""
    width = prints[0].dots.shape[1]
    results = [Result(row, width, name, count) for name in decoders]
    for first in range(0, count, BATCH):
        cases = [(prints[seed % len(prints)], seed) for seed in range(first, min(first + BATCH, count))]
        worn = [used(print_, fate, seed) for print_, seed in cases]
        pictures = [seen(print_, strip, fate, seed) for (print_, seed), strip in zip(cases, worn, strict=True)]
        for result, decode in zip(results, decoders.values(), strict=True):
            missed = _count(result, cases, decode(pictures))
            for attempt in range(1, attempts):
                again = [seen(cases[index][0], worn[index], fate, cases[index][1], attempt) for index in missed]
                missed = [missed[index] for index in _count(result, [cases[i] for i in missed], decode(again), True)]
            result.in_attempts += len(cases) - len(missed) if attempts > 1 else 0
    return results


def _count(
    result: Result, cases: Sequence[tuple[Print, int]], texts: Sequence[str | None], again: bool = False
) -> list[int]:
    """Which cases are still to be decoded."""
    right = [text == print_.text for (print_, _), text in zip(cases, texts, strict=True)]
    result.wrong += sum(text is not None for text in texts) - sum(right)
    result.decoded += 0 if again else sum(right)
    return [index for index, done in enumerate(right) if not done]


def printed_strips() -> dict[int, list[Print]]:
    """Every form's strip as it is, by paper: drawn by the printer, and sent as a picture."""
    found: dict[int, list[Print]] = {width: [] for width in PAPERS}
    for _, width, layout in strips():
        found[width] += [printed(layout, profile) for _, profile in PAPERS[width]]
    return found


def with_code(layout: ReceiptLayout, correction: str, module_dots: int) -> ReceiptLayout | None:
    """The strip with its code at another level of error correction and of another size, the quiet zone partly on the
    paper's unprintable margin where it must; None where it does not fit the paper."""
    text = layout.receipt.code or ""
    code = segno.make(text, error=correction, mode="alphanumeric", micro=False, boost_error=False)
    side = len(code.matrix)
    border = min(QUIET_MODULES, (layout.width_dots // module_dots - side) // 2)
    if border < 0 or PAPER_DOTS[layout.width_dots] < (side + 2 * QUIET_MODULES) * module_dots:
        return None
    rows = tuple(tuple(bool(module) for module in row) for row in code.matrix_iter(border=border))
    drawn = Code(QrCode(text, int(code.version), rows, module_dots, correction, side))
    elements = tuple(drawn if isinstance(element, Code) else element for element in layout.elements)
    return dataclasses.replace(layout, elements=elements)


def choices(decoders: dict[str, Decoder]) -> Iterator[Result]:
    """Every correction and size on both papers, sent as a picture, with every cause at the medium level's worst: there
    the choices differ most."""
    for width, layout in {width: layout for name, width, layout in strips() if name == "c.hasil-ppwp-2024"}.items():
        (*_, (_, profile)) = PAPERS[width]
        for correction in CORRECTIONS:
            for dots in MODULE_DOTS:
                changed = with_code(layout, correction, dots)
                if changed is not None:
                    row = f"{correction.upper()}, {dots} dots"
                    yield from try_out(row, [printed(changed, profile)], Fate("medium", least=1), BY_CHOICE, decoders)


def levels(decoders: dict[str, Decoder]) -> Iterator[Result]:
    """The strips as they are: by level, at the worst of the level, and by cause."""
    papers = printed_strips().values()
    for prints, level in product(papers, LEVELS):
        yield from try_out(level, prints, Fate(level), PRINTS[level], decoders, ATTEMPTS)
    for prints in papers:
        yield from try_out("medium, all at its worst", prints, Fate("medium", least=1), WORST, decoders, ATTEMPTS)
    for prints, cause in product(papers, CAUSES):
        yield from try_out(f"hard {cause} alone", prints, Fate("hard", cause, 1), BY_CAUSE, decoders)


def plate(seed: int = 4) -> None:
    """Samples of every level on both papers, made small."""
    rows = []
    for prints in printed_strips().values():
        files = [
            seen(prints[0], used(prints[0], fate, number), fate, number)
            for level in LEVELS
            for number in (seed, seed + 1)
            for fate in [Fate(level)]
        ]
        pictures = [cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) for data in files]
        rows.append(np.hstack([picture[240:1040] for picture in pictures if picture is not None]))
    small = cv2.resize(np.vstack(rows), None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
    Image.fromarray(cv2.cvtColor(small, cv2.COLOR_BGR2RGB)).quantize(PLATE_COLOURS).save(PLATE, optimize=True)


def main(parts: Sequence[str]) -> None:
    """Prints and writes the parts asked for: levels, choices, plate; all without a name."""
    cv2.setNumThreads(1)
    decoders = installed()
    found = []
    for part, measure in (("levels", levels), ("choices", choices)):
        if not parts or part in parts:
            for result in measure(decoders):
                print(result.line(), flush=True)
                found.append(dataclasses.asdict(result))
    if found:
        OUT.parent.mkdir(parents=True, exist_ok=True)
        OUT.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    if not parts or "plate" in parts:
        plate()


if __name__ == "__main__":
    main(sys.argv[1:])
