"""Features: any text, the caller wins, words reversed are mood reversed, and no place where there is none."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from music_catalog.models import Context, Features, clean_line
from music_catalog.presets.vocabulary import ENVIRONMENTS, MOODS, TIMES_OF_DAY
from music_catalog.text import encoder as encoders
from music_catalog.text import language, lexicon, mood, parsed, prototypes, setting, summary
from music_catalog.text.encoder import Encoder
from music_catalog.text.features import extract
from tests.fakes import WordHashEncoder


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return encoders.load()


def of(text: str, encoder: Encoder | None = None, **known: object) -> Features:
    return extract(Context(text=text, **known), encoder)


def valid_text() -> st.SearchStrategy[str]:
    letters = st.characters(exclude_categories=["Cs"], exclude_characters="\x00")
    return st.text(letters, min_size=1, max_size=600).filter(clean_line)


class Noting:
    """The fake encoder, which notes what it encodes."""

    def __init__(self) -> None:
        self._encoder = WordHashEncoder()
        self.identity, self.dimension = self._encoder.identity, self._encoder.dimension
        self.passes: list[list[str]] = []

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        self.passes.append(list(texts))
        return self._encoder.encode(texts)


class TestOnePass:
    TEXTS = (
        "Rain fell on the roof.",
        "The crew sang as the ship sailed out. Gulls cried over the waves. Nobody was afraid! " * 3,
        "# Notes\n\n- the **pump** failed at night\n- the crew was terrified\n\n`x = 1`",
    )

    @pytest.mark.parametrize("text", TEXTS)
    def test_a_text_is_encoded_once_and_its_sentences_are_not(self, text: str) -> None:
        noting = Noting()
        prototypes.vectors(noting)
        noting.passes.clear()
        extract(Context(text=text), noting)
        assert noting.passes == [[Context(text=text).text]]


class TestAnyText:
    @settings(max_examples=120, deadline=None)
    @given(valid_text(), st.booleans())
    def test_every_text_has_well_formed_features(self, text: str, with_encoder: bool) -> None:
        found = of(text, WordHashEncoder() if with_encoder else None)
        assert found == of(text, WordHashEncoder() if with_encoder else None)
        assert found.summary_of_topic
        assert "\n" not in found.summary_of_topic
        assert len(found.summary_of_topic.split()) <= 25
        assert 1 <= len(found.mood_tags) <= 4
        assert set(found.mood_tags) <= MOODS.keys()
        assert found.emotional_tone_description.endswith(" energy")
        assert found.environment in (*ENVIRONMENTS, None)
        assert found.time_of_day in (*TIMES_OF_DAY, None)
        assert set(found.sources) == set(Features.model_fields) - {"sources", "confidences", "glossed"}

    @pytest.mark.parametrize(
        "text",
        ["The sea. " * 110_000, "悲しい海。" * 60_000, "ab" * 499_000, "! " * 400_000, "\n- x" * 240_000],
    )
    def test_a_megabyte_is_read_in_part_and_in_time(self, text: str) -> None:
        found = of(text, WordHashEncoder())
        assert found.summary_of_topic
        assert len(found.summary_of_topic) < 2000

    def test_the_same_in_another_process(self) -> None:
        code = (
            "from music_catalog.text.features import extract; from music_catalog.models import Context;"
            "from tests.fakes import WordHashEncoder as W;"
            "t = 'Gloomy rain fell on the angry sea. It was late, and the joyful crew sang.';"
            "print(extract(Context(text=t), W()).model_dump_json(), extract(Context(text=t)).model_dump_json())"
        )
        runs = {
            subprocess.run(
                [sys.executable, "-c", code],
                env={**os.environ, "PYTHONHASHSEED": seed},
                capture_output=True,
                text=True,
                check=True,
            ).stdout
            for seed in ("1", "2")
        }
        assert len(runs) == 1

    def test_no_heavy_import_and_vader_only_when_used(self) -> None:
        code = (
            "import sys, music_catalog.text.features; heavy = {'torch', 'tokenizers', 'vaderSentiment', 'scipy'};"
            "print(sorted(heavy & set(sys.modules)))"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert done.stdout.strip() == "[]"


class TestCaller:
    @pytest.mark.parametrize("stated", ["English", "EN", "eng", "en_us"])
    def test_a_language_is_known_in_every_form_that_people_state(self, stated) -> None:
        text = "Soft calm rain drips on the roof while the house sleeps."
        as_code, found = of(text, language="en"), of(text, language=stated)
        assert found.mood_tags == as_code.mood_tags
        assert found.mood_tags[0] == "calm"
        assert found.language == stated, "tracks are found by the language that was stated for them"
        assert not found.glossed

    def test_what_the_caller_knows_is_taken_over(self) -> None:
        known = {
            "summary_of_topic": "a talk on tides.",
            "emotional_tone_description": "brisk",
            "valence": -0.25,
            "energy": 0.75,
            "mood_tags": ("Calm", " my own word ", "calm"),
            "environment": "cave",
            "time_of_day": "dusk",
            "language": "de-AT",
        }
        found = of("A happy day at the beach!", **known)
        assert found.summary_of_topic == "a talk on tides."
        assert found.emotional_tone_description == "brisk"
        assert (found.valence, found.energy) == (-0.25, 0.75)
        assert found.mood_tags == ("calm", "my own word")
        assert (found.environment, found.time_of_day, found.language) == ("cave", "dusk", "de-AT")
        assert set(found.sources.values()) == {"caller"}

    def test_a_given_zero_is_given(self) -> None:
        found = of("Furious, screaming rage!", valence=0.0, energy=0.0)
        assert (found.valence, found.energy) == (0.0, 0.0)
        assert found.sources["valence"] == "caller"

    def test_tags_alone_place_the_mood(self) -> None:
        found = of("Some words about the weather.", mood_tags=("calm",))
        assert (found.valence, found.energy) == MOODS["calm"]
        assert found.emotional_tone_description == "calm, very low energy"

    def test_a_description_alone_places_the_mood(self) -> None:
        found = of("Some words about the weather.", emotional_tone_description="sad and lonely")
        assert found.valence < -0.4
        assert found.mood_tags[0] in ("sad", "lonely")

    def test_valence_and_energy_alone_pick_fitting_tags(self) -> None:
        found = of("Some words about the weather.", valence=-0.8, energy=0.8)
        assert found.mood_tags[0] == "angry"

    def test_empty_values_are_not_given(self) -> None:
        found = of("A joyful feast.", mood_tags=(), summary_of_topic="")
        assert found.mood_tags == ("joyful",)
        assert found.summary_of_topic == "A joyful feast"


class TestSummary:
    def test_markup_code_and_addresses_go(self) -> None:
        text = (
            "# Deep sea\n\n```python\nprint('x')\n```\n\n"
            "**Anglerfish** live in the [deep sea](https://example.org/a_b), see https://example.org.[1]\n\n"
            "| a | b |\n|---|---|\n"
        )
        plain = summary.plain_text(text)
        assert "Anglerfish live in the deep sea, see" in plain
        for gone in ("print", "example", "```", "**", "[", "|", "#"):
            assert gone not in plain

    def test_code_alone_still_says_something(self) -> None:
        assert "print" in of("```python\nprint('hello')\n```").summary_of_topic

    @pytest.mark.parametrize("with_encoder", [True, False])
    def test_the_central_sentence_is_chosen_and_trimmed(self, encoder: Encoder, with_encoder: bool) -> None:
        text = (
            "Thanks for asking! Volcanoes form where magma rises through the crust of the Earth (see figure 2), "
            "which happens mostly along the boundaries of tectonic plates. However, some volcanoes form over hot "
            "spots where magma rises in the middle of a plate. Does that help? Let me know."
        )
        found = of(text, encoder if with_encoder else None).summary_of_topic
        assert "olcanoes form" in found
        assert "figure" not in found
        assert not found.endswith((".", ",", "which"))
        assert len(found.split()) <= 22

    def test_a_short_text_is_its_own_summary(self) -> None:
        assert of("rain over the old town.").summary_of_topic == "Rain over the old town"

    def test_scripts_without_spaces_are_cut_by_characters(self) -> None:
        text = (
            "昔々、山の奥の小さな村に、猫と暮らすおばあさんがいて、毎日森へ薪を拾いに出かけては、夕暮れに歌を歌いながら帰ってきた。"
            * 2
        )
        found = of(text).summary_of_topic
        assert 10 <= len(found) <= summary.MAX_WIDE_CHARACTERS
        assert found in text


class TestPlaceAndTime:
    @pytest.mark.parametrize(
        ("text", "environment", "time"),
        [
            ("We walked at dawn through the deep forest, among tall pines and moss.", "forest", "dawn"),
            ("Waves broke on the beach while gulls cried above the ocean.", "ocean", None),
            ("It was midnight in the tavern, and the innkeeper poured more ale.", "tavern", "night"),
            ("Snow fell on the frozen tundra as the sled moved on through the blizzard.", "snow", None),
            ("Thunder rolled and lightning split the sky as the storm reached us.", "storm", None),
        ],
    )
    @pytest.mark.parametrize("words_only", [True, False])
    def test_a_scene_is_placed(
        self, encoder: Encoder, text: str, environment: str, time: str | None, words_only: bool
    ) -> None:
        found = of(text, None if words_only else encoder)
        assert (found.environment, found.time_of_day) == (environment, time)

    @pytest.mark.parametrize(
        "text",
        [
            "The city council approved the budget for 2019, which raises the property tax by two percent.",
            "The night shift premium is paid under section 4 of the agreement between employer and union.",
            "Desert Storm was a combat operation of the coalition against Iraq in 1991.",
            "Mining companies extracted copper from open pits for most of the twentieth century.",
            "To clear the cache, run the command below and restart the server.",
        ],
    )
    def test_a_report_is_not(self, encoder: Encoder, text: str) -> None:
        assert of(text, encoder).environment is None
        assert of(text).environment is None

    @pytest.mark.parametrize(
        ("text", "share"),
        [
            ("A dark cave. It is damp, and I hear “Water” drip: Nobody comes here.", 0.0),
            ("In 1991 the Coalition fought near Kuwait.", 3 / 7),
            ("", 0.0),
        ],
    )
    def test_figures_and_names_are_counted(self, text: str, share: float) -> None:
        assert setting._factual(text) == pytest.approx(share)

    def test_the_same_word_stages_a_scene_but_not_a_report(self, encoder: Encoder) -> None:
        scene = "The river runs through the forest, clear and cold, and small fish dart about."
        report = "The river Wye runs through the Forest of Dean in Gloucestershire, England, for 23 km."
        for reader in (encoder, None):
            assert of(scene, reader).environment == "forest"
            assert of(report, reader).environment is None

    def test_every_place_can_be_found(self) -> None:
        assert set(lexicon.PLACES) == set(ENVIRONMENTS)
        assert set(lexicon.TIMES) == set(TIMES_OF_DAY)
        assert {
            name.removeprefix("place:") for name in prototypes.PROTOTYPES if name.startswith("place:")
        } == {
            *ENVIRONMENTS,
            "none",
        }


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("The history of the town is long and it was written by monks.", "en"),
        ("Der alte Mann und das Meer ist nicht nur eine Geschichte.", "de"),
        ("La mer est calme et le vent souffle dans les voiles.", "fr"),
        ("El perro de la casa no se va con los niños.", "es"),
        ("Il gatto è sul tavolo e non vuole la cena.", "it"),
        ("O menino não quer ir para a escola com a mãe.", "pt"),
        ("비가 조용히 내린다", "ko"),
        ("猫が好きです", "ja"),
        ("我喜欢安静的雨夜", "zh"),
        ("Тихий вечер у моря", "ru"),
        ("Тихий вечір біля моря, її пісня", "uk"),
        ("x", "und"),
        ("12345 :-)", "und"),
    ],
)
def test_languages_are_told_apart(text: str, code: str) -> None:
    assert language.guess(text) == code


class TestPrototypes:
    @pytest.fixture(autouse=True)
    def _forget(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(prototypes, "_TABLES", {})

    def test_they_are_computed_once_and_then_read(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first = prototypes.vectors(WordHashEncoder(), tmp_path)
        assert [path.suffix for path in tmp_path.iterdir()] == [".npz"]
        prototypes._TABLES.clear()

        class Silent(WordHashEncoder):
            def encode(self, texts: object) -> np.ndarray:
                raise AssertionError("encoded again")

        again = prototypes.vectors(Silent(), tmp_path)
        assert again.keys() == first.keys()
        assert all(np.array_equal(again[name], first[name]) for name in first)

    def test_another_encoder_has_its_own(self, tmp_path: Path) -> None:
        class Other(WordHashEncoder):
            identity = "other"

        prototypes.vectors(WordHashEncoder(), tmp_path)
        prototypes.vectors(Other(), tmp_path)
        assert len(list(tmp_path.iterdir())) == 2

    @pytest.mark.parametrize("content", [b"", b"PK\x03\x04 broken", b"rubbish"])
    def test_a_damaged_cache_is_replaced(self, tmp_path: Path, content: bytes) -> None:
        first = prototypes.vectors(WordHashEncoder(), tmp_path)
        (file,) = tmp_path.iterdir()
        file.write_bytes(content)
        prototypes._TABLES.clear()
        again = prototypes.vectors(WordHashEncoder(), tmp_path)
        assert np.array_equal(again["valence+"], first["valence+"])
        assert file.stat().st_size > 1000

    def test_no_flipped_bit_of_the_cache_is_an_error_or_believed(self, tmp_path: Path) -> None:
        encoded = []

        class Once(WordHashEncoder):
            def encode(self, texts: Sequence[str]) -> np.ndarray:
                encoded.append(encoded[0] if encoded else super().encode(texts))
                return encoded[0].copy()

        encoder = Once()
        first = prototypes.vectors(encoder, tmp_path)
        (file,) = tmp_path.iterdir()
        whole = file.read_bytes()
        # The headers of the archive and of the array, the numbers, and the list of members at the end.
        for place in (
            *range(240),
            *range(240, len(whole), len(whole) // 40),
            *range(len(whole) - 120, len(whole)),
        ):
            bit = (1, 32)[place % 2]
            file.write_bytes(whole[:place] + bytes([whole[place] ^ bit]) + whole[place + 1 :])
            prototypes._TABLES.clear()
            again = prototypes.vectors(encoder, tmp_path)
            assert all(np.array_equal(again[name], first[name]) for name in first), place

    def test_a_cache_that_cannot_be_written_only_costs_time(self, tmp_path: Path) -> None:
        blocked = tmp_path / "file"
        blocked.write_text("")
        assert prototypes.vectors(WordHashEncoder(), blocked / "sub")


def test_the_readers_are_all_heard(encoder: Encoder) -> None:
    plain = "They buried him on Tuesday and nobody spoke for a long while."
    cheering = "The whole stadium leapt up when the last goal went in!"
    assert of(plain, encoder).valence < -0.1 < of(cheering, encoder).valence
    assert of(plain, encoder).energy < of(cheering, encoder).energy
    assert parsed.vader("What a lovely gift.", "en") > 0.3
    assert parsed.vader("Die Kinder und der Mann sind nice.", "de") == 0
    assert mood.read_mood("").weight == 0
