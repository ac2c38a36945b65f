from __future__ import annotations

import re
import subprocess
import sys
from types import SimpleNamespace

import pytest
from builders import some_features
from hypothesis import given, settings
from hypothesis import strategies as st

from music_catalog import presets
from music_catalog.errors import ConfigError, InputError, Unavailable
from music_catalog.models import Choices, Context
from music_catalog.request.builder import build, key_of, load_library
from music_catalog.request.prompt import prompt_of
from music_catalog.text import language
from music_catalog.text.summary import is_prose

LIBRARY = presets.load()
NOWHERE = {}


def requested(text="Calm rain falls.", *, features=None, library=LIBRARY, here=(), **choices):
    return build(
        Context(text=text),
        features or some_features(),
        Choices(**choices),
        library,
        key="k",
        find_weights=lambda size: "folder" if size in here else None,
    )


def key(text="Calm rain falls.", *, context=NOWHERE, library=LIBRARY, weights=NOWHERE, **choices):
    return key_of(Context(text=text, **context), Choices(**choices), library, weights)


def test_the_key_is_the_same_for_the_same_request_only(tmp_path):
    mine = tmp_path / "mine.yaml"
    mine.write_text("musicgen:\n  defaults: {temperature: 0.7}\n")
    different = [
        key(),
        key("Calm rain fell."),
        key(context={"query": "What?"}),
        key(context={"environment": "rain"}),
        key(role="loop_bed"),
        key(duration_s=10.0),
        key(generation={"top_k": 5}),
        key(library=presets.load(mine)),
        key(weights={"small": True}),
    ]
    assert len(set(different)) == len(different)
    assert key(" Calm rain falls.\n") == key(weights={"small": False}) == key()


@pytest.mark.parametrize(
    ("section", "says"),
    [
        ("model: {backend: foo}", "mine.yaml: model.backend is 'foo'; valid: "),
        (
            "presets: {ambient_lofi: {synthesis: {tempo: 3}}}",
            "mine.yaml: style ambient_lofi has a synthesis block that cannot be used: synthesis has no parameter",
        ),
    ],
)
def test_what_is_wrong_in_a_file_is_told_with_the_file(tmp_path, section, says):
    (tmp_path / "mine.yaml").write_text(f"musicgen:\n  {section}\n")
    with pytest.raises(ConfigError, match=re.escape(says)):
        requested(library=presets.load(tmp_path / "mine.yaml"), preset="ambient_lofi")
    with pytest.raises(InputError, match=r"^backend is 'bar'"):
        requested(backend="bar")


def test_the_key_of_a_request_without_a_brief_is_as_it_was_before_there_were_briefs():
    library = SimpleNamespace(digest="0" * 64, model=SimpleNamespace(backend="auto"))
    context = {"query": "What?", "mood_tags": ("calm",)}
    kept = "80e7eb1bc785c4621705ff1909870385"
    assert key(context=context, role="loop_bed", library=library, weights={"small": True}) == kept
    brief = {"fits": ["sad_piano"], "valence": 0, "energy": 0}
    stated = [key(context={"brief": one}) for one in (brief, {**brief, "energy": 0.1}, None)]
    assert len(set(stated)) == 3


def test_the_prompt_is_tags_topic_tone():
    request = requested(preset="ambient_lofi")
    tags = ", ".join(LIBRARY.style("ambient_lofi").prompt_tags)
    assert request.prompt == f"{tags}. calm rain. calm."


def test_the_prompt_takes_the_tags_before_and_the_structure_after(tmp_path):
    mine = tmp_path / "mine.yaml"
    mine.write_text(
        "musicgen:\n  prompt_metadata: {prepend_tags: [no vocals, hi-fi], append_structure: true}\n"
    )
    resolved = presets.load(mine).resolve("ambient_lofi", "background_bed", "preview")
    prompt = prompt_of(resolved, some_features(summary_of_topic="rain.", emotional_tone_description="calm"))
    assert prompt.startswith("no vocals, hi-fi, ")
    assert prompt.endswith(". rain. calm. intro, theme, outro.")


