"""A MusicGen checkpoint in a folder: which layout it has, what it holds, and the networks built from it.

Read at run time: our own layout (one safetensors file per network and a manifest) and the layout of
transformers (`model.safetensors`, whole or sharded). Pickled checkpoints are read by
`generator.conversion.convert` alone, which writes our own layout.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from generator.errors import WeightsError
from generator.memory import require

if TYPE_CHECKING:
    import mlx.core as mx
    import mlx.nn as nn

    from generator.encodec import EncodecConfig, EncodecModel
    from generator.musicgen import MusicgenConfig, MusicgenDecoder
    from generator.t5 import T5Encoder

__all__ = [
    "DTYPES",
    "KEPT_AS",
    "LOADING",
    "MANIFEST",
    "PARTS",
    "Networks",
    "build_networks",
    "build_own",
    "check_config",
    "check_safetensors",
    "load_networks",
    "read_json",
    "read_manifest",
    "read_tensors",
    "safetensors_files",
    "sha256_of",
    "split_parts",
    "tensor_names",
    "verify",
]

MANIFEST = "manifest.json"
PARTS = ("text_encoder", "codec", "decoder")
DTYPES = ("float32", "float16", "bfloat16")
LOADING = "load this model", "a smaller one, or load it with bits=4"
"""What is told where memory is wanting: what it is wanted for, and what to ask for instead."""
GROUP_SIZES = (64, 32)
"""How many weights may share one scale when quantized; the first that divides the decoder's matrices is taken."""


@dataclass(frozen=True, eq=False)
class Networks:
    """The three networks of a checkpoint, ready to run, and how the decoder is held: type, bits, weights per scale."""

    config: Mapping[str, Any]
    text_encoder: T5Encoder
    codec: EncodecModel
    decoder: MusicgenDecoder
    dtype: str
    bits: int | None
    group_size: int | None
    in_files: Mapping[int, NDArray[Any]] = field(default_factory=dict)
    """Weights that loops for a processor read in the files, by the identity of their layer: they are not loaded."""


def load_networks(folder: Path, *, dtype: str | None = None, bits: int | None = None) -> Networks:
    """Load a folder in our own or in transformers' safetensors layout.

    `dtype` of the decoder: by default float16 on a GPU and float32 on the CPU, where it is the fastest; the text
    encoder follows to bfloat16 but not to float16, which overflows in T5; the codec stays float32. `bits`: 8 or
    4 quantizes the decoder; by default it stays as it is stored. Raises WeightsError for what is missing,
    damaged, of another architecture or already quantized otherwise.
    """
    config, manifest = read_json(folder / "config.json"), read_manifest(folder)
    if manifest is None:
        networks = build_networks(
            config, split_parts(read_tensors(folder)), dtype=dtype, bits=bits, source=folder
        )
    else:
        networks = build_own(folder, config, manifest, dtype=dtype, bits=bits)
        networks = replace(networks, in_files=_in_files(folder, networks))
    _read_now(networks)
    return networks


def build_own(
    folder: Path,
    config: Mapping[str, Any],
    manifest: Mapping[str, Any],
    *,
    dtype: str | None = None,
    bits: int | None = None,
) -> Networks:
    """Build the networks of a folder in our own layout; raise WeightsError where it is quantized otherwise."""
    stored = manifest.get("bits")
    if bits is not None and stored is not None and bits != stored:
        raise WeightsError(
            f"{folder} is quantized to {stored} bits, not {bits}; pull the model again with {bits} bits."
        )
    return build_networks(
        config,
        _own_parts(folder, manifest),
        dtype=dtype,
        bits=bits or stored,
        stored_group_size=int(manifest.get("group_size") or GROUP_SIZES[0]) if stored else None,
        source=folder,
    )


def build_networks(
    config: Mapping[str, Any],
    parts: Mapping[str, Mapping[str, mx.array]],
    *,
    source: Path,
    dtype: str | None = None,
    bits: int | None = None,
    stored_group_size: int | None = None,
) -> Networks:
    """Build the networks of `config` and fill them with `parts`, whose names are the networks' own.

    With a `stored_group_size` the decoder's part is quantized to `bits` already. Raises WeightsError.
    """
    import mlx.core as mx

    from generator.encodec import EncodecConfig, EncodecModel
    from generator.musicgen import MusicgenConfig, MusicgenDecoder, quantize
    from generator.t5 import T5Config, T5Encoder

    dtype = _known_dtype(dtype) or ("float16" if mx.default_device().type == mx.DeviceType.gpu else "float32")
    shape = MusicgenConfig.from_dict(config)
    decoder = MusicgenDecoder(shape)
    text_encoder = T5Encoder(T5Config.from_dict(config.get("text_encoder") or {}))
    codec = EncodecModel(EncodecConfig.from_dict(config.get("audio_encoder") or {}))
    _check_codec(codec.config, shape, source)
    group_size = stored_group_size or _group_size(bits, shape)
    if bits and stored_group_size:
        quantize(decoder, bits, stored_group_size)
    _fill(decoder, parts["decoder"], "decoder", source)
    _fill(text_encoder, parts["text_encoder"], "text_encoder", source)
    _fill(codec, parts["codec"], "codec", source)
    decoder.set_dtype(getattr(mx, dtype))
    text_encoder.set_dtype(mx.bfloat16 if dtype == "bfloat16" else mx.float32)
    codec.set_dtype(mx.float32)
    if bits and group_size and not stored_group_size:
        quantize(decoder, bits, group_size)
    for network in (decoder, text_encoder, codec):
        network.eval()
    return Networks(config, text_encoder, codec, decoder, dtype, bits, group_size)


