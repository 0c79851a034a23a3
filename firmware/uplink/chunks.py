"""How much of a picture is sent at once: as much as the link takes in a few seconds. Pure.

A piece that breaks off is sent again whole, and a new record waits until the piece that is under way has arrived:
both ask for small pieces. Each costs a round trip and a commit on both sides: that asks for large ones.
"""

from __future__ import annotations

CHUNK_SECONDS = 5.0
"""What a piece should take: six round trips of 2G, and what a new record may have to wait."""
FIRST_BYTES = 16 * 1024
"""Two seconds of 2G (64 kbit/s)."""
LEAST_BYTES = 4 * 1024
"""Below this, headers and round trips cost more than the bytes."""
MOST_BYTES = 1024 * 1024
"""Some pieces for a picture of 5 MB however fast the link is: it may be gone at any moment."""


class ChunkSize:
    """The size of the next piece, in bytes, learnt from those before it."""

    def __init__(self) -> None:
        self.bytes = FIRST_BYTES

    def arrived(self, sent: int, seconds: float) -> None:
        """A piece of `sent` bytes took that long; the last piece of a picture is too short to tell."""
        if sent < self.bytes:
            return
        fitting = int(sent * CHUNK_SECONDS / max(seconds, CHUNK_SECONDS / MOST_BYTES))
        self.bytes = max(LEAST_BYTES, min(fitting, 2 * self.bytes, MOST_BYTES))

    def failed(self) -> None:
        """A piece did not arrive."""
        self.bytes = max(LEAST_BYTES, self.bytes // 2)
