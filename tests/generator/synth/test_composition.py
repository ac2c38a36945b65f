"""The notes: harmony, voice leading, melody in scale, motif and its return, form and endings."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from music_catalog.generator.synth.composition import compose
from music_catalog.generator.synth.form import plan_form
from music_catalog.generator.synth.harmony import SCALES, chord_on, degrees_of, lead_voices, tonic_class
from music_catalog.generator.synth.melodies import melody_line
from music_catalog.generator.synth.parameters import PROGRESSIONS, Mode, Synthesis, names_of


def part(score, role):
    return next(p for p in score.parts if p.role == role)


@pytest.mark.parametrize("mode", names_of(Mode))
def test_chords_stay_in_their_scale_and_avoid_the_tritone_over_the_root(mode):
    synthesis = Synthesis(tonic="D", mode=mode)
    for degree in range(1, 8):
        chord = chord_on(synthesis, degree, following=2)
        assert set(chord.tones) <= set(chord.scale)
        assert set(chord.scale) == {(2 + step) % 12 for step in SCALES[mode]}
        assert all((tone - chord.tones[0]) % 12 != 6 for tone in chord.tones)


def test_a_minor_dominant_gets_its_leading_note_only_before_the_tonic():
    synthesis = Synthesis(tonic="A", mode="minor")
    assert 8 in chord_on(synthesis, 5, following=1).tones  # G sharp
    assert 7 in chord_on(synthesis, 5, following=6).tones  # G


@pytest.mark.parametrize("name", PROGRESSIONS)
@pytest.mark.parametrize("mode", ["major", "minor", "phrygian"])
def test_voices_move_little_and_sound_the_whole_chord(name, mode):
    synthesis = Synthesis(mode=mode, colour="seventh")
    degrees = degrees_of(name)
    chords = [chord_on(synthesis, degree) for degree in degrees * 2]
    voicings = lead_voices(chords, 60.0)
    for chord, voicing in zip(chords, voicings, strict=True):
        assert {p % 12 for p in voicing} == set(chord.tones)
        assert abs(np.mean(voicing) - 60) < 9
    moves = [abs(a - b) for one, two in pairwise(voicings) for a, b in zip(one, two, strict=False)]
    assert np.mean(moves) < 3.5
    root_position = [[60 + (c.root + step) % 12 for step in (0, 4, 7)] for c in chords]
    plain = [abs(a[0] - b[0]) for a, b in pairwise(root_position)]
    assert np.mean(moves) <= max(2.0, np.mean(plain))


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(names_of(Mode)), st.floats(0, 1), st.integers(0, 2**32 - 1))
def test_the_melody_is_in_scale_and_rests_on_chord_notes(mode, density, seed):
    chord = chord_on(Synthesis(mode=mode), 1)
    line = melody_line([chord] * 64, bar_steps=16, bars=4, centre=72, density=density, seed=seed, variation=0)
    assert line
    assert all(pitch % 12 in chord.scale for _, _, pitch, _ in line)
    assert all(60 <= pitch <= 84 for _, _, pitch, _ in line)
    assert line[-1][2] % 12 in chord.tones
    assert all(step + steps <= 64 for step, steps, _, _ in line)


def test_a_motif_returns():
    chord = chord_on(Synthesis(), 1)
    line = melody_line([chord] * 128, bar_steps=16, bars=8, centre=72, density=0.5, seed=5, variation=0)
    rhythm = [tuple((s % 16, n) for s, n, _, _ in line if s // 16 == bar) for bar in range(8)]
    assert rhythm[0] == rhythm[4]
    assert rhythm[2] != rhythm[0]


def test_sections_return_with_their_harmony_when_repetition_is_asked_for():
    def pad_by_section(repetition):
        synthesis = Synthesis(pad="strings", repetition=repetition, humanize=0, tempo_bpm=120)
        score = compose(synthesis, 64, loopable=True, seed=1)
        notes = part(score, "pad").notes
        return [
            tuple(
                n.pitch
                for n in notes
                if s.first_bar <= n.start_s / score.form.bar_s + 1e-6 < s.first_bar + s.bars
            )
            for s in score.form.sections
        ]

    assert len(set(map(frozenset, pad_by_section("high")))) == 1
    assert len(set(pad_by_section("none"))) > 1


@pytest.mark.parametrize("mode", names_of(Mode))
def test_a_piece_ends_on_its_tonic(mode):
    synthesis = Synthesis(mode=mode, tonic="F", bass="electric", lead="flute", dynamics="flat")
    score = compose(synthesis, 30, loopable=False, seed=3)
    last_bar = (score.form.bars - 1) * score.form.bar_s
    final = [n for n in part(score, "bass").notes if n.start_s >= last_bar - 0.05]
    assert [n.pitch % 12 for n in final] == [tonic_class(synthesis)]
    assert all(n.start_s + n.duration_s < 30 for n in final)
    tune = [n for n in part(score, "lead").notes if n.start_s >= last_bar - 0.05]
    assert len(tune) == 1
    assert tune[0].pitch % 12 in chord_on(synthesis, 1).tones


@settings(max_examples=60, deadline=None)
@given(
    st.floats(0.05, 600), st.floats(30, 220), st.sampled_from([3, 4, 6]), st.booleans(),
    st.sampled_from(["none", "low", "medium", "high"]),
    st.sampled_from(["flat", "gentle", "building", "impact", "wide"]),
)  # fmt: skip
def test_a_form_covers_exactly_its_bars(duration_s, tempo_bpm, meter, loopable, repetition, dynamics):
    synthesis = Synthesis(tempo_bpm=tempo_bpm, meter=meter, repetition=repetition, dynamics=dynamics)
    form = plan_form(synthesis, duration_s, loopable=loopable)
    bars = [bar for s in form.sections for bar in range(s.first_bar, s.first_bar + s.bars)]
    assert bars == list(range(form.bars))
    assert all(0 < s.intensity <= 1 for s in form.sections)
    if loopable:
        assert form.bars * form.bar_s == pytest.approx(duration_s)
    elif form.bars > 1:
        assert form.bars * form.bar_s <= duration_s
        assert 60 / form.beat_s == pytest.approx(tempo_bpm, rel=0.09)


def test_a_longer_loop_keeps_its_tempo_closely():
    form = plan_form(Synthesis(tempo_bpm=100), 30, loopable=True)
    assert 60 / form.beat_s == pytest.approx(100, rel=0.05)


@pytest.mark.parametrize("loopable", [False, True])
def test_no_note_starts_outside_the_piece(loopable):
    synthesis = Synthesis(
        bass="upright", lead="flute", groove="swing", swing=1.0, humanize=1.0, pad="strings"
    )
    score = compose(synthesis, 20, loopable=loopable, seed=9)
    assert all(0 <= n.start_s < 20 and 0 < n.velocity <= 1 for p in score.parts for n in p.notes)


def test_dynamics_shape_the_form():
    def loudness(dynamics):
        return [
            s.intensity
            for s in plan_form(Synthesis(dynamics=dynamics, tempo_bpm=120), 60, loopable=False).sections
        ]

    assert loudness("building") == sorted(loudness("building"))
    assert loudness("impact") == sorted(loudness("impact"), reverse=True)
    assert len(set(loudness("flat"))) == 1
    assert max(loudness("wide")) - min(loudness("wide")) > max(loudness("gentle")) - min(loudness("gentle"))
