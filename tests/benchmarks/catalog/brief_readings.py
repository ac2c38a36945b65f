"""Vectors and features of labelled texts, read once and kept in a file outside the project."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from music_catalog.models import Context, Features
from music_catalog.text import features
from music_catalog.text.encoder import Encoder
from music_catalog.text.parsed import parse

__all__ = ["Reading", "read_all"]

Reading = tuple[NDArray[np.float32], Features]
"""The unit vectors of a text after each layer of the encoder, shape (layers, dimension), and its features."""
SAVED_EVERY = 500


def read_all(texts: list[str], encoder: Encoder, cache: Path | None = None) -> list[Reading]:
    """Return the reading of each text. `cache` holds those of earlier runs, and gets the new ones."""
    kept = _load(cache) if cache is not None and cache.is_file() else {}
    for number, text in enumerate(texts):
        key = _key(text, encoder)
        if key in kept:
            continue
        context = Context(text=text)
        parsed = parse(context, encoder, None)
        assert parsed.layers is not None
        kept[key] = (parsed.layers, features.features_of(context, parsed))
        print(f"\rread {number + 1:,} of {len(texts):,}", end="", file=sys.stderr)
        if cache is not None and len(kept) % SAVED_EVERY == 0:
            _save(cache, kept)
    print(file=sys.stderr)
    if cache is not None:
        _save(cache, kept)
    return [kept[_key(text, encoder)] for text in texts]


def _key(text: str, encoder: Encoder) -> str:
    """Return what tells a reading from any other: encoder, version of the features, text."""
    return hashlib.sha256(f"{encoder.identity}\n{features.VERSION}\n{text}".encode()).hexdigest()


def _load(cache: Path) -> dict[str, Reading]:
    with np.load(cache) as file:
        layers, rest = file["layers"], json.loads(file["features"].tobytes())
    pairs: list[tuple[str, dict[str, Any]]] = rest
    return {
        key: (one, Features.model_validate(values)) for one, (key, values) in zip(layers, pairs, strict=True)
    }


def _save(cache: Path, kept: dict[str, Reading]) -> None:
    rest = json.dumps([(key, found.model_dump(mode="json")) for key, (_, found) in kept.items()])
    cache.parent.mkdir(parents=True, exist_ok=True)
    half = cache.with_name(f"{cache.name}.half")
    with half.open("wb") as file:
        layers = np.stack([one for one, _ in kept.values()])
        np.savez(file, layers=layers, features=np.frombuffer(rest.encode(), dtype=np.uint8))
    half.replace(cache)
