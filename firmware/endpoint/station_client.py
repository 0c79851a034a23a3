"""The screen's way to the station: HTTP over the station's Unix socket. It asks and presses; it holds no state."""

from __future__ import annotations

from pathlib import Path
from typing import Self
from urllib.parse import quote

import httpx
import msgspec

from firmware.http import unix_client
from firmware.panel.view import Answer, Entry, Number, SessionView
from firmware.records import Reason

TIMEOUT_S = 3.0
"""Seconds until the station counts as away: it answers from memory, work runs in its own thread."""


class StationAway(Exception):
    """The station does not answer: it starts, or is being replaced. The screen says so and asks again."""


class StationClient:
    """One station. Every method raises StationAway when it does not answer."""

    def __init__(self, http: httpx.Client) -> None:
        self._http = http

    @classmethod
    def at(cls, socket: Path) -> Self:
        """The station that listens at this Unix socket."""
        return cls(unix_client(socket, TIMEOUT_S))

    def view(self, watching: bool = False) -> SessionView:
        """The session as it stands; `watching`: for somebody who looks at the live view."""
        answer = self._get("/session?watching" if watching else "/session")
        return msgspec.json.decode(answer.content, type=SessionView)

    # --- the day

    def examine(self) -> Answer:
        """The kiosk looks at itself."""
        return self._post("/examine")

    def open_day(self, pin: str, witnesses: int) -> Answer:
        """The ketua opens the day."""
        return self._post("/open", msgspec.json.encode(Entry(pin, witnesses=witnesses)))

    def review_day(self) -> Answer:
        """What was sealed, before the day ends."""
        return self._post("/review")

    def close_day(self, pin: str) -> Answer:
        """The ketua closes the day."""
        return self._post("/close", msgspec.json.encode(Entry(pin)))

    def back(self) -> Answer:
        """Out of opening or closing."""
        return self._post("/back")

    def pick(self, contest: str) -> Answer:
        """Takes up a contest; an empty name puts the one at hand aside."""
        return self._post(f"/contest/{quote(contest, safe='')}" if contest else "/aside")

    # --- one contest

    def press(self) -> Answer:
        """The big button."""
        return self._post("/press")

    def choose(self, replace: bool) -> Answer:
        """Which of two pictures of a page stays: the new one (`replace`) or the old one."""
        return self._post("/pending/replace" if replace else "/pending/keep")

    def accept(self, *fields: str) -> Answer:
        """The machine's reading of these fields is right."""
        return self._post("/accept", msgspec.json.encode(fields))

    def correct(self, field: str, value: int | None) -> Answer:
        """This is what is written; None: nothing is."""
        return self._post(f"/fields/{field}", msgspec.json.encode(Number(value)))

    def undo(self) -> Answer:
        """Takes the last step of the review back."""
        return self._post("/undo")

    def seal(self, role: str, pin: str) -> Answer:
        """Signs, stores, prints, forwards."""
        return self._post("/seal", msgspec.json.encode(Entry(pin, role)))

    def amend(self, reason: Reason) -> Answer:
        """Begins to correct the sealed record at hand."""
        return self._post(f"/amend/{reason}")

    def drop_correction(self) -> Answer:
        """The sealed record stands as it is."""
        return self._post("/drop")

    # --- paper, and the way out of a fault

    def reprint(self) -> Answer:
        """What is not certainly on paper; when everything is, all of it again."""
        return self._post("/reprint")

    def judge_strip(self, copy: int, whole: bool) -> Answer:
        """Whether a doubtful strip came out whole."""
        return self._post(f"/strip/{copy}/{'whole' if whole else 'spoiled'}")

    def retry(self) -> Answer:
        """The way out of a fault."""
        return self._post("/retry")

    # --- pictures

    def strip(self, field: str) -> bytes | None:
        """The picture (JPEG) of a field's boxes, None when there is none."""
        return self._picture(f"/fields/{field}/strip")

    def page(self, number: int) -> bytes | None:
        """The upright picture (JPEG) of a page, None when there is none."""
        return self._picture(f"/pages/{number}/picture")

    def pending_page(self) -> bytes | None:
        """The upright picture (JPEG) of the page that waits for a choice, None when there is none."""
        return self._picture("/pending/picture")

    def live_picture(self) -> bytes | None:
        """What lies under the camera (JPEG), None when there is no picture."""
        return self._picture("/live/picture")

    def _picture(self, path: str) -> bytes | None:
        try:
            answer = self._http.get(path)
        except httpx.TransportError as problem:
            raise StationAway from problem
        return answer.content if answer.status_code == httpx.codes.OK else None

    def _get(self, path: str) -> httpx.Response:
        try:
            return self._http.get(path).raise_for_status()
        except httpx.HTTPError as problem:
            raise StationAway from problem

    def _post(self, path: str, body: bytes = b"") -> Answer:
        try:
            answer = self._http.post(path, content=body).raise_for_status()
        except httpx.HTTPError as problem:
            raise StationAway from problem
        return msgspec.json.decode(answer.content, type=Answer)
