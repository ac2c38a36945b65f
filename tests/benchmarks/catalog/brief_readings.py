"""Vectors and features of labelled texts, read once and kept in a file outside the project."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from music_catalog.brief.pools import Pools, TextVectors, vectors_of
from music_catalog.brief.supervisor import with_application
from music_catalog.models import Context, Features
from music_catalog.text import features
from music_catalog.text.encoder import Encoder
from music_catalog.text.parsed import parse
from music_catalog.text.tensors import read_metadata, read_tensors

__all__ = ["POOLS_FILE", "Reading", "Told", "read_all", "read_pools"]

POOLS_FILE = Path(__file__).with_name("music_fit") / "pools.safetensors"
"""What `fit_pools.py` fitted; `fit_brief.py` puts it into the model of the brief."""
SAVED_EVERY = 500


class Reading(NamedTuple):
    """What is read of a text."""

    layers: NDArray[np.float32]
    """Unit vectors of what is read after each layer of the encoder, shape (layers, dimension)."""
    features: Features
    text: str
    """What is read: the text as it was sent, or word for word in English."""
    spoken: str
    """The language of what is read."""
    pooled: NDArray[np.float32]
    """The values of the pools; see `music_catalog.brief.pools`."""

    def to_brief(self) -> tuple[str, TextVectors, Features]:
        """Return the first arguments of `music_catalog.brief.reader.read_brief`."""
        vectors = TextVectors(self.layers, self.pooled)
        return self.text, vectors, self.features.model_copy(update={"language": self.spoken})


class Told(NamedTuple):
    """A text, and what the application is that shows it."""

    text: str
    application: str


def read_all(texts: Sequence[str | Told], encoder: Encoder, cache: Path | None = None) -> list[Reading]:
    """Return the reading of each text. `cache` holds those of earlier runs, and gets the new ones."""
    pools = read_pools(encoder.identity)
    kept = _load(cache) if cache is not None and cache.is_file() else {}
    for number, text in enumerate(texts):
        key = _key(text, encoder)
        if key in kept:
            continue
        context = Context(text=text.text if isinstance(text, Told) else text)
        parsed = parse(context, encoder, None)
        assert parsed.layers is not None
        if isinstance(text, Told):
            read, vectors, _ = with_application(text.application, parsed, encoder, pools)
        else:
            read, vectors = parsed.text, vectors_of(pools, parsed.layers, parsed.tokens)
        found = features.features_of(context, parsed)
        kept[key] = Reading(vectors.layers, found, read, parsed.spoken, vectors.pooled)
        print(f"\rread {number + 1:,} of {len(texts):,}", end="", file=sys.stderr)
        if cache is not None and len(kept) % SAVED_EVERY == 0:
            _save(cache, kept)
    print(file=sys.stderr)
    if cache is not None:
        _save(cache, kept)
    return [kept[_key(text, encoder)] for text in texts]


def read_pools(identity: str) -> Pools | None:
    """Return the weighted means of tokens that `fit_pools.py` fitted for the encoder; None where there are none."""
    if not POOLS_FILE.is_file() or json.loads(read_metadata(POOLS_FILE)["about"])["encoder"] != identity:
        return None
    tensors = read_tensors(POOLS_FILE)
    return Pools(tensors["queries"], tensors["values"])


@lru_cache
def _version(identity: str) -> str:
    """Return what tells the pools of an encoder from others."""
    return "" if read_pools(identity) is None else hashlib.sha256(POOLS_FILE.read_bytes()).hexdigest()


def _key(text: str | Told, encoder: Encoder) -> str:
    """Return what tells a reading from any other: encoder, versions of features and pools, text and application."""
    said = "\0".join(text) if isinstance(text, Told) else text
    return hashlib.sha256(
        f"{encoder.identity}\n{features.VERSION}\n{_version(encoder.identity)}\n{said}".encode()
    ).hexdigest()


def _load(cache: Path) -> dict[str, Reading]:
    with np.load(cache) as file:
        if "pooled" not in file:  # an earlier version wrote it
            return {}
        layers, pooled, rest = file["layers"], file["pooled"], json.loads(file["features"].tobytes())
    rows: list[tuple[str, dict[str, Any], str, str]] = rest
    return {
        key: Reading(one, Features.model_validate(values), text, spoken, values_of_pools)
        for one, values_of_pools, (key, values, text, spoken) in zip(layers, pooled, rows, strict=True)
    }


def _save(cache: Path, kept: dict[str, Reading]) -> None:
    rest = json.dumps(
        [(key, one.features.model_dump(mode="json"), one.text, one.spoken) for key, one in kept.items()]
    )
    cache.parent.mkdir(parents=True, exist_ok=True)
    half = cache.with_name(f"{cache.name}.half")
    with half.open("wb") as file:
        layers = np.stack([one.layers for one in kept.values()])
        pooled = np.stack([one.pooled for one in kept.values()])
        np.savez(file, layers=layers, pooled=pooled, features=np.frombuffer(rest.encode(), dtype=np.uint8))
    half.replace(cache)
