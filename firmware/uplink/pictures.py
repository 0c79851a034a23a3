"""Forwarding pictures: one piece at a time, resumed where the collector says that it is.

What the collector has is written down after every piece; after a kill, ours may be less than the collector's, never
more than was sent. The collector's word wins.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from firmware.ledger.outbox import Outbox, PictureDelivery
from firmware.uplink.chunks import ChunkSize
from firmware.uplink.outcome import (
    Attempt,
    Elsewhere,
    Offset,
    Outcome,
    judge_appended,
    judge_created,
    judge_offset,
)
from firmware.uplink.transport import Transport
from firmware.uplink.wire import append_picture, create_picture, picture_offset


class PictureSender:
    """Sends pieces of pictures to one collector. `picture(hexadecimal SHA-256)` gives the bytes, or raises
    LedgerRefused."""

    def __init__(
        self,
        picture: Callable[[str], bytes],
        outbox: Outbox,
        collector: str,
        transport: Transport,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._picture = picture
        self._outbox = outbox
        self._collector = collector
        self._transport = transport
        self._monotonic = monotonic
        self._chunk = ChunkSize()

    def step(self, delivery: PictureDelivery) -> Attempt:
        """Begins the upload or sends its next piece. PROGRESS is written down; any other outcome is the caller's."""
        said = self._create(delivery) if delivery.sent is None else self._append(delivery, delivery.sent)
        if isinstance(said, Elsewhere):
            said = judge_offset(self._transport.exchange(picture_offset(delivery.picture)), delivery.size)
        if isinstance(said, Attempt):
            return said
        return self._note(delivery, said.sent)

    def _create(self, delivery: PictureDelivery) -> Attempt | Offset:
        request = create_picture(delivery.picture, delivery.record, delivery.size)
        return judge_created(self._transport.exchange(request), delivery.size)

    def _append(self, delivery: PictureDelivery, offset: int) -> Attempt | Offset | Elsewhere:
        piece = self._picture(delivery.picture.hex())[offset : offset + self._chunk.bytes]
        began = self._monotonic()
        said = judge_appended(self._transport.exchange(append_picture(delivery.picture, offset, piece)), delivery.size)
        if isinstance(said, Offset):
            self._chunk.arrived(len(piece), self._monotonic() - began)
        elif isinstance(said, Attempt):
            self._chunk.failed()
        return said

    def _note(self, delivery: PictureDelivery, sent: int | None) -> Attempt:
        """A collector that neither has more than we knew nor is at its beginning makes us wait, not turn in circles."""
        if sent == delivery.size:
            self._outbox.picture_stored(delivery.picture, self._collector)
            return Attempt(Outcome.PROGRESS)
        self._outbox.picture_progress(delivery.picture, self._collector, sent)
        return Attempt(Outcome.SERVER_ERROR if sent == delivery.sent or sent is None else Outcome.PROGRESS)
