"""What a worn strip's code is worth to a witness with a telephone; the whole measurement is tests/bench/codes.py."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from firmware.forms.loader import shipped_layouts
from firmware.receipt.layout import compose
from tests.bench.codes import try_out, with_code
from tests.bench.decoders import kiosk
from tests.simulators.thermal.used import Fate, Print, printed, seen, used
from tests.simulators.thermal.wear import CAUSES, CLEAN, LEVELS, PARAMETERS
from tests.strips import PLACE, PPWP_2024, stored

Floats = NDArray[np.float32]
FORM = shipped_layouts()["c.hasil-ppwp-2024"]
PROFILES = {576: "TM-T20II", 384: "POS-5890"}
"""One that draws the code itself, one that is sent a picture."""
SAMPLE = 6
"""Prints of each paper: the bench tries a hundred times as many."""
CLEAN_NOISE = 1.5
"""Grey levels by which two pictures of an unused strip differ: the sensor's."""


@pytest.fixture(scope="module")
def strips() -> dict[int, Print]:
    record = stored(FORM, PPWP_2024)
    return {
        width: printed(compose(record, FORM, PLACE, 1, 5, False, width), profile) for width, profile in PROFILES.items()
    }


@pytest.mark.parametrize("width", PROFILES)
def test_a_strip_from_a_wallet_does_not_decode(strips: dict[int, Print], width: int) -> None:
    (result,) = try_out("medium", [strips[width]], Fate("medium"), SAMPLE, {"kiosk": kiosk})
    assert result.decoded >= SAMPLE - 1, result
    assert result.wrong == 0


def test_paper_at_its_worst_still_decodes_as_if_nothing_had_happened(strips: dict[int, Print]) -> None:
    """A simulator that spoils nothing would measure nothing."""
    fates = [Fate("mild"), Fate("hard", least=1)]
    results = [try_out(fate.level, [strips[384]], fate, 3, {"kiosk": kiosk})[0] for fate in fates]
    assert [result.decoded for result in results] == [3, 0]
    assert [result.wrong for result in results] == [0, 0]


@pytest.fixture(scope="module")
def sound(strips: dict[int, Print]) -> Floats:
    return _picture(strips[384], Fate(CLEAN))


@pytest.mark.parametrize("cause", CAUSES)
def test_a_cause_leaves_no_trace(strips: dict[int, Print], sound: Floats, cause: str) -> None:
    spoiled = _picture(strips[384], Fate("hard", cause, 1))
    assert float(np.abs(sound - spoiled).mean()) > CLEAN_NOISE, cause


def _picture(strip: Print, fate: Fate, seed: int = 3) -> Floats:
    data = seen(strip, used(strip, fate, seed), fate, seed)
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE)
    assert picture is not None
    return np.asarray(picture, np.float32)


def test_the_same_seed_gives_another_strip(strips: dict[int, Print]) -> None:
    fate = Fate("hard")
    first, again, other = (seen(strips[384], used(strips[384], fate, seed), fate, seed) for seed in (1, 1, 2))
    assert first == again != other


def test_a_level_is_milder_than_the_one_before_it() -> None:
    for parameter in PARAMETERS:
        steps = np.diff([parameter.metadata["levels"][level] for level in (CLEAN, *LEVELS)])
        assert (steps >= 0).all() or (steps <= 0).all(), parameter.name
        assert steps[-1] != 0 and parameter.metadata["unit"] and parameter.metadata["reason"], parameter.name


def test_a_code_as_large_as_the_paper_loses_its_quiet_zone() -> None:
    layout = compose(stored(FORM, PPWP_2024), FORM, PLACE, 1, 5, False, 384)
    assert with_code(layout, "q", 5) is not None
    assert with_code(layout, "h", 6) is None
