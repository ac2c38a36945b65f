"""Sampling on small arrays with answers worked out by hand, and in distribution."""

from __future__ import annotations

import mlx.core as mx
import numpy as np
import pytest

from music_catalog.generator.errors import GeneratorError
from music_catalog.generator.networks.sampling import (
    Sampling,
    guide,
    keep_top_k,
    row_keys,
    sample,
    sample_top_p,
    split_keys,
)

# Probabilities 0.4, 0.3, 0.2 and 0.1, out of order.
LOGITS = mx.log(mx.array([0.2, 0.4, 0.1, 0.3]))


def draw(settings: Sampling, logits: mx.array, rows: int = 4000) -> np.ndarray:
    """Draw one code from `logits` (vocabulary,) in each of many rows with keys of their own."""
    tiled = mx.broadcast_to(logits, (rows, 1, logits.shape[0]))
    return np.array(sample(tiled, row_keys(range(rows)), settings))[:, 0]


def frequencies(codes: np.ndarray, vocabulary: int = 4) -> np.ndarray:
    return np.bincount(codes, minlength=vocabulary) / codes.size


def test_guidance_extrapolates_from_the_unconditional_logits():
    guided = guide(mx.array([1.0, 2.0]), mx.array([0.5, 3.0]), 3.0)
    assert guided.tolist() == [2.0, 0.0]


def test_top_k_keeps_the_k_largest():
    kept = keep_top_k(mx.array([1.0, 4.0, 2.0, 3.0]), 2)
    assert kept.tolist() == [-np.inf, 4.0, -np.inf, 3.0]


def test_top_k_keeps_ties_with_the_kth():
    kept = keep_top_k(mx.array([1.0, 4.0, 3.0, 3.0]), 2)
    assert kept.tolist() == [-np.inf, 4.0, 3.0, 3.0]


def test_top_k_beyond_the_vocabulary_keeps_all():
    assert keep_top_k(LOGITS, 250).tolist() == LOGITS.tolist()


def test_top_k_works_on_each_codebook_alone():
    kept = keep_top_k(mx.array([[[1.0, 2.0], [5.0, 0.0]]]), 1)
    assert kept.tolist() == [[[-np.inf, 2.0], [5.0, -np.inf]]]


def test_top_k_of_one_is_the_argmax():
    logits = mx.random.normal((64, 4, 50), key=mx.random.key(3))
    chosen = sample(logits, row_keys(range(64)), Sampling(top_k=1))
    assert mx.array_equal(chosen, mx.argmax(logits, axis=-1))


@pytest.mark.parametrize("settings", [Sampling(temperature=0.0), Sampling(do_sample=False, top_p=0.9)])
def test_greedy_is_the_argmax(settings):
    assert set(draw(settings, LOGITS, 50)) == {1}


@pytest.mark.parametrize(
    ("p", "kept"),
    [(0.05, {1}), (0.39, {1}), (0.41, {1, 3}), (0.71, {0, 1, 3}), (0.95, {0, 1, 2, 3})],
)
def test_top_p_keeps_up_to_the_code_that_crosses_p(p, kept):
    assert set(draw(Sampling(top_p=p), LOGITS)) == kept


def test_top_p_renormalizes_what_it_keeps():
    seen = frequencies(draw(Sampling(top_p=0.5), LOGITS, 20000))
    # The error of a frequency over 20000 draws has a standard deviation below 0.0036.
    assert np.allclose(seen, [0.0, 4 / 7, 0.0, 3 / 7], atol=0.018)


def test_top_p_takes_precedence_over_top_k():
    assert set(draw(Sampling(top_p=0.71, top_k=1), LOGITS)) == {0, 1, 3}


def test_top_p_noise_is_added_by_rank():
    noise = mx.array([0.0, 10.0, 0.0, 0.0])
    assert sample_top_p(LOGITS, 1.0, noise).item() == 3


def test_plain_draws_follow_the_softmax():
    seen = frequencies(draw(Sampling(top_k=0), LOGITS, 20000))
    assert np.allclose(seen, [0.2, 0.4, 0.1, 0.3], atol=0.018)


def test_temperature_acts_before_the_softmax():
    # At temperature 0.5 probabilities are squared and renormalized: 4, 16, 1 and 9 out of 30.
    seen = frequencies(draw(Sampling(top_k=0, temperature=0.5), LOGITS, 20000))
    assert np.allclose(seen, np.array([4, 16, 1, 9]) / 30, atol=0.018)


def test_temperature_acts_before_top_p():
    # Flattened to probabilities 0.248, 0.351, 0.175, 0.304 over their sum: the first two pass 0.55, not 0.45.
    assert set(draw(Sampling(top_p=0.45), LOGITS)) == {1, 3}
    assert set(draw(Sampling(top_p=0.65, temperature=2.0), LOGITS)) == {0, 1, 3}
    assert set(draw(Sampling(top_p=0.65, temperature=1.0), LOGITS)) == {1, 3}


def test_codebooks_of_a_row_draw_independently():
    logits = mx.zeros((2000, 2, 2))
    codes = np.array(sample(logits, row_keys(range(2000)), Sampling(top_k=0)))
    assert abs(np.mean(codes[:, 0] == codes[:, 1]) - 0.5) < 0.06


@pytest.mark.parametrize("settings", [Sampling(top_k=20), Sampling(top_k=0), Sampling(top_p=0.8)])
def test_a_row_draws_the_same_alone_and_in_a_batch(settings):
    logits = mx.random.normal((5, 4, 100), key=mx.random.key(1))
    keys = row_keys([7, 8, 9, 10, 11])
    together = sample(logits, keys, settings)
    for row in range(5):
        assert mx.array_equal(sample(logits[row : row + 1], keys[row : row + 1], settings)[0], together[row])


def test_split_keys_follows_each_row():
    keys = row_keys([1, 2, 3])
    carried, used = split_keys(keys)
    for row, seed in enumerate([1, 2, 3]):
        expected = mx.random.split(mx.random.key(seed))
        assert mx.array_equal(carried[row], expected[0])
        assert mx.array_equal(used[row], expected[1])


def test_half_precision_logits_are_sampled_in_single():
    logits = LOGITS.astype(mx.float16)
    assert draw(Sampling(top_k=1), logits, 20).dtype == np.int32
    assert set(draw(Sampling(top_k=1), logits, 20)) == {1}


@pytest.mark.parametrize(
    "wrong",
    [
        {"top_k": -1},
        {"top_p": 1.5},
        {"temperature": -0.1},
        {"temperature": float("nan")},
        {"guidance_scale": -1},
    ],
)
def test_settings_out_of_range_are_refused(wrong):
    (name,) = wrong
    with pytest.raises(GeneratorError, match=f"^{name} is "):
        Sampling(**wrong)
