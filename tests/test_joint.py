"""Joint decoding is exact, believes pictures before sums, and is not fooled by one writer's habits."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from firmware.tally.elimination import Factor, largest_table, marginals
from firmware.tally.equations import BROKEN, agreement
from firmware.tally.grammar import Distribution
from firmware.tally.joint import LARGEST_TABLE, Posterior, posteriors


def by_hand(factors: list[Factor]) -> dict[str, NDArray[np.float64]]:
    """Every combination of values, one after the other."""
    sizes = {n: s for f in factors for n, s in zip(f.variables, f.table.shape, strict=True)}
    names = sorted(sizes)
    totals = {name: np.zeros(sizes[name]) for name in names}
    for values in product(*(range(sizes[name]) for name in names)):
        at = dict(zip(names, values, strict=True))
        weight = np.prod([f.table[tuple(at[n] for n in f.variables)] for f in factors])
        for name in names:
            totals[name][at[name]] += weight
    return {name: total / total.sum() for name, total in totals.items()}


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.lists(st.sets(st.integers(0, 6), min_size=1, max_size=4), min_size=1, max_size=8))
def test_sums_run_in_circles(seed: int, scopes: list[set[int]]) -> None:
    """Any graph, loops and islands too, gives what adding up every combination gives."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 4, 7)
    orders = [rng.permutation(sorted(scope)) for scope in scopes]
    factors = [Factor(tuple(f"v{i}" for i in o), rng.uniform(0, 1, [sizes[i] for i in o])) for o in orders]
    found, expected = marginals(factors), by_hand(factors)
    assert found.keys() == expected.keys()
    for name, table in expected.items():
        np.testing.assert_allclose(found[name], table, rtol=1e-9, atol=1e-12)


def test_no_combination_is_possible() -> None:
    with pytest.raises(ValueError, match="no combination"):
        marginals([Factor(("a",), np.array([1.0, 0.0])), Factor(("a",), np.array([0.0, 1.0]))])


def test_misses_of_every_size_add_up() -> None:
    misses = np.abs(np.arange(-500, 501)).astype(float)
    assert agreement(misses).sum() == pytest.approx(1.0)
    assert agreement(np.zeros(1))[0] == 1 - BROKEN
    assert agreement(np.array([1.0]))[0] > agreement(np.array([100.0]))[0] > agreement(np.array([37.0]))[0]


def shows(*numbers: tuple[int, float], empty: float = 0.0) -> Distribution:
    """A picture that leaves these numbers open; the rest is no number."""
    table = np.zeros(1000)
    for number, probability in numbers:
        table[number] = probability
    return Distribution(table, empty, max(0.0, 1.0 - float(table.sum()) - empty))


SUM = (("one", "two"), ("all",), 0)


def read(equations: list[object] | None = None, **fields: Distribution) -> dict[str, Posterior]:
    return posteriors(fields, equations or [SUM])  # type: ignore[arg-type]


def test_a_sum_decides_what_the_picture_leaves_open() -> None:
    found = read(one=shows((20, 0.4), (27, 0.6)), two=shows((128, 1)), all=shows((148, 1)))
    assert found["one"].numbers[20] > 0.99


def test_a_sum_beats_a_clear_picture() -> None:
    found = read(one=shows((21, 0.9999), (20, 0.0001)), two=shows((128, 1)), all=shows((148, 1)))
    assert found["one"].numbers[21] > 0.9
    assert 20 not in found["one"].numbers


def test_a_number_that_cannot_be_read_speaks_for_others() -> None:
    """An illegible field makes its sums worthless: the other fields keep what their own pictures say."""
    one = shows((20, 0.9), (27, 0.1))
    found = read(one=one, two=shows(), all=shows((148, 1)))
    assert found["one"].numbers == pytest.approx({20: 0.9, 27: 0.1})
    assert found["two"].another == pytest.approx(1.0)


def test_one_writer_makes_the_same_mistake_twice() -> None:
    """748 + 5 = 753 holds, and so does 148 + 5 = 153. With 20 + 133 = 153 no two digits could be wrong alike."""
    misread = 0.02
    alike = read(one=shows((748, 1 - misread)), two=shows((5, 1)), all=shows((753, 1 - misread)))
    table = np.zeros(1000)
    table[[748, 148]] = 1 - misread, misread / 2
    table[200:300] = misread / 200
    clear = Distribution(table, 0.0, 0.0)
    alike = read(one=clear, two=shows((5, 1)), all=shows((753, 1)))
    unlike = read(one=clear, two=shows((112, 1)), all=shows((860, 1)))
    assert alike["one"].another > 10 * unlike["one"].another


def test_a_broken_sum_makes_all_its_numbers_less_certain() -> None:
    sure = {"one": shows((20, 0.999)), "two": shows((128, 0.999))}
    holds, fails = read(**sure, all=shows((148, 0.999))), read(**sure, all=shows((348, 0.999)))
    assert all(fails[name].another > holds[name].another for name in fails)


def test_a_party_has_many_candidates() -> None:
    """A sum of twelve fields is added up step by step, and is as exact as a short one."""
    names = [f"c{i}" for i in range(12)]
    fields = {name: shows((10 + i, 1)) for i, name in enumerate(names)} | {"all": shows((186, 1))}
    fields["c3"] = shows((13, 0.3), (18, 0.7))
    found = posteriors(fields, [(tuple(names), ("all",), 0)])
    assert found["c3"].numbers[13] > 0.99
    broken = posteriors(fields | {"all": shows((486, 1))}, [(tuple(names), ("all",), 0)])
    assert broken["c3"].numbers[13] == pytest.approx(0.3, abs=0.01)


def test_everything_is_illegible_at_once() -> None:
    """Sixteen readings of every field of a table with sums both ways: the tables stay small."""
    rng = np.random.default_rng(3)
    names = [f"{row}{column}" for row in "abcd" for column in "lpj"]
    rows = [((f"{row}l", f"{row}p"), (f"{row}j",), 0) for row in "abcd"]
    columns = [((f"a{c}", f"b{c}", f"c{c}"), (f"d{c}",), 0) for c in "lpj"]
    fields = {name: shows(*((int(n), 0.02) for n in rng.choice(1000, 40, replace=False))) for name in names}
    sizes = dict.fromkeys(names, 18)
    assert largest_table([left + right for left, right, _ in rows + columns], sizes) > LARGEST_TABLE
    found = posteriors(fields, rows + columns)
    assert all(sum(entry.numbers.values()) + entry.another == pytest.approx(1.0) for entry in found.values())


def test_a_writer_slipped_at_a_doubtful_box() -> None:
    """Four sums want 264, but one slip of the pen breaks all four: 254 is not four times as improbable."""
    others = {"a": 100, "b": 164, "c": 260, "d": 4, "e": 200, "f": 64, "g": 150, "h": 114}
    pairs = [(("a", "b"), ("one",), 0), (("c", "d"), ("one",), 0), (("e", "f"), ("one",), 0), (("g", "h"), ("one",), 0)]
    fields = {name: shows((number, 0.999)) for name, number in others.items()}
    fields["one"] = shows((254, 0.5), (264, 0.5))
    found = [posteriors(fields, pairs[:count])["one"].numbers[254] for count in (1, 4)]
    assert 1e-4 < found[1] < found[0] < 0.05
