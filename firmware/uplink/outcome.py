"""What can become of one attempt to forward something: a closed set, and the rules that decide it. Pure.

The network between is not trusted: only a signed acknowledgement of this very record counts as delivered, and only a
refusal in the collector's own form counts as refused. Everything else is somebody else's answer: a captive portal
says 200 to anything. What a picture's upload says is believed as far as the connection is: over TLS it is the
collector's, and a picture is of no worth without the record that names it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from http import HTTPStatus

import msgspec

from firmware.errors import VerificationRefused
from firmware.uplink.wire import CHECKSUM_MISMATCH, OFFSET_HEADER


class Outcome(StrEnum):
    """What became of an attempt; sentences under `delivery.<value>` in messages/."""

    ACKNOWLEDGED = "acknowledged"
    NO_NETWORK = "no-network"
    """Nobody could be reached."""
    NO_NAME = "no-name"
    """There is a network whose name server does not know the collector."""
    NO_SERVER = "no-server"
    """The collector's computer is there, the collector is not."""
    BROKEN = "broken"
    """The connection broke, or went silent, in the middle."""
    TIMEOUT = "timeout"
    """Somebody was reached and did not answer in time."""
    PROXY = "proxy"
    """The configured proxy does not let us through."""
    CLOCK = "clock"
    """The collector's certificate is not valid yet: our clock is behind, as after a start without a battery."""
    CERTIFICATE_EXPIRED = "certificate-expired"
    """The collector's certificate is no longer valid, or our clock is ahead."""
    CERTIFICATE_NAME = "certificate-name"
    """A certificate of our authority, of another name."""
    CERTIFICATE_UNKNOWN = "certificate-unknown"
    """A certificate that our authority did not issue: a portal or an eavesdropper, or the wrong authority here."""
    CERTIFICATE_OURS = "certificate-ours"
    """The collector does not accept our own certificate."""
    TLS = "tls"
    """No version or cipher of TLS that both sides want."""
    NOT_A_COLLECTOR = "not-a-collector"
    """Somebody answered, but not the collector: a portal, a proxy, an impostor."""
    REFUSED = "refused"
    """The collector does not take this record or picture."""
    SERVER_ERROR = "server-error"
    """The collector cannot take anything now."""
    PROGRESS = "progress"
    """Of a picture: the collector has more of it, or all."""


@dataclass(frozen=True, slots=True)
class Answered:
    """An HTTP answer, not believed yet; names of headers in lower case."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Unanswered:
    """There was no whole answer."""

    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Attempt:
    """The end of one attempt. `acknowledgement` is verified; it is there exactly when the outcome is ACKNOWLEDGED."""

    outcome: Outcome
    acknowledgement: bytes | None = None
    detail: str = ""
    """The code with which the collector refused."""


@dataclass(frozen=True, slots=True)
class Offset:
    """How many bytes of a picture the collector has; None: it knows of no upload."""

    sent: int | None


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """The collector's offset is not ours: it has to be asked."""


_CODE = re.compile(r"[a-z0-9-]{1,64}")
_NUMBER = re.compile(r"[0-9]{1,12}")
_TRY_LATER = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS)
_GONE = (HTTPStatus.NOT_FOUND, HTTPStatus.GONE)


class _Refusal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of every refusal of the collector."""

    code: str
    message: str = ""


def judge(answer: Answered | Unanswered, verify: Callable[[bytes], object]) -> Attempt:
    """What the answer to a record is worth. `verify` raises VerificationRefused unless its argument acknowledges it."""
    if isinstance(answer, Unanswered):
        return Attempt(answer.outcome)
    if answer.status in (HTTPStatus.OK, HTTPStatus.CREATED):
        try:
            verify(answer.body)
        except VerificationRefused as refusal:
            return Attempt(Outcome.NOT_A_COLLECTOR, detail=refusal.code)
        return Attempt(Outcome.ACKNOWLEDGED, acknowledgement=answer.body)
    return _not_taken(answer)


def judge_created(answer: Answered | Unanswered, size: int) -> Attempt | Offset:
    """What the answer to the creation of an upload of `size` bytes is worth."""
    if isinstance(answer, Answered) and answer.status == HTTPStatus.CREATED and "location" in answer.headers:
        return _offset(answer.headers.get(OFFSET_HEADER, "0"), size)
    return _picture_not_taken(answer)


def judge_appended(answer: Answered | Unanswered, size: int) -> Attempt | Offset | Elsewhere:
    """What the answer to a piece of a picture of `size` bytes is worth."""
    if isinstance(answer, Unanswered):
        return Attempt(answer.outcome)
    match answer.status:
        case HTTPStatus.NO_CONTENT:
            return _offset(answer.headers.get(OFFSET_HEADER, ""), size)
        case HTTPStatus.CONFLICT:
            return Elsewhere()
        case status if status in _GONE:
            return Offset(None)
        case status if status == CHECKSUM_MISMATCH:
            return Attempt(Outcome.BROKEN)
    return _picture_not_taken(answer)


def judge_offset(answer: Answered | Unanswered, size: int) -> Attempt | Offset:
    """What the answer to the question for the offset is worth."""
    if isinstance(answer, Answered) and answer.status == HTTPStatus.OK:
        return _offset(answer.headers.get(OFFSET_HEADER, ""), size)
    if isinstance(answer, Answered) and answer.status in _GONE:
        return Offset(None)
    return _picture_not_taken(answer)


def _offset(text: str, size: int) -> Attempt | Offset:
    if _NUMBER.fullmatch(text) and int(text) <= size:
        return Offset(int(text))
    return Attempt(Outcome.NOT_A_COLLECTOR)


def _picture_not_taken(answer: Answered | Unanswered) -> Attempt:
    return Attempt(answer.outcome) if isinstance(answer, Unanswered) else _not_taken(answer)


def _not_taken(answer: Answered) -> Attempt:
    if answer.status == HTTPStatus.NETWORK_AUTHENTICATION_REQUIRED:
        return Attempt(Outcome.NOT_A_COLLECTOR)
    if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR or answer.status in _TRY_LATER:
        return Attempt(Outcome.SERVER_ERROR)
    try:
        refusal = msgspec.json.decode(answer.body, type=_Refusal)
    except msgspec.MsgspecError:
        return Attempt(Outcome.NOT_A_COLLECTOR)
    known = answer.status >= HTTPStatus.BAD_REQUEST and _CODE.fullmatch(refusal.code)
    return Attempt(Outcome.REFUSED, detail=refusal.code) if known else Attempt(Outcome.NOT_A_COLLECTOR)
