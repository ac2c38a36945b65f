"""Read synthesis parameters in a free prompt: genres, instruments, moods, places, tempo and key.

These tables are words of prompts only. The moods of texts, and the styles that answer them, belong to the catalog.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np

__all__ = ["read_words"]


Values = dict[str, Any]

GENRES: Mapping[str, Values] = {
    r"lo-?fi|chill-?hop": {"tempo_bpm": 76, "mode": "dorian", "colour": "ninth", "progression": "lofi",
        "harmony": "electric_piano", "bass": "upright", "groove": "boom_bap", "kit": "lofi", "tape": 0.5,
        "swing": 0.4, "brightness": 0.35},
    r"ambient|drone|soundscape": {"tempo_bpm": 62, "bars_per_chord": 2, "harmony": "none", "pad": "warm_pad",
        "bass": "drone", "bass_line": "sustained", "groove": "none", "density": 0.2, "reverb": 0.6,
        "room_s": 5.0, "progression": "plagal"},
    r"techno|house|edm|dance|club|trance": {"tempo_bpm": 126, "mode": "minor", "harmony": "synth_pluck",
        "comping": "stabs", "pad": "saw_stack", "bass": "synth", "bass_line": "offbeat",
        "groove": "four_on_floor", "kit": "electronic", "pump": 0.5, "density": 0.6, "humanize": 0.1},
    r"synth-?wave|retro-?wave|outrun|80s|eighties": {"tempo_bpm": 104, "mode": "minor",
        "progression": "epic", "harmony": "synth_pluck", "comping": "arpeggio", "pad": "saw_stack",
        "lead": "synth_lead", "bass": "synth", "bass_line": "pulse", "groove": "backbeat",
        "kit": "electronic", "echo": 0.3},
    r"electronic|electronica|idm|synth": {"tempo_bpm": 112, "harmony": "synth_pluck", "comping": "arpeggio",
        "pad": "glass_pad", "bass": "sub", "groove": "half_time", "kit": "electronic", "humanize": 0.15},
    r"jazz|lounge|swing": {"tempo_bpm": 118, "colour": "ninth", "progression": "circle", "harmony": "piano",
        "bass": "upright", "bass_line": "walking", "groove": "swing", "kit": "brushes", "swing": 0.85,
        "humanize": 0.7},
    r"bossa|samba|latin": {"tempo_bpm": 122, "colour": "ninth", "progression": "circle",
        "harmony": "nylon_guitar", "bass": "upright", "bass_line": "bossa", "groove": "bossa",
        "kit": "brushes"},
    r"blues": {"tempo_bpm": 92, "mode": "mixolydian", "colour": "seventh", "progression": "blues",
        "harmony": "steel_guitar", "comping": "strum", "bass": "electric", "groove": "shuffle", "swing": 0.8},
    r"rock|punk|metal|grunge": {"tempo_bpm": 132, "mode": "minor", "colour": "power", "progression": "epic",
        "harmony": "distorted_guitar", "comping": "strum", "bass": "electric", "bass_line": "pulse",
        "groove": "backbeat", "density": 0.6, "brightness": 0.6},
    r"folk|country|bluegrass": {"tempo_bpm": 104, "progression": "folk", "harmony": "steel_guitar",
        "comping": "strum", "lead": "whistle", "bass": "upright", "groove": "none"},
    r"orchestra|orchestral|symphonic|cinematic|film|epic|trailer|soundtrack": {"tempo_bpm": 92, "progression": "epic",
        "harmony": "spiccato", "comping": "ostinato", "pad": "strings", "lead": "horn", "bass": "contrabass",
        "bass_line": "sustained", "groove": "taiko", "kit": "orchestral", "reverb": 0.5, "room_s": 3.0,
        "dynamics": "building"},
    r"classical|baroque|chamber": {"tempo_bpm": 100, "progression": "noble", "harmony": "harp",
        "comping": "alberti", "pad": "strings", "lead": "violin", "bass": "cello", "groove": "none",
        "reverb": 0.45, "room_s": 2.4},
    r"chip-?tune|8-?bit|retro game|arcade": {"tempo_bpm": 144, "harmony": "pulse", "comping": "arpeggio",
        "lead": "square", "bass": "chip", "bass_line": "octaves", "groove": "backbeat", "kit": "chip",
        "reverb": 0.08, "humanize": 0.0, "density": 0.75},
    r"hip-?hop|trap|rap": {"tempo_bpm": 86, "mode": "minor", "harmony": "electric_piano", "bass": "sub",
        "bass_line": "syncopated", "groove": "boom_bap", "kit": "electronic"},
    r"drum and bass|dnb|jungle|breakbeat": {"tempo_bpm": 168, "mode": "minor", "harmony": "synth_pluck",
        "pad": "glass_pad", "bass": "sub", "groove": "breakbeat", "kit": "electronic", "density": 0.7},
    r"funk|disco|groovy": {"tempo_bpm": 112, "mode": "dorian", "colour": "seventh", "progression": "plagal",
        "harmony": "electric_piano", "comping": "stabs", "bass": "electric", "bass_line": "syncopated",
        "groove": "backbeat"},
    r"waltz": {"tempo_bpm": 132, "meter": 3, "harmony": "piano", "comping": "waltz", "groove": "none"},
    r"march|military|parade": {"tempo_bpm": 112, "progression": "noble", "harmony": "brass",
        "comping": "block", "groove": "march", "kit": "orchestral"},
    r"world|tribal|african|percussion": {"tempo_bpm": 104, "mode": "mixolydian", "harmony": "kalimba",
        "comping": "arpeggio", "groove": "hand", "kit": "hand", "bass": "upright"},
    r"meditation|yoga|spa|zen": {"tempo_bpm": 54, "harmony": "bell", "comping": "rolled", "pad": "warm_pad",
        "bass": "drone", "bass_line": "sustained", "groove": "none", "density": 0.15, "bars_per_chord": 2,
        "reverb": 0.65, "room_s": 5.5},
    r"horror|creepy|scary|dread": {"tempo_bpm": 56, "mode": "phrygian", "colour": "cluster",
        "progression": "shadow", "harmony": "none", "pad": "dark_pad", "lead": "none", "bass": "drone",
        "bass_line": "sustained", "groove": "none", "brightness": 0.25, "room_s": 5.0, "reverb": 0.6},
    r"lullaby|bedtime|nursery": {"tempo_bpm": 72, "meter": 3, "harmony": "music_box", "comping": "arpeggio",
        "lead": "celesta", "groove": "none", "density": 0.3},
    r"corporate|business|advert|presentation": {"tempo_bpm": 116, "progression": "pop", "harmony": "piano",
        "comping": "pulse", "pad": "warm_pad", "lead": "marimba", "bass": "electric",
        "groove": "four_on_floor", "density": 0.55, "brightness": 0.65},
    r"pop|indie": {"tempo_bpm": 110, "progression": "pop", "harmony": "piano", "pad": "warm_pad",
        "bass": "electric", "groove": "backbeat", "lead": "synth_pluck"},
}  # fmt: skip
"""Pattern -> what a genre sets. Where two genres disagree, the first in the text wins."""

MOODS: Mapping[str, Values] = {
    r"happy|joyful|cheerful|uplifting|upbeat|bright|sunny|triumphant|victorious": {"mode": "major",
        "brightness": 0.7, "density": 0.6},
    r"sad|melancholic|melancholy|mournful|grieving|sorrowful|lonely": {"mode": "minor", "brightness": 0.32,
        "density": 0.3, "tempo_bpm": 66},
    r"dark|ominous|sinister|menacing|gloomy": {"mode": "phrygian", "brightness": 0.25},
    r"tense|suspense|anxious|thriller": {"mode": "harmonic_minor", "progression": "suspense"},
    r"dreamy|ethereal|wondrous|magical|hopeful": {"mode": "lydian", "reverb": 0.55},
    r"calm|peaceful|gentle|relaxing|soothing|serene|quiet|soft": {"density": 0.25, "drum_level": 0.3,
        "tempo_bpm": 70},
    r"energetic|driving|intense|powerful|aggressive|exciting|fast": {"density": 0.75, "drum_level": 0.8,
        "tempo_bpm": 138, "dynamics": "building"},
    r"slow": {"tempo_bpm": 60},
    r"epic|dramatic|heroic": {"dynamics": "building"},
    r"nostalgic|warm|cozy|cosy|mellow": {"brightness": 0.38, "colour": "seventh"},
    r"mysterious|enigmatic|secretive": {"mode": "harmonic_minor"},
    r"eastern|arabian|arabic|oriental|desert": {"mode": "hijaz"},
}  # fmt: skip
"""Pattern -> what a mood bends; moods win over genres for mode, brightness and density."""

LEADS: Mapping[str, str] = {
    r"flute": "flute", r"violin|fiddle": "violin", r"cello": "cello", r"clarinet": "clarinet",
        r"oboe": "oboe",
    r"whistle": "whistle", r"trumpet|brass|trombone": "brass", r"french horn|horns?": "horn",
        r"vibraphone|vibes": "vibraphone",
    r"lead synth|synth lead": "synth_lead", r"celesta": "celesta", r"glockenspiel|music box": "music_box",
}  # fmt: skip
CHORDS: Mapping[str, str] = {
    r"rhodes|electric piano|wurlitzer|e-piano": "electric_piano", r"felt piano": "felt_piano",
        r"piano": "piano",
    r"acoustic guitar|steel guitar|ukulele|banjo": "steel_guitar",
        r"electric guitar|distort(ed|ion)|power chords": "distorted_guitar", r"guitar": "nylon_guitar",
        r"\bouds?\b|\blutes?\b": "oud",
        r"harp": "harp", r"koto": "koto",
    r"kalimba": "kalimba", r"marimba|xylophone": "marimba", r"organ": "organ", r"accordion": "accordion",
    r"pizzicato": "pizzicato", r"bells?": "bell", r"arpeggios?|plucks?": "synth_pluck",
}  # fmt: skip
PADS: Mapping[str, str] = {
    r"dark pads?|drones?": "dark_pad", r"glass|shimmer": "glass_pad", r"choir|choral|voices|vocals": "choir",
        r"strings": "strings",
    r"pads?|atmospheric": "warm_pad", r"supersaws?": "saw_stack",
}  # fmt: skip
TEXTURES: Mapping[str, str] = {
    r"rain|rainy|drizzle": "rain", r"wind|windy|breeze|blizzard": "wind",
        r"waves|ocean|sea|beach|surf": "waves",
    r"stream|river|brook|creek": "stream", r"crickets|cicadas": "crickets", r"owls?": "owl",
        r"birds|birdsong|forest": "birds",
    r"fire|fireplace|campfire|hearth|crackling": "fire", r"crowd|tavern|cafe|café|pub|chatter": "crowd",
    r"traffic|city|street|urban": "traffic", r"thunder|storm|thunderstorm": "thunder",
        r"drips?|dripping|cave|cavern": "drips",
    r"vinyl|record crackle": "vinyl", r"tape hiss|hiss": "hiss", r"space|cosmic|hum": "drone",
        r"chimes?": "chimes",
}  # fmt: skip
ABSENT: Mapping[str, Values] = {
    r"drums?|percussion|beats?": {"groove": "none"}, r"bass": {"bass": "none"},
        r"melody|lead|vocals?": {"lead": "none"},
    r"pads?": {"pad": "none"}, r"reverb": {"reverb": 0.0}, r"piano|chords": {"harmony": "none"},
}  # fmt: skip


def read_words(text: str) -> Values:
    """Return the synthesis parameters that `text` names; a hash of the text chooses the others."""
    words = text.casefold()
    wanted = _without_absent(words)
    values = _chosen_by_hash(text)
    # From the last match to the first, so that the first in the text wins.
    genres = _matches(GENRES, wanted)
    for genre in reversed(genres):
        values.update(genre)
    for mood in reversed(_matches(MOODS, wanted)):
        kept = {"tempo_bpm"} if genres else set()
        values.update({key: value for key, value in mood.items() if key not in kept})
    values.update(_instruments(wanted))
    textures = _matches(TEXTURES, wanted)[:4]
    values["textures"] = dict.fromkeys(textures, 0.25)
    values.update(_stated(words, text))
    for absent in _matches(ABSENT, " ".join(re.findall(r"\b(?:no|without|minus)\s+((?:\w+ ?){1,3})", words))):
        values.update(absent)
    if all(values.get(part, "none") == "none" for part in ("harmony", "pad", "lead", "bass")):
        values["pad"] = "warm_pad"
    return values


def _without_absent(words: str) -> str:
    """Return the text without the things that it wants to be absent: "no drums"."""
    return re.sub(r"\b(?:no|without|minus)\s+[\w]+", " ", words)


def _matches(table: Mapping[str, Any], words: str) -> list[Any]:
    """Return the values of the patterns that match, in the order of the text; the longer match first."""
    hits = []
    for pattern, value in table.items():
        match = re.search(rf"(?<!\w)(?:{pattern})(?!\w)", words)
        if match:
            hits.append((match.start(), -len(match.group()), value))
    return [value for _, _, value in sorted(hits, key=lambda hit: hit[:2])]


def _chosen_by_hash(text: str) -> Values:
    """Return parameters that a hash of the text chooses."""
    rng = np.random.default_rng(zlib.crc32(text.encode("utf-8", "replace")))
    return {
        "tempo_bpm": float(rng.integers(78, 117)),
        "mode": str(rng.choice(("major", "dorian", "minor", "mixolydian"))),
        "progression": str(rng.choice(("pop", "ballad", "rising", "open", "journey"))),
        "harmony": str(rng.choice(("piano", "electric_piano", "nylon_guitar"))),
        "comping": str(rng.choice(("block", "arpeggio", "rolled"))),
        "pad": str(rng.choice(("warm_pad", "strings", "glass_pad"))),
        "bass": str(rng.choice(("electric", "upright"))),
        "groove": str(rng.choice(("none", "sparse", "pulse"))),
    }


def _instruments(words: str) -> Values:
    """Return the instruments that are named, each in its usual part."""
    values: Values = {}
    for key, table in (("lead", LEADS), ("harmony", CHORDS), ("pad", PADS)):
        if matches := _matches(table, words):
            values[key] = matches[0]
    if re.search(r"\bdrum(s|beat)?\b|\bbeats?\b", words):
        values["drum_level"] = 0.7
    return values


def _stated(words: str, text: str) -> Values:
    """Return tempo, mode, key and meter where the text states them."""
    values: Values = {}
    tempo = re.search(r"(\d{2,3}(?:\.\d+)?)\s*-?\s*bpm\b", words) or re.search(
        r"\btempo[: ]+(\d{2,3})\b", words
    )
    if tempo:
        values["tempo_bpm"] = min(220.0, max(30.0, float(tempo.group(1))))
    mode = re.search(r"\b(lydian|mixolydian|dorian|phrygian|harmonic minor|major|minor)\b", words)
    if mode:
        values["mode"] = mode.group(1).replace(" ", "_")
    key = re.search(
        r"\b([A-G][#b♯♭]?) (?:major|minor|dorian|lydian|mixolydian|phrygian|harmonic minor)\b", text
    )
    if key:
        values["tonic"] = key.group(1)
    if re.search(r"\b3/4\b", words):
        values["meter"] = 3
    elif re.search(r"\b6/8\b", words):
        values["meter"] = 6
    return values
