"""A BERT sentence encoder in plain numpy: the network of all-MiniLM-L6-v2 without torch's ten-second import.

It reads multilingual ones too, such as paraphrase-multilingual-MiniLM-L12-v2, and XLM-RoBERTa, which is BERT but for
where its positions begin.

The texts of one call stand end to end in one array, so no work is spent on padding; only attention runs text by text.
The tokens of a pass are divided among the cores, for a token needs the others in attention alone.
Architecture: Devlin et al. 2018 (post-norm transformer). Pooling: Reimers and Gurevych 2019 (token mean, unit length).
"""

from __future__ import annotations

import importlib
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import Unavailable
from .encoder_files import read_json
from .tensors import read_tensors

__all__ = ["ARCHITECTURE", "MiniLM", "single_threaded_blas"]


Array = NDArray[np.float32]

ARCHITECTURE: Mapping[str, Sequence[str]] = {
    "model_type": ("bert", "xlm-roberta"),
    "hidden_act": ("gelu",),
    "position_embedding_type": ("absolute",),
}
"""The values of a model's configuration that this network computes."""
PACK_TOKENS = 2048
"""Tokens per pass, about: large enough to keep the matrix products busy, small enough for some 40 MB of scratch."""
LEAST_TOKENS = 32
"""Tokens that are worth a core of their own: each core reads all weights, so fewer cost more than they save."""
BLOCK_ROWS = 64
BLOCK_SCORES = 1 << 17
"""Tokens and attention scores that are worked on at once, so that they stay in a core's own cache."""


