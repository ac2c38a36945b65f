"""Which licences let music be used commercially: one pattern, for a query and for a track in hand.

What nobody can tell counts as not allowed: an unknown licence, one without a name, one for non-commercial use (NC) and
one that forbids changes (ND), since music is cut, looped and mixed here. Share-alike (SA) is allowed, with its duty.
docs/PLUGINS.md lists what counts.
"""

from __future__ import annotations

import re

__all__ = ["NO_WEIGHTS", "PATTERN", "commercial"]

NO_WEIGHTS = "none"
"""What a generator without weights states; an imported track with this word has no licence at all."""
_VERSION = r"[ -]?v?[1-4](\.[05])?"
# Two letters of a jurisdiction, such as de: any but nc and nd, which say what is not allowed.
_PLACE = r"([a-mo-z][a-z]|n[abe-z])"
_KINDS = (
    # Said by a person, as in "commercial: our own recording".
    r"commercial( use)?:.+",
    r"(cc[ -]?0|cc[ -]zero)([ -]?1(\.0)?)?( universal)?",
    r"(public[ -]domain)([ -]mark)?([ -]?1(\.0)?)?",
    rf"cc[ -]by([ -]sa)?({_VERSION})?([ -](international|unported|{_PLACE}))?",
    rf"creative commons[ -]attribution([ -]share[ -]?alike)?({_VERSION})?( (international|unported))?( licen[cs]e)?",
    r"(https?://)?(www\.)?creativecommons\.org/publicdomain/(zero|mark)/1\.0/?(deed(\.[a-z]{2})?|legalcode)?",
    r"(https?://)?(www\.)?creativecommons\.org/licenses/by(-sa)?/[1-4]\.[05](/[a-z]{2,3})?/?(deed(\.[a-z]{2})?|legalcode)?",
    r"mit([ -]licen[cs]e)?",
    r"apache([ -]licen[cs]e)?,?([ -](version )?2(\.0)?)?",
    r"bsd([ -][023][ -]clause)?",
    r"isc|0bsd|unlicense|wtfpl",
)
PATTERN = f"^({'|'.join(_KINDS)})$"
"""Matches a licence in small letters and without spaces around it, in the expressions of Python and of Rust alike."""
_COMPILED = re.compile(PATTERN)


def commercial(license: str, *, imported: bool) -> bool:
    """Tell whether music under `license` may be used commercially, as far as its name tells.

    `license` is what a track states: of one that was made here the licence of the weights, of an imported one that of
    the music.
    """
    if license == NO_WEIGHTS and not imported:
        return True
    return _COMPILED.fullmatch(license.lower().strip(" ")) is not None
