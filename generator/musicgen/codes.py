"""Between samples and codes, by the codec: encode what is continued, decode what was made."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..audio.checks import checked
from ..audio.shaping import resample
from ..networks.bundle import Networks
from ..protocol import Audio
from .progress import Repeated

if TYPE_CHECKING:
    import mlx.core as mx

__all__ = ["CHUNK_FRAMES", "decode", "decode_round", "own_codes", "prompt_codes"]


CHUNK_FRAMES = 20
"""Frames that are decoded at a time, 0.4 s of music: a caller can cancel in between, also on a slow processor."""
_ROUND_FRAMES = 100, 25
"""Frames of the tail before a loop and of the head after it, when it is decoded as a circle. The recurrent layer needs
two seconds to settle; after the loop the convolutions see five frames only."""


def prompt_codes(networks: Networks, audio: Audio, progress: Repeated) -> mx.array:
    """Return the codes (1, codebooks, frames) of audio to continue: its own if they fit, else encoded."""
    import mlx.core as mx

    codes = own_codes(networks, audio)
    return _encode(networks, audio, progress) if codes is None else mx.array(codes[None].astype(np.int32))


def own_codes(networks: Networks, audio: Audio) -> NDArray[np.int16] | None:
    """Return the codes that `audio` carries, if the decoder could have made them, else None.

    All MusicGen models share one codec. So the codes of a mono model are used for both sides of a stereo model.
    """
    shape, codes = networks.decoder.config, audio.codes
    if codes is None or codes.ndim != 2 or not codes.size:
        return None
    if codes.shape[0] * shape.audio_channels == shape.num_codebooks:
        codes = np.repeat(codes, shape.audio_channels, axis=0)
    fits = codes.shape[0] == shape.num_codebooks and codes.min() >= 0 and codes.max() < shape.vocab_size
    return codes if fits else None


def decode(
    networks: Networks, codes: Iterator[mx.array], pieces: int, progress: Repeated
) -> Iterator[NDArray[np.float32]]:
    """Yield float32 samples (pieces, time, channels) of codes (pieces, codebooks, frames), chunk by chunk."""
    channels = networks.decoder.config.audio_channels
    rows = (_channel_rows(chunk, channels) for chunk in codes)
    for samples in networks.codec.decode_stream(rows, progress.again):
        by_channel = np.array(samples, np.float32).reshape(channels, pieces, -1)
        yield np.ascontiguousarray(by_channel.transpose(1, 2, 0))


def decode_round(networks: Networks, codes: mx.array, progress: Repeated) -> NDArray[np.float32]:
    """Return samples (time, channels) of codes (1, codebooks, frames) whose end runs on into their start.

    The convolutions see both sides of a frame, and the recurrent layer sees far back. So the codec gets the tail, the
    codes and the head, and the samples of the codes in the middle are kept: both sides of the seam then sound as if
    the music had gone on.
    """
    import mlx.core as mx

    frames, hop = codes.shape[-1], networks.codec.config.hop_length
    before, after = min(frames, _ROUND_FRAMES[0]), min(frames, _ROUND_FRAMES[1])
    whole = mx.concatenate([codes[:, :, frames - before :], codes, codes[:, :, :after]], axis=-1)
    chunks = (whole[:, :, at : at + CHUNK_FRAMES] for at in range(0, whole.shape[-1], CHUNK_FRAMES))
    samples = np.concatenate(list(decode(networks, chunks, 1, progress)), axis=1)[0]
    return np.ascontiguousarray(samples[before * hop : (before + frames) * hop])


def _encode(networks: Networks, audio: Audio, progress: Repeated) -> mx.array:
    """Return the codes (1, codebooks, frames) of audio with any rate and number of channels."""
    import mlx.core as mx

    samples = resample(checked(audio), networks.codec.config.sampling_rate).samples
    channels = networks.decoder.config.audio_channels
    mono = samples.mean(axis=1, keepdims=True)
    rows = samples.T if channels == samples.shape[1] else np.repeat(mono.T, channels, axis=0)
    waves = mx.array(np.ascontiguousarray(rows, np.float32))[..., None]
    parts = list(networks.codec.encode_stream(waves, CHUNK_FRAMES, progress.again))
    codes = mx.concatenate(parts, axis=-1)
    # Codebooks of a stereo model alternate: first of the left channel, first of the right, second of the left, ...
    return codes.transpose(1, 0, 2).reshape(1, -1, codes.shape[-1])


def _channel_rows(codes: mx.array, channels: int) -> mx.array:
    """(pieces, codebooks * channels, frames) -> (channels * pieces, codebooks, frames)."""
    import mlx.core as mx

    return mx.concatenate([codes[:, channel::channels] for channel in range(channels)])
