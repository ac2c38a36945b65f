"""The model of the brief for another encoder: found in the home by the encoder's identity, or refused in a sentence."""

from __future__ import annotations

import json

import numpy as np
import pytest
from fakes import WordHashEncoder
from safetensors.numpy import save_file

from music_catalog import presets
from music_catalog.brief import reader as brief
from music_catalog.brief import supervisor as supervising
from music_catalog.brief.pools import TextVectors
from music_catalog.brief.supervisor import Supervisor
from music_catalog.brief.words import terms_of
from music_catalog.errors import Unavailable
from music_catalog.models import Context
from music_catalog.text import encoder as encoders
from music_catalog.text import features
from music_catalog.text.parsed import parse

STYLES = presets.load(None).styles
ENCODER = WordHashEncoder()
WORDS = {
    "words_terms": np.array([3, 7], np.uint32),
    "words_rarity": np.ones(2, np.float32),
    "words_weights": np.ones((2, len(STYLES)), np.int8),
    "words_scale": np.ones(len(STYLES), np.float32),
    "words_offset": np.ones(1, np.float32),
}
OWN = {"own_hidden": np.ones((2, 5)), "own_out": np.ones((len(STYLES) + 3, 3)), "own_compared": np.ones(6)}


def write(
    path, identity=ENCODER.identity, *, dimension=ENCODER.dimension, layers=(), pooled=0, said=None, **changes
):
    """Write a model of random weights for an encoder; `said` tells what is read beside the text."""
    rng = np.random.default_rng(0)
    some, said = np.zeros((max(layers, default=0) + 1, dimension)), said or {}
    width = len(brief.inputs(some, features.extract(Context(text="x")), layers)) + pooled
    width += len(said.get("application_layers", ())) * dimension
    width += len(changes["words_scale"]) if said.get("reads_words") else 0
    tensors = {
        "weights": rng.normal(size=(len(STYLES), width)),
        "bias": rng.normal(size=len(STYLES)),
        "compared": rng.normal(size=6),
        "step": np.ones(1),
        "affect": rng.normal(size=(2, width + 1)),
        "described": rng.normal(size=(len(STYLES), dimension + 3)),
    }
    kinds = {"words_terms": np.uint32, "words_weights": np.int8}
    tensors = {
        name: np.asarray(one).astype(kinds.get(name, np.float32))
        for name, one in {**tensors, **changes}.items()
        if one is not None
    }
    about = {
        "encoder": identity,
        "styles": list(STYLES),
        "descriptions": [brief.digest(style) for style in STYLES.values()],
        "layers": layers,
        "unseen_penalty": 1.0,
        **said,
    }
    save_file(tensors, str(path), metadata={"about": json.dumps(about)})


def vectors_of(text):
    return with_layers(encoders.embed_layers(ENCODER, text))


def with_layers(layers):
    """Return vectors of a text after made-up layers, and no means of its tokens."""
    return TextVectors(layers, np.zeros(0, np.float32))


def test_a_model_in_the_home_reads_briefs_with_its_encoder(tmp_path):
    context = Context(text="Rain on the old town.")
    parsed = parse(context, ENCODER, None)
    supervisor = Supervisor(STYLES, ENCODER, None, tmp_path)
    assert not supervisor.reads(context)
    write(tmp_path / brief.file_name(ENCODER.identity))
    write(tmp_path / "brief-of-another.safetensors", "other@1/8/pool-1")
    assert supervisor.reads(context)
    one, warnings = supervisor.read(context, parsed, features.features_of(context, parsed))
    assert one.styles.keys() == STYLES.keys()
    assert warnings == ()
    assert brief.load(encoders.load().identity, tmp_path) is not None


