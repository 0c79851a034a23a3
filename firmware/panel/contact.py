"""One contact: its edges, with their times, in; what a person does out. Pure; watch.py runs it.

A press is told when the contact has stood closed for DEBOUNCE_S, so that neither bouncing nor a spark on a long cable
is one, and before it is let go. What is told depends on the edges alone, not on when anybody looked: edges that come
late, with the times at which they happened, tell the same. An edge that repeats the level is none, which covers the
repeats of a held key and an edge that was lost.

Times are seconds of one monotonic clock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from firmware.panel.panel import Heard

DEBOUNCE_S = 0.02
"""A level that stood so long counts. Good switches bounce for at most 6 ms (J. Ganssle, A Guide to Debouncing: sixteen
of eighteen); a finger stays longer than this."""

HELD_S = 3.0
"""Nobody who only wants a picture holds the button so long."""

STUCK_S = 15.0
"""Nobody holds a button so long on purpose: something leans on it, or its cable is broken."""

REST_S = 1.0
"""What was stuck must be open so long before it counts: whatever leaned on it is gone, not rocking."""


@dataclass(frozen=True, slots=True)
class Contact:
    """A contact as it was left at its last edge."""

    closed: bool
    """The level after the last edge."""
    moved: float
    """When that was."""
    unsteady: float | None
    """The first edge after it last stood still; None: it stands still."""
    down: bool
    """The level that counts."""
    since: float
    """Since when it is down."""
    held: bool
    """HELD was told for this press."""
    stuck: bool


Told = tuple[Contact, tuple[Heard, ...]]
"""The contact afterwards, and what happened, in order."""


def at_start(closed: bool, now: float) -> Told:
    """A contact when it is first looked at. Down then is stuck: nobody saw a press begin."""
    contact = Contact(closed, moved=now, unsteady=None, down=closed, since=now, held=False, stuck=closed)
    return contact, (Heard.STUCK,) if closed else ()


def edge(contact: Contact, closed: bool, at: float) -> Told:
    """The contact closed or opened at `at`; a time before the last edge is taken as that edge's."""
    contact, heard = until(contact, at)
    if closed == contact.closed:
        return contact, heard
    at = max(at, contact.moved)
    first = at if contact.unsteady is None else contact.unsteady
    return replace(contact, closed=closed, moved=at, unsteady=first), heard


def until(contact: Contact, now: float) -> Told:
    """No edge came until `now`."""
    heard: list[Heard] = []
    while (turn := _next(contact)) and turn[0] <= now:
        contact, tell = turn[1](contact)
        heard += tell
    return contact, tuple(heard)


def due(contact: Contact) -> float | None:
    """When `until` next has something to say if no edge comes; None: never."""
    turn = _next(contact)
    return turn[0] if turn else None


_Turn = tuple[float, Callable[[Contact], Told]]


def _next(contact: Contact) -> _Turn | None:
    return min(_turns(contact), key=lambda turn: turn[0], default=None)


def _turns(contact: Contact) -> Iterator[_Turn]:
    """What happens to a contact by itself, and when; of two at one time, the first here is first."""
    if contact.unsteady is not None:
        yield contact.moved + DEBOUNCE_S, _settle
    if contact.stuck:
        if contact.unsteady is None and not contact.down:
            yield contact.moved + REST_S, _free
        return
    if contact.down and not contact.held:
        yield contact.since + HELD_S, _hold
    begun = contact.since if contact.down else contact.unsteady
    if begun is not None:
        yield begun + STUCK_S, _stick


def _settle(contact: Contact) -> Told:
    if contact.closed == contact.down:
        return replace(contact, unsteady=None), ()
    changed = replace(contact, unsteady=None, down=contact.closed, since=contact.moved, held=False)
    return changed, (Heard.PRESSED,) if changed.down and not changed.stuck else ()


def _hold(contact: Contact) -> Told:
    return replace(contact, held=True), (Heard.HELD,)


def _stick(contact: Contact) -> Told:
    return replace(contact, stuck=True), (Heard.STUCK,)


def _free(contact: Contact) -> Told:
    return replace(contact, stuck=False), (Heard.FREE,)