def check_config(folder: Path) -> None:
    """Raise WeightsError where a folder's configuration, all that is read here, is not of a MusicGen checkpoint."""
    from generator.musicgen import MusicgenConfig

    MusicgenConfig.from_dict(read_json(folder / "config.json"))


def split_parts(tensors: Mapping[str, mx.array]) -> dict[str, dict[str, mx.array]]:
    """Sort the tensors of a transformers checkpoint by network and give them our names.

    Raises WeightsError where a part of what is joined here is missing.
    """
    from generator.encodec import EncodecModel
    from generator.musicgen import sanitize
    from generator.t5 import T5Encoder

    def under(prefix: str) -> dict[str, mx.array]:
        return {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}

    try:
        return {
            "text_encoder": T5Encoder.sanitize(under("text_encoder.")),
            "codec": EncodecModel.sanitize(under("audio_encoder.")),
            "decoder": sanitize(tensors),
        }
    except KeyError as error:
        raise WeightsError(
            f"the checkpoint lacks the tensor {error.args[0]}; pull the model again."
        ) from error


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
    return {name for file in safetensors_files(folder) for name in _header(file)[0]}


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
    header, start = _header(file)
    try:
        end = start + max((entry["data_offsets"][1] for entry in header.values()), default=0)
    except (KeyError, IndexError, TypeError) as error:
        raise WeightsError(f"{file} is no safetensors file; pull the model again.") from error
    if (size := file.stat().st_size) != end:
        raise WeightsError(f"{file} is damaged: {size} bytes where {end} belong; pull the model again.")


def _header(file: Path) -> tuple[dict[str, Any], int]:
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


def _own_parts(folder: Path, manifest: Mapping[str, Any]) -> dict[str, dict[str, mx.array]]:
    import mlx.core as mx

    for name, entry in manifest["files"].items():
        file = folder / name
        if not file.is_file() or file.stat().st_size != entry["size"]:
            raise WeightsError(f"{file} is missing or not {entry['size']} bytes long; pull the model again.")
    files = {part: folder / f"{part}.safetensors" for part in PARTS}
    for file in files.values():
        check_safetensors(file)
    return {part: dict(mx.load(str(file))) for part, file in files.items()}  # type: ignore[arg-type]


KEPT_AS: dict[str, tuple[str, Any]] = {
    "F32": ("float32", np.float32),
    "F16": ("float16", np.uint16),
    "BF16": ("bfloat16", np.uint16),
    "U32": ("uint32", np.uint8),
}
"""Types in a file that loops read there, as MLX and as they name them."""


def _in_files(folder: Path, networks: Networks) -> dict[int, NDArray[Any]]:
    """Return the weights in files of our own layout that a processor's loops read there; a GPU reads none.

    They are in the memory that the system keeps files in, which processes share and which it can take back.
    """
    import mlx.core as mx
    import mlx.nn as nn

    found: dict[int, NDArray[Any]] = {}
    if mx.default_device().type == mx.DeviceType.gpu:
        return found
    for part, network in (("text_encoder", networks.text_encoder), ("decoder", networks.decoder)):
        file = folder / f"{part}.safetensors"
        tensors, start = _header(file)
        try:
            content = np.memmap(file, np.uint8, mode="r")
        except OSError:
            continue  # no room for it, so that the rest will tell
        for name, layer in network.named_modules():
            if not isinstance(layer, nn.Linear | nn.QuantizedLinear) or "bias" in layer:
                continue
            entry = tensors[f"{name}.weight"]
            kept_as, kind = KEPT_AS.get(entry["dtype"], ("", np.uint8))
            first, last = (start + offset for offset in entry["data_offsets"])
            if layer.weight.dtype == getattr(mx, kept_as, None) and first % np.dtype(kind).itemsize == 0:
                rows = np.asarray(content[first:last]).view(kind).reshape(entry["shape"][0], -1)
                found[id(layer)] = rows
    return found


_THREADS_BYTES = 96 << 20
"""What the first loop of numba certainly reserves and hardly uses; on Linux 102 MiB were measured."""


