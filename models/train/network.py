"""The network: small enough for a few milliseconds a cell on one core of a Raspberry Pi 4."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from firmware.records import LABELS


def _block(inside: int, outside: int) -> list[nn.Module]:
    return [nn.Conv2d(inside, outside, 3, padding=1, bias=False), nn.BatchNorm2d(outside), nn.ReLU(inplace=True)]


def _view() -> nn.Sequential:
    """(n, 1, 48, 48) to (n, 864): one view of the cell."""
    return nn.Sequential(
        nn.Conv2d(1, 16, 5, stride=2, padding=2, bias=False),
        nn.BatchNorm2d(16),
        nn.ReLU(inplace=True),
        *_block(16, 32),
        nn.MaxPool2d(2),
        *_block(32, 48),
        *_block(48, 48),
        nn.MaxPool2d(2),
        *_block(48, 96),
        *_block(96, 96),
        nn.MaxPool2d(2),
        nn.Flatten(),
    )


class DigitNet(nn.Module):
    """(n, 2, 48, 48) cells and their ink to (n, len(LABELS)) logits divided by the calibration temperature."""

    def __init__(self) -> None:
        super().__init__()
        self.cell, self.ink = _view(), _view()
        self.head = nn.Sequential(
            nn.Dropout(0.3),
            nn.Linear(2 * 864, 128),
            nn.ReLU(inplace=True),
            nn.Dropout(0.2),
            nn.Linear(128, len(LABELS)),
        )
        self.register_buffer("temperature", torch.ones(()))

    def forward(self, views: Tensor) -> Tensor:
        """Logits."""
        seen = torch.cat([self.cell(views[:, :1]), self.ink(views[:, 1:])], dim=1)
        logits: Tensor = self.head(seen)
        return logits / self.temperature
