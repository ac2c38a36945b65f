"""audiocraft's own checkpoints (`state_dict.bin`), given the names and configuration of transformers'.

Such a checkpoint holds the decoder, and beside it the codec or the name of one; `weights.companions` has the rest.
Layout: audiocraft's `utils/export.py`, `models/loaders.py` and its configuration files.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from ..errors import WeightsError
from .pickled import load_pickle, to_mlx

if TYPE_CHECKING:
    import mlx.core as mx

__all__ = ["is_audiocraft", "own_codec", "read_audiocraft"]


_PUBLISHED_CODEC = "facebook/encodec_32khz"
_STATE, _CODEC_STATE = "state_dict.bin", "compression_state_dict.bin"


def is_audiocraft(folder: Path) -> bool:
    """Return whether audiocraft's is the only layout that a folder has the decoder in."""
    others = (*folder.glob("model*.safetensors"), *folder.glob("pytorch_model*.bin"))
    return (folder / _STATE).is_file() and not others


def read_audiocraft(folder: Path, scratch: Path) -> tuple[dict[str, Any], dict[str, mx.array]]:
    """Return configuration and tensors, named as in a transformers checkpoint, of the decoder and of its own codec.

    `scratch` is a folder for files that last until the tensors are used. Raises WeightsError.
    """
    package = load_pickle(folder / _STATE)
    state = to_mlx(package.get("best_state") or {}, scratch)
    config, tensors = _decoder_config(state, _settings(package), folder), _decoder(state)
    if (codec := own_codec(folder)) is not None:
        config["audio_encoder"] = _codec_config(_settings(codec))
        tensors |= {
            f"audio_encoder.{_codec_name(name)}": value
            for name, value in to_mlx(codec["best_state"], scratch).items()
        }
    return config, tensors


# Decoder

_RENAMES = (
    (r"^emb\.", "decoder.model.decoder.embed_tokens."),
    (r"^transformer\.layers\.", "decoder.model.decoder.layers."),
    (r"^out_norm\.", "decoder.model.decoder.layer_norm."),
    (r"^linears\.", "decoder.lm_heads."),
    (r"^condition_provider\.conditioners\.description\.output_proj\.", "enc_to_dec_proj."),
    (r"^condition_provider\.conditioners\.self_wav\.output_proj\.", "audio_enc_to_dec_proj."),
    (r"\.cross_attention\.", ".encoder_attn."),
    (r"\.linear(\d)\.", r".fc\1."),
    (r"\.norm1\.", ".self_attn_layer_norm."),
    (r"\.norm_cross\.", ".encoder_attn_layer_norm."),
    (r"\.norm2\.", ".final_layer_norm."),
)


def _decoder(state: Mapping[str, mx.array]) -> dict[str, mx.array]:
    import mlx.core as mx

    tensors = {}
    for name, value in state.items():
        for old, new in _RENAMES:
            name = re.sub(old, new, name)
        if name.startswith("condition_provider."):
            continue  # buffers of the feature extraction
        if name.endswith("in_proj_weight"):
            for part, matrix in zip("qkv", mx.split(value, 3), strict=True):
                tensors[name.replace("in_proj_weight", f"{part}_proj.weight")] = matrix
        else:
            tensors[name] = value
    return tensors


