"""Encoders, readers and renderers of plugins, by their names."""

from __future__ import annotations

import json

import numpy as np
import pytest

from music_catalog import InputError, MusicService, Unavailable
from music_catalog.plugins import readers
from music_catalog.soundtrack.queued import narrators_here
from music_catalog.soundtrack.renderers import COVERS, narrator, renderer
from music_catalog.text import encoder as encoders
from tests.chat_server import GOOD
from tests.command_line import run
from tests.fakes import WordHashEncoder
from tests.plugged import plug

__all__ = ["plug"]

TEXT = "Rain on the roof of a quiet house."
SHORT = {"duration_s": 2.0, "quality": "preview", "backend": "procedural"}
ENCODER = """
import hashlib
import numpy as np

class Words:
    identity, dimension = "words@3", 64

    def encode(self, texts):
        rows = [np.random.default_rng(sum(map(ord, text))).normal(size=64) for text in texts]
        rows = np.asarray(rows, np.float32).reshape(len(texts), 64)
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)
"""


def test_an_encoder_is_named_like_any_other(plug, tmp_path, monkeypatch):
    plug("words", "words_module", ENCODER, encoder={"words": "words_module:Words"})
    with MusicService.open(tmp_path / "home", encoder="words") as service:
        assert service.encoder.identity == "words@3/64/pool-1"
        assert service.find_or_make(TEXT, **SHORT).track.encoder == "words@3/64/pool-1"
        assert service.embed(TEXT).shape == (64,)
    monkeypatch.setenv("CATALOG_ENCODER", "words")
    told = run("search", "rain", home=tmp_path / "home")
    assert told.exit_code == 0, told.output
    assert "1 of 1 tracks" in told.output or "quiet house" in told.output


BAD_ENCODERS = {
    "setup": (
        "class Words:\n    def __init__(self): raise OSError('no file')",
        "cannot be set up: OSError: no file",
    ),
    "dimension": ("class Words:\n    identity, dimension = 'x', 0", "the dimension 0"),
    "shape": (ENCODER.replace("return rows / ", "return rows[:, :3] / "), "must give"),
    "length": (ENCODER.replace("return rows / ", "return 2 * rows / "), "whose length is not 1"),
    "raise": (
        ENCODER.replace("return rows", "raise ValueError('x')\n        return rows"),
        "failed: ValueError: x",
    ),
}


@pytest.mark.parametrize(("source", "words"), BAD_ENCODERS.values(), ids=BAD_ENCODERS)
def test_a_faulty_encoder_is_a_sentence(source, words, plug):
    plug("words", "words_module", source, encoder={"words": "words_module:Words"})
    with pytest.raises(Unavailable, match=words):
        encoders.load("words").encode(["a", "b"])


READER = """
import json

class Local:
    def __init__(self, model, temperature):
        self.model = model

    def complete(self, messages, *, response_format, timeout_s):
        assert response_format["type"] == "json_schema" and 0 < timeout_s <= 20
        if self.model == "broken":
            raise MemoryError("too large")
        return json.dumps(ANSWER)
"""


@pytest.fixture
def reading(plug, tmp_path):
    """Return a function that opens a catalog whose texts the plugin reads."""
    readers._set_up.cache_clear()
    plug(
        "local",
        "local_module",
        READER.replace("ANSWER", repr(GOOD)),
        reader={"local": "local_module:Local"},
    )

    def opened(name, model):
        path = tmp_path / "catalog.yaml"
        path.write_text(f"musicgen:\n  reader: {{base_url: 'plugin:{name}', model: {model}}}\n")
        return MusicService.open(tmp_path / f"home-{model}", config=path, encoder=WordHashEncoder())

    yield opened
    readers._set_up.cache_clear()


def test_a_reader_says_which_music_serves_a_text(reading):
    with reading("local", "fine") as service:
        looked = service.find_or_make(TEXT, dry_run=True, **SHORT)
    styles = looked.request.brief.styles
    assert max(styles, key=lambda name: styles[name].fits) == GOOD["fits"][0]
    assert looked.warnings == ()


@pytest.mark.parametrize(
    ("name", "model", "words"),
    [
        ("local", "broken", "it failed: MemoryError: too large"),
        ("locale", "fine", r"it was not asked: unknown reader 'locale'; did you mean local\?"),
    ],
)
def test_a_text_is_read_without_a_reader_that_fails(name, model, words, reading):
    with reading(name, model) as service:
        made = service.find_or_make(TEXT, **SHORT)
    assert made.action == "generated"
    import re

    assert any(re.search(words, warning) for warning in made.warnings), made.warnings


RENDERER = """
class Beep:
    renders = "voice"

    def __init__(self, hertz="440"):
        self.hertz = float(hertz)

    def render(self, text, target):
        import numpy, soundfile
        if self.hertz < 0:
            raise RuntimeError("no such tone")
        tone = numpy.sin(numpy.arange(len(text) * 800) * self.hertz * 6.28 / 16000)
        soundfile.write(target, 0.1 * tone, 16000)
"""


def test_a_renderer_speaks_by_its_name(plug, tmp_path):
    plug(
        "beep",
        "beep_module",
        RENDERER,
        renderer={"beep": "beep_module:Beep", "espeak-ng": "beep_module:Beep"},
    )
    narrator("beep:hertz=220").render("Hello.", tmp_path / "voice.wav")
    assert (tmp_path / "voice.wav").stat().st_size > 1_000
    assert "beep" in narrators_here()
    assert narrators_here().count("espeak-ng") <= 1
    with pytest.raises(Unavailable, match="is no painter of covers"):
        renderer("beep", COVERS)
    with pytest.raises(Unavailable, match="failed: RuntimeError: no such tone"):
        narrator("beep:hertz=-1").render("Hello.", tmp_path / "other.wav")
    with pytest.raises(Unavailable, match="cannot be set up: TypeError"):
        narrator("beep:pitch=1")
    with pytest.raises(InputError, match=r"unknown renderer 'bep'; did you mean beep\?"):
        narrator("bep")


def test_a_story_is_told_by_a_plugin(plug, tmp_path):
    plug("beep", "beep_module", RENDERER, renderer={"beep": "beep_module:Beep"})
    story = tmp_path / "story.jsonl"
    story.write_text(json.dumps({"text": TEXT}) + "\n")
    told = run(
        "score", str(story), "--out", str(tmp_path / "s.wav"), "--narrator", "beep", "--quality", "preview",
        "--license", "commercial", home=tmp_path / "home",
    )  # fmt: skip
    assert told.exit_code == 0, told.output
    assert (tmp_path / "s.wav").is_file()


def test_vectors_of_a_plugin_are_the_same_for_the_same_text(plug):
    plug("words", "words_module", ENCODER, encoder={"words": "words_module:Words"})
    encoder = encoders.load("words")
    assert np.array_equal(encoder.encode([TEXT]), encoder.encode([TEXT]))
