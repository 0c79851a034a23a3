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

INSETS = (0.0, 0.04, 0.1)
MARGINS = (0.0, 0.1)
CONTRASTS: tuple[Contrast, ...] = ("grey", "stretched", "black")
PEERS: dict[str, tuple[Callable[[Crop], Engine], tuple[int, ...]]] = {
    "tesseract": (Tesseract, (24, 32)),
    "ddddocr": (DdddOcr, (64,)),
    "rapidocr": (RapidOcr, (48,)),
}
"""By name: the reader and the sides to try. The last two scale every picture to the side that their model takes."""

LEARN_FROM_EVERY, TRY_EVERY = 16, 2
"""One training box, one validation box in so many: enough to tell crops apart."""


def try_crop(engine: Engine, training: Sequence[Cell], validation: Sequence[Cell]) -> Score:
    """The figures of one reader, with one crop, on the validation block."""
    known = learn((engine.read(cell.picture).text, cell.label) for cell in training)
    outcomes = []
    for cell in validation:
        answer = engine.read(cell.picture)
        outcomes.append(Outcome(cell.name, cell.label, label_of(answer.text, known), answer.confidence))
    return score(outcomes)


def main() -> None:
    """Prints the figures of every crop, and the best."""
    cv2.setNumThreads(1)
    make, sides = PEERS[sys.argv[1]]
    training, validation = cells("train")[::LEARN_FROM_EVERY], cells("validation")[::TRY_EVERY]
    scores = {}
    for values in product(INSETS, sides, MARGINS, CONTRASTS):
        crop = Crop(*values)
        found = scores[crop] = try_crop(make(crop), training, validation)
        print(f"right {found.right / found.digits:.2%} of {found.digits}, wrong {len(found.wrong)}: {crop}", flush=True)
    print("best:", max(scores, key=lambda crop: scores[crop].right))


if __name__ == "__main__":
    main()
