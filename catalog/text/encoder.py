"""Text to unit vectors, with an identity: only vectors of the same identity may be compared.

The default model is all-MiniLM-L6-v2 (Reimers and Gurevych 2019; 384 dimensions, Apache-2.0). `load` is instant: the
weights are found, checked and mapped at the first `encode`, so that a store can be opened, and an exact repeat
answered, without them.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError, MissingExtra, Unavailable
from ..plugins.encoders import PluginEncoder
from ..plugins.installed import find
from .encoder_files import DEFAULT_MODEL, WEIGHTS_SHA256, locate, read_optional_json, verified_sha256
from .minilm import ARCHITECTURE, MiniLM
from .sentences import slices, split_sentences

__all__ = [
    "DEFAULT_MODEL",
    "Encoded",
    "Encoder",
    "embed_document",
    "embed_layers",
    "embed_tokens",
    "load",
    "locate",
]


POOLING = "pool-1"
"""Version of the rule by which `embed_document` pools chunks; raise it when the rule changes."""

MAX_CHUNKS = 16
MARKERS = 2
"""The tokens at the ends of every text."""
CHUNK_TOKENS = 256 - MARKERS
"""256 is the limit that all-MiniLM-L6-v2 was made for. An encoder that takes less gets shorter chunks."""

HUGE_CHARACTERS = 100_000
WINDOW_CHARACTERS = 4_000


_ByToken = Callable[[Sequence[str]], tuple[NDArray[np.float32], list[NDArray[np.float32]]]]


class Encoder(Protocol):
    """Anything that turns texts into unit vectors."""

    @property
    def identity(self) -> str:
        """Name model, revision, dimension and pooling; only vectors of equal identity compare."""
        ...

    @property
    def dimension(self) -> int:
        """Return the length of a vector."""
        ...

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return unit vectors, shape (len(texts), dimension)."""
        ...


class Encoded(NamedTuple):
    """A text as an encoder reads it."""

    layers: NDArray[np.float32]
    """Unit vectors after each layer, shape (layers, dimension), the last alone where the encoder gives no other."""
    tokens: NDArray[np.float32] | None
    """The states of the tokens after five sixths of the layers, shape (tokens, dimension); None where it gives none."""