def test_a_model_with_a_hidden_layer_is_read_and_one_without_it_still_is(tmp_path):
    plain, deep = tmp_path / "brief-plain.safetensors", tmp_path / "deep"
    deep.mkdir()
    write(plain)
    model = brief.load(ENCODER.identity, tmp_path)
    width = model.width
    assert model.hidden.shape == (0, width + 1)
    rng = np.random.default_rng(1)
    layer = {
        "hidden": rng.normal(size=(4, width + 1)),
        "weights": rng.normal(size=(len(STYLES), width + 4)),
        "affect": rng.normal(size=(2, width + 5)),
    }
    write(deep / "brief-deep.safetensors", **layer)
    model = brief.load(ENCODER.identity, deep)
    inputs = np.arange(width, dtype=np.float32)
    read = model.read(inputs)
    assert np.array_equal(model.centre, np.zeros(width))
    expected = np.maximum(layer["hidden"][:, :-1] @ inputs + layer["hidden"][:, -1], 0)
    assert np.allclose(read, [*inputs, *expected, 1], rtol=1e-4)
    write(deep / "brief-deep.safetensors", **{**layer, "hidden": np.ones((3, width + 1))})
    with pytest.raises(Unavailable, match="its tensors do not go together"):
        brief.load(ENCODER.identity, deep)


def test_a_model_with_a_network_for_own_styles_is_read(tmp_path):
    write(tmp_path / "brief-mine.safetensors")
    model = brief.load(ENCODER.identity, tmp_path)
    assert model.own is None
    write(tmp_path / "brief-mine.safetensors", **OWN)
    network = brief.load(ENCODER.identity, tmp_path).own
    assert network.weights(np.ones((7, 4), np.float32)).shape == (7, len(STYLES) + 3)


def test_a_model_with_words_is_read_and_one_without_still_is(tmp_path):
    write(tmp_path / "brief-mine.safetensors")
    assert brief.load(ENCODER.identity, tmp_path).words is None
    write(tmp_path / "brief-mine.safetensors", **WORDS)
    words = brief.load(ENCODER.identity, tmp_path).words
    assert words.vocabulary.terms.tolist() == [3, 7]
    assert words.weights.dtype == np.int8


def test_what_words_say_is_read_or_added(tmp_path):
    context = Context(text="Rain on the old town.")
    read = features.extract(context, ENCODER)
    known = np.sort(terms_of(context.text)[0])[:2]
    words = {**WORDS, "words_terms": known, "words_scale": np.full(len(STYLES), 0.01)}

    def styles(**changes):
        write(tmp_path / "brief-mine.safetensors", **{**words, **changes})
        return brief.read_brief(
            context.text, vectors_of(context.text), read, STYLES, ENCODER, tmp_path
        ).styles

    silent = {"words_weights": np.zeros((2, len(STYLES)))}
    joined = {"said": {"reads_words": True}}
    assert styles(**joined) != styles(**joined, **silent)
    assert styles() != styles(**silent)
    assert brief.load(ENCODER.identity, tmp_path).reads_words is False
    write(tmp_path / "brief-mine.safetensors", said={"reads_words": True}, words_scale=np.ones(3))
    with pytest.raises(Unavailable, match="its tensors do not go together"):
        brief.load(ENCODER.identity, tmp_path)


def test_what_the_application_is_is_read_beside_the_text(tmp_path):
    context = Context(text="Rain on the old town.")
    read = features.extract(context, ENCODER)
    write(tmp_path / "brief-mine.safetensors", said={"application_layers": [0, 2]})
    model = brief.load(ENCODER.identity, tmp_path)
    layers, told, other = np.random.default_rng(2).normal(size=(3, 3, ENCODER.dimension)).astype(np.float32)
    centre = np.zeros(model.width)
    centre[model.told] = brief.applied(told, (0, 2))
    write(tmp_path / "brief-mine.safetensors", said={"application_layers": [0, 2]}, centre=centre)

    def briefed(layers, application=None):
        return brief.read_brief(
            context.text, with_layers(layers), read, STYLES, ENCODER, tmp_path, application
        )

    assert briefed(layers) == briefed(layers, told) != briefed(layers, other)
    with pytest.raises(Unavailable, match="reads layer 3 of the encoder, which gives 1; fit it again"):
        briefed(layers[-1:])


