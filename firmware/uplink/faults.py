"""Which outcome an exception of the network is. Pure: it looks only at the exception and what caused it."""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import Iterator

import httpcore

from firmware.uplink.outcome import Outcome

_NOT_YET_VALID, _EXPIRED, _OTHER_NAME, _OTHER_ADDRESS = 9, 10, 62, 64
"""OpenSSL's X509_V_ERR_*; any other is a chain that does not end at our authority."""
_VERIFY = {
    _NOT_YET_VALID: Outcome.CLOCK,
    _EXPIRED: Outcome.CERTIFICATE_EXPIRED,
    _OTHER_NAME: Outcome.CERTIFICATE_NAME,
    _OTHER_ADDRESS: Outcome.CERTIFICATE_NAME,
}

_OURS = {
    "TLSV13_ALERT_CERTIFICATE_REQUIRED",
    "TLSV1_ALERT_UNKNOWN_CA",
    "TLSV1_ALERT_ACCESS_DENIED",
    "TLSV1_ALERT_DECRYPT_ERROR",  # its signature does not hold
    "SSLV3_ALERT_BAD_CERTIFICATE",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED",
    "SSLV3_ALERT_CERTIFICATE_REVOKED",
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN",
    "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE",
}
"""Alerts of the other side about our certificate."""
_NOT_TLS = {"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG", "RECORD_LAYER_FAILURE"}
"""What answered does not speak TLS: a portal on any port."""

_NO_SUCH_NAME = {socket.EAI_NONAME, socket.EAI_NODATA, socket.EAI_FAIL}
"""The name server answered. EAI_AGAIN: none did."""


def outcome_of(error: Exception, reached: bool) -> Outcome:
    """The outcome for what httpcore raised; `reached`: a TCP connection had been made."""
    if isinstance(error, httpcore.ProxyError):
        return Outcome.PROXY
    if isinstance(error, httpcore.ConnectTimeout):
        return Outcome.TIMEOUT if reached else Outcome.NO_NETWORK
    if isinstance(error, httpcore.ReadTimeout):
        return Outcome.TIMEOUT
    for cause in _causes(error):
        if (outcome := _of_cause(cause)) is not None:
            return outcome
    return Outcome.BROKEN if reached else Outcome.NO_NETWORK


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _of_cause(cause: BaseException) -> Outcome | None:
    if isinstance(cause, ssl.SSLCertVerificationError):
        return _VERIFY.get(cause.verify_code, Outcome.CERTIFICATE_UNKNOWN)
    if isinstance(cause, (ssl.SSLEOFError, ssl.SSLZeroReturnError)):
        return Outcome.BROKEN
    if isinstance(cause, ssl.SSLError):
        return _of_tls(cause.reason or "")
    if isinstance(cause, socket.gaierror):
        return Outcome.NO_NAME if cause.errno in _NO_SUCH_NAME else Outcome.NO_NETWORK
    if isinstance(cause, OSError) and cause.errno == errno.ECONNREFUSED:
        return Outcome.NO_SERVER
    return None


def _of_tls(reason: str) -> Outcome:
    if reason in _OURS:
        return Outcome.CERTIFICATE_OURS
    return Outcome.NOT_A_COLLECTOR if reason in _NOT_TLS else Outcome.TLS
