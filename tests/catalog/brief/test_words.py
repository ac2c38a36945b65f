"""The single words of a text: known by stable numbers, and read of English texts alone."""

from __future__ import annotations

import sys
import zlib
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from music_catalog import presets
from music_catalog.brief import reader as brief
from music_catalog.brief.pools import vectors_of
from music_catalog.brief.words import Vocabulary, Words, terms_of
from music_catalog.models import Context
from music_catalog.text import encoder as encoders
from music_catalog.text import features

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks" / "catalog"))
from brief_texts import WORD_FOLDS, WORD_SPREAD, Texts, _words_of
from brief_words import PENALTY, fit_words, matrix, packed, vocabulary_of

STYLES = presets.load(None).styles
TEXTS = ["the cold rain", "the cold rain fell", "the warm sun"]
FEAR, NO_FEAR = 3019388158, 3963261359
"""CRC-32 of "fear" and of "no fear"."""


@pytest.fixture(scope="module")
def encoder():
    return encoders.load()


def read(text, encoder, styles=STYLES):
    found = features.extract(Context(text=text), encoder)
    vectors = vectors_of(brief.load(encoder.identity).pools, *encoders.embed_tokens(encoder, text))
    return brief.read_brief(text, vectors, found, styles, encoder)


@pytest.fixture
def wordless(encoder, monkeypatch):
    """A reader of briefs by the shipped model, to which words say nothing."""
    model = brief.load(encoder.identity)
    assert model is not None
    assert model.words is not None
    silent = replace(model.words, weights=np.zeros_like(model.words.weights))

    def read_without(text, styles=STYLES):
        with monkeypatch.context() as changed:
            changed.setattr(brief, "load", lambda *_: replace(model, words=silent))
            return read(text, encoder, styles)

    return read_without


def test_words_pairs_and_beginnings_have_the_same_numbers_everywhere():
    numbers, counts = terms_of("No FEAR, no fear!")
    found = dict(zip(numbers.tolist(), counts.tolist(), strict=True))
    assert found[FEAR] == found[NO_FEAR] == 2
    assert len(found) == 6  # no, fear, no fear, fear no, #no, #fear
    assert numbers.dtype == np.uint32
    shared = np.intersect1d(terms_of("wandering")[0], terms_of("wandered")[0])
    assert shared.tolist() == [zlib.crc32(b"#wande")]


@given(st.text(alphabet=st.characters()))
def test_any_text_is_read_as_a_unit_vector_or_nothing(text):
    vocabulary = Vocabulary(terms_of("the cold rain")[0], np.ones(8, np.float32))
    rows, values = vocabulary.read(text + "\ud800")
    assert len(rows) == len(values)
    assert not len(rows) or np.linalg.norm(values) == pytest.approx(1)


@pytest.mark.parametrize("text", ["", "?!", "zzyzx qwrtp"])
def test_a_text_without_a_known_word_gets_nothing(text):
    known = Vocabulary(np.array([FEAR], np.uint32), np.ones(1, np.float32))
    none = Vocabulary(np.zeros(0, np.uint32), np.zeros(0, np.float32))
    for vocabulary in (known, none):
        weights = np.ones((len(vocabulary.terms), 2), np.int8)
        assert not Words(vocabulary, weights, np.ones(2, np.float32), np.float32([0.2])).scores(text).any()


def test_a_word_counts_for_the_styles_that_it_was_fitted_to():
    known = Vocabulary(np.array([FEAR], np.uint32), np.ones(1, np.float32))
    words = Words(
        known, np.array([[100, -50]], np.int8), np.array([0.01, 0.02], np.float32), np.float32([0.5])
    )
    assert np.allclose(words.scores("Fear."), [0.5, -1.5])


