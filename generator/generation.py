"""The generation loop: codes for any number of frames from a MusicGen decoder.

One window is one sequence of at most 30 s, the length the model was trained on. Longer music slides: each
next window starts `stride_frames` later and is prompted with what it shares with the one before, as
audiocraft does (`audiocraft/models/musicgen.py`, `_generate_tokens`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import mlx.core as mx

from generator.delay import UNKNOWN, delay_codes, delays_for, undelay_codes
from generator.errors import GeneratorError
from generator.musicgen import Condition, DecoderState, MusicgenDecoder
from generator.protocol import Progress
from generator.sampling import Sampling, guide, row_keys, sample, split_keys

__all__ = ["STRIDE_FRAMES", "WINDOW_FRAMES", "ConditionSource", "generate_codes", "stream_codes"]

WINDOW_FRAMES = 1500
"""30 s at 50 frames per second."""
STRIDE_FRAMES = 900
"""18 s at 50 frames per second."""

ConditionSource = Condition | Callable[[int], Condition]
"""One condition for all windows, or a function from a window's first frame to its condition."""

# A prompt is read in pieces of this many columns, so that a caller can cancel in between.
_PREFILL_COLUMNS = 128


def generate_codes(
    model: MusicgenDecoder,
    condition: ConditionSource,
    *,
    frames: int,
    seeds: Sequence[int],
    sampling: Sampling = Sampling(),  # noqa: B008 (frozen)
    prompt_codes: mx.array | None = None,
    window_frames: int = WINDOW_FRAMES,
    stride_frames: int = STRIDE_FRAMES,
    on_progress: Progress | None = None,
) -> mx.array:
    """Return int32 codes (batch, codebooks, frames); `frames` counts those of the prompt.

    See `stream_codes` for the arguments.
    """
    chunks = stream_codes(
        model,
        condition,
        frames=frames,
        seeds=seeds,
        sampling=sampling,
        prompt_codes=prompt_codes,
        chunk_frames=window_frames,
        window_frames=window_frames,
        stride_frames=stride_frames,
        on_progress=on_progress,
    )
    prompt = [] if prompt_codes is None else [_prompt_rows(prompt_codes, len(seeds), model)]
    codes = mx.concatenate([*prompt, *chunks], axis=-1)
    mx.eval(codes)
    return codes


def stream_codes(
    model: MusicgenDecoder,
    condition: ConditionSource,
    *,
    frames: int,
    seeds: Sequence[int],
    sampling: Sampling = Sampling(),  # noqa: B008 (frozen)
    prompt_codes: mx.array | None = None,
    chunk_frames: int = 50,
    window_frames: int = WINDOW_FRAMES,
    stride_frames: int = STRIDE_FRAMES,
    on_progress: Progress | None = None,
) -> Iterator[mx.array]:
    """Yield int32 codes (batch, codebooks, up to `chunk_frames`) of the frames after the prompt, in order.

    `seeds`: one per row of the condition; a row's codes depend on its own seed, condition and prompt alone,
    and a longer run of the same seed starts with the frames of a shorter one, but for the last max(delays) of
    them. `prompt_codes`: (batch or 1, codebooks, prompt frames), continued. `on_progress(done, total)` counts
    new frames and is called after every step and every piece of the prompt; an exception it raises ends the
    generation.

    Raises `GeneratorError` for lengths, prompts or numbers of seeds that do not fit together.
    """
    batch = len(seeds)
    codes = _prompt_rows(prompt_codes, batch, model)
    _check_lengths(frames, codes.shape[-1], chunk_frames, window_frames, stride_frames)
    report = _Report(on_progress, frames - codes.shape[-1])
    keys = _Keys(row_keys(seeds))
    start = 0
    while codes.shape[-1] < frames:
        known = codes[:, :, start:]
        here = condition(start) if callable(condition) else condition
        if here.batch != batch:
            raise GeneratorError(
                f"{batch} seeds for {here.batch} rows of the condition; give one seed per row."
            )
        length = min(frames - start, window_frames)
        for chunk in _window(model, here, known, length, keys, sampling, chunk_frames, report):
            codes = mx.concatenate([codes, chunk], axis=-1)
            yield chunk
        start += stride_frames


@dataclass
class _Keys:
    """The rows' PRNG keys, carried from step to step and window to window."""

    current: mx.array

    def draw(self) -> mx.array:
        self.current, used = split_keys(self.current)
        return used


@dataclass
class _Report:
    """Counts finished frames over all windows."""

    on_progress: Progress | None
    total: int
    done: int = 0

    def add(self, frames: int) -> None:
        self.done += frames
        if self.on_progress is not None:
            self.on_progress(self.done, self.total)


