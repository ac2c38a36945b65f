"""Parity of the codec with transformers on small random weights."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

mx = pytest.importorskip("mlx.core")
torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from music_catalog.generator.cpu.codec import ProcessorCodec  # noqa: E402
from music_catalog.generator.errors import (  # noqa: E402
    Cancelled,
    WeightsError,
)
from music_catalog.generator.networks.encodec import (  # noqa: E402
    EncodecConfig,
    EncodecModel,
)

MUSICGEN = {
    "target_bandwidths": [2.2],
    "sampling_rate": 32_000,
    "upsampling_ratios": [8, 5, 4, 4],
    "codebook_size": 2048,
    "use_causal_conv": False,
    "use_conv_shortcut": False,
}
SMALL = {
    "sampling_rate": 8_000,
    "upsampling_ratios": [4, 2],
    "hidden_size": 16,
    "num_filters": 4,
    "codebook_size": 32,
    "use_causal_conv": False,
    "use_conv_shortcut": False,
}


FORMS = {"network": lambda codec: codec, "kernels": ProcessorCodec}
in_both_forms = pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)


def reference(seed: int = 0, **changes):
    """Return a random reference codec whose weights, norms and codebooks are all away from their defaults."""
    torch.manual_seed(seed)
    shape = {**SMALL, **changes}
    frame_rate = math.ceil(shape["sampling_rate"] / math.prod(shape["upsampling_ratios"]))
    shape.setdefault("target_bandwidths", [3.5 * math.log2(shape["codebook_size"]) * frame_rate / 1000])
    model = transformers.EncodecModel(transformers.EncodecConfig(**shape)).eval()
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            if name.endswith("original0"):
                tensor.copy_(torch.rand_like(tensor) + 0.5)
            elif name.endswith(("embed", "bias")) or "bias_" in name:
                tensor.copy_(torch.randn_like(tensor) * 0.3)
    return model


def ours(model) -> EncodecModel:
    codec = EncodecModel(EncodecConfig.from_dict(model.config.to_dict()))
    weights = {key: mx.array(value.numpy()) for key, value in model.state_dict().items()}
    codec.load_weights(list(EncodecModel.sanitize(weights).items()), strict=True)
    return codec.eval()


def noise(seed: int, batch: int, length: int, channels: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(batch, channels, length)).astype(np.float32) * 0.3


def assert_same(model, samples: np.ndarray) -> None:
    with torch.no_grad():
        want_codes = model.encode(torch.tensor(samples)).audio_codes[0]
        want = model.decode(want_codes[None], [None]).audio_values.numpy()
    assert np.abs(want).max() > 1e-3
    for form in FORMS.values():
        codec = form(ours(model))
        codes = codec.encode(mx.array(samples.transpose(0, 2, 1)))
        assert np.array(codes).tolist() == want_codes.tolist()
        got = np.array(codec.decode(codes)).transpose(0, 2, 1)
        assert got.shape == want.shape
        assert np.abs(got - want).max() < 1e-4


@settings(max_examples=12, deadline=None)
@given(
    ratios=st.sampled_from([[2], [4, 2], [5, 3], [8, 5, 4, 4]]),
    residual=st.integers(1, 3),
    growth=st.sampled_from([1, 2, 3]),
    kernel=st.sampled_from([3, 5, 7]),
    lstm=st.integers(1, 2),
    causal=st.booleans(),
    shortcut=st.booleans(),
    mode=st.sampled_from(["reflect", "constant"]),
    channels=st.integers(1, 2),
    length=st.integers(1, 400),
    seed=st.integers(0, 2**16),
)
def test_codes_and_waveform_equal_the_reference(
    ratios, residual, growth, kernel, lstm, causal, shortcut, mode, channels, length, seed
):
    model = reference(
        seed,
        upsampling_ratios=ratios,
        num_residual_layers=residual,
        dilation_growth_rate=growth,
        kernel_size=kernel,
        last_kernel_size=kernel,
        num_lstm_layers=lstm,
        use_causal_conv=causal,
        use_conv_shortcut=shortcut,
        pad_mode=mode,
        audio_channels=channels,
    )
    assert_same(model, noise(seed, 2, length, channels))


def test_the_layout_of_musicgen_equals_the_reference():
    model = reference(3, **MUSICGEN, hidden_size=16, num_filters=4)
    assert ours(model).config.num_quantizers == 4
    assert ours(model).config.frame_rate == 50
    assert_same(model, noise(3, 1, 6400))


@pytest.mark.parametrize("length", [1, 2, 3, 7, 8, 9])
def test_inputs_shorter_than_the_padding_equal_the_reference(length):
    assert_same(reference(1), noise(length, 1, length))


@pytest.mark.parametrize("ratio", [0.0, 0.5, 1.0])
def test_causal_trims_equal_the_reference(ratio):
    assert_same(reference(2, use_causal_conv=True, trim_right_ratio=ratio), noise(2, 1, 200))


def test_old_spelling_of_the_weight_norm_loads_the_same():
    model = reference()
    weights = {key: mx.array(value.numpy()) for key, value in model.state_dict().items()}
    old = {
        key.replace("parametrizations.weight.original0", "weight_g").replace(
            "parametrizations.weight.original1", "weight_v"
        ): value
        for key, value in weights.items()
    }
    assert any(key.endswith("weight_g") for key in old)
    new, renamed = EncodecModel.sanitize(weights), EncodecModel.sanitize(old)
    assert new.keys() == renamed.keys()
    assert all(mx.array_equal(new[key], renamed[key]) for key in new)


def test_own_layout_passes_through_sanitize():
    once = EncodecModel.sanitize({k: mx.array(v.numpy()) for k, v in reference().state_dict().items()})
    again = EncodecModel.sanitize(once)
    assert once.keys() == again.keys()
    assert all(mx.array_equal(once[key], again[key]) for key in once)


def test_bandwidth_picks_the_number_of_codebooks():
    model = reference(target_bandwidths=[5.0, 12.0, 40.0])
    samples = noise(0, 1, 400)
    for bandwidth, levels in [(None, 1), (5.0, 1), (12.0, 2), (40.0, 8)]:
        want = model.encode(torch.tensor(samples), bandwidth=bandwidth).audio_codes[0]
        codes = ours(model).encode(mx.array(samples.transpose(0, 2, 1)), bandwidth)
        assert codes.shape[1] == levels
        assert np.array(codes).tolist() == want.tolist()


@in_both_forms
@settings(max_examples=10, deadline=None)
@given(
    ratios=st.sampled_from([[4, 2], [5, 3], [8, 5, 4, 4]]),
    residual=st.integers(1, 2),
    causal=st.booleans(),
    mode=st.sampled_from(["reflect", "constant"]),
    sizes=st.lists(st.integers(1, 24), min_size=1, max_size=4),
    seed=st.integers(0, 2**16),
)
def test_streamed_decode_equals_the_whole(form, ratios, residual, causal, mode, sizes, seed):
    model = reference(
        seed,
        upsampling_ratios=ratios,
        num_residual_layers=residual,
        use_causal_conv=causal,
        pad_mode=mode,
    )
    codec = form(ours(model))
    levels = codec.config.num_quantizers
    codes = mx.array(np.random.default_rng(seed).integers(0, 32, (2, levels, sum(sizes))))
    chunks = mx.split(codes, np.cumsum(sizes)[:-1].tolist(), axis=2)
    streamed = mx.concatenate(list(codec.decode_stream(chunks)), axis=1)
    whole = codec.decode(codes)
    assert streamed.shape == whole.shape
    assert mx.abs(streamed - whole).max().item() < 1e-4


@in_both_forms
@settings(max_examples=12, deadline=None)
@given(
    ratios=st.sampled_from([[4, 2], [5, 3], [8, 5, 4, 4]]),
    residual=st.integers(1, 2),
    growth=st.sampled_from([1, 2, 3]),
    kernel=st.sampled_from([3, 7]),
    causal=st.booleans(),
    mode=st.sampled_from(["reflect", "constant"]),
    length=st.integers(1, 3000),
    chunk=st.integers(1, 30),
    seed=st.integers(0, 2**16),
)
def test_streamed_encode_equals_the_whole(
    form, ratios, residual, growth, kernel, causal, mode, length, chunk, seed
):
    model = reference(
        seed,
        upsampling_ratios=ratios,
        num_residual_layers=residual,
        dilation_growth_rate=growth,
        kernel_size=kernel,
        last_kernel_size=kernel,
        use_causal_conv=causal,
        pad_mode=mode,
    )
    codec = form(ours(model))
    samples = mx.array(noise(seed, 2, length).transpose(0, 2, 1))
    parts = list(codec.encode_stream(samples, chunk))
    assert max(part.shape[-1] for part in parts) <= chunk + codec.config.last_kernel_size
    whole, streamed = codec.encode(samples), mx.concatenate(parts, axis=-1)
    assert streamed.shape == whole.shape
    # Two codes may be equally near up to rounding.
    assert (streamed != whole).mean().item() < 0.01


@in_both_forms
def test_a_poll_stops_the_codec_while_it_computes(form):
    codec = form(ours(reference(0, **MUSICGEN, hidden_size=16, num_filters=4)))
    calls = []

    def poll() -> None:
        calls.append(None)
        if len(calls) == 3:
            raise Cancelled("enough")

    with pytest.raises(Cancelled):
        list(codec.encode_stream(mx.zeros((1, 32_000, 1)), 10, poll))
    calls.clear()
    with pytest.raises(Cancelled):
        list(codec.decode_stream((mx.zeros((1, 4, 25), mx.int32) for _ in range(4)), poll))
    assert len(calls) == 3


@in_both_forms
def test_stream_yields_before_the_codes_end(form):
    codec = form(ours(reference(0, **MUSICGEN, hidden_size=16, num_filters=4)))
    taken = []

    def chunks():
        for i in range(4):
            taken.append(i)
            yield mx.zeros((1, 4, 25), mx.int32)

    first = next(codec.decode_stream(chunks()))
    assert taken == [0]
    assert first.shape == (1, 20 * 640, 1)


def test_empty_stream_yields_nothing():
    assert list(ours(reference()).decode_stream([])) == []


@pytest.mark.parametrize(
    "section",
    [
        {"model_type": "dac"},
        {"norm_type": "time_group_norm"},
        {"chunk_length_s": 1.0},
        {"pad_mode": "circular"},
    ],
)
def test_another_codec_is_refused(section):
    with pytest.raises(WeightsError, match=str(next(iter(section.values())))):
        EncodecConfig.from_dict(section)
