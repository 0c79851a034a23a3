"""Before a day: through whose hands the kiosk came. Shown, printed and kept; a day can be opened without it.

`seen` of the finding is made of words `code:detail`, told by `told` in the language of the reader: the number of
hand-overs and the seal that should be on the case when all is well, else what must be explained.
"""

from __future__ import annotations

from collections.abc import Callable

from cryptography import x509

from firmware.config import KioskConfig
from firmware.day.day import Checked
from firmware.errors import Refused
from firmware.messages import sentence
from firmware.records import Mode
from firmware.signing import custody_folder
from firmware.signing.client import SignerClient
from firmware.signing.custody import Custody
from firmware.signing.handover import role_of
from firmware.signing.label import Label
from firmware.signing.officers import OfficerTrust, Role

NAME = "custody"
_APART, _DETAIL = " ", ":"


def examine(config: KioskConfig) -> Checked | None:
    """The finding of the kiosk whose key signs."""
    return finding(lambda: _of_key(config), config.mode)


def finding(look: Callable[[], Custody], mode: Mode) -> Checked | None:
    """The finding; None when no hand-over was ever noted and nothing is at stake (training, development)."""
    try:
        custody = look()
    except Refused as refusal:
        return _bad(f"refused{_DETAIL}{refusal.code}")
    if not custody.events:
        return _bad("none") if mode is Mode.REAL else None
    problems = [f"{entry.oddity}{_DETAIL}{entry.number}" for entry in custody.serious]
    if custody.holder and role_of(custody.holder) is not Role.KPPS:
        problems.append(f"holder{_DETAIL}{custody.holder.role}")
    if problems:
        return _bad(_APART.join(problems))
    return Checked(NAME, True, f"{len(custody.events)}{_DETAIL}{custody.seal}", needed=False)


def told(check: Checked, language: str) -> str:
    """The sentence of the finding."""
    if check.ok:
        events, _, seal = check.seen.partition(_DETAIL)
        return sentence("opening.custody-ok", language, events=events, seal=seal)
    words = (word.partition(_DETAIL) for word in check.seen.split(_APART))
    problems = [sentence(f"custody.{code}", language, detail=detail) for code, _, detail in words]
    return sentence("opening.custody-bad", language, problems=" ".join(problems))


def _of_key(config: KioskConfig) -> Custody:
    certificate = x509.load_der_x509_certificate(SignerClient(config.signer_socket).device().certificate)
    return custody_folder.load(config.custody, OfficerTrust.of_device(config), Label.of(certificate))


def _bad(seen: str) -> Checked:
    return Checked(NAME, False, seen, needed=False)
