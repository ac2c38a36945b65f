"""What the adapter must do in the form that a GPU runs: plain networks, traced steps, fused element-wise chains.

`tests/generator/musicgen/test_gpu_form.py` runs these on a processor, where the networks would be in loops otherwise;
`tests/gpu/` runs them on a GPU.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from tiny_musicgen import RATE, tone, write_checkpoint

from music_catalog.generator.musicgen.adapter import MusicgenAdapter
from music_catalog.generator.protocol import Audio

KINDS = ("mono", "stereo", "melody", "stereo-melody")
FORMS = {
    "float32": {"dtype": "float32"},
    "float16": {"dtype": "float16"},
    "8 bits": {"dtype": "float16", "bits": 8},
    "4 bits": {"dtype": "float16", "bits": 4},
}
MOST = [(kind, form) for kind in KINDS for form in FORMS if kind != "stereo-melody" or form == "float16"]
"""Kinds and forms that are tested together: each pair that differs in what runs."""
PROMPT = "calm piano with rain"
HOP = 64
GREEDY = {"use_sampling": False, "seed": 1, "duration_s": 0.4}


def checkpoints(folder: Path) -> dict[str, Path]:
    """Write a small random checkpoint of each kind."""
    for kind in KINDS:
        write_checkpoint(folder / f"tiny-{kind}", kind)
    return {kind: folder / f"tiny-{kind}" for kind in KINDS}


def check(adapter: MusicgenAdapter, audio: Audio, frames: int) -> None:
    """Hold one piece to its length, its channels and to numbers that are finite and not silent."""
    shape = adapter.networks.decoder.config
    assert audio.samples.shape == (frames * HOP, shape.audio_channels)
    assert np.isfinite(audio.samples).all()
    assert np.abs(audio.samples).max() > 1e-3
    assert audio.codes is None or audio.codes.shape == (shape.num_codebooks, frames)


def check_all(adapter: MusicgenAdapter) -> None:
    """Make one piece in every way there is."""
    config = adapter.networks.decoder.config
    melody = Audio(tone(440, 1.0, 32_000), 32_000) if config.melody else None
    plain = {"duration_s": 0.2, "seed": 3}
    made = adapter.generate_music(PROMPT, plain, melody=melody)
    check(adapter, made, 10)
    again = adapter.generate_music(PROMPT, plain, melody=melody)
    assert np.array_equal(made.samples, again.samples), "the same seed makes the same"
    check(adapter, adapter.generate_music(PROMPT, {**plain, "two_step_cfg": True}, melody=melody), 10)
    check(adapter, adapter.generate_music("", {**plain, "cfg_coef": 1.0, "top_p": 0.9}), 10)
    check(adapter, adapter.generate_music(PROMPT, {**plain, "negative_prompt": "fast drums"}), 10)
    check(adapter, adapter.generate_music(PROMPT, {**plain, "duration_s": 0.3}, continue_from=made), 15)
    heard = Audio(tone(300, 0.1), RATE)
    check(adapter, adapter.generate_music(PROMPT, plain, continue_from=heard), 10)
    for one in adapter.generate_batch([PROMPT, "fast", ""], [{**plain, "seed": seed} for seed in range(3)]):
        check(adapter, one, 10)
    loop = adapter.generate_music(PROMPT, {"duration_s": 0.6, "seed": 1, "loopable": True})
    assert 0.54 < loop.duration_s < 0.66
    assert np.isfinite(loop.samples).all()
    streamed = np.concatenate([piece.samples for piece in adapter.stream_music(PROMPT, plain, melody=melody)])
    assert np.abs(streamed - made.samples).max() < 1e-4
