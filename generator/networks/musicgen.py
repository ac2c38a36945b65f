"""The MusicGen decoder: a transformer over codebook columns, conditioned on text and on a melody's chroma.

Two variants share their layers. Plain models attend to the text in each layer (cross-attention). Melody
models have no cross-attention: chroma and text stand before the audio columns as a prefix. Follows Copet et
al. 2023, "Simple and Controllable Music Generation", and the two MusicGen models of `transformers`, whose
weights load through `sanitize`. Rows of a guided batch are ordered [conditional; unconditional].
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import mlx.core as mx
import mlx.nn as nn
import numpy as np

from ..errors import WeightsError
from .residual import add_and_norm

__all__ = ["Condition", "DecoderState", "MusicgenConfig", "MusicgenDecoder", "quantize", "sanitize"]


@dataclass(frozen=True)
class MusicgenConfig:
    """The decoder's shape. The defaults are those of the small mono model."""

    hidden_size: int = 1024
    num_hidden_layers: int = 24
    num_attention_heads: int = 16
    ffn_dim: int = 4096
    vocab_size: int = 2048
    num_codebooks: int = 4
    audio_channels: int = 1
    text_dim: int = 768
    melody: bool = False
    num_chroma: int = 12
    chroma_length: int = 235

    @classmethod
    def from_dict(cls, config: Mapping[str, Any]) -> MusicgenConfig:
        """Read a checkpoint's `config.json`; unknown keys are ignored.

        Raises `WeightsError` for another architecture.
        """
        model_type = config.get("model_type")
        if model_type not in ("musicgen", "musicgen_melody"):
            raise WeightsError(
                f"The checkpoint is of type {model_type!r}; musicgen or musicgen_melody is needed."
            )
        decoder = config.get("decoder") or {}
        activation = decoder.get("activation_function", "gelu")
        if activation != "gelu":
            raise WeightsError(f"The decoder's activation is {activation!r}; only 'gelu' is known.")
        fields = {name: decoder[name] for name in cls.__dataclass_fields__ if name in decoder}
        fields |= {name: config[name] for name in ("num_chroma", "chroma_length") if name in config}
        text_dim = (config.get("text_encoder") or {}).get("d_model", cls.text_dim)
        return cls(**fields, text_dim=text_dim, melody=model_type == "musicgen_melody")

    def __post_init__(self) -> None:
        """Refuse shapes that no network has."""
        if self.hidden_size % self.num_attention_heads or self.hidden_size % 2:
            raise WeightsError(
                f"hidden_size {self.hidden_size} must be even and a multiple of the "
                f"{self.num_attention_heads} attention heads."
            )
        if self.audio_channels not in (1, 2) or self.num_codebooks % self.audio_channels:
            raise WeightsError(
                f"{self.num_codebooks} codebooks for {self.audio_channels} channels: 1 or 2 channels with "
                "equally many codebooks each are valid."
            )

    @property
    def head_dim(self) -> int:
        """Return the width of one attention head."""
        return self.hidden_size // self.num_attention_heads

    @property
    def special_token(self) -> int:
        """Return the token that starts and pads sequences; it is fed but never predicted."""
        return self.vocab_size


@dataclass(frozen=True, eq=False)
class Condition:
    """What the music should follow, one row per sequence.

    `encoder_states`: (batch, text length, text_dim) float, the text encoder's output. `encoder_mask`: (batch,
    text length), true at real tokens, which stand before the padding. `chroma`: (batch, frames, num_chroma)
    one-hot, for melody models; None means no melody. A row without any real token is unconditional.
    `negative_states`, `negative_mask`: in the same shapes, text that takes the place of no text in the
    unconditional half, so that guidance leads away from it; rows without any real token have none.
    """

    encoder_states: mx.array
    encoder_mask: mx.array
    chroma: mx.array | None = None
    negative_states: mx.array | None = None
    negative_mask: mx.array | None = None

    @property
    def batch(self) -> int:
        """Return the number of rows."""
        return int(self.encoder_states.shape[0])


