"""CLAP through transformers: a track and a text become unit vectors of one space (Wu and others 2023).

torch and transformers are imported when the network is first used.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import MissingExtra, Unavailable
from ..generator import Audio, WeightsError, audio
from ..generator.weights.ears import check_config
from .vectors import DIMENSION, mean_vector, windows

__all__ = ["INSTALL", "Clap"]

Array = NDArray[np.float32]

INSTALL = "pip install 'music-catalog[hear]'"
TEXTS_AT_ONCE = 32
ALIKE = 0.95
"""From this mean cosine of unrelated texts on, a checkpoint does not tell texts apart: working ones have 0.2 to 0.3."""
UNRELATED = (
    "a solo piano plays slowly",
    "aggressive heavy metal with distorted guitars",
    "rain falls on leaves",
    "a cheerful ukulele tune",
    "deep bass and a fast techno beat",
    "a choir sings in a cathedral",
)


class Clap:
    """An ear whose network is loaded when it is first used. Threads may share it."""

    def __init__(self, identity: str, name: str, find: Callable[[], Path]) -> None:
        """`find` returns the checkpoint's folder in transformers' layout; it may raise Unavailable."""
        self.identity = identity
        self.name = name
        self._find = find
        self._lock = threading.Lock()
        self._parts: tuple[Any, Any, Any] | None = None
        self._tells_apart: bool | None = None

    def hear(self, sound: Audio) -> Array | None:
        """Return the unit vector of a sound of any length, shape (DIMENSION,); None for one without samples.

        See `music_catalog.ear.vectors`. Raises Unavailable where the network cannot be loaded.
        """
        with self._lock:
            _, extractor, _ = self._loaded()
            rate = int(extractor.sampling_rate)
            mono = audio.resample(audio.to_mono(sound), rate).samples[:, 0]
            if not len(mono):
                return None
            return mean_vector(windows(mono, int(extractor.nb_max_samples)), self._hear_windows)

    def read(self, texts: Sequence[str]) -> Array:
        """Return the unit vectors of texts, shape (len(texts), DIMENSION).

        Raises Unavailable where the network cannot be loaded, or gives nearly the same vector to every text.
        """
        with self._lock:
            if self._tells_apart is None:
                vectors = self._read(UNRELATED)
                cosines = (vectors @ vectors.T)[np.triu_indices(len(UNRELATED), 1)]
                self._tells_apart = bool(cosines.mean() < ALIKE)
            if not self._tells_apart:
                raise Unavailable(
                    f"the ear {self.name} gives nearly the same vector to every text, so it compares sounds but reads "
                    "no texts; run `catalog models pull clap-general` and set `ear: {model: clap-general}`"
                )
            return self._read(texts)

    @property
    def scale(self) -> float:
        """Return the number that the network multiplies cosines by before it compares them (its logit scale)."""
        with self._lock:
            model, _, _ = self._loaded()
            return math.exp(float(model.logit_scale_a.detach()))

    def _hear_windows(self, parts: Sequence[Array]) -> Array:
        """Return unit vectors of windows, shape (len(parts), DIMENSION)."""
        import torch

        model, extractor, _ = self._loaded()
        # No window is longer than the network hears, so nothing is cut at random.
        given = extractor(list(parts), sampling_rate=extractor.sampling_rate, return_tensors="pt")
        with torch.inference_mode():
            pooled = model.audio_model(input_features=given["input_features"].float()).pooler_output
            return _unit(model.audio_projection(pooled).numpy())

    def _read(self, texts: Sequence[str]) -> Array:
        import torch

        model, _, tokenizer = self._loaded()
        most = min(int(tokenizer.model_max_length), int(model.config.text_config.max_position_embeddings) - 2)
        found = [np.zeros((0, DIMENSION), np.float32)]
        for start in range(0, len(texts), TEXTS_AT_ONCE):
            batch = list(texts[start : start + TEXTS_AT_ONCE])
            given = tokenizer(batch, padding=True, truncation=True, max_length=most, return_tensors="pt")
            with torch.inference_mode():
                pooled = model.text_model(
                    input_ids=given["input_ids"], attention_mask=given["attention_mask"]
                ).pooler_output
                found.append(_unit(model.text_projection(pooled).numpy()))
        return np.concatenate(found)

    def _loaded(self) -> tuple[Any, Any, Any]:
        """Return the model, the feature extractor and the tokenizer."""
        if self._parts is None:
            folder = self._find()
            try:
                from transformers import AutoTokenizer, ClapFeatureExtractor, ClapModel
            except ModuleNotFoundError as error:
                raise MissingExtra(
                    f"the ear {self.name} needs transformers and torch; {INSTALL}", name=error.name
                ) from error
            try:
                check_config(folder)
                local = {"local_files_only": True}
                with _without_progress():
                    model = ClapModel.from_pretrained(folder, use_safetensors=True, **local).float().eval()
                extractor = ClapFeatureExtractor.from_pretrained(folder, **local)
                tokenizer = AutoTokenizer.from_pretrained(folder, **local)
            except WeightsError as error:
                raise Unavailable(str(error)) from error
            except Exception as error:  # the library raises whatever its parts raise
                reason = (str(error).strip() or type(error).__name__).splitlines()[0]
                raise Unavailable(f"the ear in {folder} cannot be loaded: {reason}") from error
            self._parts = model, extractor, tokenizer
        return self._parts


@contextmanager
def _without_progress() -> Iterator[None]:
    """Keep the library's progress bar of reading a file off the terminal."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


def _unit(vectors: Any) -> Array:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, 1e-12), dtype=np.float32)
