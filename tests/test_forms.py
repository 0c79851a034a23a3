"""Form layouts and the forms drawn from them: what a reader trusts must be on the paper, and bad layouts refuse."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import zxingcpp
from click.testing import CliRunner

from firmware.cli import cli
from firmware.errors import LayoutRefused
from firmware.forms import render
from firmware.forms.layout import FormLayout, IdentityKind, Rect
from firmware.forms.loader import LAYOUTS, load_layout, shipped_layouts
from firmware.records import Gray

FORMS = sorted(path.stem for path in LAYOUTS.glob("*.toml"))
WIDTH_PIXELS = {IdentityKind.APRILTAG: 1600, IdentityKind.CODE128: 2400}
"""Wide enough for every code (2.5 pixels a bar) and border, small enough to be quick."""
DEMO = "c.hasil-dpr-demo"


def resolution(form: FormLayout) -> float:
    return WIDTH_PIXELS[form.pages[0].identity.kind] / form.width * 25.4


@pytest.fixture(
    scope="module", params=[(form, page.number) for form in FORMS for page in shipped_layouts()[form].pages]
)
def printed(request: pytest.FixtureRequest) -> tuple[FormLayout, dict[str, Any], Gray]:
    """A form, where the renderer says that things lie on one of its pages, and that page."""
    name, number = request.param
    form = shipped_layouts()[name]
    dpi = resolution(form)
    gray = cv2.cvtColor(render.render_page(form, number, dpi), cv2.COLOR_BGR2GRAY)
    return form, render.cell_pixels(form, number, dpi), gray


def cut(gray: Gray, box: list[float], outside: float = 0.0) -> Gray:
    left, top, right, bottom = box
    return gray[
        max(0, round(top - outside)) : round(bottom + outside), max(0, round(left - outside)) : round(right + outside)
    ]


def test_the_page_code_is_read_where_the_layout_says(printed: tuple[FormLayout, dict[str, Any], Gray]) -> None:
    form, where, gray = printed
    identity = form.page(where["page"]).identity
    left, top, right, bottom = where["identity"]["box"]
    if identity.kind is IdentityKind.APRILTAG:
        detector = cv2.aruco.ArucoDetector(cv2.aruco.getPredefinedDictionary(cv2.aruco.DICT_APRILTAG_36h10))
        corners, ids, _ = detector.detectMarkers(gray)
        assert ids.ravel().tolist() == [int(identity.value)]
        turned = np.roll([[left, top], [right, top], [right, bottom], [left, bottom]], -identity.quarter_turns, axis=0)
        assert np.abs(corners[0][0] - turned).max() < 2
    else:
        found = [code for code in zxingcpp.read_barcodes(gray) if code.text == identity.value]
        assert len(found) == 1
        assert str(found[0].format).endswith("Code 128")
        assert abs(found[0].position.top_left.x - left) < 4
        assert abs(found[0].position.top_right.x - right) < 4


def test_every_corner_mark_is_black_on_white(printed: tuple[FormLayout, dict[str, Any], Gray]) -> None:
    _, where, gray = printed
    assert len(where["marks"]) == 4
    for mark in where["marks"]:
        for left, top, right, bottom in mark["squares"]:
            assert cut(gray, [left, top, right, bottom], -2).max() < 60
            outward = left - 4 if mark["name"][1] == "L" else right + 3
            assert gray[round((top + bottom) / 2), round(outward)] > 200


def test_every_box_has_its_border_where_the_pixels_say(printed: tuple[FormLayout, dict[str, Any], Gray]) -> None:
    _, where, gray = printed
    assert where["cells"]
    for cell in where["cells"]:
        left, top, right, bottom = cell["box"]
        for x in (left, right):
            strip = cut(gray, [x - 3, top, x + 3, bottom], 0).min(axis=1)
            assert (strip < 150).mean() > 0.3, (cell, "upright")
        for y in (top, bottom):
            strip = cut(gray, [left, y - 3, right, y + 3], 0).min(axis=0)
            assert (strip < 150).mean() > 0.3, (cell, "level")


def test_every_bubble_is_a_ring_around_its_centre(printed: tuple[FormLayout, dict[str, Any], Gray]) -> None:
    _, where, gray = printed
    for bubble in where["bubbles"]:
        (x, y), radius = bubble["centre"], bubble["radius"]
        for angle in np.linspace(0, 2 * np.pi, 12, endpoint=False):
            spot = [x + radius * np.cos(angle), y + radius * np.sin(angle)] * 2
            assert cut(gray, spot, 2).min() < 190, bubble
        assert cut(gray, [x - radius / 2, y - radius / 2, x + radius / 2, y + radius / 2]).min() < 200, "no digit"


def test_the_same_layout_gives_the_same_bytes() -> None:
    form = shipped_layouts()[DEMO]
    pictures, documents = [], []
    for _ in range(2):
        render._pdf.cache_clear()
        documents.append(render.render_pdf(form))
        pictures.append(cv2.imencode(".png", render.render_page(form, 2, 50))[1].tobytes())
    assert documents[0] == documents[1]
    assert pictures[0] == pictures[1]


def test_a_layout_is_named_by_the_hash_of_its_file() -> None:
    for name, form in shipped_layouts().items():
        data = (LAYOUTS / f"{name}.toml").read_bytes()
        assert form.sha256 == hashlib.sha256(data).hexdigest()
        assert form.source == data


def test_the_2024_form_has_the_fields_and_boxes_of_the_paper() -> None:
    form = shipped_layouts()["c.hasil-ppwp-2024"]
    assert len(form.fields) == 28
    assert sum(len(field.cells) for field in form.fields.values()) == 84
    assert sum(len(column) for f in form.fields.values() if f.bubbles for column in f.bubbles.centres) == 90
    assert [len(page.signatures) for page in form.pages] == [10, 10, 10]
    assert form.fields["suara_2"].cells[0] == Rect(455, 336.56, 20, 20)


def test_a_new_form_is_data_only() -> None:
    form = shipped_layouts()[DEMO]
    assert [page.identity.value for page in form.pages] == ["201", "202", "203", "204", "205", "206"]
    assert [len(page.fields) for page in form.pages] == [22, 7, 7, 7, 7, 3]
    assert len([rule for rule in form.rules if rule.id == "H8"]) == 4
    code = "".join(path.read_text() for path in Path(render.__file__).parents[1].rglob("*.py"))
    assert DEMO not in code


def test_more_voters_than_the_list_has_is_never_an_alarm() -> None:
    for form in shipped_layouts().values():
        for rule in form.rules:
            compared = rule.kind != "cap" and any(name.startswith("pengguna_total") for name in rule.left)
            if compared and any(name.startswith("pemilih_") for name in rule.right):
                assert rule.warning or "2019" in form.id, rule


def test_every_form_has_the_rules_that_its_paper_prints() -> None:
    common = {"H1", "H2", "H3", "H4", "H6", "H7", "P1", "P2", "P3", "P4", "P5", "P6", "L1", "L2", "L3", "L4"}
    own = {"c.hasil-dpr-demo": {"H8", "H9"}}
    for name, form in shipped_layouts().items():
        assert {rule.id for rule in form.rules} == common | own.get(name, {"H5"})


BAD = {
    "no-toml": (b'id = "', b"id = "),
    "unknown-key": (b"page_mm =", b'colour = "red"\npage_mm ='),
    "unknown-page-key": (b"emblems = [{ box = [21, 24, 20, 20], ink = 0.3 }]", b"emblem = 1"),
    "unknown-rule-kind": (b'kind = "range"', b'kind = "near"'),
    "unknown-rule-key": (b"factor_low = 0.2", b"factor_lo = 0.2"),
    "range-without-factor": (b"factor = 1.05\n", b""),
    "unknown-limit": (b'limit = "additional"', b'limit = "extra"'),
    "rule-about-no-field": (b'left = ["suara_sah", "suara_tidak_sah"]', b'left = ["suara_sah", "suara_rusak"]'),
    "field-twice": (b'name = "surat_suara_sisa"', b'name = "surat_suara_digunakan"'),
    "page-code-twice": (b'value = "203"', b'value = "202"'),
    "boxes-overlap": (b"x = [136, 150, 164]", b"x = [136, 147, 164]"),
    "outside-the-page": (b"x = [232, 246, 260]", b"x = [232, 246, 290]"),
    "mark-missing": (b"marks.TL = [[10, 10, 7, 7]]\n", b""),
    "mark-misnamed": (b"marks.TL =", b"marks.LT ="),
    "line-twice": (b"[297, 20, 276]", b"[297, 20, 276], [297, 100, 200]"),
    "line-backwards": (b"[297, 20, 276]", b"[297, 276, 20]"),
    "unknown-stamp": (b'stamp = "tanda_tangan" }]', b'stamp = "tandatangan" }]'),
    "name-without-value": (b'set = { page = "1" }', b"set = {}"),
    "no-such-tag": (b'value = "203"', b'value = "99999"'),
    "tag-not-square": (b"box = [250, 24, 24, 24]", b"box = [250, 24, 24, 20]"),
    "one-language": (b', en = "C.Hasil DPR (example)"', b""),
    "ink-too-bright": (b"ink = 0.9 }", b"ink = 9 }"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_layout_that_could_be_misread_refuses(case: str) -> None:
    old, new = BAD[case]
    source = (LAYOUTS / f"{DEMO}.toml").read_bytes()
    assert old in source
    with pytest.raises(LayoutRefused) as refusal:
        load_layout(source.replace(old, new, 1), "mine.toml")
    assert refusal.value.code == "layout-invalid"
    assert refusal.value.details["file"] == "mine.toml"
    assert refusal.value.details["problem"]


def test_a_refusal_names_the_key() -> None:
    source = (LAYOUTS / f"{DEMO}.toml").read_bytes().replace(b"factor_low", b"factor_lo")
    with pytest.raises(LayoutRefused, match=r"factor_lo.*\$\.rule"):
        load_layout(source)


def test_a_layout_that_is_no_text_refuses() -> None:
    with pytest.raises(LayoutRefused):
        load_layout(b"\xff\xfe\x00id")


def test_form_render_writes_pdf_pictures_and_cells(tmp_path: Path) -> None:
    result = CliRunner().invoke(cli, ["form", "render", DEMO, "--out", str(tmp_path), "--dpi", "50", "--page", "2"])
    assert result.exit_code == 0, result.output
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        f"{DEMO}-cells.json",
        f"{DEMO}-p2.png",
        f"{DEMO}.pdf",
    ]
    assert (tmp_path / f"{DEMO}.pdf").read_bytes().startswith(b"%PDF-")
    described = json.loads((tmp_path / f"{DEMO}-cells.json").read_text())
    height, width, _ = cv2.imread(str(tmp_path / f"{DEMO}-p2.png")).shape
    assert [page["size"] for page in described["pages"]] == [[width, height]]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["c.hasil-nowhere"], "unknown-form"),
        ([DEMO, "--page", "7"], "form-page-unknown"),
        ([DEMO, "--dpi", "5000"], "form-too-large"),
    ],
)
def test_form_render_refuses_with_a_code_and_writes_nothing(arguments: list[str], code: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    result = CliRunner().invoke(cli, ["form", "render", *arguments, "--out", str(out)])
    assert isinstance(result.exception, LayoutRefused)
    assert result.exception.code == code
    assert not out.exists()
    if code == "unknown-form":
        assert DEMO in result.exception.details["known"]
