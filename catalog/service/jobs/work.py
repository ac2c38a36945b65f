"""The work of a job, from the call that the journal keeps of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from ...errors import Busy, InputError
from ...generator import Progress
from ...models import Audience, Result, Takes
from ...models.job import Job
from ..call import HandedOver
from ..streaming.live import LiveSound

if TYPE_CHECKING:
    from ..service import MusicService

__all__ = ["Entry", "HandedOver", "Kind", "OnChange", "QueueFull", "Work", "no_work", "planned"]


DECISIVE: tuple[str, ...] = ("min_similarity", "max_false_reuse", "reach", "fit", "variety")
DECISIVE += (*Audience.model_fields, *Takes.model_fields)
"""Arguments outside the request's key that decide which track is served; jobs that are joined agree on them."""

Work = Callable[[Progress], "Result | dict[str, Any]"]
"""Is called with the progress; returns the result of a make, or plain JSON values as the outcome of more than that."""
Kind = Callable[["MusicService", Mapping[str, Any]], Work]
"""Takes the service and a call, which names its kind; returns the work."""


OnChange = Callable[[Job], None]


class QueueFull(Busy):
    """The queue holds as many jobs as it may."""


@dataclass
class Entry:
    """A job with the values that the worker needs to run it."""

    job: Job
    work: Work
    dropped: Callable[[], None] = lambda: None
    """Records that the work was cancelled before it could record that itself."""
    key: tuple[object, ...] | None = None
    call: dict[str, Any] | None = None
    """What the journal keeps to do the work again; None for work that is not kept."""
    starts: int = 0
    prepared: bool = False
    """Whether a worker has it while it still waits for its turn."""
    cancelling: bool = False
    leaving: bool = False
    """Whether a job that is stopped waits for the next process, and is not cancelled."""
    over_at: float = 0.0
    sound: LiveSound | None = None
    """What is heard of a track while it is made."""


def planned(service: MusicService, call: Mapping[str, Any], kinds: Mapping[str, Kind]) -> dict[str, Any]:
    """Return the work of a call, its key, and what records that it was cancelled, as `Jobs.submit` takes them.

    `kinds` are the kinds of work beside makes, by name. Raises InputError for a call that cannot be worked on.
    """
    if "kind" in call:
        if call["kind"] not in kinds:
            raise InputError(f"no work of the kind {call['kind']!r} is done here; ask again where it is")
        return {"work": kinds[call["kind"]](service, call)}
    if "again" in call:
        again = partial(service.again, call["again"], variation=call["variation"])
        return {"work": lambda on_progress: again(on_progress=on_progress)}
    context, arguments = call["context"], call["arguments"]
    reuse = arguments.get("reuse", "auto")
    key = service.key_of(context, **arguments)
    decisive = (reuse, *(arguments.get(name) for name in DECISIVE))
    sound = LiveSound()
    make = partial(service.find_or_make, context, on_audio=sound.add, **arguments)
    return {
        "work": lambda on_progress: sound.around(lambda: make(on_progress=on_progress)),
        "sound": sound,
        "key": None if reuse == "never" else (key, *decisive),
        "dropped": partial(service.log_cancelled, context, **arguments),
    }


def no_work(_: Progress) -> Result | dict[str, Any]:
    """Stand for the work of a job that is over, which is never called."""
    raise AssertionError("a job that is over does no work")