@dataclass(frozen=True, eq=False)
class Span:
    """Where a pass writes and what it sees."""

    start: mx.array  # int32 (1,): the first column written
    end: int  # columns from here on are not looked at
    mask: mx.array | str | None  # over columns before `end`: boolean, "causal", or None where all are seen
    text_mask: mx.array | None  # boolean, or None where no text is padded


class LayerState:
    """Keys and values of one layer: the audio columns so far, and the text's, which never change."""

    def __init__(self, shape: tuple[int, int, int, int], dtype: mx.Dtype) -> None:
        """Allocate keys and values of (rows, heads, columns, head_dim) once, for all columns to come."""
        # In one array, so that both are written at once, and first in it, so that each is contiguous.
        self.columns = mx.zeros((2, *shape), dtype)
        self.text: tuple[mx.array, mx.array] | None = None

    def append(self, new: mx.array, span: Span) -> tuple[mx.array, mx.array]:
        """Write keys and values (2, rows, heads, new columns, head_dim); return all keys and all values to be seen.

        Nothing is copied if no pass is under way.
        """
        self.columns = mx.slice_update(self.columns, new, span.start, axes=(3,))
        return self.columns[0, :, :, : span.end], self.columns[1, :, :, : span.end]


Text: TypeAlias = tuple[mx.array, mx.array]
"""Projected text states (rows, text length, hidden_size) and their mask (rows, text length)."""

# A cache has whole steps of columns: Metal's pool gives a large buffer back only to one of nearly its size, so that
# each new duration would strand one. Longer stretches also trace fewer graphs; shorter ones attend to fewer empty
# columns.
_COLUMN_STEP = 256


@dataclass(eq=False)
class DecoderState:
    """All that one sequence of forward passes carries along; made by `MusicgenDecoder.start`."""

    rows: int
    position_table: mx.array  # (columns, hidden_size) float32
    positions: mx.array  # (1 or rows, columns) index into the table
    column_mask: mx.array | None  # (rows, 1, 1, columns): false at padding of the prefix
    text_mask: mx.array | None  # (rows, 1, 1, text length)
    prefix: mx.array | None  # (rows, prefix length, hidden_size), until the first forward pass
    layers: list[LayerState] = field(default_factory=list)
    length: int = 0
    poll: Callable[[], None] | None = (
        None  # called between blocks where each is computed at once; may raise to stop
    )


class SelfAttention(nn.Module):  # type: ignore[misc]
    """Causal attention over the columns, with one matrix for queries, keys and values."""

    def __init__(self, config: MusicgenConfig) -> None:
        """Lay out the projections."""
        super().__init__()
        self.heads = config.num_attention_heads
        self.scale = config.head_dim**-0.5
        self.qkv_proj = nn.Linear(config.hidden_size, 3 * config.hidden_size, bias=False)
        self.out_proj = nn.Linear(config.hidden_size, config.hidden_size, bias=False)

    def __call__(self, x: mx.array, layer: LayerState, span: Span) -> mx.array:
        """Attend from (rows, new columns, hidden_size) to every column so far; return what the heads saw."""
        rows, columns, _ = x.shape
        parts = _apply_in_parts(self.qkv_proj, x, 3).reshape(3, rows, columns, self.heads, -1)
        queries, new = mx.split(parts.transpose(0, 1, 3, 2, 4), [1])
        queries, seen = queries.squeeze(0), layer.append(new, span)
        return _merge(mx.fast.scaled_dot_product_attention(queries, *seen, scale=self.scale, mask=span.mask))


