"""The states of a kiosk, and which may follow which: the whole of its behaviour over time, as a table.

    CLOSED -> OPENING -> IDLE <-> PREVIEWING -> CAPTURING -> READING -> REVIEWING -> SEALING -> PRINTING -> IDLE
                          IDLE -> CLOSING -> PRINTING -> CLOSED

What a person asks at the wrong time is answered, see view.Answer. What the program itself does at the wrong time is a
fault: a move that is not in `MOVES` raises `Refused("station-move")`. FAULT may follow every state; the way out of it
is STARTING, which makes everything again from the disk. Forwarding is no state: it goes on aside.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from firmware.errors import Refused


class State(StrEnum):
    """Where the kiosk stands."""

    STARTING = "starting"
    """Makes everything again from what is on disk."""
    CLOSED = "closed"
    """The day has not begun, or is over."""
    OPENING = "opening"
    """Shows what it found about itself; the ketua opens the day."""
    IDLE = "idle"
    """The day is open: any page of a contest that is not sealed begins it, or goes on with it."""
    PREVIEWING = "previewing"
    """Waits for the other pages of the contest at hand."""
    CAPTURING = "capturing"
    READING = "reading"
    REVIEWING = "reviewing"
    """Waits for a person to settle every number."""
    SEALING = "sealing"
    """Signs, then commits to disk."""
    PRINTING = "printing"
    CLOSING = "closing"
    """Shows what was sealed; the ketua closes the day."""
    FAULT = "fault"
    """Something that a person has to see."""


WORKING = frozenset({State.STARTING, State.CAPTURING, State.READING, State.SEALING, State.PRINTING})
"""States in which the station works: whatever is asked of it is answered `busy`, never queued."""

BRINGING = frozenset({State.IDLE, State.PREVIEWING, State.REVIEWING})
"""States in which a person may bring a page."""

OPEN = frozenset({State.IDLE, State.PREVIEWING, State.REVIEWING})
"""States in which another contest may be taken up."""

_RESTING = frozenset({State.CLOSED, State.IDLE, State.PREVIEWING, State.REVIEWING})

MOVES: Mapping[State, frozenset[State]] = {
    State.STARTING: _RESTING | {State.READING, State.SEALING},
    State.CLOSED: frozenset({State.OPENING, State.PRINTING}),
    State.OPENING: frozenset({State.OPENING, State.CLOSED, State.PRINTING}),
    State.IDLE: OPEN | {State.CAPTURING, State.READING, State.PRINTING, State.CLOSING},
    State.PREVIEWING: OPEN | {State.CAPTURING, State.READING},
    State.CAPTURING: OPEN | {State.READING},
    State.READING: OPEN,
    State.REVIEWING: OPEN | {State.CAPTURING, State.READING, State.SEALING},
    State.SEALING: frozenset({State.PRINTING}),
    State.PRINTING: frozenset({State.IDLE, State.CLOSED}),
    State.CLOSING: frozenset({State.IDLE, State.PRINTING}),
    State.FAULT: frozenset({State.STARTING}),
}


def check_move(before: State, after: State) -> None:
    """Raises Refused("station-move") for a move that is not in the table."""
    if after is not State.FAULT and after not in MOVES[before]:
        raise Refused("station-move", before=str(before), after=str(after))
