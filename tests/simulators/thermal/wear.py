"""How bad a print and its photograph are: every parameter with its cause, levels, unit and reason.

Levels: mild, a strip of today and a calm hand; medium, a worn printer, a week in a wallet and an ordinary hand; hard, a
printer due for service, a strip that was crumpled, wetted and left in the sun, and a hurried hand at night.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

import numpy as np

CLEAN = "clean"
LEVELS = ("mild", "medium", "hard")


def _of(cause: str, levels: tuple[float, float, float, float], unit: str, reason: str) -> Any:
    """A parameter with its values when nothing is wrong and at every level."""
    about = {"cause": cause, "levels": dict(zip((CLEAN, *LEVELS), levels, strict=True)), "unit": unit, "reason": reason}
    return field(default=levels[0], metadata=about)


@dataclass(frozen=True, slots=True)
class Wear:
    """What is wrong with one print; as made without arguments, nothing. Millimetres and dots are those of the paper."""

    dead: float = _of(
        "head", (0, 2, 6, 17), "dots of 576 that stay cold", "guess: heads are serviced for visible white lines"
    )
    dirt: float = _of(
        "head", (0, 1, 2, 4), "places of 2 to 10 dots with half the heat", "guess: label glue, paper dust"
    )
    energy: float = _of(
        "heat", (1, 0.92, 0.8, 0.7), "share of the rated heat", "guess: weak supply, cheap paper, a cold room"
    )
    droop: float = _of("heat", (0, 0.04, 0.1, 0.2), "heat lost in an all-black row", "guess: the supply gives way")
    grain: float = _of("heat", (0.02, 0.04, 0.07, 0.12), "deviation of a dot's heat", "guess: rough uncoated paper")
    tail: float = _of(
        "bleed",
        (0.15, 0.3, 0.6, 1.0),
        "dots of feed in which the head cools to 1/e",
        "guess: 1 ms a row, 0.5 ms to cool",
    )
    spread: float = _of("bleed", (0.25, 0.3, 0.45, 0.65), "dots, deviation of heat in the coating", "guess")
    drag: float = _of("bleed", (0, 0.01, 0.03, 0.06), "error of the feed", "guess: a dry roller, a hand on the paper")
    fade: float = _of(
        "age", (0, 0.15, 0.4, 0.6), "share of the density lost", "guess: a year; makers promise 5 to 10 in the dark"
    )
    fog: float = _of(
        "age", (0, 0.03, 0.1, 0.2), "density the blank paper gains", "guess: below 70 C it does not blacken"
    )
    drops: float = _of("stains", (0, 1, 2, 4), "stains of 2 to 9 mm, on the code", "guess")
    stain: float = _of("stains", (0, 0.1, 0.2, 0.35), "density of coffee at a stain's edge", "guess")
    sweat: float = _of("stains", (0, 0.2, 0.4, 0.7), "share of the print that grease or sweat takes away", "guess")
    creases: float = _of("creases", (0, 1, 3, 6), "folds across the code", "guess: a wallet folds a strip in four")
    cracked: float = _of("creases", (0, 0.3, 0.6, 0.9), "share of the coating lost on a fold", "guess")
    crack: float = _of("creases", (0, 0.1, 0.2, 0.35), "mm, width of what is lost", "guess: 1 to 3 dots")
    scratches: float = _of("creases", (0, 1, 2, 5), "dark lines of a nail or a key: rubbing heats", "guess")
    dents: float = _of("crumple", (0, 0.3, 0.8, 1.5), "mm, height of the dents", "guess: in a pocket; balled up")
    curl: float = _of(
        "crumple", (0, 0.004, 0.01, 0.02), "1/mm, the roll's own bend", "radius 250, 100, 50 mm; a core: 10"
    )
    tilt: float = _of("pose", (0, 8, 18, 32), "degrees off the upright", "guess")
    turn: float = _of("pose", (0, 5, 15, 45), "degrees in the picture", "guess")
    small: float = _of(
        "pose", (0, 0.1, 0.25, 0.4), "share of the picture's width that the paper does not fill", "guess"
    )
    defocus: float = _of(
        "lens", (0.3, 0.6, 1.0, 1.5), "pixels, deviation of the blur", "guess: fixed focus, 20 cm away"
    )
    motion: float = _of("lens", (0, 1, 2, 4), "pixels, way of the hand", "guess: 1/30 s")
    shadow: float = _of(
        "light", (0, 0.2, 0.4, 0.65), "light lost from side to side", "guess: the telephone's own shadow"
    )
    glare: float = _of("light", (0, 0.05, 0.15, 0.35), "veil of a lamp, part of white", "guess: coated paper shines")
    noise: float = _of("light", (1, 2.5, 5, 9), "grey levels on white", "guess: a small sensor in a dim room")
    jpeg: float = _of("jpeg", (95, 85, 70, 45), "quality of the file", "guess: a messenger compresses to about 70")


PARAMETERS = dataclasses.fields(Wear)
CAUSES = tuple(dict.fromkeys(parameter.metadata["cause"] for parameter in PARAMETERS))
"""What can be wrong, in the order of the world."""


def drawn(level: str, rng: np.random.Generator, only: str | None = None, least: float = 0.0) -> Wear:
    """What is wrong with one print of a level: every cause, or `only` one, each at a strength of its own between
    `least` and 1: 0 is nothing, 1 the level's worst. KeyError for an unknown level."""
    strengths = {cause: rng.uniform(least, 1) for cause in CAUSES}
    if only is not None:
        strengths = {only: strengths[only]}
    worn = {
        parameter.name: _between(parameter, level, strengths[parameter.metadata["cause"]])
        for parameter in PARAMETERS
        if parameter.metadata["cause"] in strengths
    }
    return Wear(**worn)


def _between(parameter: dataclasses.Field[float], level: str, strength: float) -> float:
    sound = float(parameter.default)  # type: ignore[arg-type]
    return sound + strength * (float(parameter.metadata["levels"][level]) - sound)