def _decoder_config(
    state: Mapping[str, mx.array], settings: Mapping[str, Any], folder: Path
) -> dict[str, Any]:
    """Read the decoder's shape from its tensors; the number of heads alone stands in the training settings."""
    if "emb.0.weight" not in state or "transformer.layers.0.linear1.weight" not in state:
        raise WeightsError(f"{folder / _STATE} is no MusicGen decoder; give the folder of a MusicGen model.")
    if any(".style_wav." in name for name in state):
        raise WeightsError(f"{folder} is the style model, which is not supported; use melody instead.")
    if (kind := settings.get("lm_model", "transformer_lm")) != "transformer_lm":
        raise WeightsError(f"{folder / _STATE} is a {kind}; only MusicGen's transformer_lm is supported.")
    rows, width = state["emb.0.weight"].shape
    books = _count(state, r"emb\.(\d+)\.weight")
    decoder = {
        "vocab_size": rows - 1,
        "hidden_size": width,
        "num_hidden_layers": _count(state, r"transformer\.layers\.(\d+)\.linear1\.weight"),
        "num_attention_heads": int((settings.get("transformer_lm") or {}).get("num_heads") or width // 64),
        "ffn_dim": state["transformer.layers.0.linear1.weight"].shape[0],
        "num_codebooks": books,
        "audio_channels": 2 if books == 8 else 1,
    }
    melody = state.get("condition_provider.conditioners.self_wav.output_proj.weight")
    if melody is None:
        return {"model_type": "musicgen", "decoder": decoder}
    return {
        "model_type": "musicgen_melody",
        "decoder": decoder,
        "num_chroma": melody.shape[1],
        "chroma_length": 235,
    }


def _count(state: Mapping[str, mx.array], pattern: str) -> int:
    return sum(re.fullmatch(pattern, name) is not None for name in state)


# Codec


def own_codec(folder: Path) -> dict[str, Any] | None:
    """Return the codec beside the decoder, or None when there is none or only the name of a published one."""
    file = folder / _CODEC_STATE
    package = load_pickle(file) if file.is_file() else {}
    if (name := package.get("pretrained")) not in (None, _PUBLISHED_CODEC):
        raise WeightsError(f"{file} asks for the codec {name}; only {_PUBLISHED_CODEC} is supported.")
    return package if "best_state" in package else None


def _codec_name(name: str) -> str:
    name = re.sub(r"^(encoder|decoder)\.model\.", r"\1.layers.", name)
    name = re.sub(r"\.(conv|convtr)\.\1\.", ".conv.", name)
    return re.sub(r"^quantizer\.vq\.layers\.(\d+)\._codebook\.", r"quantizer.layers.\1.codebook.", name)


def _codec_config(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Translate audiocraft's settings; what they leave out is as in its `config/model/encodec/default.yaml`."""
    net, quantizer = settings.get("seanet") or {}, settings.get("rvq") or {}
    rate, ratios = int(settings.get("sample_rate", 32_000)), list(net.get("ratios", [8, 5, 4, 4]))
    bins, levels = int(quantizer.get("bins", 2048)), int(quantizer.get("n_q", 4))
    hop = 1
    for ratio in ratios:
        hop *= int(ratio)
    return {
        "model_type": "encodec",
        "sampling_rate": rate,
        "audio_channels": int(settings.get("channels", 1)),
        # Half a codebook more, so that rounding down gives `levels`.
        "target_bandwidths": [(levels + 0.5) * (bins - 1).bit_length() * -(-rate // hop) / 1000],
        "upsampling_ratios": ratios,
        "codebook_size": bins,
        "hidden_size": int(net.get("dimension", 128)),
        "num_filters": int(net.get("n_filters", 64)),
        "num_residual_layers": int(net.get("n_residual_layers", 1)),
        "kernel_size": int(net.get("kernel_size", 7)),
        "last_kernel_size": int(net.get("last_kernel_size", 7)),
        "residual_kernel_size": int(net.get("residual_kernel_size", 3)),
        "dilation_growth_rate": int(net.get("dilation_base", 2)),
        "compress": int(net.get("compress", 2)),
        "num_lstm_layers": int(net.get("lstm", 2)),
        "pad_mode": str(net.get("pad_mode", "constant")),
        "use_conv_shortcut": not net.get("true_skip", True),
        "use_causal_conv": bool((settings.get("encodec") or {}).get("causal", False)),
    }


def _settings(package: Mapping[str, Any]) -> dict[str, Any]:
    """Return the training settings, kept as a YAML text."""
    try:
        settings = yaml.safe_load(str(package.get("xp.cfg") or "{}"))
    except yaml.YAMLError:
        settings = None
    return settings if isinstance(settings, dict) else {}
