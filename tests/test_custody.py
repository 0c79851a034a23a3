"""Devices change hands: who may say so, what is found when somebody lies, and what the KPPS sees of it."""

from __future__ import annotations

import csv
import io
import json
import random
from dataclasses import replace as with_changes
from pathlib import Path
from typing import Any

import cbor2
import msgspec
import pycddl
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from msgspec.structs import replace

from firmware.day import custody as seen
from firmware.day.findings import found
from firmware.errors import Refused
from firmware.messages import sentence
from firmware.records import Mode
from firmware.signing import cose, custody_folder, handover
from firmware.signing.custody import NEXT, SERIOUS, Oddity, check_chain
from firmware.signing.definition import Revocation
from firmware.signing.encoding import decode
from firmware.signing.evidence import examine
from firmware.signing.handover import Party, give, open_event, take
from firmware.signing.key_file import FileKey
from firmware.signing.keys import key_id
from firmware.signing.label import Label
from firmware.signing.officers import OfficerTrust, Role
from firmware.signing.trust import TrustRoots
from provisioning import custody_export
from tests.custodies import AFTER_ALL, BACK, HOUR, LABEL, UNIX, WAY, People, officer_kid
from tests.vectors import parts

CDDL = (Path(cose.__file__).parent / "record.cddl").read_text(encoding="utf-8")
KPPS_WITHOUT_KEY = Party("Budi", "kpps", None)


@pytest.fixture(scope="module")
def people() -> People:
    return People.make()


def refused(people: People, events: list[bytes], label: Label = LABEL) -> str:
    with pytest.raises(Refused) as refusal:
        people.check(events, label)
    return refusal.value.code


# --- the chain --------------------------------------------------------------------------------------------------------


def test_a_device_goes_to_the_polling_station_and_back(people: People) -> None:
    events = people.chain(*WAY, *BACK)
    random.Random(1).shuffle(events)
    custody = people.check([*events, events[0]])
    assert [event.said.number for event in custody.events] == list(range(1, 8))
    assert custody.findings == ()
    assert custody.holder is not None
    assert (custody.holder.role, custody.seal) == ("warehouse", "S-0001")


def test_a_device_was_never_handed_over(people: People) -> None:
    custody = people.check([])
    assert (custody.holder, custody.seal, custody.events) == (None, None, ())


def test_a_hand_over_is_kept_back(people: People) -> None:
    events = people.chain(*WAY)
    for index in range(len(events) - 1):
        assert refused(people, events[:index] + events[index + 1 :]) == "custody-gap"


def test_a_hand_over_is_written_again_with_other_people(people: People) -> None:
    events = people.chain(*WAY)
    first = open_event(events[0], people.trust).said
    other = people.sign(replace(first, place="Rumah"))
    assert refused(people, [*events, other]) == "custody-fork"
    assert refused(people, [other, *events[1:]]) == "custody-previous"


def test_a_hand_over_of_another_device(people: People) -> None:
    events = people.chain(*WAY)
    assert refused(people, events, Label("C1-0002", LABEL.kid)) == "custody-device"
    assert refused(people, events, Label(LABEL.serial, bytes(8))) == "custody-device"


def test_a_hand_over_before_the_one_before_it(people: People) -> None:
    assert refused(people, people.chain(*WAY, unix=UNIX + HOUR)) == "custody-time"


def test_a_receiver_who_signs_before_the_giver(people: People) -> None:
    said = people.said([], *WAY[0])
    event = take(give(said, people.officer(Role.TECHNICIAN)), said.unix - 1, people.officer(Role.WAREHOUSE))
    assert refused(people, [event]) == "custody-time"


@pytest.mark.parametrize("giver", list(Role))
@pytest.mark.parametrize("receiver", list(Role))
def test_a_device_jumps(people: People, giver: Role, receiver: Role) -> None:
    way = {Role.TECHNICIAN: [], Role.WAREHOUSE: WAY[:1], Role.PPK: WAY[:2], Role.PPS: WAY[:3], Role.KPPS: WAY}[giver]
    events = people.chain(*way)
    events.append(people.sign(people.said(events, giver, receiver)))
    if receiver in NEXT[giver]:
        assert people.check(events).holder == people.party(receiver)
    else:
        assert refused(people, events) == "custody-roles"


def test_somebody_gives_what_another_has(people: People) -> None:
    events = people.chain(*WAY[:2])
    assert refused(people, [*events, people.sign(people.said(events, Role.PPS, Role.KPPS))]) == "custody-roles"


