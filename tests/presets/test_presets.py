"""The configuration: what ships, what a user's file may change, and how one request's values are merged."""

from __future__ import annotations

import json
import math
import re
import string
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from music_catalog import presets
from music_catalog.presets import PresetError
from music_catalog.presets.document import parse

ROLES = ("ui_sfx", "background_bed", "narration_bed", "intro_sting", "transition", "loop_bed", "focus_track")
TIERS = ("preview", "standard", "final")
STYLE = {"mine": {"description": "A style of my own.", "prompt_tags": ["warm", "slow"]}}

property_test = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


@pytest.fixture
def user_file(tmp_path):
    path = tmp_path / "catalog.yaml"

    def write(content) -> Path:
        text = content if isinstance(content, str) else yaml.dump({"musicgen": content}, Dumper=DUMPER)
        path.write_text(text, encoding="utf-8")
        return path

    return write


def refused(path, *parts):
    with pytest.raises(PresetError) as caught:
        presets.load(path)
    message = str(caught.value)
    assert "\n" not in message
    for part in parts:
        assert part in message
    return message


def complaint(call):
    """Return the message of the PresetError that `call` raises, or nothing."""
    try:
        call()
    except PresetError as error:
        return str(error)
    return ""


# What ships


def test_shipped_configuration_has_the_roles_and_tiers():
    library = presets.load()
    assert set(ROLES) <= set(library.roles)
    assert tuple(library.quality) == TIERS
    assert library.defaults.top_k == 250
    assert library.defaults.cfg_coef == 3.0
    assert [library.tier(name).model_size for name in TIERS] == ["small", "medium", "large"]
    assert {origin for _, _, origin in library.explain()} == {"shipped", "default"}


def test_loopable_roles_ship_without_fades_and_longer_tiers_allow_longer_tracks():
    library = presets.load()
    for role in library.roles.values():
        assert not role.loopable or (role.fade_in_s, role.fade_out_s) == (0, 0)
    longest = [library.tier(name).max_duration_s for name in TIERS]
    assert longest == sorted(longest)


def test_every_shipped_style_resolves_in_every_role_and_tier():
    library = presets.load()
    assert "ambient_lofi" in library.styles
    assert {f"environment_{place}" for place in presets.ENVIRONMENTS} <= set(library.styles)
    for style in library.styles:
        for role in ROLES:
            for tier in TIERS:
                resolved = library.resolve(style, role, tier)
                assert resolved.warnings == ()
                assert set(resolved.values) == set(resolved.sources)
                assert 0 < resolved.values["duration_s"] <= resolved.values["max_duration_s"]


# The user's file


def test_a_file_in_the_documented_shape_loads_as_it_is(user_file):
    library = presets.load(
        user_file(
            """
musicgen:
  model: {size: medium, backend: mlx}
  defaults: {duration_s: 20, use_sampling: true, top_k: 100, top_p: 0.0, temperature: 0.9, cfg_coef: 4,
             two_step_cfg: false, normalize_duration: pad, loudness_normalization: false}
  prompt_metadata: {prepend_tags: [hifi, clean], append_structure: "intro, verse, outro", language: en}
  presets:
    neon_city: {description: City at night, prompt_tags: [synthwave, neon], temperature: 1.2, duration_s: 12}
  roles:
    hold_music: {description: Music on hold, duration_s: 60, repetition: high, dynamics: flat, loopable: true,
                 loudness_lufs: -22, fade_in_s: 0, fade_out_s: 0}
  quality:
    preview: {description: Mine, model_size: medium, max_duration_s: 10, steps_per_second: 50}
"""
        )
    )
    resolved = library.resolve("neon_city", "hold_music", "preview")
    assert resolved.values["size"] == "medium"
    assert resolved.values["duration_s"] == 10
    assert resolved.values["max_steps"] == 500
    assert resolved.values["temperature"] == 1.2
    assert resolved.values["prepend_tags"] == ["hifi", "clean"]
    assert resolved.values["append_structure"] == "intro, verse, outro"
    assert resolved.values["loudness_lufs"] is None
    assert resolved.warnings == ()


