"""What strips of every kind share: sentences, banners, facts, heads that say what a strip is and where. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from firmware.messages import DEFAULT_LANGUAGE, sentence
from firmware.receipt.clock import Zone, local_time
from firmware.receipt.strip import Element, Line, Rule, pair, plain, wrapped
from firmware.records import Mode, Receipt
from firmware.signing.keys import DeviceClaims

TITLE_SIZE = 2
BANNER_SIZE = 4
"""Letters 12 mm high: read at arm's length; they are narrower where the word does not fit the paper."""

FACT_INDENT = 12
"""Column in which the values of the facts start."""


@dataclass(frozen=True, slots=True)
class Writer:
    """Writes for one world, paper width (characters) and language."""

    mode: Mode
    columns: int
    language: str = DEFAULT_LANGUAGE

    def say(self, key: str, **values: object) -> str:
        """The sentence `receipt.<key>`, printable."""
        return plain(sentence(f"receipt.{key}", self.language, **values))

    def lines(self, text: str, bold: bool = False, centred: bool = False) -> Iterator[Line]:
        """`text` over as many lines as it takes."""
        return (Line(line, bold=bold, centred=centred) for line in wrapped(text, self.columns))

    def paragraph(self, key: str, **values: object) -> Iterator[Line]:
        """The sentence `receipt.<key>`, centred."""
        return self.lines(self.say(key, **values), centred=True)

    def banner(self) -> Iterator[Line]:
        """White on black over the whole width, unless the election is real."""
        if self.mode is Mode.REAL:
            return
        word = self.say(f"banner-{self.mode}")
        yield self.bar(word, min(BANNER_SIZE, self.columns // len(word)), BANNER_SIZE)
        yield self.bar(self.say("banner-not-a-result"))

    def bar(self, text: str, width: int = 1, height: int = 1) -> Line:
        """`text` white on black over the whole width of the paper, in letters of `width` x `height`."""
        return Line(f"{text:^{self.columns // width}}", bold=True, width=width, height=height, inverse=True)

    def head(self, title: str, receipt: Receipt) -> Iterator[Element]:
        """What this strip is and is not, and which of how many."""
        words = wrapped(self.say(title), self.columns // TITLE_SIZE)
        yield from (Line(text, bold=True, width=TITLE_SIZE, height=TITLE_SIZE, centred=True) for text in words)
        yield from self.lines(self.say("not-the-form"), bold=True, centred=True)
        yield Line(self.say("copy", copy=receipt.copy, copies=receipt.copies), centred=True)
        if receipt.reprint:
            yield self.bar(self.say("reprint"), TITLE_SIZE, TITLE_SIZE)

    def polling_station(self, tps: str, place: str) -> Iterator[Element]:
        """The TPS, large, and where it is."""
        yield Rule(double=True)
        yield Line(f"TPS {tps[10:]}", bold=True, width=TITLE_SIZE, height=TITLE_SIZE)
        yield from self.lines(place)
        code = f"{tps[:2]}.{tps[2:4]}.{tps[4:6]}.{tps[6:10]}.{tps[10:]}"
        yield from self.lines(self.say("tps-code", code=code))
        yield Rule()

    def fact(self, key: str, value: str, **values: object) -> Iterator[Line]:
        """`value` behind its name `receipt.fact-<key>`."""
        return map(Line, pair(self.say(f"fact-{key}", **values), value, self.columns, FACT_INDENT))

    def time(self, unix: int, clock: str, zone: Zone) -> Iterator[Line]:
        """When, and how good the clock is (`receipt.clock-<clock>`)."""
        yield from self.fact("time", local_time(unix, zone))
        yield from self.fact("clock", self.say(f"clock-{clock}"))

    def key(self, device: DeviceClaims | None) -> Iterator[Line]:
        """The device's serial and how its key is kept; without its certificate, that this is not known."""
        if device is not None:
            yield from self.fact("serial", device.serial)
        world = f" ({self.say(f'banner-{device.world}')})" if device and device.world is not Mode.REAL else ""
        yield from self.fact("key", self.say(f"key-{device.protection if device else 'unknown'}") + world)


def unix_time(at: datetime) -> int:
    """Whole seconds of an aware time; raises ValueError for one without a zone."""
    if at.tzinfo is None:
        raise ValueError("a time without a zone")
    return int(at.astimezone(UTC).timestamp())
