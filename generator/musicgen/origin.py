"""What the adapter reads beside the weights: where they come from, the tokenizer, the settings of chroma."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import WeightsError
from ..networks.bundle import Networks
from ..weights import models
from ..weights.files import read_json, read_manifest
from .chroma import ChromaConfig

__all__ = ["Origin"]

_TOKEN_LIMIT = 512
"""Tokens that T5 was trained on, where the checkpoint does not say."""


@dataclass(frozen=True)
class Origin:
    """Where the weights are from."""

    name: str
    revision: str | None
    license: str


def read_origin(folder: Path) -> Origin:
    manifest = read_manifest(folder) or {}
    cached = folder.parent.parent.name  # models--owner--name/snapshots/commit
    name = manifest.get("source")
    if name is None and cached.startswith("models--"):
        return Origin(
            cached.removeprefix("models--").replace("--", "/"), folder.name, models.license_of(folder)
        )
    # Provenance travels with a track, and a path on this machine is private.
    name = Path(name).name if name and Path(name).is_absolute() else name
    return Origin(str(name or folder.name), manifest.get("revision"), models.license_of(folder))


def load_tokenizer(folder: Path) -> Any:
    from tokenizers import Tokenizer

    file = folder / "tokenizer.json"
    if not file.is_file():
        raise WeightsError(f"{folder} has no tokenizer.json; pull the model again.")
    try:
        tokenizer = Tokenizer.from_file(str(file))
    except Exception as error:  # the binding raises bare Exception
        raise WeightsError(f"{file} is no tokenizer; pull the model again.") from error
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def token_limit(folder: Path) -> int:
    """Return the tokenizer's own limit where it states a real one."""
    file = folder / "tokenizer_config.json"
    stated = read_json(file).get("model_max_length") if file.is_file() else None
    return int(stated) if isinstance(stated, int) and 0 < stated < 10**6 else _TOKEN_LIMIT


def chroma_config(folder: Path, networks: Networks) -> ChromaConfig:
    file = folder / "preprocessor_config.json"
    stated = read_json(file) if file.is_file() else {}
    names = {
        "sample_rate": "sampling_rate",
        "n_fft": "n_fft",
        "hop_length": "hop_length",
        "chunk_length_s": "chunk_length",
    }
    known = {ours: stated[theirs] for ours, theirs in names.items() if theirs in stated}
    return ChromaConfig(**known, num_chroma=networks.decoder.config.num_chroma)