def test_a_chain_begins_in_the_middle(people: People) -> None:
    assert refused(people, people.chain((Role.PPS, Role.KPPS))) == "custody-roles"


# --- signatures -------------------------------------------------------------------------------------------------------


def test_the_receiver_never_signed(people: People) -> None:
    said = people.said([], *WAY[0])
    assert refused(people, [give(said, people.officer(Role.TECHNICIAN))]) == "custody-signers"


def test_somebody_else_signs_for_the_receiver(people: People) -> None:
    said = people.said([], *WAY[0])
    event = take(give(said, people.officer(Role.TECHNICIAN)), said.unix, people.officer(Role.KPPS))
    assert refused(people, [event]) == "custody-signers"


def test_a_party_bears_another_name_than_its_certificate(people: People) -> None:
    said = people.said([], *WAY[0])
    assert refused(people, [people.sign(replace(said, giver=replace(said.giver, name="Budi")))]) == "custody-signers"


def test_one_signature_says_why(people: People) -> None:
    events = people.chain(*WAY[:3])
    said = people.said(events, Role.PPS, Role.KPPS, receiver=KPPS_WITHOUT_KEY)
    assert refused(people, [*events, people.sign(said)]) == "custody-alone"
    told = people.sign(replace(said, alone="Ketua KPPS tidak memiliki kunci"))
    assert [finding.oddity for finding in people.check([*events, told]).findings] == [Oddity.ONE_SIGNATURE]
    back = people.said([*events, told], Role.KPPS, Role.PPS, giver=KPPS_WITHOUT_KEY, alone="sama")
    assert people.check([*events, told, people.sign(back)]).holder == people.party(Role.PPS), "the receiver signs"


def test_two_signatures_and_a_reason_for_one(people: People) -> None:
    assert refused(people, people.chain(WAY[0], alone="x")) == "custody-alone"


def test_a_word_is_changed_after_it_was_signed(people: People) -> None:
    (event,) = people.chain(WAY[0])
    for at in range(0, len(event), 7):
        changed = bytearray(event)
        changed[at] ^= 1
        with pytest.raises(Refused):
            people.check([bytes(changed)])


def test_an_officer_is_not_in_office(people: People) -> None:
    assert refused(people, people.chain(WAY[0], unix=AFTER_ALL)) == "officer-validity"
    events = people.chain(*WAY)
    kid = officer_kid(people.officer(Role.PPS))
    third = open_event(events[2], people.trust)
    for since, code in ((third.taken, "officer-revoked"), (third.taken + 9 * HOUR, None)):
        trust = with_changes(people.trust, revoked={kid: Revocation(kid.hex(), since, "dismissed")})
        if code:
            with pytest.raises(Refused, match=code):
                handover.open_event(events[2], trust)
        else:
            handover.open_event(events[2], trust)


def test_an_officer_of_nobody(people: People) -> None:
    stranger = People.make()
    assert refused(people, stranger.chain(WAY[0])) == "certificate-issuer"
    copied = FileKey(ec.generate_private_key(ec.SECP256R1()), people.officer(Role.TECHNICIAN).certificate)
    said = people.said([], *WAY[0])
    event = take(give(said, copied), said.unix, people.officer(Role.WAREHOUSE))
    assert refused(people, [event]) == "cose-signature"


def test_a_message_of_another_kind_is_a_hand_over(people: People) -> None:
    said = msgspec.to_builtins(people.said([], *WAY[0]), builtin_types=(bytes,))
    from firmware.signing.officers import sign_as_officer

    other = sign_as_officer(said, cose.MessageType.ASSIGNMENT, people.officer(Role.TECHNICIAN))
    assert refused(people, [other]) == "cose-type"
    assert refused(people, [bytes(20_000)]) == "cbor-too-large"
    assert refused(people, [b""]) == "cbor-truncated"


@pytest.mark.parametrize(
    "change",
    [
        {"seal": ""}, {"seal": "=1"}, {"place": "a\nb"}, {"place": ""}, {"at": [0]}, {"at": [91_000_000, 0]},
        {"number": 0}, {"seal_state": "fine"}, {"more": 1}, {"condition": "x" * 281}, {"kid": b"x"},
    ],
)  # fmt: skip
def test_a_hand_over_out_of_shape(people: People, change: dict[str, Any]) -> None:
    from firmware.signing.officers import sign_as_officer

    said = msgspec.to_builtins(people.said([], *WAY[0]), builtin_types=(bytes,)) | change
    event = sign_as_officer(said, cose.MessageType.HANDOVER, people.officer(Role.TECHNICIAN))
    assert refused(people, [take(event, UNIX, people.officer(Role.WAREHOUSE))]) == "schema"


