"""Streams that are made on the generators' thread and taken from any other, a few parts ahead of who takes them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from time import monotonic
from typing import Any, Generic, TypeVar

import numpy as np

from ..errors import Cancelled, GeneratorError, drop_locals
from ..protocol import Audio, Progress
from .line import LINE, POLL_S, Line, Work

__all__ = ["AHEAD", "ThreadStream", "joined"]


AHEAD = 2
"""How many parts are made before they are taken: then the stream waits, and others have the thread."""
MOST_OPEN = 4
"""How many streams may be half made at a time: each holds its caches while it waits."""
STUCK_S = 10.0
"""How long one more stream waits while nobody takes from any that is half made."""
Part = TypeVar("Part")


class _Making(Work, Generic[Part]):
    """The side of a stream that stands in line."""

    def __init__(
        self,
        begin: Callable[[Progress], Iterator[Part]],
        on_progress: Progress | None,
        ahead: int,
        line: Line,
    ) -> None:
        super().__init__(line, None)
        self._begin, self._on_progress, self._ahead = begin, on_progress, ahead
        self._source: Iterator[Part] | None = None
        self.held: deque[Part] = deque()
        self.parts_made = 0

    def ready(self) -> bool:
        """Return whether there is room for another part, or an end to make; a few streams are open at a time."""
        if self.over:
            return False
        if not self.begun:
            return len(_half_made(self.line)) < MOST_OPEN
        return self.error is not None or len(self.held) < self._ahead

    def step(self) -> None:
        """Make one part, or end."""
        self.begun = True
        try:
            if self.error is not None:
                raise self.error
            self._source = self._source or self._begin(self.report)
            part = next(self._source)
        except StopIteration:
            self._end()
        except BaseException as error:
            drop_locals(error)
            self._end(error)
        else:
            with self.line.changed:
                self.held.append(part)
                self.parts_made += 1
                self.line.changed.notify_all()

    def _end(self, error: BaseException | None = None) -> None:
        # Closed here: what it holds belongs to this thread.
        try:
            if (close := getattr(self._source, "close", None)) is not None:
                close()
        except BaseException as failed:
            error = error or failed
        self._source = None
        self.end(error)

    def report(self, done: int, total: int) -> None:
        """Tell who takes from the stream how much is done; raises once nobody does."""
        if self.error is not None:
            raise self.error
        if self._on_progress is not None:
            self._on_progress(done, total)


def _half_made(line: Line) -> list[_Making[Any]]:
    return [work for work in line.works() if isinstance(work, _Making) and work.begun]


class ThreadStream(Iterator[Part]):
    """The parts that `begin(report)` yields on the generators' thread; each `next` may come from another thread.

    It begins with the first `next`, makes up to `ahead` parts that nobody has taken yet, and then waits. `close`, or
    dropping the stream, stops the making. Raises GeneratorError where `MOST_OPEN` others are half made and nobody takes
    from them: one thread that opens one more would wait for itself.
    """

    def __init__(
        self,
        begin: Callable[[Progress], Iterator[Part]],
        on_progress: Progress | None = None,
        *,
        ahead: int = AHEAD,
        line: Line = LINE,
    ) -> None:
        self._making, self._line = _Making(begin, on_progress, ahead, line), line
        self._added = self._closed = False
        self._others: dict[int, int] = {}
        self._stuck_since = 0.0

    def __next__(self) -> Part:
        """Return the next part, once it is made. Raises what the making raises."""
        making = self._making
        if self._closed:
            raise StopIteration
        self._start()
        while True:
            if not self._has_part_within(POLL_S) and not making.begun:
                try:
                    making.report(0, 1)
                    self._refuse_if_stuck()
                except BaseException as error:
                    making.drop(error)
            with self._line.changed:
                if making.held:
                    part = making.held.popleft()
                    self._line.changed.notify_all()
                    return part
                # Another thread may have taken the part that this one was woken for.
                if making.over:
                    # Told once; then the stream is over, as any iterator.
                    wrong, making.error = making.error or StopIteration(), None
                    break
        raise wrong

    def close(self) -> None:
        """Stop the making, at its next step, and drop what was not taken."""
        with self._line.changed:
            self._closed = True
            self._making.drop(Cancelled("nobody takes from the stream any more"))
            self._making.held.clear()

    def __del__(self) -> None:
        self.close()

    def _start(self) -> None:
        with self._line.changed:
            if self._added:
                return
            self._added = True
        self._line.add(self._making)

    def _refuse_if_stuck(self) -> None:
        open_ = _half_made(self._line)
        made = {id(work): work.parts_made for work in open_}
        if made != self._others or len(open_) < MOST_OPEN or any(work.ready() for work in open_):
            self._others, self._stuck_since = made, monotonic()
        elif monotonic() - self._stuck_since > STUCK_S:
            raise GeneratorError(f"{MOST_OPEN} streams are half made and nobody takes from them; close one")

    def _has_part_within(self, seconds: float) -> bool:
        making = self._making
        with self._line.changed:
            return self._line.changed.wait_for(lambda: bool(making.held) or making.over, seconds)


def joined(parts: Sequence[Audio]) -> Audio:
    """Return consecutive parts of one piece as the whole, with its codes where each part has its own."""
    first = parts[0]
    if len(parts) == 1:
        return first
    codes = [part.codes for part in parts if part.codes is not None]
    whole = np.concatenate(codes, axis=1) if len(codes) == len(parts) else None
    samples = np.concatenate([part.samples for part in parts])
    return Audio(samples, first.sample_rate, first.provenance, whole)