def test_one_key_overrides_one_key(user_file):
    before = presets.load()
    path = user_file({"roles": {"ui_sfx": {"loudness_lufs": -12}}, "presets": STYLE})
    after = presets.load(path)
    assert after.role("ui_sfx").loudness_lufs == -12
    assert after.role("ui_sfx").description == before.role("ui_sfx").description
    assert after.origin("roles.ui_sfx.loudness_lufs") == str(path)
    assert after.origin("musicgen.roles.ui_sfx.description") == "shipped"
    assert after.origin("presets.mine") == str(path)
    assert after.origin("presets.mine.description") == str(path)
    assert after.origin("presets.mine.genres") == "default"
    assert after.origin("presets.ambient_lofi.temperature") == "default"
    with pytest.raises(presets.PresetError, match="no configuration key"):
        after.origin("presets.ambient_lofi.temprature")
    assert ("roles.ui_sfx.loudness_lufs", -12, str(path)) in after.explain()
    assert after.digest != before.digest
    assert before == presets.load()


def test_a_role_states_how_it_gives_way_to_a_voice_or_takes_the_defaults(user_file):
    roles = {
        "hold_music": {"description": "Music for someone waiting."},
        "page_bed": {"description": "Under a page.", "ducking": {"depth_db": 20.0}},
        "narration_bed": {"ducking": {"release_s": 2.5}},
    }
    before, after = presets.load(), presets.load(user_file({"roles": roles}))
    assert after.role("hold_music").ducking == presets.RoleDucking()
    assert after.role("page_bed").ducking == presets.RoleDucking(depth_db=20.0)
    shipped = before.role("narration_bed").ducking
    assert after.role("narration_bed").ducking == shipped.model_copy(update={"release_s": 2.5})
    assert shipped.depth_db != presets.RoleDucking().depth_db


def test_the_generator_knows_no_role_by_name():
    sources = Path(presets.__file__).parents[1].joinpath("generator").rglob("*.py")
    text = "\n".join(source.read_text("utf-8") for source in sources)
    assert not [name for name in ROLES if f'"{name}"' in text]


def test_what_the_application_is_decides_what_music_is_made(user_file):
    shipped, told = presets.load(), presets.load(user_file({"application": "the support  chat of a bank"}))
    assert (shipped.application, told.application) == (None, "the support chat of a bank")
    assert told.digest != shipped.digest
    assert ("application", told.application) in [(key, value) for key, value, _ in told.explain()]
    for nothing in (None, ""):
        assert presets.load(user_file({"application": nothing})).digest == shipped.digest
    refused(user_file({"application": "x" * 501}), "application", "500")
    refused(user_file({"application": 5}), "application")
    refused(user_file({"reader": ""}), "reader")


def test_ducking_changes_a_mix_and_not_what_music_is_made(user_file):
    changed = presets.load(user_file({"roles": {"narration_bed": {"ducking": {"depth_db": 3.0}}}}))
    assert changed != presets.load()
    assert changed.digest == presets.load().digest


def test_a_new_style_needs_description_and_tags_only(user_file):
    style = presets.load(user_file({"presets": STYLE})).style("mine")
    assert (style.valence, style.energy, style.moods, style.topics) == (0, 0, (), ())


def test_synthesis_merges_key_by_key_and_null_takes_it_away(user_file, tmp_path):
    first = {"mine": {**STYLE["mine"], "synthesis": {"tempo_bpm": 80, "pad": {"gain": 0.5, "bright": True}}}}
    base = presets.load(user_file({"presets": first}))
    assert base.resolve("mine", "ui_sfx", "final").values["synthesis"]["pad"] == {"gain": 0.5, "bright": True}
    resolved = base.resolve("mine", "ui_sfx", "final", {"synthesis": {"tempo_bpm": 90}})
    assert resolved.values["synthesis"] == {"tempo_bpm": 90, "pad": {"gain": 0.5, "bright": True}}
    part = user_file({"presets": {"ambient_lofi": {"synthesis": {"tempo_bpm": 70}}}})
    patched = presets.load(part).resolve("ambient_lofi", "ui_sfx", "final")
    shipped = presets.load().resolve("ambient_lofi", "ui_sfx", "final")
    assert patched.values["synthesis"] == {**shipped.values["synthesis"], "tempo_bpm": 70}
    assert patched.sources["synthesis"] == f"style ambient_lofi in {part}"
    assert shipped.sources["synthesis"] == "style ambient_lofi"
    none = {"mine": {**STYLE["mine"], "synthesis": None}}
    assert presets.load(user_file({"presets": none})).style("mine").synthesis is None