def test_the_weights_are_those_of_the_ridge_regression(monkeypatch):
    monkeypatch.setattr("brief_words.LEAST_TEXTS", 1)
    vocabulary = vocabulary_of(TEXTS)
    x = matrix(TEXTS, vocabulary)
    grades, judged = np.array([[2, 0], [1, 0], [0, 2]]), np.array([[1, 1], [1, 1], [1, 0]], dtype=bool)
    wanted = np.array([[0.5, 0], [0, 0], [-0.5, 0]])
    dense = x.toarray()
    kernel = dense.T @ dense + PENALTY * np.eye(dense.shape[1])
    weights = fit_words(x, grades, judged, np.array([[-0.8, 0.1], [-0.6, 0.3], [0.8, 0.2]]))
    apart = np.hstack([wanted, [[-0.6, -0.1], [-0.4, 0.1], [1.0, 0.0]]])
    assert np.allclose(weights, np.linalg.solve(kernel, dense.T @ apart), atol=1e-4)
    shipped = packed(vocabulary, weights)
    assert shipped.is_whole(2)
    assert np.allclose(shipped.scores(TEXTS[0]), (x @ weights)[0], atol=0.02)
    assert not (matrix(["zzyzx"], vocabulary) @ weights).any()


def test_of_a_text_words_say_what_texts_of_other_authors_tell(monkeypatch):
    """What an author alone writes says nothing of the author's own texts, which the network is fitted to."""
    monkeypatch.setattr("brief_words.LEAST_TEXTS", 1)
    authors = [f"a{number}" for number in range(8)]
    plain = [f"{word} {author}own" for author in authors for word in ("sun", "rain")]
    rows = [
        {"id": f"{author}-{n}", "kind": "talk", "valence": 1 - 2 * n, "energy": 0}
        for author in authors
        for n in (0, 1)
    ]
    vocabulary = vocabulary_of(plain)
    words, grades = matrix(plain, vocabulary), np.array([[2, 0], [0, 2]] * len(authors))
    texts = SimpleNamespace(rows=rows, words=words, grades=grades, judged=np.ones_like(grades, dtype=bool))
    weights, said = _words_of(cast(Texts, texts), np.ones(len(rows), dtype=bool))
    assert said.shape == (len(rows), 4)
    assert (said[::2, 0] > 0).all()
    assert (said[1::2, 0] < 0).all()
    np.testing.assert_allclose(said[:, :3].std(axis=0), WORD_SPREAD, rtol=1e-4)
    mine = vocabulary.read("a0own")[0]
    assert np.abs(weights[mine]).max() < np.abs(weights[vocabulary.read("sun")[0]]).max()
    assert len({zlib.crc32(author.encode()) % WORD_FOLDS for author in authors}) > 1
    everything = words @ weights
    assert np.abs(said[:, 0]).mean() < np.abs(everything[:, 0]).mean()


def test_rare_terms_are_left_out():
    assert len(vocabulary_of(TEXTS * 5).terms) == len(vocabulary_of([*TEXTS * 5, "a rare word"]).terms)


def test_words_change_the_chances_of_styles(encoder, wordless):
    text = "My father died on Tuesday, and the house is full of his coats."
    with_words, without = read(text, encoder), wordless(text)
    assert with_words.styles["sad_piano"].passes > without.styles["sad_piano"].passes


def test_words_tell_the_mood_of_the_music(encoder, wordless):
    text = "The parcel came on Tuesday. Hooray, hooray! I laughed and danced in the kitchen."
    assert read(text, encoder).valence > wordless(text).valence


def test_a_text_in_another_language_is_read_without_words(encoder, wordless):
    text = "Der alte Mann saß am Fluss und dachte an die Jahre, die er in der Stadt verbracht hatte."
    assert read(text, encoder).styles == wordless(text).styles


def test_english_of_any_region_is_read_by_its_words(encoder):
    model = brief.load(encoder.identity)
    found = features.extract(Context(text="The cold rain.", language="en-GB"), encoder)
    assert brief.words_of(model, "The cold rain.", found).any()
    assert not brief.words_of(model, "The cold rain.", found.model_copy(update={"language": "de"})).any()
