"""T5 encoder in MLX: text tokens to the states that condition MusicGen.

Only the encoder half of T5 (Raffel et al. 2020); the reference is `T5EncoderModel` of transformers.
"""

# mypy: allow-subclassing-any, no-warn-return-any
# (mlx.nn is untyped: its modules are Any)

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import mlx.core as mx
import mlx.nn as nn

from ..errors import WeightsError

__all__ = ["T5Config", "T5Encoder"]


@dataclass(frozen=True)
class T5Config:
    """Shape of a T5 encoder; the defaults are those an absent key has in a transformers `config.json`."""

    vocab_size: int = 32128
    d_model: int = 512
    d_kv: int = 64
    d_ff: int = 2048
    num_layers: int = 6
    num_heads: int = 8
    relative_attention_num_buckets: int = 32
    relative_attention_max_distance: int = 128
    layer_norm_epsilon: float = 1e-6
    feed_forward_proj: str = "relu"

    @classmethod
    def from_dict(cls, config: Mapping[str, Any]) -> T5Config:
        """Read a checkpoint's `text_encoder` section; raise WeightsError on another model."""
        if config.get("model_type", "t5") != "t5":
            raise WeightsError(
                f"text encoder is {config['model_type']!r}, but MusicGen's is 't5': wrong checkpoint."
            )
        known = {field.name for field in fields(cls)}
        parsed = cls(**{key: value for key, value in config.items() if key in known})
        if parsed.activation not in _ACTIVATIONS:
            valid = "relu, gelu, silu, gated-gelu, gated-silu"
            raise WeightsError(
                f"feed_forward_proj {parsed.feed_forward_proj!r} is not known; valid: {valid}."
            )
        return parsed

    @property
    def gated(self) -> bool:
        """Return whether the feed-forward layer multiplies two projections, named `gated-*`."""
        return self.feed_forward_proj.startswith("gated-")

    @property
    def activation(self) -> str:
        """Return the activation's name; `gated-gelu` means the tanh approximation, as in T5 v1.1."""
        name = self.feed_forward_proj.rpartition("-")[2]
        return "gelu_new" if self.feed_forward_proj == "gated-gelu" else name


# Finite, so that no dtype turns a row into NaN; far below any score.
_MASKED = -1e9

_ACTIVATIONS = {"relu": nn.relu, "gelu": nn.gelu, "gelu_new": nn.gelu_approx, "silu": nn.silu}


class RelativePositionBias(nn.Module):
    """Learned score per head and bucketed distance, shared by all layers."""

    def __init__(self, config: T5Config) -> None:
        super().__init__()
        self.buckets = config.relative_attention_num_buckets
        self.max_distance = config.relative_attention_max_distance
        self.weight = mx.zeros((self.buckets, config.num_heads))

    def __call__(self, length: int) -> mx.array:
        """Return what is added to attention scores, (heads, queries, keys) with `length` of both."""
        position = mx.arange(length)
        return self.weight[self.bucket(position[None, :] - position[:, None])].transpose(2, 0, 1)

    def bucket(self, distance: mx.array) -> mx.array:
        """Map key minus query positions to buckets: half per sign, exact when near, logarithmic when far."""
        half = self.buckets // 2
        exact = half // 2
        size = mx.abs(distance)
        far = mx.log(mx.maximum(size, 1) / exact) / math.log(self.max_distance / exact) * (half - exact)
        far = mx.minimum(exact + far.astype(mx.int32), half - 1)
        return mx.where(distance > 0, half, 0) + mx.where(size < exact, size, far)


class Attention(nn.Module):
    """Bidirectional self-attention without scaling or biases."""

    def __init__(self, config: T5Config) -> None:
        super().__init__()
        inner = config.num_heads * config.d_kv
        self.heads = config.num_heads
        self.qkv = nn.Linear(config.d_model, 3 * inner, bias=False)
        self.out = nn.Linear(inner, config.d_model, bias=False)

    def __call__(self, x: mx.array, bias: mx.array) -> mx.array:
        """Attend within (batch, length, d_model); `bias` (1 or batch, heads, length, length) is added to scores."""
        batch, length, _ = x.shape
        queries, keys, values = self.qkv(x).reshape(batch, length, 3, self.heads, -1).transpose(2, 0, 3, 1, 4)
        attended = mx.fast.scaled_dot_product_attention(queries, keys, values, scale=1.0, mask=bias)
        return self.out(attended.transpose(0, 2, 1, 3).reshape(batch, length, -1))


