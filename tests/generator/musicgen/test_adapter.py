"""The MusicGen generator end to end on small random checkpoints, against transformers and against itself."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from tiny_musicgen import FRAME_RATE, RATE, generate_codes, tone, write_checkpoint

mx = pytest.importorskip("mlx.core")
torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from music_catalog.generator import weights  # noqa: E402
from music_catalog.generator.cpu import keep_in_files  # noqa: E402
from music_catalog.generator.errors import (  # noqa: E402
    AudioError,
    Cancelled,
    GeneratorError,
    WeightsError,
)
from music_catalog.generator.musicgen import generation  # noqa: E402
from music_catalog.generator.musicgen.adapter import (  # noqa: E402
    MusicgenAdapter,
)
from music_catalog.generator.musicgen.chroma import (  # noqa: E402
    extract_chroma,
    fit_frames,
)
from music_catalog.generator.musicgen.generation import STRIDE_FRAMES, WINDOW_FRAMES, stream_codes  # noqa: E402
from music_catalog.generator.musicgen.piece import Piece  # noqa: E402
from music_catalog.generator.musicgen.settings import Settings  # noqa: E402
from music_catalog.generator.networks.musicgen import Condition  # noqa: E402
from music_catalog.generator.networks.sampling import Sampling  # noqa: E402
from music_catalog.generator.protocol import Audio  # noqa: E402
from music_catalog.generator.thread.calls import on_thread  # noqa: E402
from music_catalog.generator.thread.line import LINE  # noqa: E402
from music_catalog.generator.thread.streams import joined  # noqa: E402
from music_catalog.generator.weights.checkpoint import load_networks  # noqa: E402
from music_catalog.generator.weights.conversion import convert  # noqa: E402
from music_catalog.generator.weights.hub import Source  # noqa: E402

PROMPT = "calm piano with rain"
ROOT = Path(__file__).resolve().parents[3]
GREEDY = {"use_sampling": False, "cfg_coef": 3.0, "seed": 1}


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory):
    """Return a function from kind to (folder, reference model), each made once."""
    made = {}

    def get(kind: str):
        if kind not in made:
            folder = tmp_path_factory.mktemp("checkpoints") / f"tiny-{kind}"
            made[kind] = folder, write_checkpoint(folder, kind)
        return made[kind]

    return get


@pytest.fixture(scope="module")
def adapters(checkpoints):
    loaded = {}

    def get(kind: str) -> MusicgenAdapter:
        if kind not in loaded:
            loaded[kind] = MusicgenAdapter.from_pretrained(checkpoints(kind)[0])
        return loaded[kind]

    return get


@pytest.fixture
def adapter(adapters):
    return adapters("mono")


class Reports:
    """A progress callback that keeps what it was told."""

    def __init__(self) -> None:
        self.seen: list[tuple[int, int]] = []

    def __call__(self, done: int, total: int) -> None:
        self.seen.append((done, total))


def reference_greedy(model, adapter, prompt: str, frames: int, **inputs) -> np.ndarray:
    """Return transformers' own greedy samples, (time, channels); its delay pattern costs three tokens."""
    ids = torch.tensor([adapter.tokenizer.encode(prompt).ids])
    with torch.no_grad():
        out = model.generate(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            do_sample=False,
            guidance_scale=3.0,
            max_new_tokens=frames + 3,
            **inputs,
        )
    return out[0].numpy().T


@pytest.mark.parametrize(
    ("kind", "frames"), [("mono", 120), ("stereo", 60), ("melody", 60), ("stereo-melody", 60)]
)
def test_greedy_waveform_equals_the_reference(checkpoints, adapters, kind, frames):
    _, model = checkpoints(kind)
    adapter = adapters(kind)
    want = reference_greedy(model, adapter, PROMPT, frames)
    other = reference_greedy(model, adapter, "fast drums", frames)
    assert np.abs(want - other).max() > 0.1
    made = adapter.generate_music(PROMPT, {**GREEDY, "duration_s": frames / FRAME_RATE})
    assert made.samples.dtype == np.float32
    assert made.samples.shape == want.shape == (frames * 64, 2 if "stereo" in kind else 1)
    assert made.sample_rate == RATE
    assert np.abs(made.samples - want).max() < 1e-3