def test_an_independent_validator_disagrees(people: People) -> None:
    def schema(rule: str) -> pycddl.Schema:
        return pycddl.Schema(f"start = {rule}\n{CDDL}")

    for event in people.chain(*WAY, at=None, resealed="S-0002", condition="Kotak penyok"):
        payload = cose.parse(event).payload
        schema("take-over").validate_cbor(payload)
        inner = cose.parse(decode(payload)["handover"]).payload
        schema("hand-over").validate_cbor(inner)
        with pytest.raises(pycddl.ValidationError):
            schema("hand-over").validate_cbor(cbor2.dumps(decode(inner) | {"number": 0}))


def test_anybody_verifies_a_hand_over() -> None:
    trust = TrustRoots.load(parts.FOLDER / "trust")
    finding = examine("x", (parts.FOLDER / "valid" / "hand-over-1.cose").read_bytes(), trust)
    assert finding.refusal is None
    assert [claim.key for claim in finding.claims] == ["officer", "officer", "hand-over"]
    chain = [(parts.FOLDER / "valid" / name).read_bytes() for name in ("hand-over-1.cose", "hand-over-2-alone.cose")]
    label = Label("VECTOR-1", key_id(parts.DEVICE.certificate))
    assert check_chain(chain, OfficerTrust.of(trust), label).seal == "S-0002"


# --- what is odd ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "oddity", "serious"),
    [
        ({"seal": "S-0009"}, Oddity.SEAL_CHANGED, True),
        ({"seal_state": "broken", "resealed": "S-0002"}, Oddity.SEAL_BROKEN, True),
        ({"seal_state": "missing"}, Oddity.SEAL_MISSING, True),
        ({"condition": "Kotak basah"}, Oddity.REMARK, False),
    ],
)
def test_something_is_odd(people: People, change: dict[str, Any], oddity: Oddity, serious: bool) -> None:
    custody = people.check(people.chain(*WAY, **change))
    assert [(finding.oddity, finding.number, finding.serious) for finding in custody.findings] == [(oddity, 4, serious)]


def test_a_receiver_helps_himself(people: People) -> None:
    """PPK took it with a key; PPS alone says that somebody of the PPK gave it."""
    events = people.chain(*WAY[:2])
    somebody = Party("Seseorang", "ppk", None)
    events.append(people.sign(people.said(events, *WAY[2], giver=somebody, alone="Kunci PPK tertinggal")))
    assert [finding.oddity for finding in people.check(events).serious] == [Oddity.GIVER_UNSIGNED]


def test_a_new_seal_is_the_one_that_is_looked_for(people: People) -> None:
    events = people.chain(*WAY[:2], seal_state="broken", resealed="S-0002")
    events.append(people.sign(people.said(events, *WAY[2])))
    assert [finding.number for finding in people.check(events).findings] == [2]
    assert people.check(events).seal == "S-0002"
    events.append(people.sign(people.said(events, *WAY[3], seal="S-0001")))
    assert people.check(events).serious[-1].oddity is Oddity.SEAL_CHANGED


def test_the_shift_changes(people: People) -> None:
    events = people.chain(*WAY[:1])
    night = people.party(Role.WAREHOUSE, "Petugas malam")
    events.append(people.sign(people.said(events, Role.WAREHOUSE, Role.PPK, giver=night)))
    assert [finding.oddity for finding in people.check(events).findings] == [Oddity.OTHER_PERSON]


# --- on the device ----------------------------------------------------------------------------------------------------


def test_a_device_s_folder_grows_and_never_shrinks(people: People, tmp_path: Path) -> None:
    folder, events = tmp_path / "custody", people.chain(*WAY)
    add = lambda files: custody_folder.add(folder, files, people.trust, LABEL)  # noqa: E731
    assert add(events[:2])[1] == 2
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert add(events[:2])[1] == 0
    for wrong, code in (
        ([events[3]], "custody-gap"),
        ([*events[2:], b"x"], "cbor"),
        ([people.sign(replace(open_event(events[1], people.trust).said, place="Rumah"))], "custody-fork"),
    ):
        with pytest.raises(Refused, match=code):
            add(wrong)
        assert {path.name: path.read_bytes() for path in folder.iterdir()} == before, "nothing partial"
    custody, added = add(events)
    assert (added, len(custody.events)) == (2, 4)
    assert [path.name[:3] for path in sorted(folder.iterdir())] == ["001", "002", "003", "004"]


