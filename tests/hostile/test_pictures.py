"""What can be handed in as a picture."""

from __future__ import annotations

import struct
import tracemalloc
import zlib

import cv2
import numpy as np
import pytest

from firmware.capture.page import take_page
from firmware.capture.picture import MAX_BYTES, decode, frame_from_bytes
from firmware.forms.loader import shipped_layouts
from firmware.records import PageRefusal, RefusedPage
from tests.photographs import Picture, frame, jpeg

LAYOUTS = tuple(shipped_layouts().values())


def plain(width: int = 800, height: int = 700) -> Picture:
    """Something with texture, so that it has as many bytes as a photograph."""
    return np.random.default_rng(0).integers(0, 255, (height, width, 3), dtype=np.uint8)


def encoded(kind: str, picture: Picture | None = None) -> bytes:
    return cv2.imencode(kind, plain() if picture is None else picture)[1].tobytes()


def reason(data: bytes) -> PageRefusal | None:
    found = decode(frame_from_bytes(data, "x.jpg"))
    return found.reason if isinstance(found, RefusedPage) else None


def png_of(width: int, height: int, extra: bytes = b"") -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + extra + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")


@pytest.mark.parametrize("kind", [".jpg", ".png", ".webp"])
def test_a_good_picture_is_decoded(kind: str) -> None:
    found = decode(frame_from_bytes(encoded(kind), "x"))
    assert isinstance(found, np.ndarray)
    assert found.shape == (700, 800, 3)


@pytest.mark.parametrize(
    "data", [b"", b"x", b"Ini bukan gambar, ini teks.", b"\xff\xd8\xff", b"GIF89a" + bytes(2000), b"BM" + bytes(2000)]
)
def test_a_text_file_named_jpg(data: bytes) -> None:
    assert reason(data) in (PageRefusal.NOT_A_PICTURE, PageRefusal.TRUNCATED)
    assert isinstance(take_page(frame_from_bytes(data, "x.jpg"), LAYOUTS), RefusedPage)


@pytest.mark.parametrize("kind", [".jpg", ".png", ".webp"])
@pytest.mark.parametrize("kept", [0.05, 0.5, 0.98])
def test_the_copy_stopped_half_way(kind: str, kept: float) -> None:
    data = encoded(kind)
    assert reason(data[: int(len(data) * kept)]) is PageRefusal.TRUNCATED


def test_a_progressive_jpeg_stopped_between_two_scans() -> None:
    data = cv2.imencode(".jpg", plain(), [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])[1].tobytes()
    assert reason(data) is None
    second_scan = data.index(b"\xff\xda", data.index(b"\xff\xda") + 2)
    assert reason(data[:second_scan]) is PageRefusal.TRUNCATED


def test_a_phone_appends_a_film_after_the_picture() -> None:
    assert reason(encoded(".jpg") + bytes(5000)) is None


def test_a_byte_of_a_png_is_wrong() -> None:
    data = bytearray(encoded(".png"))
    data[len(data) // 2] ^= 1
    assert reason(bytes(data)) is PageRefusal.TRUNCATED


def test_one_pixel() -> None:
    assert reason(encoded(".png", plain(1, 1))) is PageRefusal.TOO_SMALL


def test_a_picture_of_200_megapixels_takes_no_memory() -> None:
    data = png_of(20_000, 10_000)
    tracemalloc.start()
    assert reason(data) is PageRefusal.TOO_LARGE
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1_000_000


def test_a_file_of_many_bytes_is_not_even_looked_at() -> None:
    assert reason(bytes(MAX_BYTES + 1)) is PageRefusal.TOO_LARGE


def test_an_animation() -> None:
    control = struct.pack(">II", 2, 0)
    moving = struct.pack(">I", 8) + b"acTL" + control + struct.pack(">I", zlib.crc32(b"acTL" + control))
    assert reason(png_of(800, 700, moving)) is PageRefusal.NOT_A_PICTURE


def test_a_header_that_promises_more_than_there_is() -> None:
    assert reason(png_of(800, 700)) is PageRefusal.NOT_A_PICTURE


def test_the_camera_was_held_upright() -> None:
    """EXIF orientation 6: what is stored lying on its side is seen upright."""
    picture = plain(800, 700)
    picture[:100, :100] = 255
    stored = jpeg(np.ascontiguousarray(np.rot90(picture)), 95)
    tiff = b"II*\0\x08\0\0\0" + struct.pack("<HHHIHHI", 1, 0x0112, 3, 1, 6, 0, 0)
    body = b"Exif\0\0" + tiff
    found = decode(
        frame_from_bytes(stored[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + stored[2:], "x")
    )
    assert isinstance(found, np.ndarray)
    assert found.shape == (700, 800, 3)
    assert found[10:90, 10:90].mean() > 240


def test_a_wall() -> None:
    rng = np.random.default_rng(1)
    wall = np.clip(rng.normal(190, 6, (1200, 1600, 3)), 0, 255).astype(np.uint8)
    outcome = take_page(frame(wall), LAYOUTS)
    assert isinstance(outcome, RefusedPage)
    assert outcome.reason is PageRefusal.NO_FORM


def test_a_tiled_wall() -> None:
    """Straight lines everywhere, at equal distances, and no form."""
    wall = np.full((1500, 1100, 3), 230, np.uint8)
    wall[::50] = wall[:, ::50] = 40
    outcome = take_page(frame(wall), LAYOUTS)
    assert isinstance(outcome, RefusedPage)
    assert outcome.reason is PageRefusal.NO_FORM
