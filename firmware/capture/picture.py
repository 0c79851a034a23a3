"""Bytes -> picture, safely: what the file says about itself is checked before anything is decoded.

Only JPEG, PNG and still WebP are pictures here. A file is walked to its end first (JPEG segments and scans to EOI,
PNG chunks with their CRCs to IEND, the RIFF size of WebP), so that half a picture is refused instead of being filled
with grey, and its dimensions are read from its header, so that a bomb is refused before memory is taken for it.
"""

from __future__ import annotations

import hashlib
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeGuard

import cv2
import numpy as np
from numpy.typing import NDArray

from firmware.records import Frame, Gray, PageRefusal, RefusedPage

MAX_BYTES = 40_000_000
"""Bytes: a 50-megapixel phone photograph has 25 MB."""
MAX_PIXELS = 60_000_000
"""Pixels: 180 MB decoded; the largest phone pictures that are not upscaled have 50 million."""
MAX_SIDE = 20_000
"""Pixels: no camera is that long; libraries differ above 32767."""
MIN_SIDE = 600
"""Pixels of the shorter side: below it a digit box of an A4 form has less than 20 pixels."""

_JPEG = b"\xff\xd8\xff"
_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
"""A marker inside entropy-coded data: not a stuffed zero, not a restart, not a fill byte."""
_SOF = {0xC0, 0xC1, 0xC2}
"""Start of frame of baseline, extended and progressive JPEG: what cameras and scanners write."""
_SOI, _EOI, _SOS = 0xD8, 0xD9, 0xDA

_REDUCED = {8: cv2.IMREAD_REDUCED_COLOR_8, 4: cv2.IMREAD_REDUCED_COLOR_4, 2: cv2.IMREAD_REDUCED_COLOR_2}
"""What a JPEG can be decoded to in a fraction of the time: 1/n of its size."""

COLOUR_SHARE = 2
"""A page's colours are kept at 1/COLOUR_SHARE of its size: cameras' JPEGs hold no more, and eyes see no more."""

Color = NDArray[np.uint8]
"""(height, width, 3), BGR."""


@dataclass(frozen=True, slots=True)
class Photograph:
    """A page's picture, upright by its EXIF orientation: what a machine reads whole, what people see in colour."""

    gray: Gray
    color: Color
    """At 1/COLOUR_SHARE of the size of `gray`."""


@dataclass(frozen=True, slots=True)
class _Size:
    width: int
    height: int

    @property
    def details(self) -> dict[str, str | int | float]:
        """For the refusal."""
        return {"width": self.width, "height": self.height}


class _Unusable(Exception):
    """The file is refused while it is walked."""

    def __init__(self, reason: PageRefusal) -> None:
        super().__init__(reason.value)
        self.reason = reason


def frame_from_bytes(data: bytes, name: str, facts: Mapping[str, str | int | float] | None = None) -> Frame:
    """A frame with its hash; nothing is judged yet."""
    return Frame(data, hashlib.sha256(data).hexdigest(), name, dict(facts or {}))


def decode(frame: Frame, min_side: int = MIN_SIDE) -> Color | RefusedPage:
    """The picture (height, width, 3), BGR, upright by its EXIF orientation; or why it is none.

    `min_side`: pixels of the shorter side below which the picture is refused; a loose picture of one box is small.
    """
    size = _checked(frame, min_side)
    if isinstance(size, RefusedPage):
        return size
    picture = _decoded(frame.data, cv2.IMREAD_COLOR)
    return picture if _is_whole(picture, size, 1) else _no_picture(frame, size)


def glance(frame: Frame, side: int) -> Color | RefusedPage:
    """The picture with a longer side of at most `side` pixels, whatever its size is; or why it is none. BGR, quick."""
    size = _checked(frame, 1)
    if isinstance(size, RefusedPage):
        return size
    longest = max(size.width, size.height)
    share = next((share for share in _REDUCED if longest >= share * side), 1)
    picture = _decoded(frame.data, _REDUCED.get(share, cv2.IMREAD_COLOR))
    if not _is_whole(picture, size, share):
        return _no_picture(frame, size)
    factor = side / max(picture.shape)
    small = cv2.resize(picture, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA) if factor < 1 else picture
    return np.asarray(small, dtype=np.uint8)


def decode_page(frame: Frame) -> Photograph | RefusedPage:
    """The picture for reading a page; or why it is none. Full size is never held in colour, where the file allows it.

    A JPEG is decoded to its brightness, and once more at half size for its colours: together that takes less time and
    half the memory of decoding it in colour.
    """
    size = _checked(frame, MIN_SIDE)
    if isinstance(size, RefusedPage):
        return size
    if frame.data.startswith(_JPEG):
        gray, color = _decoded(frame.data, cv2.IMREAD_GRAYSCALE), _decoded(frame.data, cv2.IMREAD_REDUCED_COLOR_2)
    else:
        gray, color = _parted(_decoded(frame.data, cv2.IMREAD_COLOR))
    if not _is_whole(gray, size, 1) or not _is_whole(color, size, COLOUR_SHARE):
        return _no_picture(frame, size)
    return Photograph(gray, color)


