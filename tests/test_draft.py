"""What must not become a draft: numbers without pictures, other forms, measurements that are none."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from firmware.errors import Refused
from firmware.records import (
    Check,
    Confirmation,
    ConfirmedField,
    FieldTally,
    Frame,
    Geometry,
    Mode,
    Page,
    Settled,
    Status,
)
from firmware.signing.draft import RecordContext, draft_record
from tests.vectors import parts

LAYOUT = parts.layout()
CONTEXT = RecordContext(Mode.DEVELOPMENT, hashlib.sha256(parts.election()).digest(), LAYOUT, "c1kiosk 0.1.0", bytes(32))
BROKEN = Check("H5", False, ("suara_1", "suara_2", "suara_total"), False, 148, 153, "rule.h5")
JOURNAL = hashlib.sha256(b"journal").digest()
KEPT = Check("P1", True, ("suara_total",), False, 153, 153, "rule.p1")


def page(number: int, **changes: Any) -> Page:
    data = f"picture {number}".encode()
    frame = Frame(data, hashlib.sha256(data).hexdigest(), f"p{number}.jpg", {"exposure": 0.0123456789, "iso": 100})
    geometry = Geometry(np.eye(3), ("TL", "BR"), 0.21, 0.985)
    whole = Page(LAYOUT.id, number, frame, geometry, (), (), ())
    return replace(whole, **changes)


def field(name: str, number: int, value: int | None = 20) -> ConfirmedField:
    tally = FieldTally(name, number, value, "X20", 0.9991, Status.READ, (), ())
    return ConfirmedField(name, number, value, Settled.CONFIRMED, tally)


def confirmation(**changes: Any) -> Confirmation:
    fields = {entry.id: field(entry.id, entry.page) for entry in LAYOUT.fields.values()}
    pages = (page(2), page(1))
    whole = Confirmation(LAYOUT.id, "ppwp", parts.TPS, "ketua", pages, fields, (BROKEN, KEPT))
    return replace(whole, **changes)


def refused(code: str, confirmed: Confirmation) -> None:
    with pytest.raises(Refused) as refusal:
        draft_record(confirmed, CONTEXT, JOURNAL)
    assert refusal.value.code == code


def test_a_draft_holds_what_was_confirmed() -> None:
    draft = draft_record(confirmation(), CONTEXT, JOURNAL)
    assert [entry["page"] for entry in draft["pages"]] == [1, 2]
    assert [entry["id"] for entry in draft["fields"]] == list(LAYOUT.fields)
    assert [entry["rule"] for entry in draft["failed"]] == ["H5"]
    assert draft["pages"][0]["facts"] == {"exposure": "0.0123457", "iso": 100}
    assert (draft["pages"][0]["residual_um"], draft["pages"][0]["support_ppm"]) == (210, 985_000)
    assert draft["fields"][0]["machine"]["confidence_ppm"] == 999_100
    assert draft["journal"] == JOURNAL


def test_a_page_was_not_photographed() -> None:
    refused("schema-field-without-picture", confirmation(pages=(page(2),)))


def test_one_picture_for_two_pages() -> None:
    refused("schema-picture-twice", confirmation(pages=(page(1), replace(page(1), number=2))))


def test_a_field_is_missing() -> None:
    fields = dict(confirmation().fields)
    del fields["suara_2"]
    refused("draft-incomplete", confirmation(fields=fields))


def test_a_field_is_of_no_form() -> None:
    fields = dict(confirmation().fields) | {"suara_9": field("suara_9", 2)}
    refused("draft-incomplete", confirmation(fields=fields))


def test_pages_of_another_form() -> None:
    refused("draft-other-form", confirmation(form="c1-ppwp-2019"))
    refused("draft-other-form", confirmation(contest="dpr"))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_measurement_is_not_a_number(value: float) -> None:
    broken = page(1, geometry=Geometry(np.eye(3), ("TL",), value, 0.9))
    refused("draft-not-a-number", confirmation(pages=(broken, page(2))))


def test_a_camera_tells_a_novel() -> None:
    frame = page(1).frame
    for facts in ({f"k{n}": n for n in range(33)}, {"k": "x" * 81}, {"with space": 1}):
        loud = page(1, frame=replace(frame, facts=facts))
        refused("schema", confirmation(pages=(loud, page(2))))


def test_somebody_else_confirms() -> None:
    refused("schema", confirmation(role="saksi"))


def test_a_confirmed_number_is_not_what_the_machine_read() -> None:
    fields = dict(confirmation().fields)
    fields["suara_1"] = replace(fields["suara_1"], value=21)
    refused("schema-settled", confirmation(fields=fields))
