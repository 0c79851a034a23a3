"""ddddocr with its newer bundled model (beta=True; the default one reads fewer of the same boxes)."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

from firmware.records import Gray
from tests.peers.engine import Answer, Crop, NotInstalled

CROP = Crop(inset=0.04, side=64, margin=0.1, contrast="black")


class DdddOcr:
    """Any text, with its confidence; asking for it makes ddddocr list the odds of 8,210 characters."""

    name = "ddddocr"

    def __init__(self, crop: Crop = CROP) -> None:
        try:
            import ddddocr
            import onnxruntime
            from PIL import Image
        except ImportError as problem:
            raise NotInstalled(str(problem)) from problem
        self._crop = crop
        self._picture = Image.fromarray
        self._reader = ddddocr.DdddOcr(show_ad=False, beta=True)
        # ddddocr has no setting for threads, so its model is loaded again with one.
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        model = Path(ddddocr.__file__).parent / "common.onnx"
        self._reader.ocr_engine.session = onnxruntime.InferenceSession(
            str(model), options, providers=["CPUExecutionProvider"]
        )
        self.version = version("ddddocr")

    def read(self, cell: Gray) -> Answer:
        """What it reads; confidence 0 to 1, the mean over the steps of its line."""
        found = self._reader.classification(self._picture(self._crop(cell)), probability=True)
        return Answer(found["text"], float(found["confidence"]))
