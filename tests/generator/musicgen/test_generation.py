"""The delay pattern and the generation loop, on small random networks."""

from __future__ import annotations

import math
from dataclasses import replace

import mlx.core as mx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_musicgen import generate_codes

from music_catalog.generator.cpu.decoder import Block, ProcessorDecoder
from music_catalog.generator.errors import Cancelled, GeneratorError
from music_catalog.generator.musicgen.generation import stream_codes
from music_catalog.generator.networks.delay import UNKNOWN, delay_codes, delays_for, undelay_codes
from music_catalog.generator.networks.musicgen import (
    Condition,
    CrossAttention,
    MusicgenConfig,
    MusicgenDecoder,
)
from music_catalog.generator.networks.sampling import Sampling, sample

MONO = MusicgenConfig(
    hidden_size=32, num_hidden_layers=2, num_attention_heads=2, ffn_dim=48, vocab_size=40, text_dim=8
)
CONFIGS = {
    "mono": MONO,
    "stereo": replace(MONO, num_codebooks=8, audio_channels=2),
    "melody": replace(MONO, melody=True, chroma_length=6),
}
GREEDY = Sampling(do_sample=False)


def network(config: MusicgenConfig) -> MusicgenDecoder:
    mx.random.seed(0)
    model = MusicgenDecoder(config)
    model.update(_widened(model.parameters()))
    return model


def _widened(tree):
    """Return larger random weights, so that what a step sees decides what it says."""
    if isinstance(tree, mx.array):
        return tree + 0.25 * mx.random.normal(tree.shape)
    pairs = tree.items() if isinstance(tree, dict) else enumerate(tree)
    widened = {key: _widened(value) for key, value in pairs}
    return widened if isinstance(tree, dict) else list(widened.values())


MODELS = {name: network(config) for name, config in CONFIGS.items()}
KERNELS = {f"{name} in kernels": ProcessorDecoder(model) for name, model in MODELS.items()}


@pytest.fixture(params=MODELS | KERNELS)
def model(request) -> MusicgenDecoder | ProcessorDecoder:
    return (MODELS | KERNELS)[request.param]


@pytest.fixture(params=["mono", "mono in kernels"])
def mono(request) -> MusicgenDecoder | ProcessorDecoder:
    return (MODELS | KERNELS)[request.param]


@pytest.fixture(params=MODELS)
def traceable(request) -> MusicgenDecoder:
    return MODELS[request.param]


def condition(batch: int = 2, length: int = 3, seed: int = 0) -> Condition:
    states = 2 * mx.random.normal((batch, length, 8), key=mx.random.key(seed))
    return Condition(states, mx.ones((batch, length), mx.bool_))


def row_of(whole: Condition, row: int) -> Condition:
    return Condition(whole.encoder_states[row : row + 1], whole.encoder_mask[row : row + 1])


def prompt(model: MusicgenDecoder, frames: int, batch: int = 2) -> mx.array:
    shape = (batch, model.config.num_codebooks, frames)
    return mx.random.randint(0, model.config.vocab_size, shape, key=mx.random.key(9))


# The delay pattern


def test_pattern_of_a_mono_sequence():
    codes = mx.array([[[11, 12], [21, 22], [31, 32], [41, 42]]])
    s, u = 99, UNKNOWN
    assert delay_codes(codes, 3, (0, 1, 2, 3), s).tolist() == [
        [
            [s, 11, 12, u, s, s, s],
            [s, s, 21, 22, u, s, s],
            [s, s, s, 31, 32, u, s],
            [s, s, s, s, 41, 42, u],
        ]
    ]


def test_delays_of_mono_and_stereo():
    assert delays_for(4, 1) == (0, 1, 2, 3)
    assert delays_for(8, 2) == (0, 0, 1, 1, 2, 2, 3, 3)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 3), st.sampled_from([(4, 1), (8, 2), (1, 1), (2, 2)]), st.integers(1, 12), st.data())
