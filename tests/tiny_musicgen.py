"""Small random MusicGen checkpoints, written by transformers as the hub serves them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

WORDS = (
    "calm",
    "warm",
    "bright",
    "slow",
    "fast",
    "piano",
    "strings",
    "drums",
    "rain",
    "night",
    "with",
    "and",
    "soft",
)
VOCABULARY = 64
RATE = 3200
FILE_RATE = 32_000
"""A rate that audio files have, for what goes through the catalog."""
FRAME_RATE = 50
_RATIOS = {RATE: [8, 8], FILE_RATE: [8, 5, 4, 4]}


def make_model(
    kind: str = "mono",
    *,
    seed: int = 0,
    hidden_size: int = 64,
    ffn_dim: int = 128,
    rate: int = RATE,
    layers: int = 2,
):
    """Return a random reference model; `kind` is mono, stereo, melody or stereo-melody."""
    import torch
    import transformers

    torch.manual_seed(seed)
    melody, stereo = "melody" in kind, "stereo" in kind
    family = "MusicgenMelody" if melody else "Musicgen"
    text = transformers.T5Config(
        vocab_size=VOCABULARY,
        d_model=24,
        d_kv=8,
        d_ff=32,
        num_layers=2,
        num_heads=3,
        feed_forward_proj="relu",
    )
    audio = transformers.EncodecConfig(
        target_bandwidths=[1.25],
        sampling_rate=rate,
        upsampling_ratios=_RATIOS[rate],
        num_filters=4 if rate == RATE else 2,
        hidden_size=16,
        codebook_size=VOCABULARY,
        use_causal_conv=False,
        use_conv_shortcut=False,
    )
    decoder = getattr(transformers, f"{family}DecoderConfig")(
        vocab_size=VOCABULARY,
        hidden_size=hidden_size,
        num_hidden_layers=layers,
        num_attention_heads=4,
        ffn_dim=ffn_dim,
        num_codebooks=8 if stereo else 4,
        audio_channels=2 if stereo else 1,
        pad_token_id=VOCABULARY,
        bos_token_id=VOCABULARY,
    )
    config = getattr(transformers, f"{family}Config")(
        text_encoder=text,
        audio_encoder=audio,
        decoder=decoder,
        **({"chroma_length": 20} if melody else {}),
    )
    model = getattr(transformers, f"{family}ForConditionalGeneration")(config).eval()
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            if name.endswith(("original0", "embed")) or ("norm" in name and name.endswith("weight")):
                tensor.copy_(torch.rand_like(tensor) + 0.5)
            elif "original1" not in name and tensor.is_floating_point() and "embed_positions" not in name:
                tensor.copy_(torch.randn_like(tensor) * 0.2)
    for key in ("pad_token_id", "decoder_start_token_id", "bos_token_id"):
        setattr(model.generation_config, key, VOCABULARY)
    return model


def write_tokenizer(folder: Path) -> None:
    """Write a word-level tokenizer that ends every text with `</s>`, as T5's does."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    vocabulary = {word: index for index, word in enumerate(["<pad>", "</s>", "<unk>", *WORDS])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    tokenizer.save(str(folder / "tokenizer.json"))


def write_checkpoint(folder: Path, kind: str = "mono", layout: str = "safetensors", **shape):
    """Write a checkpoint and return the model; `layout`: safetensors, sharded, pickled or pickled-sharded."""
    model = make_model(kind, **shape)
    folder.mkdir(parents=True, exist_ok=True)
    if layout == "safetensors":
        model.save_pretrained(folder)
    elif layout == "sharded":
        model.save_pretrained(folder, max_shard_size="200KB")
    else:
        model.config.save_pretrained(folder)
        _write_pickled(folder, model.state_dict(), shards=3 if layout == "pickled-sharded" else 1)
    write_tokenizer(folder)
    return model


def write_audiocraft(folder: Path, kind: str = "mono", *, own_codec: bool = False) -> None:
    """Write the same random model as audiocraft exports it: decoder, and codec or its name, both pickled."""
    import torch
    import yaml

    model = make_model(kind)
    folder.mkdir(parents=True)
    state = audiocraft_decoder(model.state_dict())
    settings = {"transformer_lm": {"num_heads": 4}}
    torch.save({"best_state": state, "xp.cfg": yaml.safe_dump(settings)}, folder / "state_dict.bin")
    codec = {"pretrained": "facebook/encodec_32khz"}
    if own_codec:
        net = {"dimension": 16, "n_filters": 4, "ratios": [8, 8], "pad_mode": "reflect", "true_skip": True}
        settings = {"sample_rate": RATE, "channels": 1, "seanet": net, "rvq": {"n_q": 4, "bins": VOCABULARY}}
        state = audiocraft_codec(model.audio_encoder.state_dict())
        codec = {"best_state": state, "xp.cfg": yaml.safe_dump(settings)}
    torch.save(codec, folder / "compression_state_dict.bin")