class CrossAttention(nn.Module):  # type: ignore[misc]
    """Attention to the projected text, whose keys and values are computed once."""

    def __init__(self, config: MusicgenConfig) -> None:
        """Lay out the projections."""
        super().__init__()
        self.heads = config.num_attention_heads
        self.scale = config.head_dim**-0.5
        self.q_proj = nn.Linear(config.hidden_size, config.hidden_size, bias=False)
        self.kv_proj = nn.Linear(config.hidden_size, 2 * config.hidden_size, bias=False)
        self.out_proj = nn.Linear(config.hidden_size, config.hidden_size, bias=False)

    def project(self, text: mx.array) -> tuple[mx.array, mx.array]:
        """Return keys and values of the projected text (rows, text length, hidden_size)."""
        keys, values = (_heads(part, self.heads) for part in mx.split(self.kv_proj(text), 2, axis=-1))
        return mx.contiguous(keys), mx.contiguous(values)

    def __call__(self, x: mx.array, text: tuple[mx.array, mx.array], mask: mx.array | None) -> mx.array:
        """Attend from (rows, columns, hidden_size) to the text; return what the heads saw."""
        queries = _heads(self.q_proj(x), self.heads)
        return _merge(mx.fast.scaled_dot_product_attention(queries, *text, scale=self.scale, mask=mask))


class DecoderLayer(nn.Module):  # type: ignore[misc]
    """Pre-norm block: self-attention, cross-attention (plain models), feed-forward."""

    def __init__(self, config: MusicgenConfig) -> None:
        """Lay out the block."""
        super().__init__()
        self.self_attn = SelfAttention(config)
        self.self_attn_norm = nn.LayerNorm(config.hidden_size)
        if not config.melody:
            self.cross_attn = CrossAttention(config)
            self.cross_attn_norm = nn.LayerNorm(config.hidden_size)
        self.fc1 = nn.Linear(config.hidden_size, config.ffn_dim, bias=False)
        self.fc2 = nn.Linear(config.ffn_dim, config.hidden_size, bias=False)
        self.ffn_norm = nn.LayerNorm(config.hidden_size)

    def __call__(
        self, x: mx.array, normed: mx.array, layer: LayerState, span: Span, next_norm: nn.LayerNorm
    ) -> tuple[mx.array, mx.array]:
        """Return the residual stream (rows, columns, hidden_size) after this block, and `next_norm` of it.

        `normed`: `self_attn_norm` of x. Each sum is normalized where it is made, so that both can be one kernel.
        """
        seen = self.self_attn(normed, layer, span)
        after_attn = self.cross_attn_norm if layer.text is not None else self.ffn_norm
        x, normed = _add_product(x, seen, self.self_attn.out_proj, after_attn)
        if layer.text is not None:
            # Values of rows without words are zero, so that exactly nothing is added to them. To leave them out would
            # cost a GPU more than to take them along: each block would be cut in two and joined again.
            worded = self.cross_attn(normed, layer.text, span.text_mask)
            x, normed = _add_product(x, worded, self.cross_attn.out_proj, self.ffn_norm)
        return _add_product(x, nn.gelu(self.fc1(normed)), self.fc2, next_norm)


