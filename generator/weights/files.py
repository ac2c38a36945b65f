"""Files of a checkpoint: safetensors, manifest and JSON, read and verified."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import WeightsError

if TYPE_CHECKING:
    import mlx.core as mx


__all__ = [
    "KEPT_AS",
    "MANIFEST",
    "PARTS",
    "check_safetensors",
    "read_json",
    "read_manifest",
    "read_tensors",
    "safetensors_files",
    "sha256_of",
    "tensor_names",
    "verify",
]


MANIFEST = "manifest.json"
PARTS = ("text_encoder", "codec", "decoder")


def read_tensors(folder: Path) -> dict[str, mx.array]:
    """Return all tensors of a folder's safetensors files, not read before they are used."""
    import mlx.core as mx

    tensors: dict[str, mx.array] = {}
    for file in safetensors_files(folder):
        check_safetensors(file)
        tensors.update(mx.load(str(file)))  # type: ignore[arg-type]
    return tensors


def tensor_names(folder: Path) -> set[str]:
    """Return the names of all tensors in a folder's safetensors files, empty for other layouts."""
    if not any(folder.glob("model*.safetensors")):
        return set()
    return {name for file in safetensors_files(folder) for name in read_header(file)[0]}


def safetensors_files(folder: Path) -> list[Path]:
    """Return the weight files in transformers' layout; raise WeightsError when there are none or not all."""
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        shards = sorted(set(read_json(index).get("weight_map", {}).values()))
        missing = [name for name in shards if not (folder / name).is_file()]
        if missing or not shards:
            raise WeightsError(f"{folder} lacks {', '.join(missing) or 'every shard'}; pull the model again.")
        return [folder / name for name in shards]
    if (folder / "model.safetensors").is_file():
        return [folder / "model.safetensors"]
    if any(folder.glob("*.bin")):
        raise WeightsError(
            f"{folder} holds pickled weights only; convert it once: catalog models pull {folder}"
        )
    raise WeightsError(f"{folder} holds no weights: neither model.safetensors nor {MANIFEST} is there.")


def check_safetensors(file: Path) -> None:
    """Raise WeightsError unless the file is as long as its header says."""
    header, start = read_header(file)
    try:
        end = start + max((entry["data_offsets"][1] for entry in header.values()), default=0)
    except (KeyError, IndexError, TypeError) as error:
        raise WeightsError(f"{file} is no safetensors file; pull the model again.") from error
    if (size := file.stat().st_size) != end:
        raise WeightsError(f"{file} is damaged: {size} bytes where {end} belong; pull the model again.")


def read_header(file: Path) -> tuple[dict[str, Any], int]:
    """Return what a safetensors file says of each tensor, and the byte where the tensors begin."""
    try:
        size = file.stat().st_size
        with file.open("rb") as stream:
            header_size = int.from_bytes(stream.read(8), "little")
            header = json.loads(stream.read(header_size) if header_size <= size else b"")
        tensors = {name: entry for name, entry in header.items() if name != "__metadata__"}
    except OSError as error:
        raise WeightsError(f"{file} cannot be read ({error.strerror}); pull the model again.") from error
    except (ValueError, AttributeError) as error:
        raise WeightsError(f"{file} is no safetensors file; pull the model again.") from error
    return tensors, 8 + header_size


def read_manifest(folder: Path) -> dict[str, Any] | None:
    """Return the manifest of a folder in our own layout, or None when it has none; raise WeightsError."""
    if not (folder / MANIFEST).is_file():
        return None
    manifest = read_json(folder / MANIFEST)
    files = manifest.get("files")
    whole = isinstance(files, dict) and all(
        isinstance(entry, dict) and {"size", "sha256"} <= entry.keys() for entry in files.values()
    )
    if not whole:
        raise WeightsError(f"{folder / MANIFEST} lists no files; pull the model again.")
    return manifest


def verify(folder: Path) -> None:
    """Read every file of a folder in our own layout; raise WeightsError where one is not as it was written."""
    manifest = read_manifest(folder)
    if manifest is None:
        raise WeightsError(f"{folder} has no {MANIFEST}, so there is nothing to compare its files with.")
    for name, entry in manifest["files"].items():
        if not (folder / name).is_file() or sha256_of(folder / name) != entry["sha256"]:
            raise WeightsError(f"{folder / name} is missing or damaged; pull the model again.")


def sha256_of(file: Path) -> str:
    """Return the hexadecimal sha256 of a file."""
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        while block := stream.read(1 << 22):
            digest.update(block)
    return digest.hexdigest()


def read_json(file: Path) -> dict[str, Any]:
    """Return the object in a file; raise WeightsError when it is missing or something else."""
    try:
        value = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise WeightsError(f"{file} cannot be read ({error.strerror}); pull the model again.") from error
    except ValueError as error:
        raise WeightsError(f"{file} is not valid JSON; pull the model again.") from error
    if not isinstance(value, dict):
        raise WeightsError(f"{file} holds {type(value).__name__}, not an object; pull the model again.")
    return value


KEPT_AS: dict[str, tuple[str, Any]] = {
    "F32": ("float32", np.float32),
    "F16": ("float16", np.uint16),
    "BF16": ("bfloat16", np.uint16),
    "U32": ("uint32", np.uint8),
}
"""Types in a file that loops read there, as MLX and as they name them."""