def write_companions(folder: Path, kind: str = "mono") -> dict[str, Path]:
    """Write the text encoder and the codec of that model as the repositories that audiocraft takes them from."""
    model = make_model(kind)
    repos = {"google-t5/t5-base": folder / "t5-base", "facebook/encodec_32khz": folder / "encodec_32khz"}
    model.text_encoder.save_pretrained(repos["google-t5/t5-base"])
    model.audio_encoder.save_pretrained(repos["facebook/encodec_32khz"])
    write_tokenizer(repos["google-t5/t5-base"])
    return repos


def audiocraft_decoder(state):
    """Name and fuse the tensors as audiocraft's `LMModel` does."""
    import torch

    conditioners = "condition_provider.conditioners"
    names = {
        "decoder.model.decoder.embed_tokens.": "emb.",
        "decoder.model.decoder.layers.": "transformer.layers.",
        "decoder.model.decoder.layer_norm.": "out_norm.",
        "decoder.lm_heads.": "linears.",
        "audio_enc_to_dec_proj.": f"{conditioners}.self_wav.output_proj.",
        "enc_to_dec_proj.": f"{conditioners}.description.output_proj.",
        ".encoder_attn.": ".cross_attention.",
        ".fc": ".linear",
        ".self_attn_layer_norm.": ".norm1.",
        ".encoder_attn_layer_norm.": ".norm_cross.",
        ".final_layer_norm.": ".norm2.",
    }
    renamed = {}
    for name, tensor in state.items():
        if name.startswith(("text_encoder.", "audio_encoder.")) or "embed_positions" in name:
            continue
        for theirs, audiocrafts in names.items():
            if theirs.startswith(".") or name.startswith(theirs):
                name = name.replace(theirs, audiocrafts)
        renamed[name] = tensor.clone()
    for name in [name for name in renamed if name.endswith("q_proj.weight")]:
        parts = [renamed.pop(name.replace("q_proj", f"{part}_proj")) for part in "qkv"]
        renamed[name.replace("q_proj.weight", "in_proj_weight")] = torch.cat(parts)
    return renamed


def audiocraft_codec(state):
    """Name the tensors as audiocraft's `EncodecModel` does."""
    import re

    renamed = {}
    for name, tensor in state.items():
        conv = (
            "convtr"
            if re.match(r"decoder\.layers\.\d+\.conv\.", name) and _upsamples(state, name)
            else "conv"
        )
        name = re.sub(r"\.conv\.", f".{conv}.{conv}.", name)
        name = re.sub(r"^(encoder|decoder)\.layers\.", r"\1.model.", name)
        name = name.replace("parametrizations.weight.original0", "weight_g")
        name = name.replace("parametrizations.weight.original1", "weight_v")
        name = re.sub(r"^quantizer\.layers\.(\d+)\.codebook\.", r"quantizer.vq.layers.\1._codebook.", name)
        renamed[name] = tensor.clone()
    return renamed


def _upsamples(state, name: str) -> bool:
    conv = name[: name.index(".conv.") + len(".conv.")]
    weight = state[f"{conv}parametrizations.weight.original1"]
    return weight.shape[0] != state[f"{conv}bias"].shape[0]


def _write_pickled(folder: Path, state, shards: int) -> None:
    import json

    import torch

    if shards == 1:
        torch.save(state, folder / "pytorch_model.bin")
        return
    names = [f"pytorch_model-{i + 1:05}-of-{shards:05}.bin" for i in range(shards)]
    where = {key: names[i % shards] for i, key in enumerate(state)}
    for name in names:
        torch.save({key: value for key, value in state.items() if where[key] == name}, folder / name)
    index = {"metadata": {}, "weight_map": where}
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps(index))


def tone(frequency_hz: float, duration_s: float, rate: int = RATE, channels: int = 1) -> np.ndarray:
    """Return float32 samples (time, channels) of a sine."""
    t = np.arange(int(duration_s * rate)) / rate
    wave = 0.4 * np.sin(2 * np.pi * frequency_hz * t)
    return np.repeat(wave[:, None], channels, axis=1).astype(np.float32)


def generate_codes(
    model, condition, *, frames: int, seeds, prompt_codes=None, window_frames: int = 1500, **options
):
    """Return int32 codes (batch, codebooks, frames) of `stream_codes`, those of the prompt first."""
    import mlx.core as mx

    from music_catalog.generator.musicgen.generation import stream_codes

    options |= {"frames": frames, "seeds": seeds, "prompt_codes": prompt_codes}
    chunks = [
        *stream_codes(model, condition, chunk_frames=window_frames, window_frames=window_frames, **options)
    ]
    if prompt_codes is not None:
        chunks.insert(0, mx.broadcast_to(prompt_codes, (len(seeds), *prompt_codes.shape[1:])))
    return mx.concatenate(chunks, axis=-1)
