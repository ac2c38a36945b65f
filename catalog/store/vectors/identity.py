"""Which encoder made vectors: those of two encoders are never compared."""

from __future__ import annotations

from ...errors import EncoderMismatch

__all__ = ["expect_encoder"]


def expect_encoder(found: str, used: str, *, agreed: bool) -> None:
    """Raise EncoderMismatch, with what to do, where the vectors of `found` are not of the encoder in use.

    `agreed` says that `found` is what the table states, which were of the encoder in use at an earlier look.
    """
    if found == used:
        return
    if agreed:
        raise EncoderMismatch(
            f"the catalog was embedded anew with {found} since this process began, which uses {used}, and their "
            f"vectors cannot be compared; start it again with {found}"
        )
    raise EncoderMismatch(
        f"the vectors of the table are of {found} and those in use of {used}, which cannot be compared; "
        "run `catalog doctor --reembed` or use the former encoder"
    )
