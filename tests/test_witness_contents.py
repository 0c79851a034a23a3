"""What goes into a witness's page: nothing lost, nothing that ends the page early, refusals that say why."""

from __future__ import annotations

import base64
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from firmware.errors import VerificationRefused
from firmware.messages import templates
from firmware.records import Mode
from firmware.signing.certificates import issue, subject
from firmware.signing.keys import DeviceClaims, Protection, claims_extension
from firmware.signing.trust import TrustRoots
from firmware.signing.witness import command, contents
from tests.vectors import parts

TRUST = parts.FOLDER / "trust"
WEB = Path(contents.__file__).parent / "web"


def devices(count: int) -> list[x509.Certificate]:
    """Certificates as provisioning makes them: random numbers, serials of several lengths."""
    public_key = ec.generate_private_key(ec.SECP256R1()).public_key()
    found = []
    for index in range(count):
        serial = f"KIOS-{7**index % 99_991}"
        claims = claims_extension(DeviceClaims(Mode.DEVELOPMENT, serial, Protection.TPM))
        name = subject(f"kiosk {serial}", parts.ORGANISATION, serial)
        found.append(issue(name, public_key, parts.ISSUING, parts.MADE, extensions=[claims]))
    return found


def unpacked(groups: list[dict[str, Any]]) -> set[bytes]:
    found: set[bytes] = set()
    for group in groups:
        first, rows = base64.b64decode(group["first"]), base64.b64decode(group["rows"])
        found.add(first)
        while rows:
            certificate = bytearray(first)
            for start, length in group["runs"]:
                certificate[start : start + length], rows = rows[:length], rows[length:]
            found.add(bytes(certificate))
    return found


def test_a_certificate_is_lost_in_packing() -> None:
    certificates = devices(60)
    whole = {certificate.public_bytes(Encoding.DER) for certificate in certificates}
    assert unpacked(contents.pack(certificates)) == whole
    assert contents.pack(certificates) == contents.pack(reversed(certificates))


def test_the_template_was_not_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "TEMPLATE", tmp_path / "page.html")
    out = tmp_path / "saksi.html"
    arguments = ["--trust", str(TRUST), "--out", str(out)]
    refusal = CliRunner().invoke(command.witness_page_command, arguments).exception
    assert isinstance(refusal, VerificationRefused)
    assert refusal.code == "witness-template"
    assert not out.exists()


@pytest.mark.parametrize("template", ["", "__TITLE__ __NOSCRIPT__", "__TITLE__ __NOSCRIPT__ __CONTENTS__ __CONTENTS__"])
def test_the_template_is_of_another_version(template: str) -> None:
    with pytest.raises(VerificationRefused, match="witness-template"):
        command.fill(template, {})


def test_a_name_ends_the_page() -> None:
    page = command.fill("__TITLE__ __NOSCRIPT__ __CONTENTS__", {"name": "</script><!-- __CONTENTS__"})
    assert "<" not in page.split(" ")[-2]
    assert "</script" not in page


def test_a_page_for_the_whole_country(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contents, "MAX_DEVICES", 3)
    trust = TrustRoots.load(TRUST)
    with pytest.raises(VerificationRefused, match="witness-devices"):
        contents.contents_of(trust, None)


def test_places_are_left_out_where_there_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    trust = TrustRoots.load(TRUST)
    assert contents.contents_of(trust, None)["stations"] == {parts.TPS: "Kelurahan Contoh, TPS 7"}
    monkeypatch.setattr(contents, "MAX_PLACES", 0)
    assert contents.contents_of(trust, None)["stations"] == {parts.TPS: ""}


def test_the_page_has_no_sentence_for_what_it_says() -> None:
    sources = [path.read_text(encoding="utf-8") for path in (*WEB.glob("src/*.ts"), WEB / "page.html")]
    said = {key for text in sources for key in re.findall(r"""(?:say\(|data-say=)["']([a-z-]+)["']""", text)}
    assert len(said) > 30
    assert said <= set(templates("witness", "id"))
