"""Dictionaries: what they hold, and texts in other languages word for word in English."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from music_catalog.glossary import glossary
from music_catalog.glossary.glossary import LANGUAGES, MOST_WORDS, to_english
from music_catalog.text import language
from music_catalog.text.mood import denied_moods

FUNERALS = {
    "ar": "بكت الفتاة في المطبخ لأن جدها مات في المستشفى.",
    "de": "Das Mädchen weinte in der Küche, weil ihr Großvater im Krankenhaus starb.",
    "es": "La niña lloraba en la cocina porque su abuelo murió en el hospital.",
    "fr": "La petite fille pleurait dans la cuisine parce que son grand-père est mort à l'hôpital.",
    "hi": "लड़की रसोई में रो रही थी क्योंकि उसके दादा की अस्पताल में मौत हो गई।",
    "it": "La bambina piangeva in cucina perché suo nonno è morto in ospedale.",
    "ja": "女の子は台所で泣いていた。祖父が病院で死んだから。",
    "pt": "A menina chorava na cozinha porque o avô morreu no hospital.",
    "ru": "Девочка плакала на кухне, потому что её дедушка умер в больнице.",
    "zh": "女孩在厨房里哭，因为她的祖父在医院死了。",
}


def test_there_is_a_dictionary_of_each_of_ten_languages_and_the_recognizer_knows_them():
    assert {*FUNERALS} == {*LANGUAGES}
    assert all(language.guess(text) == code for code, text in FUNERALS.items())


@pytest.mark.parametrize("code", LANGUAGES)
def test_each_form_says_one_english_word_in_one_line(code):
    rows = (glossary.FOLDER / f"{code}.tsv").read_text("utf-8").splitlines()
    words = [row.partition("\t")[0] for row in rows]
    forms = [form for row in rows for form in row.partition("\t")[2].split("|")]
    assert words == sorted({*words})
    assert all(re.fullmatch("[a-z]+(n't)?", word) for word in words)
    assert len(forms) == len({*forms}) > 6_000
    assert all(form and form == form.strip().lower() and len(form.split()) <= MOST_WORDS for form in forms)


@pytest.mark.parametrize("code", LANGUAGES)
def test_a_sad_text_says_so_in_english(code):
    english = to_english(FUNERALS[code], code)
    assert english is not None
    assert {"kitchen", "hospital"} <= {*re.findall(r"\w+", english)}
    assert re.search(r"\b(died|dead|death|dying|dies|die)\b", english)
    assert re.search(r"\b(cry|cried|crying|wept|weep|weeping|sobbed|tears)\b", english)


def test_words_are_known_by_their_beginning_whatever_their_ending():
    assert to_english("Las casas abandonadas.", "es") == "the home abandoned."
    assert to_english("Брошенными домами.", "ru") == to_english("Брошенный дом.", "ru")


def test_parts_of_a_compound_and_what_is_attached_are_read():
    assert to_english("Küchenfenster", "de") == "kitchen window"
    assert to_english("والبيت", "ar") == to_english("بيت", "ar") == "home"


def test_names_figures_and_marks_stay():
    assert to_english("¿Murió Lorca en 1936? ¡No!", "es") == "¿ died Lorca in 1936? ¡ not!"


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("es", "No tenía miedo."),
        ("fr", "Il n'était pas triste."),
        ("it", "Non era triste."),
        ("pt", "Não estava triste."),
        ("de", "Sie war nicht traurig."),
        ("ru", "Он не боялся."),
    ],
)
def test_a_denial_stays_one(code, text):
    assert denied_moods(to_english(text, code), "en")


def test_the_end_of_a_hindi_sentence_is_no_part_of_its_last_word():
    assert to_english("डर। घर।", "hi") == f"{to_english('डर', 'hi')}. {to_english('घर', 'hi')}."


def test_spellings_and_signs_that_are_not_seen_make_no_difference():
    assert to_english("желтый лед", "ru") == to_english("жёлтый лёд", "ru") == "yellow ice"
    assert to_english("ca­sa", "es") == to_english("casa", "es")


def test_words_with_an_apostrophe_or_a_hyphen_are_found():
    assert to_english("d'accord", "fr") != to_english("accord", "fr")


def test_unknown_words_count_against_a_text_also_at_its_end_and_capitalised():
    assert to_english("xqz wvk casa", "es") is None
    assert to_english("Quxbla Zworfel Grumpf Blorx Fnord", "de") is None


def test_a_language_without_dictionary_and_a_text_of_another_language_have_no_gloss():
    assert to_english("Dziewczynka płakała w kuchni.", "pl") is None
    assert to_english("Dziewczynka płakała wczoraj wieczorem przy oknie.", "es") is None
    assert to_english("12 + 7 = 19", "es") is None


@settings(max_examples=60)
@given(st.sampled_from(LANGUAGES), st.text(max_size=200))
def test_no_text_is_refused(code, text):
    english = to_english(text, code)
    assert english is None or english == english.strip()
