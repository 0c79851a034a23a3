"""Every time the station waits or lets pass, in seconds, with its reason. The clock is a parameter of who uses them."""

from __future__ import annotations

LOOK = 1 / 6
"""From one look under the camera to the next: fast enough for a hand that follows the screen."""

AILING = 1.0
"""The same while the camera fails: it is replaced meanwhile."""

LEAST_PAUSE = 0.03
"""Between two looks, also on a machine that is too slow for them: others want to work too."""

WATCHED = 3.0
"""A screen that shows the live view asks more often than this, even without a script."""

PIN_FIRST_LOCK = 30.0
"""After the last free try: long enough to fetch the PIN letter, and to make guessing pointless."""

PIN_LONGEST_LOCK = 3600.0
"""Where doubling ends: a ketua who remembers after all can still seal this night."""

TURN = 5.0
"""For a command to get its turn: each takes milliseconds, or a stalled card's seconds."""

LONGEST_WORK = 900.0
"""Nothing that runs aside takes longer: thirty receipts of 30 s each, drawn as pictures at 9600 baud."""

LONGEST_LOOK = 60.0
"""From one look under the camera to the next at most: a camera that hangs is given up and replaced well within it."""
