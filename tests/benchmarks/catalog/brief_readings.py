"""Vectors and features of labelled texts, read once and kept in a file outside the project."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from music_catalog.brief.supervisor import with_application
from music_catalog.models import Context, Features
from music_catalog.text import features
from music_catalog.text.encoder import Encoder
from music_catalog.text.parsed import parse

__all__ = ["Reading", "Told", "read_all"]

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

    def to_brief(self) -> tuple[str, NDArray[np.float32], Features]:
        """Return the first arguments of `music_catalog.brief.reader.read_brief`."""
        return self.text, self.layers, self.features.model_copy(update={"language": self.spoken})


class Told(NamedTuple):
    """A text, and what the application is that shows it."""

    text: str
    application: str


def read_all(texts: Sequence[str | Told], encoder: Encoder, cache: Path | None = None) -> list[Reading]:
    """Return the reading of each text. `cache` holds those of earlier runs, and gets the new ones."""
    kept = _load(cache) if cache is not None and cache.is_file() else {}
    for number, text in enumerate(texts):
        key = _key(text, encoder)
        if key in kept:
            continue
        context = Context(text=text.text if isinstance(text, Told) else text)
        parsed = parse(context, encoder, None)
        assert parsed.layers is not None
        read, layers = parsed.text, parsed.layers
        if isinstance(text, Told):
            read, layers, _ = with_application(text.application, parsed, encoder)
        kept[key] = Reading(layers, features.features_of(context, parsed), read, parsed.spoken)
        print(f"\rread {number + 1:,} of {len(texts):,}", end="", file=sys.stderr)
        if cache is not None and len(kept) % SAVED_EVERY == 0:
            _save(cache, kept)
    print(file=sys.stderr)
    if cache is not None:
        _save(cache, kept)
    return [kept[_key(text, encoder)] for text in texts]


def _key(text: str | Told, encoder: Encoder) -> str:
    """Return what tells a reading from any other: encoder, version of the features, text and application."""
    said = "\0".join(text) if isinstance(text, Told) else text
    return hashlib.sha256(f"{encoder.identity}\n{features.VERSION}\n{said}".encode()).hexdigest()


def _load(cache: Path) -> dict[str, Reading]:
    with np.load(cache) as file:
        layers, rest = file["layers"], json.loads(file["features"].tobytes())
    rows: list[tuple[str, dict[str, Any], str, str]] = rest
    return {
        key: Reading(one, Features.model_validate(values), text, spoken)
        for one, (key, values, text, spoken) in zip(layers, rows, strict=True)
    }


def _save(cache: Path, kept: dict[str, Reading]) -> None:
    rest = json.dumps(
        [(key, one.features.model_dump(mode="json"), one.text, one.spoken) for key, one in kept.items()]
    )
    cache.parent.mkdir(parents=True, exist_ok=True)
    half = cache.with_name(f"{cache.name}.half")
    with half.open("wb") as file:
        layers = np.stack([one.layers for one in kept.values()])
        np.savez(file, layers=layers, features=np.frombuffer(rest.encode(), dtype=np.uint8))
    half.replace(cache)
