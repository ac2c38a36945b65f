"""Conversion of a MusicGen checkpoint in any layout into a folder of our own."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from ..errors import WeightsError
from ..networks.bundle import Networks
from ..protocol import versions
from .audiocraft import is_audiocraft, read_audiocraft
from .checkpoint import build_networks, build_own, split_parts
from .companions import TEXT_FOLDER, completed
from .files import (
    MANIFEST,
    PARTS,
    STORED_AS,
    read_json,
    read_manifest,
    read_tensors,
    safetensors_header,
    sha256_of,
)
from .hub import Source
from .pickled import load_pickle, to_mlx
from .placing import place

if TYPE_CHECKING:
    import mlx.core as mx
    import mlx.nn as nn

__all__ = ["convert"]


def convert(
    source_folder: Path, target: Path, source: Source, *, dtype: str | None = None, bits: int | None = None
) -> Path:
    """Write a checkpoint in any layout as a folder of our own, in place of an older one.

    The folder appears whole and on disk, or not at all. Raises WeightsError.
    """
    with tempfile.TemporaryDirectory(prefix=f".converting-{target.name}-", dir=target.parent) as temporary:
        made, scratch = Path(temporary) / target.name, Path(temporary) / "scratch"
        made.mkdir()
        scratch.mkdir()
        networks = _built(source_folder, dtype, bits, scratch)
        for part in PARTS:
            _write_safetensors(made / f"{part}.safetensors", _taken(getattr(networks, part)))
        (made / "config.json").write_text(json.dumps(networks.config, indent=1), encoding="utf-8")
        _copy_texts(source_folder, made)
        manifest = {
            "format": 1,
            "source": source.repo,
            "revision": source.revision,
            "license": source.license,
            "dtype": networks.dtype,
            "bits": networks.bits,
            "group_size": networks.group_size,
            "converted_by": versions("music-catalog", "mlx"),
            "files": {
                file.name: {"size": file.stat().st_size, "sha256": sha256_of(file)}
                for file in sorted(made.iterdir())
            },
        }
        (made / MANIFEST).write_text(json.dumps(manifest, indent=1), encoding="utf-8")
        place(made, target)
    return target


def _taken(network: nn.Module) -> dict[str, mx.array]:
    """Return the arrays of a network, which has none any more, so that each can leave the memory on its own."""
    from mlx.utils import tree_flatten

    arrays = dict(tree_flatten(network.parameters()))
    for module in network.modules():
        module.clear()
    return arrays


def _write_safetensors(file: Path, arrays: dict[str, mx.array]) -> None:
    """Take arrays one by one and write them, each aligned to its type, so that a processor can compute with it there.

    `safetensors.serialize_file` wants all arrays in memory at once; here one at a time is evaluated and written.
    """
    import mlx.core as mx

    # Wide types first: behind the aligned header each array then begins at a multiple of its own type.
    ordered = sorted(arrays, key=lambda name: (-arrays[name].dtype.size, name))
    kinds = {getattr(mx, kind): stored for stored, kind in STORED_AS.items()}
    with file.open("wb") as stream:
        stream.write(
            safetensors_header(
                (name, kinds[arrays[name].dtype], arrays[name].shape, arrays[name].nbytes) for name in ordered
            )
        )
        for name in ordered:
            _write_array(stream, arrays.pop(name))
            mx.clear_cache()


def _write_array(stream: IO[bytes], array: mx.array) -> None:
    import mlx.core as mx

    stream.write(np.asarray(mx.contiguous(array).reshape(-1).view(mx.uint8)).data)


def _copy_texts(source: Path, target: Path) -> None:
    names = ("tokenizer.json", "tokenizer_config.json", "preprocessor_config.json")
    for file in (folder / name for folder in (source / TEXT_FOLDER, source) for name in names):
        if file.is_file():
            shutil.copyfile(file, target / file.name)
    if not (target / "tokenizer.json").is_file():
        raise WeightsError(f"{source} has no tokenizer.json; take it from the model's repository.")


def _built(folder: Path, dtype: str | None, bits: int | None, scratch: Path) -> Networks:
    """Return the networks of a folder in any layout, the decoder as it is stored unless `dtype` is given.

    Their weights are read when they are used, from the folder or from files in `scratch`.
    """
    import mlx.core as mx

    if manifest := read_manifest(folder):
        if manifest.get("bits"):
            raise WeightsError(
                f"{folder} is quantized already; use it as it is or pull the model from where it came."
            )
        stored = str(manifest.get("dtype"))
        return build_own(
            folder, read_json(folder / "config.json"), manifest, dtype=dtype or stored, bits=bits
        )
    config, tensors = completed(folder, *_read(folder, scratch))
    parts = split_parts(tensors)
    first = next(iter(parts["decoder"].values())).dtype if parts["decoder"] else mx.float32
    stored = str(first).removeprefix("mlx.core.")
    return build_networks(config, parts, dtype=dtype or stored, bits=bits, source=folder)


def _read(folder: Path, scratch: Path) -> tuple[dict[str, Any], dict[str, mx.array]]:
    """Read configuration and tensors of a folder in a layout of the hub, named as transformers names them."""
    if is_audiocraft(folder):
        return read_audiocraft(folder, scratch)
    config = read_json(folder / "config.json")
    tensors: dict[str, mx.array] = {}
    for file in [] if any(folder.glob("model*.safetensors")) else _pickled_files(folder):
        tensors.update(to_mlx(load_pickle(file), scratch))
    return config, tensors or read_tensors(folder)


def _pickled_files(folder: Path) -> list[Path]:
    index = folder / "pytorch_model.bin.index.json"
    if not index.is_file():
        return sorted(folder.glob("pytorch_model.bin"))
    files = [folder / name for name in sorted(set(read_json(index).get("weight_map", {}).values()))]
    if missing := [file.name for file in files if not file.is_file()]:
        raise WeightsError(f"{folder} lacks {', '.join(missing)}; pull the model again.")
    return files
