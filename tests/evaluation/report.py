"""The report of one evaluation: JSON with everything, Markdown to read, and the table for the model card."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import msgspec

from tests.evaluation.bounds import Rate
from tests.evaluation.curve import TARGET, Point
from tests.evaluation.datasets import C1_2019, LEVELS, MONITOR, RENDERED
from tests.evaluation.metrics import CellFigures, FormFigures, Interval, Silent, cell_figures, form_figures
from tests.evaluation.seen import Loose, Tps

JSON, MARKDOWN = "report.json", "report.md"
PER = 10_000
"""Silent errors are told per this many fields: the target is one."""
MOST_CONFUSIONS = 12
"""Rows of the table of confusions; all of them are in the JSON."""

Row = Sequence[object]


class Report(msgspec.Struct, frozen=True):
    """Everything that was measured in one run."""

    program: str
    """Digest of code, model and paper simulator."""
    model: str
    """SHA-256 of the model file."""
    missing: str
    """The folder of real forms and digits when it is not there, else empty."""
    forms: Mapping[str, FormFigures]
    cells: Mapping[str, CellFigures]


def pooled(level: str) -> str:
    """The name of all rendered forms of one level together."""
    return f"rendered, {level}"


def form_groups(seen: Iterable[Tps]) -> dict[str, list[Tps]]:
    """TPS by set: real ones first, then every level with all forms together and form by form."""
    groups: dict[str, list[Tps]] = {C1_2019: [], MONITOR: []}
    rendered: dict[str, dict[str, list[Tps]]] = {}
    for tps in sorted(seen, key=lambda entry: (entry.data_set, entry.form, entry.name)):
        if tps.data_set == RENDERED:
            level = rendered.setdefault(tps.level, {})
            level.setdefault(pooled(tps.level), []).append(tps)
            level.setdefault(f"{pooled(tps.level)}, {tps.form}", []).append(tps)
        else:
            groups[tps.data_set].append(tps)
    for _, level in sorted(rendered.items(), key=lambda item: LEVELS.index(item[0])):
        groups |= level
    return {name: found for name, found in groups.items() if found}


def make(program: str, model: str, missing: str, seen: Iterable[Tps], loose: Mapping[str, Sequence[Loose]]) -> Report:
    """All figures of all sets."""
    forms = {name: form_figures(found) for name, found in form_groups(seen).items()}
    return Report(program, model, missing, forms, {name: cell_figures(cells) for name, cells in loose.items()})


def write(folder: Path, report: Report) -> None:
    """report.json and report.md."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / JSON).write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=1) + b"\n")
    (folder / MARKDOWN).write_text(markdown(report), encoding="utf-8")


def load(folder: Path) -> Report:
    """The report of an earlier run in `folder`."""
    return msgspec.json.decode((folder / JSON).read_bytes(), type=Report)


def card_section(folder: Path) -> str:
    """The Markdown of the model card, from the report in `folder`: what is read, and what nobody was asked about."""
    report = load(folder)
    main = _main(report.forms)
    lines = [*_head(report), "", *_fields(main), "", *_thresholds(main), "", *_cells(report)]
    return "\n".join(lines) + "\n"


def markdown(report: Report) -> str:
    """The whole report to read. What is told form by form at the top is told for all forms together below."""
    main = _main(report.forms)
    sections: Mapping[str, Sequence[str]] = {
        "Numbers of the forms, by the policy in force": _fields(report.forms),
        "Pages and polling stations": _pages(report.forms),
        "Other thresholds": _thresholds(report.forms),
        "Single digit boxes": _cells(report),
        "Boxes read as something else": _confusions(report),
        "Why a person is asked": _asked(main),
        "Rules": _rules(main),
        "By fault of the writing": _faults(main),
        "Silent errors": _silent(main),
    }
    body = [line for title, lines in sections.items() for line in ("", f"## {title}", "", *(lines or ["None."]))]
    return "\n".join(["# How well it reads", "", *_head(report), *body]) + "\n"


def _main(forms: Mapping[str, FormFigures]) -> dict[str, FormFigures]:
    """Real sets, and rendered ones with all forms of a level together."""
    names = (C1_2019, MONITOR, *map(pooled, LEVELS))
    return {name: forms[name] for name in names if name in forms}


# --- sections


def _head(report: Report) -> list[str]:
    lines = [
        f"Model `{report.model[:16]}`, program and paper `{report.program[:16]}`. Bounds are 95 %: exact "
        '(Clopper-Pearson), and after "TPS" or "clusters" by drawing whole TPS, sheets or writers again.'
    ]
    gap = ["", f"Real forms and digits were not measured: `{report.missing}` is missing."]
    return lines + gap if report.missing else lines


def _fields(forms: Mapping[str, FormFigures]) -> list[str]:
    rows = (
        (
            name, one.tps, one.hands, one.read.of, _percent(one.fields_right),
            f"{_percent(one.read)}, TPS {_span(one.read_by_tps)}", f"{one.silent.count}: {_per(one.silent)}",
            _of(one.tps_silent),
        )
        for name, one in forms.items()
    )  # fmt: skip
    titles = (
        "set",
        "TPS",
        "hands",
        "fields",
        "right",
        "read without asking",
        f"silent errors: in {PER:,}",
        "TPS with one",
    )
    return _table(titles, rows)


