"""Conversion of a MusicGen checkpoint in any layout into a folder of our own.

The only place that reads pickled files: torch is imported for them alone, and told to load data and no code.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from generator.blas import preload_openblas
from generator.checkpoint import (
    GROUP_SIZE,
    MANIFEST,
    PARTS,
    build_networks,
    read_json,
    read_manifest,
    read_tensors,
    sha256_of,
    split_parts,
)
from generator.errors import WeightsError
from generator.hub import Source

if TYPE_CHECKING:
    import mlx.core as mx

__all__ = ["convert"]


def convert(
    source_folder: Path, target: Path, source: Source, *, dtype: str | None = None, bits: int | None = None
) -> Path:
    """Write a checkpoint in any layout as a folder of our own; the folder appears whole or not at all."""
    preload_openblas()
    import mlx.core as mx
    from mlx.utils import tree_flatten

    config = read_json(source_folder / "config.json")
    parts = split_parts(_read_any(source_folder))
    stored = next(iter(parts["decoder"].values())).dtype if parts["decoder"] else mx.float32
    networks = build_networks(
        config, parts, dtype=dtype or str(stored).removeprefix("mlx.core."), bits=bits, source=source_folder
    )
    with tempfile.TemporaryDirectory(prefix=".converting-", dir=target.parent) as temporary:
        made = Path(temporary) / target.name
        made.mkdir()
        for part in PARTS:
            arrays = dict(tree_flatten(getattr(networks, part).parameters()))
            mx.save_safetensors(str(made / f"{part}.safetensors"), arrays, metadata={"format": "mlx"})
        _copy_texts(source_folder, made)
        manifest = {
            "format": 1,
            "source": source.repo,
            "revision": source.revision,
            "license": source.license,
            "dtype": networks.dtype,
            "bits": networks.bits,
            "group_size": GROUP_SIZE if networks.bits else None,
            "converted_by": {name: _version(name) for name in ("music-catalog", "mlx")},
            "files": {
                file.name: {"size": file.stat().st_size, "sha256": sha256_of(file)}
                for file in sorted(made.iterdir())
            },
        }
        (made / MANIFEST).write_text(json.dumps(manifest, indent=1), encoding="utf-8")
        _replace(target, made)
    return target


def _copy_texts(source: Path, target: Path) -> None:
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json", "preprocessor_config.json"):
        if (source / name).is_file():
            shutil.copyfile(source / name, target / name)
    if not (target / "tokenizer.json").is_file():
        raise WeightsError(f"{source} has no tokenizer.json; take it from the model's repository.")


def _replace(target: Path, made: Path) -> None:
    """Put a finished folder in place of an older one; each file is on disk before its name is."""
    for file in made.iterdir():
        with file.open("rb") as stream:
            os.fsync(stream.fileno())
    if target.exists():
        target.rename(made.parent / "before")
    made.rename(target)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"


def _read_any(folder: Path) -> dict[str, mx.array]:
    """Read the tensors of a folder in any layout but our own."""
    if read_manifest(folder):
        raise WeightsError(f"{folder} is converted already; use it as it is or pull the model again.")
    whole = any((folder / name).is_file() for name in ("model.safetensors", "model.safetensors.index.json"))
    pickled = [] if whole else _pickled_files(folder)
    if not pickled:
        return read_tensors(folder)
    tensors: dict[str, mx.array] = {}
    for file in pickled:
        tensors.update(_unpickle(file))
    return tensors


def _pickled_files(folder: Path) -> list[Path]:
    index = folder / "pytorch_model.bin.index.json"
    if not index.is_file():
        return sorted(folder.glob("pytorch_model.bin"))
    files = [folder / name for name in sorted(set(read_json(index).get("weight_map", {}).values()))]
    if missing := [file.name for file in files if not file.is_file()]:
        raise WeightsError(f"{folder} lacks {', '.join(missing)}; pull the model again.")
    return files


def _unpickle(file: Path) -> dict[str, mx.array]:
    """Read a pickled file with torch, which is imported here alone and told to load data only."""
    import mlx.core as mx
    import torch

    try:
        loaded = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises whatever the pickle machine met
        raise WeightsError(
            f"{file} cannot be read ({type(error).__name__}); pull the model again."
        ) from error
    if not isinstance(loaded, dict):
        raise WeightsError(f"{file} holds {type(loaded).__name__}, not named tensors; pull the model again.")
    tensors = {name: tensor for name, tensor in loaded.items() if isinstance(tensor, torch.Tensor)}
    # numpy has no bfloat16
    half = {name for name, tensor in tensors.items() if tensor.dtype == torch.bfloat16}
    return {
        name: mx.array(tensor.float().numpy()).astype(mx.bfloat16)
        if name in half
        else mx.array(tensor.numpy())
        for name, tensor in tensors.items()
    }