def _read_now(networks: Networks) -> None:
    """Read and convert the weights, and beside that get ready to compute with them, which takes a second.

    Raises GeneratorError where all cannot fit in.
    """
    import mlx.core as mx

    parts = (networks.text_encoder, networks.codec, networks.decoder)
    size = sum(_size_bytes(part.parameters()) for part in parts)
    if mx.default_device().type == mx.DeviceType.gpu:
        return _read_by_layer(parts, size, networks.in_files)
    require(size + _THREADS_BYTES, *LOADING, filled=False)
    # A product with MLX, and on the other side a loop of numba's, for what each reserves when first used: where their
    # threads are refused memory later, the process ends.
    x = mx.ones((2, 2))
    mx.eval(x @ x)
    with ThreadPoolExecutor(1) as beside:
        ready = beside.submit(_start_loops, networks)
        _read_by_layer(parts, size, networks.in_files)
    ready.result()


def _start_loops(networks: Networks) -> None:
    from generator.starting import start_loops

    start_loops(networks.dtype, networks.bits)


def _read_by_layer(parts: Sequence[nn.Module], left: int, in_files: Mapping[int, Any]) -> None:
    """Read layer by layer, so that no more than one waits in the type that it is stored in; `left` bytes in all.

    What stays in files counts as read, since it is wanted in memory with every step.
    """
    import mlx.core as mx

    for network in parts:
        stay = {id(layer.weight) for layer in network.modules() if id(layer) in in_files}
        size = _size_bytes(network.parameters())
        for layer in getattr(network, "layers", ()):
            # Asked anew for each layer: threads and fragments take their part as well.
            _require(left)
            mx.eval([array for array in _arrays(layer.parameters()) if id(array) not in stay])
            left -= (part := _size_bytes(layer.parameters()))
            size -= part
        _require(left)
        mx.eval([array for array in _arrays(network.parameters()) if id(array) not in stay])
        left -= size


def _arrays(parameters: Any) -> list[mx.array]:
    from mlx.utils import tree_flatten

    return [array for _, array in tree_flatten(parameters)]


def _size_bytes(parameters: Any) -> int:
    return sum(array.nbytes for array in _arrays(parameters))


def _require(needed_bytes: int) -> None:
    """Raise GeneratorError where so much is not to be had; a GPU says itself what it lacks."""
    import mlx.core as mx

    if mx.default_device().type == mx.DeviceType.cpu:
        mx.clear_cache()
        require(needed_bytes, *LOADING)


def _fill(network: Any, weights: Mapping[str, mx.array], part: str, source: Path) -> None:
    """Load strictly: every parameter once, in its shape."""
    from mlx.utils import tree_flatten

    wanted = {key: value.shape for key, value in tree_flatten(network.parameters())}
    for key, shape in wanted.items():
        if key not in weights:
            raise WeightsError(f"{source} lacks the {part}'s tensor {key}; pull the model again.")
        if weights[key].shape != shape:
            raise WeightsError(
                f"{source}: the {part}'s tensor {key} has shape {weights[key].shape} and config.json asks for "
                f"{shape}; a file is missing or of another model, so pull the model again."
            )
    if extra := sorted(weights.keys() - wanted.keys()):
        raise WeightsError(f"{source} has a tensor that no MusicGen {part} has: {extra[0]}.")
    network.load_weights(list(weights.items()), strict=True)


def _known_dtype(dtype: str | None) -> str | None:
    if dtype is not None and dtype not in DTYPES:
        raise WeightsError(f"dtype {dtype!r} is not known; valid: {', '.join(DTYPES)}.")
    return dtype


def _group_size(bits: int | None, shape: MusicgenConfig) -> int | None:
    """Return how many weights share a scale in `bits`, None where nothing is quantized."""
    if bits is None:
        return None
    if bits not in (4, 8):
        raise WeightsError(f"{bits} bits are not possible; valid: 8 and 4.")
    for size in GROUP_SIZES:
        if shape.hidden_size % size == shape.ffn_dim % size == 0:
            return size
    raise WeightsError(
        f"a decoder of width {shape.hidden_size} and {shape.ffn_dim} cannot be quantized; multiples of "
        f"{GROUP_SIZES[-1]} can."
    )


def _check_codec(codec: EncodecConfig, decoder: MusicgenConfig, source: Path) -> None:
    """Refuse a codec that cannot turn the decoder's codes into sound."""
    levels = decoder.num_codebooks // decoder.audio_channels
    if codec.audio_channels != 1 or codec.num_quantizers < levels or codec.codebook_size < decoder.vocab_size:
        raise WeightsError(
            f"{source}: the codec has {codec.num_quantizers} codebooks of {codec.codebook_size} codes and "
            f"{codec.audio_channels} channels, and the decoder needs {levels} of {decoder.vocab_size} and one "
            "channel; they are of different models."
        )