class MusicgenDecoder(nn.Module):  # type: ignore[misc]
    """Logits for the next column of every codebook.

    >>> state = model.start(condition, columns=1504, unconditional=True)
    >>> logits = model(tokens, state)  # conditional rows first
    """

    def __init__(self, config: MusicgenConfig) -> None:
        """Lay out the network with random weights."""
        super().__init__()
        self.config = config
        size, books = config.hidden_size, config.num_codebooks
        # The codebooks' tables stand in one, as do their heads: one gather and one matrix product for all.
        self.embed = nn.Embedding(books * (config.vocab_size + 1), size)
        if config.text_dim != size:
            self.text_proj = nn.Linear(config.text_dim, size)
        if config.melody and config.num_chroma != size:
            self.chroma_proj = nn.Linear(config.num_chroma, size)
        self.layers = [DecoderLayer(config) for _ in range(config.num_hidden_layers)]
        self.out_norm = nn.LayerNorm(size)
        self.heads = nn.Linear(size, books * config.vocab_size, bias=False)

    @property
    def dtype(self) -> mx.Dtype:
        """Return the type of the residual stream."""
        dtype: mx.Dtype = self.out_norm.weight.dtype
        return dtype

    def start(
        self, condition: Condition, columns: int, *, conditional: bool = True, unconditional: bool = False
    ) -> DecoderState:
        """Prepare forward passes over `columns` columns.

        The state has the condition's rows once for `conditional` and once more for `unconditional`, in this
        order; both are fed the same tokens. Unconditional rows attend to the negative text, if there is one.
        """
        state, text = self.plan(condition, columns, conditional=conditional, unconditional=unconditional)
        shape = (
            state.rows,
            self.config.num_attention_heads,
            state.position_table.shape[0],
            self.config.head_dim,
        )
        state.layers = [LayerState(shape, self.dtype) for _ in self.layers]
        if text is not None:
            # Zero stands for no words: there are no biases, so that its keys and values would be zero too.
            silent = mx.zeros((state.rows - text.shape[0], *text.shape[1:]), text.dtype)
            text = mx.concatenate([text, silent])
            for layer, layer_state in zip(self.layers, state.layers, strict=True):
                layer_state.text = layer.cross_attn.project(text)
        return state

    def capacity(self, columns: int) -> int:
        """Return how many columns a cache for so many has."""
        return _in_steps(columns)

    def plan(
        self, condition: Condition, columns: int, *, conditional: bool, unconditional: bool
    ) -> tuple[DecoderState, mx.array | None]:
        """Return the state of `start` without layers, and the projected text that their cross-attention reads."""
        halves = [True] * conditional + [False] * unconditional
        rows, melody = condition.batch * len(halves), self.config.melody
        words, negative = self._texts(condition)
        texts = [words if half else negative for half in halves]
        mask = mx.concatenate([words[1] if text is None else text[1] for text in texts])
        # Rows without words come last.
        worded = [text for text in texts if text is not None]
        prefix = self._prefix(condition, halves, texts, words[0]) if melody else None
        columns = self.capacity(columns + (prefix.shape[1] if prefix is not None else 0))
        padded = not mask.all().item()
        state = DecoderState(
            rows=rows,
            position_table=_sinusoids(columns, self.config.hidden_size),
            positions=mx.arange(columns)[None],
            column_mask=None,
            text_mask=mask[:, None, None] if padded and not melody else None,
            prefix=prefix,
        )
        if melody and padded:
            self._skip_padding(state, mask)
        text_states = mx.concatenate([states for states, _ in worded]) if worded and not melody else None
        return state, text_states

    def __call__(self, tokens: mx.array, state: DecoderState) -> mx.array:
        """Map tokens (batch, codebooks, columns) to logits (state rows, codebooks, columns, vocab_size)."""
        return self.logits(self.hidden(tokens, state))

    def hidden(self, tokens: mx.array, state: DecoderState) -> mx.array:
        """Run the blocks over the next columns; return (state rows, columns, hidden_size), normalized."""
        x = self._embed(tokens, state)
        if state.prefix is not None:
            x, state.prefix = mx.concatenate([state.prefix, x], axis=1), None
        return self._advance(x, state)[:, -tokens.shape[-1] :]

    def read_prefix(self, state: DecoderState, columns: int) -> Iterator[mx.array]:
        """Run the blocks over what stands before the audio, at most `columns` of it at a time."""
        while state.prefix is not None:
            piece, rest = state.prefix[:, :columns], state.prefix[:, columns:]
            state.prefix = rest if rest.shape[1] else None
            yield self._advance(piece, state)

    def logits(self, hidden: mx.array) -> mx.array:
        """Return (rows, codebooks, columns, vocab_size) for the output of `hidden`."""
        rows, columns, _ = hidden.shape
        logits: mx.array = self.heads(hidden).reshape(rows, columns, self.config.num_codebooks, -1)
        return logits.transpose(0, 2, 1, 3)

    def compiled_step(self, state: DecoderState) -> Callable[[mx.array], mx.array]:
        """Return a function from the next column's tokens (batch, codebooks, 1) to its logits.

        It does what calling the model does, as one graph that is traced once per `_COLUMN_STEP` columns
        instead of built anew for every column. Call it after the first pass, which takes the prefix in.
        """

        # Arrays pass through a compiled function, or it would keep those that it met when it was traced.
        def step(
            tokens: mx.array, start: mx.array, caches: list[mx.array], end: int
        ) -> tuple[mx.array, list[mx.array]]:
            _set_caches(state, caches)
            seen = numbers[:end] <= start
            mask = seen if state.column_mask is None else seen & state.column_mask[..., :end]
            x = self._blocks(self._embed(tokens, state), state, Span(start, end, mask, state.text_mask))
            return self.logits(x), _caches(state)

        # What the graph holds as a constant must be computed by now, or every step would compute it anew.
        numbers = mx.arange(state.position_table.shape[0])
        mx.eval(numbers, state.position_table, state.positions, state.column_mask, state.text_mask)
        mx.eval([layer.text for layer in state.layers])
        compiled = mx.compile(step)

        def next_logits(tokens: mx.array) -> mx.array:
            end = min(_in_steps(state.length + 1), state.position_table.shape[0])
            logits, caches = compiled(tokens, mx.array([state.length]), _caches(state), end)
            _set_caches(state, caches)
            state.length += 1
            return logits

        return next_logits

    def positioned(self, x: mx.array, start: mx.array, state: DecoderState) -> mx.array:
        """Return x (rows, columns, hidden_size) plus the positions of its columns, from `start` (1,) on."""
        columns = start if x.shape[1] == 1 else start + mx.arange(x.shape[1])
        at = mx.take(state.positions, columns, axis=1)
        return x + state.position_table[at].astype(x.dtype)

    def _advance(self, x: mx.array, state: DecoderState) -> mx.array:
        start, state.length = state.length, state.length + x.shape[1]
        mask = _attention_mask(start, state)
        return self._blocks(x, state, Span(mx.array([start]), state.length, mask, state.text_mask))

    def _blocks(self, x: mx.array, state: DecoderState, span: Span) -> mx.array:
        x = self.positioned(x, span.start, state)
        normed: mx.array = self.layers[0].self_attn_norm(x)
        norms = [*(layer.self_attn_norm for layer in self.layers[1:]), self.out_norm]
        for layer, layer_state, norm in zip(self.layers, state.layers, norms, strict=True):
            x, normed = layer(x, normed, layer_state, span, norm)
        return normed

    def _embed(self, tokens: mx.array, state: DecoderState) -> mx.array:
        offsets = mx.arange(self.config.num_codebooks) * (self.config.vocab_size + 1)
        embedded: mx.array = self.embed(tokens + offsets[:, None]).sum(axis=1)
        halves = state.rows // tokens.shape[0]
        return mx.concatenate([embedded] * halves) if halves > 1 else embedded

    def _texts(self, condition: Condition) -> tuple[Text, Text | None]:
        """Return the projected text of each half, None for an unconditional half without words."""
        words = self._project_text(condition.encoder_states, condition.encoder_mask)
        if condition.negative_states is None or condition.negative_mask is None:
            return words, None
        states, mask = self._project_text(condition.negative_states, condition.negative_mask)
        # A row without negative words keeps the mask that it has when no row has any: its positions stay the same.
        worded = condition.negative_mask.astype(mx.bool_).any(axis=-1, keepdims=True)
        return words, (states, mx.where(worded, mask, words[1]))

    def _project_text(self, states: mx.array, mask: mx.array) -> Text:
        """Return text states of the network's type, zero at padding, and their mask with no empty row."""
        states, mask = states.astype(self.dtype), mask.astype(mx.bool_)
        if "text_proj" in self:
            states = self.text_proj(states)
        states = mx.where(mask[..., None], states, mx.zeros_like(states))
        # Attention over nothing is undefined (NaN), over a zero it is zero. An empty row sees one, beside any others.
        first = mx.arange(mask.shape[-1]) == 0
        return states, mask | (first & ~mask.any(axis=-1, keepdims=True))

    def _prefix(
        self, condition: Condition, halves: list[bool], texts: list[Text | None], like: mx.array
    ) -> mx.array:
        """Return [chroma | text] for each half; without a melody or text, note C throughout and zeros."""
        config = self.config
        silence = mx.zeros((condition.batch, 1, config.num_chroma), self.dtype)
        silence[:, :, 0] = 1
        melody = silence if condition.chroma is None else condition.chroma.astype(self.dtype)
        parts = []
        for conditional, text in zip(halves, texts, strict=True):
            chroma = melody if conditional else silence
            chroma = self.chroma_proj(chroma) if "chroma_proj" in self else chroma
            chroma = mx.tile(chroma, (1, math.ceil(config.chroma_length / chroma.shape[1]), 1))
            words = mx.zeros_like(like) if text is None else text[0]
            parts.append(mx.concatenate([chroma[:, : config.chroma_length], words], axis=1))
        return mx.concatenate(parts)

    def _skip_padding(self, state: DecoderState, mask: mx.array) -> None:
        """Hide padded text in the prefix and count positions as if it were not there."""
        columns = state.position_table.shape[0]
        before = mx.ones((state.rows, self.config.chroma_length), mx.bool_)
        after = mx.ones((state.rows, columns - self.config.chroma_length - mask.shape[1]), mx.bool_)
        real = mx.concatenate([before, mask, after], axis=1)
        state.column_mask = real[:, None, None]
        state.positions = mx.maximum(mx.cumsum(real.astype(mx.int32), axis=1) - 1, 0)


