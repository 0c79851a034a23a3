"""The data sets, their splits and the label corrections. Nothing here is part of the repository's files."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from firmware.digit_model.framing import frame_box, grey
from firmware.records import CELL_PIXELS, LABELS, Gray

VALIDATION_FROM = 420
TEST_FROM = 480
"""The 2024 boxes are split by their number nnn over all classes, because neighbouring numbers come from one sheet:
1..419 train, 420..479 validation and calibration, 480..599 test."""

CORRECTIONS = Path(__file__).with_name("label_corrections.json")

SEMEION_CLASSES = 10


@dataclass(frozen=True)
class Box:
    """One real 2024 box."""

    name: str
    number: int
    bgr: NDArray[np.uint8]
    published: str | None
    """The label as published; None where it is not one of ours ("other")."""
    label: str | None
    """The label after corrections; None: not used."""

    @property
    def split(self) -> str:
        """train, validation or test."""
        if self.number >= TEST_FROM:
            return "test"
        return "validation" if self.number >= VALIDATION_FROM else "train"

    def framed(self) -> Gray:
        """The box as `c1kiosk digits` frames it."""
        return frame_box(self.bgr)

    def whole(self) -> Gray:
        """The whole crop, as a wrong framing would show it."""
        size = (CELL_PIXELS, CELL_PIXELS)
        return np.asarray(cv2.resize(grey(self.bgr), size, interpolation=cv2.INTER_AREA), np.uint8)


def read_corrections() -> dict[str, str]:
    """File name -> corrected label or "drop"."""
    entries = json.loads(CORRECTIONS.read_text())
    return {name: entry["label"] for name, entry in entries.items()}


def read_boxes(folder: Path) -> list[Box]:
    """All real 2024 boxes in order of name."""
    published = json.loads((folder / "digits/chasil2024_boxes.labels.json").read_text())
    corrections = read_corrections()
    boxes = []
    with tarfile.open(folder / "digits/chasil2024_boxes.tar") as tar:
        for member in sorted(tar.getmembers(), key=lambda entry: entry.name):
            stream = tar.extractfile(member)
            if stream is None or not member.name.endswith(".jpg"):
                continue
            name = Path(member.name).name
            picture = cv2.imdecode(np.frombuffer(stream.read(), np.uint8), cv2.IMREAD_COLOR)
            old = published[name] if published[name] in LABELS else None
            new = corrections.get(name, "unclear" if old is None else old)
            label = None if new == "drop" else new
            boxes.append(Box(name, int(name[2:5]), np.asarray(picture, np.uint8), old, label))
    return boxes


def _idx(path: Path) -> NDArray[np.uint8]:
    raw = gzip.decompress(path.read_bytes())
    sizes = [int.from_bytes(raw[4 + 4 * i : 8 + 4 * i]) for i in range(raw[3])]
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * len(sizes)).reshape(sizes)


def mnist(folder: Path, part: str) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """MNIST pictures and labels; part is "train" or "t10k"."""
    pictures = _idx(folder / f"digits/{part}-images-idx3-ubyte.gz")
    return pictures, _idx(folder / f"digits/{part}-labels-idx1-ubyte.gz")


def usps(folder: Path) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """USPS training pictures 16x16 (white on black) and labels; lines of "label 1:v 2:v ..." or plain numbers."""
    text = gzip.decompress((folder / "digits/usps_train.gz").read_bytes()).decode()
    rows = []
    for row in text.splitlines():
        values = [float(token.rpartition(":")[2]) for token in row.split()]
        rows.append(values)
    table = np.array(rows)
    pictures = np.clip((table[:, 1:] + 1) / 2 * 255, 0, 255).astype(np.uint8).reshape(-1, 16, 16)
    labels = table[:, 0].astype(int)
    return pictures, (labels - 1 if labels.max() == 10 else labels).astype(np.uint8)


def semeion(folder: Path) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Semeion pictures 16x16 (white on black) and labels."""
    data = np.load(io.BytesIO((folder / "digits/semeion.npz").read_bytes()))
    pictures = data["x"].astype(np.uint8)
    return pictures * (255 // max(1, int(pictures.max()))), data["y"]


def cvl(folder: Path) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """CVL test digits 28x28 (white on black) and labels: non-commercial, measured on and never trained on."""
    data = np.load(io.BytesIO((folder / "digits/cvl.npz").read_bytes()))
    return 255 - data["x_test"], data["y_test"]
