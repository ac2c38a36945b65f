"""A MusicGen checkpoint in a folder: which layout it has, what it holds, and the networks built from it.

Read at run time: our own layout (one safetensors file per network and a manifest) and the layout of
transformers (`model.safetensors`, whole or sharded). Pickled checkpoints are read by
`generator.weights.conversion.convert` alone, which writes our own layout.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..device import device
from ..errors import WeightsError
from ..networks.bundle import Networks
from .files import PARTS, check_safetensors, read_json, read_manifest, read_tensors, verify_changed

if TYPE_CHECKING:
    import mlx.core as mx

    from ..networks.encodec import EncodecConfig
    from ..networks.musicgen import MusicgenConfig

__all__ = ["DTYPES", "build_networks", "build_own", "check_config", "load_networks", "split_parts"]

DTYPES = ("float32", "float16", "bfloat16")
GROUP_SIZES = (64, 32)
"""Numbers of weights that may share one scale when quantized; the first that divides the decoder's matrices is used."""


def load_networks(folder: Path, *, dtype: str | None = None, bits: int | None = None) -> Networks:
    """Build the networks of a folder in our own or in transformers' safetensors layout.

    The files are checked now, those of our own layout by their sha256 once after each change. The weights are read when
    they are used, or by `generator.weights.reading.read_weights`.

    `dtype` is the decoder's: by default float16 on a GPU and float32 on the CPU. The text encoder follows to bfloat16
    but not to float16, which overflows in T5. The codec stays float32. `bits` (8 or 4) quantizes the decoder; by
    default it stays as it is stored, but for M1 and M2, where it gets 8 bits unless a `dtype` is asked for. Raises
    WeightsError for weights that are missing, damaged, of another architecture or already quantized to other bits.
    """
    config, manifest = read_json(folder / "config.json"), read_manifest(folder)
    if dtype is None and bits is None and not (manifest and manifest.get("bits")):
        bits = device().bits
    if manifest is not None:
        networks = build_own(folder, config, manifest, dtype=dtype, bits=bits)
        verify_changed(folder, manifest)
        return networks
    return build_networks(config, split_parts(read_tensors(folder)), dtype=dtype, bits=bits, source=folder)


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

    from ..networks.encodec import EncodecConfig, EncodecModel
    from ..networks.musicgen import MusicgenConfig, MusicgenDecoder, quantize
    from ..networks.t5 import T5Config, T5Encoder

    dtype = _known_dtype(dtype) or device().dtype
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
    from ..networks.musicgen import MusicgenConfig

    MusicgenConfig.from_dict(read_json(folder / "config.json"))


def split_parts(tensors: Mapping[str, mx.array]) -> dict[str, dict[str, mx.array]]:
    """Sort the tensors of a transformers checkpoint by network and give them our names.

    Raises WeightsError where a part of what is joined here is missing.
    """
    from ..networks.encodec import EncodecModel
    from ..networks.musicgen import sanitize
    from ..networks.t5 import T5Encoder

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
