"""The rules of the house that a machine can check."""

from __future__ import annotations

import ast
import gettext
from collections.abc import Iterator
from pathlib import Path

import pytest
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

ROOT = Path(__file__).parent.parent
CATALOGUES = ROOT / "firmware" / "messages"

VENDOR_HOME = {
    "onnxruntime": {"firmware/digit_model/classifier.py"},
    "sqlite3": {"firmware/ledger/"},
    "escpos": {"firmware/receipt/escpos_printer.py"},
    "serial": {"firmware/receipt/serial_wire.py"},
    "picamera2": {"firmware/capture/picamera2_camera.py"},
    "libcamera": {"firmware/capture/picamera2_camera.py"},
    "gpiozero": {"firmware/panel/gpiozero_panel.py"},
    "lgpio": {"firmware/panel/gpiozero_panel.py"},
    "tpm2_pytss": {"firmware/signing/tpm_key.py"},
    "openpyxl": {"provisioning/tables/openpyxl_sheets.py"},
    "pkcs11": {"provisioning/authority/pkcs11_key.py"},
    "segno": {"firmware/receipt/qr.py"},
    "base45": {"firmware/signing/receipt_code.py"},
    "cbor2": {"firmware/signing/encoding.py"},
    "reportlab": {"firmware/forms/"},
    "pypdfium2": {"firmware/forms/"},
    "zxingcpp": {"firmware/capture/barcode.py", "firmware/signing/receipt_picture.py"},
    "sqlalchemy": {"collector/"},
    "alembic": {"collector/migrate.py", "collector/migrations/"},
    "cheroot": {"firmware/endpoint/cheroot_server.py"},
    "httpcore": {"firmware/uplink/"},
    "obstore": {"collector/s3_pictures.py"},
    "sdnotify": {"firmware/heartbeat.py"},
    "nats": {"collector/nats_queue.py"},
    "waitress": {"firmware/http.py", "collector/main.py"},
}
"""One vendor library, one file: where each may be imported in what runs on a kiosk or collector."""

PEER_HOME = {
    "ddddocr": "tests/peers/ddddocr_engine.py",
    "rapidocr": "tests/peers/rapidocr_engine.py",
    "tesserocr": "tests/peers/tesserocr_engine.py",
}
"""Readers that ours is compared with, and the one file that knows each."""


def _sources(*folders: str) -> Iterator[Path]:
    for folder in folders:
        yield from sorted((ROOT / folder).rglob("*.py"))


def _imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found.add(node.module.split(".")[0])
    return found


@pytest.mark.parametrize("library", sorted(VENDOR_HOME))
def test_a_vendor_library_is_imported_outside_its_file(library: str) -> None:
    sources = _sources("firmware", "collector", "provisioning")
    users = {str(path.relative_to(ROOT)) for path in sources if library in _imports(path)}
    strangers = {user for user in users if not any(user.startswith(home) for home in VENDOR_HOME[library])}
    assert not strangers


@pytest.mark.parametrize("library", sorted(PEER_HOME))
def test_another_reader_is_imported_outside_its_bench(library: str) -> None:
    everything = _sources("firmware", "collector", "provisioning", "models", "tests")
    users = {str(path.relative_to(ROOT)) for path in everything if library in _imports(path)}
    assert users == {PEER_HOME[library]}


def test_the_kiosk_imports_its_own_simulators() -> None:
    """No configuration can turn a kiosk into a mock: only the demo command's name is known, in cli.py."""
    users = {str(path.relative_to(ROOT)) for path in _sources("firmware", "collector") if "tests" in _imports(path)}
    assert not users


def _catalogues(language: str) -> dict[str, Path]:
    return {path.stem: path for path in (CATALOGUES / language / "LC_MESSAGES").glob("*.po")}


def test_a_sentence_exists_in_one_language_only() -> None:
    indonesian, english = _catalogues("id"), _catalogues("en")
    assert set(indonesian) == set(english)
    for domain, path in indonesian.items():
        keys = {language: {m.id: m for m in read_po(file.open("rb")) if m.id} for language, file in
                (("id", path), ("en", english[domain]))}  # fmt: skip
        assert set(keys["id"]) == set(keys["en"]), domain
        for key, message in keys["id"].items():
            assert message.string and keys["en"][key].string, key
            assert key.startswith(domain + "."), key


def _sentences(catalogue: gettext.GNUTranslations) -> dict[str, str]:
    """Without the header, which holds the minute in which it was compiled."""
    return {key: text for key, text in vars(catalogue)["_catalog"].items() if key}


def test_a_compiled_catalogue_is_stale(tmp_path: Path) -> None:
    for language in ("id", "en"):
        for domain, path in _catalogues(language).items():
            fresh = tmp_path / f"{language}-{domain}.mo"
            with path.open("rb") as source, fresh.open("wb") as target:
                write_mo(target, read_po(source))
            with fresh.open("rb") as a, path.with_suffix(".mo").open("rb") as b:
                want, have = gettext.GNUTranslations(a), gettext.GNUTranslations(b)
            assert _sentences(want) == _sentences(have), f"{language}/{domain}: run make messages"
