"""Would this track serve this text? One place for the chance, and for how high it must be."""

from __future__ import annotations

import math

from ..models import Request
from ..request.selection import FAR_MOOD, FAR_MOOD_WEIGHT

__all__ = ["SERVES", "chance_to_serve"]


SERVES = 0.7
"""A track with this chance counts as one that serves the text."""


def chance_to_serve(request: Request, style: str, valence: float, energy: float) -> float:
    """Return the chance that nobody would object to a track under the text of `request`, 0 to 1.

    `style` is that of the track, `valence` and `energy` its mood, -1 to 1. A track whose mood lies far from that of
    the text loses chances as a style does when one is picked (`music_catalog.request.selection`). A style that the
    brief does not know has none. The request must have a brief.
    """
    assert request.brief is not None
    fit = request.brief.styles.get(style)
    if fit is None:
        return 0.0
    features = request.features
    distance = math.hypot(valence - features.valence, energy - features.energy)
    # The rule of the selection takes from the sum of two chances, so half of it from each.
    return max(0.0, fit.passes - FAR_MOOD_WEIGHT / 2 * max(0.0, distance - FAR_MOOD))
