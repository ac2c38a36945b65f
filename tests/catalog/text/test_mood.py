"""Mood words, denials, and the distance of two moods."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from music_catalog.models import Context, Features
from music_catalog.presets.vocabulary import MOODS
from music_catalog.text import encoder as encoders
from music_catalog.text.encoder import Encoder
from music_catalog.text.features import extract
from music_catalog.text.lexicon import OPPOSITES, english, foreign, stem, unspaced
from music_catalog.text.mood import denied_moods, mood_distance, read_mood


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return encoders.load()


def of(text: str, encoder: Encoder | None = None, **known: object) -> Features:
    return extract(Context(text=text, **known), encoder)


class TestMoodWords:
    @pytest.mark.parametrize(
        ("text", "tag"),
        [
            ("a mournful ballad", "grieving"),
            ("calmly she breathed", "calm"),
            ("The energy was relaxing.", "calm"),
            ("It is not scary.", "calm"),
            ("It isn't happy at all.", "sad"),
            ("It is anything but peaceful.", "tense"),
            ("It was far from cheerful.", "sad"),
            ("a scene without joy", "sad"),
            ("He was never so happy.", "happy"),
            ("Not only sad, it also rained.", "sad"),
            ("It began happy, but it ended sad.", "sad"),
            ("Although it was sad, it was joyful.", "joyful"),
            ("슬픈 노래", "sad"),
            ("とても静かな森", "calm"),
            ("悲伤的雨夜", "sad"),
            ("Грустный вечер у моря", "sad"),
            ("Una canción muy triste y la noche", "sad"),
        ],
    )
    def test_the_strongest_word_wins(self, text: str, tag: str) -> None:
        assert of(text).mood_tags[0] == tag

    def test_what_is_denied_is_told(self) -> None:
        assert denied_moods("There is nothing to be afraid of, only a sad song.") == {"scary"}
        assert denied_moods("Not calm, but scary.") == {"calm"}
        assert denied_moods("It is scary.") == frozenset()

    def test_denial_reaches_three_words_and_stops_at_a_comma(self) -> None:
        assert read_mood("no, happy people").tags == {"happy": 1.0}
        assert read_mood("not a very happy day").tags["sad"] > 0
        assert read_mood("nobody said no and then came a long and happy day").tags == {"happy": 1.0}

    def test_words_of_pace_move_energy_alone(self) -> None:
        slow, fast = read_mood("a slow piece"), read_mood("a fast piece")
        assert slow.energy < -0.3 < 0.3 < fast.energy
        assert slow.valence == fast.valence == 0
        assert not slow.tags

    def test_english_words_are_not_read_in_other_languages(self) -> None:
        assert read_mood("fast alle Kinder", "de").weight == 0
        assert of("Der Krieg war fast vorbei und die Kinder sind nicht mehr da.").energy < 0.2

    def test_every_listed_mood_is_in_the_vocabulary(self) -> None:
        tags = {entry[0] for table in (english(), foreign(), unspaced()) for entry in table.values()} - {""}
        assert tags == MOODS.keys() - {"neutral"}
        assert set(OPPOSITES) | set(OPPOSITES.values()) <= MOODS.keys()

    def test_an_opposite_lies_on_the_other_side(self) -> None:
        for tag, other in OPPOSITES.items():
            (v, e), (w, f) = MOODS[tag], MOODS[other]
            assert abs(v - w) + abs(e - f) > 0.5

    def test_forms_of_one_word_meet(self) -> None:
        assert len({stem(word) for word in ("calm", "calmly", "calming", "calmness", "calmed")}) == 1


SWAPS = [
    ("happy", "sad"),
    ("calm", "aggressive"),
    ("slow", "fast"),
    ("romantic", "angry"),
    ("mellow", "energetic"),
]


class TestReversedMood:
    @pytest.mark.parametrize(("one", "other"), SWAPS)
    @pytest.mark.parametrize("words_only", [True, False])
    def test_it_is_farther_than_a_paraphrase(
        self, encoder: Encoder, one: str, other: str, words_only: bool
    ) -> None:
        reader = None if words_only else encoder
        text = "The music is {}, with a piano melody over drums and strings, heard in a film by the sea."
        again = "A piano melody over strings and drums; {} music for a film by the ocean."
        original, reversed_, rephrased = (
            of(t, reader) for t in (text.format(one), text.format(other), again.format(one))
        )
        assert mood_distance(original, reversed_) > 0.2
        assert mood_distance(original, rephrased) < 0.15
        vectors = encoder.encode([text.format(one), text.format(other)])
        assert float(vectors[0] @ vectors[1]) > 0.8, "the encoder alone would tell them apart"


def test_words_of_pace_move_the_energy_alone() -> None:
    sad, fast_and_sad = read_mood("a sad song"), read_mood("a fast and sad song")
    assert fast_and_sad.valence == pytest.approx(sad.valence)
    assert fast_and_sad.energy > sad.energy
    assert fast_and_sad.energy_force > fast_and_sad.valence_force


def test_a_word_that_names_a_mood_outweighs_one_that_suggests_it() -> None:
    mixed = read_mood("a sad birthday")
    assert mixed.valence < -0.4
    assert set(mixed.tags) == {"sad", "happy"}


unit = st.floats(-1, 1)
moods = st.lists(st.sampled_from([*MOODS, "unheard-of"]), max_size=4).map(tuple)
feelings = st.builds(lambda v, e, t: SimpleNamespace(valence=v, energy=e, mood_tags=t), unit, unit, moods)


class TestMoodDistance:
    @settings(max_examples=300, deadline=None)
    @given(feelings, feelings)
    def test_it_is_symmetric_bounded_and_zero_for_the_same(
        self, a: SimpleNamespace, b: SimpleNamespace
    ) -> None:
        assert 0 <= mood_distance(a, b) <= 1
        assert mood_distance(a, b) == pytest.approx(mood_distance(b, a))
        assert mood_distance(a, a) == 0

    def test_opposites_are_near_one_and_neighbours_near_zero(self) -> None:
        def placed(tag: str) -> SimpleNamespace:
            return SimpleNamespace(valence=MOODS[tag][0], energy=MOODS[tag][1], mood_tags=(tag,))

        assert mood_distance(placed("sad"), placed("joyful")) > 0.95
        assert mood_distance(placed("calm"), placed("chaotic")) > 0.95
        assert mood_distance(placed("calm"), placed("peaceful")) < 0.2
        assert mood_distance(placed("neutral"), placed("calm")) < mood_distance(
            placed("tense"), placed("calm")
        )
