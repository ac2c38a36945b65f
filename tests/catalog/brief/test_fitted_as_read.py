"""What the fit makes of a text is what the shipped model reads of it: the same chances and the same mood."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from music_catalog import presets
from music_catalog.brief import reader as brief
from music_catalog.text import encoder as encoders

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks" / "catalog"))
from brief_network import Network
from brief_readings import read_all
from brief_texts import Model, applications_of, as_sent, gather, sigmoid
from brief_words import matrix

STYLES = dict(presets.load(None).styles)
SAID = {"kind": "application", "fits": [], "passable": [], "valence": 0, "energy": 0, "register": "talk"}
ROWS = [
    {
        **SAID,
        "id": "a",
        "lang": "en",
        "text": "The knife is in your own desk drawer.",
        "application": "A noir game.",
    },
    {**SAID, "id": "b", "lang": "en", "text": "The knife is in your own desk drawer."},
    {
        **SAID,
        "id": "c",
        "lang": "es",
        "text": "La niña lloraba en la cocina de su abuela.",
        "application": "Cuentos.",
    },
]


def test_the_fit_and_the_shipped_model_read_the_same():
    encoder = encoders.load()
    model = brief.load(encoder.identity)
    assert model is not None
    assert model.words is not None
    readings = read_all([*map(as_sent, ROWS)], encoder)
    vectors = encoder.encode([style.description for style in STYLES.values()])
    told = applications_of(ROWS, encoder)
    texts = gather(ROWS, readings, STYLES, vectors, told)
    # The shipped model was fitted to other texts, so its middle is another one; what is not told lies on it.
    shift = np.tile(texts.centre - model.centre[: len(texts.centre)], (len(ROWS), 1))
    shift[1, model.told] = 0
    words = matrix([reading.text for reading in readings], model.words.vocabulary)
    texts = replace(texts, inputs=texts.inputs + shift, words=words)
    network = Network(
        hidden=model.hidden,
        weights=model.weights,
        bias=model.bias,
        compared=model.compared,
        step=model.step,
        moods=np.vstack([model.affect, model.affect[:1]]),
        kinds=model.affect,
        cultures=model.affect,
    )
    fitted = Model(network, model.words.weights * model.words.scale)
    every = np.arange(len(ROWS))
    scores, moods = fitted.scores(texts, every), fitted.moods(texts, every)
    for row, reading, score, mood in zip(ROWS, readings, scores, moods, strict=True):
        application = told[row["application"]] if "application" in row else None
        read = brief.read_brief(*reading.to_brief(), STYLES, encoder, application=application)
        assert read is not None
        passes = [read.styles[name].passes for name in STYLES]
        fits = [read.styles[name].fits for name in STYLES]
        np.testing.assert_allclose(passes, sigmoid(score), atol=2e-3)
        np.testing.assert_allclose(fits, sigmoid(score - network.step), atol=2e-3)
        np.testing.assert_allclose([read.valence, read.energy], mood, atol=2e-3)
