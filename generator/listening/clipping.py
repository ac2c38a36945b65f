"""Clipping: waves whose tops were cut flat, at whatever level they are now."""

from __future__ import annotations

import numpy as np

from ..audio.checks import checked
from ..protocol import Audio
from .expected import Fault

__all__ = ["clipping"]


NEAR_TOP = 0.9995
"""A sample counts as at the top from this share of the largest on, of its channel and sign."""
IN_A_ROW = 3
"""Samples at the top in a row: the top of a wave that was not cut has one, or two."""
MOST_PER_S = 2.0
"""Flat tops a second that are let pass: the tops of a pure tone of the lowest notes are nearly flat."""


def clipping(audio: Audio) -> list[Fault]:
    """Return a fault where more than two tops a second are flat. Raises AudioError.

    A wave that was clipped and then made softer is found too, since its own largest sample is what counts.
    """
    samples = checked(audio).samples
    tops = 0
    for channel in samples.T:
        for signed in (channel, -channel):
            highest = float(signed.max())
            if highest <= 1e-4:
                continue
            at_top = np.concatenate([[0], (signed >= NEAR_TOP * highest).astype(np.int8), [0]])
            edges = np.flatnonzero(np.diff(at_top))
            tops += int(np.count_nonzero(edges[1::2] - edges[::2] >= IN_A_ROW))
    a_second = tops / samples.shape[1] / audio.duration_s
    if a_second <= MOST_PER_S:
        return []
    return [Fault("clipping", f"{a_second:.0f} wave tops a second are cut flat", min(1.0, a_second / 200.0))]
