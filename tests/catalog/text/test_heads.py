"""The fitted heads: bound to their encoder, read only what they were fitted to, and sure when they are right."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from music_catalog import report
from music_catalog.models import Context, Features
from music_catalog.presets.vocabulary import MOODS
from music_catalog.reuse.certificate import standing
from music_catalog.reuse.evidence import Card, evidence, probability
from music_catalog.text import confidence, feeling, heads
from music_catalog.text import encoder as encoders
from music_catalog.text.encoder import Encoder
from music_catalog.text.features import extract
from music_catalog.text.mood import mood_distance
from music_catalog.text.parsed import parse
from tests.fakes import WordHashEncoder
from tests.scene_moods import SCENES, chosen_on


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return encoders.load()


@pytest.fixture(scope="module")
def fitted(encoder: Encoder) -> heads.Heads:
    found = heads.load(encoder.identity)
    assert found is not None
    return found


class Renamed:
    """The vectors of the default encoder under a name that no heads were fitted to."""

    def __init__(self, encoder: Encoder) -> None:
        self.identity, self.dimension, self.encode = "someone-elses", encoder.dimension, encoder.encode


def of(text: str, encoder: Encoder | None, **known: object) -> Features:
    return extract(Context(text=text, **known), encoder)


class TestFile:
    def test_it_is_small_and_says_what_it_was_fitted_to(self, encoder: Encoder) -> None:
        assert heads.HEADS_FILE.stat().st_size < 300_000
        about = heads.about()
        assert about["encoder"] == encoder.identity
        assert {source["name"]: source["licence"] for source in about["fitted_to"]} == {
            "EmoBank": "CC BY-SA 4.0",
            "GoEmotions": "CC BY 4.0",
        }
        assert all(source["count"] > 5_000 and source["address"] for source in about["fitted_to"])

    def test_it_is_shipped_with_the_package(self) -> None:
        root = Path(__file__).resolve().parents[3]
        shipped = (root / "pyproject.toml").read_text("utf-8").split("[tool.setuptools.package-data]")[1]
        assert "*.safetensors" in shipped.split("[tool")[0]
        assert heads.HEADS_FILE.resolve().parent == root / "catalog" / "text"

    def test_it_belongs_to_one_encoder(self, encoder: Encoder) -> None:
        assert heads.load(encoder.identity) is not None
        assert heads.load("someone-elses") is None
        assert heads.load(encoder.identity.replace("pool-1", "pool-2")) is None

    def test_without_the_file_prototypes_take_over(
        self, encoder: Encoder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setattr(heads, "HEADS_FILE", tmp_path / "left-out.safetensors")
        assert of("The tavern fills up.", encoder).sources["valence"] == "prototypes"

    def test_every_emotion_speaks_for_moods_of_the_vocabulary(self, fitted: heads.Heads) -> None:
        assert set(fitted.names) == set(heads.EMOTION_MOODS) == set(heads.EMOTION_KINDS)
        assert {mood for moods in heads.EMOTION_MOODS.values() for mood in moods} <= set(MOODS)
        assert set(heads.MOOD_KINDS) == set(MOODS)
        for emotion, (mood, _) in heads.EMOTION_MOODS.items():
            assert heads.EMOTION_KINDS[emotion] in heads.MOOD_KINDS[mood]

    def test_reading_it_takes_numpy_alone(self) -> None:
        code = (
            "import sys; from music_catalog.text import heads; heads._shipped();"
            "print(sorted({'torch', 'scipy', 'safetensors', 'sklearn'} & set(sys.modules)))"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert done.stdout.strip() == "[]"


class TestReading:
    @settings(max_examples=60, deadline=None)
    @given(
        arrays.arrays(np.float32, 384, elements=st.floats(-1, 1, width=32)),
        st.tuples(st.floats(-1, 1), st.floats(0, 1), st.floats(0, 2), st.floats(0, 1)),
    )
    def test_any_vector_has_a_reading(
        self, vector: np.ndarray, words: tuple[float, float, float, float]
    ) -> None:
        fitted = heads.load(encoders.load().identity)
        assert fitted is not None
        read = heads.inputs(vector / max(float(np.linalg.norm(vector)), 1.0), words)
        assert np.isfinite(fitted.feeling(read)).all()
        chances = fitted.probabilities(read)
        assert chances.min() >= 0
        assert chances.sum() == pytest.approx(1, abs=1e-4)
        assert all(-2 <= likelier <= 2 for likelier in fitted.moods(read).values())
        assert all(0 <= fitted.chance(mood, read) <= 1 + 1e-4 for mood in (*MOODS, "unheard-of"))

    @pytest.mark.parametrize(
        ("text", "emotion"),
        [
            ("Thank you so much for your help.", "gratitude"),
            ("I miss him every single day.", "sadness"),
            ("Why would anyone think that?", "curiosity"),
            ("That is the funniest thing I have ever heard.", "amusement"),
        ],
    )
    def test_clear_sentences_are_read_rightly(
        self, encoder: Encoder, fitted: heads.Heads, text: str, emotion: str
    ) -> None:
        chances = fitted.probabilities(parse(Context(text=text), encoder, None).inputs)
        assert fitted.names[int(chances.argmax())] == emotion

    def test_valence_and_energy_are_ordered_without_a_mood_word(self, encoder: Encoder) -> None:
        grim = of("They lowered the small box into the ground.", encoder)
        plain = of("The road runs past the mill and the post office.", encoder)
        bright = of("At last the ship came home, and the whole town ran down to meet it!", encoder)
        assert grim.valence < plain.valence < bright.valence
        assert plain.energy < bright.energy

    def test_a_sentence_without_end_is_read_to_its_end(self, encoder: Encoder) -> None:
        start = "and then we went along the road past the mill and the post office and the bridge " * 20
        grim = "and they found the bodies of the children in the ashes and everyone was screaming " * 10
        assert of(start + grim, encoder).valence < of(start, encoder).valence - 0.1

    def test_a_text_is_glossed_and_a_query_in_another_language_than_it_is_not(self, encoder: Encoder) -> None:
        sent = "La niña lloraba en la cocina."
        seen = parse(Context(text=sent, query="find calm music"), encoder, None)
        assert seen.text == "find calm music the girl wept in the kitchen."
        assert (seen.language, seen.spoken, seen.pieces) == ("es", "en", [sent])
        asked = parse(Context(text=sent, query="busca una canción triste"), encoder, None)
        assert "sad" in asked.text

    def test_another_language_is_trusted_less(self, encoder: Encoder) -> None:
        text = "Middernacht: de moordenaar staat achter haar, en zij weet het niet."
        seen = parse(Context(text=text), encoder, None)
        assert seen.trust < 1
        assert feeling._read_rest(seen)[0] == pytest.approx(seen.trust * seen.heads.feeling(seen.inputs)[0])


class TestScenes:
    """What plain scenes read as; the sentences were written before any reader saw them."""

    @pytest.mark.parametrize(
        "text",
        [
            "The tavern fills up.",
            "She put the keys on the table.",
            "The market opens on Saturdays.",
            "The bus stops in front of the school.",
            "The clerk stamps the form and hands it back.",
        ],
    )
    def test_nothing_in_particular_is_neutral(self, encoder: Encoder, text: str) -> None:
        assert of(text, encoder).mood_tags == ("neutral",)

    def test_most_scenes_not_chosen_on_read_as_a_reader_would(self, encoder: Encoder) -> None:
        held_out = [scene for scene in SCENES if not chosen_on(scene[0])]
        read = [(of(text, encoder).mood_tags, suits) for text, _, suits in held_out]
        by_prototypes = [(of(text, Renamed(encoder)).mood_tags, suits) for text, _, suits in held_out]
        assert sum(tags[0] in suits for tags, suits in read) >= 0.7 * len(read)
        assert sum(set(tags) <= suits for tags, suits in read) > sum(
            set(tags) <= suits for tags, suits in by_prototypes
        )

    def test_mood_words_stay_decisive(self, encoder: Encoder) -> None:
        text = "A {} evening at the harbour, and the boats come in."
        cheerful, gloomy, denied = (
            of(text.format(word), encoder) for word in ("cheerful", "gloomy", "not at all cheerful")
        )
        assert cheerful.mood_tags[0] == "happy"
        assert gloomy.mood_tags[0] == "melancholic"
        assert mood_distance(cheerful, gloomy) > 0.4
        assert denied.valence < 0 < cheerful.valence
        assert cheerful.sources["mood_tags"] == "text"


class TestHiddenThreats:
    """Threats that no word names; none of these sentences was fitted to."""

    @pytest.mark.parametrize(
        ("threat", "calm"),
        [
            ("something is stalking us through the pines", "we are strolling through the pines"),
            ("the lock clicks behind her, and she is alone", "the gate clicks behind her, and she is home"),
            (
                "Blood on the doorstep, and the phone line is cut",
                "Milk on the doorstep, and the paper is there",
            ),
            ("Do not turn around, it whispers", "Turn around, the view is lovely, he says"),
        ],
    )
    def test_a_threat_is_far_from_calm_and_ominous_and_its_harmless_twin_is_not(
        self, encoder: Encoder, threat: str, calm: str
    ) -> None:
        felt, twin = of(threat, encoder), of(calm, encoder)
        quiet = of("A calm and quiet evening.", encoder)
        assert "ominous" in felt.mood_tags
        assert not {"ominous", "scary", "tense"} & {*twin.mood_tags}
        assert mood_distance(felt, quiet) > 0.5 > mood_distance(twin, quiet)

    def test_the_music_of_the_calm_scene_is_not_served(self, encoder: Encoder) -> None:
        calm = "We walk through the pines in the evening, and everything is quiet and calm."
        weights = standing(Path("no-home"), encoder.identity).certificate
        assert weights is not None
        asked, known = (
            Card.of(Context(text=text), of(text, encoder))
            for text in ("In the evening something is stalking us through the pines.", calm)
        )
        # ... however alike the scenes are.
        assert probability(weights.weights, evidence(asked, known, 1.0)) < weights.bounds[-1].threshold

    def test_fear_that_is_denied_is_no_threat(self, encoder: Encoder) -> None:
        afraid, denied = "Something to be afraid of is here.", "There is nothing to be afraid of here."
        named, unnamed = (parse(Context(text=text), encoder, None).words.tags for text in (afraid, denied))
        assert "ominous" in named
        assert unnamed.keys() == {"calm"}  # what the denied word leaves behind

    def test_who_read_a_threat_is_told(self, encoder: Encoder) -> None:
        assert of("something is stalking us through the pines", encoder).sources["mood_tags"] == "heads"

    def test_other_languages_and_other_readers_know_of_no_hidden_threats(self, encoder: Encoder) -> None:
        text = "something is stalking us through the pines"
        assert "ominous" not in of(text, None).mood_tags
        seen = parse(Context(text=text, language="de"), encoder, None)
        assert seen.words.tags == {}

    def test_chances_lie_between_0_and_1(self, fitted: heads.Heads) -> None:
        rows = np.random.default_rng(0).normal(size=(50, 384)).astype(np.float32)
        assert all(0 < fitted.chance_of_threat(row / np.linalg.norm(row)) < 1 for row in rows)


class TestAnotherEncoder:
    def test_prototypes_take_over_and_say_so(self, encoder: Encoder) -> None:
        text = "The whole stadium leapt up when the last goal went in!"
        mine, theirs, none = of(text, encoder), of(text, Renamed(encoder)), of(text, None)
        assert (mine.sources["valence"], mine.sources["mood_tags"]) == ("heads", "heads")
        assert (theirs.sources["valence"], theirs.sources["mood_tags"]) == ("prototypes", "prototypes")
        assert none.sources["valence"] == "text"
        assert "no heads are fitted to this encoder" in report._reader_of(theirs, "valence")
        assert report._reader_of(mine, "valence") == f"heads, {mine.confidences['valence']:.2f}"

    def test_vectors_of_another_length_are_no_trouble(self) -> None:
        class Short(WordHashEncoder):
            identity, dimension = "short", 64

            def encode(self, texts: Sequence[str]) -> np.ndarray:
                vectors = WordHashEncoder().encode(texts)[:, :64]
                return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

        assert of("The tavern fills up.", Short()).sources["energy"] == "prototypes"


class TestConfidence:
    def test_what_the_caller_gave_is_sure(self, encoder: Encoder) -> None:
        found = of(
            "Rain.", encoder, valence=0.1, energy=0.2, mood_tags=("calm",), environment="rain",
            time_of_day="day", language="en",
        )  # fmt: skip
        assert set(found.confidences.values()) == {1.0}
        assert of("Rain.", encoder, mood_tags=("my own",)).mood_tags == ("my own",)
        placed = of("Rain.", encoder, mood_tags=("calm",))
        assert (placed.confidences["valence"], placed.confidences["energy"]) == (1.0, 1.0)

    @pytest.mark.parametrize("using", ["heads", "prototypes", "words"])
    def test_every_reading_has_one(self, encoder: Encoder, using: str) -> None:
        reader = {"heads": encoder, "prototypes": Renamed(encoder), "words": None}[using]
        for text in ("The tavern fills up.", "A gloomy, stormy night at sea!", "슬픈 노래", "?"):
            found = of(text, reader)
            assert set(found.confidences) == {
                "valence", "energy", "mood_tags", "environment", "time_of_day", "language",
            }  # fmt: skip
            assert all(0 <= value <= 1 for value in found.confidences.values())

    def test_a_clear_feeling_is_surer_than_a_faint_one(self, encoder: Encoder) -> None:
        clear = of("I hate this, it is the worst day of my life.", encoder)
        faint = of("The form is on the second floor.", encoder)
        assert clear.confidences["valence"] > 0.85 > 0.75 > faint.confidences["valence"]

    def test_a_mood_named_and_felt_is_surer_than_one_guessed(self, encoder: Encoder) -> None:
        named = of("I am so happy and glad that you came!", encoder)
        guessed = of("The letters came back in March.", encoder)
        assert named.confidences["mood_tags"] > 0.8 > guessed.confidences["mood_tags"]

    @pytest.mark.parametrize("reader", ["heads", "prototypes", "text"])
    def test_more_evidence_never_lowers_it(self, reader: confidence.Reader) -> None:
        for name in ("valence", "energy"):
            sides = [confidence.of_side(name, value, 0.0, reader) for value in (0.0, 0.1, 0.4, 1.0)]
            assert sides == sorted(sides)
            assert sides[0] == 0.5
        by_words = [confidence.of_tags(named, 0.3, reader) for named in (0.0, 0.5, 1.0)]
        assert by_words == sorted(by_words)
        by_heads = [confidence.of_tags(0.2, chance, reader) for chance in (0.0, 0.5, 1.0)]
        assert by_heads == sorted(by_heads)

    def test_a_plain_forest_is_surer_than_a_hint_of_one(self, encoder: Encoder) -> None:
        plain = of("We walked through the deep forest, among tall pines, moss and ferns.", encoder)
        hint = of("A few trees stand behind the house.", encoder)
        assert plain.environment == "forest"
        assert hint.environment is None or (
            plain.confidences["environment"] > hint.confidences["environment"]
        )
