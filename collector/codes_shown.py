"""Receipt codes as the page of a TPS shows them: apart from the records, with how they stand to them. No HTML here."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from collector.night import Night
from collector.receipts import Code, Judged, ReceiptStore, Standing, judge
from collector.shown import field_labels
from firmware.signing.trust import TrustRoots


@dataclass(frozen=True, slots=True)
class ShownCode:
    """One code; numbers are shown as those of a code and never beside a picture."""

    sha256: str
    tps: str
    judged: Judged
    device: str
    sequence: int
    sealed_at: int
    numbers: Sequence[tuple[str, int | None]]
    """Label and value in form order; None: nothing is written there."""


def codes_shown(
    kept: ReceiptStore, night: Night, tps: str, trust: TrustRoots, language: str
) -> Mapping[str, Sequence[ShownCode]]:
    """The codes of a TPS by contest, in the order in which they came."""
    found: defaultdict[str, list[ShownCode]] = defaultdict(list)
    for code in kept.of_station(tps):
        found[code.contest].append(code_shown(kept, night, code, trust, language))
    return found


def code_shown(kept: ReceiptStore, night: Night, code: Code, trust: TrustRoots, language: str) -> ShownCode:
    """One code beside what is here now."""
    _standing, reports = night.judged(code.contest, code.tps)
    standing = [Standing(report.sha256, report.supersedes, report.results) for report in reports]
    labels = field_labels(trust, code.contest, language)
    return ShownCode(
        sha256=code.sha256.hex(),
        tps=code.tps,
        judged=judge(code, kept.alarmed(code), kept.has_record(code), standing),
        device=code.device,
        sequence=code.sequence,
        sealed_at=code.sealed_at,
        numbers=[(labels[name], value) for name, value in code.results.items()],
    )
