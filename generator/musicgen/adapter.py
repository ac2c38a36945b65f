"""MusicGen as a generator: prompt and configuration in, audio out, all in MLX.

The path reads top to bottom: tokens -> T5 states -> codes, frame by frame -> samples, chunk by chunk. torch and
transformers are not imported.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .. import cpu
from ..audio.loop import cut_loop
from ..device import bounded_memory
from ..errors import GeneratorError
from ..memory import memory_errors
from ..networks.bundle import Networks
from ..protocol import Audio, Progress
from ..thread.calls import on_thread
from ..thread.line import LINE
from ..thread.orders import Asked, Order
from ..thread.streams import ThreadStream, joined
from ..weights import models
from ..weights.checkpoint import load_networks
from ..weights.files import PARTS
from ..weights.reading import LOADING, compute_weights, read_weights
from ..weights.sharing import offer, with_shared
from .batch import batch_codes, conditions
from .codes import decode, decode_round, prompt_codes
from .origin import chroma_config, load_tokenizer, read_origin, token_limit
from .piece import LoopSettings, Piece, batches
from .progress import Repeated, rows_progress
from .provenance import provenance
from .room import MAKING, require_room

if TYPE_CHECKING:
    import mlx.core as mx

    from ..networks.encodec import EncodecModel
    from ..networks.musicgen import Condition
    from ..networks.t5 import T5Encoder

__all__ = ["MusicgenAdapter"]


class MusicgenAdapter:
    """A MusicGen checkpoint, loaded; satisfies `generator.Generator`."""

    def __init__(self, networks: Networks, folder: Path) -> None:
        """Wrap networks; the tokenizer, the settings of chroma and the origin are read from their folder."""
        compute_weights(networks)
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
        with memory_errors(*LOADING), bounded_memory():
            own = load_networks(folder, dtype=dtype, bits=bits)
            networks = with_shared(own, folder)
            read = [part for part in PARTS if getattr(networks, part) is not getattr(own, part)]
            del own
            networks = cpu.keep_in_files(networks, folder)
            with cpu.ready(networks):
                read_weights(networks, read=read)
            adapter = cls(networks, folder)
            offer(adapter.networks, folder)
            return adapter

    @property
    def shared(self) -> tuple[T5Encoder, EncodecModel]:
        """Return what a model of another size can share: it does so while this is held."""
        return self.networks.text_encoder, self.networks.codec

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
        `on_progress` counts new codec frames, and is called again with the same count while the codec computes.
        Calls that wait at the same time are made as one batch where their lengths and settings allow it. Raises
        GeneratorError and AudioError.
        """
        if not LINE.here:
            asked = Asked(prompt, config, melody, continue_from)
            return Order(lambda: self, [asked], on_progress, source=(id(self), "alone")).result()[0]
        pieces = [Piece.read(prompt, config, melody, self.frame_rate)]
        return self._make(pieces, continue_from, on_progress)[0]

    def batch_key(self, config: Mapping[str, Any]) -> Hashable:
        """Return what is the same for configurations that one batch can hold. Raises GeneratorError for a bad one."""
        settings = Piece.read("", config, None, self.frame_rate).settings
        return settings.frames, settings.sampling

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
        pieces = self._pieces(prompts, configs, melodies)
        return on_thread(partial(self._make_all, pieces, max_batch), on_progress)

    def _pieces(
        self,
        prompts: Sequence[str],
        configs: Sequence[Mapping[str, Any]],
        melodies: Sequence[Audio | None] | None,
    ) -> list[Piece]:
        if len(prompts) != len(configs) or (melodies is not None and len(melodies) != len(prompts)):
            raise GeneratorError(
                f"{len(prompts)} prompts and {len(configs)} configurations; give one per piece."
            )
        followed = melodies or [None] * len(prompts)
        return [
            Piece.read(prompt, config, melody, self.frame_rate)
            for prompt, config, melody in zip(prompts, configs, followed, strict=True)
        ]

    def _make_all(self, pieces: list[Piece], max_batch: int, on_progress: Progress | None) -> list[Audio]:
        results: dict[int, Audio] = {}
        total = sum(piece.settings.frames for piece in pieces)
        for rows in batches(pieces, max_batch):
            before = sum(pieces[row].settings.frames for row in results)
            report = rows_progress(on_progress, before, len(rows), total)
            results.update(zip(rows, self._make([pieces[row] for row in rows], None, report), strict=True))
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
        """Yield the music of `generate_music` in consecutive pieces, while it is being made; a loop is one piece.

        Each piece carries its codes. Each may be asked for by another thread. Two pieces are made ahead; then the
        making waits until one is taken, and ends where the iterator is closed or dropped.
        """

        def parts(report: Progress | None) -> Iterator[Audio]:
            piece = Piece.read(prompt, config, melody, self.frame_rate)
            made = self._parts([piece], continue_from, report)
            return (part for (part,) in made if part is not None)

        return parts(on_progress) if LINE.here else ThreadStream(parts, on_progress)

    def stream_batch(
        self,
        prompts: Sequence[str],
        configs: Sequence[Mapping[str, Any]],
        *,
        melodies: Sequence[Audio | None] | None = None,
        on_progress: Progress | None = None,
    ) -> Iterator[list[Audio | None]]:
        """Yield the pieces of `generate_batch` in consecutive parts, one of each at a time, while they are being made.

        The configurations have one `batch_key`. A loop has no part (None) until it is whole. Threads as `stream_music`.
        """
        pieces = self._pieces(prompts, configs, melodies)
        if len({(piece.settings.frames, piece.settings.sampling) for piece in pieces}) != 1:
            raise GeneratorError("pieces of several lengths or ways to sample are not streamed together.")
        total = len(pieces) * pieces[0].settings.frames

        def parts(report: Progress | None) -> Iterator[list[Audio | None]]:
            return self._parts(pieces, None, rows_progress(report, 0, len(pieces), total))

        return parts(on_progress) if LINE.here else ThreadStream(parts, on_progress)

    def _parts(
        self, pieces: list[Piece], continue_from: Audio | None, on_progress: Progress | None
    ) -> Iterator[list[Audio | None]]:
        """Yield consecutive parts of pieces of one length and sampling; None for a loop that is not whole."""
        if all(piece.loop is not None for piece in pieces):
            yield [*self._make(pieces, continue_from, on_progress)]
            return
        made = [provenance(self.networks, self.origin, piece, continue_from) for piece in pieces]
        kept: list[mx.array] = []
        progress, loops = Repeated(on_progress), [list[Audio]() for _ in pieces]
        # The samples follow the codes by some frames: what is left of the codes belongs to the parts to come.
        left = np.zeros((len(pieces), self.networks.decoder.config.num_codebooks, 0), np.int16)
        for samples in self._stream(pieces, continue_from, progress, kept, whole=False):
            left = np.concatenate([left, *(np.array(chunk, np.int16) for chunk in kept)], axis=2)
            kept.clear()
            frames = samples.shape[1] // self.hop_length
            parts = [
                Audio(row, self.sample_rate, origin, codes)
                for row, origin, codes in zip(samples, made, left[:, :, :frames], strict=True)
            ]
            for piece, part, so_far in zip(pieces, parts, loops, strict=True):
                if piece.loop is not None:
                    so_far.append(part)
            yield [None if piece.loop else part for piece, part in zip(pieces, parts, strict=True)]
            left = left[:, :, frames:]
        if any(loops):
            yield [
                self._loop(joined(so_far), piece.loop, progress) if piece.loop is not None else None
                for piece, so_far in zip(pieces, loops, strict=True)
            ]

    def _make(
        self, pieces: list[Piece], continue_from: Audio | None, on_progress: Progress | None
    ) -> list[Audio]:
        kept: list[mx.array] = []
        progress = Repeated(on_progress)
        samples = np.concatenate(
            list(self._stream(pieces, continue_from, progress, kept, whole=True)), axis=1
        )
        codes = np.concatenate([np.array(chunk, np.int16) for chunk in kept], axis=-1)
        whole = [
            Audio(row, self.sample_rate, provenance(self.networks, self.origin, piece, continue_from), own)
            for row, own, piece in zip(samples, codes, pieces, strict=True)
        ]
        return [
            audio if piece.loop is None else self._loop(audio, piece.loop, progress)
            for audio, piece in zip(whole, pieces, strict=True)
        ]

    def _loop(self, audio: Audio, loop: LoopSettings, progress: Repeated) -> Audio:
        """Return a loop cut from `audio`, which has its codes."""
        import mlx.core as mx

        hop, codes = self.hop_length, audio.codes
        assert codes is not None

        def wrap(start: int, length: int) -> NDArray[np.float32]:
            part = codes[None, :, start // hop : (start + length) // hop]
            return decode_round(self.networks, mx.array(part.astype(np.int32)), progress)

        with memory_errors(*MAKING), bounded_memory():
            return cut_loop(audio, loop.duration_s, exact=loop.exact, wrap=wrap, grid=hop)

    def _stream(
        self,
        pieces: list[Piece],
        continue_from: Audio | None,
        progress: Repeated,
        kept: list[mx.array],
        *,
        whole: bool,
    ) -> Iterator[NDArray[np.float32]]:
        """Yield float32 samples (pieces, time, channels) of pieces of one length and sampling.

        The codes of each chunk are added to `kept`. `whole`: all samples are joined by the caller.
        """
        with memory_errors(*MAKING), bounded_memory():
            require_room(self.networks, pieces, whole=whole)
            prompt = None if continue_from is None else prompt_codes(self.networks, continue_from, progress)
            codes = batch_codes(self.networks, pieces, self._conditions(pieces), prompt, progress)
            yield from decode(self.networks, _keep(codes, kept), len(pieces), progress)

    def _tokens(self, words: str, name: str) -> list[int]:
        tokens: list[int] = self.tokenizer.encode(words).ids
        if len(tokens) > self.token_limit:
            raise GeneratorError(
                f"the {name} has {len(tokens)} tokens; at most {self.token_limit} are valid, so shorten it."
            )
        return tokens

    def _conditions(self, pieces: list[Piece]) -> Callable[[int], Condition]:
        return conditions(self.networks, pieces, self._tokens, self.chroma, self.origin.name)


def _keep(codes: Iterator[mx.array], kept: list[mx.array]) -> Iterator[mx.array]:
    """Yield the codes, and add them to `kept`."""
    for chunk in codes:
        kept.append(chunk)
        yield chunk
