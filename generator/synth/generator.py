"""The generator without weights: compose a score from parameters, play it, and put it in a room."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..audio.loop import turned
from ..errors import GeneratorError
from ..protocol import Audio, Progress
from . import desk
from .composition import Note, Part, Score, compose
from .drums import LOUDNESS, PAN, drum_at
from .harmony import key_name
from .instruments import VOICES
from .melodies import follow_tune
from .notes import NoteCache
from .parameters import Dynamics, Repetition, Synthesis, Tonic, names_of
from .reverb import BLOCK_FRAMES, add_reverb
from .textures import render_texture
from .tones import SAMPLE_RATE, Samples

__all__ = ["ProceduralGenerator", "SynthSettings"]


VERSION = "3"
MIN_DURATION_S, MAX_DURATION_S = 0.05, 3600.0
TARGET_RMS = 0.125
PART_DB: Mapping[str, float] = {"harmony": -4.0, "pad": -9.0, "bass": -4.5, "lead": -3.0, "drums": 1.5}
SEND: Mapping[str, float] = {"harmony": 0.8, "pad": 0.9, "bass": 0.12, "lead": 1.0, "drums": 0.3}
SLICES = 8
"""Progress steps for each part."""


@dataclass(frozen=True)
class SynthSettings:
    """The part of the generation configuration that the synthesizer reads."""

    synthesis: Synthesis
    duration_s: float
    seed: int
    channels: int
    loopable: bool

    @classmethod
    def read(cls, prompt: str, config: Mapping[str, Any]) -> SynthSettings:
        """Return checked settings; keys for other generators are ignored. Raises GeneratorError."""
        values = config.get("synthesis")
        if values is not None and not isinstance(values, Mapping):
            raise GeneratorError(f"synthesis must be a mapping of parameters, not {values!r}")
        synthesis = Synthesis.from_words(prompt) if values is None else Synthesis.parse(values)
        overlay = {key: config[key] for key in ("repetition", "dynamics") if config.get(key) is not None}
        for key, kind in (("repetition", Repetition), ("dynamics", Dynamics)):
            if key in overlay and overlay[key] not in names_of(kind):
                raise GeneratorError(f"{key} cannot be {overlay[key]!r}; valid: {', '.join(names_of(kind))}")
        seed = config.get("seed")
        return cls(
            synthesis=synthesis.model_copy(update=overlay),
            duration_s=_number(config, "duration_s", 30.0, MIN_DURATION_S, MAX_DURATION_S),
            seed=zlib.crc32(prompt.encode("utf-8", "replace"))
            if seed is None
            else _whole(config, "seed", 0, 0, 2**63),
            channels=_whole(config, "channels", 2, 1, 2),
            loopable=bool(config.get("loopable", False)),
        )


def _number(config: Mapping[str, Any], key: str, default: float, low: float, high: float) -> float:
    """Return a number of the configuration within its bounds; raise GeneratorError otherwise."""
    value = config.get(key)
    if value is None:
        return default
    if (
        isinstance(value, bool)
        or not isinstance(value, (int, float, np.integer, np.floating))
        or not low <= value <= high
    ):
        raise GeneratorError(f"{key} cannot be {value!r}; give a number from {low:g} to {high:g}")
    return float(value)


def _whole(config: Mapping[str, Any], key: str, default: int, low: int, high: int) -> int:
    """Return a whole number of the configuration within its bounds; raise GeneratorError otherwise."""
    value = config.get(key)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or not low <= value <= high:
        raise GeneratorError(f"{key} cannot be {value!r}; give a whole number from {low} to {high}")
    return int(value)


class ProceduralGenerator:
    """Makes music from parameters alone; satisfies `generator.Generator`."""

    name = "procedural-3"
    sample_rate = SAMPLE_RATE

    def generate_music(
        self,
        prompt: str,
        config: Mapping[str, Any],
        *,
        melody: Audio | None = None,
        continue_from: Audio | None = None,
        on_progress: Progress | None = None,
    ) -> Audio:
        """Return float32 audio of exactly round(duration_s * 32000) frames, peak below 0.95.

        Keys of `config`: duration_s, seed, channels, loopable, repetition, dynamics, synthesis (parameters; without it
        they come from the words of the prompt). The lead follows the strongest pitches of a `melody`. The same prompt,
        configuration and seed give the same samples. Raises GeneratorError for values it cannot use and for
        `continue_from`; an exception of `on_progress` passes through.
        """
        if continue_from is not None:
            raise GeneratorError(
                "the procedural generator cannot continue given audio; leave continue_from out or use the mlx backend"
            )
        settings = SynthSettings.read(prompt, config)
        synthesis, tune = _in_key(settings), tuple[int, ...]()
        if melody is not None:
            synthesis, tune = follow_tune(melody, settings.synthesis)
        score = compose(
            synthesis, settings.duration_s, loopable=settings.loopable, seed=settings.seed, tune=tune
        )
        samples = _render(score, synthesis, settings, on_progress)
        audio = Audio(samples, SAMPLE_RATE, _provenance(settings, synthesis, score))
        return turned(audio, score.form.beat_s) if settings.loopable else audio


def _in_key(settings: SynthSettings) -> Synthesis:
    """Return the synthesis with a tonic, chosen by the seed where none is set."""
    if settings.synthesis.tonic:
        return settings.synthesis
    tonic = np.random.default_rng([settings.seed, 0x70]).choice(names_of(Tonic))
    return settings.synthesis.model_copy(update={"tonic": str(tonic)})


def _provenance(settings: SynthSettings, synthesis: Synthesis, score: Score) -> dict[str, Any]:
    """Return how the audio was made."""
    return {
        "backend": "procedural",
        "model": ProceduralGenerator.name,
        "weights_license": "none",
        "seed": settings.seed,
        "sample_rate": SAMPLE_RATE,
        "versions": {"numpy": np.__version__, "procedural": VERSION},
        "tempo_bpm": round(score.form.tempo_bpm, 3),
        "musical_key": key_name(synthesis),
        "synthesis": synthesis.model_dump(),
    }


# Rendering


class _Steps:
    """Counts finished steps for the progress callback."""

    def __init__(self, total: int, on_progress: Progress | None) -> None:
        self.total, self.done, self.on_progress = total, 0, on_progress
        self.report()

    def report(self) -> None:
        """Call the callback; an exception that it raises stops the rendering."""
        if self.on_progress:
            self.on_progress(min(self.done, self.total), self.total)

    def advance(self) -> None:
        """Finish one step."""
        self.done += 1
        self.report()


def _render(
    score: Score, synthesis: Synthesis, settings: SynthSettings, on_progress: Progress | None
) -> Samples:
    """Play the parts, add reverberation and textures, and finish; return samples of shape (frames, channels)."""
    frames = max(1, round(settings.duration_s * SAMPLE_RATE))
    circular = settings.loopable
    blocks = -(-frames // BLOCK_FRAMES)
    steps = _Steps(SLICES * len(score.parts) + blocks + 2 * len(synthesis.textures) + 6, on_progress)
    mix, send = np.zeros((2, frames), np.float32), np.zeros(frames, np.float32)
    _play_parts(score, synthesis, mix, send, settings, steps)
    if synthesis.reverb and synthesis.music_level:
        room_s = max(0.2, min(synthesis.room_s, 0.6 * settings.duration_s))
        add_reverb(
            mix, send, room_s=room_s, gain=1.1 * synthesis.reverb, circular=circular, on_block=steps.advance
        )
    if synthesis.tape:
        desk.wear(mix, synthesis.tape)
    steps.advance()
    _lay_textures(mix, synthesis, settings, steps)
    _finish(mix, synthesis, settings)
    steps.done = steps.total
    steps.report()
    if settings.channels == 1:
        return np.ascontiguousarray((np.float32(0.5) * (mix[0] + mix[1]))[:, None])
    return np.ascontiguousarray(mix.T)


def _play_parts(
    score: Score, synthesis: Synthesis, mix: Samples, send: Samples, settings: SynthSettings, steps: _Steps
) -> None:
    """Render each part on a bus, bring it to its level, and add it to the mix and to the send of the reverb."""
    notes, kicks, circular = NoteCache(synthesis.brightness, settings.seed), _kicks(score), settings.loopable
    for part in score.parts:
        bus = np.zeros_like(mix)
        for slice_ in range(SLICES):
            for note in part.notes[slice_::SLICES]:
                _play_note(bus, part, note, notes, circular)
            steps.advance()
        _treat(bus, part, synthesis, score, kicks, circular)
        bus *= np.float32(_level(part, synthesis) * TARGET_RMS / max(desk.active_rms(bus), 1e-6))
        mix += bus
        send += np.float32(0.5 * SEND[part.role]) * (bus[0] + bus[1])


def _play_note(bus: Samples, part: Part, note: Note, notes: NoteCache, circular: bool) -> None:
    """Add one note or stroke to the bus of its part."""
    start = int(note.start_s * SAMPLE_RATE)
    if isinstance(note.pitch, str):
        turn = int(1000 * note.start_s)
        wave = drum_at(part.instrument, note.pitch, note.velocity, turn)[None]
        pan = PAN.get(note.pitch, 0.0)
        gain = note.velocity**1.5 * LOUDNESS.get(note.pitch, 1.0)
    else:
        name = f"bass.{part.instrument}" if part.role == "bass" else part.instrument
        wave = notes.note(name, note.pitch, note.duration_s, note.velocity)
        pan = 0.0 if part.role == "bass" else float(np.clip((note.pitch - 64) / 60, -0.4, 0.4))
        gain = note.velocity
    angle = (pan + 1) * np.pi / 4
    desk.add_note(
        bus, start, wave, gain * float(np.cos(angle)), gain * float(np.sin(angle)), circular=circular
    )


def _treat(
    bus: Samples, part: Part, synthesis: Synthesis, score: Score, kicks: list[float], circular: bool
) -> None:
    """Apply the effects of a part: sway, echo, pump."""
    if part.role == "drums":
        return
    name = f"bass.{part.instrument}" if part.role == "bass" else part.instrument
    if VOICES[name].drive:
        desk.overdrive(bus, VOICES[name].drive, circular=circular)
    if VOICES[name].tremolo_hz:
        desk.sway(bus, VOICES[name].tremolo_hz)
    if synthesis.echo and part.role in ("lead", "harmony"):
        desk.add_echo(bus, 0.75 * score.form.beat_s, synthesis.echo, circular=circular)
    if synthesis.pump and kicks:
        desk.pump(bus, kicks, synthesis.pump, circular=circular)


def _kicks(score: Score) -> list[float]:
    """Return when the kick drum is hit, in seconds."""
    return [note.start_s for part in score.parts for note in part.notes if note.pitch == "kick"]


def _level(part: Part, synthesis: Synthesis) -> float:
    """Return the gain of a part against the others."""
    fader = {
        "drums": synthesis.drum_level / 0.7,
        "lead": synthesis.lead_level / 0.7,
        "pad": synthesis.pad_level / 0.5,
    }.get(part.role, 1.0)
    return float(10 ** (PART_DB[part.role] / 20) * fader)


def _lay_textures(mix: Samples, synthesis: Synthesis, settings: SynthSettings, steps: _Steps) -> None:
    """Bring the music to its level and add every texture at its own."""
    music = desk.active_rms(mix)
    mix *= np.float32(TARGET_RMS * synthesis.music_level / music if music > 1e-6 else 0.0)
    for name, level in sorted(synthesis.textures.items()):
        if not level:
            continue
        sound = render_texture(
            name,
            mix.shape[1],
            level=level,
            circular=settings.loopable,
            seed=settings.seed,
            on_block=steps.advance,
        )
        sound *= np.float32(TARGET_RMS * level)
        if not settings.loopable:
            edge_s = min(1.5, 0.15 * settings.duration_s)
            desk.fade_ends(sound, edge_s, edge_s)
        mix += sound


def _finish(mix: Samples, synthesis: Synthesis, settings: SynthSettings) -> None:
    """Set the width, fade the ends of what does not loop, and set the level."""
    desk.widen(mix, min(1.0, 0.25 + 0.75 * synthesis.width) if synthesis.width else 0.0)
    if not settings.loopable:
        desk.fade_ends(mix, 0.002, min(0.25, 0.12 * settings.duration_s))
    desk.finish_level(mix, TARGET_RMS)
