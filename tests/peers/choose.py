"""Which Crop suits a peer best: `python -m tests.peers.choose tesseract|ddddocr|rapidocr`.

Every crop is tried on the validation block (numbers 420 to 479), with look-alikes learned on a part of the training
block; the held-back boxes are not looked at. The crop that gets most digits right stands in the peer's file.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from itertools import product

import cv2

from tests.peers.boxes import Cell, cells
from tests.peers.ddddocr_engine import DdddOcr
from tests.peers.engine import Contrast, Crop, Engine
from tests.peers.lookalikes import label_of, learn
from tests.peers.rapidocr_engine import RapidOcr
from tests.peers.scoring import Outcome, Score, score
from tests.peers.tesserocr_engine import Tesseract

INSETS = (0.0, 0.04, 0.08)
MARGINS = (0.0, 0.1, 0.3)
CONTRASTS: tuple[Contrast, ...] = ("grey", "stretched", "black")
PEERS: dict[str, tuple[Callable[[Crop], Engine], tuple[int, ...]]] = {
    "tesseract": (Tesseract, (24, 32, 48)),
    "ddddocr": (DdddOcr, (64,)),
    "rapidocr": (RapidOcr, (48,)),
}
"""By name: the reader and the sides to try. The last two scale every picture to the side that their model takes."""

LEARN_FROM_EVERY = 8
"""One training box in so many is enough to compare crops."""


def try_crop(engine: Engine, training: Sequence[Cell], validation: Sequence[Cell]) -> Score:
    """The figures of one reader, with one crop, on the validation block."""
    known = learn((engine.read(cell.picture).text, cell.label) for cell in training)
    outcomes = []
    for cell in validation:
        answer = engine.read(cell.picture)
        outcomes.append(Outcome(cell.name, cell.label, label_of(answer.text, known), answer.confidence))
    return score(outcomes)


def main() -> None:
    """Prints the crops, best first."""
    cv2.setNumThreads(1)
    make, sides = PEERS[sys.argv[1]]
    crops = [Crop(*values) for values in product(INSETS, sides, MARGINS, CONTRASTS)]
    training, validation = cells("train")[::LEARN_FROM_EVERY], cells("validation")
    scores = {crop: try_crop(make(crop), training, validation) for crop in crops}
    for crop, found in sorted(scores.items(), key=lambda pair: -pair[1].right):
        print(f"right {found.right / found.digits:.2%} of {found.digits}, wrong {len(found.wrong)}: {crop}")


if __name__ == "__main__":
    main()
