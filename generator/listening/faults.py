"""What is wrong with samples: silence, clipping, drop-outs, stuck loops, a tempo far from the asked one.

A voice in what must be instrumental is not among them: nothing that can be computed here tells a voice from a violin or
a choir pad honestly. What has an ear model adds its own check; see `music_catalog.service.checking`. docs/ANALYSIS.md
has what is found and what is blamed wrongly.
"""

from __future__ import annotations

from ..protocol import Audio
from .clipping import clipping
from .dropouts import dropouts
from .expected import Expected, Fault
from .silence import silence
from .stuck import stuck
from .tempo import tempo

__all__ = ["find_faults"]


def find_faults(audio: Audio, expected: Expected | None = None) -> list[Fault]:
    """Return what is wrong with `audio`, given what was asked for; the worst first. Raises AudioError."""
    asked = expected or Expected()
    found = silence(audio, asked)
    if any(fault.severity == 1.0 for fault in found):
        return found
    found += [*clipping(audio), *dropouts(audio, asked), *stuck(audio, asked), *tempo(audio, asked)]
    return sorted(found, key=lambda fault: -fault.severity)
