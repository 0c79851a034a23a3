"""RapidOCR, recognition only, with its bundled PP-OCRv6 small model on onnxruntime."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import cv2

from firmware.records import Gray
from tests.peers.engine import Answer, Crop, NotInstalled

CROP = Crop(inset=0.1, side=48, margin=0.0, contrast="black")

LINE_SHAPE = [3, 48, 320]
"""Channels, height, width of the line that a cell is padded to: its default. Narrower is faster and reads fewer."""

SETTINGS: dict[str, Any] = {
    "EngineConfig.onnxruntime.intra_op_num_threads": 1,
    "EngineConfig.onnxruntime.inter_op_num_threads": 1,
    "Global.log_level": "error",
    "Rec.rec_img_shape": LINE_SHAPE,
}


class RapidOcr:
    """Any text, with its confidence."""

    name = "RapidOCR"

    def __init__(self, crop: Crop = CROP) -> None:
        try:
            import rapidocr
        except ImportError as problem:
            raise NotInstalled(str(problem)) from problem
        self._crop = crop
        self._reader = rapidocr.RapidOCR(params=SETTINGS)
        self.version = version("rapidocr")

    def read(self, cell: Gray) -> Answer:
        """What it reads; confidence 0 to 1."""
        picture = cv2.cvtColor(self._crop(cell), cv2.COLOR_GRAY2BGR)
        found = self._reader(picture, use_det=False, use_cls=False, use_rec=True)
        return Answer(found.txts[0], float(found.scores[0]))
