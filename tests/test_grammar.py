"""What a row of boxes says, and what it never says."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware.records import LABELS, PADDING, CellReading, Doubt
from firmware.tally import grammar
from tests.readings import cell, cells

rows = st.lists(st.sampled_from(LABELS), min_size=1, max_size=4)


@pytest.mark.parametrize(
    ("text", "value"),
    [("128", 128), ("X28", 28), ("--5", 5), ("  7", 7), ("012", 12), ("000", 0), ("XXX", 0), ("---", 0), ("X-0", 0),
     ("  -", 0), ("XX8", 8), ("-10", 10)],
)  # fmt: skip
def test_a_number_is_padded_in_every_way_people_pad(text: str, value: int) -> None:
    labels = [entry.label for entry in cells(text)]
    assert grammar.parse(labels) == value
    assert grammar.text(labels) == text
    assert grammar.doubt(labels) is None
    assert grammar.distribution(cells(text)).numbers[value] > 0.999


@pytest.mark.parametrize("text", ["1X8", "1 8", "5XX", "5  ", "XX ", "1?8", "??5", "X5-", "0X5"])
def test_boxes_that_form_no_number_get_none(text: str) -> None:
    labels = [entry.label for entry in cells(text)]
    assert grammar.parse(labels) is None
    assert grammar.doubt(labels) is Doubt.GRAMMAR
    assert grammar.distribution(cells(text)).other > 0.999


def test_an_empty_row_is_neither_zero_nor_a_number() -> None:
    labels = [entry.label for entry in cells("   ")]
    assert grammar.parse(labels) is None
    assert grammar.doubt(labels) is Doubt.EMPTY
    assert grammar.distribution(cells("   ")).empty > 0.999


def test_xxx_read_as_888_is_held_by_the_probability() -> None:
    """A PPK reported xxx read as 888: as long as the network leaves X a chance, the number is not sure."""
    doubtful = [cell("8", 0.7, "X")] * 3
    assert grammar.distribution(doubtful).numbers[888] < 0.4


def test_ways_to_write_a_number_add_up() -> None:
    either = [cell("X", 0.5, "-"), cell("blank", 0.5, "0"), cell("5")]
    assert grammar.distribution(either).numbers[5] > 0.999


@given(rows)
def test_a_digit_appears_that_no_box_shows(labels: list[str]) -> None:
    value = grammar.parse(labels)
    if value is None:
        return
    shown = "".join(label for label in labels if label not in PADDING) or "0"
    assert value == int(shown)
    assert not set(str(value)) - set(shown)


@given(st.lists(st.lists(st.floats(0.001, 1.0), min_size=len(LABELS), max_size=len(LABELS)), min_size=1, max_size=3))
def test_an_interpretation_is_lost_or_counted_twice(weights: list[list[float]]) -> None:
    """The closed form equals the sum over all label sequences, one by one."""
    table = np.array(weights) / np.sum(weights, axis=1, keepdims=True)
    found = grammar.distribution([CellReading(tuple(row)) for row in table])
    numbers, empty = np.zeros(10 ** len(table)), 0.0
    for index in np.ndindex(*table.shape[:1] * 0, *[len(LABELS)] * len(table)):
        p = float(np.prod([table[i, column] for i, column in enumerate(index)]))
        labels = [LABELS[column] for column in index]
        value = grammar.parse(labels)
        if value is not None:
            numbers[value] += p
        empty += p if grammar.doubt(labels) is Doubt.EMPTY else 0.0
    assert np.allclose(found.numbers, numbers)
    assert found.empty == pytest.approx(empty)
    assert found.numbers.sum() + found.empty + found.other == pytest.approx(1.0)
