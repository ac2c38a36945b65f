"""The parameters of one piece: what is played, on which instruments, how, and in which room."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, cast, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    FiniteFloat,
    ValidationError,
    model_validator,
)

from ..errors import GeneratorError
from .prompt import read_words

__all__ = [
    "Articulation",
    "Bass",
    "BassLine",
    "ChordColour",
    "Comping",
    "Dynamics",
    "Groove",
    "Instrument",
    "Kit",
    "Mode",
    "Repetition",
    "Synthesis",
    "Texture",
    "Tonic",
    "names_of",
]


Tonic = Literal["C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B"]
Mode = Literal[
    "phrygian", "hijaz", "harmonic_minor", "minor", "dorian", "mixolydian", "major", "lydian"
]  # from dark to bright
Groove = Literal[
    "none", "four_on_floor", "backbeat", "boom_bap", "half_time", "breakbeat", "swing", "bossa", "waltz",
    "march", "taiko", "hand", "pulse", "shuffle", "gallop", "sparse",
]  # fmt: skip
Kit = Literal["acoustic", "lofi", "electronic", "chip", "orchestral", "hand", "brushes"]
Instrument = Literal[
    "none", "piano", "felt_piano", "electric_piano", "music_box", "celesta", "vibraphone", "marimba", "kalimba",
    "harp", "nylon_guitar", "steel_guitar", "distorted_guitar", "oud", "koto",
    "pizzicato", "bell", "strings", "spiccato", "cello", "violin",
    "warm_pad", "glass_pad", "dark_pad", "choir", "organ", "accordion", "brass", "horn", "flute", "clarinet",
    "oboe", "whistle", "synth_lead", "saw_stack", "synth_pluck", "square", "pulse",
]  # fmt: skip
Bass = Literal["none", "upright", "electric", "sub", "synth", "cello", "contrabass", "chip", "drone"]
BassLine = Literal["sustained", "roots", "walking", "octaves", "pulse", "offbeat", "syncopated", "bossa"]
Comping = Literal[
    "sustained", "block", "arpeggio", "strum", "stabs", "ostinato", "alberti", "waltz", "rolled", "pulse"
]
ChordColour = Literal["triad", "seventh", "ninth", "sus", "power", "cluster"]
Texture = Literal[
    "rain", "wind", "waves", "stream", "crickets", "owl", "birds", "fire", "crowd", "traffic", "thunder",
    "drips", "vinyl", "hiss", "drone", "chimes",
]  # fmt: skip
Dynamics = Literal["flat", "gentle", "building", "impact", "wide"]
Repetition = Literal["none", "low", "medium", "high"]
Articulation = Literal["staccato", "normal", "legato"]
Meter = Literal[3, 4, 6]

PROGRESSIONS: Mapping[str, str] = {
    "drone": "1",
    "plagal": "1 4",
    "vamp": "1 7",
    "shadow": "1 2",
    "pop": "1 5 6 4",
    "ballad": "1 6 4 5",
    "rising": "4 5 6 1",
    "epic": "1 6 3 7",
    "lament": "1 7 6 5",
    "circle": "2 5 1 6",
    "turnaround": "1 6 2 5",
    "lofi": "4 3 2 1",
    "canon": "1 5 6 3 4 1 4 5",
    "journey": "1 3 4 6 2 5 1 5",
    "blues": "1 1 1 1 4 4 1 1 5 4 1 5",
    "noble": "1 4 1 5 6 4 2 5",
    "suspense": "1 6 1 2",
    "folk": "1 4 1 5",
    "open": "1 5 4 4",
}
"""Name -> scale degrees, one chord each; whether a chord is major or minor follows from the mode."""

FLATS = {
    "DB": "C#",
    "EB": "D#",
    "GB": "F#",
    "AB": "G#",
    "BB": "A#",
    "CB": "B",
    "FB": "E",
    "E#": "F",
    "B#": "C",
}
LEAST_LEVEL = 0.001
Level = Annotated[FiniteFloat, Field(ge=0.0, le=1.0)]


def names_of(kind: Any) -> tuple[str, ...]:
    """Return the valid names of one of the literal types here, in their own order."""
    return cast("tuple[str, ...]", get_args(kind))


def _sharp(name: Any) -> Any:
    """Return a tonic spelled with a sharp: "eb" -> "D#"."""
    if not isinstance(name, str):
        return name
    spelled = name.strip().replace("♭", "b").replace("♯", "#")
    return FLATS.get(spelled.upper(), spelled[:1].upper() + spelled[1:])


def _degrees(value: Any) -> Any:
    """Refuse a progression that is neither a known name nor degrees from 1 to 7."""
    if isinstance(value, str) and (value in PROGRESSIONS or re.fullmatch(r"[1-7]( [1-7]){0,15}", value)):
        return value
    raise ValueError(f"use degrees such as '1 5 6 4' or one of {', '.join(PROGRESSIONS)}")


def _whole_span(bars: float) -> float:
    if bars not in (0.5, 1.0, 2.0, 4.0):
        raise ValueError("use 0.5, 1, 2 or 4")
    return bars


class Synthesis(BaseModel):
    """All that the procedural generator needs, apart from length and seed. Levels are 0 to 1."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tempo_bpm: FiniteFloat = Field(default=96.0, ge=30.0, le=220.0, description="Beats a minute.")
    meter: Meter = Field(default=4, description="Beats in a bar; 6 is two beats of three eighths.")
    swing: Level = Field(
        default=0.0, description="How late off-beat eighths come; 1 is a full triplet swing."
    )
    humanize: Level = Field(default=0.4, description="Spread of timing (up to 15 ms) and of velocity.")

    tonic: Annotated[Tonic | None, BeforeValidator(_sharp)] = Field(
        default=None, description="Key note, flats accepted; None lets the seed choose."
    )
    mode: Mode = Field(default="major", description="Scale, from dark (phrygian) to bright (lydian).")
    progression: Annotated[str, BeforeValidator(_degrees)] = Field(
        default="pop", description="A named progression or scale degrees such as '1 5 6 4'."
    )
    bars_per_chord: Annotated[float, AfterValidator(_whole_span)] = Field(
        default=1.0, description="How long each chord stands: 0.5, 1, 2 or 4."
    )
    colour: ChordColour = Field(default="triad", description="What chords are made of.")
    register_shift: FiniteFloat = Field(
        default=0.0, ge=-1.0, le=1.0, description="Octaves that harmony and lead are moved by."
    )

    harmony: Instrument = Field(default="piano", description="Instrument that plays the chords in rhythm.")
    comping: Comping = Field(default="block", description="How `harmony` plays its chords.")
    pad: Instrument = Field(default="none", description="Instrument that sustains chords behind the rest.")
    lead: Instrument = Field(default="none", description="Instrument of the melody.")
    bass: Bass = Field(default="none", description="Bass instrument.")
    bass_line: BassLine = Field(default="roots", description="What the bass plays.")
    groove: Groove = Field(default="none", description="Drum pattern.")
    kit: Kit = Field(default="acoustic", description="Drum sounds.")

    drum_level: Level = Field(default=0.6, description="Loudness of the drums against the rest.")
    lead_level: Level = Field(default=0.6, description="Loudness of the melody against the rest.")
    pad_level: Level = Field(default=0.5, description="Loudness of the pad against the rest.")
    music_level: Level = Field(
        default=1.0, description="Loudness of all notes against the textures; 0 is none."
    )
    density: Level = Field(default=0.5, description="How many notes are played.")
    brightness: Level = Field(default=0.5, description="How much treble the instruments have.")
    articulation: Articulation = Field(default="normal", description="How long notes are held.")
    repetition: Repetition = Field(default="medium", description="How often the same section comes back.")
    dynamics: Dynamics = Field(default="gentle", description="How loudness and layers move over the length.")

    textures: dict[Texture, Level] = Field(
        default_factory=dict, description="Sounds of a place and their levels."
    )
    reverb: Level = Field(default=0.35, description="Loudness of the room.")
    room_s: FiniteFloat = Field(
        default=1.8, ge=0.2, le=9.0, description="Reverberation time (RT60), seconds."
    )
    echo: Level = Field(default=0.0, description="Loudness of a dotted-eighth echo on the melody and plucks.")
    width: Level = Field(default=0.7, description="Stereo width; 0 is mono.")
    tape: Level = Field(default=0.0, description="Worn tape: wow, dull top, soft saturation.")
    pump: Level = Field(default=0.0, description="How far the kick ducks everything else.")

    @model_validator(mode="after")
    def _sounds(self) -> Synthesis:
        """Refuse parameters that would give silence."""
        played = (
            {self.harmony, self.bass} != {"none"}
            or (self.pad != "none" and self.pad_level >= LEAST_LEVEL)
            or (self.lead != "none" and self.lead_level >= LEAST_LEVEL)
            or (self.groove != "none" and self.drum_level >= LEAST_LEVEL)
        )
        if (
            not (played and self.music_level >= LEAST_LEVEL)
            and max(self.textures.values(), default=0) < LEAST_LEVEL
        ):
            raise ValueError(
                "nothing would sound; name an instrument, a groove or a texture with a level above 0"
            )
        return self

    @classmethod
    def parse(cls, values: Mapping[str, Any]) -> Synthesis:
        """Return the checked parameters. Raises GeneratorError, which names the first bad value and what is valid."""
        try:
            return cls.model_validate(dict(values))
        except ValidationError as error:
            raise GeneratorError(_sentence(error)) from None

    @classmethod
    def from_words(cls, text: str) -> Synthesis:
        """Derive parameters from a free prompt such as "dark techno, 130 bpm, pads, no drums".

        A hash of the text chooses what the words leave open, so the same text gives the same parameters.
        """
        return cls.parse(read_words(text))