@pytest.mark.parametrize(
    ("given_as", "words"),
    [(True, "intro, theme, outro"), (False, ""), (None, ""), ("a, b", "a, b"), (["a", "b"], "a, b")],
)
def test_append_structure_takes_a_switch_or_words(user_file, given_as, words):
    library = presets.load(user_file({"prompt_metadata": {"append_structure": given_as}}))
    assert library.prompt_metadata.append_structure == words


@pytest.mark.parametrize("section", ["prompt_metadata", "prompt", "defaults"])
def test_prompt_keys_may_stand_in_three_places_but_once(user_file, section):
    path = user_file({section: {"prepend_tags": "hifi, clean"}})
    assert presets.load(path).prompt_metadata.prepend_tags == ("hifi", "clean")
    if section != "prompt_metadata":
        both = {section: {"language": "de"}, "prompt_metadata": {"language": "en"}}
        refused(user_file(both), f"{section}.language", "prompt_metadata.language", "keep one")


@pytest.mark.parametrize(
    "text", ["", "musicgen:", "musicgen: {}", "# a remark\n", "\ufeffmusicgen: {roles: }"]
)
def test_an_empty_file_changes_nothing(user_file, text):
    assert presets.load(user_file(text)) == presets.load()


def test_aliases_and_merge_keys_of_sensible_size_are_read(user_file):
    text = (
        "musicgen: {presets: {one: &one {description: x, prompt_tags: [a]}, two: {<<: *one, description: y}}}"
    )
    library = presets.load(user_file(text))
    assert library.style("two").prompt_tags == ("a",)
    assert library.style("two").description == "y"


def test_the_page_offers_the_places_and_times_of_the_vocabulary():
    scripts = Path(presets.__file__).parents[1].joinpath("web", "static").rglob("*.js")
    text = "\n".join(script.read_text("utf-8") for script in scripts)
    for name, valid in (("PLACES", presets.ENVIRONMENTS), ("TIMES", presets.TIMES_OF_DAY)):
        (listed,) = re.findall(rf"const {name} = (\[[^\]]*\])", text)
        assert json.loads(listed) == list(valid)


# What is refused, in one sentence


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        ({"role": {}}, ["role is no known key", "roles"]),
        ({"defaults": {"temprature": 1}}, ["defaults.temprature", "its value is 1", "temperature"]),
        ({"defaults": {"top_k": 2.5}}, ["defaults.top_k is 2.5", "whole number"]),
        ({"defaults": {"top_k": True}}, ["defaults.top_k is true", "whole number"]),
        ({"defaults": {"duration_s": -1}}, ["defaults.duration_s is -1", "above 0"]),
        ({"defaults": {"duration_s": "long"}}, ["'long'", "a number"]),
        ({"defaults": {"temperature": math.nan}}, ["finite number"]),
        ({"defaults": {"normalize_duration": "cut"}}, ["'cut'", "'crop', 'pad' or 'strict'"]),
        ({"defaults": {"use_sampling": "yes"}}, ["'yes'", "true or false"]),
        ({"defaults": {"language": False}}, ["language is false", "in quotes"]),
        ({"presets": {"a": {"description": "x", "prompt_tags": []}}}, ["prompt_tags", "at least 1 entry"]),
        (
            {"presets": {"a": {"description": "x", "prompt_tag": "y"}}},
            ["presets.a.prompt_tag", "prompt_tags"],
        ),
        ({"presets": {"A b": STYLE["mine"]}}, ["'A b'", "lower-case"]),
        ({"presets": {"a": {**STYLE["mine"], "moods": ["calmm"]}}}, ["'calmm'", "calm"]),
        ({"presets": {"a": {**STYLE["mine"], "environment": "forrest"}}}, ["'forrest'", "forest"]),
        ({"presets": {"a": {**STYLE["mine"], "description": "x\u202e"}}}, ["control characters"]),
        ({"roles": {"ui_sfxx": {"loopable": True}}}, ["roles.ui_sfxx.description is missing", "ui_sfx?"]),
        ({"roles": 3}, ["roles is 3", "a mapping"]),
        ({"roles": {"ui_sfx": {"ducking": 6}}}, ["roles.ui_sfx.ducking is 6", "a mapping"]),
        ({"roles": {"ui_sfx": {"ducking": {"depth_db": 61.0}}}}, ["ducking.depth_db is 61.0", "at most 60"]),
        (
            {"roles": {"ui_sfx": {"ducking": {"relase_s": 1.0}}}},
            ["roles.ui_sfx.ducking.relase_s is no known key", "release_s?"],
        ),
        ({"quality": {"best": {"description": "x", "max_duration_s": 3}}}, ["'best'", "'final'"]),
        ({"model": {"size": "huge"}}, ["model.size is 'huge'", "'melody'"]),
        ({"check": {"retakes": 9}}, ["check.retakes is 9", "at most 5"]),
        ({"check": 3}, ["check is 3", "a mapping"]),
        ({"check": {"retake": 1}}, ["check.retake is no known key", "retakes?"]),
        ({"defaults": {"top_k": "a", "top_p": "b"}}, ["defaults.top_k", "and 1 more"]),
    ],
)
def test_a_wrong_value_is_refused_by_file_key_value_and_what_is_valid(user_file, content, parts):
    path = user_file(content)
    refused(path, str(path), *parts)


