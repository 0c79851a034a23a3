"""From what was seen to figures; pure. Bounds: exact ones, and bootstrap ones that draw whole TPS (or writers)."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

import msgspec
import numpy as np

from firmware.records import LABELS
from tests.evaluation.bounds import Rate, cluster_bootstrap, rate
from tests.evaluation.calibration import Calibration, calibration
from tests.evaluation.curve import Answer, Point, at_target, curve, without_error
from tests.evaluation.seen import Alarm, Cell, Field, Loose, Tps

UNCLEAR = LABELS[-1]
NO_FAULT = "none"

Group = TypeVar("Group", bound=Sequence[object])
Interval = tuple[float, float]
Confusion = Mapping[str, Mapping[str, int]]
"""True label -> label read -> count."""


class CellFigures(msgspec.Struct, frozen=True):
    """Single digit boxes."""

    right: Rate
    right_by_cluster: Interval
    clusters: int
    """Sheets, TPS or writers."""
    worst_cluster: float
    """The share right of the cluster with the lowest."""
    unerring: Rate
    """Surer than the surest error, 'unclear' not counted as an answer."""
    surest_error: float
    calibration: Calibration
    curve: tuple[Point, ...]
    confusion: Confusion


class FaultFigures(msgspec.Struct, frozen=True):
    """Fields with one fault."""

    right: Rate
    read: Rate
    silent: Rate


class RuleFigures(msgspec.Struct, frozen=True):
    """One rule over all TPS: alarms on paper that keeps it are false, broken ones without an alarm are missed."""

    alarms: int
    false: int
    broken: int
    missed: int


class Silent(msgspec.Struct, frozen=True):
    """One silent error, with what is needed to look at it."""

    data_set: str
    form: str
    name: str
    level: str
    field: str
    text: str
    value: int | None
    truth: int | None
    confidence: float
    doubts: tuple[str, ...]
    faults: tuple[str, ...]


class FormFigures(msgspec.Struct, frozen=True):
    """Pages of forms, read TPS by TPS."""

    tps: int
    hands: int
    """Different writers, which are fewer than TPS where they are rendered."""
    pages_refused: Rate
    refusals: Mapping[str, int]
    fields_right: Rate
    fields_right_by_tps: Interval
    pages_right: Rate
    """Every number of the page as written, refused pages included."""
    tps_right: Rate
    read: Rate
    """Without asking, by the policy in force."""
    read_by_tps: Interval
    silent: Rate
    silent_by_tps: Interval
    tps_silent: Rate
    """TPS with at least one silent error: the exact bound that does not take fields for independent."""
    curve: tuple[Point, ...]
    unerring: Rate
    surest_error: float
    at_target: Point | None
    calibration: Calibration
    asked_for: Mapping[str, tuple[int, int]]
    """By doubt: fields asked with it, and with it alone."""
    rules: Mapping[str, RuleFigures]
    faults: Mapping[str, FaultFigures]
    silent_errors: tuple[Silent, ...]
    cells: CellFigures
    seconds_a_page: float


def cell_figures(cells: Sequence[Loose]) -> CellFigures:
    """Every cell whose truth is known. Raises ValueError when there is none."""
    known = [entry for entry in cells if entry.cell.truth is not None]
    if not known:
        raise ValueError("no cell with a truth")
    right = [_cell_right(entry.cell) for entry in known]
    groups: dict[str, list[bool]] = defaultdict(list)
    for entry, hit in zip(known, right, strict=True):
        groups[entry.cluster].append(hit)
    answers = [_cell_answer(entry.cell) for entry in known]
    unerring, surest = without_error(answers)
    return CellFigures(
        right=rate(sum(right), len(right)),
        right_by_cluster=_bootstrap(groups.values(), sum),
        clusters=len(groups),
        worst_cluster=min(sum(hits) / len(hits) for hits in groups.values()),
        unerring=unerring,
        surest_error=surest,
        calibration=calibration([entry.cell.confidence for entry in known], right),
        curve=curve(answers),
        confusion=confusion(entry.cell for entry in known),
    )


def form_figures(seen: Sequence[Tps]) -> FormFigures:
    """Everything about TPS that belong together. Raises ValueError when there is none."""
    fields = [field for tps in seen for field in tps.fields]
    if not fields:
        raise ValueError("no field was seen")
    pages = [reason for tps in seen for reason in tps.pages.values()]
    by_tps = [tps.fields for tps in seen]
    answers = [field_answer(field) for field in fields]
    points = curve(answers)
    unerring, surest = without_error(answers)
    claimed = [field for field in fields if field.value is not None]
    return FormFigures(
        tps=len(seen),
        hands=len({tps.hand for tps in seen}),
        pages_refused=rate(sum(reason is not None for reason in pages), len(pages)),
        refusals=dict(Counter(reason for reason in pages if reason is not None)),
        fields_right=_share(fields, _right),
        fields_right_by_tps=_bootstrap(by_tps, lambda group: sum(map(_right, group))),
        pages_right=_groups_right(_by_page(seen)),
        tps_right=_groups_right(by_tps),
        read=_share(fields, _read),
        read_by_tps=_bootstrap(by_tps, lambda group: sum(map(_read, group))),
        silent=_share(fields, _silent),
        silent_by_tps=_bootstrap(by_tps, lambda group: sum(map(_silent, group))),
        tps_silent=rate(sum(any(map(_silent, group)) for group in by_tps), len(by_tps)),
        curve=points,
        unerring=unerring,
        surest_error=surest,
        at_target=at_target(points),
        calibration=calibration([field.confidence for field in claimed], [field.right for field in claimed]),
        asked_for=asked_for(fields),
        rules=rule_figures([alarm for tps in seen for alarm in tps.alarms]),
        faults=fault_figures(fields),
        silent_errors=tuple(silent_errors(seen)),
        cells=cell_figures(loose_cells(seen)),
        seconds_a_page=sum(tps.seconds for tps in seen) / len(pages),
    )


# --- parts


def field_answer(field: Field) -> Answer:
    """A field on the curve: asked at every threshold unless its confidence alone decides."""
    return Answer(field.confidence if field.open else None, field.right)


def asked_for(fields: Iterable[Field]) -> dict[str, tuple[int, int]]:
    """By doubt, the most frequent first: how many fields are asked with it, and how many for nothing else."""
    asked = [field for field in fields if field.asked]
    every = Counter(doubt for field in asked for doubt in field.doubts)
    alone = Counter(field.doubts[0] for field in asked if len(field.doubts) == 1)
    return {doubt: (count, alone[doubt]) for doubt, count in every.most_common()}


def rule_figures(alarms: Iterable[Alarm]) -> dict[str, RuleFigures]:
    """By rule. An alarm whose paper does not say (a number in it is not known) counts as alarm only."""
    table: dict[str, list[Alarm]] = defaultdict(list)
    for alarm in alarms:
        table[alarm.rule].append(alarm)
    return {
        rule: RuleFigures(
            alarms=sum(entry.raised for entry in found),
            false=sum(entry.raised and entry.kept is True for entry in found),
            broken=sum(entry.kept is False for entry in found),
            missed=sum(entry.kept is False and not entry.raised for entry in found),
        )
        for rule, found in sorted(table.items())
    }


def fault_figures(fields: Iterable[Field]) -> dict[str, FaultFigures]:
    """By fault of the writing; a field with several counts under each."""
    table: dict[str, list[Field]] = defaultdict(list)
    for field in fields:
        for fault in field.faults or (NO_FAULT,):
            table[fault].append(field)
    return {
        fault: FaultFigures(_share(found, _right), _share(found, _read), _share(found, _silent))
        for fault, found in sorted(table.items())
    }


def silent_errors(seen: Iterable[Tps]) -> Iterable[Silent]:
    """Each silent error, the surest first."""
    found = [(tps, field) for tps in seen for field in tps.fields if field.silent]
    for tps, one in sorted(found, key=lambda pair: -pair[1].confidence):
        yield Silent(
            tps.data_set, tps.form, tps.name, tps.level, one.field, one.text, one.value, one.truth, one.confidence,
            one.doubts, one.faults,
        )  # fmt: skip


def confusion(cells: Iterable[Cell]) -> dict[str, dict[str, int]]:
    """Counts of label read by true label, in the order of LABELS."""
    counts = Counter((cell.truth, cell.label) for cell in cells)
    return {
        truth: {label: counts[truth, label] for label in LABELS if counts[truth, label]}
        for truth in LABELS
        if any(counts[truth, label] for label in LABELS)
    }


def loose_cells(seen: Iterable[Tps]) -> list[Loose]:
    """The cells of forms; a TPS is one cluster, for it is one hand and one camera."""
    return [
        Loose(f"{tps.name} {field.field}", tps.key, cell)
        for tps in seen
        for field in tps.fields
        for cell in field.cells
    ]


def _cell_right(cell: Cell) -> bool:
    return cell.label == cell.truth


def _cell_answer(cell: Cell) -> Answer:
    return Answer(None if cell.label == UNCLEAR else cell.confidence, _cell_right(cell))


def _right(field: Field) -> bool:
    return field.right


def _read(field: Field) -> bool:
    return not field.asked


def _silent(field: Field) -> bool:
    return field.silent


def _share(fields: Sequence[Field], test: Callable[[Field], bool]) -> Rate:
    return rate(sum(map(test, fields)), len(fields))


def _groups_right(groups: Sequence[Sequence[Field]]) -> Rate:
    return rate(sum(all(map(_right, group)) for group in groups), len(groups))


def _by_page(seen: Iterable[Tps]) -> list[list[Field]]:
    pages: dict[tuple[str, int], list[Field]] = defaultdict(list)
    for tps in seen:
        for field in tps.fields:
            pages[tps.key, field.page].append(field)
    return list(pages.values())


def _bootstrap(groups: Iterable[Group], count: Callable[[Group], int]) -> Interval:
    pairs = [(count(group), len(group)) for group in groups]
    counts, sizes = np.array(pairs, np.int64).T
    return cluster_bootstrap(counts, sizes)
