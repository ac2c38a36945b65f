"""Drop-outs: moments in which the sound is gone and back at once, and clicks where samples were cut out.

A gap is told from a rest by its edges: music falls into silence and rises from it, samples that are missing jump. A
click is told from the start of a note by what follows: after a note has begun the sound is louder and other than
before. So is the discontinuity of digital recordings found in the difference of the signal (Godsill and Rayner 1998,
"Digital Audio Restoration").
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..audio.checks import checked
from ..protocol import Audio
from .expected import Expected, Fault

__all__ = ["dropouts"]


Floats = NDArray[np.float32]

LEAST_GAP_MS, EDGE_MS = 3, 3
GAP_DB, SOUND_DB = -60.0, -35.0
"""Of the loud level: what a gap is under, and what the sound on both sides of it is over, within 3 ms."""
LOUD = 0.9
"""The loud level: this quantile of the peaks of a millisecond."""
CLICK_OVER = 32.0
"""How often the third difference of a click is that of the strongest tenth of the samples around it."""
CLICK_LEVEL = 0.2
"""Its least size, as a share of the loud level."""
CLICK_SAMPLES = 6
"""How many samples a click lasts at the most, in the third difference."""
LOUDER = 1.4
"""After a note has begun the sound is this much louder."""


def dropouts(audio: Audio, expected: Expected) -> list[Fault]:
    """Return a fault for gaps, and one for clicks unless the music is to crackle. Raises AudioError."""
    samples, rate = checked(audio).samples, audio.sample_rate
    peaks = _peaks_of_ms(samples, rate)
    loud = float(np.quantile(peaks, LOUD)) if len(peaks) else 0.0
    if loud <= 1e-4:
        return []
    gaps = _gaps(peaks, loud)
    clicks = [] if expected.may_crackle else _clicks(samples, rate, loud)
    faults = []
    if gaps:
        lost_ms = sum(end - start for start, end in gaps)
        words = f"{_count(len(gaps), 'gap')} of {lost_ms / len(gaps):.0f} ms, the first at {gaps[0][0] / 1000:.1f} s"
        faults.append(
            Fault("drop-outs", words, min(1.0, 0.1 * len(gaps) + lost_ms / 1000 / audio.duration_s))
        )
    if clicks:
        words = f"{_count(len(clicks), 'click')}, the first at {clicks[0] / rate:.1f} s"
        faults.append(Fault("drop-outs", words, min(1.0, 0.1 * len(clicks))))
    return faults


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def _peaks_of_ms(samples: Floats, rate: int) -> Floats:
    """Return the largest absolute sample of each millisecond."""
    size = max(1, rate // 1000)
    count = len(samples) // size
    return np.asarray(
        np.abs(samples[: count * size]).reshape(count, size * samples.shape[1]).max(axis=1), dtype=np.float32
    )


def _gaps(peaks: Floats, loud: float) -> list[tuple[int, int]]:
    """Return start and end of each gap in milliseconds; silence at the two ends is none."""
    quiet, sound = loud * 10 ** (GAP_DB / 20), loud * 10 ** (SOUND_DB / 20)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], (peaks < quiet).astype(np.int8), [0]])))
    return [
        (int(start), int(end))
        for start, end in zip(edges[::2], edges[1::2], strict=True)
        if end - start >= LEAST_GAP_MS
        and start >= EDGE_MS
        and end <= len(peaks) - EDGE_MS
        and peaks[start - EDGE_MS : start].max() > sound
        and peaks[end : end + EDGE_MS].max() > sound
    ]


def _clicks(samples: Floats, rate: int, loud: float) -> list[int]:
    """Return the places of clicks, one at the most in 10 ms."""
    difference = np.abs(np.diff(samples, 3, axis=0)).max(axis=1)
    size = max(8, rate // 100)
    count = len(difference) // size
    if count < 5:
        return []
    blocks = difference[: count * size].reshape(count, size)
    strong = np.pad(np.quantile(blocks, 0.9, axis=1), 2, mode="edge")
    around = np.max([strong[shift : shift + count] for shift in (0, 1, 3, 4)], axis=0)
    highest = blocks.max(axis=1)
    places = [
        int(block * size + blocks[block].argmax())
        for block in np.flatnonzero((highest > CLICK_OVER * around) & (highest > CLICK_LEVEL * loud))
    ]
    return [at for at in places if _is_click(samples, difference, at, rate)]


def _is_click(samples: Floats, difference: Floats, at: int, rate: int) -> bool:
    """Tell whether the jump at `at` is short and the sound after it as before."""
    near, side = max(4, rate // 500), max(8, rate // 50)
    window = difference[max(0, at - near) : at + near]
    if np.count_nonzero(window > 0.25 * difference[at]) > CLICK_SAMPLES:
        return False
    before, after = samples[max(0, at - side) : max(1, at - 2)], samples[at + 4 : at + 4 + side]
    bright_before = difference[max(0, at - side // 2) : max(1, at - 8)]
    bright_after = difference[at + 8 : at + 8 + side // 2]
    if not after.size or not bright_after.size:
        return False
    same_level = _rms(after) <= LOUDER * _rms(before)
    return same_level and _rms(bright_after) <= 1.5 * LOUDER * _rms(bright_before)


def _rms(samples: Floats) -> float:
    return float(np.sqrt(np.mean(np.square(samples, dtype=np.float64))))
