"""MusicGen as a generator: prompt and configuration in, audio out, all in MLX.

The path reads top to bottom: tokens -> T5 states -> codes, frame by frame -> samples, chunk by chunk. torch and
transformers are not imported.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .. import cpu
from ..audio.checks import checked
from ..audio.loop import cut_loop, extra_s
from ..audio.shaping import resample
from ..errors import GeneratorError
from ..memory import require
from ..networks.bundle import Networks
from ..protocol import Audio, Progress, versions
from ..weights import models
from ..weights.checkpoint import load_networks
from ..weights.reading import LOADING, read_weights
from .chroma import extract_chroma, fit_frames, null_chroma
from .origin import chroma_config, load_tokenizer, read_origin, token_limit
from .settings import Settings

if TYPE_CHECKING:
    import mlx.core as mx

    from ..networks.musicgen import Condition
    from ..networks.sampling import Sampling

__all__ = ["MusicgenAdapter"]


_CHUNK_FRAMES = 20
"""Frames that are decoded at a time, 0.4 s of music: on two cores of a processor about as long, so that a caller can
cancel in between."""
_ROUND_FRAMES = 100, 25
"""Frames of the tail before and of the head after a loop that is decoded round: two seconds for the recurrent layer to
settle, and half a one where only the five frames matter that the convolutions see."""
_MAKING = "make this", "a shorter duration or a smaller model, or load it with bits=4"
_MAKING_MANY = (
    "make these together",
    "fewer at once, a shorter duration or a smaller model, or load it with bits=4",
)


@dataclass(frozen=True, eq=False)
class Piece:
    """One piece to make: words, settings, and what it follows."""

    prompt: str
    settings: Settings
    melody: Audio | None = None
    loop: LoopSettings | None = None


@dataclass(frozen=True)
class LoopSettings:
    """The length of the loop to be cut from a piece, and whether it has to be kept to exactly."""

    duration_s: float
    exact: bool


class MusicgenAdapter:
    """A MusicGen checkpoint, loaded; satisfies `generator.Generator`."""

    def __init__(self, networks: Networks, folder: Path) -> None:
        """Wrap loaded networks; tokenizer, analysis and origin are read from their folder."""
        self.networks = cpu.accelerate(networks)
        self.tokenizer = load_tokenizer(folder)
        self.token_limit = token_limit(folder)
        self.chroma = chroma_config(folder, networks)
        self.origin = read_origin(folder)

    @classmethod
    def from_pretrained(
        cls, folder_or_repo: str | Path, *, dtype: str | None = None, bits: int | None = None
    ) -> MusicgenAdapter:
        """Load a folder, or a model on this machine by size, name or repository; nothing is downloaded.

        `dtype` is of the decoder: float16 on a GPU and float32 on the CPU by default. `bits`: 8 or 4 quantizes the
        decoder. Raises WeightsError.
        """
        folder = models.resolve(folder_or_repo)
        with _memory_told(*LOADING):
            networks = cpu.keep_in_files(load_networks(folder, dtype=dtype, bits=bits), folder)
            with cpu.ready(networks):
                read_weights(networks)
            return cls(networks, folder)

    @property
    def sample_rate(self) -> int:
        """Return the codec's samples per second."""
        return self.networks.codec.config.sampling_rate

    @property
    def frame_rate(self) -> int:
        """Return the codec's frames per second."""
        return self.networks.codec.config.frame_rate

    @property
    def hop_length(self) -> int:
        """Return the codec's samples per frame."""
        return self.networks.codec.config.hop_length

    def generate_music(
        self,
        prompt: str,
        config: Mapping[str, Any],
        *,
        melody: Audio | None = None,
        continue_from: Audio | None = None,
        on_progress: Progress | None = None,
    ) -> Audio:
        """Return the music for `prompt`, as long as `duration_s` says, at the codec's rate and channels.

        With `loopable` it is a loop, as long to within 6 % so that it holds whole beats (exactly with
        `normalize_duration: strict`); see `generator.audio.loop`. Read from `config`, all optional: duration_s,
        max_steps, use_sampling, top_k, top_p, temperature, cfg_coef, two_step_cfg, negative_prompt, seed; other
        keys are ignored.
        An empty prompt is unconditional. Guidance leads away from `negative_prompt`, so it takes a `cfg_coef` above 1.
        `melody` is followed by melody models. `continue_from` begins the result and counts in `duration_s`: by its
        codes where it has some that fit (those of a mono model fit a stereo model on both sides), else encoded.
        `on_progress` counts new codec frames, and is called again with the same count while the codec computes. Raises
        GeneratorError and AudioError.
        """
        pieces = [self._piece(prompt, config, melody)]
        return self._make(pieces, continue_from, on_progress)[0]

    def generate_batch(
        self,
        prompts: Sequence[str],
        configs: Sequence[Mapping[str, Any]],
        *,
        melodies: Sequence[Audio | None] | None = None,
        max_batch: int = 8,
        on_progress: Progress | None = None,
    ) -> list[Audio]:
        """Return one piece per prompt and configuration, as `generate_music` would alone, in their order.

        Pieces of the same length and sampling run together, at most `max_batch` at a time.
        """
        if len(prompts) != len(configs) or (melodies is not None and len(melodies) != len(prompts)):
            raise GeneratorError(
                f"{len(prompts)} prompts and {len(configs)} configurations; give one per piece."
            )
        pieces = [
            self._piece(prompt, config, melody)
            for prompt, config, melody in zip(
                prompts, configs, melodies or [None] * len(prompts), strict=True
            )
        ]
        results: dict[int, Audio] = {}
        total = sum(piece.settings.frames for piece in pieces)
        for rows in _batches(pieces, max_batch):
            before = sum(pieces[row].settings.frames for row in results)
            report = partial(_report_rows, on_progress, before, len(rows), total) if on_progress else None
            made = self._make([pieces[row] for row in rows], None, report)
            results.update(zip(rows, made, strict=True))
        return [results[row] for row in range(len(pieces))]

    def stream_music(
        self,
        prompt: str,
        config: Mapping[str, Any],
        *,
        melody: Audio | None = None,
        continue_from: Audio | None = None,
        on_progress: Progress | None = None,
    ) -> Iterator[Audio]:
        """Yield the music of `generate_music` in consecutive pieces, while it is being made; a loop is one piece."""
        pieces = [self._piece(prompt, config, melody)]
        if pieces[0].loop is not None:
            yield self._make(pieces, continue_from, on_progress)[0]
            return
        provenance = self._provenance(pieces[0], continue_from)
        for samples in self._stream(pieces, continue_from, Told(on_progress)):
            yield Audio(samples[0], self.sample_rate, provenance)

    def _make(
        self, pieces: list[Piece], continue_from: Audio | None, on_progress: Progress | None
    ) -> list[Audio]:
        kept: list[mx.array] = []
        told = Told(on_progress)
        samples = np.concatenate(list(self._stream(pieces, continue_from, told, kept)), axis=1)
        codes = np.concatenate([np.array(chunk, np.int16) for chunk in kept], axis=-1)
        made = [
            Audio(row, self.sample_rate, self._provenance(piece, continue_from), own)
            for row, own, piece in zip(samples, codes, pieces, strict=True)
        ]
        return [
            one if piece.loop is None else self._loop(one, piece.loop, codes[row : row + 1], told)
            for row, (one, piece) in enumerate(zip(made, pieces, strict=True))
        ]

    def _piece(self, prompt: str, config: Mapping[str, Any], melody: Audio | None) -> Piece:
        """Return what to make; for a loop that is longer music, to cut it from."""
        settings = Settings.read(config, self.frame_rate)
        if not config.get("loopable"):
            return Piece(prompt, settings, melody)
        duration_s = settings.frames / self.frame_rate
        frames = settings.frames + math.ceil(extra_s(duration_s) * self.frame_rate)
        exact = config.get("normalize_duration") == "strict"
        return Piece(prompt, replace(settings, frames=frames), melody, LoopSettings(duration_s, exact))

    def _loop(
        self, audio: Audio, wished: LoopSettings, codes: np.ndarray[Any, np.dtype[np.int16]], told: Told
    ) -> Audio:
        """Return a loop cut from `audio`, whose codes are of shape (1, codebooks, frames)."""
        import mlx.core as mx

        hop = self.hop_length

        def wrap(start: int, length: int) -> np.ndarray[Any, np.dtype[np.float32]]:
            part = codes[:, :, start // hop : (start + length) // hop]
            return self._decode_round(mx.array(part.astype(np.int32)), told)

        with _memory_told():
            return cut_loop(audio, wished.duration_s, exact=wished.exact, wrap=wrap, grid=hop)

    def _decode_round(self, codes: mx.array, told: Told) -> np.ndarray[Any, np.dtype[np.float32]]:
        """Return samples (time, channels) of codes (1, codebooks, frames) decoded with their end before their start.

        The codec looks to both sides, and its recurrent layer far back, so what it is given on either side of the seam
        is what will be heard there: the tail, the codes and the head, of which the middle is kept.
        """
        import mlx.core as mx

        frames = codes.shape[-1]
        before, after = min(frames, _ROUND_FRAMES[0]), min(frames, _ROUND_FRAMES[1])
        whole = mx.concatenate([codes[:, :, frames - before :], codes, codes[:, :, :after]], axis=-1)
        chunks = (whole[:, :, at : at + _CHUNK_FRAMES] for at in range(0, whole.shape[-1], _CHUNK_FRAMES))
        samples = np.concatenate(list(self._decode(chunks, 1, told)), axis=1)[0]
        return np.ascontiguousarray(samples[before * self.hop_length : (before + frames) * self.hop_length])

    def _stream(
        self,
        pieces: list[Piece],
        continue_from: Audio | None,
        told: Told,
        kept: list[mx.array] | None = None,
    ) -> Iterator[np.ndarray[Any, np.dtype[np.float32]]]:
        """Yield float32 samples (pieces, time, channels) of pieces of one length and sampling; codes go to `kept`."""
        with _memory_told():
            self._require_memory(pieces, whole=kept is not None)
            prompt_codes = None if continue_from is None else self._prompt(continue_from, told)
            condition = self._conditions(pieces)
            codes = self._codes(pieces, condition, prompt_codes, told)
            yield from self._decode(codes if kept is None else _noting(codes, kept), len(pieces), told)

    def _require_memory(self, pieces: list[Piece], *, whole: bool) -> None:
        """Raise GeneratorError where pieces of one length and sampling cannot be made, `whole` or as they come."""
        import mlx.core as mx

        from .generation import WINDOW_FRAMES

        if mx.default_device().type != mx.DeviceType.cpu:
            return  # a GPU says itself what it lacks
        mx.clear_cache()
        shape, codec, settings = self.networks.decoder.config, self.networks.codec.config, pieces[0].settings
        rows = len(pieces) * (2 if settings.sampling.guided else 1)
        columns = min(settings.frames, WINDOW_FRAMES) + (shape.chroma_length if shape.melody else 0)
        caches = 2 * shape.num_hidden_layers * rows * columns * shape.hidden_size
        frame = len(pieces) * shape.audio_channels * codec.hop_length
        arrays = 4 if len(pieces) * shape.audio_channels > 1 else 3
        # Of a chunk's samples by filters the codec holds what it hears, what it makes and copies of that.
        chunk = arrays * min(settings.frames, _CHUNK_FRAMES) * frame * codec.num_filters
        # The chunks of the result and the whole that they are joined to.
        result = 2 * settings.frames * frame if whole else 0
        floats = max(caches + chunk, result)
        require(floats * np.dtype(np.float32).itemsize, *(_MAKING if len(pieces) == 1 else _MAKING_MANY))

    # Words and melody

    def _tokens(self, prompt: str) -> list[int]:
        tokens: list[int] = self.tokenizer.encode(prompt).ids
        if len(tokens) > self.token_limit:
            raise GeneratorError(
                f"the prompt has {len(tokens)} tokens; at most {self.token_limit} are valid, so shorten it."
            )
        return tokens

    def _conditions(self, pieces: list[Piece]) -> Callable[[int], Condition]:
        """Return the condition of all pieces as a function of a window's first frame."""
        import mlx.core as mx

        from ..networks.musicgen import Condition

        texts = [piece.prompt for piece in pieces]
        if any(piece.settings.negative_prompt.strip() for piece in pieces):
            texts += [piece.settings.negative_prompt for piece in pieces]
        rows = [self._tokens(text) if text.strip() else [] for text in texts]
        mask = np.zeros((len(rows), max(1, *map(len, rows))), np.int32)
        tokens = np.zeros_like(mask)
        for row, ids in enumerate(rows):
            tokens[row, : len(ids)], mask[row, : len(ids)] = ids, 1
        states, told = self.networks.text_encoder(mx.array(tokens), mx.array(mask)), mx.array(mask) != 0
        mx.eval(states)
        count = len(pieces)
        negative = (states[count:], told[count:]) if len(texts) > count else (None, None)

        def condition(first_frame: int) -> Condition:
            chroma = self._chroma(pieces, first_frame / self.frame_rate)
            return Condition(states[:count], told[:count], chroma, *negative)

        return condition

    def _chroma(self, pieces: list[Piece], offset_s: float) -> mx.array | None:
        """Return the melodies from `offset_s` on, (pieces, chroma_length, num_chroma), or None without any."""
        import mlx.core as mx

        shape = self.networks.decoder.config
        if all(piece.melody is None for piece in pieces):
            return None
        if not shape.melody:
            raise GeneratorError(
                f"{self.origin.name} cannot follow a melody; use the model melody or melody-large."
            )
        rows = [
            null_chroma(shape.chroma_length, shape.num_chroma)
            if piece.melody is None
            else fit_frames(extract_chroma(piece.melody, self.chroma, offset_s=offset_s), shape.chroma_length)
            for piece in pieces
        ]
        return mx.array(np.stack(rows))

    # Codes

    def _codes(
        self,
        pieces: list[Piece],
        condition: Callable[[int], Condition],
        prompt_codes: mx.array | None,
        told: Told,
    ) -> Iterator[mx.array]:
        """Yield the codes of prompt and music, (pieces, codebooks, frames)."""
        import mlx.core as mx

        from .generation import STRIDE_FRAMES, WINDOW_FRAMES, stream_codes

        settings = pieces[0].settings
        frames, given = settings.frames, 0 if prompt_codes is None else prompt_codes.shape[-1]
        if given >= frames:
            raise GeneratorError(
                f"the music to continue lasts {given / self.frame_rate:g} s and duration_s is "
                f"{frames / self.frame_rate:g}; ask for more than it lasts."
            )
        if prompt_codes is not None:
            rows = mx.broadcast_to(prompt_codes, (len(pieces), *prompt_codes.shape[1:]))
            for start in range(0, given, _CHUNK_FRAMES):
                yield rows[:, :, start : start + _CHUNK_FRAMES]
            if given >= WINDOW_FRAMES:
                # Longer than the model sees: it hears what windows share, as between its own.
                prompt_codes = prompt_codes[:, :, STRIDE_FRAMES - WINDOW_FRAMES :]
                frames -= given - prompt_codes.shape[-1]
        yield from stream_codes(
            self.networks.decoder,
            condition,
            frames=frames,
            seeds=[piece.settings.seed for piece in pieces],
            sampling=settings.sampling,
            prompt_codes=prompt_codes,
            chunk_frames=_CHUNK_FRAMES,
            on_progress=told,
        )

    def _prompt(self, audio: Audio, told: Told) -> mx.array:
        """Return the codes (1, codebooks, frames) of what is continued: its own, or else encoded."""
        import mlx.core as mx

        codes = self._own_codes(audio)
        return self._encode(audio, told) if codes is None else mx.array(codes[None].astype(np.int32))

    def _own_codes(self, audio: Audio) -> NDArray[np.int16] | None:
        """Return the codes of `audio` as the decoder could have made them, None where it could not.

        MusicGen's models share one codec, so that those of a mono model say the same on both sides of a stereo model.
        """
        shape, codes = self.networks.decoder.config, audio.codes
        if codes is None or codes.ndim != 2 or not codes.size:
            return None
        if codes.shape[0] * shape.audio_channels == shape.num_codebooks:
            codes = np.repeat(codes, shape.audio_channels, axis=0)
        fits = codes.shape[0] == shape.num_codebooks and codes.min() >= 0 and codes.max() < shape.vocab_size
        return codes if fits else None

    def _encode(self, audio: Audio, told: Told) -> mx.array:
        """Return the codes (1, codebooks, frames) of audio in any rate and number of channels."""
        import mlx.core as mx

        samples = resample(checked(audio), self.sample_rate).samples
        channels = self.networks.decoder.config.audio_channels
        mono = samples.mean(axis=1, keepdims=True)
        rows = samples.T if channels == samples.shape[1] else np.repeat(mono.T, channels, axis=0)
        waves = mx.array(np.ascontiguousarray(rows, np.float32))[..., None]
        parts = list(self.networks.codec.encode_stream(waves, _CHUNK_FRAMES, told.again))
        codes = mx.concatenate(parts, axis=-1)
        # Stereo codebooks alternate: first of the left channel, first of the right, second of the left, ...
        return codes.transpose(1, 0, 2).reshape(1, -1, codes.shape[-1])

    # Samples

    def _decode(
        self, codes: Iterator[mx.array], pieces: int, told: Told
    ) -> Iterator[np.ndarray[Any, np.dtype[np.float32]]]:
        channels = self.networks.decoder.config.audio_channels
        rows = (_channel_rows(chunk, channels) for chunk in codes)
        for samples in self.networks.codec.decode_stream(rows, told.again):
            by_channel = np.array(samples, np.float32).reshape(channels, pieces, -1)
            yield np.ascontiguousarray(by_channel.transpose(1, 2, 0))

    def _provenance(self, piece: Piece, continue_from: Audio | None) -> dict[str, Any]:
        settings = piece.settings
        return {
            "backend": "mlx",
            "model": self.origin.name,
            "weights_license": self.origin.license,
            "weights_revision": self.origin.revision,
            "seed": settings.seed,
            "sample_rate": self.sample_rate,
            "versions": versions("mlx", "music-catalog"),
            "dtype": self.networks.dtype,
            "bits": self.networks.bits,
            "frames": settings.frames,
            "sampling": asdict(settings.sampling),
            "negative_prompt": settings.negative_prompt,
            "melody": piece.melody is not None,
            **self._continued(continue_from),
        }

    def _continued(self, audio: Audio | None) -> dict[str, Any]:
        """Return how many seconds are continued, and from what: codes or audio."""
        if audio is None:
            return {"continued_s": 0.0, "continued_from": None}
        if (codes := self._own_codes(audio)) is not None:
            return {"continued_s": codes.shape[1] / self.frame_rate, "continued_from": "codes"}
        return {"continued_s": round(audio.duration_s, 6), "continued_from": "audio"}


def _channel_rows(codes: mx.array, channels: int) -> mx.array:
    """(pieces, codebooks * channels, frames) -> (channels * pieces, codebooks, frames)."""
    import mlx.core as mx

    return mx.concatenate([codes[:, channel::channels] for channel in range(channels)])


def _batches(pieces: list[Piece], max_batch: int) -> list[list[int]]:
    """Return the numbers of pieces that can run together: same length, same sampling."""
    groups: dict[tuple[int, Sampling], list[int]] = {}
    for row, piece in enumerate(pieces):
        groups.setdefault((piece.settings.frames, piece.settings.sampling), []).append(row)
    return [
        rows[start : start + max_batch]
        for rows in groups.values()
        for start in range(0, len(rows), max_batch)
    ]


def _noting(codes: Iterator[mx.array], kept: list[mx.array]) -> Iterator[mx.array]:
    """Yield the codes, and add them to `kept`."""
    for chunk in codes:
        kept.append(chunk)
        yield chunk


def _report_rows(on_progress: Progress, before: int, rows: int, total: int, done: int, _: int) -> None:
    on_progress(before + rows * done, total)


class Told:
    """A progress callback that can be called again with what it was told last, for it to cancel in between."""

    def __init__(self, on_progress: Progress | None) -> None:
        """Wrap a callback, or none."""
        self.on_progress = on_progress
        self.last: tuple[int, int] | None = None

    def __call__(self, done: int, total: int) -> None:
        """Tell how much is done."""
        self.last = done, total
        self.again()

    def again(self) -> None:
        """Tell once more what was told last; before anything was, that nothing of 1 is done."""
        if self.on_progress is not None:
            self.on_progress(*(self.last or (0, 1)))


@contextmanager
def _memory_told(what: str = _MAKING[0], cure: str = _MAKING[1]) -> Iterator[None]:
    """Turn the device's lack of memory, or of room for a thread, into an error of ours."""
    try:
        yield
    except (MemoryError, RuntimeError, SystemError) as error:
        signs = "alloc", "memory", "temporarily unavailable"
        # In a parallel loop numba raises SystemError in its place.
        wants = isinstance(error, MemoryError) or isinstance(error.__cause__, MemoryError)
        if wants or any(sign in str(error).lower() for sign in signs):
            raise GeneratorError(f"not enough memory to {what}; ask for {cure}.") from error
        raise