def quantize(model: MusicgenDecoder, bits: int, group_size: int = 64) -> None:
    """Quantize the blocks' and the heads' matrices in place to 8 or 4 bits.

    Embeddings and condition projections stay as they are: they are a small share and take no time per step.
    """

    def large(path: str, module: nn.Module) -> bool:
        return isinstance(module, nn.Linear) and path.startswith(("layers.", "heads"))

    nn.quantize(model, group_size=group_size, bits=bits, class_predicate=large)


_RENAMES = (
    (r"^decoder\.(?=model\.|lm_heads\.)", ""),
    (r"^model\.decoder\.", ""),
    (r"^enc_to_dec_proj\.", "text_proj."),
    (r"^audio_enc_to_dec_proj\.", "chroma_proj."),
    (r"^layer_norm\.", "out_norm."),
    (r"\.encoder_attn\.", ".cross_attn."),
    (r"\.self_attn_layer_norm\.", ".self_attn_norm."),
    (r"\.encoder_attn_layer_norm\.", ".cross_attn_norm."),
    (r"\.final_layer_norm\.", ".ffn_norm."),
)
# Matrices that stand as one here: a part's name (its last group says which part) and the whole's.
_FUSED = (
    (re.compile(r"^(layers\.\d+\.self_attn)\.([qkv])_proj\.weight$"), r"\1.qkv_proj.weight"),
    (re.compile(r"^(layers\.\d+\.cross_attn)\.([kv])_proj\.weight$"), r"\1.kv_proj.weight"),
    (re.compile(r"^(embed)_tokens\.(\d+)\.weight$"), r"\1.weight"),
    (re.compile(r"^lm_(heads)\.(\d+)\.weight$"), r"\1.weight"),
)


