"""A title that a person gives: on the command line, in lists, file names and playlists, and in a search for words."""

from __future__ import annotations

import pytest
from sample_texts import CALM, SHORT

from music_catalog.export import list_bytes, name_of, plain_letters
from music_catalog.history import feedback
from music_catalog.integrations.description import track_text
from music_catalog.report import line


def test_a_title_stands_in_place_of_the_summary_until_it_is_taken_away(service):
    made = service.find_or_make(CALM, **SHORT).track
    assert made.name == made.summary
    named = feedback.label(service.store, made.id[:8], title="Zephyr Overture")
    assert (named.name, named.summary) == ("Zephyr Overture", made.summary)
    assert "zephyr-overture" in name_of(named)
    german = named.model_copy(update={"title": "Fröhlicher Straßentag in Łódź"})
    assert name_of(german) == f"{made.style}-frohlicher-strassentag-in-lodz-{made.id}"
    other = named.model_copy(update={"title": "Тихий дождь / が"})
    assert name_of(other) == f"{made.style}-тихий-дождь-が-{made.id}"
    assert line(named).endswith("Zephyr Overture")
    assert "Zephyr Overture" in repr(named)
    assert track_text(named).startswith("Title: Zephyr Overture\n")
    playlist = list_bytes([named], "m3u", lambda track: track.audio_path).decode()
    assert f"{made.style} - Zephyr Overture" in playlist
    assert [hit.track.id for hit in service.search("zephyr", by="words")] == [made.id]
    assert service.find_or_make(CALM, **SHORT).track.title == "Zephyr Overture"
    assert service.store.care.check(deep=True) == []
    assert feedback.label(service.store, made.id, title="") == made
    assert service.search("zephyr", by="words") == []


@pytest.mark.parametrize(
    ("title", "plain"),
    [
        ("İstanbul", "istanbul"),
        ("x̌ye ậ̌ \u0301o", "xye-a-o"),
        ("𝔘𝔫𝔡 Ⅷ", "und-viii"),
        ("ǿ ᴭ", "o-ae"),
        ("I ♥\ufe0f 1 ≠ 2", "i-1-2"),
        ("हिन्दी Ѝй Γαΐ ไทยำ", "हिन्दी-ѝй-γαΐ-ไทยํา"),
    ],
)
def test_latin_letters_of_a_file_name_are_small_and_without_marks(title, plain):
    assert plain_letters(title) == plain
