"""The texts that a track is compared with: of each style, mood, instrument and place.

Several texts of one name are read, and their mean is its vector, since one wording alone pulls some names up.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

from ..models.ear import TagKind
from ..presets import Style
from ..presets.vocabulary import INSTRUMENTS, MOODS

__all__ = ["ALONE", "Prompts", "digest", "prompts"]

Prompts = Mapping[TagKind, Mapping[str, tuple[str, ...]]]

ALONE = "alone"
"""The name that takes the share of music in which no place is heard."""
PLACES: Mapping[str, str] = {
    "forest": "birdsong and rustling leaves in a forest",
    "rain": "falling rain",
    "ocean": "ocean waves on a beach",
    "city": "city traffic and street noise",
    "night": "crickets at night",
    "cave": "dripping water and echoes in a cave",
    "desert": "dry wind over a desert",
    "tavern": "the chatter of a crowded tavern",
    "storm": "thunder and stormy wind",
    "snow": "cold howling winter wind",
    "space": "deep humming of a space ship",
    "fireside": "a crackling fire",
}
"""What is heard in each of the environments."""


def prompts(styles: Mapping[str, Style]) -> Prompts:
    """Return the texts by kind and name; `styles` are those of the presets, by name."""
    alone = ("music alone, without any background noise", "a clean studio recording of music")
    return {
        "style": {name: _of_style(style) for name, style in styles.items()},
        "mood": {name: (f"{name} music", f"a piece of music that sounds {name}") for name in MOODS},
        "instrument": {name: (f"{name} music", f"the sound of {name}") for name in INSTRUMENTS},
        "place": {
            **{
                name: (f"music with the sound of {sound}", f"the sound of {sound}")
                for name, sound in PLACES.items()
            },
            ALONE: alone,
        },
    }


def digest(texts: Prompts) -> str:
    """Return what is another text whenever one of the texts, or the way they are weighed, is another one."""
    return hashlib.sha256(json.dumps(["tags-1", texts], sort_keys=True).encode()).hexdigest()[:8]


def _of_style(style: Style) -> tuple[str, ...]:
    """Return the texts of a style: the sentence of its description that says how it sounds, and its tags."""
    return style.description.partition(". ")[0], ", ".join(style.prompt_tags)
