"""How long to wait after a failure: exponential, with full jitter and a cap by what went wrong. Pure."""

from __future__ import annotations

import random

from firmware.uplink.outcome import Outcome

FIRST_WAIT_SECONDS = 2.0
"""Upper bound of the wait after the first failure; it doubles with each further one."""

_SHORT = 3.0  # costs nobody anything, and a network may be there for seconds only: a record has 10 to arrive in
_PERSON = 30.0  # until somebody has logged in at the portal, set the clock, or restarted what is down

LONGEST_WAIT_SECONDS = {
    Outcome.NO_NETWORK: _SHORT,
    Outcome.NO_NAME: _SHORT,
    Outcome.BROKEN: _SHORT,
    Outcome.NO_SERVER: _PERSON,
    Outcome.PROXY: _PERSON,
    Outcome.CLOCK: _PERSON,
    Outcome.CERTIFICATE_EXPIRED: _PERSON,
    Outcome.CERTIFICATE_NAME: _PERSON,
    Outcome.CERTIFICATE_UNKNOWN: _PERSON,
    Outcome.CERTIFICATE_OURS: 300.0,  # until an operator has looked; each try costs the collector a handshake
    Outcome.TLS: 300.0,  # likewise
    Outcome.NOT_A_COLLECTOR: _PERSON,
    Outcome.TIMEOUT: 120.0,  # a collector out of breath is not helped by thousands of kiosks at once
    Outcome.SERVER_ERROR: 300.0,  # likewise
    Outcome.REFUSED: 900.0,  # until an operator has looked; never given up
}
"""The cap of the backoff by what went wrong, in seconds."""

NO_ROUTE_SECONDS = 60.0
"""The cap without any network: a try is a write to the card, and a route that comes up ends the wait (network.py)."""

LONGEST_OF_ALL_SECONDS = max(LONGEST_WAIT_SECONDS.values())

OUT_OF_REACH = frozenset(LONGEST_WAIT_SECONDS) - {Outcome.REFUSED, Outcome.SERVER_ERROR}
"""What concerns the way to the collector and therefore every record and picture."""

_MOST_DOUBLINGS = 16


def backoff(outcome: Outcome, attempts: int, rng: random.Random, *, routed: bool = True) -> float:
    """Seconds to wait after the `attempts`-th attempt (from 1) failed: full jitter, so that no two kiosks march in
    step; the upper bound doubles up to the outcome's cap. Not `routed`: the kiosk has no network at all."""
    bound = FIRST_WAIT_SECONDS * 2.0 ** min(attempts - 1, _MOST_DOUBLINGS)
    nowhere = outcome is Outcome.NO_NETWORK and not routed
    return rng.uniform(0.0, min(bound, NO_ROUTE_SECONDS if nowhere else LONGEST_WAIT_SECONDS[outcome]))
