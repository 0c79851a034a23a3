"""The network: small enough for a few milliseconds a cell on one core of a Raspberry Pi 4."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from firmware.records import LABELS


def _block(inside: int, outside: int) -> list[nn.Module]:
    return [nn.Conv2d(inside, outside, 3, padding=1, bias=False), nn.BatchNorm2d(outside), nn.ReLU(inplace=True)]


class DigitNet(nn.Module):
    """(n, 1, 48, 48) normalised cells to (n, len(LABELS)) logits divided by the calibration temperature."""

    def __init__(self) -> None:
        super().__init__()
        first = [nn.Conv2d(1, 16, 5, stride=2, padding=2, bias=False), nn.BatchNorm2d(16), nn.ReLU(inplace=True)]
        self.features = nn.Sequential(
            *first,
            *_block(16, 32),
            nn.MaxPool2d(2),
            *_block(32, 48),
            *_block(48, 48),
            nn.MaxPool2d(2),
            *_block(48, 96),
            *_block(96, 96),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Dropout(0.3),
        )
        self.head = nn.Linear(96 * 9, len(LABELS))
        self.register_buffer("temperature", torch.ones(()))

    def forward(self, cells: Tensor) -> Tensor:
        """Logits."""
        logits: Tensor = self.head(self.features(cells))
        return logits / self.temperature
