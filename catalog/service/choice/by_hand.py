"""Weigh one track for a text whatever its facts, hand it out because a person chose it, or turn it down.

Either answer is a line of the log with what the decision would have compared, and a judgement of it, so that
`calibrate --from-ratings` counts it like a judged reuse.
"""

from __future__ import annotations

from ...errors import NotFound
from ...history import feedback
from ...history.rejections import Rejections
from ...models import Candidate, Decision, Filter, Judgement, ServedResult, Track
from ...reuse.decision import decide
from ...reuse.facts import hard_facts
from ...reuse.terms import CHOSEN, CHOSEN_MUSIC, Terms
from ..call import Call, record_of
from ..outcome import Outcome
from ..stages import Flow
from .licensing import require_license

__all__ = ["choose", "decline", "is_declined", "weigh"]


def weigh(flow: Flow, call: Call, track: Track, terms: Terms) -> Decision:
    """Return the decision as if `track` were the only one: its one candidate, and the facts a track had to meet.

    The facts are not applied. Raises NotFound for a track that is in the trash.
    """
    request, vector = flow.understand(call)
    hits = flow.store.tracks.search(vector, Filter(), 1, among=[track.id])
    if not hits:
        raise NotFound(f"the track {track.id} is in the trash; restore it first")
    considered = flow.store.tracks.count_ready()
    decision = decide(request, hits, terms, styles=flow.library.styles, considered=considered)
    return decision.model_copy(update={"filter": hard_facts(request)})


def choose(flow: Flow, call: Call, track: Track, terms: Terms) -> ServedResult:
    """Hand out `track`, whatever the decision says, and judge it as one that fits this request."""
    require_license(track, call.choices)
    request, _ = flow.understand(call)
    decision = _by_hand(weigh(flow, call, track, terms), "you chose this track")
    declined = is_declined(flow, call, track)
    result = flow.served(call, Outcome(request, decision, track))
    if declined:
        feedback.reject(flow.store, track.id, call.id, undo=True)
    feedback.answer(flow.store, track.id, call.id, feedback.CHOSEN_RATING)
    return result


def decline(flow: Flow, call: Call, track: Track, terms: Terms) -> Judgement:
    """Keep `track` from this request and from requests near it, whether it was ever served for it or not."""
    request, vector = flow.understand(call)
    decision = _by_hand(weigh(flow, call, track, terms), "you turned this track down")
    nothing = decision.model_copy(update={"action": "make"})
    line = record_of(call, flow.result(call, Outcome(request, nothing)))
    flow.store.requests.append(line.model_copy(update={"track_id": track.id}), vector)
    return feedback.reject(flow.store, track.id, call.id)


def is_declined(flow: Flow, call: Call, track: Track) -> bool:
    """Return whether the track was turned down for this very request."""
    return track.id in Rejections(flow.store, call.key).own


def _by_hand(decision: Decision, reason: str) -> Decision:
    """Return the decision with its one candidate as the person's choice, and the numbers it is judged by."""
    (one,) = decision.candidates
    by_music = _is_by_music(one)
    changes = {
        "action": "reuse",
        "rule": CHOSEN_MUSIC if by_music else CHOSEN,
        "reason": reason,
        "threshold": 1.0 if one.needed is None else one.needed,
        "track_id": one.track_id,
        "similarity": one.similarity,
        "score": one.score,
        "probability": one.passes if by_music else one.probability,
    }
    return decision.model_copy(update=changes)


def _is_by_music(one: Candidate) -> bool:
    return one.passes is not None and one.passes == one.worth
