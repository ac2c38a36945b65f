"""Takes of one track: each is shaped and listened to, and the best is kept.

The best has the fewest faults, by how much of the music they spoil, and among those alike it is the one nearest to what
was asked for. A further check, such as a model that hears voices, is a `TakeCheck` of the `Flow`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ...generator import Audio
from ...generator.listening.expected import Fault
from ...generator.listening.faults import find_faults
from ...models import Checked, FoundFault, Request
from .. import making
from ..making import MakingTask, generator_errors
from .agreement import Agreement, agreement
from .asked import asked_of

__all__ = ["Findings", "Take", "TakeCheck", "best_of", "checked_of", "listened", "why_kept"]


@dataclass(frozen=True)
class Findings:
    """What a further check found in a take."""

    faults: tuple[Fault, ...] = ()
    agreement: float | None = None
    """How near the take is to what was asked for, 0 to 1; None where the check cannot tell."""
    words: str = ""
    """What was heard, for the reason why a take was kept."""


TakeCheck = Callable[[Audio, Request], Findings]
"""Listens to a take, beside the checks that need no model: for voices, or for agreement with the brief."""


@dataclass(frozen=True)
class Take:
    """One take, as it came out of the generator and as it would be stored, with what was heard in it."""

    task: MakingTask
    raw: Audio
    shaped: Audio
    faults: tuple[Fault, ...]
    nearness: Agreement

    @property
    def rank(self) -> tuple[float, float]:
        """A smaller one is better: how much faults spoil, then how far it is from what was asked for."""
        return sum(fault.severity for fault in self.faults), -self.nearness.share


def listened(task: MakingTask, raw: Audio, checks: Sequence[TakeCheck], *, compared: bool) -> Take:
    """Return a take with what was heard in it; how near it is to what was asked for only where takes are `compared`.

    Raises InputError when the audio breaks a rule of the request.
    """
    config = task.config
    with generator_errors(f"{config['backend']} {config['size']}"):
        with task.call.stage("shape"):
            shaped = making.shape(raw, config)
        with task.call.stage("check"):
            asked = asked_of(task.request)
            faults = find_faults(shaped, asked.expected)
            nearness = agreement(shaped, asked) if compared else Agreement(1.0, "")
            found = [check(shaped, task.request) for check in checks]
    faults += [fault for one in found for fault in one.faults]
    return Take(task, raw, shaped, tuple(faults), _together(nearness, found))


def _together(nearness: Agreement, found: Sequence[Findings]) -> Agreement:
    told = [one for one in found if one.agreement is not None]
    shares = [nearness.share, *(one.agreement for one in told if one.agreement is not None)]
    words = ", ".join(filter(None, (nearness.words, *(one.words for one in told))))
    return Agreement(round(sum(shares) / len(shares), 2), words)


def best_of(takes: Sequence[Take]) -> Take:
    """Return the best take, of those alike the first."""
    return min(takes, key=lambda take: take.rank)


def checked_of(takes: Sequence[Take]) -> Checked:
    """Return what is stored with the best of `takes`."""
    best = best_of(takes)
    return Checked(
        faults=tuple(FoundFault(kind=one.kind, words=one.words) for one in best.faults),
        takes=len(takes),
        failed=sum(bool(take.faults) for take in takes),
        why=why_kept(takes) if len(takes) > 1 else "",
    )


MOST_TOLD = 4
"""Of how many other takes the reason tells."""


def why_kept(takes: Sequence[Take]) -> str:
    """Return in words why the best of several takes was kept."""
    best = best_of(takes)
    place = takes.index(best) + 1
    others = [(number, take) for number, take in enumerate(takes, 1) if take is not best]
    told = [f"take {number}: {_against(take, best)}" for number, take in others[:MOST_TOLD]]
    kept = f"take {place} of {len(takes)} was kept: {_for(best)}"
    return "; ".join([kept, *told])[:1000]


def _for(take: Take) -> str:
    wrong = "nothing is wrong with it" if not take.faults else f"least is wrong with it ({_wrong(take)})"
    return f"{wrong} ({take.nearness.words})" if take.nearness.words else wrong


def _against(take: Take, best: Take) -> str:
    if take.rank[0] > best.rank[0]:
        return _wrong(take)
    if take.nearness.share < best.nearness.share:
        return f"less like what was asked for ({take.nearness.words})"
    return "as good"


def _wrong(take: Take) -> str:
    return ", ".join(f"{fault.kind}: {fault.words}" for fault in take.faults)
