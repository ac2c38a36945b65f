"""What a call comes to, and the result that its caller gets."""

from __future__ import annotations

from dataclasses import dataclass

from ..models import Decision, Request, Result, ServedResult, Track
from ..store.rows import NewTrack
from ..store.store import Store
from .call import Call
from .checking.told import failed_check
from .choice.warnings import of_decision, substitution

__all__ = ["Outcome", "result_of"]


@dataclass(frozen=True)
class Outcome:
    """What a call has come to so far: its request, the decision, and the track once there is one."""

    request: Request
    decision: Decision
    track: Track | None = None
    made: bool = False
    """The track was made in this call."""
    others: tuple[NewTrack, ...] = ()
    """Further takes that are kept, whose rows go in with that of the track."""


def result_of(store: Store, call: Call, outcome: Outcome) -> Result:
    """Return the result of a call, with all its warnings."""
    request, decision, track = outcome.request, outcome.decision, outcome.track
    model: type[Result] = ServedResult if track else Result
    return model(
        action="generated" if outcome.made else "reused" if track else "none",
        track=track.at_home(store.home) if track else None,
        path=store.audio.path_of(track) if track else None,
        similarity=decision.similarity if track and not outcome.made else None,
        reason=decision.reason,
        decision=decision,
        request=request,
        request_id=call.id,
        warnings=(
            *call.notes,
            *request.warnings,
            *substitution(request, track, made=outcome.made),
            *failed_check(track),
            *of_decision(decision),
        ),
        timings_s=call.timings_s,
    )
