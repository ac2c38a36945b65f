"""What a caller is told about takes and the check: refusals, the reason of a choice, and warnings."""

from __future__ import annotations

from ...errors import InputError
from ...models import Choices, Decision, Takes, Track

__all__ = ["checked_takes", "failed_check", "with_reason"]


def checked_takes(takes: Takes, choices: Choices) -> Takes:
    """Return `takes`. Raises InputError where the seed that was chosen leaves nothing to choose from."""
    seed = choices.generation.get("seed") if choices.seed is None else choices.seed
    if seed is not None and (takes.takes or 1) > 1:
        raise InputError(
            f"takes={takes.takes} and seed={seed} contradict each other, since one seed makes one take; "
            "drop one of them"
        )
    return takes


def with_reason(decision: Decision, track: Track, others: int) -> Decision:
    """Return the decision to make `track`, with the reason why this take of it was kept, and how many `others` were."""
    why = track.checked.why if track.checked else ""
    kept = f"{others} other take{'s' if others > 1 else ''} kept as variants" if others else ""
    reason = "; ".join(filter(None, (decision.reason, why, kept)))
    return decision.model_copy(update={"reason": reason})


def failed_check(track: Track | None) -> list[str]:
    """Return the warning for a track that was kept although it failed the check."""
    if track is None or track.checked is None or not track.checked.faults:
        return []
    found = "; ".join(f"{fault.kind}: {fault.words}" for fault in track.checked.faults)
    takes = track.checked.takes
    made = "it was made once" if takes == 1 else f"it is the best of {takes} takes"
    return [f"the check after making found {found} ({made})"]
