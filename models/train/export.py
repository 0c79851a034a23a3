"""Network to models/digits.onnx, and the manifest beside it."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import Any

import msgspec
import torch

from firmware.digit_model.manifest import MANIFEST, Input, Manifest
from firmware.records import CELL_MARGIN, CELL_PIXELS, LABELS
from models.train.network import DigitNet

OPSET = 17
"""Old enough for every onnxruntime that the lock file may name."""

INPUT_NAME = "cells"
MODEL = "digits.onnx"


def onnx_bytes(net: DigitNet) -> bytes:
    """The network as ONNX, float32, any batch size; batch normalisation is folded into the convolutions."""
    buffer = io.BytesIO()
    torch.onnx.export(
        net.eval().float().to(memory_format=torch.contiguous_format),
        (torch.zeros(2, 2, CELL_PIXELS, CELL_PIXELS),),
        buffer,
        input_names=[INPUT_NAME],
        output_names=["logits"],
        dynamic_axes={INPUT_NAME: {0: "n"}, "logits": {0: "n"}},
        opset_version=OPSET,
        dynamo=False,
    )
    return buffer.getvalue()


def write(folder: Path, model: bytes, accept: float, date: str, data: dict[str, Any], figures: dict[str, Any]) -> None:
    """The model and its manifest into `folder`."""
    (folder / MODEL).write_bytes(model)
    shape = ("n", 2, CELL_PIXELS, CELL_PIXELS)
    framing = Input(INPUT_NAME, shape, CELL_PIXELS, CELL_MARGIN, "firmware.digit_model.normalise")
    digest = hashlib.sha256(model).hexdigest()
    manifest = Manifest(MODEL, digest, LABELS, framing, accept, date, data, figures)
    text = msgspec.json.format(msgspec.json.encode(manifest), indent=1)
    (folder / MANIFEST).write_bytes(text + b"\n")
