"""Whatever is handed in as evidence is believed or refused with a code: nothing else is ever raised."""

from __future__ import annotations

import io
import os

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from firmware.errors import Refused
from firmware.signing.audit import check_journal
from firmware.signing.bundle import examine_bundle
from firmware.signing.evidence import compare, examine
from firmware.signing.trust import TrustRoots
from tests.vectors import parts

EXAMPLES = int(os.environ.get("C1KIOSK_FUZZ_EXAMPLES", "150"))
"""Of each test; an hour of a core is about a million."""
TRUST = TrustRoots.load(parts.FOLDER / "trust")
MESSAGES = [path.read_bytes() for path in sorted((parts.FOLDER / "valid").iterdir()) if path.suffix != ".tar"]
BUNDLE = (parts.FOLDER / "valid" / "bundle.tar").read_bytes()
FOLDER = {path.name: path.read_bytes() for path in sorted((parts.FOLDER / "trust").iterdir()) if path.is_file()}
LAYOUTS = {"vector-form.toml": parts.layout().source}

quick = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@st.composite
def spoiled(draw: st.DrawFn, pieces: list[bytes]) -> bytes:
    """A good file of which some stretches are replaced, left out, doubled, or taken from another file."""
    data = draw(st.sampled_from(pieces))
    for _ in range(draw(st.integers(1, 4))):
        begin = draw(st.integers(0, len(data)))
        end = draw(st.integers(begin, min(len(data), begin + 64)))
        other = draw(st.sampled_from(pieces))
        at = draw(st.integers(0, len(other)))
        stretch = draw(st.one_of(st.binary(max_size=16), st.just(b""), st.just(other[at : at + 64])))
        data = data[:begin] + stretch + data[end:]
    return data


@quick
@given(st.one_of(st.binary(max_size=400), spoiled(MESSAGES)))
def test_a_file_crashes_the_verifier(data: bytes) -> None:
    examine("x", data, TRUST)


@quick
@given(spoiled([BUNDLE, *MESSAGES]))
def test_a_bundle_crashes_the_verifier(data: bytes) -> None:
    findings = examine_bundle("x", io.BytesIO(data), TRUST)
    compare(findings)
    if data != BUNDLE:
        assert any(finding.refusal for finding in findings)


@quick
@given(st.one_of(st.binary(max_size=200), spoiled([parts.JOURNAL * 3])))
def test_a_journal_crashes_the_verifier(data: bytes) -> None:
    try:
        check_journal(data)
    except Refused:
        return


@quick
@given(st.sampled_from(sorted(FOLDER)), st.data())
def test_a_trust_folder_crashes_the_verifier(name: str, drawn: st.DataObject) -> None:
    content = drawn.draw(spoiled([FOLDER[name]]))
    try:
        TrustRoots.of_files(FOLDER | {name: content}, LAYOUTS)
    except Refused:
        return
