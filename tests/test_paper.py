"""The simulated paper keeps its promises: the numbers keep the form's rules, the same seed gives the same bytes."""

from __future__ import annotations

import numpy as np
import pytest

from firmware.forms.loader import shipped_layouts
from firmware.tally.rules import check
from tests.simulators.paper import pen
from tests.simulators.paper.photograph import LEVELS, photograph
from tests.simulators.paper.sets import GENERATORS, numbers


@pytest.mark.parametrize("form", sorted(GENERATORS))
def test_made_up_numbers_break_a_rule_of_their_own_form(form: str) -> None:
    layout = shipped_layouts()[form]
    for seed in range(40):
        values = numbers(layout, seed)
        assert set(values) == set(layout.fields)
        broken = [c for c in check(values, layout, layout.limits) if c.ok is False and not c.warning]
        assert broken == [], seed


def test_the_same_seed_gives_another_picture() -> None:
    paper = np.full((400, 300, 3), 250, np.uint8)
    for level in LEVELS:
        assert photograph(paper, level, 5, 480) == photograph(paper, level, 5, 480)
        assert photograph(paper, level, 5, 480) != photograph(paper, level, 6, 480) or level == "clean"


def test_a_writer_leaves_a_cell_without_ink() -> None:
    for seed in range(20):
        writer = pen.some_writer(seed)
        for label in "0123456789X-":
            ink = pen.write_label(writer, label, 48, np.random.default_rng(seed))
            assert ink.sum() > 10, (seed, label)
        assert pen.write_label(writer, " ", 48, np.random.default_rng(seed)).sum() == 0