def _window(
    model: MusicgenDecoder,
    condition: Condition,
    known: mx.array,
    frames: int,
    keys: _Keys,
    sampling: Sampling,
    chunk_frames: int,
    report: _Report,
) -> Iterator[mx.array]:
    """Yield the frames after the known ones of one window."""
    config = model.config
    delays = delays_for(config.num_codebooks, config.audio_channels)
    pattern = delay_codes(known, frames, delays, config.special_token)
    new, behind, given = frames - known.shape[-1], max(delays), 0
    columns: list[mx.array] = []
    for column in _columns(model, condition, pattern, 1 + known.shape[-1], keys, sampling, report):
        columns.append(column)
        complete = len(columns) - behind
        report.add(1 if complete > 0 else 0)
        if complete - given == chunk_frames or complete == new:
            yield undelay_codes(mx.stack(columns[given:], axis=-1), delays)
            given = complete


def _columns(
    model: MusicgenDecoder,
    condition: Condition,
    pattern: mx.array,
    first: int,
    keys: _Keys,
    sampling: Sampling,
    report: _Report,
) -> Iterator[mx.array]:
    """Yield the columns (batch, codebooks) from `first` to the end of the pattern, each computed.

    One step is always queued ahead: the device works on it while the caller has the column before.
    """
    end = pattern.shape[-1]
    states = _start(model, condition, end - 1, sampling)
    logits = _prefill(model, states, pattern[:, :, :first], sampling, report)
    previous: mx.array | None = None
    for index in range(first, end):
        sampled = sample(logits, keys.draw(), sampling)
        planned = pattern[:, :, index]
        column = mx.where(planned == UNKNOWN, sampled, planned)
        mx.async_eval(column)  # type: ignore[no-untyped-call]
        if previous is not None:
            mx.eval(previous)
            yield previous
        previous = column
        if index + 1 < end:
            logits = _guided_logits(model, states, column[:, :, None], sampling)
    assert previous is not None
    mx.eval(previous)
    yield previous


def _start(
    model: MusicgenDecoder, condition: Condition, columns: int, sampling: Sampling
) -> list[DecoderState]:
    """Return one state, of both halves where guidance runs as one batch, or two of one half each."""
    if not sampling.guided:
        return [model.start(condition, columns)]
    if not sampling.two_step_cfg:
        return [model.start(condition, columns, unconditional=True)]
    return [
        model.start(condition, columns),
        model.start(condition, columns, conditional=False, unconditional=True),
    ]


def _prefill(
    model: MusicgenDecoder, states: list[DecoderState], columns: mx.array, sampling: Sampling, report: _Report
) -> mx.array:
    """Run over the known columns, piece by piece; return the logits for the column after them."""
    last = (columns.shape[-1] - 1) // _PREFILL_COLUMNS * _PREFILL_COLUMNS
    for at in range(0, last, _PREFILL_COLUMNS):
        piece = columns[:, :, at : at + _PREFILL_COLUMNS]
        mx.eval([model.hidden(piece, state) for state in states])
        report.add(0)
    return _guided_logits(model, states, columns[:, :, last:], sampling)


def _guided_logits(
    model: MusicgenDecoder, states: list[DecoderState], tokens: mx.array, sampling: Sampling
) -> mx.array:
    """Return logits (batch, codebooks, vocab_size) for the column after `tokens`."""
    hidden = [model.hidden(tokens, state)[:, -1:] for state in states]
    logits = mx.concatenate([model.logits(one) for one in hidden])[:, :, 0]
    if not sampling.guided:
        return logits
    conditional, unconditional = mx.split(logits.astype(mx.float32), 2)
    return guide(conditional, unconditional, sampling.guidance_scale)


def _prompt_rows(prompt_codes: mx.array | None, batch: int, model: MusicgenDecoder) -> mx.array:
    """Return the prompt as int32 (batch, codebooks, frames), without frames where there is none."""
    books = model.config.num_codebooks
    if prompt_codes is None:
        return mx.zeros((batch, books, 0), mx.int32)
    if prompt_codes.ndim != 3 or prompt_codes.shape[0] not in (1, batch) or prompt_codes.shape[1] != books:
        raise GeneratorError(
            f"The prompt's codes have shape {tuple(prompt_codes.shape)}; "
            f"({batch} or 1, {books}, frames) is needed."
        )
    return mx.broadcast_to(prompt_codes, (batch, *prompt_codes.shape[1:])).astype(mx.int32)


def _check_lengths(frames: int, prompt: int, chunk: int, window: int, stride: int) -> None:
    if frames <= prompt:
        raise GeneratorError(
            f"{frames} frames are asked for and the prompt has {prompt}; ask for more than it has."
        )
    if prompt >= window:
        raise GeneratorError(f"The prompt has {prompt} frames; fewer than the window's {window} are valid.")
    if not 0 < stride < window or chunk < 1:
        raise GeneratorError(
            f"Window {window}, stride {stride} and chunk {chunk} frames: a stride of 1 to window - 1 and a "
            "chunk of at least 1 are valid."
        )