def _pages(forms: Mapping[str, FormFigures]) -> list[str]:
    rows = (
        (
            name, one.pages_refused.of, f"{_of(one.pages_refused)} {_counts(one.refusals)}", _percent(one.pages_right),
            _percent(one.tps_right), f"{one.seconds_a_page:.2f}",
        )
        for name, one in forms.items()
    )  # fmt: skip
    return _table(("set", "pages", "refused", "pages all right", "TPS all right", "seconds a page"), rows)


def _thresholds(forms: Mapping[str, FormFigures]) -> list[str]:
    rows = (
        (
            name,
            _percent(one.unerring),
            f"{one.surest_error:.4f}",
            *_target(one.at_target),
            f"{one.calibration.error:.4f}",
        )
        for name, one in forms.items()
    )
    target = f"read at {TARGET * PER:.0f} in {PER:,}"
    return _table(("set", "read with no error", "surest error", target, "from", "calibration error"), rows)


def _target(point: Point | None) -> tuple[str, str]:
    if point is None:
        return "none", "-"
    return f"{point.read / point.silent.of:.2%}, at most {point.silent.high * PER:.1f}", f"{point.threshold:.6f}"


def _cells(report: Report) -> list[str]:
    rows = (
        (
            name, one.right.of, f"{_percent(one.right)}, clusters {_span(one.right_by_cluster)}",
            f"{one.clusters} (worst {one.worst_cluster:.1%})", _percent(one.unerring), f"{one.surest_error:.4f}",
            f"{one.calibration.error:.4f}",
        )
        for name, one in _all_cells(report).items()
    )  # fmt: skip
    titles = ("set", "boxes", "right", "clusters", "accepted with no error", "surest error", "calibration error")
    return _table(titles, rows)


def _all_cells(report: Report) -> dict[str, CellFigures]:
    return {**report.cells, **{name: one.cells for name, one in _main(report.forms).items()}}


def _confusions(report: Report) -> list[str]:
    rows = []
    for name, cells in _all_cells(report).items():
        pairs = [
            (count, f"{truth} read {label}")
            for truth, row in cells.confusion.items()
            for label, count in row.items()
            if label != truth
        ]
        shown = ", ".join(f"{text} {count}" for count, text in sorted(pairs, reverse=True)[:MOST_CONFUSIONS])
        rows.append((name, sum(count for count, _ in pairs), shown or "none"))
    return _table(("set", "wrong", "most frequent"), rows)


def _asked(forms: Mapping[str, FormFigures]) -> list[str]:
    doubts = list(dict.fromkeys(doubt for one in forms.values() for doubt in one.asked_for))
    rows = (
        (name, one.read.of - one.read.count, *(_pair(one.asked_for.get(doubt)) for doubt in doubts))
        for name, one in forms.items()
    )
    return _table(("set", "fields asked", *(f"{doubt} (alone)" for doubt in doubts)), rows)


def _rules(forms: Mapping[str, FormFigures]) -> list[str]:
    rows = (
        (name, rule, one.alarms, one.false, one.broken, one.missed)
        for name, figures in forms.items()
        for rule, one in figures.rules.items()
    )
    return _table(("set", "rule", "alarms", "of them false", "broken on paper", "of them without alarm"), rows)


def _faults(forms: Mapping[str, FormFigures]) -> list[str]:
    rows = (
        (name, fault, one.right.of, f"{one.right.share:.1%}", f"{one.read.share:.1%}", _of(one.silent))
        for name, figures in forms.items()
        if len(figures.faults) > 1
        for fault, one in figures.faults.items()
    )
    return _table(("set", "fault", "fields", "right", "read without asking", "silent errors"), rows)


def _silent(forms: Mapping[str, FormFigures]) -> list[str]:
    titles = ("set", "TPS", "field", "boxes", "read", "written", "confidence", "faults")
    return _table(titles, (_silent_row(error) for one in forms.values() for error in one.silent_errors))


def _silent_row(one: Silent) -> Row:
    name = f"{one.form} {one.name}" + ("" if one.level == "real" else f", {one.level}")
    return (
        one.data_set, name, one.field, f"`{one.text}`", one.value, "none" if one.truth is None else one.truth,
        f"{one.confidence:.6f}", " ".join(one.faults),
    )  # fmt: skip


# --- words


def _table(titles: Sequence[str], rows: Iterable[Row]) -> list[str]:
    """A Markdown table; nothing when there is no row."""
    lines = ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]
    return ["| " + " | ".join(titles) + " |", "|---" * len(titles) + "|", *lines] if lines else []


def _percent(rate: Rate) -> str:
    return f"{rate.share:.2%} ({rate.low:.2%} to {rate.high:.2%})" if rate.of else "-"


def _span(interval: Interval) -> str:
    return f"{interval[0]:.2%} to {interval[1]:.2%}"


def _of(rate: Rate) -> str:
    return f"{rate.count} of {rate.of} ({rate.low:.2%} to {rate.high:.2%})"


def _per(rate: Rate) -> str:
    return f"{rate.share * PER:.1f} ({rate.low * PER:.1f} to {rate.high * PER:.1f})"


def _pair(counts: tuple[int, int] | None) -> str:
    return f"{counts[0]} ({counts[1]})" if counts else "0"


def _counts(counts: Mapping[str, int]) -> str:
    return " ".join(f"{name} {count}" for name, count in counts.items())
