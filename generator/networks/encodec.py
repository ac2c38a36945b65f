"""EnCodec in MLX: the codec between waveforms and MusicGen's discrete frames.

The network of Defossez et al. 2022, "High Fidelity Neural Audio Compression", as MusicGen uses it (32 kHz,
50 frames per second, 4 codebooks); the reference is `EncodecModel` of transformers. Arrays are channels-last,
(batch, time, channels). Only plain operations, so it runs on Metal, CUDA and CPU alike.
"""

# mypy: allow-subclassing-any, no-warn-return-any
# (mlx.nn is untyped: its modules are Any)

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from functools import partial
from typing import Any, Literal

import mlx.core as mx
import mlx.nn as nn

from ..errors import WeightsError
from .codec_stream import LocalStream, local_context, with_last

__all__ = ["EncodecConfig", "EncodecModel"]


PadMode = Literal["reflect", "constant"]
State = list[tuple[mx.array, mx.array]]
"""Hidden and cell state of each recurrent layer, both (batch, size)."""


@dataclass(frozen=True)
class EncodecConfig:
    """Shape of the codec; the defaults are those an absent key has in a transformers `config.json`."""

    target_bandwidths: tuple[float, ...] = (1.5, 3.0, 6.0, 12.0, 24.0)  # kbit/s
    sampling_rate: int = 24_000
    audio_channels: int = 1
    normalize: bool = False
    chunk_length_s: float | None = None
    hidden_size: int = 128
    num_filters: int = 32
    num_residual_layers: int = 1
    upsampling_ratios: tuple[int, ...] = (8, 5, 4, 2)
    norm_type: str = "weight_norm"
    kernel_size: int = 7
    last_kernel_size: int = 7
    residual_kernel_size: int = 3
    dilation_growth_rate: int = 2
    use_causal_conv: bool = True
    pad_mode: PadMode = "reflect"
    compress: int = 2
    num_lstm_layers: int = 2
    trim_right_ratio: float = 1.0
    codebook_size: int = 1024
    codebook_dim: int | None = None
    use_conv_shortcut: bool = True

    @classmethod
    def from_dict(cls, config: Mapping[str, Any]) -> EncodecConfig:
        """Read a checkpoint's `audio_encoder` section; raise WeightsError on another model."""
        if config.get("model_type", "encodec") != "encodec":
            raise WeightsError(f"audio encoder is {config['model_type']!r}, but MusicGen's is 'encodec'.")
        known = {field.name for field in fields(cls)}
        values = {key: value for key, value in config.items() if key in known}
        for name in ("target_bandwidths", "upsampling_ratios"):
            if name in values:
                values[name] = tuple(values[name])
        parsed = cls(**values)
        parsed._refuse_unsupported()
        return parsed

    def _refuse_unsupported(self) -> None:
        valid = {"norm_type": ("weight_norm",), "pad_mode": ("reflect", "constant"), "normalize": (False,)}
        for name, choices in {**valid, "chunk_length_s": (None,)}.items():
            value = getattr(self, name)
            if value not in choices:
                raise WeightsError(f"this codec has {name}={value!r}; supported: {choices[0]!r}.")

    @property
    def hop_length(self) -> int:
        """Return samples per frame."""
        return math.prod(self.upsampling_ratios)

    @property
    def frame_rate(self) -> int:
        """Return frames per second."""
        return math.ceil(self.sampling_rate / self.hop_length)

    @property
    def num_quantizers(self) -> int:
        """Return the number of codebooks at the highest bandwidth."""
        bits = math.ceil(math.log2(self.codebook_size))
        return int(1000 * self.target_bandwidths[-1] // (self.frame_rate * bits))

    def quantizers_at(self, bandwidth_kbps: float | None) -> int:
        """Return the number of codebooks at a bandwidth, by default the lowest one, as the reference does."""
        bandwidth = self.target_bandwidths[0] if bandwidth_kbps is None else bandwidth_kbps
        return int(max(1, bandwidth * 1000 // (math.log2(self.codebook_size) * self.frame_rate)))


class Kernel(nn.Module):
    """Weight (out, kernel, in) and bias (out) of one convolution."""

    def __init__(self, out_channels: int, kernel_size: int, in_channels: int) -> None:
        super().__init__()
        self.weight = mx.zeros((out_channels, kernel_size, in_channels))
        self.bias = mx.zeros((out_channels,))


class Conv1d(nn.Module):
    """Convolution padded to keep ceil(time / stride) frames, in the checkpoint's padding mode."""

    def __init__(
        self,
        config: EncodecConfig,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        stride: int = 1,
        dilation: int = 1,
    ) -> None:
        super().__init__()
        self.conv = Kernel(out_channels, kernel_size, in_channels)
        self.stride, self.dilation = stride, dilation
        self.mode = config.pad_mode
        padding = (kernel_size - 1) * dilation + 1 - stride
        self.right = 0 if config.use_causal_conv else padding // 2
        self.left = padding - self.right

    def __call__(self, x: mx.array) -> mx.array:
        """Map (batch, time, in) to (batch, ceil(time / stride), out)."""
        extra = -x.shape[1] % self.stride
        x = pad(x, self.left, self.right + extra, self.mode)
        return mx.conv1d(x, self.conv.weight, stride=self.stride, dilation=self.dilation) + self.conv.bias

    def context(self, left: int, right: int) -> tuple[int, int]:
        """Return how many inputs each side are seen by outputs that need `left` and `right` of their own."""
        return left * self.stride + self.left, right * self.stride + self.right + self.stride - 1


def pad(x: mx.array, left: int, right: int, mode: PadMode) -> mx.array:
    """Pad the time axis of (batch, time, channels).

    An input too short to reflect is lengthened by zeros first, then cut again.
    """
    if left == right == 0:
        return x
    length = x.shape[1]
    missing = max(0, max(left, right) + 1 - length) if mode == "reflect" else 0
    if missing:
        x = mx.pad(x, [(0, 0), (0, missing), (0, 0)])
    return mx.pad(x, [(0, 0), (left, right), (0, 0)], mode=mode)[:, : left + length + right]


class ConvTranspose1d(nn.Module):
    """Upsample by `stride` with a kernel of twice that; trims what the padding of a convolution would add."""

    def __init__(self, config: EncodecConfig, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.conv = Kernel(out_channels, 2 * stride, in_channels)
        self.stride = stride
        right = math.ceil(stride * config.trim_right_ratio) if config.use_causal_conv else stride // 2
        self.trim = (stride - right, right)

    def __call__(self, x: mx.array) -> mx.array:
        """Map (batch, time, in) to (batch, time * stride, out).

        Every frame makes two strides of output; the second half overlaps the next frame's first.
        """
        batch, time, channels = x.shape
        weight = self.conv.weight
        y = (x @ weight.reshape(-1, channels).T).reshape(batch, time, weight.shape[0], 2, self.stride)
        first = mx.pad(y[:, :, :, 0], [(0, 0), (0, 1), (0, 0), (0, 0)])
        second = mx.pad(y[:, :, :, 1], [(0, 0), (1, 0), (0, 0), (0, 0)])
        y = (first + second).transpose(0, 1, 3, 2).reshape(batch, (time + 1) * self.stride, -1)
        left, right = self.trim
        return y[:, left : y.shape[1] - right] + self.conv.bias

    def context(self, left: int, right: int) -> tuple[int, int]:
        """Return how many inputs each side are seen by outputs that need `left` and `right` of their own."""
        return math.ceil(left / self.stride) + 1, math.ceil(right / self.stride) + 1


class LSTMLayer(nn.Module):
    """One recurrent layer; gates in the order input, forget, cell, output."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.Wx = mx.zeros((4 * size, size))
        self.Wh = mx.zeros((4 * size, size))
        self.bias = mx.zeros((4 * size,))

    def __call__(self, x: mx.array, state: tuple[mx.array, mx.array]) -> tuple[mx.array, Any]:
        """Return outputs (batch, time, size) and the last state, hidden and cell of (batch, size).

        All inputs are projected in one product; what is left step by step is a product with the hidden state.
        """
        projected = mx.addmm(self.bias, x, self.Wx.T)
        hidden, cell = state
        outputs = []
        for t in range(x.shape[1]):
            hidden, cell = _lstm_cell(mx.addmm(projected[:, t], hidden, self.Wh.T), cell)
            outputs.append(hidden)
        return mx.stack(outputs, axis=1), (hidden, cell)


def _gates(gates: mx.array, cell: mx.array) -> tuple[mx.array, mx.array]:
    """Return hidden and cell state (batch, size) of one step, from its gates (batch, 4 * size) before activation."""
    enter, forget, update, leave = mx.split(gates, 4, axis=-1)
    cell = mx.sigmoid(forget) * cell + mx.sigmoid(enter) * mx.tanh(update)
    return mx.sigmoid(leave) * mx.tanh(cell), cell


_lstm_cell = mx.compile(_gates)


class LSTM(nn.Module):
    """Stacked LSTM with a skip from input to output."""

    def __init__(self, size: int, layers: int) -> None:
        super().__init__()
        self.size = size
        self.lstm = [LSTMLayer(size) for _ in range(layers)]

    def __call__(self, x: mx.array) -> mx.array:
        """Map (batch, time, size) to the same shape, from a zero state."""
        return self.advance(x, None)[0]

    def advance(self, x: mx.array, state: State | None) -> tuple[mx.array, State]:
        """Return the outputs for the next frames (batch, time, size) and the state after them."""
        zero = mx.zeros((x.shape[0], self.size), x.dtype)
        before = state or [(zero, zero)] * len(self.lstm)
        y, after = x, []
        for layer, carried in zip(self.lstm, before, strict=True):
            y, last = layer(y, carried)
            after.append(last)
        return y + x, after


class ResnetBlock(nn.Module):
    """Bottleneck of two convolutions beside a skip."""

    def __init__(self, config: EncodecConfig, channels: int, dilation: int) -> None:
        super().__init__()
        hidden = channels // config.compress
        self.block = [
            nn.ELU(),
            Conv1d(config, channels, hidden, config.residual_kernel_size, dilation=dilation),
            nn.ELU(),
            Conv1d(config, hidden, channels, 1),
        ]
        if config.use_conv_shortcut:
            self.shortcut = Conv1d(config, channels, channels, 1)

    def __call__(self, x: mx.array) -> mx.array:
        """Map (batch, time, channels) to the same shape."""
        return in_sequence(self.block, x) + (self.shortcut(x) if "shortcut" in self else x)

    def context(self, left: int, right: int) -> tuple[int, int]:
        """Return how many inputs each side are seen by outputs that need `left` and `right` of their own."""
        return self.block[1].context(left, right)


def in_sequence(layers: Iterable[nn.Module], x: mx.array, poll: Callable[[], None] | None = None) -> mx.array:
    """Return what the layers make of `x`, one after the other.

    With a `poll` each is computed before the next, and `poll` called in between, so that it may raise to stop.
    """
    for layer in layers:
        x = layer(x)
        if poll is not None:
            mx.eval(x)
            poll()
    return x


def residual_blocks(config: EncodecConfig, channels: int) -> list[nn.Module]:
    """Return the residual layers of one stage, their dilation growing."""
    growth = config.dilation_growth_rate
    return [ResnetBlock(config, channels, growth**i) for i in range(config.num_residual_layers)]


class Encoder(nn.Module):
    """Waveform to embeddings, one per frame: local layers that downsample, the LSTM, a convolution.

    Layer numbers are those of the checkpoint.
    """

    def __init__(self, config: EncodecConfig) -> None:
        super().__init__()
        width = config.num_filters
        layers: list[nn.Module] = [Conv1d(config, config.audio_channels, width, config.kernel_size)]
        for ratio in reversed(config.upsampling_ratios):
            layers += [*residual_blocks(config, width), nn.ELU()]
            layers += [Conv1d(config, width, 2 * width, 2 * ratio, stride=ratio)]
            width *= 2
        layers += [LSTM(width, config.num_lstm_layers), nn.ELU()]
        layers += [Conv1d(config, width, config.hidden_size, config.last_kernel_size)]
        self.layers = layers

    def __call__(self, x: mx.array) -> mx.array:
        """Return embeddings (batch, frames, hidden_size) of samples (batch, time, channels)."""
        return in_sequence(self.layers, x)


class Decoder(nn.Module):
    """Embeddings to waveform: a convolution, the LSTM, then only local layers that upsample."""

    def __init__(self, config: EncodecConfig) -> None:
        super().__init__()
        width = config.num_filters * 2 ** len(config.upsampling_ratios)
        layers: list[nn.Module] = [Conv1d(config, config.hidden_size, width, config.kernel_size)]
        layers += [LSTM(width, config.num_lstm_layers)]
        for ratio in config.upsampling_ratios:
            layers += [nn.ELU(), ConvTranspose1d(config, width, width // 2, ratio)]
            width //= 2
            layers += residual_blocks(config, width)
        layers += [nn.ELU(), Conv1d(config, width, config.audio_channels, config.last_kernel_size)]
        self.layers = layers

    def __call__(self, x: mx.array) -> mx.array:
        """Return samples (batch, time, channels) of embeddings (batch, frames, hidden_size)."""
        return in_sequence(self.layers, x)


class Codebook(nn.Module):
    """Vectors of one quantizer; the nearest in Euclidean distance stands for a vector."""

    def __init__(self, size: int, dimension: int) -> None:
        super().__init__()
        self.embed = mx.zeros((size, dimension))

    def nearest(self, x: mx.array) -> mx.array:
        """Return indices (batch, time) of the vectors nearest to (batch, time, dimension)."""
        # Less the square of x, which is the same for all.
        distance = mx.sum(self.embed**2, axis=-1) - 2 * (x @ self.embed.T)
        return mx.argmin(distance, axis=-1)


class Quantizer(nn.Module):
    """One level of the residual quantizer, nested as in the checkpoint."""

    def __init__(self, config: EncodecConfig) -> None:
        super().__init__()
        self.codebook = Codebook(config.codebook_size, config.codebook_dim or config.hidden_size)


class ResidualQuantizer(nn.Module):
    """Quantizers in sequence, each of what the ones before left over."""

    def __init__(self, config: EncodecConfig) -> None:
        super().__init__()
        self.layers = [Quantizer(config) for _ in range(config.num_quantizers)]

    def encode(self, x: mx.array, levels: int) -> mx.array:
        """Return codes (batch, levels, time) of embeddings (batch, time, dimension)."""
        codes = []
        for layer in self.layers[:levels]:
            codes.append(layer.codebook.nearest(x))
            x = x - layer.codebook.embed[codes[-1]]
        return mx.stack(codes, axis=1)

    def decode(self, codes: mx.array) -> mx.array:
        """Return the summed vectors (batch, time, dimension) of codes (batch, levels, time)."""
        total = self.layers[0].codebook.embed[codes[:, 0]]
        for k in range(1, codes.shape[1]):
            total = total + self.layers[k].codebook.embed[codes[:, k]]
        return total


class EncodecModel(nn.Module):
    """The whole codec."""

    def __init__(self, config: EncodecConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = Encoder(config)
        self.decoder = Decoder(config)
        self.quantizer = ResidualQuantizer(config)

    def encode(self, samples: mx.array, bandwidth_kbps: float | None = None) -> mx.array:
        """Return codes (batch, codebooks, frames) of samples (batch, time, channels) at the codec's rate."""
        return self.quantizer.encode(self.encoder(samples), self.config.quantizers_at(bandwidth_kbps))

    def decode(self, codes: mx.array) -> mx.array:
        """Return samples (batch, frames * hop_length, channels) of codes (batch, codebooks, frames)."""
        return self.decoder(self.quantizer.decode(codes))

    def encode_stream(
        self, samples: mx.array, chunk_frames: int, poll: Callable[[], None] | None = None
    ) -> Iterator[mx.array]:
        """Yield codes (batch, codebooks, about `chunk_frames`) of samples (batch, time, channels).

        Together they are `encode` of the whole; peak memory depends on the chunk, not on the length. `poll` as in
        `in_sequence`.
        """
        *front, lstm, activation, last = self.encoder.layers
        hop, levels = self.config.hop_length, self.config.quantizers_at(None)
        frames, reach = math.ceil(samples.shape[1] / hop), math.ceil(max(local_context(front)) / hop)
        back = LocalStream(partial(in_sequence, [activation, last]), last.context(0, 0), 1)
        state: State | None = None
        for start in range(0, frames, chunk_frames):
            end, first = min(start + chunk_frames, frames), max(0, start - reach)
            window = in_sequence(front, samples[:, first * hop : (end + reach) * hop], poll)
            x, state = lstm.advance(window[:, start - first : end - first], state)
            embeddings = back.push(x, last=end == frames)
            if embeddings is not None:
                codes = self.quantizer.encode(embeddings, levels)
                mx.eval(codes, state)
                yield codes

    def decode_stream(
        self, chunks: Iterable[mx.array], poll: Callable[[], None] | None = None
    ) -> Iterator[mx.array]:
        """Yield samples as codes (batch, codebooks, frames) come in; together they are `decode` of the whole.

        Each chunk may hold any number of frames. Samples follow the codes by the right context of the network
        (five frames in MusicGen's codec), so peak memory depends on the chunk, not on the length. `poll` as in
        `in_sequence`.
        """
        first, lstm, *upsampling = self.decoder.layers
        front = LocalStream(first, first.context(0, 0), 1)
        upsample = partial(in_sequence, upsampling, poll=poll)
        back = LocalStream(upsample, local_context(upsampling), self.config.hop_length)
        state: State | None = None
        for codes, last in with_last(chunks):
            x = front.push(self.quantizer.decode(codes) if codes is not None else None, last=last)
            if x is not None:
                x, state = lstm.advance(x, state)
                mx.eval(x, state)
            samples = back.push(x, last=last)
            if samples is not None:
                mx.eval(samples)
                yield samples

    @staticmethod
    def sanitize(weights: Mapping[str, mx.array]) -> dict[str, mx.array]:
        """Turn the weights of a transformers EnCodec (without prefix) into this module's.

        Fuses the weight norm in both of its spellings, joins the two LSTM biases and moves channels last.
        Keys already in this layout, which `mlx-community/encodec-32khz-float32` shares, pass unchanged.
        """
        renamed: dict[str, mx.array] = {}
        for key, value in weights.items():
            name, _, leaf = key.rpartition(".")
            if leaf == "weight_g":
                renamed[f"{name}.weight"] = _fuse(value, weights[f"{name}.weight_v"], weights[f"{name}.bias"])
            elif leaf == "original0":
                conv = name.removesuffix(".parametrizations.weight")
                direction = weights[f"{name}.original1"]
                renamed[f"{conv}.weight"] = _fuse(value, direction, weights[f"{conv}.bias"])
            elif leaf.startswith("weight_ih_l"):
                renamed.update(_lstm_layer(weights, name, leaf.removeprefix("weight_ih_l")))
            elif leaf in ("weight", "bias", "embed", "Wx", "Wh"):
                renamed[key] = value
        return renamed


def _fuse(norm: mx.array, direction: mx.array, bias: mx.array) -> mx.array:
    """Return the weight (out, kernel, in) that a weight norm over the first axis stands for."""
    weight = norm * direction / mx.sqrt(mx.sum(direction**2, axis=(1, 2), keepdims=True))
    # A transposed convolution is stored (in, out, kernel), and here it halves the channels.
    transposed = weight.shape[0] != bias.shape[0]
    return weight.transpose(1, 2, 0) if transposed else weight.transpose(0, 2, 1)


def _lstm_layer(weights: Mapping[str, mx.array], name: str, layer: str) -> dict[str, mx.array]:
    prefix = f"{name}.{layer}"
    return {
        f"{prefix}.Wx": weights[f"{name}.weight_ih_l{layer}"],
        f"{prefix}.Wh": weights[f"{name}.weight_hh_l{layer}"],
        f"{prefix}.bias": weights[f"{name}.bias_ih_l{layer}"] + weights[f"{name}.bias_hh_l{layer}"],
    }
