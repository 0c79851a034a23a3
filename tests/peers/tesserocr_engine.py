"""Tesseract through tesserocr, in this process, with the English model of Debian's tesseract-ocr."""

from __future__ import annotations

from pathlib import Path

from firmware.records import Gray
from tests.peers.engine import Answer, Crop, NotInstalled

TESSDATA = Path("/usr/share/tesseract-ocr/5/tessdata")
"""Where Debian's tesseract-ocr-eng lies."""

SINGLE_CHARACTER = 10
"""Page segmentation mode, as `tesseract --psm 10`."""

LSTM_ONLY = 1
"""Debian's model holds no other recogniser."""

RESOLUTION = 300
"""Dots an inch that Tesseract is told, because the cells carry none."""

CROP = Crop(inset=0.0, side=32, margin=0.1, contrast="stretched")


class Tesseract:
    """Digits only, one character a picture. One thread: run.sh sets OMP_THREAD_LIMIT=1 before the library loads."""

    name = "Tesseract"

    def __init__(self, crop: Crop = CROP) -> None:
        try:
            import tesserocr
        except ImportError as problem:
            raise NotInstalled(str(problem)) from problem
        if not (TESSDATA / "eng.traineddata").is_file():
            raise NotInstalled("Debian's tesseract-ocr is missing, and there is no right to install it")
        self._crop = crop
        self._api = tesserocr.PyTessBaseAPI(path=str(TESSDATA), lang="eng", psm=SINGLE_CHARACTER, oem=LSTM_ONLY)
        self._api.SetVariable("tessedit_char_whitelist", "0123456789")
        self.version = tesserocr.tesseract_version().split()[1]

    def read(self, cell: Gray) -> Answer:
        """What it reads; confidence 0 to 100."""
        picture = self._crop(cell)
        height, width = picture.shape
        self._api.SetImageBytes(picture.tobytes(), width, height, 1, width)
        self._api.SetSourceResolution(RESOLUTION)
        return Answer(self._api.GetUTF8Text().strip(), float(self._api.MeanTextConf()))
