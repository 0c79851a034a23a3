"""The model card's tables of whole forms."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.evaluation import card, report


def test_the_card_keeps_what_stands_around_its_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "card_section", lambda folder: f"of {folder}\n")
    old = f"before {card.BEGIN}\nold {card.END} after"
    once = card.filled(old, [Path("one"), Path("two")])
    assert once == f"before {card.BEGIN}\n\nof one\n\nof two\n\n{card.END} after"
    assert card.filled(once, [Path("one"), Path("two")]) == once


def test_the_card_has_no_place_for_its_tables() -> None:
    with pytest.raises(ValueError, match="no place"):
        card.filled("a card", [])
