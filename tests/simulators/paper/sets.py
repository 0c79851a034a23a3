"""Whole polling stations on paper: numbers that belong together, one writer, every page photographed.

The numbers are drawn from the shape of real returns (turnout, reserve ballots, share of invalid votes) and keep
every rule of the form; `spoil` overwrites some, and with `faults` people err the way tired people do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from math import ceil
from types import MappingProxyType

import numpy as np

from firmware.forms.layout import FormLayout, PageLayout
from firmware.forms.loader import shipped_layouts
from tests.simulators.paper import pen
from tests.simulators.paper.faults import SCALE, WRONG_SUMS, Fault, FieldPlan, pen_of, plain, plan_field, wrong_sum
from tests.simulators.paper.fill import MM_PER_INCH, fill_planned, padded
from tests.simulators.paper.photograph import Grip, photograph
from tests.simulators.paper.turus import some_turus

DPI = MappingProxyType({"c1-ppwp-2019": 200})
DEFAULT_DPI = 84
"""Plano sheets are 600 x 900 mm: 84 dots an inch is what a 12-megapixel camera sees of one."""


THUMB_MM = 21.0
"""Width of a thumb."""


@dataclass(frozen=True, slots=True)
class PaperSet:
    """One TPS and contest on paper."""

    form: str
    pages: Mapping[int, bytes]
    """JPEG by page number."""
    values: Mapping[str, int]
    """What was meant to be written, also where it breaks a rule."""
    texts: Mapping[str, str]
    """What stands in the boxes, one label a box; "?" for a box that holds several digits."""
    truth: Mapping[str, int | None]
    """What a careful human reads in the boxes; None where nothing is written."""
    plans: Mapping[str, FieldPlan]
    """How every field was written: cells, bubbles, tally."""
    faults: Mapping[str, tuple[Fault, ...]]
    """What is unusual about a field; fields without a fault are not named."""


def _split(
    total: int, shares: np.ndarray[tuple[int, ...], np.dtype[np.float64]], rng: np.random.Generator
) -> list[int]:
    return [int(n) for n in rng.multinomial(total, shares / shares.sum())]


def _sexes(values: dict[str, int], name: str, total: int, rng: np.random.Generator) -> None:
    men = int(rng.binomial(total, 0.49))
    values |= {f"{name}_l": men, f"{name}_p": total - men, f"{name}_j": total}


def _voters(values: dict[str, int], rng: np.random.Generator) -> int:
    """Registered voters and those who came; returns how many came."""
    registered = int(rng.integers(120, 296))
    came = int(registered * rng.uniform(0.6, 0.95))
    extra, special = (int(n) for n in rng.poisson([1.5, 3]))
    _sexes(values, "pemilih_dpt", registered, rng)
    men = min(int(rng.binomial(came, 0.49)), values["pemilih_dpt_l"])
    women = min(came - men, values["pemilih_dpt_p"])
    values |= {"pengguna_dpt_l": men, "pengguna_dpt_p": women, "pengguna_dpt_j": men + women}
    _sexes(values, "pengguna_dptb", extra, rng)
    _sexes(values, "pengguna_dpk", special, rng)
    for sex in "lpj":
        values[f"pengguna_total_{sex}"] = sum(values[f"pengguna_{kind}_{sex}"] for kind in ("dpt", "dptb", "dpk"))
    return values["pengguna_total_j"]


def _ballots(values: dict[str, int], came: int, rng: np.random.Generator) -> None:
    received = values["pemilih_dpt_j"] + ceil(values["pemilih_dpt_j"] * 0.02)
    used, spoiled = min(came, received), int(rng.poisson(0.7))
    values |= {
        "surat_suara_diterima": received,
        "surat_suara_digunakan": used,
        "surat_suara_dikembalikan": min(spoiled, received - used),
    }
    values["surat_suara_sisa"] = received - used - values["surat_suara_dikembalikan"]


def _votes(values: dict[str, int], came: int, candidates: int, rng: np.random.Generator) -> None:
    invalid = min(came, int(rng.poisson(4)))
    for number, votes in enumerate(_split(came - invalid, rng.gamma(2, 1, candidates), rng), 1):
        values[f"suara_{number}"] = votes
    values |= {"suara_sah": came - invalid, "suara_tidak_sah": invalid, "suara_total": came}


def ppwp_2024(rng: np.random.Generator) -> dict[str, int]:
    """Numbers of a c.hasil-ppwp-2024."""
    values: dict[str, int] = {}
    came = _voters(values, rng)
    _ballots(values, came, rng)
    came = values["surat_suara_digunakan"]
    _sexes(values, "disabilitas", int(rng.poisson(1)), rng)
    _votes(values, came, 3, rng)
    return values


def ppwp_2019(rng: np.random.Generator) -> dict[str, int]:
    """Numbers of a c1-ppwp-2019."""
    values: dict[str, int] = {}
    came = _voters(values, rng)
    _ballots(values, came, rng)
    for sex in "lpj":
        values[f"pemilih_dptb_{sex}"] = values[f"pengguna_dptb_{sex}"]
        values[f"pemilih_dpk_{sex}"] = values[f"pengguna_dpk_{sex}"]
        values[f"pemilih_total_{sex}"] = sum(values[f"pemilih_{kind}_{sex}"] for kind in ("dpt", "dptb", "dpk"))
    disabled = int(rng.poisson(1))
    _sexes(values, "disabilitas_terdaftar", disabled, rng)
    for sex in "lpj":
        values[f"disabilitas_pengguna_{sex}"] = values[f"disabilitas_terdaftar_{sex}"]
    _votes(values, values["surat_suara_digunakan"], 2, rng)
    return values


def dpr_demo(rng: np.random.Generator) -> dict[str, int]:
    """Numbers of a c.hasil-dpr-demo: four parties with five candidates each."""
    values: dict[str, int] = {}
    _ballots(values, _voters(values, rng), rng)
    came = values["surat_suara_digunakan"]
    _sexes(values, "disabilitas", int(rng.poisson(1)), rng)
    invalid = min(came, int(rng.poisson(9)))
    votes = np.array(_split(came - invalid, rng.gamma(0.7, 1, 24), rng)).reshape(4, 6)
    for party, row in enumerate(votes, 1):
        values[f"partai_{party}_suara"] = int(row[0])
        values |= {f"partai_{party}_calon_{number}": int(n) for number, n in enumerate(row[1:], 1)}
        values[f"partai_{party}_total"] = int(row.sum())
    values |= {"suara_sah": came - invalid, "suara_tidak_sah": invalid, "suara_total": came}
    return values


GENERATORS: Mapping[str, Callable[[np.random.Generator], dict[str, int]]] = MappingProxyType(
    {"c.hasil-ppwp-2024": ppwp_2024, "c1-ppwp-2019": ppwp_2019, "c.hasil-dpr-demo": dpr_demo}
)


def numbers(layout: FormLayout, seed: int) -> dict[str, int]:
    """Consistent numbers for every field of the form."""
    return GENERATORS[layout.id](np.random.default_rng([seed, 104729]))


def paper_set(
    form: str,
    seed: int,
    level: str = "mild",
    spoil: Mapping[str, int] | None = None,
    writer: pen.Writer | None = None,
    height: int = 3000,
    faults: bool = False,
) -> PaperSet:
    """A TPS by seed, photographed at `level`; `spoil` overwrites some values after the sums were made.

    Without `faults` everything is written as it should be. With them the writer errs at the rates of the same level
    (faults.py), and one TPS in five breaks a sum.
    """
    layout = shipped_layouts()[form]
    written = write(layout, seed, level, spoil or {}, writer or pen.some_writer(seed), faults)
    plans = written.plans
    return PaperSet(
        form,
        _photographs(layout, plans, written.writer, level, seed, height),
        written.values,
        {name: plan.text for name, plan in plans.items()},
        {name: plan.truth for name, plan in plans.items()},
        plans,
        written.faults,
    )


@dataclass(frozen=True, slots=True)
class Written:
    """One TPS before anything is drawn: the fields of PaperSet, and the writer with the pen they have."""

    writer: pen.Writer
    values: Mapping[str, int]
    plans: Mapping[str, FieldPlan]
    faults: Mapping[str, tuple[Fault, ...]]


def write(
    layout: FormLayout, seed: int, level: str, spoil: Mapping[str, int], writer: pen.Writer, faults: bool
) -> Written:
    """What stands on the forms of one TPS; the arguments are those of `paper_set`."""
    counted = numbers(layout, seed)
    if faults:
        return _erring(layout, level, writer, counted, dict(spoil), seed)
    values = {**counted, **spoil}
    plans = {
        name: plain(field, padded(values[name], writer, len(field.cells))) for name, field in layout.fields.items()
    }
    return Written(writer, values, plans, {})


def _erring(
    layout: FormLayout, level: str, person: pen.Writer, counted: Mapping[str, int], spoil: dict[str, int], seed: int
) -> Written:
    rng = np.random.default_rng([seed, 65537])
    person, pens = pen_of(person, level, rng)
    turus = some_turus(rng)
    if SCALE[level] and rng.random() < WRONG_SUMS:
        spoil = wrong_sum(counted, layout, rng) | spoil
    values = {**counted, **spoil}
    plans, found = {}, {}
    for name, field in layout.fields.items():
        strokes = counted[name] if name in spoil and rng.random() < 0.5 else values[name]
        plans[name] = plan_field(field, values[name], strokes, person, turus, level, rng)
        wrong = (Fault.WRONG_SUM,) if values[name] != counted[name] else ()
        if every := (*wrong, *pens, *plans[name].faults):
            found[name] = tuple(dict.fromkeys(every))
    return Written(person, values, plans, found)


def _photographs(
    layout: FormLayout, plans: Mapping[str, FieldPlan], person: pen.Writer, level: str, seed: int, height: int
) -> dict[int, bytes]:
    dpi = DPI.get(layout.id, DEFAULT_DPI)
    pages = {}
    for page in layout.pages:
        paper = fill_planned(layout, page.number, plans, person, dpi, seed)
        pages[page.number] = photograph(paper, level, seed * 100 + page.number, height, _grips(page, dpi / MM_PER_INCH))
    return pages


def _grips(page: PageLayout, scale: float) -> list[Grip]:
    """The lower corner marks: where people hold a sheet down."""
    squares = [mark.squares[0] for mark in page.marks if mark.name.startswith("B")]
    return [((square.x + square.w) * scale, (square.y + square.h) * scale, THUMB_MM * scale) for square in squares]


def legible(seed: int) -> pen.Writer:
    """A writer that anybody can read, for the demo: dark ink and padding by X."""
    return replace(pen.some_writer(seed), pressure=1.0, padding="X")


def demo_set(form: str, seed: int) -> list[tuple[str, bytes, dict[str, int]]]:
    """(file name, JPEG, true values of the page's fields) for every page, in the shuffled order a stack comes in."""
    made = paper_set(form, seed, "mild", writer=legible(seed))
    layout = shipped_layouts()[form]
    order = np.random.default_rng([seed, 31]).permutation(sorted(made.pages))
    return [
        (
            f"{form}-page{number}.jpg",
            made.pages[int(number)],
            {field.id: made.values[field.id] for field in layout.page(int(number)).fields},
        )
        for number in order
    ]