class LocalEncoder:
    """A MiniLM that is found, checked and loaded when first used. Safe to share between threads.

    A pickled one has no weights: it finds them where it is used.
    """

    def __init__(self, identity: str, dimension: int, find: Callable[[], Path]) -> None:
        self.identity = identity
        self.dimension = dimension
        self._find = find
        self._lock = threading.Lock()
        self._network: MiniLM | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        return LocalEncoder, (self.identity, self.dimension, self._find)

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return unit vectors, shape (len(texts), dimension). Raises Unavailable without weights."""
        return self._loaded().encode(texts)

    def encode_layers(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return unit vectors after each layer, shape (len(texts), layers, dimension). Raises Unavailable."""
        return self._loaded().encode_layers(texts)

    def encode_tokens(self, texts: Sequence[str]) -> tuple[NDArray[np.float32], list[NDArray[np.float32]]]:
        """Return what `encode_layers` does, and states of each text's tokens; see `MiniLM`. Raises Unavailable."""
        return self._loaded().encode_tokens(texts)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Return how many tokens each text takes, without the markers at its ends."""
        return self._loaded().count_tokens(texts)

    @property
    def max_tokens(self) -> int:
        """Return how many tokens of a text are read, with the markers at its ends."""
        return self._loaded().max_tokens

    def _loaded(self) -> MiniLM:
        with self._lock:
            if self._network is None:
                self._network = MiniLM(self._find())
            return self._network


class TransformerEncoder:
    """Any other sentence-transformers model, through that library; importing torch takes seconds."""

    def __init__(self, folder: Path, identity: str, dimension: int) -> None:
        self.identity = identity
        self.dimension = dimension
        self._folder = folder
        self._lock = threading.Lock()
        self._model: Any = None

    def __reduce__(self) -> tuple[Any, ...]:
        return TransformerEncoder, (self._folder, self.identity, self.dimension)

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return unit vectors, shape (len(texts), dimension). Raises Unavailable when loading fails."""
        vectors = self._loaded().encode(list(texts), normalize_embeddings=True, show_progress_bar=False)
        return np.asarray(vectors, dtype=np.float32).reshape(len(texts), self.dimension)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Return how many tokens each text takes, without the markers at its ends."""
        tokenizer = self._loaded().tokenizer
        return [len(ids) for ids in tokenizer(list(texts), add_special_tokens=False)["input_ids"]]

    @property
    def max_tokens(self) -> int:
        """Return how many tokens of a text are read, with the markers at its ends."""
        return int(self._loaded().max_seq_length or CHUNK_TOKENS + MARKERS)

    def _loaded(self) -> Any:
        with self._lock:
            if self._model is None:
                try:
                    from sentence_transformers import SentenceTransformer
                except ModuleNotFoundError as error:
                    raise MissingExtra(
                        f"the encoder in {self._folder} needs sentence-transformers, which is not installed; "
                        "pip install 'music-catalog[encoders]'",
                        name=error.name,
                    ) from error
                try:
                    self._model = SentenceTransformer(str(self._folder))
                except Exception as error:  # the library raises whatever its parts raise
                    raise Unavailable(f"the encoder in {self._folder} cannot be loaded: {error}") from error
            return self._model


def load(name: str = DEFAULT_MODEL, *, offline: bool | None = None) -> Encoder:
    """Return the encoder `name`: of a plugin, of the hub or a folder; `CATALOG_ENCODER` replaces the default name.

    The default costs nothing until its first `encode`. `offline` None follows `HF_HUB_OFFLINE`. Raises Unavailable when
    another model is neither on this machine nor on the hub, InputError for an empty name.
    """
    if name == DEFAULT_MODEL:
        name = os.environ.get("CATALOG_ENCODER") or DEFAULT_MODEL
    if not name.strip():
        raise InputError("the encoder's name is empty; pass a hub name or a folder")
    if name == DEFAULT_MODEL:
        identity = _identity(name, WEIGHTS_SHA256, 384)
        return LocalEncoder(identity, 384, partial(locate, name, offline=offline))
    if "/" not in name and not Path(name).exists() and (plugin := find("encoder", name)):
        return PluginEncoder(plugin, POOLING)
    folder = locate(name, offline=offline)
    sha256 = verified_sha256(folder / "model.safetensors")
    dimension = _dimension(folder)
    identity = _identity(DEFAULT_MODEL if sha256 == WEIGHTS_SHA256 else name, sha256, dimension)
    if _is_plain_bert(folder):
        return LocalEncoder(identity, dimension, partial(Path, folder))
    return TransformerEncoder(folder, identity, dimension)


def embed_document(encoder: Encoder, text: str) -> NDArray[np.float32]:
    """Return one unit vector, shape (dimension,), for a text of any length.

    A short text gives exactly `encode([text])[0]`. A longer one is cut at sentence ends into chunks that the model
    takes whole; the mean of their vectors, weighted by token count, is brought to unit length. Of more than 16 chunks,
    16 are read, spread evenly from first to last.
    """
    return np.asarray(embed_layers(encoder, text)[-1])


def embed_layers(encoder: Encoder, text: str) -> NDArray[np.float32]:
    """Return the unit vectors of a text after each layer of the encoder, shape (layers, dimension).

    The last row is the vector of `embed_document`, and the only one where the encoder gives its last layer alone.
    """
    return embed_tokens(encoder, text).layers


def embed_tokens(encoder: Encoder, text: str) -> Encoded:
    """Return what `embed_layers` does, and the states of the tokens of all chunks, where the encoder gives them."""
    chunks, sizes = _spread_chunks(encoder, text) if len(text) > HUGE_CHARACTERS else _chunks(encoder, text)
    if len(chunks) > MAX_CHUNKS:
        picked = np.linspace(0, len(chunks) - 1, MAX_CHUNKS).round().astype(int)
        chunks, sizes = [chunks[i] for i in picked], [sizes[i] for i in picked]
    parts, states = _by_layer(encoder, chunks)
    tokens = np.concatenate(states) if states else None
    if len(parts) == 1:
        return Encoded(np.asarray(parts[0]), tokens)
    means = np.einsum("c,cld->ld", np.asarray(sizes, dtype=np.float32), parts)
    lengths = np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-12)
    return Encoded(np.asarray(means / lengths, dtype=np.float32), tokens)


def _by_layer(encoder: Encoder, texts: list[str]) -> tuple[NDArray[np.float32], list[NDArray[np.float32]]]:
    """Return unit vectors, shape (len(texts), layers, dimension), and states of the tokens of each text.

    There is one layer where the encoder gives its last alone, and there are no states where it gives none.
    """
    whole: _ByToken | None = getattr(encoder, "encode_tokens", None)
    if whole is not None:
        return whole(texts)
    inner: Callable[[Sequence[str]], NDArray[np.float32]] | None = getattr(encoder, "encode_layers", None)
    return (encoder.encode(texts)[:, None] if inner is None else inner(texts)), []


def _spread_chunks(encoder: Encoder, text: str) -> tuple[list[str], list[int]]:
    """Return one chunk from each of 16 evenly spread places: a huge text is not tokenised whole."""
    starts = np.linspace(0, len(text) - WINDOW_CHARACTERS, MAX_CHUNKS).astype(int)
    chunks, sizes = zip(
        *(
            (parts[0], counts[0])
            for start in starts
            for parts, counts in [_chunks(encoder, text[start : start + WINDOW_CHARACTERS].strip() or " ")]
        ),
        strict=True,
    )
    return list(chunks), list(sizes)


def _chunks(encoder: Encoder, text: str) -> tuple[list[str], list[int]]:
    """Return chunks that the encoder reads whole, of at most CHUNK_TOKENS tokens, and their token counts."""
    limit = min(CHUNK_TOKENS, getattr(encoder, "max_tokens", CHUNK_TOKENS + MARKERS) - MARKERS)
    whole = _count_tokens(encoder, [text])[0]
    if whole <= limit:
        return [text], [max(whole, 1)]
    chunks: list[str] = []
    totals: list[int] = []
    for piece, size in _fitting_pieces(encoder, split_sentences(text), limit):
        if chunks and totals[-1] + size <= limit:
            chunks[-1] += " " + piece
            totals[-1] += size
        else:
            chunks.append(piece)
            totals.append(size)
    return chunks, [max(total, 1) for total in totals]


def _fitting_pieces(encoder: Encoder, sentences: list[str], limit: int) -> list[tuple[str, int]]:
    """Halve pieces that are too long for one chunk, at a space where there is one, until every piece fits."""
    pieces = [part for sentence in sentences for part in slices(sentence, 1500)]
    while True:
        sized = list(zip(pieces, _count_tokens(encoder, pieces), strict=True))
        if all(size <= limit or len(piece) == 1 for piece, size in sized):
            return sized
        pieces = [
            part
            for piece, size in sized
            for part in ([piece] if size <= limit else slices(piece, (len(piece) + 1) // 2))
        ]


def _count_tokens(encoder: Encoder, texts: list[str]) -> list[int]:
    count: Callable[[Sequence[str]], list[int]] | None = getattr(encoder, "count_tokens", None)
    if count is not None:
        return count(texts)
    # Without a tokenizer, count two tokens for a Latin word and one for any other sign.
    return [sum(2 if len(t) > 1 else 1 for t in re.findall(r"[A-Za-zÀ-ɏ]+|\S", text)) for text in texts]


def _identity(name: str, sha256: str, dimension: int) -> str:
    return f"{Path(name).name}@{sha256[:12]}/{dimension}/{POOLING}"


def _is_plain_bert(folder: Path) -> bool:
    """Tell whether `MiniLM` can compute the model: BERT or XLM-RoBERTa, token mean, unit length."""
    config = read_optional_json(folder / "config.json")
    pooling = read_optional_json(folder / "1_Pooling" / "config.json")
    return (
        (folder / "tokenizer.json").is_file()
        and all(config.get(key) in ARCHITECTURE[key] for key in ("model_type", "hidden_act"))
        and (not pooling or bool(pooling.get("pooling_mode_mean_tokens")))
        and not any(folder.glob("*_Dense"))
    )


def _dimension(folder: Path) -> int:
    """Return the vector length that the model states: of its last dense layer, else its pooling, else its network."""
    dense = [
        read_optional_json(path).get("out_features") for path in sorted(folder.glob("*_Dense/config.json"))
    ]
    pooling = read_optional_json(folder / "1_Pooling" / "config.json").get("word_embedding_dimension")
    network = read_optional_json(folder / "config.json").get("hidden_size")
    for value in (*reversed(dense), pooling, network):
        if isinstance(value, int):
            return value
    raise Unavailable(f"{folder} does not state its vector length, so it is no sentence-transformers model")
