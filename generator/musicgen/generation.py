"""The generation loop: codes for any number of frames from a MusicGen decoder.

One window is one sequence of at most 30 s, the length the model was trained on. Longer music takes several windows:
each starts `stride_frames` after the one before and is prompted with the frames that both share, as in audiocraft
(`audiocraft/models/musicgen.py`, `_generate_tokens`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from time import perf_counter

import mlx.core as mx

from ..errors import GeneratorError
from ..networks.delay import UNKNOWN, delay_codes, delays_for, undelay_codes
from ..networks.musicgen import Condition, MusicgenDecoder
from ..networks.sampling import Sampling, guide, row_keys, sample, split_keys
from ..protocol import Progress

__all__ = ["STRIDE_FRAMES", "WINDOW_FRAMES", "ConditionSource", "stream_codes"]


WINDOW_FRAMES = 1500
"""30 s at 50 frames per second."""
STRIDE_FRAMES = 900
"""18 s at 50 frames per second."""

ConditionSource = Condition | Callable[[int], Condition]
"""One condition for all windows, or a function from a window's first frame to its condition."""

# The columns before the first new one are read in pieces, of this many columns of all rows together, so that a caller
# can cancel in between.
_PREFILL_COLUMNS = 64
_FEWEST_COLUMNS = 16  # a piece of one row of a large batch has at least so many
_POLL_S = 0.1


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
    compiled: bool | None = None,
) -> Iterator[mx.array]:
    """Yield int32 codes (batch, codebooks, up to `chunk_frames`) of the frames after the prompt, in order.

    `seeds`: one per row of the condition; a row's codes depend on its own seed, condition and prompt alone,
    and a longer run of the same seed starts with the frames of a shorter one, but for the last max(delays) of
    them. `prompt_codes`: (batch or 1, codebooks, prompt frames), continued. `on_progress(done, total)` counts
    new frames and is called after every step and every piece of the prompt; an exception it raises ends the
    generation. `compiled`: run steps as one traced graph; None does so on Metal, where building each step's graph
    can take longer than computing it. On CUDA the mask of a traced step would keep attention from its fused kernel.

    Raises `GeneratorError` for lengths, prompts or numbers of seeds that do not fit together.
    """
    batch = len(seeds)
    codes = _prompt_rows(prompt_codes, batch, model)
    _check_lengths(frames, codes.shape[-1], chunk_frames, window_frames, stride_frames)
    if compiled is None:
        compiled = mx.default_device() == mx.Device(mx.gpu) and mx.metal.is_available()
    run = _Run(
        model, sampling, compiled, chunk_frames, on_progress, frames - codes.shape[-1], row_keys(seeds)
    )
    start = 0
    while codes.shape[-1] < frames:
        here = condition(start) if callable(condition) else condition
        if here.batch != batch:
            raise GeneratorError(
                f"{batch} seeds for {here.batch} rows of the condition; give one seed per row."
            )
        for chunk in _window(run, here, codes[:, :, start:], min(frames - start, window_frames)):
            codes = mx.concatenate([codes, chunk], axis=-1)
            yield chunk
        start += stride_frames


@dataclass
class _Run:
    """What all windows share: settings, the count of finished frames and the rows' PRNG keys."""

    model: MusicgenDecoder
    sampling: Sampling
    compiled: bool
    chunk_frames: int
    on_progress: Progress | None
    total: int
    keys: mx.array
    done: int = 0
    reported_s: float = field(default_factory=perf_counter)
    _choose: Callable[..., tuple[mx.array, mx.array]] = field(init=False)

    def __post_init__(self) -> None:
        choose = partial(_choose, sampling=self.sampling)
        fused = self.compiled or mx.default_device() == mx.Device(mx.gpu)
        self._choose = mx.compile(choose) if fused else choose

    def report(self, frames: int) -> None:
        self.done += frames
        self.reported_s = perf_counter()
        if self.on_progress is not None:
            self.on_progress(self.done, self.total)

    def poll(self) -> None:
        """Let the caller cancel during a pass that takes long."""
        if perf_counter() - self.reported_s > _POLL_S:
            self.report(0)

    def choose(self, logits: list[mx.array], planned: mx.array) -> mx.array:
        """Return a column (batch, codebooks): what is planned, and what is drawn where that is unknown."""
        column, self.keys = self._choose(logits, self.keys, planned)
        return column


def _choose(
    logits: list[mx.array], keys: mx.array, planned: mx.array, *, sampling: Sampling
) -> tuple[mx.array, mx.array]:
    """Return the next column and the rows' keys after it; `logits`: one array for each pass of guidance."""
    keys, used = split_keys(keys)
    column = sample(_guided(logits, sampling), used, sampling)
    return mx.where(planned == UNKNOWN, column, planned), keys


