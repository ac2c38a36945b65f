"""Make tracks, listen to them, and make again within the budget what failed."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ...errors import CatalogError
from ...generator import Progress
from ...generator.thread.orders import OnAudio
from ...generator.thread.turns import Turns
from ...models import Track
from ...store.store import Store
from ..making import MakingTask, keep, render
from .budget import Budget, follows_seed
from .takes import Take, TakeCheck, best_of, checked_of, listened

__all__ = ["TOGETHER", "Kept", "OtherSeed", "keep_takes", "make_takes"]


_log = logging.getLogger(__name__)

TOGETHER = 8
"""How many takes are made at once at the most."""
OtherSeed = Callable[[MakingTask, int], int]
"""Takes a task and the number of a further take, from 1; returns its seed."""


def make_takes(
    tasks: Sequence[MakingTask],
    turns: Turns,
    budget: Budget,
    *,
    other_seed: OtherSeed,
    checks: Sequence[TakeCheck] = (),
    together: int = TOGETHER,
    on_progress: Progress | None = None,
    on_audio: OnAudio | None = None,
) -> list[list[Take]]:
    """Return the takes of each task: as many as its call asks for, and those made because all of these had failed.

    `on_audio` gets the parts of the first take, where one is asked for. A retake that cannot be made is done without.
    Raises as `render` and `listened` do for the others.
    """
    before_s = _spent_s(tasks)
    wanted = [
        (place, replace(task, seed=other_seed(task, number) if number else task.seed))
        for place, task in enumerate(tasks)
        for number in range(_takes(task))
    ]
    takes: list[list[Take]] = [[] for _ in tasks]
    for first in range(0, len(wanted), together):
        group = wanted[first : first + together]
        heard = on_audio if len(wanted) == 1 else None
        raws = render([task for _, task in group], turns, on_progress, heard)
        for (place, task), raw in zip(group, raws, strict=True):
            takes[place].append(listened(task, raw, checks, compared=_takes(task) > 1))
    made_s = _spent_s(tasks) - before_s
    _make_again(tasks, takes, made_s, turns, budget, other_seed, checks, on_progress)
    return takes


Kept = tuple[Take, Track, NDArray[np.float32] | None]
"""A take, its track, and its sound vector."""


def keep_takes(
    takes: Sequence[Take], store: Store, encoder: str, check: Callable[[], None]
) -> tuple[list[Kept], Kept]:
    """Store the audio of the takes that are kept: of others, older ones, and of the best. Raises as `keep` does.

    Others are kept where the call asks for it and they passed the check. They are variants of the best.
    """
    best, key = best_of(takes), takes[0].task.request.key
    # In a remote home the id follows from the seed: who makes the same takes elsewhere gives the best the same one.
    best_id = store.new_id(key, takes[0].task.seed)
    others: list[Kept] = []
    for take in takes if best.task.call.takes.keep_takes else ():
        if take is best or take.faults:
            continue
        own_id = store.new_id(key, best.task.seed if take is takes[0] else take.task.seed)
        task = replace(take.task, variant_of=take.task.variant_of or best_id)
        kept = keep(task, take.raw, take.shaped, store, encoder=encoder, check=check, track_id=own_id)
        others.append((take, *kept))
    found = checked_of(takes)
    track, sound = keep(
        best.task,
        best.raw,
        best.shaped,
        store,
        encoder=encoder,
        found=found,
        check=check,
        track_id=best_id,
    )
    return others, (best, track, sound)


def _takes(task: MakingTask) -> int:
    """Return how many takes are made at first: without another seed they would be one."""
    return (task.call.takes.takes or 1) if follows_seed(task.request.config) else 1


def _make_again(
    tasks: Sequence[MakingTask],
    takes: list[list[Take]],
    made_s: float,
    turns: Turns,
    budget: Budget,
    other_seed: OtherSeed,
    checks: Sequence[TakeCheck],
    on_progress: Progress | None,
) -> None:
    """Add to `takes` those made because every one before had faults, one track after the other."""
    each_s, again_s = made_s / max(1, sum(map(len, takes))), 0.0
    for task, own in zip(tasks, takes, strict=True):
        most = budget.retakes if task.call.takes.retakes is None else task.call.takes.retakes
        first = len(own)
        while (
            len(own) < first + most
            and all(take.faults for take in own)
            and follows_seed(task.request.config)
            and budget.affords(made_s, again_s, each_s)
        ):
            before_s = _spent_s(tasks)
            other = replace(task, seed=other_seed(task, len(own)))
            try:
                (raw,) = render([other], turns, on_progress)
                own.append(listened(other, raw, checks, compared=False))
            except CatalogError as error:
                _log.warning("what failed the check was not made again: %s", error)
                break
            again_s += _spent_s(tasks) - before_s


def _spent_s(tasks: Sequence[MakingTask]) -> float:
    """Return how long the calls of these tasks have made and checked so far, without the time in line."""
    calls = {call.id: call for call in (task.call for task in tasks)}.values()
    return sum(call.timings_s.get(stage, 0.0) for call in calls for stage in ("generate", "shape", "check"))