@pytest.mark.parametrize(
    "section", ["model", "defaults", "prompt_metadata", "reader", "scrub", "ear", "check"]
)
def test_a_key_that_a_section_does_not_know_is_refused_with_those_that_it_knows(user_file, section):
    refused(user_file({section: {"zzzz": 9}}), f"{section}.zzzz is no known key", "valid are ")


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("presets: {}", "under `musicgen:`"),
        ("[1, 2]", "a mapping under `musicgen:`"),
        ("musicgen: 3", "a mapping of sections"),
        ("a: b: c", "not valid YAML at line 1, column 5"),
        ("musicgen: {model: {}, model: {}}", "'model' twice"),
        ("musicgen: {1: 2}", "in quotes"),
        ("musicgen: {on: 2}", "in quotes"),
        ("musicgen: 1\n---\nmusicgen: 2", "another document"),
        ("musicgen: !!python/object/apply:os.getcwd []", "not valid YAML"),
        ("musicgen: {defaults: {duration_s: 2020-13-45}}", "cannot read"),
        ("musicgen: {defaults: {duration_s: 2020-01-01}}", "a number"),
        ("musicgen: &a [*a]", "aliases"),
        ("[" * 100_000, "deeper than 32"),
        ("musicgen: {x: '" + "y" * 300_000 + "'}", "larger than"),
        ("musicgen: \x07", "not valid YAML"),
    ],
)
def test_a_broken_or_hostile_file_is_refused(user_file, text, part):
    refused(user_file(text), part)


@pytest.mark.parametrize("use", ["[{}]", "{{<<: [{}]}}"])
def test_an_alias_bomb_is_refused_before_it_expands(user_file, use):
    lines = ["musicgen:", "  a0: &a0 {k: v}"]
    lines += [f"  a{n}: &a{n} " + use.format(", ".join([f"*a{n - 1}"] * 9)) for n in range(1, 12)]
    refused(user_file("\n".join(lines)), "aliases")


def test_files_that_cannot_be_read_are_refused(tmp_path):
    refused(tmp_path / "none.yaml", "none.yaml", "No such file")
    refused(tmp_path, "directory")
    latin = tmp_path / "latin.yaml"
    latin.write_bytes("musicgen: {model: {size: é}}".encode("latin-1"))
    refused(latin, "not UTF-8")


# Resolving


def test_unknown_names_come_with_the_nearest_valid_ones(user_file):
    library = presets.load(user_file({"presets": STYLE}))
    for arguments, parts in (
        (("mime", "ui_sfx", "preview"), ("style 'mime'", "mine")),
        (("mine", "uisfx", "preview"), ("role 'uisfx'", "ui_sfx")),
        (("mine", "ui_sfx", "prevue"), ("quality tier 'prevue'", "preview")),
    ):
        with pytest.raises(PresetError) as caught:
            library.resolve(*arguments)
        assert all(part in str(caught.value) for part in parts)
    with pytest.raises(PresetError, match=r"defaults\.top_k"):
        library.origin("defaults.topk")


