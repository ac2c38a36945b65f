"""Which of the admissible tracks a listener gets: not the one they just heard, unless it is the track of a theme.

A pure function of the decision, the listener's plays and the clock. It chooses only among tracks that the decision
admits. docs/FEEDBACK.md states the rule.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from ..models import Candidate, Decision

__all__ = ["COOLDOWN", "Cooldown", "Play", "choose", "offered"]


@dataclass(frozen=True)
class Cooldown:
    """How long a track rests after a listener heard it, and how long it is ranked lower after that."""

    share: float = 0.4
    """The last plays that rest, as a share of the tracks that fit: of one or two none, of three one, of ten four."""
    rest: timedelta = timedelta(hours=2)
    """For this long after a play a track rests however many fit."""
    penalty: float = 0.1
    """A play just now lowers the worth of a track by this ..."""
    decay: timedelta = timedelta(hours=24)
    """... and after this long by 1/e of it."""
    variants: int = 3
    """How many variants may be made among the tracks that fit."""

    @property
    def memory(self) -> timedelta:
        """How far back plays count: by then the penalty is below 1 % of what it was."""
        return 5 * self.decay


COOLDOWN = Cooldown()


@dataclass(frozen=True)
class Play:
    """A track that was served to the listener, and when."""

    track_id: str
    at: datetime


def offered(decision: Decision, repeats: Collection[str] = ()) -> dict[str, float]:
    """Return the tracks that may be served, with their worth. No other place decides which these are.

    They are the admissible candidates of the decision, and `repeats`, the tracks made for this very request, worth 1.
    A track admitted by its music is worth its chance to fit, as where no listener is named. Without any of them it is
    the track that the decision reuses.
    """
    worth = {one.track_id: _worth(one) for one in decision.candidates if one.admissible}
    worth |= dict.fromkeys(repeats, 1.0)
    if not worth and decision.action == "reuse" and decision.track_id:
        worth = {decision.track_id: decision.score if decision.score is not None else 1.0}
    return worth


def choose(
    decision: Decision,
    plays: Sequence[Play],
    now: datetime,
    *,
    repeats: Collection[str] = (),
    variants: Collection[str] = (),
    may_make: bool = True,
    theme: str = "",
    theme_track: str | None = None,
    cooldown: Cooldown = COOLDOWN,
) -> Decision:
    """Return `decision` with the track that a listener with these `plays` gets, or with the order to make a variant.

    `variants` are the ids of tracks that were made as variants; `may_make` allows another one. The track of a
    `theme` comes first, even just after a play. Nothing changes when no track may be served. The same arguments give
    the same result; ties go to the lesser id.
    """
    worth = offered(decision, repeats)
    if theme_track in worth:
        return _take(decision, theme_track, "theme", f"the track of the theme {theme!r}")
    if decision.rule == "growth" and may_make:
        return decision
    last_plays = {play.track_id: play.at for play in sorted(plays, key=lambda play: play.at)}
    if not last_plays.keys() & worth.keys():
        return decision
    resting = _resting(worth, last_plays, now, cooldown)
    fresh = {each: worth[each] - _penalty(each, plays, now, cooldown) for each in worth.keys() - resting}
    if decision.track_id in fresh and decision.track_id not in last_plays:
        return decision
    if fresh:
        scene = {one.track_id for one in decision.candidates if one.same_scene} | {*repeats}
        best = min(fresh, key=lambda each: (each not in scene, -fresh[each], each))
        if best == decision.track_id:
            return decision
        return _take(decision, best, "varied", f"of {len(worth)} that fit, one not heard lately")
    made = len(worth.keys() & set(variants))
    base = decision.track_id or min(worth, key=lambda each: (-worth[each], each))
    if may_make and made < cooldown.variants:
        reason = f"all that fit were heard lately ({len(worth)}); variant {made + 1} of {cooldown.variants}"
        update = {"action": "make", "rule": "variant", "reason": reason, "track_id": None, "variant_of": base}
        return decision.model_copy(update=update)
    oldest = min(worth, key=lambda each: (last_plays[each], each))
    return _take(
        decision, oldest, "least_recent", "all fitting tracks were heard recently; this one longest ago"
    )


def _worth(one: Candidate) -> float:
    values = (None if one.same_scene else one.fits, one.worth, one.probability, one.score)
    return next(value for value in values if value is not None)


def _resting(
    worth: dict[str, float], last_plays: dict[str, datetime], now: datetime, cooldown: Cooldown
) -> set[str]:
    """Return the tracks that rest: the ones played last, and those played a short time ago."""
    played = sorted(worth.keys() & last_plays.keys(), key=lambda each: (last_plays[each], each), reverse=True)
    recent = (each for each in played if now - last_plays[each] < cooldown.rest)
    return {*played[: int(cooldown.share * len(worth))], *recent}


def _penalty(track_id: str, plays: Sequence[Play], now: datetime, cooldown: Cooldown) -> float:
    ages = (max(now - play.at, timedelta(0)) for play in plays if play.track_id == track_id)
    return cooldown.penalty * sum(math.exp(-(age / cooldown.decay)) for age in ages)


def _take(decision: Decision, track_id: str, rule: str, why: str) -> Decision:
    """Return the decision to reuse `track_id`, with that track's own figures."""
    one = next((each for each in decision.candidates if each.track_id == track_id), None)
    figures: dict[str, Any] = {"similarity": 1.0, "score": 1.0}
    if one is not None:
        figures = {"similarity": one.similarity, "score": one.score, "probability": one.worth}
        if one.needed is not None and one.needed != decision.threshold:
            # It was compared by the other of the two decisions, with another certificate.
            figures |= {"threshold": one.needed, "certificate": ""}
    chosen = {"action": "reuse", "rule": rule, "reason": why, "track_id": track_id}
    return decision.model_copy(update={**figures, **chosen})
