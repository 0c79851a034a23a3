"""What a reader of many scripts means when it writes no digit: 日 is a square 8, 口 a square 0, 己 a square 2.

The table is learned from the reader's own answers on the training block, never from the boxes it is measured on.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

from firmware.records import DIGITS, PADDING

USABLE = (*DIGITS, *PADDING)
"""Labels that say what a cell means; 'unclear' does not."""

LEAST_SEEN = 2
"""Times a text must have stood for its label: once is chance."""

LEAST_SHARE = 0.5
"""Part of a text's cells that must have this label, more than: the reader answers as much as it can."""


def learn(answers: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Text to label, from (text, true label) pairs. Digits stand for themselves, an empty text for nothing."""
    seen: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for text, label in answers:
        if text and text not in DIGITS:
            seen[text][label] += 1
    table = {}
    for text, labels in seen.items():
        label, count = labels.most_common(1)[0]
        if label in USABLE and count >= LEAST_SEEN and count > LEAST_SHARE * labels.total():
            table[text] = label
    return table


def label_of(text: str, table: Mapping[str, str]) -> str | None:
    """The label that a text stands for; None when it answers nothing that a form can say."""
    return text if text in USABLE else table.get(text)