@pytest.mark.parametrize(
    ("overrides", "parts"),
    [
        ({"top_j": 3}, ["top_j", "top_k"]),
        ({"duration_s": 0}, ["duration_s is 0", "above 0"]),
        ({"duration_s": -4.0}, ["-4.0", "above 0"]),
        ({"duration_s": math.nan}, ["finite"]),
        ({"duration_s": math.inf}, ["finite"]),
        ({"duration_s": 1e9}, ["at most 600"]),
        ({"duration_s": "30"}, ["'30'", "a number"]),
        ({"seed": -1}, ["at least 0"]),
        ({"seed": True}, ["whole number"]),
        ({"max_steps": 10}, ["max_steps", "no known key"]),
        ({"synthesis": {"a": math.inf}}, ["finite numbers"]),
        ({"prompt_tags": ["a", 3]}, ["prompt_tags.1 is 3", "text"]),
    ],
)
def test_overrides_are_validated_like_the_file(user_file, overrides, parts):
    library = presets.load(user_file({"presets": STYLE}))
    with pytest.raises(PresetError) as caught:
        library.resolve("mine", "ui_sfx", "preview", overrides)
    assert all(part in str(caught.value) for part in parts)


def test_the_tier_caps_the_duration_and_says_so_only_to_a_caller_who_asked(user_file):
    library = presets.load(user_file({"presets": STYLE}))
    cut = library.resolve("mine", "ui_sfx", "preview", {"duration_s": 90.0})
    assert cut.values["duration_s"] == library.tier("preview").max_duration_s
    assert cut.sources["duration_s"] == "quality preview"
    assert len(cut.warnings) == 1
    assert "90" in cut.warnings[0]
    assert "final (300)" in cut.warnings[0]
    quiet = library.resolve("mine", "focus_track", "preview")
    assert quiet.values["duration_s"] == library.tier("preview").max_duration_s
    assert quiet.warnings == ()


def test_a_loop_has_no_fades(user_file):
    library = presets.load(user_file({"presets": STYLE}))
    quiet = library.resolve("mine", "narration_bed", "standard", {"loopable": True})
    assert (quiet.values["fade_in_s"], quiet.values["fade_out_s"]) == (0, 0)
    assert quiet.sources["fade_in_s"] == "caller"
    assert quiet.warnings == ()
    loud = library.resolve("mine", "loop_bed", "standard", {"fade_out_s": 2.0})
    assert loud.values["fade_out_s"] == 0
    assert "fade_out_s 2" in loud.warnings[0]


def test_switching_normalization_off_takes_the_target_away(user_file):
    library = presets.load(user_file({"presets": STYLE}))
    off = library.resolve(
        "mine", "ui_sfx", "final", {"loudness_normalization": False, "loudness_lufs": -10.0}
    )
    assert off.values["loudness_lufs"] is None
    assert "loudness_lufs -10" in off.warnings[0]
    assert library.resolve("mine", "ui_sfx", "final").values["loudness_lufs"] == -18


def test_a_users_size_that_a_shipped_tier_outranks_is_not_lost_in_silence(user_file):
    path = user_file({"presets": STYLE, "model": {"size": "large"}})
    resolved = presets.load(path).resolve("mine", "ui_sfx", "preview")
    assert resolved.values["size"] == "small"
    assert "model.size large" in resolved.warnings[0]
    free = user_file(
        {"presets": STYLE, "model": {"size": "large"}, "quality": {"preview": {"model_size": None}}}
    )
    resolved = presets.load(free).resolve("mine", "ui_sfx", "preview")
    assert resolved.values["size"] == "large"
    assert resolved.sources["size"] == f"default in {free}"
    assert resolved.warnings == ()


def test_steps_are_counted_in_the_numbers_as_written(user_file):
    library = presets.load(user_file({"presets": STYLE}))
    for duration_s, steps in ((1.1, 55), (2.3, 115), (0.29, 15), (0.001, 1), (30, 1500)):
        resolved = library.resolve("mine", "focus_track", "final", {"duration_s": duration_s})
        assert resolved.values["max_steps"] == steps


# Laws over all files

numbers = {
    "duration_s": st.floats(0.1, 300),
    "use_sampling": st.booleans(),
    "top_k": st.integers(0, 2048),
    "top_p": st.floats(0, 1),
    "temperature": st.floats(0, 5),
    "cfg_coef": st.floats(0, 20),
    "negative_prompt": st.sampled_from(["", "vocals", "vocals, distortion"]),
    "two_step_cfg": st.booleans(),
    "normalize_duration": st.sampled_from(["crop", "pad", "strict"]),
    "loudness_normalization": st.booleans(),
    "channels": st.integers(1, 2),
}
generation = st.fixed_dictionaries({}, optional=numbers)


