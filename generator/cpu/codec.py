"""EnCodec on a processor: the network of `generator.networks.encodec`, its layers computed by compiled loops.

A convolution is one product of its weights with overlapping windows of its input; MLX would copy the windows first.
Arrays between layers are MLX's, so that the codec's streams use these layers as they use its own.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any, TypeAlias

import mlx.core as mx
import mlx.nn as nn
import numpy as np
from numpy.typing import NDArray

from ..networks.encodec import (
    LSTM,
    Conv1d,
    ConvTranspose1d,
    EncodecModel,
    PadMode,
    ResnetBlock,
    State,
    in_sequence,
)
from .kernels import advance_lstm, elu
from .matrices import Weights
from .products import ADD, by_outputs, convolve, product
from .threads import cores

__all__ = ["ProcessorCodec"]


Floats: TypeAlias = NDArray[np.float32]


class ProcessorCodec(EncodecModel):
    """The whole codec; takes the place of the `EncodecModel` that it is made of."""

    def __init__(self, codec: EncodecModel) -> None:
        """Use the weights of `codec`; layers whose weights are stored in another order here give them up."""
        nn.Module.__init__(self)
        self.config, self.quantizer = codec.config, codec.quantizer
        self.encoder = Layers(codec.encoder.layers)  # type: ignore[assignment]
        self.decoder = Layers(codec.decoder.layers)  # type: ignore[assignment]


class Layers:
    """Layers in sequence."""

    def __init__(self, layers: Iterable[nn.Module]) -> None:
        """Replace the layers that have loops."""
        self.layers: list[Any] = []
        for layer in layers:
            self.layers.append(_on_processor(layer))
            if isinstance(self.layers[-1], Convolution | Residual | Transposed):
                layer.clear()  # its weights were copied in another order: hold them once, not twice
                mx.clear_cache()

    def __call__(self, x: mx.array) -> mx.array:
        """Return what the layers make of (batch, time, channels)."""
        return in_sequence(self.layers, x)


def _on_processor(layer: nn.Module) -> Any:
    if isinstance(layer, ResnetBlock) and layer.block[1].dilation == 1:
        return Residual(layer)
    if isinstance(layer, Conv1d) and layer.dilation == 1:
        return Convolution(layer)
    if isinstance(layer, ConvTranspose1d):
        return Transposed(layer)
    if isinstance(layer, LSTM):
        return Recurrent(layer)
    return Elu() if isinstance(layer, nn.ELU) else layer


class RowByRow(ABC):
    """A layer that is computed for one row of a batch at a time."""

    def __call__(self, x: mx.array) -> mx.array:
        """Map (batch, time, in) to (batch, other time, out)."""
        rows = np.asarray(x)
        with cores(x.size * x.shape[2]):
            outputs = [self.row(np.ascontiguousarray(row)) for row in rows]
        return mx.array(np.stack(outputs) if len(outputs) > 1 else outputs[0][None])

    @abstractmethod
    def row(self, x: Floats) -> Floats:
        """Map (time, in) to (other time, out)."""


class Convolution(RowByRow):
    """`Conv1d` without dilation."""

    # The function, not the method of the layer: a method would keep the layer and so its weights.
    context: Any = Conv1d.context

    def __init__(self, layer: Conv1d) -> None:
        _, self.taps, inputs = layer.conv.weight.shape
        self.weight, self.bias = _by_window(np.asarray(layer.conv.weight)), np.array(layer.conv.bias)
        self.stride, self.step = layer.stride, layer.stride * inputs
        self.left, self.right, self.mode = layer.left, layer.right, layer.mode

    def row(self, x: Floats) -> Floats:
        x = _pad(x, self.left, self.right + -len(x) % self.stride, self.mode)
        out = np.empty(((len(x) - self.taps) // self.stride + 1, len(self.bias)), np.float32)
        convolve(x.reshape(-1), self.step, self.weight, self.bias, out)
        return out


class Transposed(RowByRow):
    """`ConvTranspose1d` as a convolution: two neighbouring frames make one stride of samples."""

    context: Any = ConvTranspose1d.context

    def __init__(self, layer: ConvTranspose1d) -> None:
        outputs, _, self.inputs = layer.conv.weight.shape
        halves = np.asarray(layer.conv.weight).reshape(outputs, 2, layer.stride, self.inputs)
        self.weight = _by_window(halves[:, ::-1].transpose(2, 0, 1, 3).reshape(-1, 2, self.inputs))
        self.bias = np.tile(np.array(layer.conv.bias), layer.stride)
        self.outputs, self.stride, self.trim = outputs, layer.stride, layer.trim

    def row(self, x: Floats) -> Floats:
        left, right = self.trim
        out = np.empty((len(x) + 1, len(self.bias)), np.float32)
        convolve(np.pad(x, [(1, 1), (0, 0)]).reshape(-1), self.inputs, self.weight, self.bias, out)
        samples = out.reshape(-1, self.outputs)
        return samples[left : len(samples) - right]


class Elu(RowByRow):
    """`nn.ELU`."""

    def context(self, left: int, right: int) -> tuple[int, int]:
        """Return how many inputs each side are seen by outputs that need `left` and `right` of their own."""
        return left, right

    def row(self, x: Floats) -> Floats:
        return _elu(x)


class Residual(RowByRow):
    """`ResnetBlock` without dilation."""

    def __init__(self, layer: ResnetBlock) -> None:
        self.first, self.second = Convolution(layer.block[1]), Convolution(layer.block[3])
        self.shortcut = Convolution(layer.shortcut) if "shortcut" in layer else None
        self.context = self.first.context

    def row(self, x: Floats) -> Floats:
        out = self.second.row(_elu(self.first.row(_elu(x))))
        out += self.shortcut.row(x) if self.shortcut else x
        return out


class Recurrent:
    """`LSTM`."""

    def __init__(self, layer: LSTM) -> None:
        self.size = layer.size
        self.lstm = [
            (Weights.of(np.asarray(one.Wx)), Weights.of(np.asarray(one.Wh)), np.asarray(one.bias))
            for one in layer.lstm
        ]

    def __call__(self, x: mx.array) -> mx.array:
        """Map (batch, time, size) to the same shape, from a zero state."""
        return self.advance(x, None)[0]

    def advance(self, x: mx.array, state: State | None) -> tuple[mx.array, State]:
        """Return the outputs for the next frames (batch, time, size) and the state after them."""
        batch, time, size = x.shape
        zero = mx.zeros((batch, size))
        before = state or [(zero, zero)] * len(self.lstm)
        inputs, after = np.asarray(x), []
        y = inputs
        with cores(batch * size**2):
            for (weight_x, weight_h, bias), carried in zip(self.lstm, before, strict=True):
                hidden, cell = (np.array(one) for one in carried)
                projected = np.tile(bias, (batch * time, 1))
                product(np.ascontiguousarray(y).reshape(-1, size), *weight_x, ADD, projected)
                by_time = projected.reshape(batch, time, -1).swapaxes(0, 1)
                outputs = np.empty((time, batch, size), np.float32)
                for gates, output in zip(by_time, outputs, strict=True):
                    gates = np.ascontiguousarray(gates)
                    product(hidden, *weight_h, ADD, gates)
                    advance_lstm(gates, cell, hidden)
                    output[:] = hidden
                y = outputs.swapaxes(0, 1)
                after.append((mx.array(hidden), mx.array(cell)))
        return mx.array(y + inputs), after


def _elu(x: Floats) -> Floats:
    out = np.empty_like(x)
    elu(x.reshape(-1), out.reshape(-1))
    return out


def _by_window(weight: Floats) -> Floats:
    """Return weights (outputs, taps, inputs) in the order that `convolve` needs."""
    return by_outputs(weight.reshape(len(weight), -1))


def _pad(x: Floats, left: int, right: int, mode: PadMode) -> Floats:
    """Pad (time, channels) as `generator.networks.encodec.pad` does."""
    if left == right == 0:
        return x
    missing = max(0, max(left, right) + 1 - len(x)) if mode == "reflect" else 0
    longer = np.pad(x, [(0, missing), (0, 0)]) if missing else x
    return np.ascontiguousarray(np.pad(longer, [(left, right), (0, 0)], mode=mode)[: left + len(x) + right])
