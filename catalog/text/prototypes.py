"""Sentences that stand for moods, places, and the ends of valence and energy; a text is read by its cosine to them.

Authored for this project. Their vectors are computed once for each encoder and kept in `cache_dir`.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..disk.arrays import array_in
from ..disk.files import write_file
from ..errors import Damage
from .encoder import Encoder

__all__ = ["PROTOTYPES", "vectors"]


_POLES: Mapping[str, tuple[str, ...]] = {
    "valence+": (
        "I am so happy and grateful for this wonderful day.",
        "A beautiful, joyful and hopeful moment.",
        "They laughed together, full of love and delight.",
        "It was a great success and everyone was pleased.",
        "She smiled warmly and thanked him for his kindness.",
        "Good news: everything is going very well.",
    ),
    "valence-": (
        "I am so sad and miserable on this terrible day.",
        "An ugly, painful and hopeless moment.",
        "They cried together, full of grief and despair.",
        "It was a terrible failure and everyone was upset.",
        "She was furious and hated him for his cruelty.",
        "Bad news: people were killed in the attack.",
    ),
    "energy+": (
        "I can't believe it! This is incredible!",
        "They screamed and ran for their lives as everything exploded.",
        "Hurry! We have to get out of here right now!",
        "The crowd went wild, jumping and cheering with excitement.",
        "He was furious and shouted at the top of his voice.",
        "I hate you! I love you! Oh my God!",
        "A frantic, thrilling chase at full speed.",
    ),
    "energy-": (
        "He sat quietly and looked out of the window.",
        "It was a slow and sleepy afternoon, and nothing happened.",
        "The report lists the addresses and office hours.",
        "She lay still, resting peacefully in the silence.",
        "The document describes the procedure in general terms.",
        "They waited calmly and said nothing.",
        "A soft, gentle murmur in a quiet room.",
    ),
}

_MOODS: Mapping[str, tuple[str, ...]] = {
    "calm": ("I feel calm and relaxed.", "Still water, slow breathing, nothing to worry about."),
    "peaceful": ("Everything is at peace.", "A quiet meadow in gentle morning light."),
    "dreamy": ("It feels like floating in a dream.", "Soft light and drifting, hazy thoughts."),
    "cozy": ("We sat snug and warm under a blanket.", "A cup of cocoa by the fire at home."),
    "tender": (
        "I love you and I care about you.",
        "She held the baby gently in her arms.",
        "Thank you so much, you are very kind.",
    ),
    "romantic": ("They kissed under the stars, deeply in love.", "A candlelit dinner for two lovers."),
    "nostalgic": ("I remember how it used to be when I was a child.", "Old photographs bring back the past."),
    "melancholic": (
        "A quiet sadness hangs over everything.",
        "I am disappointed, it is not what it could have been.",
    ),
    "sad": ("I feel so sad that I could cry.", "It broke my heart.", "I am sorry this happened to you."),
    "grieving": (
        "He mourned the death of his wife.",
        "They wept at her grave.",
        "Rest in peace, you will be missed.",
    ),
    "lonely": ("I am all alone and nobody calls me.", "An abandoned house, far from anyone."),
    "solemn": ("We gather here to honour those who served.", "A sacred ceremony, grave and dignified."),
    "mysterious": ("Nobody knows what lies behind that door.", "A strange riddle from an ancient time."),
    "focused": ("Concentrating on the task, step by step.", "He studied his notes with great attention."),
    "neutral": (
        "The report lists the results for each year.",
        "To fix the error, install the package and restart the server.",
        "He was born in 1950 and studied law at the university.",
        "He is a British actor, writer and director best known for his role in a television series.",
        "The company was founded in 1998 and has its offices in London.",
        "The film was released in 1987 and directed by an American director.",
        "The theory states that the function is defined for all values.",
        "The government introduced a new law and several reforms.",
        "Construction of the building began in 1890 and took ten years.",
        "The city lies in the north of the country.",
        "It is a type of cell found in many organisms.",
        "The price is shown in the table below.",
        "x",
        "https://example.com/page",
    ),
    "curious": (
        "I wonder how that works?",
        "What is that? I have never seen it before!",
        "Oh, I did not expect that.",
    ),
    "hopeful": (
        "I hope that everything will be better tomorrow.",
        "There is light at the end of the tunnel.",
    ),
    "wondrous": ("They stared in awe at the magnificent sky.", "Wow, that is absolutely amazing!"),
    "determined": ("I will not give up, whatever it takes.", "She set her jaw and climbed on."),
    "happy": ("I am happy and everything is good.", "That is nice, I like it.", "Great job, well done!"),
    "funny": ("That joke made me laugh out loud.", "Haha, that is hilarious!"),
    "playful": ("The puppies chased each other through the garden.", "Just teasing you, silly!"),
    "joyful": ("We danced and sang with joy all day.", "Hooray, happy birthday to you!"),
    "triumphant": ("We won! We are the champions!", "The hero returned in victory."),
    "exciting": ("I am so excited, I can't wait!", "A thrilling adventure is about to begin."),
    "energetic": ("Let's go, faster, keep moving!", "A powerful workout full of energy."),
    "epic": (
        "Armies clashed before the gates of the ancient kingdom.",
        "A legendary quest across the world.",
    ),
    "dark": ("Evil things happen in the darkness.", "A grim, black and hopeless place."),
    "ominous": ("Something terrible is about to happen.", "Black clouds gathered over the silent house."),
    "tense": ("Nobody moved while the timer ran down.", "The negotiations stood on a knife's edge."),
    "anxious": ("I am so nervous and worried about tomorrow.", "I feel embarrassed and can't stop worrying."),
    "scary": ("I was terrified by the monster.", "A scream came from the cellar, and we ran in fear."),
    "angry": (
        "I am so angry at you!",
        "This is disgusting and makes me sick.",
        "What is wrong with these stupid people?",
    ),
    "aggressive": ("He punched the man and kicked him again.", "We will crush and destroy our enemies."),
    "chaotic": (
        "Everyone ran in every direction, shouting in panic.",
        "Total mayhem broke out in the streets.",
    ),
}

_PLACES: Mapping[str, tuple[str, ...]] = {
    "forest": (
        "Tall trees stood close together in the deep forest.",
        "We walked through the woods over moss and leaves.",
    ),
    "rain": ("Rain fell steadily on the roof and ran down the window.", "We got soaked in the pouring rain."),
    "ocean": (
        "Waves rolled onto the beach beside the ocean.",
        "The ship sailed across the open sea, and gulls cried.",
    ),
    "city": (
        "Crowds and traffic filled the busy city streets.",
        "Merchants called from their stalls in the town square.",
    ),
    "night": (
        "It was a dark night under the moon and stars.",
        "At midnight everything outside was black and quiet.",
    ),
    "cave": ("Water dripped in the dark, damp cave.", "We crawled through the tunnel deep under the rock."),
    "desert": ("The sun burned over endless dunes of sand.", "Nothing grew in the dry and scorching desert."),
    "tavern": ("The tavern was full of drinkers, ale and laughter.", "The innkeeper poured beer at the bar."),
    "storm": ("Thunder crashed and lightning split the sky.", "The gale howled and tore at the sails."),
    "snow": (
        "Snow covered everything and the cold wind blew.",
        "We crossed the frozen tundra over ice and snow.",
    ),
    "space": ("The spaceship drifted among the stars.", "Astronauts looked down on the planet from orbit."),
    "fireside": (
        "We sat by the crackling fire in the hearth.",
        "Around the campfire they warmed their hands.",
    ),
    "none": (
        "A room inside a castle with furniture and paintings on the walls.",
        "The church has an altar and wooden pews.",
        "The article explains the history of the institution.",
        "The law was passed by parliament in 1998.",
        "The team won the game in the fourth quarter.",
        "The army fought a war against the country in 1991.",
        "He was an American actor, born in 1950.",
        "The city has a population of two million and lies in the east of the country.",
        "The cell membrane regulates the transport of molecules.",
        "Here is how to configure the software and fix the error.",
        "Farmland and hills stretch across the countryside.",
        "She told him what she thought about it.",
    ),
}
"""Environments, and under "none" texts that take place in none of them."""

PROTOTYPES: Mapping[str, tuple[str, ...]] = {
    **_POLES,
    **{f"mood:{name}": sentences for name, sentences in _MOODS.items()},
    **{f"place:{name}": sentences for name, sentences in _PLACES.items()},
}


def vectors(encoder: Encoder, cache_dir: Path | None = None) -> Mapping[str, NDArray[np.float32]]:
    """Return for each prototype name the unit vectors of its sentences, shape (sentences, dimension).

    They are read from `cache_dir`, from a file named by a digest of the encoder and the sentences; without it they are
    computed, and written there. A cache that cannot be read or written only costs time.
    """
    digest = _digest(encoder)
    if digest not in _TABLES:
        path = cache_dir / f"prototypes-{digest}.npz" if cache_dir else None
        table = _read(path, encoder) if path else None
        if table is None:
            table = _split(encoder.encode([sentence for group in PROTOTYPES.values() for sentence in group]))
            if path:
                _write(path, table)
        _TABLES[digest] = table
    return _TABLES[digest]


_TABLES: dict[str, Mapping[str, NDArray[np.float32]]] = {}


def _digest(encoder: Encoder) -> str:
    inputs = repr((encoder.identity, encoder.dimension, list(PROTOTYPES.items())))
    return hashlib.sha256(inputs.encode("utf-8")).hexdigest()[:16]


def _split(flat: NDArray[np.float32]) -> Mapping[str, NDArray[np.float32]]:
    ends = np.cumsum([len(group) for group in PROTOTYPES.values()])
    return dict(zip(PROTOTYPES, np.split(flat, ends[:-1]), strict=True))


def _read(path: Path, encoder: Encoder) -> Mapping[str, NDArray[np.float32]] | None:
    try:
        flat = array_in(path.read_bytes(), "vectors")
    except (OSError, Damage):
        return None
    expected = (sum(map(len, PROTOTYPES.values())), encoder.dimension)
    whole = flat.dtype == np.float32 and flat.shape == expected and np.isfinite(flat).all()
    return _split(flat) if whole else None


def _write(path: Path, table: Mapping[str, NDArray[np.float32]]) -> None:
    buffer = io.BytesIO()
    np.savez(buffer, vectors=np.concatenate(list(table.values())))
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_file(path, buffer.getvalue(), durable=False)
