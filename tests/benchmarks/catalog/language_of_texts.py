"""How well the language of a text is told, and how often an English text is taken for another language.

    python tests/benchmarks/catalog/language_of_texts.py [--eval-dir DIR] [--write-words]

Read are the labelled texts of `music_fit/`, whole and only their first words, sentences written here for languages that
they lack, and with DIR the sentences of EmoBank and GoEmotions. `--write-words` counts the English words of other sets
of DIR and of the shipped labels of the reuse decision, and writes `catalog/text/english_words.json`.
"""

from __future__ import annotations

import argparse
import csv
import json
import re
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from music_labels import read_labels

from music_catalog.reuse.labels import shipped_labels
from music_catalog.text import language
from music_catalog.text.summary import plain_text

FIRST_WORDS = (3, 5, 8, 15)
LEAST_USES, MOST_WORDS = 5, 8_000

SENTENCES = {
    "th": ["ฝนตกเบา ๆ บนหลังคาบ้าน", "ราคา 500 บาท", "พบวัตถุระเบิดในโรงเรียน"],
    "ko": ["아이들이 해변에서 놀고 있다", "회의는 3시에 시작합니다", "안녕"],
    "he": ["הילדים משחקים על החוף", "הפגישה מתחילה בשלוש", "שלום לכולם"],
    "tr": [
        "Çocuklar sahilde oynuyor",
        "Toplantı saat üçte başlıyor",
        "Bugün hava çok güzel ve deniz sakin",
        "Okulda bomba bulundu",
        "Yarın sabah erken kalkmamız gerekiyor",
        "Annem mutfakta çorba pişiriyor",
        "Iyi geceler, tatli ruyalar",
    ],
    "pl": [
        "Dzieci bawią się na plaży",
        "Spotkanie zaczyna się o trzeciej",
        "W szkole znaleziono bombę",
        "Babcia piecze ciasto z jabłkami",
        "Wczoraj padał śnieg i było bardzo zimno",
        "Nie wiem co robić",
    ],
    "sw": [
        "Watoto wanacheza ufukweni",
        "Mkutano unaanza saa tisa",
        "Bomu limepatikana shuleni leo asubuhi",
        "Bibi anapika chakula jikoni kwa ajili ya familia",
        "Mvua inanyesha kwenye paa la nyumba yetu usiku kucha",
        "Habari za asubuhi rafiki yangu",
    ],
    "es": [
        "Los niños juegan en la playa",
        "Encontraron una bomba en la escuela",
        "La reunión empieza a las tres",
        "Hola, ¿qué tal?",
        "Buenas noches",
        "Mi abuela cocina sopa todos los domingos",
    ],
    "fr": [
        "Les enfants jouent sur la plage",
        "Une bombe a été trouvée à l'école",
        "La réunion commence à trois heures",
        "Bonjour tout le monde",
        "Il pleut doucement sur le toit",
        "Ma grand-mère prépare une soupe",
    ],
    "de": [
        "Die Kinder spielen am Strand",
        "In der Schule wurde eine Bombe gefunden",
        "Das Treffen beginnt um drei Uhr",
        "Guten Morgen zusammen",
        "Es regnet leise aufs Dach",
        "Meine Oma kocht Suppe",
    ],
    "it": [
        "I bambini giocano sulla spiaggia",
        "È stata trovata una bomba a scuola",
        "La riunione comincia alle tre",
        "Buongiorno a tutti",
        "Piove piano sul tetto",
        "Mia nonna cucina la zuppa",
    ],
    "pt": [
        "As crianças brincam na praia",
        "Encontraram uma bomba na escola",
        "A reunião começa às três",
        "Bom dia a todos",
        "Chove devagar no telhado",
        "Minha avó cozinha sopa",
    ],
    "nl": [
        "De kinderen spelen op het strand",
        "Er is een bom gevonden op school",
        "De vergadering begint om drie uur",
        "Goedemorgen allemaal",
        "Het regent zachtjes op het dak",
        "Mijn oma kookt soep",
    ],
    "sv": [
        "Barnen leker på stranden",
        "En bomb hittades i skolan",
        "Mötet börjar klockan tre",
        "God morgon allihopa",
        "Det regnar stilla på taket",
        "Min mormor kokar soppa",
    ],
    "da": [
        "Børnene leger på stranden",
        "En bombe blev fundet på skolen",
        "Mødet begynder klokken tre",
        "Det regner stille på taget",
    ],
    "no": [
        "Barna leker på stranda",
        "En bombe ble funnet på skolen",
        "Møtet begynner klokka tre",
        "Det regner stille på taket",
    ],
    "fi": [
        "Lapset leikkivät rannalla",
        "Koulusta löytyi pommi",
        "Kokous alkaa kello kolme",
        "Hyvää huomenta kaikille",
        "Isoäiti keittää keittoa koko perheelle",
    ],
    "cs": [
        "Děti si hrají na pláži",
        "Ve škole byla nalezena bomba",
        "Schůzka začíná ve tři hodiny",
        "Dobré ráno všem",
    ],
    "hu": [
        "A gyerekek a parton játszanak",
        "Bombát találtak az iskolában",
        "A megbeszélés háromkor kezdődik",
        "Jó reggelt mindenkinek",
    ],
    "ro": [
        "Copiii se joacă pe plajă",
        "O bombă a fost găsită la școală",
        "Ședința începe la ora trei",
        "Bună dimineața tuturor",
    ],
    "id": [
        "Anak-anak bermain di pantai",
        "Bom ditemukan di sekolah pagi ini",
        "Rapat dimulai pukul tiga",
        "Selamat pagi semuanya",
        "Hujan turun perlahan di atap rumah",
        "Nenek memasak sup untuk keluarga",
    ],
    "vi": [
        "Trẻ em chơi trên bãi biển",
        "Tìm thấy bom ở trường học",
        "Cuộc họp bắt đầu lúc ba giờ",
        "Chào buổi sáng mọi người",
    ],
    "tl": [
        "Naglalaro ang mga bata sa dalampasigan",
        "May natagpuang bomba sa paaralan",
        "Magandang umaga sa inyong lahat",
    ],
    "hr": [
        "Djeca se igraju na plaži",
        "U školi je pronađena bomba",
        "Sastanak počinje u tri sata",
        "Dobro jutro svima",
    ],
    "ca": ["Els nens juguen a la platja", "Han trobat una bomba a l'escola", "La reunió comença a les tres"],
    "ru": ["Дети играют на пляже", "В школе нашли бомбу", "Встреча начинается в три"],
    "uk": ["Діти граються на пляжі", "У школі знайшли бомбу"],
    "ar": ["الأطفال يلعبون على الشاطئ", "عثر على قنبلة في المدرسة"],
    "fa": ["بچه‌ها در ساحل بازی می‌کنند", "بمبی در مدرسه پیدا شد"],
    "ur": ["بچے ساحل پر کھیل رہے ہیں"],
    "hi": ["बच्चे समुद्र तट पर खेल रहे हैं", "स्कूल में बम मिला"],
    "mr": ["मुले समुद्रकिनाऱ्यावर खेळत आहेत आणि पाऊस आहे"],
    "bn": ["শিশুরা সৈকতে খেলছে"],
    "ta": ["குழந்தைகள் கடற்கரையில் விளையாடுகிறார்கள்"],
    "te": ["పిల్లలు బీచ్‌లో ఆడుతున్నారు"],
    "ka": ["ბავშვები პლაჟზე თამაშობენ"],
    "am": ["ልጆች በባህር ዳርቻ ይጫወታሉ"],
    "km": ["កុមារលេងនៅឆ្នេរ"],
    "my": ["ကလေးများကမ်းခြေတွင်ကစားနေသည်"],
    "ja": ["子供たちが浜辺で遊んでいる", "会議は三時に始まります", "東京タワー"],
    "zh": ["孩子们在海滩上玩耍", "会议三点开始", "学校发现炸弹"],
    "el": ["Τα παιδιά παίζουν στην παραλία"],
    "other": [
        "Ngana zo kumva la gente sirikalaa bo ndele makambo misusu ya ntina mpo na bato nyonso",
        "Nire anaia etxean dago eta bihar etorriko da",
        "Eg heiti Jón og ég bý í Reykjavík með konunni minni",
        "Les nin da ker lavarout a ran brezhoneg bremañ gant ma mamm-gozh e kegin an ti bras war ar maez",
        "Ko te reo Maori te reo o nga tupuna o te whenua nei i mua noa atu i te taenga mai o nga tauiwi ki konei",
    ],
}
"""Language -> sentences in it, written for this; "other" are languages that are not listed, or a mixture."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--eval-dir", type=Path, help="the folder of public data sets")
    parser.add_argument("--write-words", action="store_true", help="write the list of English words anew")
    options = parser.parse_args()
    if options.write_words:
        write_words(options.eval_dir)
        return
    rows = read_labels(options.eval_dir)
    english = [row["text"] for row in rows if row["lang"] == "en"]
    others = [(row["lang"], row["text"]) for row in rows if row.get("part") == "languages"]
    print("English texts                     texts  taken for another language")
    alarms("labelled texts", english)
    for words in FIRST_WORDS:
        alarms(f"their first {words} words", [first(text, words) for text in english])
    if options.eval_dir:
        alarms("EmoBank sentences", list(emobank(options.eval_dir)))
        alarms("GoEmotions comments", list(goemotions(options.eval_dir)))
    print("\nother languages                   texts  right  taken for English")
    told("labelled texts", others)
    for words in FIRST_WORDS:
        spaced = [(code, first(text, words)) for code, text in others if code not in ("zh", "ja")]
        told(f"their first {words} words", spaced)
    told("sentences", [(code, text) for code, texts in SENTENCES.items() for text in texts])
    language.recognize.cache_clear()
    began = time.perf_counter()
    for text in english:
        language.recognize(text)
    print(f"\n{1000 * (time.perf_counter() - began) / len(english):.2f} ms a text")


def alarms(name: str, texts: list[str]) -> None:
    """Print the share of English texts that are read as another language."""
    wrong = sum(not reads_as_english(text) for text in texts)
    print(f"{name:32}{len(texts):7}  {wrong / len(texts):.2%}")


def told(name: str, texts: list[tuple[str, str]]) -> None:
    """Print the share of other texts that are read right, and as English."""
    right = sum(language.guess(plain_text(text)) == code for code, text in texts)
    missed = sum(reads_as_english(text) for _, text in texts)
    print(f"{name:32}{len(texts):7}  {right / len(texts):5.1%}  {missed / len(texts):.1%}")


def reads_as_english(text: str) -> bool:
    return language.guess(plain_text(text)) in ("en", language.UNDETERMINED)


def first(text: str, words: int) -> str:
    return " ".join(text.split()[:words])


def emobank(root: Path) -> Iterator[str]:
    with (root / "emobank" / "emobank.csv").open(newline="", encoding="utf-8") as file:
        yield from (row["text"] for row in csv.DictReader(file))


def goemotions(root: Path, most: int = 15_000) -> Iterator[str]:
    with (root / "goemotions" / "train.tsv").open(encoding="utf-8") as file:
        yield from (line.split("\t")[0] for _, line in zip(range(most), file, strict=False))


def write_words(root: Path) -> None:
    """Write the commonest English words that no list of another language has."""
    uses: Counter[str] = Counter()
    for text in english_texts(root):
        uses.update(word for word in re.findall(r"[A-Za-z]{2,}", text) if word.islower())
    listed = {word for entry in language._listed().values() for word in entry.get("words", "").split()}
    words = [word for word, count in uses.most_common() if count >= LEAST_USES and word not in listed]
    lines = ",\n".join(map(json.dumps, sorted(words[:MOST_WORDS])))
    language.ENGLISH_WORDS.write_text(f"[\n{lines}\n]\n", "utf-8")
    print(f"wrote {len(words[:MOST_WORDS]):,} of {len(words):,} words to {language.ENGLISH_WORDS}")


def english_texts(root: Path) -> Iterable[str]:
    """Yield English texts of sets that `main` does not measure on, apart from those that labels refer to."""
    corpus = json.loads((root / "twowiki_corpus" / "2wikimultihopqa_corpus.json").read_text("utf-8"))
    yield from (row["text"] for row in corpus)
    for path in ("nq_oracle/nq_open_oracle.jsonl", "light_rooms/rooms.jsonl"):
        for line in (root / path).open(encoding="utf-8"):
            row = json.loads(line)
            yield row.get("text") or row["description"]
    with (root / "fairytaleqa" / "sections.csv").open(newline="", encoding="utf-8") as file:
        yield from (row["text"] for row in csv.DictReader(file))
    for path in sorted((root / "stsb").glob("*.csv")):
        yield path.read_text("utf-8")
    for scene in shipped_labels().scenes:
        yield from (text for _, text in scene.texts())


if __name__ == "__main__":
    main()