class MiniLM:
    """A loaded network and tokenizer.

    `folder` holds `config.json`, `tokenizer.json` and `model.safetensors` as sentence-transformers lays them out. The
    weights stay memory-mapped. Raises Unavailable for a damaged folder or another architecture.
    """

    def __init__(self, folder: Path) -> None:
        config = read_json(folder / "config.json")
        _check_architecture(config, folder)
        self.dimension = int(config["hidden_size"])
        self._heads = int(config["num_attention_heads"])
        self._epsilon = float(config.get("layer_norm_eps", 1e-12))
        limits = folder / "sentence_bert_config.json"
        self.max_tokens = int(read_json(limits)["max_seq_length"]) if limits.exists() else 512
        # The positions of XLM-RoBERTa begin after that of the padding.
        first = int(config.get("pad_token_id", 1)) + 1 if config["model_type"] == "xlm-roberta" else 0
        self._tokenizer = _read_tokenizer(folder / "tokenizer.json")
        self._weights = _strip_prefix(read_tensors(folder / "model.safetensors"))
        try:
            self._layers = [self._layer(i) for i in range(int(config["num_hidden_layers"]))]
            self._words = self._weights["embeddings.word_embeddings.weight"]
            # Every sentence is segment 0, so its embedding folds into the positions.
            self._positions: Array = (
                self._weights["embeddings.position_embeddings.weight"][first:]
                + self._weights["embeddings.token_type_embeddings.weight"][0]
            )
            self._norm = self._pair("embeddings.LayerNorm")
        except KeyError as error:
            raise Unavailable(
                f"{folder / 'model.safetensors'} lacks the tensor {error}; it is not a BERT encoder"
            ) from None

    def encode(self, texts: Sequence[str]) -> Array:
        """Return unit vectors, float32 of shape (len(texts), dimension).

        A text over `max_tokens` tokens is cut there, as sentence-transformers does; `encoder.embed_document` takes a
        text of any length.
        """
        return np.ascontiguousarray(self.encode_layers(texts)[:, -1])

    def encode_layers(self, texts: Sequence[str]) -> Array:
        """Return the unit mean of the tokens after each layer, float32 of shape (len(texts), layers, dimension).

        The last layer gives the vectors of `encode`, from the same pass.
        """
        return self._encode(texts, None)

    def encode_tokens(self, texts: Sequence[str]) -> tuple[Array, list[Array]]:
        """Return what `encode_layers` does, and the states of each text's tokens after `token_layer`.

        The states are float32 of shape (tokens, dimension), with those of the markers at the ends of the text: 1.5 kB a
        token.
        """
        states = [np.zeros((0, self.dimension), dtype=np.float32)] * len(texts)
        return self._encode(texts, states), states

    def _encode(self, texts: Sequence[str], states: list[Array] | None) -> Array:
        """Return what `encode_layers` does; states of tokens are put into `states` where it is a list."""
        tokens = [self._cut(e.ids) for e in self._tokenizer.encode_batch(list(texts))]
        vectors = np.zeros((len(tokens), len(self._layers), self.dimension), dtype=np.float32)
        with single_threaded_blas():
            for rows in _packs([len(t) for t in tokens]):
                vectors[rows], some = self._forward([tokens[row] for row in rows])
                if states is not None:
                    for row, one in zip(rows, some, strict=True):
                        states[row] = one
        return vectors

    @property
    def token_layer(self) -> int:
        """Return after which layer, 0 the first, the states of tokens are returned: after five sixths of them."""
        return max(0, len(self._layers) * 5 // 6 - 1)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Return the number of tokens of each whole text, without the two markers at its ends."""
        return [len(e.ids) for e in self._tokenizer.encode_batch(list(texts), add_special_tokens=False)]

    def _cut(self, ids: list[int]) -> list[int]:
        return ids if len(ids) <= self.max_tokens else [*ids[: self.max_tokens - 1], ids[-1]]

    def _forward(self, tokens: list[list[int]]) -> tuple[Array, list[Array]]:
        lengths = [len(t) for t in tokens]
        ids, text = np.concatenate(tokens), np.repeat(np.arange(len(tokens)), lengths)
        starts = np.cumsum([0, *lengths[:-1]])
        # Two in turns: while a core still reads the one, no other is further than writing the other one.
        qkv = np.empty((2, len(ids), 3 * self.dimension), dtype=np.float32)
        states = np.empty((len(ids), self.dimension), dtype=np.float32)

        def work(part: slice, wait: Callable[[], Any]) -> Array:
            """Return the sum of the tokens of `part` for each text; `wait` returns when all parts have called it."""
            sums = np.zeros((len(tokens), len(self._layers), self.dimension), dtype=np.float32)
            hidden = self._words[ids[part]]
            hidden += self._positions[np.arange(part.start, part.stop) - starts[text[part]]]
            hidden = _layer_norm(hidden, self._norm, self._epsilon)
            first = np.flatnonzero(np.diff(text[part], prepend=-1))
            spans = [slice(starts[t], starts[t] + lengths[t]) for t in text[part][first]]
            for number, layer in enumerate(self._layers):
                qkv[number % 2, part] = _linear(hidden, layer["qkv"])
                wait()
                attended = _linear(self._attention(qkv[number % 2], part, spans), layer["attention"])
                hidden = _layer_norm(attended + hidden, layer["attention_norm"], self._epsilon)
                widened = _linear(_gelu_by_block(_linear(hidden, layer["up"])), layer["down"])
                hidden = _layer_norm(widened + hidden, layer["norm"], self._epsilon)
                sums[text[part][first], number] = np.add.reduceat(hidden, first, axis=0)
                if number == self.token_layer:
                    states[part] = hidden
            return sums

        pooled = _divided(work, len(ids))
        pooled /= np.linalg.norm(pooled, axis=2, keepdims=True)
        return pooled, np.split(states, starts[1:])

    def _attention(self, qkv: Array, part: slice, spans: list[slice]) -> Array:
        """Return multi-head self-attention of the tokens of `part` within their texts, shape (tokens, dimension)."""
        out = np.empty((part.stop - part.start, self.dimension), dtype=np.float32)
        for span in spans:
            mine = slice(max(span.start, part.start), min(span.stop, part.stop))
            query = self._by_head(qkv[mine], 0)
            key, value = (self._by_head(qkv[span], i) for i in (1, 2))
            filled = out[mine.start - part.start : mine.stop - part.start]
            by_head = filled.reshape(len(filled), self._heads, -1).transpose(1, 0, 2)
            step = max(1, BLOCK_SCORES // (query.shape[1] * key.shape[1]))
            for first in range(0, self._heads, step):
                heads = slice(first, first + step)
                scores = query[heads] @ key[heads].transpose(0, 2, 1)
                scores -= scores.max(axis=-1, keepdims=True)
                np.exp(scores, out=scores)
                # The sums divide the products, which are smaller than the scores.
                by_head[heads] = (scores @ value[heads]) / scores.sum(axis=-1, keepdims=True)
        return out

    def _by_head(self, qkv: Array, which: int) -> Array:
        """Return the queries, keys or values, shape (heads, tokens, dimension of a head)."""
        return np.asarray(qkv.reshape(len(qkv), 3, self._heads, -1)[:, which].transpose(1, 0, 2))

    def _layer(self, index: int) -> dict[str, tuple[Array, Array]]:
        base = f"encoder.layer.{index}."
        query, key, value = (self._pair(f"{base}attention.self.{part}") for part in ("query", "key", "value"))
        scale = np.float32(1 / np.sqrt(self.dimension // self._heads))
        return {
            # One product instead of three; the softmax scale is folded into the query.
            "qkv": (
                np.concatenate([query[0] * scale, key[0], value[0]]),
                np.concatenate([query[1] * scale, key[1], value[1]]),
            ),
            "attention": self._pair(f"{base}attention.output.dense"),
            "attention_norm": self._pair(f"{base}attention.output.LayerNorm"),
            "up": self._pair(f"{base}intermediate.dense"),
            "down": self._pair(f"{base}output.dense"),
            "norm": self._pair(f"{base}output.LayerNorm"),
        }

    def _pair(self, name: str) -> tuple[Array, Array]:
        return self._weights[f"{name}.weight"], self._weights[f"{name}.bias"]


_blas_users = 0
_blas_limit: Any = None
_blas_lock = threading.Lock()


@contextmanager
def single_threaded_blas() -> Iterator[None]:
    """Hold BLAS to one thread while any text is read, in whichever thread that is.

    These matrices are small: a second thread gains little on an idle machine, and on a busy one the threads of OpenBLAS
    spin while they wait for each other (16 chunks took 26 s with two threads and 3 s with one). Nothing changes where
    threadpoolctl is missing or knows no BLAS, as with Apple's Accelerate.
    """
    global _blas_users, _blas_limit
    with _blas_lock:
        _blas_users += 1
        if _blas_users == 1 and (libraries := _blas()) is not None:
            _let_any_thread_limit()
            _blas_limit = libraries.limit(limits=1, user_api="blas")
    try:
        yield
    finally:
        with _blas_lock:
            _blas_users -= 1
            if _blas_users == 0 and _blas_limit is not None:
                _let_any_thread_limit()
                _blas_limit.restore_original_limits()
                _let_any_thread_limit()
                _blas_limit = None


@lru_cache(maxsize=1)
def _blas() -> Any:
    """Return what sets the threads of the libraries that numpy loaded; None without threadpoolctl.

    To look for the libraries takes 0.5 ms, which is why it is done once.
    """
    with suppress(ImportError):
        # By name, since it ships no types; it comes with other libraries and may be missing.
        return importlib.import_module("threadpoolctl").ThreadpoolController()
    return None


def _let_any_thread_limit() -> None:
    """Make threadpoolctl forget which thread set a limit: from 3.8 on it ignores all others while that one lives."""
    controller = getattr(importlib.import_module("threadpoolctl"), "OpenBLASController", None)
    clear = getattr(controller, "clear_controlling_thread", None)
    if clear is not None:
        clear(force=True)


def _read_tokenizer(path: Path) -> Any:
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # the Rust reader raises plain Exception
        raise Unavailable(f"the tokenizer {path} cannot be read ({error}); fetch the model again") from None
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def _check_architecture(config: Mapping[str, Any], folder: Path) -> None:
    config = {"position_embedding_type": "absolute", **config}
    for key, values in ARCHITECTURE.items():
        if config.get(key) not in values:
            raise Unavailable(
                f"{folder} has {key} {config.get(key)!r}; this encoder reads only {' and '.join(map(repr, values))}"
            )


def _strip_prefix(weights: dict[str, Array]) -> dict[str, Array]:
    return {name.removeprefix("bert.").removeprefix("roberta."): value for name, value in weights.items()}


def _cores() -> int:
    """Return how many cores this process may use."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    # A worker among others on the same cores is given its share by this variable, as by Ray.
    stated = os.environ.get("OMP_NUM_THREADS", "")
    return min(cores, max(1, int(stated))) if stated.isdecimal() else cores


def _divided(work: Callable[[slice, Callable[[], Any]], Array], tokens: int) -> Array:
    """Return the sum of what `work` makes of the parts of so many tokens, each on a core of its own."""
    parts = _parts(tokens, _cores())
    together = threading.Barrier(len(parts))

    def one(part: slice) -> Array:
        try:
            return work(part, together.wait)
        except BaseException:
            together.abort()  # the others wait for this part no longer
            raise

    if len(parts) > 1:
        with ThreadPoolExecutor(len(parts)) as threads:
            try:
                return np.asarray(sum(threads.map(one, parts)))
            except RuntimeError:  # no more threads start, as when the main thread has ended
                pass
            finally:
                together.abort()  # after an interrupt a part that never began would be waited for
    return work(slice(0, tokens), lambda: None)


def _parts(tokens: int, cores: int) -> list[slice]:
    """Return the tokens in parts of about one size, one for each core that is worth it.

    The division depends on nothing else, so that the same texts have the same vectors to the last bit.
    """
    count = max(1, min(cores, tokens // LEAST_TOKENS))
    ends = [tokens * part // count for part in range(count + 1)]
    return [slice(*pair) for pair in pairwise(ends)]


def _packs(lengths: Sequence[int]) -> list[list[int]]:
    """Return row numbers in packs of about the same number of tokens, at most PACK_TOKENS on the average."""
    count = max(1, -(-sum(lengths) // PACK_TOKENS))
    packs: list[list[int]] = [[] for _ in range(count)]
    sizes = [0] * count
    for row in sorted(range(len(lengths)), key=lambda row: -lengths[row]):
        smallest = sizes.index(min(sizes))
        packs[smallest].append(row)
        sizes[smallest] += lengths[row]
    return [pack for pack in packs if pack]


def _linear(x: Array, pair: tuple[Array, Array]) -> Array:
    out: Array = x @ pair[0].T
    out += pair[1]
    return out


def _layer_norm(x: Array, pair: tuple[Array, Array], epsilon: float) -> Array:
    x = np.subtract(x, x.mean(axis=-1, keepdims=True))
    variance: Array = np.einsum("ij,ij->i", x, x)[:, None] / x.shape[-1]
    x *= 1 / np.sqrt(variance + np.float32(epsilon))
    x *= pair[0]
    x += pair[1]
    return x


# Minimax coefficients of erf(x) / x in x*x on [-4, 4], highest power first, as in Eigen's float kernel.
_ERF_TOP = (
    -2.72614225801306e-10,
    2.77068142495902e-08,
    -2.10102402082508e-06,
    -5.69250639462346e-05,
    -7.34990630326855e-04,
    -2.95459980854025e-03,
    -1.60960333262415e-02,
)
_ERF_BOTTOM = (
    -1.45660718464996e-05,
    -2.13374055278905e-04,
    -1.68282697438203e-03,
    -7.37332916720468e-03,
    -1.42647390514189e-02,
)


def _gelu_by_block(x: Array) -> Array:
    """Return `x` with each value replaced by its GELU."""
    for first in range(0, len(x), BLOCK_ROWS):
        block = x[first : first + BLOCK_ROWS]
        block[:] = _gelu(block)
    return x


def _gelu(x: Array) -> Array:
    """Return x/2 * (1 + erf(x / sqrt 2)), the exact GELU (Hendrycks and Gimpel 2016), to 1e-6."""
    z: Array = np.clip(x * np.float32(0.7071067811865476), -4, 4)
    square = z * z
    z *= _horner(square, _ERF_TOP)
    z /= _horner(square, _ERF_BOTTOM)
    z += 1
    z *= x
    z *= np.float32(0.5)
    return z


def _horner(x: Array, coefficients: Sequence[float]) -> Array:
    out = np.full_like(x, coefficients[0])
    for coefficient in coefficients[1:]:
        out *= x
        out += np.float32(coefficient)
    return out