@pytest.mark.parametrize("kind", ["melody", "stereo-melody"])
def test_melody_waveform_equals_the_reference(checkpoints, adapters, kind):
    _, model = checkpoints(kind)
    adapter = adapters(kind)
    melody = Audio(np.concatenate([tone(392, 1.0, 32_000), tone(330, 2.0, 32_000)]), 32_000)
    chroma = fit_frames(extract_chroma(melody), 20)
    features = torch.tensor(chroma)[None]
    want = reference_greedy(model, adapter, PROMPT, 40, input_features=features)
    # A reference that ignores its melody would prove nothing.
    without = reference_greedy(model, adapter, PROMPT, 40)
    assert np.abs(want - without).max() > 0.1
    made = adapter.generate_music(PROMPT, {**GREEDY, "duration_s": 0.8}, melody=melody)
    assert np.abs(made.samples - want).max() < 1e-3
    assert made.provenance["melody"] is True


def test_later_windows_read_on_in_the_melody(adapters):
    adapter = adapters("melody")
    melody = Audio(np.concatenate([tone(392, 19.0, 32_000), tone(330, 11.0, 32_000)]), 32_000)
    piece = Piece(PROMPT, Settings.read({}, FRAME_RATE), melody)
    condition = adapter._conditions([piece])
    notes = [np.array(condition(start).chroma)[0].argmax(axis=1) for start in (0, STRIDE_FRAMES)]
    assert set(notes[0]) == {7}
    # 18 s on, the second note begins after one second, in the eighth frame.
    assert notes[1].tolist() == [7] * 8 + [4] * 12


def test_length_is_exact_and_max_steps_caps_it(adapter):
    for duration_s, frames in ((0.02, 1), (0.5, 25), (0.51, 26), (1.3, 65)):
        made = adapter.generate_music(PROMPT, {"duration_s": duration_s, "seed": 3})
        assert made.samples.shape == (frames * 64, 1)
    capped = adapter.generate_music(PROMPT, {"duration_s": 1.0, "max_steps": 20, "seed": 3})
    assert capped.samples.shape == (20 * 64, 1)


