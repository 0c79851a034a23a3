"""One contact, and what people and worn switches do to it: the rule alone, with times that we say."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from firmware.panel.contact import DEBOUNCE_S, HELD_S, REST_S, STUCK_S, Contact, at_start, due, edge, until
from firmware.panel.panel import Heard

FOREVER = 10_000.0
Edges = Sequence[tuple[float, bool]]


def told(edges: Edges, end: float = FOREVER, closed: bool = False, looks: Sequence[float] = ()) -> list[Heard]:
    """What a contact tells from time 0 to `end`, when somebody also looks at it at the times `looks`."""
    contact, heard = at_start(closed, 0.0)
    everything = list(heard)
    turns = [(at, level) for at, level in edges] + [(at, None) for at in looks]
    for at, level in sorted(turns, key=lambda turn: turn[0]):
        contact, heard = until(contact, at) if level is None else edge(contact, level, at)
        everything += heard
    return everything + list(until(contact, end)[1])


def press(at: float, seconds: float = 0.2) -> Edges:
    return [(at, True), (at + seconds, False)]


def bouncing(edges: Edges, times: int, gap: float = DEBOUNCE_S / 4) -> Edges:
    """The same edges, each followed by `times` bounces."""
    return [
        (at + 2 * n * gap + part, level ^ (part > 0))
        for at, level in edges
        for n in range(times + 1)
        for part in ((0.0, gap) if n < times else (0.0,))
    ]


def test_a_press_gives_one_event() -> None:
    assert told(press(1)) == [Heard.PRESSED]
    assert told([*press(1), *press(2), *press(3)]) == [Heard.PRESSED] * 3


def test_the_button_bounces() -> None:
    edges = bouncing(press(1), times=6)
    assert len(edges) == 26
    assert told(edges) == [Heard.PRESSED]


def test_a_spark_on_the_cable_is_no_press() -> None:
    assert told(press(1, DEBOUNCE_S * 0.9)) == []


def test_the_button_is_heard_before_it_is_let_go() -> None:
    assert told([(1, True)], end=1 + DEBOUNCE_S + 1e-9) == [Heard.PRESSED]


def test_somebody_holds_the_button() -> None:
    assert told(press(1, HELD_S + 1)) == [Heard.PRESSED, Heard.HELD]
    assert told(press(1, HELD_S - 0.1)) == [Heard.PRESSED]
    assert told([*press(1, HELD_S + 1), *press(10, HELD_S + 1)]) == [Heard.PRESSED, Heard.HELD] * 2


def test_a_held_button_jitters() -> None:
    """A worn contact opens for a moment under the thumb: it is the same press, held as long."""
    edges = [(1, True), (1 + HELD_S / 2, False), (1 + HELD_S / 2 + DEBOUNCE_S / 4, True)]
    assert told(edges, end=1 + HELD_S + 0.01) == [Heard.PRESSED, Heard.HELD]


def test_a_held_key_repeats() -> None:
    repeats = [(1 + n / 30, True) for n in range(60)]
    assert told([*repeats, (3.2, False)]) == [Heard.PRESSED]


def test_a_level_is_told_again_and_again() -> None:
    """However fast: it is no edge, so it keeps nothing from settling."""
    fast = [(1 + n * DEBOUNCE_S / 4, True) for n in range(20)]
    assert told(fast, end=1 + 4 * DEBOUNCE_S) == [Heard.PRESSED]


def test_the_times_of_edges_run_backwards() -> None:
    contact, _ = edge(at_start(False, 0.0)[0], True, 5.0)
    contact, heard = edge(contact, False, 4.0)
    assert heard == ()
    assert due(contact) == 5.0 + DEBOUNCE_S


def test_somebody_leans_on_the_button() -> None:
    leaning = press(1, STUCK_S + 60)
    assert told(leaning, end=1 + STUCK_S + 50) == [Heard.PRESSED, Heard.HELD, Heard.STUCK]
    assert told(leaning) == [Heard.PRESSED, Heard.HELD, Heard.STUCK, Heard.FREE]


def test_a_box_rocks_on_the_button() -> None:
    """Once stuck, what presses it again too soon is the box, not a person."""
    edges = [*press(1, STUCK_S + 1), *press(1 + STUCK_S + 1 + REST_S / 2), *press(40), *press(41 + REST_S)]
    assert told(edges) == [Heard.PRESSED, Heard.HELD, Heard.STUCK, Heard.FREE, Heard.PRESSED, Heard.PRESSED]


def test_the_button_is_down_when_the_kiosk_starts() -> None:
    assert told([], closed=True) == [Heard.STUCK]
    assert told([(5, False), *press(5 + REST_S / 2), *press(20)], closed=True) == [
        Heard.STUCK,
        Heard.FREE,
        Heard.PRESSED,
    ]


def test_a_broken_cable_chatters() -> None:
    """Never open nor closed for long enough to count: said, not silently dead."""
    gap = DEBOUNCE_S / 2
    edges = [(1 + n * gap, n % 2 == 0) for n in range(int((STUCK_S + 5) / gap) // 2 * 2)]
    assert told(edges) == [Heard.STUCK, Heard.FREE]


def test_the_processor_was_busy_and_sees_the_edges_late() -> None:
    """Edges carry the time of the kernel: a press is one though it is over when the first edge is seen."""
    contact, _ = at_start(False, 0.0)
    contact, first = edge(contact, True, 1.0)
    contact, second = edge(contact, False, 1.1)
    contact, later = until(contact, 9.0)
    assert (first, second, later) == ((), (Heard.PRESSED,), ())


def test_a_bounce_is_seen_after_the_press_was_told() -> None:
    contact, _ = at_start(False, 0.0)
    contact, _ = edge(contact, True, 1.0)
    contact, heard = until(contact, 1.5)
    assert heard == (Heard.PRESSED,)
    for at, level in ((1.005, False), (1.006, True), (1.7, False)):
        contact, heard = edge(contact, level, at)
        assert heard == ()
    assert until(contact, FOREVER)[1] == ()


times = st.floats(0, 60, allow_nan=False)
some_edges = st.lists(st.tuples(times, st.booleans()), max_size=40).map(sorted)


@settings(deadline=None)
@given(some_edges, st.lists(times, max_size=20), st.booleans())
def test_it_depends_on_when_somebody_looks(edges: Edges, looks: list[float], closed: bool) -> None:
    """It must not: the same edges tell the same, however often and whenever time is looked at."""
    assert told(edges, closed=closed, looks=looks) == told(edges, closed=closed)


@settings(deadline=None)
@given(some_edges, st.booleans())
def test_more_presses_are_told_than_were_made(edges: Edges, closed: bool) -> None:
    """A press is told at most once for each time that the contact stayed closed for long enough."""
    levels = [(0.0, closed), *edges, (FOREVER, False)]
    moves = [levels[0], *(here for before, here in pairwise(levels) if before[1] != here[1]), levels[-1]]
    closures = sum(level and after[0] - at >= DEBOUNCE_S for (at, level), after in pairwise(moves))
    assert told(edges, closed=closed).count(Heard.PRESSED) <= closures


@settings(deadline=None)
@given(some_edges, st.booleans())
def test_a_stuck_button_presses(edges: Edges, closed: bool) -> None:
    """It must not: nothing but FREE follows STUCK, and only STUCK is followed by FREE."""
    heard = told(edges, closed=closed)
    for before, after in pairwise(heard):
        assert (before is Heard.STUCK) == (after is Heard.FREE)
        assert after is not Heard.HELD or before is Heard.PRESSED


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(0.3, 5), st.floats(0.3, HELD_S - 0.1)), max_size=6), st.integers(0, 8))
def test_a_worn_switch_presses_more_often_than_a_new_one(presses: list[tuple[float, float]], bounces: int) -> None:
    now, edges = 0.0, list[tuple[float, bool]]()
    for rest, hold in presses:
        edges += press(now + rest, hold)
        now += rest + hold
    assert told(bouncing(edges, bounces)) == told(edges) == [Heard.PRESSED] * len(presses)


@settings(deadline=None)
@given(some_edges)
def test_nobody_says_when_to_look_again(edges: Edges) -> None:
    """Whoever waits until `due` and no longer misses nothing, and never waits for nothing."""
    contact: Contact = at_start(False, 0.0)[0]
    for at, level in edges:
        contact, _ = edge(contact, level, at)
    while (at_last := due(contact)) is not None:
        before, contact = contact, until(contact, at_last)[0]
        assert contact != before
    assert until(contact, FOREVER) == (contact, ())