def sanitize(weights: Mapping[str, mx.array]) -> dict[str, mx.array]:
    """Rename and fuse a checkpoint of `transformers` into the parameters of `MusicgenDecoder`.

    Takes the whole model's names or the decoder's own; text and audio encoders and position tables are left
    out. Raises `WeightsError` where a part of a fused matrix is missing.
    """
    parts: dict[str, dict[str, mx.array]] = {}
    renamed: dict[str, mx.array] = {}
    for name, value in weights.items():
        if name.startswith(("text_encoder.", "audio_encoder.")) or "embed_positions" in name:
            continue
        for old, new in _RENAMES:
            name = re.sub(old, new, name)
        for pattern, whole in _FUSED:
            if match := pattern.match(name):
                parts.setdefault(match.expand(whole), {})[match[2]] = value
                break
        else:
            renamed[name] = value
    for whole, matrices in parts.items():
        renamed[whole] = mx.concatenate([matrices[part] for part in _part_order(whole, matrices)])
    return renamed


def _part_order(whole: str, matrices: Mapping[str, mx.array]) -> list[str]:
    numbered = [str(k) for k in range(len(matrices))]
    order = list("qkv") if "qkv_proj" in whole else list("kv") if "kv_proj" in whole else numbered
    if missing := [part for part in order if part not in matrices]:
        raise WeightsError(
            f"The checkpoint has no part {', '.join(missing)} of {whole}; fetch the weights again."
        )
    return order


