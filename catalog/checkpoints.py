"""The checkpoints of MusicGen and of the ear: which there are, where they are here, and how one is fetched."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .errors import InputError, Unavailable
from .generator import Progress, WeightsError, weights

__all__ = ["check_name", "checkpoints", "pull_checkpoint"]


def checkpoints() -> list[dict[str, Any]]:
    """Return the checkpoints of MusicGen and of the ear: repository, size, licence, and where they are here."""
    return [
        {
            "name": info.name,
            "repo": info.repo,
            "size_bytes": info.size_bytes,
            "license": info.license,
            "path": str(info.path) if info.path else None,
            "revision": info.revision,
            "dtype": info.dtype,
            "bits": info.bits,
        }
        for info in (*weights.available(), *weights.available_ears())
    ]


def check_name(name: str) -> None:
    """Raise InputError for a name that no checkpoint, repository or folder can have."""
    known = (*weights.MODELS, *weights.EARS)
    if name not in known and "/" not in name and not Path(name).expanduser().is_dir():
        raise InputError(f"no model is named {name!r}; valid: {', '.join(known)}, owner/name or a folder")


def pull_checkpoint(
    name: str, *, dtype: str | None = None, bits: int | None = None, on_progress: Progress | None = None
) -> Path:
    """Fetch and convert a checkpoint of MusicGen, or of an ear; return its folder. Raises Unavailable, InputError."""
    check_name(name)
    ear = weights.is_ear(name) and not Path(name).expanduser().is_dir()
    if ear and (dtype or bits):
        raise InputError("dtype and bits are of MusicGen's decoder, and an ear has none; leave them out")
    try:
        if ear:
            return weights.pull_ear(name, on_progress=on_progress)
        return weights.pull(name, dtype=dtype, bits=bits, on_progress=on_progress)
    except WeightsError as error:
        raise Unavailable(str(error)) from error
