"""The networks that some checkpoints leave to other repositories: the text encoder and the codec.

audiocraft's layout never has T5 and mostly names its codec; conversions made for other ports may lack the same. Such
a network is a folder of its own inside the checkpoint's, in transformers' layout or in that of
`mlx-community/encodec-32khz-float32`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import WeightsError
from .audiocraft import is_audiocraft, own_codec
from .files import read_json, read_tensors, tensor_names

if TYPE_CHECKING:
    import mlx.core as mx

__all__ = ["TEXT_FOLDER", "completed", "missing_companions"]


TEXT_FOLDER = "t5-base"
CODEC_FOLDER = "encodec_32khz"
_FOLDERS = {"text_encoder": TEXT_FOLDER, "audio_encoder": CODEC_FOLDER}
_REPOS: Mapping[str, tuple[str, ...]] = {
    TEXT_FOLDER: ("google-t5/t5-base",),
    CODEC_FOLDER: ("facebook/encodec_32khz", "mlx-community/encodec-32khz-float32"),
}


def missing_companions(folder: Path) -> dict[str, tuple[str, ...]]:
    """Return each subfolder that a checkpoint needs and lacks, and the repositories that have it, best first."""
    if is_audiocraft(folder):
        needed = [TEXT_FOLDER] if own_codec(folder) is not None else [TEXT_FOLDER, CODEC_FOLDER]
    else:
        names = tensor_names(folder)
        needed = [_FOLDERS[part] for part in _FOLDERS if names and not _has(part, names)]
    return {name: _REPOS[name] for name in needed if not (folder / name).is_dir()}


def completed(
    folder: Path, config: Mapping[str, Any], tensors: Mapping[str, mx.array]
) -> tuple[dict[str, Any], dict[str, mx.array]]:
    """Return configuration and tensors of a checkpoint with those of its companions; raise WeightsError."""
    whole, every = dict(config), dict(tensors)
    for part, name in _FOLDERS.items():
        if _has(part, tensors):
            continue
        companion = folder / name
        if not companion.is_dir():
            raise WeightsError(
                f"{folder} has no {part.replace('_', ' ')}; put {' or '.join(_REPOS[name])} into {companion}."
            )
        whole[part] = read_json(companion / "config.json")
        every |= {f"{part}.{key}": value for key, value in read_tensors(companion).items()}
    return whole, every


def _has(part: str, names: Mapping[str, Any] | set[str]) -> bool:
    return any(name.startswith(f"{part}.") for name in names)