def _parted(picture: Color | None) -> tuple[Gray | None, Color | None]:
    """Brightness, and colours at 1/COLOUR_SHARE of the size, rounded up as JPEG decoders do."""
    if picture is None:
        return None, None
    size = (-(-picture.shape[1] // COLOUR_SHARE), -(-picture.shape[0] // COLOUR_SHARE))
    gray = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
    color = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    return np.asarray(gray, dtype=np.uint8), np.asarray(color, dtype=np.uint8)


def _checked(frame: Frame, min_side: int) -> _Size | RefusedPage:
    """The size that the file's header names, when the file is whole and of a size that is read."""
    data = frame.data
    if len(data) > MAX_BYTES:
        return RefusedPage(frame, PageRefusal.TOO_LARGE, {"bytes": len(data)})
    try:
        size = _walk(data)
    except _Unusable as refusal:
        return RefusedPage(frame, refusal.reason)
    if size.width * size.height > MAX_PIXELS or max(size.width, size.height) > MAX_SIDE:
        return RefusedPage(frame, PageRefusal.TOO_LARGE, size.details)
    if min(size.width, size.height) < min_side:
        return RefusedPage(frame, PageRefusal.TOO_SMALL, size.details)
    return size


def _decoded(data: bytes, flags: int) -> NDArray[np.uint8] | None:
    try:
        picture = cv2.imdecode(np.frombuffer(data, dtype=np.uint8), flags)
    except cv2.error:
        return None
    return None if picture is None else np.asarray(picture, dtype=np.uint8)


def _is_whole(picture: NDArray[np.uint8] | None, size: _Size, share: int) -> TypeGuard[NDArray[np.uint8]]:
    """True for a picture of the size that the header names, or of 1/share of it, either way up."""
    if picture is None:
        return False
    return sorted(picture.shape[:2]) == sorted((-(-size.width // share), -(-size.height // share)))


def _no_picture(frame: Frame, size: _Size) -> RefusedPage:
    return RefusedPage(frame, PageRefusal.NOT_A_PICTURE, size.details)


def _walk(data: bytes) -> _Size:
    """Width and height as the header says, after the whole file was found to be there; raises _Unusable."""
    if data.startswith(_JPEG):
        return _walk_jpeg(data)
    if data[:8] == _PNG:
        return _walk_png(data)
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return _walk_webp(data)
    raise _Unusable(PageRefusal.NOT_A_PICTURE)


def _walk_jpeg(data: bytes) -> _Size:
    size: _Size | None = None
    at = 2
    while True:
        marker, at = _jpeg_marker(data, at)
        if marker == _EOI:
            break
        length = int.from_bytes(data[at : at + 2], "big")
        if length < 2 or at + length > len(data):
            raise _Unusable(PageRefusal.TRUNCATED)
        if marker in _SOF and length >= 8:
            size = _Size(int.from_bytes(data[at + 5 : at + 7], "big"), int.from_bytes(data[at + 3 : at + 5], "big"))
        at += length
        if marker == _SOS:
            found = _JPEG_MARKER.search(data, at)
            if not found:
                raise _Unusable(PageRefusal.TRUNCATED)
            at = found.start()
    if size is None:
        raise _Unusable(PageRefusal.NOT_A_PICTURE)
    return size


def _jpeg_marker(data: bytes, at: int) -> tuple[int, int]:
    """The marker at `at`, and where its contents begin."""
    if at + 2 > len(data):
        raise _Unusable(PageRefusal.TRUNCATED)
    if data[at] != 0xFF:
        raise _Unusable(PageRefusal.NOT_A_PICTURE)
    while at < len(data) and data[at] == 0xFF:
        at += 1
    if at >= len(data):
        raise _Unusable(PageRefusal.TRUNCATED)
    return data[at], at + 1


def _walk_png(data: bytes) -> _Size:
    size: _Size | None = None
    at = len(_PNG)
    while True:
        length = int.from_bytes(data[at : at + 4], "big")
        end = at + 12 + length
        if end > len(data):
            raise _Unusable(PageRefusal.TRUNCATED)
        kind = data[at + 4 : at + 8]
        if zlib.crc32(data[at + 4 : end - 4]) != int.from_bytes(data[end - 4 : end], "big"):
            raise _Unusable(PageRefusal.TRUNCATED)
        if kind == b"IHDR" and length == 13:
            size = _Size(int.from_bytes(data[at + 8 : at + 12], "big"), int.from_bytes(data[at + 12 : at + 16], "big"))
        if size is None or kind == b"acTL":
            raise _Unusable(PageRefusal.NOT_A_PICTURE)
        if kind == b"IEND":
            return size
        at = end


def _walk_webp(data: bytes) -> _Size:
    if len(data) < 30 or 8 + int.from_bytes(data[4:8], "little") > len(data):
        raise _Unusable(PageRefusal.TRUNCATED)
    kind, body = data[12:16], data[20:]
    if kind == b"VP8X":
        if body[0] & 0x02:  # animated
            raise _Unusable(PageRefusal.NOT_A_PICTURE)
        return _Size(1 + int.from_bytes(body[4:7], "little"), 1 + int.from_bytes(body[7:10], "little"))
    if kind == b"VP8L" and body[0] == 0x2F:
        bits = int.from_bytes(body[1:5], "little")
        return _Size(1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF))
    if kind == b"VP8 " and body[3:6] == b"\x9d\x01\x2a":
        return _Size(int.from_bytes(body[6:8], "little") & 0x3FFF, int.from_bytes(body[8:10], "little") & 0x3FFF)
    raise _Unusable(PageRefusal.NOT_A_PICTURE)