def test_a_file_on_the_device_is_changed_or_taken_away(people: People, tmp_path: Path) -> None:
    folder, events = tmp_path / "custody", people.chain(*WAY)
    custody_folder.add(folder, events, people.trust, LABEL)
    second = sorted(folder.iterdir())[1]
    data = second.read_bytes()
    second.unlink()
    with pytest.raises(Refused, match="custody-gap"):
        custody_folder.load(folder, people.trust, LABEL)
    second.write_bytes(data[:-1])
    with pytest.raises(Refused, match="cbor-truncated"):
        custody_folder.load(folder, people.trust, LABEL)


@pytest.mark.parametrize("language", ["id", "en"])
def test_the_kpps_reads_what_happened_to_the_box(people: People, language: str) -> None:
    def told(events: list[bytes]) -> tuple[bool, str]:
        check = seen.finding(lambda: people.check(events), Mode.REAL)
        assert check is not None
        assert not check.needed, "a day can be opened"
        return check.ok, found(check, "3171010001001", language)

    good, text = told(people.chain(*WAY))
    assert good
    assert "S-0001" in text
    for events in (
        people.chain(*WAY, seal="S-0009"),
        people.chain(*WAY[:2]),
        people.chain(*WAY)[1:],
        [],
    ):
        good, text = told(events)
        assert not good
        assert "{" not in text
        assert len(text) < 200


@pytest.mark.parametrize("language", ["id", "en"])
@pytest.mark.parametrize("oddity", sorted(SERIOUS))
def test_what_must_be_explained_has_a_sentence(oddity: Oddity, language: str) -> None:
    assert sentence(f"custody.{oddity}", language, detail="3")


def test_nothing_is_said_where_nothing_is_at_stake(people: People) -> None:
    assert seen.finding(lambda: people.check([]), Mode.TRAINING) is None


# --- the label --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["", "C1K1:", "C1K1:C1-0001", "C1K1:../x:00112233445566ff", "C1K1:a:0011", "http://x"])
def test_a_label_of_something_else(text: str) -> None:
    with pytest.raises(Refused, match="label-form"):
        Label.parse(text)


def test_a_label_is_what_was_printed() -> None:
    assert Label.parse(f" {LABEL.text}\n") == LABEL


# --- for the dashboard ------------------------------------------------------------------------------------------------


@pytest.fixture
def chains(people: People, tmp_path: Path) -> Path:
    good = people.chain(*WAY, condition="=HYPERLINK(1)")
    for name, events in (("C1-0001", good), ("C1-0002", good), ("C1-0003", [])):
        (tmp_path / name).mkdir()
        for number, event in enumerate(events):
            (tmp_path / name / f"{number}.cose").write_bytes(event)
    return tmp_path


def test_a_dashboard_gets_all_devices_and_the_bad_ones_by_name(people: People, chains: Path) -> None:
    exported = list(custody_export.chains(chains, people.trust))
    rows = list(csv.DictReader(io.StringIO(custody_export.to_csv(exported).decode())))
    assert [row["device"] for row in rows] == ["C1-0001"] * 4 + ["C1-0002", "C1-0003"]
    assert [row["refused"] for row in rows[4:]] == ["custody-device", "custody-gap"]
    assert rows[3]["condition"] == "'=HYPERLINK(1)", "no spreadsheet runs it"
    devices = json.loads(custody_export.to_json(exported))["devices"]
    assert devices[0]["holder"] == {"name": "Petugas kpps", "role": "kpps"}
    world = json.loads(custody_export.to_geojson(exported))
    assert [entry["geometry"]["type"] for entry in world["features"]] == ["Point"] * 4 + ["LineString"]
    assert world["features"][0]["geometry"]["coordinates"] == [107.60981, -6.914744], "longitude first"
    assert world["refused"] == {"C1-0002": "custody-device", "C1-0003": "custody-gap"}
    assert custody_export.to_csv(exported) == custody_export.to_csv(list(custody_export.chains(chains, people.trust)))