def test_undelay_inverts_delay(batch, layout, frames, data):
    delays = delays_for(*layout)
    cells = batch * layout[0] * frames
    codes = data.draw(st.lists(st.integers(0, 9), min_size=cells, max_size=cells))
    codes = mx.array(codes, dtype=mx.int32).reshape(batch, layout[0], frames)
    columns = delay_codes(codes, frames, delays, special=10)
    assert columns.shape[-1] == 1 + frames + max(delays)
    assert mx.array_equal(undelay_codes(columns[:, :, 1:], delays), codes)


# Codes


def naive_codes(model, given, frames, known):
    """Generate greedily with guidance, one row, every step from scratch, cell by cell."""
    config = model.config
    books, special = config.num_codebooks, config.special_token
    delays = [k // config.audio_channels for k in range(books)]
    codes = np.full((books, frames), -1)
    codes[:, : known.shape[-1]] = known
    for column in range(1, 1 + frames + max(delays)):
        fed = np.full((1, books, column), special)
        for k in range(books):
            for c in range(1, column):
                if 0 <= c - 1 - delays[k] < frames:
                    fed[0, k, c] = codes[k, c - 1 - delays[k]]
        logits = np.array(model(mx.array(fed), model.start(given, column, unconditional=True)))[:, :, -1]
        best = (logits[1] + 3.0 * (logits[0] - logits[1])).argmax(axis=-1)
        for k in range(books):
            frame = column - 1 - delays[k]
            if 0 <= frame < frames and codes[k, frame] < 0:
                codes[k, frame] = best[k]
    return codes


@pytest.mark.parametrize("known", [0, 1, 5])
def test_codes_equal_those_of_a_naive_loop(model, known):
    given, start = condition(1), prompt(model, known, 1)
    codes = generate_codes(model, given, frames=12, seeds=[0], sampling=GREEDY, prompt_codes=start)
    assert np.array_equal(np.array(codes)[0], naive_codes(model, given, 12, np.array(start)[0]))


@pytest.fixture
def unfused():
    """Let compiled functions run as written: fusing takes a C++ compiler and seconds on a CPU."""
    mx.disable_compile()
    yield
    mx.enable_compile()


@pytest.mark.parametrize("how", [Sampling(), Sampling(two_step_cfg=True), Sampling(guidance_scale=1.0)])
def test_compiled_steps_give_the_same_codes(traceable, how, unfused):
    arguments = {"frames": 20, "seeds": [1, 2], "prompt_codes": prompt(traceable, 4), "sampling": how}
    plain = generate_codes(traceable, condition(), **arguments, compiled=False)
    assert mx.array_equal(generate_codes(traceable, condition(), **arguments, compiled=True), plain)


@pytest.mark.parametrize("frames", [1, 2, 3, 17])
def test_exactly_the_frames_asked_for_of_valid_codes(model, frames):
    codes = generate_codes(model, condition(), frames=frames, seeds=[1, 2])
    assert codes.shape == (2, model.config.num_codebooks, frames)
    assert codes.dtype == mx.int32
    assert 0 <= codes.min().item() <= codes.max().item() < model.config.vocab_size


def test_a_long_prompt_is_read_in_pieces_to_the_same_end(mono, monkeypatch):
    arguments = {"frames": 30, "seeds": [0, 1], "prompt_codes": prompt(mono, 25)}
    whole = generate_codes(mono, condition(), **arguments)
    monkeypatch.setattr("music_catalog.generator.musicgen.generation._PREFILL_COLUMNS", 4)
    monkeypatch.setattr("music_catalog.generator.musicgen.generation._FEWEST_COLUMNS", 1)
    assert mx.array_equal(generate_codes(mono, condition(), **arguments), whole)


def test_the_prompt_stays_as_it_was_given(model):
    start = prompt(model, 6)
    codes = generate_codes(model, condition(), frames=9, seeds=[1, 2], prompt_codes=start)
    assert mx.array_equal(codes[:, :, :6], start)


def test_one_prompt_serves_every_row(mono):
    start = prompt(mono, 6, batch=1)
    codes = generate_codes(mono, condition(), frames=9, seeds=[1, 2], prompt_codes=start)
    assert mx.array_equal(codes[0, :, :6], codes[1, :, :6])


@pytest.mark.parametrize("how", [Sampling(), Sampling(top_p=0.9), Sampling(guidance_scale=1.0)])
def test_a_row_of_a_batch_equals_the_row_alone(model, how):
    whole, seeds = condition(3), [5, 6, 7]
    together = generate_codes(model, whole, frames=20, seeds=seeds, sampling=how)
    for row, seed in enumerate(seeds):
        alone = generate_codes(model, row_of(whole, row), frames=20, seeds=[seed], sampling=how)
        assert mx.array_equal(alone[0], together[row])


def test_takes_of_one_prompt_differ_by_seed_alone(mono):
    one = condition(1)
    takes = Condition(mx.tile(one.encoder_states, (3, 1, 1)), mx.tile(one.encoder_mask, (3, 1)))
    first, second, again = generate_codes(mono, takes, frames=20, seeds=[1, 2, 1])
    assert mx.array_equal(first, again)
    assert not mx.array_equal(first, second)


def test_a_longer_run_starts_with_the_shorter_one(model):
    short = generate_codes(model, condition(), frames=12, seeds=[1, 2])
    long = generate_codes(model, condition(), frames=24, seeds=[1, 2])
    assert mx.array_equal(long[:, :, :9], short[:, :, :9])


def test_two_step_guidance_gives_the_same_codes(model):
    batched = generate_codes(model, condition(), frames=20, seeds=[1, 2])
    stepped = generate_codes(
        model, condition(), frames=20, seeds=[1, 2], sampling=Sampling(two_step_cfg=True)
    )
    assert mx.array_equal(batched, stepped)


def test_guidance_leads_away_from_negative_text(model):
    other = condition(seed=2)
    negative = {"negative_states": other.encoder_states, "negative_mask": other.encoder_mask}
    run = lambda given, **sampling: generate_codes(  # noqa: E731
        model, given, frames=20, seeds=[1, 2], sampling=Sampling(**sampling)
    )
    against = replace(condition(), **negative)
    assert not mx.array_equal(run(against), run(condition()))
    assert mx.array_equal(run(against), run(against, two_step_cfg=True))
    assert mx.array_equal(run(against, guidance_scale=1.0), run(condition(), guidance_scale=1.0))
    # Without any guidance towards the text, what is left is the negative text.
    assert mx.array_equal(run(against, guidance_scale=0.0), run(other, guidance_scale=1.0))


def test_guidance_of_zero_ignores_the_text_and_of_one_needs_no_second_pass(mono):
    run = lambda given, scale: generate_codes(  # noqa: E731
        mono, given, frames=12, seeds=[1, 2], sampling=Sampling(guidance_scale=scale)
    )
    assert mx.array_equal(run(condition(seed=1), 0.0), run(condition(seed=2), 0.0))
    assert not mx.array_equal(run(condition(seed=1), 1.0), run(condition(seed=2), 1.0))
    assert mono.start(condition(), 4).rows == 2


def test_a_row_without_text_is_unconditional(mono):
    empty = replace(condition(), encoder_mask=mx.zeros((2, 3), mx.bool_))
    plain = generate_codes(mono, condition(), frames=12, seeds=[1, 2], sampling=Sampling(guidance_scale=0.0))
    assert mx.array_equal(generate_codes(mono, empty, frames=12, seeds=[1, 2]), plain)


def test_the_text_is_projected_once_and_the_given_arrays_stay(mono, monkeypatch):
    calls = []
    for layer in (CrossAttention, Block):
        project = layer.project
        counted = lambda self, text, project=project: calls.append(0) or project(self, text)  # noqa: E731
        monkeypatch.setattr(layer, "project", counted)
    given = condition()
    before = np.array(given.encoder_states)
    generate_codes(mono, given, frames=20, seeds=[1, 2])
    assert len(calls) == mono.config.num_hidden_layers
    assert np.array_equal(np.array(given.encoder_states), before)


# Windows


def test_windows_continue_from_what_they_share(model):
    sizes = {"window_frames": 20, "stride_frames": 12}
    greedy = {"seeds": [0, 0], "sampling": GREEDY}
    given = condition()
    codes = generate_codes(model, given, frames=40, **greedy, **sizes)
    first = generate_codes(model, given, frames=20, **greedy)
    second = generate_codes(model, given, frames=20, **greedy, prompt_codes=first[:, :, 12:])
    third = generate_codes(model, given, frames=16, **greedy, prompt_codes=second[:, :, 12:])
    expected = mx.concatenate([first, second[:, :, 8:], third[:, :, 8:]], axis=-1)
    assert mx.array_equal(codes, expected)


@pytest.mark.parametrize(
    ("frames", "known", "starts"),
    [(20, 0, [0]), (21, 0, [0, 12]), (32, 0, [0, 12]), (44, 0, [0, 12, 24]), (33, 15, [0, 12, 24])],
)
def test_each_window_is_told_its_condition_by_its_first_frame(mono, frames, known, starts):
    asked = []

    def condition_at(start):
        asked.append(start)
        return condition()

    codes = generate_codes(
        mono,
        condition_at,
        frames=frames,
        seeds=[0, 1],
        prompt_codes=prompt(mono, known) if known else None,
        window_frames=20,
        stride_frames=12,
    )
    assert asked == starts
    assert codes.shape[-1] == frames


def test_windows_beyond_the_first_draw_anew(mono):
    codes = np.array(
        generate_codes(mono, condition(), frames=60, seeds=[0, 1], window_frames=20, stride_frames=19)
    )
    assert not np.array_equal(codes[:, :, 1:20], codes[:, :, 20:39])


# Progress, cancelling, streaming


def test_progress_counts_new_frames_to_the_end(mono):
    seen = []
    generate_codes(
        mono,
        condition(),
        frames=30,
        seeds=[0, 1],
        prompt_codes=prompt(mono, 4),
        window_frames=20,
        stride_frames=12,
        on_progress=lambda done, total: seen.append((done, total)),
    )
    done = [count for count, _ in seen]
    assert {total for _, total in seen} == {26}
    assert done == sorted(done)
    assert set(done) == set(range(27))


def test_progress_reports_while_a_prompt_is_read(mono, monkeypatch):
    monkeypatch.setattr("music_catalog.generator.musicgen.generation._PREFILL_COLUMNS", 4)
    monkeypatch.setattr("music_catalog.generator.musicgen.generation._FEWEST_COLUMNS", 1)
    seen = []

    def stop(done, total):
        seen.append(done)
        raise Cancelled("enough")

    with pytest.raises(Cancelled):
        generate_codes(
            mono, condition(), frames=30, seeds=[0, 1], prompt_codes=prompt(mono, 20), on_progress=stop
        )
    assert seen == [0]


def test_an_exception_from_progress_stops_at_once(mono, monkeypatch):
    monkeypatch.setattr("music_catalog.generator.musicgen.generation._POLL_S", math.inf)
    calls = []

    def stop(done, total):
        calls.append(done)
        if done == 5:
            raise Cancelled("enough")

    with pytest.raises(Cancelled, match="enough"):
        generate_codes(mono, condition(), frames=1000, seeds=[0, 1], on_progress=stop)
    assert calls[-1] == 5
    assert len(calls) == 5 + 3  # one call per step, and the last codebook lags three steps


def test_a_pass_that_takes_long_lets_the_caller_stop_between_its_blocks(monkeypatch):
    monkeypatch.setattr("music_catalog.generator.musicgen.generation._POLL_S", 0.0)
    seen = []

    def stop(done, total):
        seen.append(done)
        if len(seen) == 5:
            raise Cancelled("enough")

    model = KERNELS["mono in kernels"]
    with pytest.raises(Cancelled):
        generate_codes(model, condition(), frames=1000, seeds=[0, 1], on_progress=stop)
    # Two blocks, three passes: after each block, and after each of the first two passes' columns.
    assert seen == [0] * 5
    assert mx.array_equal(
        generate_codes(model, condition(), frames=9, seeds=[0, 1]),
        generate_codes(MODELS["mono"], condition(), frames=9, seeds=[0, 1]),
    ), "a stopped pass leaves nothing behind"


@pytest.mark.parametrize("chunk", [1, 7, 100])
def test_streamed_codes_equal_the_whole(model, chunk):
    arguments = {"frames": 30, "seeds": [0, 1], "window_frames": 20, "stride_frames": 12}
    chunks = list(stream_codes(model, condition(), chunk_frames=chunk, **arguments))
    assert max(piece.shape[-1] for piece in chunks) <= chunk
    assert mx.array_equal(mx.concatenate(chunks, axis=-1), generate_codes(model, condition(), **arguments))


def test_streaming_gives_the_first_chunk_before_the_rest_is_made(mono):
    done = []
    stream = stream_codes(
        mono,
        condition(),
        frames=1000,
        seeds=[0, 1],
        chunk_frames=5,
        on_progress=lambda now, total: done.append(now),
    )
    assert next(stream).shape[-1] == 5
    assert done[-1] == 5
    stream.close()


# What is refused


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"frames": 0}, "0 frames"),
        ({"seeds": [1]}, "1 seeds for 2 rows"),
        ({"frames": 4, "prompt_codes": mx.zeros((2, 4, 4), mx.int32)}, "ask for more"),
        ({"frames": 50, "prompt_codes": mx.zeros((2, 4, 20), mx.int32), "window_frames": 20}, "window's 20"),
        ({"prompt_codes": mx.zeros((2, 8, 4), mx.int32)}, r"shape \(2, 8, 4\)"),
        ({"prompt_codes": mx.zeros((3, 4, 4), mx.int32)}, r"shape \(3, 4, 4\)"),
        ({"stride_frames": 0}, "stride 0"),
        ({"window_frames": 10, "stride_frames": 10}, "stride 10"),
    ],
)
def test_lengths_that_do_not_fit_are_refused(mono, wrong, message):
    with pytest.raises(GeneratorError, match=message):
        generate_codes(mono, condition(), **{"frames": 10, "seeds": [1, 2], **wrong})


