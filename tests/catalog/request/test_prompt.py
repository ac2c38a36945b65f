"""The prompt of a generator is in its language, or has no topic."""

from __future__ import annotations

import pytest
from builders import some_features

from music_catalog.models import Brief, Choices, Context
from music_catalog.presets import load as load_presets
from music_catalog.request.builder import build, key_of, load_library
from music_catalog.request.prompt import mood_of, prompt_of
from music_catalog.text import language
from music_catalog.text.features import extract
from music_catalog.text.summary import is_prose, plain_text, segments, summarize

LIBRARY = load_presets(None)
TAGS = ", ".join(LIBRARY.style("ambient_lofi").prompt_tags)


def prompt(text: str, **stated: object) -> str:
    resolved = LIBRARY.resolve("ambient_lofi", "background_bed", "preview")
    return prompt_of(resolved, extract(Context(text=text, **stated))).removeprefix(f"{TAGS}. ")


def test_english_prose_stands_in_it() -> None:
    assert prompt("Rain falls on the old town.").startswith("Rain falls on the old town. ")


@pytest.mark.parametrize(
    "text",
    [
        "ฝนตกเบา ๆ บนหลังคาบ้าน",
        "In der Schule wurde am Morgen eine Bombe gefunden.",
        "Watoto wanacheza ufukweni kila siku",
        "def add(a, b):\n    return a + b\n\nclass Foo(Bar):\n    x = 3\n",
        '{"id": 3, "name": "Ada", "tags": ["x", "y"], "address": {"city": "Paris"}}',
        "SELECT name, COUNT(*) FROM users WHERE age > 30 GROUP BY name ORDER BY 2 DESC;",
        "https://example.org/a/b?c=d",
        "| Name | Age | City |\n|---|---|---|\n| Alice | 30 | Paris |\n| Bob | 25 | Rome |",
        "Traceback (most recent call last):\n  File \"x.py\", line 3, in <module>\n    foo()\nKeyError: 'name'",
        "name,age,city\nAlice,30,Paris\nBob,25,Rome\n",
    ],
)
def test_a_topic_that_is_no_english_prose_does_not(text: str) -> None:
    assert prompt(text, emotional_tone_description="calm") == "calm."
    topic = extract(Context(text=text)).summary_of_topic
    assert topic
    assert topic not in prompt(text)


def test_place_and_time_of_day_stand_in_for_it() -> None:
    text = "ฝนตกเบา ๆ บนหลังคาบ้าน"
    stated = {"environment": "ocean", "time_of_day": "night", "emotional_tone_description": "calm"}
    assert prompt(text, **stated) == "ocean, night. calm."


def test_the_caller_may_state_an_english_topic_of_a_foreign_text_and_no_foreign_one() -> None:
    text = "ฝนตกเบา ๆ บนหลังคาบ้าน"
    assert prompt(text, summary_of_topic="soft rain on a roof").startswith("soft rain on a roof. ")
    assert "Regen" not in prompt("Soft rain.", summary_of_topic="Leiser Regen fällt auf das Dach")
    assert "ruhig" not in prompt("Soft rain.", emotional_tone_description="ruhig und ein wenig traurig")
    assert "voices" not in prompt("Soft voices in the hall.", language="de")


TRIUMPH = "What a triumphant victory, a glorious and joyful landslide for the party."


def with_brief(brief: Brief, text: str = TRIUMPH, **stated: object) -> str:
    resolved = LIBRARY.resolve("ambient_lofi", "background_bed", "preview")
    return prompt_of(resolved, extract(Context(text=text, **stated)), brief)


def test_mood_words_that_contradict_the_music_wanted_are_left_out() -> None:
    assert "party. triumphant" in with_brief(Brief(styles={}, valence=0.7, energy=0.7))
    assert with_brief(Brief(styles={}, valence=0.0, energy=-0.3)).endswith("party. low energy.")


def test_a_mood_that_the_caller_states_stands_in_it_whatever_the_brief_says() -> None:
    brief = Brief(styles={}, valence=0.0, energy=-0.3)
    assert "party. triumphant, very high energy" in with_brief(brief, mood_tags=("triumphant",), energy=0.9)
    assert with_brief(brief, emotional_tone_description="proud and loud").endswith("proud and loud.")


def test_the_mood_of_the_music_is_the_callers_else_the_briefs_else_the_texts() -> None:
    brief = Brief(styles={}, valence=0.1, energy=-0.3)
    read = extract(Context(text=TRIUMPH))
    assert mood_of(read, None) == (read.valence, read.energy)
    assert mood_of(read, brief) == (0.1, -0.3)
    assert mood_of(extract(Context(text=TRIUMPH, valence=-0.5)), brief)[0] == -0.5


def test_a_prompt_in_another_language_is_the_users_choice(tmp_path) -> None:
    (tmp_path / "catalog.yaml").write_text("musicgen:\n  prompt_metadata: {language: de}\n", "utf-8")
    resolved = load_library(None, tmp_path).resolve("ambient_lofi", "background_bed", "preview")
    german = some_features(summary_of_topic="Der Regen fällt auf das Dach", language="de-AT")
    assert "Regen" in prompt_of(resolved, german)
    english = some_features(summary_of_topic="The rain falls on the roof", language="en")
    assert "rain" not in prompt_of(resolved, english)


def test_the_key_does_not_depend_on_it() -> None:
    context, choices = Context(text="ฝนตกเบา ๆ บนหลังคาบ้าน"), Choices(backend="procedural")
    key = key_of(context, choices, LIBRARY, {})
    made = build(context, extract(context), choices, LIBRARY, key=key, find_weights=lambda _: None)
    assert made.key == key
    assert "ฝน" not in made.prompt
    assert "ฝน" in made.features.summary_of_topic


class TestSummary:
    def test_code_beside_prose_is_no_part_of_it(self) -> None:
        text = (
            "To install it, run the setup script first.\n\nimport foo\nfoo.run(x=1, y=3)\n\n"
            "Then the service starts by itself."
        )
        found = summarize(segments(plain_text(text)))
        assert "setup script" in found
        assert "foo" not in found

    def test_a_name_of_code_among_words_is_prose(self) -> None:
        assert is_prose(
            "The loop never ends because i is only incremented inside the if; Move i += 1 out of it"
        )
        assert is_prose("Cancel a subscription: Profile > Billing > Manage > scroll past the offers")
        assert is_prose("Final standings, Group C: Ghana 7, Peru 5, Korea 4, Denmark 0")
        assert is_prose("Pacific First sold its shares for $27 a share at 14:40 on 3/4, said C.R.S. Miller")

    @pytest.mark.parametrize("part", ["x", "a.", "a,", "a/", "a_", "é"])
    def test_one_endless_token_takes_no_time(self, part: str) -> None:
        # With time that grows with the square of the length this would take minutes.
        assert is_prose(part * 100_000) in (True, False)
        assert language.guess(part * 100_000)

    def test_a_code_block_alone_is_summed_up_as_it_is(self) -> None:
        assert "print" in summarize(segments("print('hello')"))