@given(st.text(max_size=60), st.text(max_size=30))
@settings(max_examples=80, deadline=None)
def test_no_summary_or_tone_breaks_the_prompt(summary, tone):
    resolved = LIBRARY.resolve("ambient_lofi", "background_bed", "preview")
    features = some_features(summary_of_topic=summary, emotional_tone_description=tone)
    prompt = prompt_of(resolved, features)
    assert prompt.startswith(", ".join(resolved.values["prompt_tags"]) + ".")
    assert prompt.endswith(".")
    assert features.emotional_tone_description.strip(" .") in prompt
    topic = features.summary_of_topic
    if language.guess(topic) in ("en", language.UNDETERMINED) and is_prose(topic):
        assert topic.strip(" .") in prompt


def test_every_value_has_a_source():
    request = requested(duration_s=7.0, seed=3)
    assert request.config.keys() == request.config_sources.keys()
    assert request.config_sources["duration_s"] == request.config_sources["seed"] == "caller"
    assert request.config["max_steps"] == 350
    assert all(request.config_sources.values())
    assert request.why.keys() == {"style", "role", "quality"}


@pytest.mark.parametrize(
    ("here", "quality", "backend", "size", "message"),
    [
        ((), "standard", "procedural", "medium", "procedural synthesizer"),
        (("medium",), "standard", "mlx", "medium", ""),
        (("small",), "standard", "mlx", "small", "small made this"),
        (("small", "medium"), "final", "mlx", "medium", "medium made this"),
        (("large",), "preview", "procedural", "small", "procedural synthesizer"),
    ],
)
def test_auto_takes_what_is_on_the_machine_and_says_what_it_stands_in_for(
    here, quality, backend, size, message
):
    request = requested(here=here, quality=quality)
    assert (request.config["backend"], request.config["size"]) == (backend, size)
    assert message in request.substitution
    assert bool(message) == bool(request.substitution)


def test_a_backend_that_is_named_is_taken_or_refused():
    assert requested(backend="procedural", here=("medium",)).config["backend"] == "procedural"
    assert requested(backend="mlx", here=("medium",)).config["backend"] == "mlx"
    with pytest.raises(Unavailable, match="catalog models pull medium"):
        requested(backend="mlx", here=("small",))


def test_the_synthesis_is_bent_towards_the_mood_and_says_so():
    glad = requested(preset="ambient_lofi", features=some_features(valence=0.9, energy=0.9))
    sad = requested(preset="ambient_lofi", features=some_features(valence=-0.9, energy=-0.9))
    assert glad.config["synthesis"]["tempo_bpm"] > sad.config["synthesis"]["tempo_bpm"]
    assert "bent by the mood" in glad.config_sources["synthesis"]
    assert requested(here=("medium",)).config["synthesis"] is None


def test_a_style_without_a_synthesis_block_gets_one_from_its_tags(tmp_path):
    mine = tmp_path / "mine.yaml"
    mine.write_text("musicgen:\n  presets:\n    mine: {description: x, prompt_tags: [techno, 130 bpm]}\n")
    neutral = some_features(valence=0.0, energy=0.0)
    request = requested(library=presets.load(mine), preset="mine", features=neutral)
    assert request.config["synthesis"]["tempo_bpm"] == 130
    assert request.config_sources["synthesis"].startswith("the tags of style mine")


def test_a_synthesis_block_that_cannot_be_used_is_refused(tmp_path):
    mine = tmp_path / "mine.yaml"
    mine.write_text(
        "musicgen:\n  presets:\n    mine: {description: x, prompt_tags: [y], synthesis: {tempo_bpm: -4}}\n"
    )
    with pytest.raises(ConfigError, match=r"style mine has a synthesis block .*tempo_bpm"):
        requested(library=presets.load(mine), preset="mine")


def test_a_value_given_twice_is_refused():
    with pytest.raises(InputError, match="given twice"):
        requested(duration_s=2.0, generation={"duration_s": 3.0})


def test_a_configuration_that_cannot_be_read_is_a_configuration_error(tmp_path):
    with pytest.raises(ConfigError, match="nowhere"):
        load_library(tmp_path / "nowhere.yaml", tmp_path)
    (tmp_path / "catalog.yaml").write_text("musicgen: {defautls: {}}")
    with pytest.raises(ConfigError, match="defaults"):
        load_library(None, tmp_path)


def test_building_a_request_does_not_import_how_reuse_is_decided():
    code = (
        "import sys, music_catalog.request.builder; "
        "print(*[name for name in sys.modules if 'music_catalog.reuse' in name])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == ""