def test_words_that_tell_no_mood_leave_it_to_the_vectors(tmp_path):
    context = Context(text="Rain on the old town.")
    read = features.extract(context, ENCODER)
    known = np.sort(terms_of(context.text)[0])[:2]
    words = {**WORDS, "words_terms": known, "words_scale": np.full(len(STYLES), 0.01)}
    count = len(STYLES)

    def telling(valence, energy):
        """Return words that leave the styles as they are and tell a mood."""
        weights = np.zeros((2, count + 2))
        weights[:, count:] = valence, energy
        return {
            **words,
            "words_weights": weights,
            "words_scale": np.full(count + 2, 0.01),
            "words_offset": np.zeros(count + 2),
        }

    def mood(**tensors):
        affect = np.zeros((2, len(brief.inputs(vectors_of("x").layers, read, ())) + 1))
        write(tmp_path / "brief-mine.safetensors", affect=affect, **tensors)
        one = brief.read_brief(context.text, vectors_of(context.text), read, STYLES, ENCODER, tmp_path)
        return one.valence, one.energy

    assert mood() == mood(**words) == (0, 0)
    silent, told, twice = (np.array(mood(**telling(*each))) for each in ((0, 0), (20, -10), (40, -20)))
    assert told[0] > silent[0]
    assert told[1] < silent[1]
    np.testing.assert_allclose(twice - silent, 2 * (told - silent), atol=2e-3)


def test_the_mean_of_each_input_is_taken_off(tmp_path):
    write(tmp_path / "brief-mine.safetensors")
    width = brief.load(ENCODER.identity, tmp_path).width
    write(tmp_path / "brief-mine.safetensors", centre=np.arange(width))
    model = brief.load(ENCODER.identity, tmp_path)
    assert np.array_equal(model.read(np.ones(width, np.float32)), [*(1 - np.arange(width)), 1])


def test_inner_layers_are_read_beside_the_last_one(tmp_path):
    write(tmp_path / "brief-mine.safetensors", layers=(0, 2))
    context = Context(text="Rain on the old town.")
    read = features.extract(context, ENCODER)
    layers = np.random.default_rng(2).normal(size=(4, ENCODER.dimension)).astype(np.float32)

    def briefed(layers):
        return brief.read_brief(context.text, with_layers(layers), read, STYLES, ENCODER, tmp_path)

    for layer, matters in enumerate((True, False, True, True)):
        other = layers.copy()
        other[layer] += 1
        assert (briefed(other) != briefed(layers)) == matters
    with pytest.raises(Unavailable, match="reads layer 3 of the encoder, which gives 1; fit it again"):
        briefed(layers[-1:])


def test_means_of_tokens_are_read_where_the_model_holds_them(tmp_path):
    class Encoder(WordHashEncoder):
        def encode_tokens(self, texts):
            return self.encode(texts)[:, None], [self.encode(text.split()) for text in texts]

    supervisor = Supervisor(STYLES, Encoder(), None, tmp_path)
    rng = np.random.default_rng(1)
    held = {
        "pool_queries": rng.normal(size=(2, ENCODER.dimension)),
        "pool_values": rng.normal(size=(2, 3, ENCODER.dimension)),
    }

    def styles(text="Rain on the old town.", **changes):
        write(tmp_path / "brief-mine.safetensors", **changes)
        context = Context(text=text)
        parsed = parse(context, Encoder(), None)
        return supervisor.read(context, parsed, features.features_of(context, parsed))[0].styles

    read = styles(pooled=6, **held)
    assert read == styles(pooled=6, **held)
    assert read != styles(pooled=6, **{**held, "pool_values": 2 * held["pool_values"]})
    assert styles() != read
    with pytest.raises(Unavailable, match=r"reads \d+ inputs and a text has \d+; fit it again"):
        styles(pooled=5, **held)
    with pytest.raises(Unavailable, match="its tensors do not go together"):
        styles(pooled=6, **{**held, "pool_queries": held["pool_queries"][:, 1:]})


