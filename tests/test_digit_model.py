"""What goes wrong between a cell's picture and its reading. Cells are drawn from strokes; no data set is needed."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from firmware.digit_model.classifier import DigitModel
from firmware.digit_model.framing import find_box, frame_box
from firmware.digit_model.normalise import magnified, normalise
from firmware.errors import ModelRefused
from firmware.records import CELL_MARGIN, CELL_PIXELS, DIGITS, LABELS, CellReading, Gray
from models.train.cells import InkShelf, draw

MODELS = Path(__file__).parent.parent / "models"

SEED = 918_273
"""Never used in training: training draws from TRAINING_SEED and VALIDATION_SEED in models/train/pool.py."""


@pytest.fixture(scope="module")
def model() -> DigitModel:
    return DigitModel.load(MODELS)


def cells_of(label: str, count: int, strength: float = 0.5) -> list[Gray]:
    """Drawn cells of one label, half of them 2024 boxes."""
    rng = np.random.default_rng([SEED, LABELS.index(label)])
    return [draw(rng, InkShelf(), label, index % 2 == 0, strength) for index in range(count)]


def share_read_as(readings: list[CellReading], label: str) -> float:
    return sum(reading.label == label for reading in readings) / len(readings)


def test_somebody_exchanged_the_model_file(tmp_path: Path) -> None:
    shutil.copy(MODELS / "digits.json", tmp_path)
    data = bytearray((MODELS / "digits.onnx").read_bytes())
    data[len(data) // 2] ^= 1
    (tmp_path / "digits.onnx").write_bytes(data)
    with pytest.raises(ModelRefused) as refusal:
        DigitModel.load(tmp_path)
    assert refusal.value.code == "model-digest"


def test_model_file_is_missing(tmp_path: Path) -> None:
    with pytest.raises(ModelRefused) as refusal:
        DigitModel.load(tmp_path)
    assert refusal.value.code == "model-missing"
    shutil.copy(MODELS / "digits.json", tmp_path)
    with pytest.raises(ModelRefused) as refusal:
        DigitModel.load(tmp_path)
    assert refusal.value.code == "model-missing"


@pytest.mark.parametrize("change", [{"labels": ["0", "1"]}, {"unknown": 1}, {"file": "../digits.onnx"}])
def test_manifest_is_for_something_else(tmp_path: Path, change: dict[str, object]) -> None:
    manifest = json.loads((MODELS / "digits.json").read_text())
    (tmp_path / "digits.json").write_text(json.dumps({**manifest, **change}))
    with pytest.raises(ModelRefused) as refusal:
        DigitModel.load(tmp_path)
    assert refusal.value.code in ("model-manifest", "model-missing")


def test_manifest_of_another_framing_is_refused(tmp_path: Path) -> None:
    manifest = json.loads((MODELS / "digits.json").read_text())
    manifest["input"]["cell_margin"] = 0.1
    (tmp_path / "digits.json").write_text(json.dumps(manifest))
    with pytest.raises(ModelRefused, match="framing"):
        DigitModel.load(tmp_path)


def test_no_cells(model: DigitModel) -> None:
    assert model.read([]) == []


@pytest.mark.parametrize(
    "cell", [np.zeros((48, 47), np.uint8), np.zeros((48, 48), np.float32), np.zeros((1, 48, 48), np.uint8)]
)
def test_cell_of_another_shape_is_a_mistake(model: DigitModel, cell: Gray) -> None:
    with pytest.raises(ValueError, match="48"):
        model.read([cell])


def test_same_picture_same_bits_whatever_is_read_beside_it(model: DigitModel) -> None:
    cells = cells_of("7", 3) + cells_of("X", 3)
    alone = [model.read([cell])[0] for cell in cells]
    assert model.read(cells) == alone
    assert DigitModel.load(MODELS).read(cells[::-1]) == alone[::-1]


class CountingSession:
    """Stands in for the network: the same logits always, and how often they were asked for."""

    def __init__(self, sure: float) -> None:
        self.runs, self.logits = 0, np.array([[sure] + [0.0] * (len(LABELS) - 1)], np.float32)

    def run(self, names: None, inputs: dict[str, NDArray[np.float32]]) -> list[NDArray[np.float32]]:
        self.runs += 1
        return [self.logits]


@pytest.mark.parametrize("sure,runs", [(20.0, 1), (3.0, 3)])
def test_doubtful_cell_is_not_looked_at_again(model: DigitModel, sure: float, runs: int) -> None:
    session = CountingSession(sure)
    reading = DigitModel(model.manifest, session).read(cells_of("4", 1))[0]
    assert session.runs == runs
    assert reading.label == LABELS[0]


def test_second_look_is_shifted() -> None:
    cell = np.full((CELL_PIXELS, CELL_PIXELS), 220, np.uint8)
    cv2.circle(cell, (CELL_PIXELS // 2, CELL_PIXELS // 2), 8, 20, -1)
    cell = np.minimum(cell, cell[::-1, ::-1])
    larger, smaller = magnified(cell, 1.06), magnified(cell, 0.94)
    assert (larger < 120).sum() > (cell < 120).sum() > (smaller < 120).sum()
    for seen in (larger, smaller):
        assert np.abs(seen.astype(int) - seen[::-1, ::-1].astype(int)).max() <= 2


def test_probabilities_sum_to_one(model: DigitModel) -> None:
    for reading in model.read(cells_of("unclear", 20)):
        assert len(reading.probabilities) == len(LABELS)
        assert abs(sum(reading.probabilities) - 1) < 1e-9
        assert min(reading.probabilities) >= 0


@pytest.mark.parametrize("label", [*DIGITS, "X", "-", "blank"])
def test_plainly_written_cells_are_read(model: DigitModel, label: str) -> None:
    assert share_read_as(model.read(cells_of(label, 40)), label) >= 0.9


def test_padding_is_never_a_sure_digit(model: DigitModel) -> None:
    for label in ("X", "-", "blank"):
        for reading in model.read(cells_of(label, 60)):
            assert not (reading.label in DIGITS and reading.confidence >= model.accept_digit)


def test_garbage_is_not_a_sure_digit(model: DigitModel) -> None:
    rng = np.random.default_rng(SEED)
    noise = [rng.integers(0, 256, (CELL_PIXELS, CELL_PIXELS)).astype(np.uint8) for _ in range(20)]
    blots = [cv2.GaussianBlur(picture, (0, 0), 3) for picture in noise]
    stretched = [cv2.normalize(blot, blot.copy(), 0, 255, cv2.NORM_MINMAX) for blot in blots]
    for reading in model.read([*noise, *stretched]):
        assert not (reading.label in DIGITS and reading.confidence >= model.accept_digit)


def test_two_digits_over_one_another_are_mostly_unclear(model: DigitModel) -> None:
    readings = model.read(cells_of("unclear", 120))
    sure = [r for r in readings if r.label != "unclear" and r.confidence >= model.accept_digit]
    assert len(sure) / len(readings) <= 0.15


def test_light_does_not_change_the_reading() -> None:
    rng = np.random.default_rng(SEED)
    cell = draw(rng, InkShelf(), "5", True, 0.0)
    darker = (cell.astype(np.float32) * 0.6).astype(np.uint8)
    assert np.abs(normalise(cell) - normalise(darker)).mean() < 0.06


def test_black_picture_is_not_an_empty_cell(model: DigitModel) -> None:
    reading = model.read([np.zeros((CELL_PIXELS, CELL_PIXELS), np.uint8)])[0]
    assert not (reading.label != "unclear" and reading.confidence >= model.accept_digit)


@pytest.mark.parametrize("width,height,turn", [(300, 260, 0.0), (40, 46, 0.0), (120, 120, 4.0), (700, 640, -4.0)])
def test_loose_picture_of_a_box_is_framed(width: int, height: int, turn: float) -> None:
    picture = np.full((height, width), 200, np.uint8)
    left, top = round(0.12 * width), round(0.1 * height)
    box = (left, top, round(0.7 * width), round(0.75 * height))
    thick = max(1, width // 40)
    cv2.rectangle(picture, box, 30, thick)
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), turn, 1)
    picture = cv2.warpAffine(picture, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)
    found = find_box(picture)
    assert found is not None
    ring = frame_box(picture).astype(float)
    low = CELL_PIXELS * CELL_MARGIN / (1 + 2 * CELL_MARGIN) - 0.5
    for side in (ring, ring[::-1], ring.T, ring.T[::-1]):
        assert abs(int(side[: CELL_PIXELS // 2, 12:-12].mean(axis=1).argmin()) - low) <= 1.1


def test_picture_without_a_box_is_taken_whole() -> None:
    picture = np.full((90, 60), 220, np.uint8)
    cv2.line(picture, (30, 15), (30, 75), 20, 4)
    assert find_box(picture) is None
    framed = frame_box(picture)
    assert framed.shape == (CELL_PIXELS, CELL_PIXELS)
    assert abs(int(framed[CELL_PIXELS // 2].argmin()) - CELL_PIXELS // 2) <= 1


def test_flat_picture_has_no_box() -> None:
    assert find_box(np.full((50, 50), 128, np.uint8)) is None


def test_the_runtime_reports_to_its_maker() -> None:
    """Where it may report and cannot keep its number anywhere, it complains."""
    command = [sys.executable, "-c", "import firmware.digit_model.classifier"]
    done = subprocess.run(command, env={"HOME": "/proc/nowhere"}, capture_output=True, text=True, check=True)
    assert done.stderr == ""
