"""The limits a count must keep (L1..L4), with their units and reasons.

A layout brings the limits of its form (`FormLayout.limits`); the election definition knows better for one TPS.
"""

from __future__ import annotations

from collections.abc import Mapping

from firmware.forms.layout import FormLayout

MAX_VALUE = 999
"""Votes. L4: three boxes to a number; no TPS has ever had 1,000 voters (at most 300 in 2024, 800 by law)."""


def effective(layout: FormLayout, limits: Mapping[str, int] | None = None) -> dict[str, int]:
    """The limits that hold: those of the form, replaced by those of the election definition where it has them."""
    return {**layout.limits, **(limits or {})}
