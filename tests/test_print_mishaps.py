"""A station that is really killed, a printer that really loses its power: what lies on the table afterwards.

A sample of the 300 moments that `python -m tests.endurance.printing` goes through.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from firmware.ledger.store import Ledger
from firmware.receipts import Receipts
from tests.endurance.printing import COPIES, Mishap, Outcome, count_paper, document, one_mishap, wanted_strips
from tests.kiosks import PaperPrinter


@pytest.mark.parametrize(
    ("mishap", "moment_s"),
    [(Mishap.KILL, 0.3), (Mishap.BOTH, 0.1), (Mishap.PAPER, 0.4)],
)
def test_a_strip_is_lost_or_doubled_or_nobody_asks(tmp_path: Path, mishap: Mishap, moment_s: float) -> None:
    outcome = Outcome()
    one_mishap(tmp_path / "ledger", mishap, moment_s, outcome)
    assert outcome.failures == 0, outcome


def test_the_count_of_the_paper_misses_nothing(tmp_path: Path) -> None:
    """The referee of the mishaps finds what must not be."""
    with Ledger.open(tmp_path) as ledger:
        Receipts(ledger, PaperPrinter()).print(document(), again=False, progress=lambda: None)
    wanted = wanted_strips()
    first, again = wanted[1, False], wanted[1, True]
    rest = [wanted[copy, False] for copy in range(2, COPIES + 1)]
    for pieces, lost, doubled, unasked in (
        ([first, *rest], 0, 0, 0),
        (rest, 1, 0, 1),
        ([first[: len(first) // 2], *rest], 1, 0, 1),
        ([first, first, *rest], 0, 1, 1),
        ([first, again, *rest], 0, 0, 1),
    ):
        outcome = Outcome()
        count_paper(tmp_path, pieces, wanted, outcome)
        assert (outcome.lost, outcome.doubled, outcome.unasked) == (lost, doubled, unasked)
