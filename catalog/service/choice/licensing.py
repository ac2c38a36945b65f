"""Whether a track may be served for the use that a caller named, and whether what was made may be kept for it."""

from __future__ import annotations

from ...errors import InputError, Unavailable
from ...generator import Audio
from ...models import Choices, Track
from ...search.licenses import NO_WEIGHTS, commercial

__all__ = ["license_of_made", "licensed", "require_license", "require_license_of_made"]


def licensed(track: Track, choices: Choices) -> bool:
    """Tell whether `track` may be used as `choices.license` says; every track may where it says nothing."""
    return choices.license is None or commercial(track.license, imported=track.imported)


def require_license(track: Track, choices: Choices) -> None:
    """Refuse a track that the caller named and that may not be used so. Raises InputError."""
    if not licensed(track, choices):
        raise InputError(
            f"track {track.id} states the licence {track.license!r}, which license={choices.license!r} does not allow; "
            "choose another track, or leave the licence out"
        )


def license_of_made(raw: Audio, continued: Track | None) -> str:
    """Return the licence that a made track states: that of the weights, or of the track it goes on from.

    The music of a continued track is in what goes on from it, so the latter is used no more freely.
    """
    stated = str(raw.provenance["weights_license"])
    if continued is None or commercial(continued.license, imported=continued.imported):
        return stated
    if not commercial(stated, imported=False):
        return stated
    # Of an imported track this word says that it has no licence, of a made one that it is free.
    return "unknown" if continued.license == NO_WEIGHTS else continued.license


def require_license_of_made(raw: Audio, choices: Choices) -> None:
    """Refuse what was made under another licence than its generator stated before. Raises Unavailable."""
    stated = str(raw.provenance["weights_license"])
    if choices.license is not None and not commercial(stated, imported=False):
        raise Unavailable(
            f"what {raw.provenance['backend']} made states the licence {stated!r}, "
            f"which license={choices.license!r} does not allow; it was not kept"
        )
