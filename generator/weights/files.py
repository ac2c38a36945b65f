"""Files of a checkpoint: safetensors, manifest and JSON, read and verified."""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import WeightsError

if TYPE_CHECKING:
    import mlx.core as mx


__all__ = [
    "MANIFEST",
    "PARTS",
    "STORED_AS",
    "STORED_BYTES",
    "StoredTensor",
    "check_safetensors",
    "git_sha1_of",
    "note_verified",
    "read_json",
    "read_manifest",
    "read_tensors",
    "safetensors_files",
    "safetensors_header",
    "sha256_of",
    "stored_tensors",
    "tensor_names",
    "verify",
    "verify_changed",
]


MANIFEST = "manifest.json"
PARTS = ("text_encoder", "codec", "decoder")
STORED_AS: Mapping[str, str] = {"F32": "float32", "F16": "float16", "BF16": "bfloat16", "U32": "uint32"}
"""The types that conversion writes: the name in safetensors, and the name in MLX."""
STORED_BYTES: Mapping[str, int] = {"F32": 4, "F16": 2, "BF16": 2, "U32": 4}


def read_tensors(folder: Path) -> dict[str, mx.array]:
    """Return all tensors of a folder's safetensors files; MLX reads each when it is used."""
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
    names: set[str] = set()
    for file in safetensors_files(folder):
        with _opened(file) as opened:
            names.update(opened.keys())
    return names


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


@dataclass(frozen=True)
class StoredTensor:
    """A tensor in a safetensors file: its type, as the format names it, its shape, and its first and last byte."""

    dtype: str
    shape: tuple[int, ...]
    start: int
    end: int


def check_safetensors(file: Path) -> None:
    """Raise WeightsError unless the file is a safetensors file of the length that its header says."""
    with _opened(file):
        pass


def stored_tensors(file: Path) -> dict[str, StoredTensor]:
    """Return the tensors of a file that conversion wrote, by name; raise WeightsError for a damaged file."""
    with _opened(file) as opened:
        names = opened.offset_keys()  # in the order of their bytes, which the format allows no gaps between
        slices = [opened.get_slice(name) for name in names]
        if foreign := {one.get_dtype() for one in slices} - STORED_BYTES.keys():
            raise WeightsError(
                f"{file} has tensors of type {', '.join(sorted(foreign))}; pull the model again."
            )
        sizes = [math.prod(one.get_shape()) * STORED_BYTES[one.get_dtype()] for one in slices]
    start = file.stat().st_size - sum(sizes)
    tensors = {}
    for name, one, size in zip(names, slices, sizes, strict=True):
        tensors[name] = StoredTensor(one.get_dtype(), tuple(one.get_shape()), start, start + size)
        start += size
    return tensors


@contextmanager
def _opened(file: Path) -> Iterator[Any]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, "numpy") as opened:
            yield opened
    except OSError as error:
        raise WeightsError(
            f"{file} cannot be read ({error.strerror or error}); pull the model again."
        ) from error
    except SafetensorError as error:
        raise WeightsError(
            f"{file} is damaged or no safetensors file ({error}); pull the model again."
        ) from error


_LINE = 64  # bytes of a cache's line


def safetensors_header(entries: Iterable[tuple[str, str, tuple[int, ...], int]]) -> bytes:
    """Return how a safetensors file begins that holds tensors in this order: name, type, shape and bytes of each.

    It ends at a multiple of a cache's line, so that what follows can be computed with in the file.
    """
    header: dict[str, Any] = {"__metadata__": {"format": "mlx"}}
    end = 0
    for name, dtype, shape, size in entries:
        start, end = end, end + size
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}
    text = json.dumps(header).encode()
    text += b" " * (-(8 + len(text)) % _LINE)
    return len(text).to_bytes(8, "little") + text


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


def verify_changed(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Verify a folder of our own whose files differ in size, time or inode from those that were verified last.

    It takes 1 to 3 seconds a GB, once: a file beside the folder keeps what was verified. Where none can be written
    nothing is verified, since it would be at each load; `catalog doctor --deep` does it. Raises WeightsError.
    """
    if _note(folder).is_file() and _note(folder).read_bytes() == _state(folder, manifest):
        return
    if os.access(folder.parent, os.W_OK):
        verify(folder)
        note_verified(folder, manifest)


def note_verified(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Keep that the files of a folder, as they are, match its manifest."""
    with suppress(OSError):
        _note(folder).write_bytes(_state(folder, manifest))


def _note(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.verified")


def _state(folder: Path, manifest: Mapping[str, Any]) -> bytes:
    """Return what changes with the files of a folder, and with what its manifest says of them."""
    stats = {name: (folder / name).stat() for name in manifest["files"] if (folder / name).is_file()}
    files = {name: [stat.st_size, stat.st_mtime_ns, stat.st_ino] for name, stat in stats.items()}
    return json.dumps([files, manifest["files"]], sort_keys=True).encode("utf-8")


def sha256_of(file: Path) -> str:
    """Return the hexadecimal sha256 of a file."""
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        while block := stream.read(1 << 22):
            digest.update(block)
    return digest.hexdigest()


def git_sha1_of(file: Path) -> str:
    """Return the name that git has for the content of a file: the sha1 of its length and its bytes."""
    digest = hashlib.sha1(f"blob {file.stat().st_size}\0".encode(), usedforsecurity=False)
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