def test_same_seed_same_samples_other_seed_others(adapter):
    config = {"duration_s": 0.6, "seed": 11, "unknown_key": object()}
    first, again = (adapter.generate_music(PROMPT, config).samples for _ in range(2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, adapter.generate_music(PROMPT, {**config, "seed": 12}).samples)


def test_a_seed_is_drawn_and_kept_when_none_is_given(adapter):
    made = adapter.generate_music(PROMPT, {"duration_s": 0.4})
    again = adapter.generate_music(PROMPT, {"duration_s": 0.4, "seed": made.provenance["seed"]})
    assert np.array_equal(made.samples, again.samples)
    assert adapter.generate_music(PROMPT, {"duration_s": 0.1}).provenance["seed"] != made.provenance["seed"]


def test_two_step_guidance_makes_the_same(adapter):
    one = adapter.generate_music(PROMPT, {**GREEDY, "duration_s": 0.6})
    two = adapter.generate_music(PROMPT, {**GREEDY, "duration_s": 0.6, "two_step_cfg": True})
    assert np.abs(one.samples - two.samples).max() < 1e-3


def test_empty_prompt_is_unconditional(adapter):
    guided = adapter.generate_music("  ", {**GREEDY, "duration_s": 0.6})
    plain = adapter.generate_music("", {**GREEDY, "duration_s": 0.6, "cfg_coef": 1.0})
    assert np.abs(guided.samples - plain.samples).max() < 1e-3


def test_a_negative_prompt_leads_away_from_its_words(adapters):
    for kind in ("stereo", "melody"):
        adapter = adapters(kind)
        asked = {**GREEDY, "duration_s": 0.4}
        plain = adapter.generate_music(PROMPT, asked)
        against = adapter.generate_music(PROMPT, {**asked, "negative_prompt": "fast drums"})
        assert np.abs(plain.samples - against.samples).max() > 0.1
        assert (plain.provenance["negative_prompt"], against.provenance["negative_prompt"]) == (
            "",
            "fast drums",
        )
        # Led away from its own words, guidance comes to nothing.
        own = adapter.generate_music(PROMPT, {**asked, "negative_prompt": PROMPT})
        unguided = adapter.generate_music(PROMPT, {**asked, "cfg_coef": 1.0})
        assert kind == "melody" or np.abs(own.samples - unguided.samples).max() < 1e-3
        # Beside a piece without one, each stays as it is alone.
        configs = [asked, {**asked, "negative_prompt": "fast drums with soft warm strings"}, asked]
        batch = adapter.generate_batch([PROMPT, "night", "fast"], configs)
        for prompt, config, made in zip([PROMPT, "night", "fast"], configs, batch, strict=True):
            assert np.abs(made.samples - adapter.generate_music(prompt, config).samples).max() < 1e-3


def test_batch_rows_equal_the_pieces_alone(adapters):
    for kind in ("stereo", "melody"):
        adapter = adapters(kind)
        prompts = [PROMPT, "", "warm strings and soft drums", "night"]
        configs = [
            {"duration_s": 0.6, "seed": 1},
            {"duration_s": 0.6, "seed": 2, "negative_prompt": "fast drums"},
            {"duration_s": 0.4, "seed": 3},
            {"duration_s": 0.6, "seed": 4, "top_k": 5},
        ]
        reports = Reports()
        batch = adapter.generate_batch(prompts, configs, on_progress=reports)
        for prompt, config, made in zip(prompts, configs, batch, strict=True):
            alone = adapter.generate_music(prompt, config)
            assert made.samples.shape == alone.samples.shape
            assert np.abs(made.samples - alone.samples).max() < 1e-3
            assert made.provenance == alone.provenance
        assert reports.seen[-1] == (110, 110)
        assert reports.seen == sorted(reports.seen)


def test_batch_of_melody_and_none(adapters):
    adapter = adapters("melody")
    melody = Audio(tone(440, 2.0, 32_000), 32_000)
    config = {**GREEDY, "duration_s": 0.4}
    with_melody, without = adapter.generate_batch([PROMPT] * 2, [config] * 2, melodies=[melody, None])
    assert np.abs(with_melody.samples - without.samples).max() > 0.1
    alone = adapter.generate_music(PROMPT, config)
    assert np.abs(without.samples - alone.samples).max() < 1e-3


def test_stream_is_the_whole_in_pieces_and_starts_early(adapters):
    for kind in ("mono", "stereo"):
        adapter = adapters(kind)
        config = {"duration_s": 2.0, "seed": 5}
        reports = Reports()
        stream = adapter.stream_music(PROMPT, config, on_progress=reports)
        first = next(stream)
        assert reports.seen[-1][0] < 100
        pieces = [first, *stream]
        whole = adapter.generate_music(PROMPT, config)
        assert len(pieces) > 2
        assert np.abs(np.concatenate([p.samples for p in pieces]) - whole.samples).max() < 1e-4


def elsewhere(call):
    """Return what `call` returns on a thread of its own."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(call).result()


@pytest.mark.parametrize("kind", ["mono", "stereo"])
def test_a_stream_goes_on_whichever_thread_asks_and_joined_it_is_the_whole(adapters, kind):
    adapter = adapters(kind)
    config = {"duration_s": 2.0, "seed": 5}
    stream = elsewhere(lambda: adapter.stream_music(PROMPT, config))
    pieces = []
    while (piece := elsewhere(lambda: next(stream, None))) is not None:
        pieces.append(piece)
    whole, together = elsewhere(lambda: adapter.generate_music(PROMPT, config)), joined(pieces)
    assert len(pieces) > 2
    assert np.array_equal(together.samples, whole.samples)
    assert np.array_equal(together.codes, whole.codes)
    assert together.provenance == whole.provenance
    for one in pieces:
        assert one.samples.shape[0] == one.codes.shape[1] * adapter.hop_length


def test_calls_that_wait_together_are_one_batch_with_the_rows_of_single_runs(adapter, monkeypatch):
    configs = [{"duration_s": 0.6, "seed": seed} for seed in (1, 2, 3)]
    prompts = [PROMPT, "fast drums", ""]
    alone = [adapter.generate_music(*pair) for pair in zip(prompts, configs, strict=True)]
    batches, began, go = [], threading.Event(), threading.Event()
    inner = MusicgenAdapter.generate_batch
    monkeypatch.setattr(
        MusicgenAdapter,
        "generate_batch",
        lambda self, prompts, *rest, **named: (
            batches.append([*prompts]) or inner(self, prompts, *rest, **named)
        ),
    )
    with ThreadPoolExecutor(4) as pool:
        held = pool.submit(on_thread, lambda _: began.set() or go.wait(20))
        assert began.wait(20)
        waiting = [pool.submit(adapter.generate_music, *pair) for pair in zip(prompts, configs, strict=True)]
        while len(LINE.works()) < 4:
            pass
        go.set()
        made = [one.result() for one in waiting]
        assert held.result()
    assert sorted(map(len, batches)) == [3]
    for together, single in zip(made, alone, strict=True):
        assert np.array_equal(together.codes, single.codes)
        assert np.abs(together.samples - single.samples).max() < 1e-3


@pytest.mark.parametrize("kind", ["stereo", "stereo-melody"])
def test_over_several_windows_the_stream_is_the_whole_in_stereo(adapters, kind, monkeypatch):
    short = partial(stream_codes, window_frames=60, stride_frames=36)
    monkeypatch.setattr("music_catalog.generator.musicgen.generation.stream_codes", short)
    adapter, frames = adapters(kind), 150
    config = {"duration_s": frames / FRAME_RATE, "seed": 5}
    whole = adapter.generate_music(PROMPT, config)
    streamed = np.concatenate([piece.samples for piece in adapter.stream_music(PROMPT, config)])
    assert streamed.shape == (frames * 64, 2)
    assert np.abs(streamed - whole.samples).max() < 1e-3
    channels = [whole.codes[channel::2].astype(np.int32) for channel in (0, 1)]
    decoded = np.array(adapter.networks.codec.decode(mx.array(np.stack(channels))))[..., 0]
    assert np.abs(streamed.T - decoded).max() < 1e-3
    assert np.abs(streamed[:, 0] - streamed[:, 1]).max() > 0.1


def test_continuation_keeps_the_beginning(adapters):
    left, right = tone(300, 0.6), tone(500, 0.6)
    beginning = Audio(np.concatenate([left, right], axis=1), RATE)
    for kind, channels in (("mono", [(left + right) / 2]), ("stereo", [left, right])):
        adapter = adapters(kind)
        codec = adapter.networks.codec
        made = adapter.generate_music(PROMPT, {"duration_s": 1.0, "seed": 1}, continue_from=beginning)
        assert made.samples.shape == (50 * 64, len(channels))
        assert made.provenance["continued_s"] == 0.6
        recoded = codec.decode(codec.encode(mx.array(np.stack(channels))))[..., 0]
        # All but the last frames, which hear what comes after them.
        assert np.abs(made.samples[: 20 * 64].T - np.array(recoded)[:, : 20 * 64]).max() < 1e-3


def test_audio_carries_its_codes_and_is_continued_by_them(adapters):
    for kind, books in (("mono", 4), ("stereo", 8)):
        adapter = adapters(kind)
        first, other = adapter.generate_batch([PROMPT, "fast"], [{"duration_s": 0.6, "seed": 1}] * 2)
        assert first.codes.shape == other.codes.shape == (books, 30)
        assert first.codes.dtype == np.int16
        assert not np.array_equal(first.codes, other.codes)
        asked = {"duration_s": 1.0, "seed": 2}
        made = adapter.generate_music(PROMPT, asked, continue_from=first)
        assert np.array_equal(made.codes[:, :30], first.codes)
        assert (made.provenance["continued_from"], made.provenance["continued_s"]) == ("codes", 0.6)
        # Its samples do not matter then: a track is faded and made louder after it was made.
        faded = replace(first, samples=first.samples * 0.1)
        again = adapter.generate_music(PROMPT, asked, continue_from=faded)
        assert np.array_equal(again.samples, made.samples)


def test_codes_of_another_model_are_left_for_the_audio(adapters):
    stereo = adapters("stereo").generate_music(PROMPT, {"duration_s": 0.6, "seed": 1})
    made = adapters("mono").generate_music(PROMPT, {"duration_s": 1.0, "seed": 2}, continue_from=stereo)
    assert (made.provenance["continued_from"], made.provenance["continued_s"]) == ("audio", 0.6)
    assert made.codes.shape == (4, 50)
    beyond = replace(stereo, codes=np.full((4, 30), 9_999, np.int16))
    again = adapters("mono").generate_music(PROMPT, {"duration_s": 1.0, "seed": 2}, continue_from=beyond)
    assert np.array_equal(again.samples, made.samples)


def test_mono_goes_on_in_stereo_by_its_codes_on_both_sides(adapters):
    mono = adapters("mono").generate_music(PROMPT, {"duration_s": 0.6, "seed": 1})
    made = adapters("stereo").generate_music(PROMPT, {"duration_s": 1.2, "seed": 2}, continue_from=mono)
    assert (made.provenance["continued_from"], made.provenance["continued_s"]) == ("codes", 0.6)
    assert np.array_equal(made.codes[0::2, :30], mono.codes)
    assert np.array_equal(made.codes[1::2, :30], mono.codes)
    # All but the last frames, which hear what comes after them.
    assert np.abs(made.samples[: 25 * 64, 0] - made.samples[: 25 * 64, 1]).max() < 1e-3
    assert np.abs(made.samples[30 * 64 :, 0] - made.samples[30 * 64 :, 1]).max() > 0.1


def test_stereo_music_is_looped_and_goes_on_after_a_loop(adapters):
    adapter = adapters("stereo-melody")
    config = {"duration_s": 2.0, "seed": 1, "loopable": True}
    loop = adapter.generate_music(PROMPT, config)
    assert loop.duration_s == pytest.approx(2.0, rel=0.07)
    assert loop.channels == 2
    assert np.abs(loop.samples[:, 0] - loop.samples[:, 1]).max() > 0.1
    (streamed,) = adapter.stream_music(PROMPT, config)
    assert np.array_equal(streamed.samples, loop.samples)
    melody = Audio(tone(440, 2.0, 32_000), 32_000)
    longer = adapter.generate_music(PROMPT, {"duration_s": 2.6, "seed": 1}, melody=melody, continue_from=loop)
    assert longer.samples.shape == (int(2.6 * RATE), 2)


def test_continuation_beyond_the_window_keeps_all_of_it(adapter):
    """A beginning of more than 30 s is heard in its last 12 s and kept whole."""
    beginning = Audio(np.random.default_rng(0).normal(0, 0.1, (31 * RATE, 1)).astype(np.float32), RATE)
    frames = 31 * FRAME_RATE
    assert frames > WINDOW_FRAMES
    made = adapter.generate_music(PROMPT, {**GREEDY, "duration_s": 31.2}, continue_from=beginning)
    assert made.samples.shape == ((frames + 10) * 64, 1)
    codec, decoder = adapter.networks.codec, adapter.networks.decoder
    codes = codec.encode(mx.array(beginning.samples[None]))
    heard = codes[:, :, STRIDE_FRAMES - WINDOW_FRAMES :]
    assert heard.shape[-1] == 12 * FRAME_RATE
    tokens = mx.array([adapter.tokenizer.encode(PROMPT).ids])
    condition = Condition(adapter.networks.text_encoder(tokens), mx.ones(tokens.shape, mx.bool_))
    sampling = Sampling(do_sample=False)
    new = generate_codes(decoder, condition, frames=610, seeds=[1], sampling=sampling, prompt_codes=heard)
    want = codec.decode(mx.concatenate([codes, new[:, :, 600:]], axis=2))
    assert np.abs(made.samples - np.array(want)[0]).max() < 1e-3


def test_cancel_stops_at_once(adapter):
    reports = []

    def cancel(done: int, total: int) -> None:
        reports.append(done)
        if done >= 30:
            raise Cancelled("stop")

    with pytest.raises(Cancelled):
        adapter.generate_music(PROMPT, {"duration_s": 20, "seed": 1}, on_progress=cancel)
    assert reports[-1] == 30


@pytest.mark.parametrize("codes", [True, False])
def test_cancel_stops_while_the_codec_reads_or_plays_a_beginning(adapter, codes):
    beginning = adapter.generate_music(PROMPT, {"duration_s": 4.0, "seed": 1})
    beginning = beginning if codes else replace(beginning, codes=None)
    calls = []

    def count(done: int, total: int) -> None:
        calls.append((done, total))
        if len(calls) == 5:
            raise Cancelled("stop")

    with pytest.raises(Cancelled):
        adapter.generate_music(
            PROMPT, {"duration_s": 8, "seed": 1}, continue_from=beginning, on_progress=count
        )
    assert {done for done, _ in calls} == {0}
    assert len(calls) == 5


def test_cancel_stops_while_a_loop_is_closed(adapter):
    calls = []

    def count(done: int, total: int) -> None:
        calls.append(done)
        if calls[-12:] == [total] * 12:
            raise Cancelled("stop")

    with pytest.raises(Cancelled):
        adapter.generate_music(PROMPT, {"duration_s": 4, "seed": 1, "loopable": True}, on_progress=count)


def test_provenance_says_how_it_was_made(adapter):
    made = adapter.generate_music(PROMPT, {"duration_s": 0.2, "seed": 9, "top_k": 7})
    told = made.provenance
    assert told["backend"] == "mlx"
    assert told["model"] == "tiny-mono"
    assert told["weights_license"] == "unknown"
    assert told["seed"] == 9
    assert told["sampling"]["top_k"] == 7
    assert told["versions"]["mlx"] == mx.__version__
    json.dumps(told)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_makes_finite_music_in_its_type(checkpoints, dtype):
    adapter = MusicgenAdapter.from_pretrained(checkpoints("mono")[0], dtype=dtype)
    assert adapter.networks.decoder.dtype == getattr(mx, dtype)
    text = mx.float32 if dtype == "float16" else mx.bfloat16
    assert adapter.networks.text_encoder.norm.weight.dtype == text
    made = adapter.generate_music(PROMPT, {"duration_s": 0.4, "seed": 1})
    assert np.isfinite(made.samples).all()
    assert made.provenance["dtype"] == dtype


@pytest.mark.parametrize("bits", [8, 4])
def test_quantized_decoder_makes_music(checkpoints, bits):
    adapter = MusicgenAdapter.from_pretrained(checkpoints("mono")[0], bits=bits)
    assert adapter.networks.decoder.layers[0].fc1.bits == bits
    made = adapter.generate_music(PROMPT, {"duration_s": 0.4, "seed": 1})
    assert np.isfinite(made.samples).all()
    assert made.provenance["bits"] == bits


@pytest.mark.skipif(mx.default_device().type == mx.DeviceType.gpu, reason="a GPU reads no weights in files")
@pytest.mark.parametrize(
    ("stored", "wished", "stay"),
    [
        ({}, {}, True),
        ({"dtype": "float16"}, {"dtype": "float16"}, True),
        ({"dtype": "bfloat16"}, {"dtype": "bfloat16"}, True),
        ({"bits": 8}, {}, True),
        ({"bits": 4}, {}, True),
        ({"dtype": "float16"}, {"dtype": "bfloat16"}, False),
    ],
)
def test_weights_in_files_make_the_music_of_those_in_memory(checkpoints, tmp_path, stored, wished, stay):
    convert(checkpoints("mono")[0], tmp_path / "own", Source("tiny", None, "none"), **stored)
    networks = keep_in_files(load_networks(tmp_path / "own", **wished), tmp_path / "own")
    decoder = {id(layer) for layer in networks.decoder.modules()}
    assert bool(decoder & networks.in_files.keys()) is stay
    from_files = MusicgenAdapter(networks, tmp_path / "own")
    from_memory = MusicgenAdapter(load_networks(tmp_path / "own", **wished), tmp_path / "own")
    made = [one.generate_music(PROMPT, {"duration_s": 0.4, "seed": 1}) for one in (from_files, from_memory)]
    assert np.array_equal(made[0].samples, made[1].samples)
    assert np.abs(made[0].samples).max() > 0


@pytest.mark.skipif(mx.default_device().type == mx.DeviceType.gpu, reason="a GPU takes no loops")
@pytest.mark.parametrize("options", [{}, {"bits": 8}, {"dtype": "bfloat16"}])
def test_all_loops_are_compiled_while_loading(checkpoints, options):
    """In a process of its own, where nothing ran before and nothing may be compiled after the load."""
    lines = f"""
import numpy as np
from music_catalog.generator.musicgen.adapter import MusicgenAdapter
from music_catalog.generator.cpu.kernels import advance_lstm, attend, elu, normalize
from music_catalog.generator.cpu.products import convolve, product
from music_catalog.generator.protocol import Audio

adapter = MusicgenAdapter.from_pretrained({str(checkpoints("mono")[0])!r}, **{options!r})
for loop in (attend, normalize, elu, advance_lstm, convolve, product):
    loop.disable_compile()
beginning = Audio(np.full(({RATE}, 1), 0.1, np.float32), {RATE})
adapter.generate_music("rain", {{"duration_s": 1.4, "seed": 1}}, continue_from=beginning)
adapter.generate_batch(["rain"] * 5, [{{"duration_s": 0.4, "seed": 1}}] * 5)
"""
    subprocess.run([sys.executable, "-c", lines], check=True, cwd=ROOT)


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        ({"duration_s": 0}, "duration_s is 0"),
        ({"duration_s": 1e6}, "duration_s cannot be 1000000.0"),
        ({"duration_s": float("nan")}, "duration_s cannot be nan"),
        ({"duration_s": "long"}, "duration_s cannot be 'long'"),
        ({"temperature": -1}, "temperature cannot be -1"),
        ({"top_p": 2}, "top_p cannot be 2"),
        ({"seed": -4}, "seed cannot be -4"),
        ({"max_steps": 0}, "duration_s is 30 and max_steps 0"),
    ],
)
def test_values_it_cannot_use_are_refused(adapter, config, problem):
    with pytest.raises(GeneratorError, match=problem):
        adapter.generate_music(PROMPT, config)


def test_prompt_beyond_the_limit_is_refused(adapter):
    with pytest.raises(GeneratorError, match="the prompt has 601 tokens; at most 512"):
        adapter.generate_music("calm " * 600, {"duration_s": 0.2})
    with pytest.raises(GeneratorError, match="the negative_prompt has 601 tokens; at most 512"):
        adapter.generate_music("calm", {"duration_s": 0.2, "negative_prompt": "calm " * 600})


def test_melody_that_cannot_be_followed_is_refused(adapters):
    notes = Audio(tone(440, 1.0, 32_000), 32_000)
    with pytest.raises(GeneratorError, match="tiny-mono cannot follow a melody"):
        adapters("mono").generate_music(PROMPT, {"duration_s": 0.2}, melody=notes)
    for silent in (np.zeros((1000, 1)), np.zeros((0, 1))):
        with pytest.raises(AudioError):
            adapters("melody").generate_music(
                PROMPT, {"duration_s": 0.2}, melody=Audio(silent.astype(np.float32), 32_000)
            )


def test_continuing_needs_room(adapter):
    with pytest.raises(GeneratorError, match=r"lasts 1 s and duration_s is 0\.5"):
        adapter.generate_music(PROMPT, {"duration_s": 0.5}, continue_from=Audio(tone(300, 1.0), RATE))


def test_batch_needs_a_configuration_per_prompt(adapter):
    with pytest.raises(GeneratorError, match="2 prompts and 1 configurations"):
        adapter.generate_batch(["calm", "fast"], [{}])


def test_want_of_memory_is_one_sentence(adapter, monkeypatch):
    def exhausted(chunks, poll):
        raise RuntimeError("[metal::malloc] Attempting to allocate 99 bytes")
        yield

    monkeypatch.setattr(adapter.networks.codec, "decode_stream", exhausted)
    with pytest.raises(GeneratorError, match="not enough memory to make this; ask for a shorter duration"):
        adapter.generate_music(PROMPT, {"duration_s": 0.2})


def test_want_of_memory_when_loading_is_one_sentence(checkpoints, monkeypatch):
    def exhausted(*_, **__):
        raise MemoryError

    monkeypatch.setattr("music_catalog.generator.musicgen.adapter.load_networks", exhausted)
    with pytest.raises(GeneratorError, match="not enough memory to load this model; ask for a smaller one"):
        MusicgenAdapter.from_pretrained(checkpoints("mono")[0])


def test_want_of_memory_when_a_loop_is_closed_is_one_sentence(adapter, monkeypatch):
    def exhausted(*_):
        raise RuntimeError("[malloc] Unable to allocate 99 bytes.")

    monkeypatch.setattr("music_catalog.generator.musicgen.adapter.decode_round", exhausted)
    with pytest.raises(GeneratorError, match="not enough memory to make this"):
        adapter.generate_music(PROMPT, {"duration_s": 3, "seed": 1, "loopable": True})


def test_an_error_amid_a_step_that_somebody_keeps_keeps_no_caches(adapter, monkeypatch):
    caches, kept = [], []

    def exhausted(decoder, column):
        caches.append(weakref.ref(decoder.states[0]))
        raise RuntimeError("[metal::malloc] Attempting to allocate 99 bytes")

    monkeypatch.setattr(generation._GuidedDecoder, "step", exhausted)
    for make in (adapter.generate_music, lambda *asked: next(adapter.stream_music(*asked))):
        with pytest.raises(GeneratorError, match="not enough memory to make this") as told:
            make(PROMPT, {"duration_s": 0.2})
        kept.append(told.value)
    assert [one() for one in caches] == [None, None]
    monkeypatch.undo()
    assert adapter.generate_music(PROMPT, {"duration_s": 0.2}).samples.any()


def test_other_errors_come_through(adapter, monkeypatch):
    def broken(chunks, poll):
        raise RuntimeError("a fault of ours")
        yield

    monkeypatch.setattr(adapter.networks.codec, "decode_stream", broken)
    with pytest.raises(RuntimeError, match="a fault of ours"):
        adapter.generate_music(PROMPT, {"duration_s": 0.2})


def test_a_converted_folder_makes_the_same_and_keeps_its_path_to_itself(
    checkpoints, adapter, tmp_path, monkeypatch
):
    monkeypatch.setenv("CATALOG_MODELS", str(tmp_path))
    folder, _ = checkpoints("mono")
    pulled = MusicgenAdapter.from_pretrained(weights.pull(str(folder)))
    config = {"duration_s": 0.6, "seed": 2}
    made, before = (one.generate_music(PROMPT, config) for one in (pulled, adapter))
    assert np.array_equal(made.samples, before.samples)
    assert made.provenance == before.provenance
    assert str(folder.parent) not in json.dumps(made.provenance)


def test_folder_without_tokenizer_is_refused(checkpoints, tmp_path):
    folder = tmp_path / "bare"
    shutil.copytree(checkpoints("mono")[0], folder)
    (folder / "tokenizer.json").write_text("{}")
    with pytest.raises(WeightsError, match="is no tokenizer"):
        MusicgenAdapter.from_pretrained(folder)
    (folder / "tokenizer.json").unlink()
    with pytest.raises(WeightsError, match=r"no tokenizer\.json"):
        MusicgenAdapter.from_pretrained(folder)


def test_making_music_imports_neither_torch_nor_transformers(checkpoints):
    code = f"""
import sys
from pathlib import Path
from music_catalog.generator import MusicgenAdapter
adapter = MusicgenAdapter.from_pretrained(Path({str(checkpoints("mono")[0])!r}))
made = adapter.generate_music("calm", {{"duration_s": 0.1}})
assert made.samples.shape == (5 * 64, 1), made.samples.shape
print(sorted({{"torch", "transformers", "huggingface_hub", "librosa", "scipy.signal"}} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"
