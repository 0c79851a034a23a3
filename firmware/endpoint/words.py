"""The screen's language: Indonesian unless this browser session was switched; and how numbers and labels read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import session

from firmware.messages import DEFAULT_LANGUAGE, LANGUAGES, sentence
from firmware.panel.view import FieldView, LiveView

NOTHING_WRITTEN = "–"
"""How a field is shown in which nothing is written."""


def language() -> str:
    """The language of this browser session."""
    chosen = session.get("language", DEFAULT_LANGUAGE)
    return chosen if chosen in LANGUAGES else DEFAULT_LANGUAGE


def switch_language() -> None:
    """Goes on in the other language."""
    (other,) = (entry for entry in LANGUAGES if entry != language())
    session["language"] = other


def say(key: str, **values: Any) -> str:
    """The sentence of any catalogue in this session's language."""
    return sentence(key, language(), **values)


def screen(name: str, **values: Any) -> str:
    """A sentence of the screen's own catalogue."""
    return say(f"screen.{name}", **values)


def local(texts: Mapping[str, str]) -> str:
    """A label or title in this session's language."""
    return texts.get(language(), texts[DEFAULT_LANGUAGE])


def number(value: int | None) -> str:
    """A field's value for people."""
    return NOTHING_WRITTEN if value is None else str(value)


def as_read(field: FieldView) -> str:
    """The cells as the machine saw them, an empty box visible as one."""
    return field.text.replace(" ", "·")


def points(live: LiveView) -> str:
    """The sheet's outline in pixels of the live picture, as SVG writes polygons."""
    return " ".join(f"{x * live.width:.0f},{y * live.height:.0f}" for x, y in live.outline)
