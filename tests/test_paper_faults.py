"""What goes wrong when people fill in a form, on simulated paper: it is drawn, it is known, a human can read it."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import cv2
import numpy as np
import pytest

from firmware.forms.layout import Field, FormLayout
from firmware.forms.loader import shipped_layouts
from firmware.tally.rules import check
from tests.simulators.paper import pen
from tests.simulators.paper.boxes import Box, draw_bubbles, draw_cell
from tests.simulators.paper.faults import (
    BUBBLES,
    CORRECTIONS,
    MARRINGS,
    PENS,
    PLACINGS,
    SCALE,
    BubblePlan,
    CellPlan,
    Fault,
    FieldPlan,
    pen_of,
    plain,
    plan_field,
    wrong_sum,
)
from tests.simulators.paper.fill import fill_page, fill_planned, padded
from tests.simulators.paper.level import LEVELS, Level
from tests.simulators.paper.photograph import photograph
from tests.simulators.paper.sets import DEFAULT_DPI, numbers, paper_set, write
from tests.simulators.paper.sheet import folds_of, pose
from tests.simulators.paper.turus import PLAIN_TURUS, draw_tally, plan_tally, some_turus

LAYOUT: FormLayout = shipped_layouts()["c.hasil-ppwp-2024"]
VOTES: Field = LAYOUT.fields["suara_1"]
WRITER = replace(pen.some_writer(3), padding="X", pressure=0.9)


def planned(level: str, seeds: int) -> list[FieldPlan]:
    """Many fields of many writers, without drawing them."""
    plans = []
    for seed in range(seeds):
        rng = np.random.default_rng([seed, 1])
        writer, turus = pen.some_writer(seed), some_turus(rng)
        values = numbers(LAYOUT, seed)
        plans += [
            plan_field(field, values[name], values[name], writer, turus, level, rng)
            for name, field in LAYOUT.fields.items()
        ]
    return plans


def drawn(plan: CellPlan, seed: int = 1) -> np.ndarray:
    paper = np.full((200, 200, 3), 250, np.uint8)
    draw_cell(Box(paper, replace(VOTES.cells[0], x=70, y=70, w=60, h=60), WRITER, 1, np.random.default_rng(seed)), plan)
    return paper


def test_the_same_seed_fills_in_another_form() -> None:
    first, second = (paper_set("c1-ppwp-2019", 7, "hard", height=800, faults=True) for _ in range(2))
    assert first == second
    assert first.pages != paper_set("c1-ppwp-2019", 8, "hard", height=800, faults=True).pages


def test_somebody_without_faults_errs() -> None:
    made = paper_set("c1-ppwp-2019", 7, "mild", height=800)
    assert made.faults == {}
    assert made.values == numbers(shipped_layouts()["c1-ppwp-2019"], 7)
    assert made.truth == {name: value if made.texts[name].strip() else None for name, value in made.values.items()}
    assert all(plan.faults == () for plan in planned("clean", 5))


@pytest.mark.parametrize("fault", [*CORRECTIONS, *PLACINGS, *MARRINGS])
def test_a_fault_of_a_box_is_named_but_not_drawn(fault: Fault) -> None:
    clean = drawn(CellPlan("5"))
    faulty = drawn(CellPlan("5", "3" if fault in CORRECTIONS else "", (fault,)))
    assert np.count_nonzero(np.any(np.abs(clean.astype(int) - faulty) > 40, axis=2)) > 20


def test_the_digit_below_is_as_dark_as_the_one_on_top() -> None:
    below = drawn(CellPlan("5")).min(2)
    both = drawn(CellPlan("5", "2", (Fault.OVERWRITTEN,))).min(2)
    assert np.count_nonzero(both < 120) > 1.5 * np.count_nonzero(below < 120)
    assert both.min() < below.min()


def test_nobody_can_tell_which_digit_was_written_last() -> None:
    for plan in planned("hard", 300):
        for cell in plan.cells:
            if Fault.OVERWRITTEN in cell.faults:
                above, below = set(pen.SEGMENTS[cell.label]), set(pen.SEGMENTS[cell.under])
                assert above - below
                assert len(below - above) <= 2
            assert not (set(cell.faults) & set(CORRECTIONS) and cell.label == cell.under)
            assert len(set(cell.faults) & set(CORRECTIONS)) <= 1


@pytest.mark.parametrize("fault", BUBBLES)
def test_a_fault_of_a_bubble_is_named_but_not_drawn(fault: Fault) -> None:
    assert VOTES.bubbles
    pictures = []
    for plan in (BubblePlan(4), BubblePlan(4, fault, 7)):
        paper = np.full((1100, 1750, 3), 250, np.uint8)
        draw_bubbles(
            paper, VOTES.bubbles.centres[0], VOTES.bubbles.diameter, plan, WRITER, 3.3, np.random.default_rng(1)
        )
        pictures.append(paper)
    assert np.count_nonzero(np.any(np.abs(pictures[0].astype(int) - pictures[1]) > 40, axis=2)) > 40
    assert (fault is Fault.BUBBLE_NONE) == bool((pictures[1] == 250).all())


@pytest.mark.parametrize("fault", PENS)
def test_a_bad_pen_writes_like_a_good_one(fault: Fault) -> None:
    for seed in range(400):
        writer, found = pen_of(WRITER, "hard", np.random.default_rng(seed))
        if found == (fault,):
            break
    assert found == (fault,)
    inks = [pen.write_label(who, "8", 60, np.random.default_rng(2)) * who.pressure for who in (WRITER, writer)]
    assert np.abs(inks[0] - inks[1]).sum() > 8
    assert inks[1].max() > 0.3


def test_a_number_reads_differently_than_the_truth_says() -> None:
    for plan in planned("hard", 60):
        digits = "".join(c for cell in plan.cells for c in cell.label if c.isdigit())
        if Fault.LEFT_EMPTY in plan.faults:
            assert (plan.text.strip(), plan.truth) == ("", None)
        elif Fault.SQUEEZED in plan.faults:
            assert (digits, plan.truth, plan.text.count("?")) == (str(plan.value), plan.value, 1)
        else:
            assert plan.truth == (plan.value if plan.text.strip() else None)
            assert plan.text.lstrip("X- 0") == (str(plan.value) if plan.value else "")


def test_faults_are_rarer_or_more_common_than_their_rates() -> None:
    medium, mild, hard = (planned(level, 250) for level in ("medium", "mild", "hard"))
    share = {
        fault: np.mean([fault in cell.faults for plan in medium for cell in plan.cells])
        for fault in (*CORRECTIONS, *PLACINGS, *MARRINGS)
    }
    assert 0.02 < share[Fault.SHIFTED] < 0.04
    assert 0.001 < share[Fault.TIPEX] < 0.005
    assert all(share.values())
    counts = [sum(bool(plan.faults) for plan in plans) for plans in (mild, medium, hard)]
    assert counts[0] * 2 < counts[1] < counts[2] / 1.5
    assert {fault for plan in hard for fault in plan.faults} >= set(Fault) - set(PENS) - {Fault.WRONG_SUM}


def test_one_polling_station_in_five_adds_up_wrong() -> None:
    for seed in range(200):
        values = numbers(LAYOUT, seed)
        slip = wrong_sum(values, LAYOUT, np.random.default_rng(seed))
        assert all(values[name] != value and 0 <= value <= 999 for name, value in slip.items())
        checks = check(values | slip, LAYOUT, LAYOUT.limits)
        assert any(c.ok is False and not c.warning for c in checks)
    made = [write(LAYOUT, seed, "medium", {}, WRITER, True) for seed in range(200)]
    wrong = [one for one in made if any(Fault.WRONG_SUM in faults for faults in one.faults.values())]
    assert 0.12 < len(wrong) / len(made) < 0.28
    for seed, one in enumerate(made):
        right = numbers(LAYOUT, seed)
        changed = {name for name in right if right[name] != one.values[name]}
        assert changed == {name for name, faults in one.faults.items() if Fault.WRONG_SUM in faults}


def test_the_strokes_are_miscounted() -> None:
    assert VOTES.tally
    for seed in range(50):
        rng = np.random.default_rng(seed)
        count = int(rng.integers(0, 301))
        plan = plan_tally(VOTES.tally, count, some_turus(rng), seed % 2 == 0, seed % 3 == 0 and count > 0, rng)
        assert plan.strokes == count
        wrong = [s for s, row in zip(plan.sums, plan.rows, strict=True) if sum(row) and s != str(sum(row))]
        assert len(wrong) == (seed % 3 == 0 and count > 0)
    off = {
        plan.tally.strokes - plan.value for plan in planned("hard", 100) if plan.tally and Fault.MISCOUNT in plan.faults
    }
    assert off == {-1, 1}


@pytest.mark.parametrize("shape", ["rising", "falling", "upright", "box"])
def test_strokes_run_together(shape: str) -> None:
    assert VOTES.tally
    grid = VOTES.tally
    turus = replace(PLAIN_TURUS, shape=shape)
    darkness = []
    for count in range(6):
        paper = np.full((900, 1700, 3), 255, np.uint8)
        draw_tally(paper, grid, plan_tally(grid, count, turus), WRITER, 3.3, np.random.default_rng(1))
        cell = paper[round(grid.area.y * 3.3) : round((grid.area.y + 16) * 3.3), : round((grid.area.x + 22) * 3.3)]
        darkness.append(int(np.count_nonzero(cell.min(2) < 160)))
    assert darkness[0] == 0
    assert all(after > before + 40 for before, after in pairwise(darkness))


def test_a_page_without_faults_is_the_page_as_planned() -> None:
    values = numbers(LAYOUT, 4)
    texts = {field.id: padded(values[field.id], WRITER) for field in LAYOUT.page(2).fields}
    plans = {field.id: plain(field, texts[field.id]) for field in LAYOUT.page(2).fields}
    pages = [
        fill_page(LAYOUT, 2, texts, WRITER, DEFAULT_DPI, 4),
        fill_planned(LAYOUT, 2, plans, WRITER, DEFAULT_DPI, 4),
    ]
    assert np.array_equal(*pages)


def test_a_seven_and_a_one_are_the_same_stroke() -> None:
    for font in (*pen.PLAIN_ONES, *(font for font, _ in pen.BORROWED)):
        writer = replace(WRITER, font=font, square=False)
        for seed in range(4):
            one, seven = (pen.write_label(writer, label, 60, np.random.default_rng(seed)) for label in "17")
            wide = [np.ptp(np.flatnonzero(ink[:30].max(0) > 0.4)) for ink in (one, seven)]
            assert wide[0] < wide[1] * 0.6, (font, seed)


# --- the camera


def seen(level: Level, seed: int, monkeypatch: pytest.MonkeyPatch) -> tuple[np.ndarray, bytes]:
    """A white sheet with four marks, photographed at a level of its own, as a reader decodes it."""
    paper = np.full((900, 600, 3), 245, np.uint8)
    for x, y in ((40, 40), (540, 40), (40, 840), (540, 840)):
        cv2.rectangle(paper, (x, y), (x + 20, y + 20), (0, 0, 0), -1)
    monkeypatch.setattr("tests.simulators.paper.photograph.LEVELS", {"test": level})
    data = photograph(paper, "test", seed, 1600, [(60, 860, 40), (560, 860, 40)])
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    return np.asarray(picture), data


def test_the_telephone_was_held_sideways(monkeypatch: pytest.MonkeyPatch) -> None:
    upright, _ = seen(LEVELS["mild"], 3, monkeypatch)
    said, shapes = 0, set()
    for seed in range(12):
        picture, data = seen(replace(LEVELS["mild"], turned=1.0), seed, monkeypatch)
        shapes.add(picture.shape[0] > picture.shape[1])
        if b"Exif" in data[:40]:
            said += 1
            assert picture.shape == upright.shape
    assert 2 <= said <= 10
    assert shapes == {True, False}


def test_a_small_camera_takes_the_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    level = replace(LEVELS["mild"], small=1.0)
    paper = np.full((900, 600, 3), 245, np.uint8)
    monkeypatch.setattr("tests.simulators.paper.photograph.LEVELS", {"test": level})
    picture = cv2.imdecode(np.frombuffer(photograph(paper, "test", 1, 3000), np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    assert picture.shape == (1632, 1224, 3)


def test_a_thumb_covers_a_mark(monkeypatch: pytest.MonkeyPatch) -> None:
    level = replace(LEVELS["clean"], thumb=1.0)
    without, _ = seen(LEVELS["clean"], 5, monkeypatch)
    held, _ = seen(level, 5, monkeypatch)
    changed = np.any(np.abs(without.astype(int) - held) > 30, axis=2)
    assert 500 < np.count_nonzero(changed) < changed.size / 10
    assert not changed[: changed.shape[0] * 3 // 4].any()


def test_noise_is_as_strong_in_the_dark_as_in_the_light(monkeypatch: pytest.MonkeyPatch) -> None:
    picture, _ = seen(replace(LEVELS["clean"], noise=8, jpeg=100), 1, monkeypatch)
    gray = picture[..., 1].astype(float)
    light, dark = gray[gray > 200], gray[gray < 30]
    assert 5 < light.std() < 9
    assert dark.std() < light.std() / 1.5


@pytest.mark.parametrize("level", sorted(SCALE))
def test_part_of_the_sheet_is_outside_the_picture(level: str) -> None:
    paper = np.full((900, 600, 3), 245, np.uint8)
    for seed in range(60):
        rng = np.random.default_rng(seed)
        how = LEVELS[level]
        lies = pose(paper, how, folds_of(how, rng), (960, 1280), rng)
        inside = (lies.x > 0) & (lies.x < 600) & (lies.y > 0) & (lies.y < 900)
        assert inside.mean() > 0.25
        assert not any(edge.any() for edge in (inside[0], inside[-1], inside[:, 0], inside[:, -1])), seed
