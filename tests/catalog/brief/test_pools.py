"""Weighted means of tokens: what they weigh, and those that are shipped."""

from __future__ import annotations

import numpy as np

from music_catalog.brief import reader
from music_catalog.brief.pools import Pools, vectors_of
from music_catalog.text import encoder as encoders

RNG = np.random.default_rng(3)
TOKENS = RNG.normal(size=(7, 5)).astype(np.float32)
MADE = Pools(RNG.normal(size=(2, 5)).astype(np.float32), RNG.normal(size=(2, 3, 5)).astype(np.float32))


def test_values_are_of_means_with_the_weights_of_a_softmax():
    read = MADE.read(TOKENS)
    assert read.shape == (6,)
    for number, (query, values) in enumerate(zip(MADE.queries, MADE.values, strict=True)):
        weights = np.array([np.exp(query @ token) for token in TOKENS])
        mean = sum(weight * token for weight, token in zip(weights / weights.sum(), TOKENS, strict=True))
        np.testing.assert_allclose(read[3 * number : 3 * number + 3], values @ mean, rtol=1e-4)


def test_the_order_of_tokens_and_their_number_do_not_count():
    np.testing.assert_allclose(MADE.read(TOKENS[::-1]), MADE.read(TOKENS), atol=1e-5)
    np.testing.assert_allclose(MADE.read(np.concatenate([TOKENS, TOKENS])), MADE.read(TOKENS), atol=1e-5)


def test_a_token_that_a_query_asks_for_outweighs_many_others():
    asking = Pools(np.eye(1, 5, dtype=np.float32) * 50, np.eye(5, dtype=np.float32)[None])
    many = np.zeros((100, 5), dtype=np.float32)
    many[42] = 1, 2, 3, 4, 5
    np.testing.assert_allclose(asking.read(many), many[42], atol=1e-5)
    assert np.isfinite(asking.read(many * 100)).all()


def test_the_shipped_model_reads_means_of_tokens():
    encoder = encoders.load()
    shipped = reader.load(encoder.identity).pools
    assert shipped.queries.shape[1] == shipped.values.shape[2] == encoder.dimension
    layers, tokens = encoders.embed_tokens(encoder, "Rain on the old town.")
    assert vectors_of(shipped, layers, tokens).pooled.shape == (shipped.width,)
    assert len(vectors_of(None, layers, tokens).pooled) == len(vectors_of(shipped, layers, None).pooled) == 0
