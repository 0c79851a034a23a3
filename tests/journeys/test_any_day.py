"""Any order of presses, taps, faults and power cuts: whatever people do, nothing is sealed twice and nothing is lost.

Hypothesis makes up the day; the station, ledger, signer, receipts and review are the real ones (tests/kiosks.py).
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from firmware.panel.view import Answer
from firmware.receipt.printer import Printed, PrinterStatus, PrintOutcome
from firmware.records import Reason
from firmware.states import WORKING, State
from tests.kiosks import COPIES, DPR, FORM, PIN, PowerCut, Room, no_trouble, press, refuse_once

SHEETS = [f"page {n}" for n in (1, 2, 3)] + [f"dpr {n}" for n in range(1, 7)] + ["page 2 again", "wall", "other 1"]
STEPS = ["capture", "recognise", "read", "save_draft", "commit", "sign", "signed", "print", "ask_print", "move_print"]
WRONG_PIN = "999111"
EXAMPLES = int(os.environ.get("C1KIOSK_DAYS", "12"))
STEPS_A_DAY = 40
"""A dozen days of 40 steps take seconds; set C1KIOSK_DAYS for a night."""


class AnyDay(RuleBasedStateMachine):
    """One kiosk, two contests, people who do anything."""

    def __init__(self) -> None:
        super().__init__()
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir()
        self.clock = 1000.0
        self.room = Room(self.folder, desk=[], forms=(FORM, DPR), begins_open=False, clock=lambda: self.clock)
        self.station = self.room.switch_on()
        self.records: tuple[bytes, ...] = ()
        self.events = 0

    folder = Path(tempfile.gettempdir())
    """Set before a run."""

    def _do(self, command: Any) -> None:
        """A command; a power cut in it is followed by a new start."""
        try:
            answer = command()
        except PowerCut:
            self.switch_off()
        else:
            assert isinstance(answer, Answer)
            assert answer is not Answer.BUSY, "work was over at once"

    # --- what people do

    @rule()
    def open_the_day(self) -> None:
        self._do(self.station.examine)
        self._do(lambda: self.station.open_day(PIN))

    @rule(sheet=st.sampled_from(SHEETS))
    def lay_down_a_sheet_and_press(self, sheet: str) -> None:
        self.room.desk = [sheet]
        self._do(lambda: press(self.station))

    @rule()
    def bring_the_missing_pages(self) -> None:
        for name, contest in (("page", "ppwp"), ("dpr", "dpr")):
            for entry in self.station.view().contests:
                if entry.id == contest:
                    for page in entry.pages:
                        if page.picture is None:
                            self.room.desk = [f"{name} {page.number}"]
                            self._do(lambda: press(self.station))

    @rule(replace=st.booleans())
    def choose_a_picture(self, replace: bool) -> None:
        self._do(lambda: self.station.choose(replace))

    @rule()
    def agree_with_everything(self) -> None:
        fields = [entry.id for entry in self.station.view().fields if entry.machine is not None]
        if fields:
            self._do(lambda: self.station.accept(fields))

    @rule(data=st.data(), value=st.one_of(st.none(), st.integers(-1, 1000)))
    def type_a_number(self, data: Any, value: int | None) -> None:
        fields = self.station.view().fields
        if fields:
            name = data.draw(st.sampled_from([entry.id for entry in fields]))
            self._do(lambda: self.station.correct(name, value))

    @rule()
    def undo(self) -> None:
        self._do(self.station.undo)

    @rule(pin=st.sampled_from([PIN, PIN, PIN, WRONG_PIN]), role=st.sampled_from(["ketua", "ketua", "saksi"]))
    def seal(self, pin: str, role: str) -> None:
        self._do(lambda: self.station.seal(role, pin))

    @rule(contest=st.sampled_from(["", "ppwp", "dpr", "no-such"]))
    def pick(self, contest: str) -> None:
        self._do(lambda: self.station.pick(contest))

    @rule(reason=st.sampled_from(list(Reason)))
    def correct_a_sealed_record(self, reason: Reason) -> None:
        self._do(lambda: self.station.amend(reason))

    @rule()
    def drop_the_correction(self) -> None:
        self._do(self.station.drop_correction)

    @rule()
    def print_again(self) -> None:
        self._do(self.station.reprint)

    @rule(copy=st.integers(1, COPIES), whole=st.booleans())
    def judge_a_strip(self, copy: int, whole: bool) -> None:
        self._do(lambda: self.station.judge_strip(copy, whole))

    @rule(pin=st.sampled_from([PIN, PIN, WRONG_PIN]))
    def close_the_day(self, pin: str) -> None:
        self._do(self.station.review_day)
        self._do(lambda: self.station.close_day(pin))

    @rule()
    def go_back(self) -> None:
        self._do(self.station.back)

    @rule()
    def try_again(self) -> None:
        self._do(self.station.retry)

    @rule(seconds=st.floats(0, 4000))
    def wait(self, seconds: float) -> None:
        self.clock += seconds

    # --- what goes wrong

    @rule()
    def switch_off(self) -> None:
        self._no_trouble()
        self.station = self.room.switch_on()

    @rule(step=st.sampled_from(STEPS))
    def the_disk_or_the_signer_will_refuse(self, step: str) -> None:
        self._trouble(refuse_once(step, "ledger-full"))

    @rule(step=st.sampled_from(STEPS), after=st.integers(0, 3))
    def the_power_will_be_cut(self, step: str, after: int) -> None:
        left = [after]

        def cut(now: str) -> None:
            if now == step:
                left[0] -= 1
                if left[0] < 0:
                    self._no_trouble()
                    raise PowerCut

        self._trouble(cut)

    @rule(printed=st.sampled_from(list(Printed)), status=st.sampled_from(list(PrinterStatus)))
    def the_printer_will_fail(self, printed: Printed, status: PrinterStatus) -> None:
        self.room.printer.outcomes.append(PrintOutcome(printed, status))

    def _trouble(self, trouble: Any) -> None:
        self.room.trouble = self.room.printer.trouble = trouble

    def _no_trouble(self) -> None:
        self._trouble(no_trouble)

    # --- what always holds

    @invariant()
    def nothing_is_lost_and_the_order_of_the_chain_stays(self) -> None:
        now = self.room.ledger.record_hashes()
        assert now[: len(self.records)] == self.records
        self.records = now
        events = self.room.ledger.events()
        assert len(events) >= self.events
        self.events = len(events)

    @invariant()
    def nothing_is_sealed_twice(self) -> None:
        standing: dict[str, bytes | None] = {}
        for stored in self.room.ledger.records():
            payload = stored.sealed.payload
            assert payload["supersedes"] == standing.get(payload["contest"])
            standing[payload["contest"]] = stored.sealed.sha256
        beyond = self.room.sealed - set(self.records)
        assert len(beyond) <= 1, "at most the one that is on its way to the disk"

    @invariant()
    def only_what_is_stored_is_printed_and_a_second_strip_says_so(self) -> None:
        named = {f"record/{sha256.hex()}" for sha256 in self.records}
        assert {job.document for job in self.room.ledger.print_jobs() if job.document.startswith("record/")} <= named
        first = [repr(strip) for strip in self.room.printer.out if strip.receipt.code and not strip.receipt.reprint]
        assert len(first) == len(set(first)), "two strips that are the same, and neither says so"

    @invariant()
    def what_waits_for_a_person_is_a_state_with_a_way_out(self) -> None:
        view = self.station.view()
        assert view.state not in WORKING
        assert view.state is not State.FAULT or view.notice is not None

    @invariant()
    def no_pin_is_written_anywhere(self) -> None:
        texts = [str(event.fields) for event in self.room.ledger.events()[-5:]]
        assert not any(PIN in text or WRONG_PIN in text for text in texts)

    def teardown(self) -> None:
        """In the end every contest that was begun can be finished."""
        self._no_trouble()
        self.room.printer.outcomes.clear()
        self.station = self.room.switch_on()
        assert self.station.view().state is not State.FAULT
        self.room.ledger.check()


def test_any_day_keeps_what_was_sealed(memory: Path) -> None:
    AnyDay.folder = memory / "day"
    AnyDay.TestCase.settings = settings(
        max_examples=EXAMPLES, stateful_step_count=STEPS_A_DAY, deadline=None, suppress_health_check=list(HealthCheck)
    )
    AnyDay.TestCase("runTest").runTest()