def _heads(x: mx.array, heads: int) -> mx.array:
    """(rows, columns, size) -> (rows, heads, columns, head_dim)."""
    return x.reshape(*x.shape[:2], heads, -1).transpose(0, 2, 1, 3)


def _merge(x: mx.array) -> mx.array:
    """(rows, heads, columns, head_dim) -> (rows, columns, size)."""
    return x.transpose(0, 2, 1, 3).reshape(x.shape[0], x.shape[2], -1)


def _apply_in_parts(linear: nn.Module, x: mx.array, parts: int) -> mx.array:
    """Return what `parts` matrices that stand as one make of x (rows, columns, size), each on its own.

    Of shape (parts, rows * columns, size): each part is contiguous, as attention on a GPU wants its queries, where the
    product with the whole matrix would leave parts that have to be copied.
    """

    def split(stacked: mx.array) -> mx.array:
        return stacked.reshape(parts, -1, stacked.shape[-1])

    x = x.reshape(1, -1, x.shape[-1])
    if isinstance(linear, nn.QuantizedLinear):
        scales, biases = split(linear.scales), split(linear.biases)
        made: mx.array = mx.quantized_matmul(
            x, split(linear.weight), scales, biases, group_size=linear.group_size, bits=linear.bits
        )
        return made
    return x @ split(linear.weight).swapaxes(1, 2)


def _add_product(
    x: mx.array, y: mx.array, linear: nn.Module, norm: nn.LayerNorm
) -> tuple[mx.array, mx.array]:
    """Return x + linear(y) and its norm, in two kernels: the product adds, or, where it is quantized, the norm does."""
    if isinstance(linear, nn.QuantizedLinear):
        return add_and_norm(x, linear(y), norm)
    added = mx.addmm(x, y, linear.weight.T)
    return added, norm(added)


def _in_steps(columns: int) -> int:
    return math.ceil(columns / _COLUMN_STEP) * _COLUMN_STEP


def _caches(state: DecoderState) -> list[mx.array]:
    return [layer.columns for layer in state.layers]


def _set_caches(state: DecoderState, caches: list[mx.array]) -> None:
    for layer, columns in zip(state.layers, caches, strict=True):
        layer.columns = columns


def _attention_mask(start: int, state: DecoderState) -> mx.array | str | None:
    """Return what the columns from `start` on may see: themselves and all before, but no padding."""
    if state.column_mask is None:
        return "causal" if state.length - start > 1 else None
    causal = mx.arange(start, state.length)[:, None] >= mx.arange(state.length)
    return causal & state.column_mask[..., : state.length]


def _sinusoids(positions: int, size: int) -> mx.array:
    """Return the position table, float32 (positions, size): cosines, then sines.

    Computed in double precision on the host: a device's own cosine may lose digits at a thousand radians.
    """
    half = size // 2
    frequencies = np.exp(-math.log(10000) / (half - 1) * np.arange(half))
    angles = np.arange(positions)[:, None] * frequencies
    return mx.array(np.concatenate([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32))
