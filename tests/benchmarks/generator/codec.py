"""Time of MusicGen's codec and text encoder on a processor, on random weights of the real size.

    python tests/benchmarks/generator/codec.py [--seconds 4] [--rounds 5]

Rows compare, in one process and in turns, so that a busy moment of the machine meets all of them: our loops for a
processor, the same networks as MLX computes them there, and `transformers`. Decoding and encoding are also timed as
they are used, in chunks. The codec's times are also given per second of music.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3]))

import mlx.core as mx
import numpy as np
import torch
import transformers

from music_catalog.generator.cpu import accelerate
from music_catalog.generator.networks.bundle import Networks
from music_catalog.generator.networks.encodec import EncodecConfig, EncodecModel
from music_catalog.generator.networks.musicgen import MusicgenConfig, MusicgenDecoder
from music_catalog.generator.networks.t5 import T5Config, T5Encoder

CODEC = {
    "target_bandwidths": [2.2],
    "sampling_rate": 32_000,
    "upsampling_ratios": [8, 5, 4, 4],
    "num_filters": 64,
    "codebook_size": 2048,
    "use_causal_conv": False,
    "use_conv_shortcut": False,
}
TEXT = {"d_model": 768, "d_kv": 64, "d_ff": 3072, "num_layers": 12, "num_heads": 12}
TOKENS, CHUNK_FRAMES = 20, 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    mx.set_default_device(mx.cpu)
    torch.set_num_threads(os.cpu_count() or 1)
    torch.set_grad_enabled(False)
    rows = timed(options.seconds)
    for run in rows.values():
        run()  # what is compiled or laid out at first use
    seconds: dict[tuple[str, str], list[float]] = {row: [] for row in rows}
    for _ in range(options.rounds):
        for row, run in rows.items():
            begin = time.perf_counter()
            run()
            seconds[row].append(time.perf_counter() - begin)
    print(f"{options.seconds} s of music, {options.rounds} rounds, median / fastest")
    print(f"{'what':<20}{'by':<16}{'ms':>18}{'ms per second':>16}")
    for (what, by), times in seconds.items():
        middle, fastest = 1e3 * statistics.median(times), 1e3 * min(times)
        print(f"{what:<20}{by:<16}{middle:>9.0f} /{fastest:>7.0f}", end="")
        print("" if what == "text" else f"{middle / options.seconds:>16.0f}")


def timed(seconds: int):
    """Return what is timed, by what it does and who does it."""
    theirs = transformers.EncodecModel(transformers.EncodecConfig(**CODEC)).eval()
    their_text = transformers.T5EncoderModel(transformers.T5Config(**TEXT, feed_forward_proj="relu")).eval()
    codec, text = EncodecModel(EncodecConfig.from_dict(CODEC)), T5Encoder(T5Config(**TEXT))
    for network, reference in ((codec, theirs), (text, their_text)):
        weights = {key: mx.array(value.numpy()) for key, value in reference.state_dict().items()}
        network.load_weights(list(type(network).sanitize(weights).items()))
        mx.eval(network.parameters())
    tiny = MusicgenDecoder(MusicgenConfig(8, 1, 1, 8, vocab_size=4))
    given = EncodecModel(codec.config)  # of its own, since it gives up its weights
    given.update(codec.parameters())
    ours = accelerate(Networks({}, text, given, tiny, "float32", None, None))
    frames = 50 * seconds
    codes, tokens = np.random.default_rng(0).integers(0, 2048, (1, 4, frames)), np.arange(TOKENS)[None]
    sound = np.random.default_rng(1).normal(size=(1, 640 * frames, 1)).astype(np.float32)
    their_codes, their_sound = torch.tensor(codes)[None], torch.tensor(sound).transpose(1, 2)
    chunks = [mx.array(codes[:, :, at : at + CHUNK_FRAMES]) for at in range(0, frames, CHUNK_FRAMES)]
    codes, sound, tokens = mx.array(codes), mx.array(sound), mx.array(tokens)
    whole = np.array(ours.codec.decode(codes))[0, :, 0]
    reference = theirs.decode(their_codes, [None]).audio_values.numpy().ravel()
    print(f"largest difference of the decoded sound {np.abs(whole - reference).max():.1e}, ", end="")
    same = np.array(ours.codec.encode(sound))[0] == theirs.encode(their_sound).audio_codes[0, 0].numpy()
    print(f"same codes {same.mean():.2%}")
    return {
        ("decode", "ours"): lambda: mx.eval(ours.codec.decode(codes)),
        ("decode", "ours, in chunks"): lambda: list(ours.codec.decode_stream(chunks)),
        ("decode", "plain MLX"): lambda: mx.eval(codec.decode(codes)),
        ("decode", "transformers"): lambda: theirs.decode(their_codes, [None]),
        ("encode", "ours"): lambda: mx.eval(ours.codec.encode(sound)),
        ("encode", "ours, in chunks"): lambda: list(ours.codec.encode_stream(sound, CHUNK_FRAMES)),
        ("encode", "plain MLX"): lambda: mx.eval(codec.encode(sound)),
        ("encode", "transformers"): lambda: theirs.encode(their_sound),
        ("text", "ours"): lambda: mx.eval(ours.text_encoder(tokens)),
        ("text", "plain MLX"): lambda: mx.eval(text(tokens)),
        ("text", "transformers"): lambda: their_text(torch.tensor(np.array(tokens))),
    }


if __name__ == "__main__":
    main()