class FeedForward(nn.Module):
    """Two-layer perceptron, plain or gated by name."""

    def __init__(self, config: T5Config) -> None:
        super().__init__()
        self.gated = config.gated
        self.activation = _ACTIVATIONS[config.activation]
        if self.gated:
            self.wi_0 = nn.Linear(config.d_model, config.d_ff, bias=False)
            self.wi_1 = nn.Linear(config.d_model, config.d_ff, bias=False)
        else:
            self.wi = nn.Linear(config.d_model, config.d_ff, bias=False)
        self.wo = nn.Linear(config.d_ff, config.d_model, bias=False)

    def __call__(self, x: mx.array) -> mx.array:
        """Map (batch, length, d_model) to the same shape."""
        if self.gated:
            return self.wo(self.activation(self.wi_0(x)) * self.wi_1(x))
        return self.wo(self.activation(self.wi(x)))


class Block(nn.Module):
    """Pre-norm attention and feed-forward, both residual."""

    def __init__(self, config: T5Config) -> None:
        super().__init__()
        self.attention_norm = nn.RMSNorm(config.d_model, config.layer_norm_epsilon)
        self.attention = Attention(config)
        self.ffn_norm = nn.RMSNorm(config.d_model, config.layer_norm_epsilon)
        self.ffn = FeedForward(config)

    def __call__(self, x: mx.array, bias: mx.array) -> mx.array:
        """Return the residual stream (batch, length, d_model) after this block."""
        x = x + self.attention(self.attention_norm(x), bias)
        return x + self.ffn(self.ffn_norm(x))


class T5Encoder(nn.Module):
    """Text tokens to hidden states."""

    def __init__(self, config: T5Config) -> None:
        super().__init__()
        self.config = config
        self.embed = nn.Embedding(config.vocab_size, config.d_model)
        self.position_bias = RelativePositionBias(config)
        self.layers = [Block(config) for _ in range(config.num_layers)]
        self.norm = nn.RMSNorm(config.d_model, config.layer_norm_epsilon)

    def __call__(self, tokens: mx.array, mask: mx.array | None = None) -> mx.array:
        """Return states of shape (batch, length, d_model) in the dtype of the weights.

        `tokens` is (batch, length) integers; `mask` of the same shape is nonzero at real tokens. States at
        padded positions are computed but mean nothing. float16 overflows in T5: use float32 or bfloat16.
        """
        x = self.embed(tokens)
        bias = self.position_bias(tokens.shape[1])[None]
        if mask is not None:
            bias = mx.where(mask[:, None, None, :] != 0, bias, mx.array(_MASKED, bias.dtype))
        for layer in self.layers:
            x = layer(x, bias)
        return self.norm(x)

    @staticmethod
    def sanitize(weights: Mapping[str, mx.array]) -> dict[str, mx.array]:
        """Rename the keys of a transformers T5 (encoder or whole model, without prefix) to this module's."""
        renamed: dict[str, mx.array] = {}
        for key, value in weights.items():
            if key in _TOP:
                renamed[_TOP[key]] = value
            elif key.startswith("encoder.block."):
                layer, _, leaf = key.removeprefix("encoder.block.").partition(".layer.")
                if leaf in _LEAVES:
                    renamed[f"layers.{layer}.{_LEAVES[leaf]}"] = value
                elif leaf == "0.SelfAttention.q.weight":
                    qkv = [weights[f"{key.removesuffix('q.weight')}{part}.weight"] for part in "qkv"]
                    renamed[f"layers.{layer}.attention.qkv.weight"] = mx.concatenate(qkv)
        return renamed


# Names in transformers: of the whole network, and within a layer.
_TOP = {
    "encoder.embed_tokens.weight": "embed.weight",
    "shared.weight": "embed.weight",
    "encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight": "position_bias.weight",
    "encoder.final_layer_norm.weight": "norm.weight",
}
_LEAVES = {
    "0.SelfAttention.o.weight": "attention.out.weight",
    "0.layer_norm.weight": "attention_norm.weight",
    "1.DenseReluDense.wi.weight": "ffn.wi.weight",
    "1.DenseReluDense.wi_0.weight": "ffn.wi_0.weight",
    "1.DenseReluDense.wi_1.weight": "ffn.wi_1.weight",
    "1.DenseReluDense.wo.weight": "ffn.wo.weight",
    "1.layer_norm.weight": "ffn_norm.weight",
}
