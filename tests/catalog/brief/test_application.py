"""What the application is counts beside the text."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from chat_server import GOOD, says, serve

from music_catalog import presets
from music_catalog.brief import supervisor as supervising
from music_catalog.brief.supervisor import Supervisor
from music_catalog.errors import InputError
from music_catalog.models import Choices, Context
from music_catalog.presets import Reader
from music_catalog.request.context import read_context
from music_catalog.request.selection import pick_style
from music_catalog.text import encoder as encoders
from music_catalog.text import language
from music_catalog.text.features import features_of
from music_catalog.text.parsed import in_english, parse

STYLES = presets.load(None).styles
KNIFE = "The knife is in your own desk drawer. You didn't put it there."
DETECTIVE = "a noir detective adventure in Buenos Aires in 1946"
BEDTIME = "bedtime stories for small children"


def a_supervisor(application=None, endpoint=None, home=Path()):
    return Supervisor(STYLES, encoders.load(), endpoint, home, application)


def read(supervisor, text=KNIFE, **stated):
    """Return the brief of a text and the style that is picked, with the reason."""
    context = Context(text=text, **stated)
    parsed = parse(context, encoders.load(), None)
    features = features_of(context, parsed)
    brief, _ = supervisor.read(context, parsed, features)
    return brief, *pick_style(context, features, Choices(), STYLES, brief)


def test_the_same_line_gets_the_music_of_its_application():
    nothing, alone, _ = read(a_supervisor())
    detective, style, why = read(a_supervisor(DETECTIVE))
    children, other, _ = read(a_supervisor(BEDTIME))
    assert (nothing.application, detective.application) == (None, DETECTIVE)
    assert style == "mystery_noir"
    assert alone != style != other
    assert "suits the text and the application" in why
    assert children.styles["lullaby"].passes > detective.styles["lullaby"].passes


def test_the_vectors_of_a_description_are_kept_and_those_of_many_are_not(monkeypatch):
    monkeypatch.setattr(supervising, "_descriptions", {})
    monkeypatch.setattr(supervising, "MOST_DESCRIPTIONS", 2)
    parsed = parse(Context(text=KNIFE), encoders.load(), None)
    first = supervising.with_application(DETECTIVE, parsed, encoders.load(), None)[2]
    assert supervising.with_application(DETECTIVE, parsed, encoders.load(), None)[2] is first
    assert np.array_equal(first, encoders.embed_layers(encoders.load(), DETECTIVE))
    for described in (BEDTIME, "a bank's support"):
        supervising.with_application(described, parsed, encoders.load(), None)
        assert len(supervising._descriptions) <= 2


def test_what_a_request_states_wins_over_the_configuration():
    configured = a_supervisor(DETECTIVE)
    assert read(configured, application=BEDTIME) == read(a_supervisor(BEDTIME))
    assert read(configured, application="") == read(a_supervisor())


def test_a_description_in_another_language_is_read_in_english():
    brief, _, _ = read(a_supervisor("Cuentos para dormir a los niños pequeños por la noche"))
    assert brief.styles["lullaby"].passes > read(a_supervisor())[0].styles["lullaby"].passes


def test_a_description_whose_language_cannot_be_told_is_read_as_the_text():
    knife = "Das Messer liegt in deiner eigenen Schublade, und du hast es nicht hineingelegt."
    parsed = parse(Context(text=knife), encoders.load(), None)
    assert (parsed.language, language.guess("Ein Krimi in Buenos Aires, 1946.")) == ("de", "und")
    assert in_english("Ein Krimi in Buenos Aires, 1946.", encoders.load(), parsed).startswith("one Krimi in")


def test_a_brief_that_the_caller_states_stands_as_stated():
    stated = {"fits": ["funk_groove"], "valence": 0.5, "energy": 0.5}
    brief, style, _ = read(a_supervisor(DETECTIVE), brief=stated)
    assert (style, brief.application) == ("funk_groove", None)


def test_a_language_model_is_told_what_the_application_is(tmp_path):
    (tmp_path / "cache").mkdir()
    with serve(says(GOOD)) as server:
        supervisor = a_supervisor(DETECTIVE, Reader(base_url=server.url, model="tiny"), tmp_path)
        brief, _, why = read(supervisor)
        read(supervisor, application="")
        read(supervisor)
    assert (brief.read_by, brief.application) == ("language model", DETECTIVE)
    assert "and the application" in why
    with_it, without = (asked["messages"][0]["content"] for asked in server.asked)
    assert f"The app, which sets world, era and tone: {DETECTIVE}" in with_it
    assert "The app, which sets" not in without


def test_a_description_has_at_most_500_characters():
    assert Context(text=KNIFE, application=" a quiz\n for two ").application == "a quiz for two"
    with pytest.raises(
        InputError, match=r"^application is 'xxx.*, 501 characters; at most 500 are accepted$"
    ):
        read_context(KNIFE, application="x" * 501)