def test_it_is_named_by_the_weights_of_its_encoder():
    assert brief.file_name("paraphrase@53aa51172d14/384/pool-1") == "brief-53aa51172d14.safetensors"


def test_a_file_written_anew_is_read_anew(tmp_path):
    path = tmp_path / "brief-mine.safetensors"
    write(path)
    first = brief.load(ENCODER.identity, tmp_path)
    write(path, "another-encoder@1/8/pool-1")
    assert first is not None
    assert brief.load(ENCODER.identity, tmp_path) is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"bias": None}, "it lacks 'bias'"),
        ({"bias": np.ones(3)}, "its tensors do not go together"),
        ({"affect": np.ones((2, 3))}, "its tensors do not go together"),
        ({"weights": np.ones(4)}, "not enough values"),
        ({"own_hidden": np.ones((2, 5))}, "it lacks 'own_out'"),
        ({**OWN, "own_out": np.ones((3, 3))}, "its tensors do not go together"),
        ({**OWN, "own_compared": np.ones(2)}, "its tensors do not go together"),
        ({"words_weights": np.ones((2, 3))}, "it lacks 'words_terms'"),
        ({**WORDS, "words_weights": np.ones((2, 3))}, "its tensors do not go together"),
        ({**WORDS, "words_terms": np.array([7, 3])}, "its tensors do not go together"),
        ({**WORDS, "words_rarity": np.ones(3)}, "its tensors do not go together"),
        ({**WORDS, "words_scale": np.ones(3)}, "its tensors do not go together"),
        ({**WORDS, "words_offset": np.ones(3)}, "its tensors do not go together"),
    ],
)
def test_a_file_that_is_no_such_model_is_refused_in_a_sentence(tmp_path, changes, message):
    write(tmp_path / "brief-mine.safetensors", **changes)
    with pytest.raises(
        Unavailable, match=f"brief-mine.safetensors is no model of the brief: {message}"
    ) as told:
        brief.load(ENCODER.identity, tmp_path)
    assert "\n" not in str(told.value)


def test_a_damaged_file_and_one_without_a_description_are_refused(tmp_path):
    path = tmp_path / "brief-mine.safetensors"
    path.write_bytes(b"nothing")
    with pytest.raises(Unavailable, match="not a whole safetensors file"):
        brief.load(ENCODER.identity, tmp_path)
    save_file({"weights": np.ones((2, 2), np.float32)}, str(path))
    with pytest.raises(Unavailable, match="it lacks 'about'"):
        brief.load(ENCODER.identity, tmp_path)


def test_a_model_for_other_inputs_is_refused_when_a_text_is_read(tmp_path):
    write(tmp_path / "brief-mine.safetensors", dimension=ENCODER.dimension + 5)
    context = Context(text="Rain on the old town.")
    with pytest.raises(Unavailable, match="fit it again"):
        brief.read_brief(
            context.text,
            vectors_of(context.text),
            features.extract(context, ENCODER),
            STYLES,
            ENCODER,
            tmp_path,
        )


@pytest.mark.parametrize(("said", "embedded"), [(None, 0), ({}, 1), ({"application_layers": [0]}, 2)])
def test_an_application_is_embedded_only_for_what_the_model_reads(tmp_path, monkeypatch, said, embedded):
    context = Context(text="Rain on the old town.", application="a walk")
    parsed = parse(context, ENCODER, None)
    if said is not None:
        write(tmp_path / brief.file_name(ENCODER.identity), said=said)
    texts = []
    monkeypatch.setattr(supervising, "_descriptions", {})
    for name in ("embed_tokens", "embed_layers"):
        embed = getattr(supervising, name)
        monkeypatch.setattr(
            supervising, name, lambda encoder, text, embed=embed: texts.append(text) or embed(encoder, text)
        )
    supervisor = Supervisor(STYLES, ENCODER, None, tmp_path)
    read, _ = supervisor.read(context, parsed, features.features_of(context, parsed))
    assert (read is None) == (said is None)
    assert texts == ["a walk. Rain on the old town.", "a walk"][:embedded]