def _sentence(error: ValidationError) -> str:
    """Return the first fault of a validation error as one sentence, with the nearest valid names."""
    fault = error.errors(include_url=False)[0]
    path = [str(part) for part in fault["loc"] if part != "[key]"]
    value = fault.get("input")
    if fault["type"] == "extra_forbidden":
        return f"synthesis has no parameter {path[-1]!r}; {_nearest(path[-1], tuple(Synthesis.model_fields))}"
    message = fault["msg"].removeprefix("Value error, ")
    if not path:
        return f"synthesis cannot be rendered: {message}"
    where = f"synthesis parameter {'.'.join(path)!r}"
    if fault["type"] == "literal_error":
        field = Synthesis.model_fields.get(path[0])
        kind = Texture if path[0] == "textures" else field.annotation if field else None
        return f"{where} cannot be {value!r}; {_nearest(str(value), tuple(map(str, get_args(kind))))}"
    return f"{where} cannot be {value!r}: {message[:1].lower()}{message[1:]}"


def _nearest(name: str, valid: tuple[str, ...]) -> str:
    """Return the end of a sentence that names the valid names nearest to `name`, or all where none is near."""
    close = difflib.get_close_matches(name, valid, n=3, cutoff=0.5)
    if close:
        return "nearest valid: " + ", ".join(close)
    return "valid: " + ", ".join(valid)
