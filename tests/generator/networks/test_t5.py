"""Parity of the T5 encoder with transformers on small random weights."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

mx = pytest.importorskip("mlx.core")
torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from music_catalog.generator.errors import WeightsError  # noqa: E402
from music_catalog.generator.networks.t5 import (  # noqa: E402
    RelativePositionBias,
    T5Config,
    T5Encoder,
)


def reference(seed: int = 0, **changes):
    """Return a random transformers encoder whose weights are large enough for differences to show."""
    shape = {"vocab_size": 64, "d_model": 32, "d_kv": 8, "d_ff": 48, "num_layers": 2, "num_heads": 4}
    torch.manual_seed(seed)
    model = transformers.T5EncoderModel(transformers.T5Config(**{**shape, **changes})).eval()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            spread = 0.02 if "norm" in name else 0.3
            weight.copy_(torch.randn_like(weight) * spread + (1.0 if "norm" in name else 0.0))
    return model


def ours(model, dtype=None):
    """Return our encoder with the reference's weights, from its own configuration dictionary."""
    encoder = T5Encoder(T5Config.from_dict(model.config.to_dict()))
    weights = {key: mx.array(value.numpy()) for key, value in model.state_dict().items()}
    encoder.load_weights(list(T5Encoder.sanitize(weights).items()), strict=True)
    encoder.eval()
    if dtype is not None:
        encoder.set_dtype(dtype)
    return encoder


def states(model, tokens, mask):
    with torch.no_grad():
        out = model(input_ids=torch.tensor(tokens), attention_mask=torch.tensor(mask)).last_hidden_state
    return out.numpy()


@settings(max_examples=12, deadline=None)
@given(
    heads=st.integers(1, 4),
    layers=st.integers(1, 3),
    d_kv=st.sampled_from([4, 8, 16]),
    projection=st.sampled_from(["relu", "gated-gelu", "gated-silu", "gelu"]),
    length=st.integers(1, 40),
    seed=st.integers(0, 2**16),
)
def test_states_equal_the_reference(heads, layers, d_kv, projection, length, seed):
    model = reference(seed, num_heads=heads, num_layers=layers, d_kv=d_kv, feed_forward_proj=projection)
    rng = np.random.default_rng(seed)
    tokens = rng.integers(0, 64, (3, length))
    mask = (np.arange(length) < np.array([[length], [max(1, length // 2)], [1]])).astype(np.int64)
    got = np.array(ours(model)(mx.array(tokens), mx.array(mask)))
    want = states(model, tokens, mask)
    assert np.abs(got - want)[mask.astype(bool)].max() < 1e-4


def test_padding_does_not_change_a_row():
    encoder = ours(reference())
    alone = encoder(mx.array([[5, 6, 7, 1]]))
    padded = encoder(
        mx.array([[5, 6, 7, 1, 0, 0], [9, 8, 7, 6, 5, 1]]), mx.array([[1] * 4 + [0] * 2, [1] * 6])
    )
    assert mx.abs(alone[0] - padded[0, :4]).max().item() < 1e-5


@pytest.mark.parametrize(("buckets", "distance"), [(32, 128), (16, 40), (8, 20)])
def test_buckets_equal_the_reference(buckets, distance):
    from transformers.models.t5.modeling_t5 import T5Attention

    offsets = np.arange(-300, 301)
    bias = RelativePositionBias(
        T5Config(relative_attention_num_buckets=buckets, relative_attention_max_distance=distance)
    )
    want = T5Attention._relative_position_bucket(
        torch.tensor(offsets), num_buckets=buckets, max_distance=distance
    )
    assert np.array(bias.bucket(mx.array(offsets))).tolist() == want.tolist()


def test_bfloat16_stays_bfloat16_and_near():
    model = reference()
    tokens, mask = np.array([[3, 4, 5, 1]]), np.ones((1, 4), np.int64)
    got = ours(model, mx.bfloat16)(mx.array(tokens), mx.array(mask))
    assert got.dtype == mx.bfloat16
    want = states(model, tokens, mask)
    error = np.abs(np.array(got.astype(mx.float32)) - want).max()
    assert error < 0.1 * np.abs(want).max()


def test_plain_relu_is_read_by_name():
    assert not T5Config.from_dict({"feed_forward_proj": "relu"}).gated
    assert T5Config.from_dict({"feed_forward_proj": "gated-gelu"}).activation == "gelu_new"


def test_another_architecture_is_refused():
    with pytest.raises(WeightsError, match="bert"):
        T5Config.from_dict({"model_type": "bert"})
    with pytest.raises(WeightsError, match="swish2"):
        T5Config.from_dict({"feed_forward_proj": "gated-swish2"})
