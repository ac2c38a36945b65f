"""From a brief that lists styles by name to the chances of every style.

The chances are what two judges say of each other on the texts that both read: the share of styles that one of them
put at this place of a list and that the other found to fit, or at least to pass. A language model or an application
that lists styles by the same rules is taken for such a judge. `tests/benchmarks/catalog/listed_chances.py` prints the
shares.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from ..models import Brief, StatedBrief, StyleFit
from ..validation import nearest

__all__ = ["brief_of", "unknown_style"]

BY_PLACE = ((0.93, 0.99), (0.79, 0.98), (0.53, 0.96), (0.50, 0.95))
"""To fit and to pass, of the first, second and third style that fits, and of later ones."""
EACH_LATER = 0.01
"""What each place after the fourth takes from both: the order counts, and there are too few of them to measure."""
PASSABLE = (0.13, 0.78)
UNLISTED = (0.00, 0.02)


def brief_of(
    stated: StatedBrief, styles: Mapping[str, object], read_by: Literal["language model", "caller"]
) -> Brief:
    """Return the brief over the presets `styles` that `stated` gives; a style in both of its lists fits."""
    chances = dict.fromkeys(styles, UNLISTED) | dict.fromkeys(stated.passable, PASSABLE)
    for place, name in enumerate(dict.fromkeys(stated.fits)):
        fits, passes = BY_PLACE[min(place, len(BY_PLACE) - 1)]
        less = EACH_LATER * max(0, place - len(BY_PLACE) + 1)
        chances[name] = fits - less, passes - less
    return Brief(
        styles={name: StyleFit(fits=fits, passes=passes) for name, (fits, passes) in chances.items()},
        read_by=read_by,
        **stated.model_dump(exclude={"fits", "passable"}),
    )


def unknown_style(stated: StatedBrief, styles: Mapping[str, object]) -> str:
    """Return the sentence that refuses the first style that is none of `styles`, or "" where all are known."""
    for name, listed in (("fits", stated.fits), ("passable", stated.passable)):
        if unknown := next((style for style in listed if style not in styles), None):
            return f"{name} names the unknown style {unknown[:60]!r}; {nearest(unknown, styles)}"
    return ""