@property_test
@given(defaults=generation, style=generation, role=generation, tier=generation, caller=generation)
def test_the_last_layer_that_sets_a_value_wins_and_is_named(user_file, defaults, style, role, tier, caller):
    path = user_file(
        {
            "defaults": defaults,
            "presets": {"mine": {**STYLE["mine"], **style}},
            "roles": {"part": {"description": "A part.", **role}},
            "quality": {"final": tier},
        }
    )
    resolved = presets.load(path).resolve("mine", "part", "final", caller)
    layers = [
        ("default", presets.load().defaults.model_dump()),
        (f"default in {path}", defaults),
        (f"style mine in {path}", style),
        (f"role part in {path}", role),
        (f"quality final in {path}", tier),
        ("caller", caller),
    ]
    for key in numbers:
        source, value = [(source, layer[key]) for source, layer in layers if key in layer][-1]
        assert resolved.values[key] == value, key
        assert resolved.sources[key] == source, key
    assert set(resolved.sources) == set(resolved.values)
    steps = resolved.values["duration_s"] * 50
    assert resolved.values["max_steps"] == pytest.approx(steps, abs=1.0)
    assert resolved.values["max_steps"] >= steps - 1e-6


names = st.text(string.ascii_lowercase + string.digits, min_size=1, max_size=8)
scalars = st.none() | st.booleans() | st.integers(-9, 9) | st.floats(-2, 2) | names
entries = st.fixed_dictionaries(
    {"description": names, "prompt_tags": st.lists(names, min_size=1, max_size=3)},
    optional={
        **numbers,
        "moods": st.lists(st.sampled_from(sorted(presets.MOODS)), max_size=2),
        "synthesis": st.dictionaries(
            names, scalars | st.dictionaries(names, scalars, max_size=2), max_size=3
        ),
    },
)
files = st.fixed_dictionaries(
    {}, optional={"defaults": generation, "presets": st.dictionaries(names, entries, max_size=3)}
)


def content_of(library):
    """Return all that a library holds, in the shape of a configuration file."""
    values = {
        "model": library.model,
        "defaults": library.defaults,
        "prompt_metadata": library.prompt_metadata,
        "presets": library.styles,
        "roles": library.roles,
        "quality": library.quality,
    }
    return {
        section: {name: entry.model_dump(mode="json") for name, entry in body.items()}
        if isinstance(body, Mapping)
        else body.model_dump(mode="json")
        for section, body in values.items()
    }


@settings(property_test, max_examples=20)  # each reads and writes the whole library
@given(content=files)
def test_a_library_written_out_loads_back_equal(user_file, content):
    path = user_file(content)
    library = presets.load(path)
    again = presets.load(user_file(content_of(library)))
    assert again == library
    assert again.digest == library.digest
    for key, _, origin in library.explain():
        assert origin in ("shipped", "default", str(path))
        assert library.origin(key) == origin


keys = st.sampled_from(
    [
        "musicgen",
        "model",
        "defaults",
        "presets",
        "roles",
        "quality",
        "prompt",
        "prompt_metadata",
        "preview",
        "ui_sfx",
        "size",
        "top_k",
        "duration_s",
        "description",
        "prompt_tags",
        "synthesis",
        "language",
        "x-y",
    ]
)
junk = st.recursive(
    scalars | st.text(max_size=8) | st.floats() | st.dates(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(keys | st.text(max_size=4), inner, max_size=4)
    ),
    max_leaves=12,
)


@property_test
@given(content=st.dictionaries(keys, junk, max_size=4), overrides=st.dictionaries(keys, junk, max_size=3))
def test_garbage_in_a_file_or_call_is_only_ever_a_preset_error(user_file, content, overrides):
    path = user_file(content)
    assert "\n" not in complaint(lambda: presets.load(path))
    library = presets.load(user_file({"presets": STYLE}))
    assert "\n" not in complaint(lambda: library.resolve("mine", "ui_sfx", "preview", overrides))


@property_test
@given(
    data=st.binary(max_size=80) | st.text("musicgen:&*<>{}[]!|-'\"#%@ \n?,ab", max_size=60).map(str.encode)
)
def test_arbitrary_bytes_are_only_ever_a_preset_error(data):
    message = complaint(lambda: parse(data, "given"))
    assert not message or "given" in message