def _guided(logits: list[mx.array], sampling: Sampling) -> mx.array:
    """Return float32 (batch, codebooks, vocab_size) of logits whose unconditional rows come last."""
    rows = (logits[0] if len(logits) == 1 else mx.concatenate(logits))[:, :, -1].astype(mx.float32)
    if not sampling.guided:
        return rows
    conditional, unconditional = mx.split(rows, 2)
    return guide(conditional, unconditional, sampling.guidance_scale)


def _window(run: _Run, condition: Condition, known: mx.array, frames: int) -> Iterator[mx.array]:
    """Yield the frames after the known ones of one window."""
    config = run.model.config
    delays = delays_for(config.num_codebooks, config.audio_channels)
    pattern = delay_codes(known, frames, delays, config.special_token)
    new, yielded = frames - known.shape[-1], 0
    columns: list[mx.array] = []
    for column in _columns(run, condition, pattern, first=1 + known.shape[-1]):
        columns.append(column)
        complete = len(columns) - max(delays)
        run.report(1 if complete > 0 else 0)
        if complete == new or complete - yielded == run.chunk_frames:
            yield undelay_codes(mx.stack(columns[yielded:], axis=-1), delays)
            yielded = complete


def _columns(run: _Run, condition: Condition, pattern: mx.array, first: int) -> Iterator[mx.array]:
    """Yield the columns (batch, codebooks) from `first` to the end of the pattern, each computed.

    Python builds the graph of the next column, sampler and all, while the device computes this one. The device gets
    that graph only afterwards: while work in flight reads the cache, the cache cannot be updated in place and would be
    copied whole.
    """
    end = pattern.shape[-1]
    guided = _GuidedDecoder(run, condition, end - 1)
    column = run.choose(guided.read(pattern[:, :, :first]), pattern[:, :, first])
    for index in range(first, end):
        mx.async_eval(column)  # type: ignore[no-untyped-call]
        computed = column
        if index + 1 < end:
            column = run.choose(guided.step(column), pattern[:, :, index + 1])
        mx.eval(computed)
        yield computed


class _GuidedDecoder:
    """Logits for the column after those read, an array (rows, codebooks, 1, vocab_size) for each pass of guidance.

    Guidance runs as one batch of both halves or, with `two_step_cfg`, as two passes, each over a state of its own.
    """

    def __init__(self, run: _Run, condition: Condition, columns: int) -> None:
        self.run, self.model = run, run.model
        halves = [{"conditional": True, "unconditional": run.sampling.guided}]
        if run.sampling.guided and run.sampling.two_step_cfg:
            halves = [{"unconditional": False}, {"conditional": False, "unconditional": True}]
        self.states = [self.model.start(condition, columns, **half) for half in halves]
        for state in self.states:
            state.poll = run.poll
        self.steps: list[Callable[[mx.array], mx.array]] = [
            self.model.compiled_step(state) if run.compiled else partial(self.model, state=state)
            for state in self.states
        ]

    def read(self, columns: mx.array) -> list[mx.array]:
        """Read the known columns, and a melody model's chroma and text before them, piece by piece."""
        size = max(_FEWEST_COLUMNS, _PREFILL_COLUMNS // self.states[0].rows)
        for state in self.states:
            for hidden in self.model.read_prefix(state, size):
                self._computed(hidden)
        last = (columns.shape[-1] - 1) // size * size
        for at in range(0, last, size):
            piece = columns[:, :, at : at + size]
            self._computed(*[self.model.hidden(piece, state) for state in self.states])
        ends = [self.model.hidden(columns[:, :, last:], state)[:, -1:] for state in self.states]
        if last:
            self._computed(*ends)
        return [self.model.logits(end) for end in ends]

    def _computed(self, *hidden: mx.array) -> None:
        """Compute the states of a piece, and let the caller cancel."""
        mx.eval(hidden)
        self.run.report(0)

    def step(self, column: mx.array) -> list[mx.array]:
        """Read one more column (batch, codebooks)."""
        return [step(column[:, :, None]) for step in self.steps]


def _prompt_rows(prompt_codes: mx.array | None, batch: int, model: MusicgenDecoder) -> mx.array:
    """Return the prompt as int32 (batch, codebooks, frames), with no frames if there is no prompt."""
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
            f"{frames} frames are requested and the prompt has {prompt}; ask for more than it has."
        )
    if prompt >= window:
        raise GeneratorError(f"The prompt has {prompt} frames; fewer than the window's {window} are valid.")
    if not 0 < stride < window or chunk < 1:
        raise GeneratorError(
            f"Window {window}, stride {stride} and chunk {chunk} frames: a stride of 1 to window - 1 and a "
            "chunk of at least 1 are valid."
        )
