"""A network that goes on from an exported model, and the mean of two models of which one went on from the other."""

from __future__ import annotations

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import nn

from firmware.digit_model.normalise import batch
from models.train.network import DigitNet

FITTED_ON = 1024
"""Cells on which the batch normalisations' statistics are found again."""


def _weights(model: bytes) -> tuple[list[tuple[torch.Tensor, torch.Tensor]], list[tuple[torch.Tensor, torch.Tensor]]]:
    """Weight and bias of every convolution and of every linear layer, in the order in which they are run."""
    graph = onnx.load_model_from_string(model).graph
    values = {entry.name: torch.from_numpy(onnx.numpy_helper.to_array(entry).copy()) for entry in graph.initializer}
    found: dict[str, list[tuple[torch.Tensor, torch.Tensor]]] = {"Conv": [], "Gemm": []}
    for node in graph.node:
        if node.op_type in found:
            found[node.op_type].append((values[node.input[1]], values[node.input[2]]))
    return found["Conv"], found["Gemm"]


def network(model: bytes, cells: NDArray[np.uint8]) -> DigitNet:
    """An exported model as a network that can be trained on; its logits are the model's before the temperature.

    The export folds every batch normalisation into the convolution before it. Here each one is put back with the
    mean and spread that `cells` show, and undoes itself with its own scale and offset.
    """
    convolutions, linear = _weights(model)
    net = DigitNet().eval()
    views = torch.from_numpy(batch(list(cells[:FITTED_ON])))
    with torch.no_grad():
        for branch, seen in ((net.cell, views[:, :1]), (net.ink, views[:, 1:])):
            _restore(branch, seen, convolutions)
        layers = [layer for layer in net.head if isinstance(layer, nn.Linear)]
        for layer, (weight, bias) in zip(layers, linear, strict=True):
            layer.weight.copy_(weight)
            layer.bias.copy_(bias)
    return net


def blended(first: bytes, second: bytes, share: float) -> bytes:
    """The model whose weights lie `share` of the way from `first` to `second`, which went on from it.

    What the longer training learnt is kept mostly, and so is what it forgot: hands that its cells hold less of.
    """
    middle, goal = onnx.load_model_from_string(first), onnx.load_model_from_string(second)
    for entry, aim in zip(middle.graph.initializer, goal.graph.initializer, strict=True):
        if entry.dims != aim.dims:
            raise ValueError(f"{entry.name} and {aim.name} are not of one shape")
        if entry.data_type == onnx.TensorProto.FLOAT:
            mean = (1 - share) * onnx.numpy_helper.to_array(entry) + share * onnx.numpy_helper.to_array(aim)
            entry.CopyFrom(onnx.numpy_helper.from_array(mean.astype(np.float32), entry.name))
    data: bytes = middle.SerializeToString()
    return data


def _restore(branch: nn.Sequential, seen: torch.Tensor, convolutions: list[tuple[torch.Tensor, torch.Tensor]]) -> None:
    """Fills one branch from the front of `convolutions`, which it uses up; `seen` is its input."""
    bias = torch.zeros(0)
    for layer in branch:
        if isinstance(layer, nn.Conv2d):
            weight, bias = convolutions.pop(0)
            layer.weight.copy_(weight)
        if isinstance(layer, nn.BatchNorm2d):
            spread, mean = torch.var_mean(seen, (0, 2, 3))
            layer.running_mean, layer.running_var = mean, spread
            layer.weight.copy_((spread + layer.eps).sqrt())
            layer.bias.copy_(bias + mean)
        seen = layer(seen)
