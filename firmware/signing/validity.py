"""When a message says it was signed, held against the certificate's validity and the list of revoked devices.

A signed time is the device's own word. How far it goes depends on its clock:

    synchronised   judged: outside the certificate's validity is refused, and so is a time from the revocation on
    free-running   nobody set the clock: nothing can be judged by it. The time and the validity are told as a claim; a
                   record of a revoked device is refused, whatever time it names
    not said       (receipts, for want of room on paper) outside is told; a revoked device is judged by the time

A message of a revoked device that names an earlier time is believed with a claim that says so: a thief can put a clock
back, so an authority that fears this revokes from time 0, and a collector's acknowledgement shows which were there.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography import x509

from firmware.errors import VerificationRefused
from firmware.signing.claims import Claim, Report
from firmware.signing.keys import Device
from firmware.signing.trust import TrustRoots

SYNCHRONISED = "synchronised"
FREE_RUNNING = "free-running"


@dataclass(frozen=True, slots=True)
class Sealed:
    """The time in a message, and what it says of its clock."""

    unix: int
    clock: str = ""
    """Empty: it does not say."""


def check_time(sealed: Sealed, device: Device, kid: bytes, trust: TrustRoots, report: Report) -> None:
    """Returns when the device's certificate stood at that time; raises VerificationRefused."""
    _check_revocation(sealed, kid, trust, report)
    begin, end = device.certificate.not_valid_before_utc, device.certificate.not_valid_after_utc
    inside = inside_validity(sealed.unix, device.certificate)
    if sealed.clock == SYNCHRONISED:
        if not inside:
            raise VerificationRefused("certificate-validity", time=utc(sealed.unix))
        report(Claim("validity", {"time": utc(sealed.unix)}))
        return
    time, first, last = utc(sealed.unix), f"{begin:%Y-%m-%d}", f"{end:%Y-%m-%d}"
    if inside:
        report(Claim("validity-unsure", {"time": time, "begin": first, "end": last}))
    else:
        report(Claim("validity-outside", {"time": time, "begin": first, "end": last}))


def inside_validity(unix: int, certificate: x509.Certificate) -> bool:
    """Whether the certificate was valid at that time. A collector's clock, on a server, is taken as it is."""
    return certificate.not_valid_before_utc.timestamp() <= unix <= certificate.not_valid_after_utc.timestamp()


def utc(unix: int) -> str:
    """A time for people."""
    return datetime.fromtimestamp(unix, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _check_revocation(sealed: Sealed, kid: bytes, trust: TrustRoots, report: Report) -> None:
    entry = trust.revoked.get(kid)
    if entry is None:
        return
    if sealed.unix >= entry.since or sealed.clock == FREE_RUNNING:
        raise VerificationRefused("device-revoked", since=utc(entry.since), reason=entry.reason)
    report(Claim("revoked-later", {"since": utc(entry.since), "reason": entry.reason, "time": utc(sealed.unix)}))
