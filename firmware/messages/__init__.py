"""Every sentence a person reads: gettext catalogues, Indonesian first, English second.

A sentence is asked for by its key, `<domain>.<name>`: the domain is the catalogue
(`<language>/LC_MESSAGES/<domain>.po`), the whole key is the msgid. No sentence stands in code.
`make messages` compiles the catalogues; a test fails when a compiled one is stale or a language lacks a key.
"""

from __future__ import annotations

import gettext
from functools import cache
from pathlib import Path
from typing import Any

LANGUAGES = ("id", "en")
DEFAULT_LANGUAGE = "id"

_FOLDER = Path(__file__).parent


@cache
def _catalogue(domain: str, language: str) -> gettext.NullTranslations:
    return gettext.translation(domain, localedir=_FOLDER, languages=[language])


def sentence(key: str, language: str = DEFAULT_LANGUAGE, **values: Any) -> str:
    """The sentence for `key`, filled in with `values` (str.format). Raises KeyError for a key without a sentence."""
    domain, _, _name = key.partition(".")
    text = _catalogue(domain, language).gettext(key)
    if text == key:
        raise KeyError(f"no sentence for {key!r} in {language!r}")
    return text.format(**values)


def both(key: str, **values: Any) -> str:
    """Indonesian and English, for the terminal and for refusals that anybody may read."""
    return " / ".join(sentence(key, language, **values) for language in LANGUAGES)


def templates(domain: str, language: str) -> dict[str, str]:
    """All sentences of a domain by name, not filled in: for a page that fills them in itself."""
    catalogue: dict[str, str] = vars(_catalogue(domain, language))["_catalog"]
    return {key.removeprefix(f"{domain}."): text for key, text in catalogue.items() if key}