def test_the_next_column_is_drawn_before_the_wait_for_this_one(monkeypatch):
    """What Python builds while the device computes is the whole step, so that the device gets it without a pause."""
    steps = []

    def noted(name, function):
        def call(*arguments, **options):
            steps.append(name)
            return function(*arguments, **options)

        return call

    module = "music_catalog.generator.musicgen.generation"
    stream = stream_codes(MODELS["mono"], condition(1), frames=9, seeds=[1], chunk_frames=20, compiled=False)
    monkeypatch.setattr(f"{module}.sample", noted("draw", sample))
    monkeypatch.setattr(f"{module}.mx.async_eval", noted("submit", mx.async_eval))
    monkeypatch.setattr(f"{module}.mx.eval", noted("wait", mx.eval))
    next(stream)
    last = len(steps) - steps[::-1].index("submit") - 1
    assert steps[:2] == ["draw", "submit"]
    assert steps[1:last] == ["submit", "draw", "wait"] * 11
    assert steps[last:] == ["submit", "wait"]


@pytest.mark.parametrize(("metal", "traced"), [(True, True), (False, False)])
def test_steps_are_traced_on_metal_alone(metal, traced, monkeypatch):
    """On CUDA the mask of a traced step would keep attention out of its fused kernel."""
    asked = []

    class Watched(MusicgenDecoder):
        def compiled_step(self, state):
            asked.append(True)
            return super().compiled_step(state)

    model = Watched(MONO)
    monkeypatch.setattr(mx, "default_device", lambda: mx.Device(mx.gpu))
    monkeypatch.setattr(mx.metal, "is_available", lambda: metal)
    next(stream_codes(model, condition(1), frames=3, seeds=[1]))
    assert bool(asked) is traced
