"""What can become of one attempt to forward a record: a closed set, and the rule that decides it. Pure.

The network between is not trusted: only a signed acknowledgement of this very record counts as delivered, and only a
refusal in the collector's own form counts as refused. Everything else is somebody else's answer: a captive portal
says 200 to anything.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus

import msgspec

from firmware.errors import VerificationRefused


class Outcome(StrEnum):
    """What became of an attempt; sentences under `delivery.<value>` in messages/."""

    ACKNOWLEDGED = "acknowledged"
    NO_NETWORK = "no-network"
    """Nobody was reached, or the connection broke."""
    TIMEOUT = "timeout"
    """Somebody was reached and did not answer in time."""
    NOT_AN_ACKNOWLEDGEMENT = "not-an-acknowledgement"
    """Somebody answered, but not the collector: a portal, a proxy, an impostor."""
    REFUSED = "refused"
    """The collector does not take this record."""
    SERVER_ERROR = "server-error"
    """The collector cannot take any record now."""


@dataclass(frozen=True, slots=True)
class Answered:
    """An HTTP answer, not believed yet."""

    status: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Unanswered:
    """There was no whole answer: NO_NETWORK or TIMEOUT."""

    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Attempt:
    """The end of one attempt. `acknowledgement` is verified; it is there exactly when the outcome is ACKNOWLEDGED."""

    outcome: Outcome
    acknowledgement: bytes | None = None
    detail: str = ""
    """The code with which the collector refused."""


_CODE = re.compile(r"[a-z0-9-]{1,64}")
_TRY_LATER = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS)


class _Refusal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of every refusal of the collector."""

    code: str
    message: str


def judge(answer: Answered | Unanswered, verify: Callable[[bytes], object]) -> Attempt:
    """What the answer is worth. `verify` raises VerificationRefused unless its argument acknowledges the record."""
    if isinstance(answer, Unanswered):
        return Attempt(answer.outcome)
    if answer.status in (HTTPStatus.OK, HTTPStatus.CREATED):
        try:
            verify(answer.body)
        except VerificationRefused as refusal:
            return Attempt(Outcome.NOT_AN_ACKNOWLEDGEMENT, detail=refusal.code)
        return Attempt(Outcome.ACKNOWLEDGED, acknowledgement=answer.body)
    if answer.status == HTTPStatus.NETWORK_AUTHENTICATION_REQUIRED:
        return Attempt(Outcome.NOT_AN_ACKNOWLEDGEMENT)
    if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR or answer.status in _TRY_LATER:
        return Attempt(Outcome.SERVER_ERROR)
    return _refusal(answer)


def _refusal(answer: Answered) -> Attempt:
    try:
        refusal = msgspec.json.decode(answer.body, type=_Refusal)
    except msgspec.MsgspecError:
        return Attempt(Outcome.NOT_AN_ACKNOWLEDGEMENT)
    known = answer.status >= HTTPStatus.BAD_REQUEST and _CODE.fullmatch(refusal.code)
    return Attempt(Outcome.REFUSED, detail=refusal.code) if known else Attempt(Outcome.NOT_AN_ACKNOWLEDGEMENT)
