"""The language of a text: other languages are told in short sentences too, and English is not taken for them."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from music_catalog.text import language
from music_catalog.text.language import UNDETERMINED, UNKNOWN, code_of, guess, name_of, recognize

READ_AS_ENGLISH = ("en", UNDETERMINED)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("ฝนตกเบา ๆ บนหลังคาบ้าน", "th"),
        ("아이들이 해변에서 놀고 있다", "ko"),
        ("הילדים משחקים על החוף", "he"),
        ("Bugün hava çok güzel ve deniz sakin", "tr"),
        ("Dzieci bawią się na plaży", "pl"),
        ("Bibi anapika chakula jikoni kwa ajili ya familia", "sw"),
        ("स्कूल में बम मिला", "hi"),
        ("मुले समुद्रकिनाऱ्यावर खेळत आहेत आणि पाऊस आहे", "mr"),
        ("بچه‌ها در ساحل بازی می‌کنند", "fa"),
        ("بچے ساحل پر کھیل رہے ہیں", "ur"),
        ("పిల్లలు బీచ్‌లో ఆడుతున్నారు", "te"),
        ("ልጆች በባህር ዳርቻ ይጫወታሉ", "am"),
        ("កុមារលេងនៅឆ្នេរ", "km"),
        ("Tìm thấy bom ở trường học", "vi"),
        ("De kinderen spelen op het strand", "nl"),
        ("会議は三時に始まります", "ja"),
        # English has most of these words too; the dictionary knows the others.
        ("Die Kinder spielen am Strand.", "de"),
        ("Am Strand bauen die spielenden Kinder Sandburgen.", "de"),
        ("使用 Python 的 asyncio 库来处理网络请求", "zh"),
    ],
)
def test_a_sentence_is_enough(text: str, code: str) -> None:
    assert guess(text) == code


@pytest.mark.parametrize(
    "text",
    [
        "Toplantı saat üçte başlıyor",
        "Lapset leikkivät rannalla",
        "Watoto wanacheza ufukweni",
        "Nire anaia etxean dago eta bihar etorriko da",
        "ᚠᛇᚻ ᛒᛦᚦ ᚠᚱᚩᚠᚢᚱ",
        "Quick: ꆈꌠꁱꂷ ꆈꌠꁱꂷ ꆈꌠꁱꂷ ꆈꌠꁱꂷ",
    ],
)
def test_what_is_surely_not_english_is_not_read_as_english(text: str) -> None:
    assert guess(text) not in READ_AS_ENGLISH


@pytest.mark.parametrize(
    "text",
    [
        "Rain.",
        "Quiet rain at night",
        "Café society",
        "A résumé for the São Paulo office",
        "José Juan Bigas Luna was born in Barcelona and died in La Riera de Gaià.",
        "The word 'Schadenfreude' means joy at the harm of others.",
        "He ordered the boeuf bourguignon, a crème brûlée and un café.",
        "def add(a, b):\n    return a + b",
        '{"id": 3, "name": "Ada", "tags": ["x", "y"]}',
        "SELECT name FROM users WHERE id = 3;",
        "https://example.org/a/b?c=d",
        "2 cups flour, 1 tsp salt, 3 eggs",
        "GET /api/v1/tracks 404",
        "Tokyo (東京) is the capital of Japan.",
        "",
        "12345 :-)",
        "NASA",
        "lol ok",
        "McGregor vs. Müller, Kraków",
    ],
)
def test_english_with_names_code_and_foreign_words_stays_english(text: str) -> None:
    assert guess(text) in READ_AS_ENGLISH


@given(st.text(max_size=300))
def test_any_text_has_a_language_and_a_confidence(text: str) -> None:
    code, sure = recognize(text)
    assert 0 <= sure <= 1
    assert (sure == 0) == (code == UNDETERMINED)
    assert name_of(code)


def test_languages_are_named_as_people_state_them() -> None:
    stated = ("EN", "en-GB", "eng", "English", "Thai", "pt_BR", "ger", "tlh")
    assert [code_of(one) for one in stated] == ["en", "en", "en", "en", "th", "pt", "de", "tlh"]
    assert (name_of("th"), name_of(UNKNOWN)) == ("Thai", "an unknown language")
    assert "'tlh'" in name_of("tlh")


def test_no_english_word_of_the_list_is_a_common_word_of_another_language() -> None:
    listed = json.loads(language.FILE.read_text("utf-8"))
    common = {word for code, one in listed.items() if code != "en" for word in one.get("words", "").split()}
    assert not common & set(json.loads(language.ENGLISH_WORDS.read_text("utf-8")))
