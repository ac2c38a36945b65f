"""Where the beats of a piece are, by dynamic programming.

Ellis (2007), "Beat tracking by dynamic programming", Journal of New Music Research 36(1): of all rows of beats, the one
whose onsets are strongest and whose steps are nearest to the period of the tempo. Onsets of the bass count as much as
those of the whole: where a hi-hat plays between the beats, it is the bass that is on them.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ..audio import onsets
from ..audio.measured_signal import SIGNAL_RATE
from ..audio.spectrum import spectra

__all__ = ["beat_times"]

Floats = NDArray[np.float64]

FRAMES_PER_S = SIGNAL_RATE / onsets.HOP
SIZE = 2048
BASS_HZ = (20.0, 180.0)
BASS_RANGE_DB = 50.0
TIGHTNESS = 1000.0
"""What a step that differs from the period by a factor of e costs, against an onset of one standard deviation."""
SMOOTH = 1 / 32
"""Of a period: the standard deviation by which onsets are blurred, so that a beat may be a little early or late."""
LATE_S = 0.021
"""By how much the onset strength is late: clicks at known times are found so much after them."""
LEAST_PULSE = 1.5
"""How much stronger onsets must be on the beats than on the average, in standard deviations: noise reaches 1.4."""


def beat_times(signal: NDArray[np.float32], tempo_bpm: float) -> Floats:
    """Return the times of the beats in seconds; none where the onsets are not on the beats.

    `signal` is mono at `SIGNAL_RATE`, `tempo_bpm` its tempo, which may be a few hundredths off and may drift.
    """
    whole, bass = onsets.onset_strength(signal).astype(np.float64), _bass_onsets(signal)
    period = 60.0 * FRAMES_PER_S / tempo_bpm
    if len(whole) < 4 * period or whole.std() < 1e-9:
        return np.zeros(0)
    strength = whole / whole.std() + bass / max(float(bass.std()), 1e-9)
    local = _blurred(strength / strength.std(), period)
    beats = _best_row(local, period)
    if _pulse(local, beats) < LEAST_PULSE:
        return np.zeros(0)
    times = _without_silence(strength, beats) / FRAMES_PER_S - LATE_S
    # A beat on the first sample is found a little before it.
    times = np.where((times < 0.0) & (times > -2 * LATE_S), 0.0, times)
    return np.asarray(times[(times >= 0.0) & (times < len(signal) / SIGNAL_RATE)])


def _pulse(local: Floats, beats: NDArray[np.int64]) -> float:
    """Return how much stronger onsets are on the beats than on the average, in standard deviations."""
    return float((local[beats].mean() - local.mean()) / max(float(local.std()), 1e-9))


def _bass_onsets(signal: NDArray[np.float32]) -> Floats:
    """Return by how many dB the bass rises, frame by frame, as late as `onsets.onset_strength`."""
    window = np.hanning(SIZE).astype(np.float32)
    low, high = (round(hz * SIZE / SIGNAL_RATE) for hz in BASS_HZ)
    spectrum = (part[:, low : high + 1] for part in spectra(signal, window, onsets.HOP))
    power = np.concatenate([(part.real**2 + part.imag**2).sum(axis=1) for part in spectrum])
    floor = max(float(power.max()), 1e-12) * 10.0 ** (-BASS_RANGE_DB / 10.0)
    level = 10.0 * np.log10(np.maximum(power, floor), dtype=np.float64)
    rise = np.maximum(level[onsets.LAG :] - level[: -onsets.LAG], 0.0)
    return np.pad(rise, (onsets.LAG + SIZE // (2 * onsets.HOP), 0))[: len(level)]


def _blurred(strength: Floats, period: float) -> Floats:
    reach = math.ceil(period / 4)
    bell = np.exp(-0.5 * (np.arange(-reach, reach + 1) / (SMOOTH * period)) ** 2)
    return np.convolve(strength, bell, "same")


def _best_row(local: Floats, period: float) -> NDArray[np.int64]:
    """Return the frames of the beats whose onsets and steps add up to most."""
    steps = np.arange(-round(2 * period), -round(period / 2))
    cost = -TIGHTNESS * np.log(-steps / period) ** 2
    total, before = local.copy(), np.full(len(local), -1)
    longest, shortest = -int(steps[0]), -int(steps[-1])
    for frame in range(longest, len(local)):
        reached = total[frame - longest : frame - shortest + 1] + cost
        best = int(reached.argmax())
        if reached[best] > 0:
            total[frame] += reached[best]
            before[frame] = frame - longest + best
    # The last beat is the best of the last period and a half, so that the row goes on to the end.
    last = len(local) - math.ceil(1.5 * period)
    row = [last + int(total[last:].argmax())]
    while before[row[-1]] >= 0:
        row.append(int(before[row[-1]]))
    return np.array(row[::-1])


def _without_silence(strength: Floats, beats: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the beats without those before the first sound and after the last one."""
    floor = 0.1 * float(np.sqrt(np.mean(strength[beats] ** 2)))
    near = np.array([strength[max(0, beat - 2) : beat + 3].max() for beat in beats]) > floor
    sounding = np.flatnonzero(near)
    return beats[sounding[0] : sounding[-1] + 1] if len(sounding) else beats[:0]
