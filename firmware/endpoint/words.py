"""The screen's language: Indonesian unless this browser session was switched; and how numbers and labels read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import structlog
from flask import session

from firmware.day.day import Checked, Moment
from firmware.day.findings import found
from firmware.messages import DEFAULT_LANGUAGE, LANGUAGES, sentence
from firmware.panel.view import FieldView, LiveView, Notice
from firmware.receipt.clock import local_time, zone_of

_log = structlog.get_logger(__name__)

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


def megabytes(count: int) -> str:
    """A number of bytes for people: 8,4 MB in Indonesian, 8.4 MB in English."""
    text = f"{count / 1e6:.1f} MB"
    return text.replace(".", ",") if language() == DEFAULT_LANGUAGE else text


def noticed(notice: Notice) -> str:
    """The station's word. What has no sentence is told as a mistake of the program, which it is: a screen that tells of
    a fault must not fail for want of words."""
    try:
        return say(notice.key, **notice.values)
    except KeyError:
        _log.warning("screen.no-sentence", key=notice.key)
        return say("error.internal")


def finding(check: Checked, tps: str) -> str:
    """What the kiosk found about one of its parts."""
    return found(check, tps, language())


def moment(at: Moment, tps: str) -> str:
    """Day and time where the kiosk stands."""
    return local_time(at.unix, zone_of(tps))


def number(value: int | None) -> str:
    """A field's value for people."""
    return NOTHING_WRITTEN if value is None else str(value)


def as_read(field: FieldView) -> str:
    """The cells as the machine saw them, an empty box visible as one."""
    return field.text.replace(" ", "·")


def points(live: LiveView) -> str:
    """The sheet's outline in pixels of the live picture, as SVG writes polygons."""
    return " ".join(f"{x * live.width:.0f},{y * live.height:.0f}" for x, y in live.outline)
