"""The real C1 2019 forms, which the model never saw: the figures that the kiosk stands or falls with."""

from __future__ import annotations

import pytest

from tests.evaluation import datasets, runner
from tests.evaluation.metrics import FormFigures, form_figures

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(not datasets.available(), reason="no real forms here; set C1KIOSK_DATA"),
]

LEAST_READ = 0.75
"""Share of fields that must be read without asking a person; a little below what is measured. The aim is 0.95."""


def figures(data_set: str) -> FormFigures:
    return form_figures([runner.see(task, None) for task in datasets.real_tasks() if task.data_set == data_set])


def test_a_wrong_number_passes_without_a_question() -> None:
    found = figures(datasets.C1_2019)
    assert (found.pages_refused.count, found.pages_refused.of) == (0, 36)
    assert found.silent_errors == ()
    assert found.read.share >= LEAST_READ


def test_a_form_is_photographed_from_a_monitor() -> None:
    """Its votes do not add up, and one box holds a mouse pointer: everything is legible and something is asked."""
    found = figures(datasets.MONITOR)
    assert found.pages_refused.count == 0
    assert found.fields_right.share == 1.0
    assert found.silent_errors == ()
    assert found.rules["H5"].alarms == found.rules["H5"].broken == 1
