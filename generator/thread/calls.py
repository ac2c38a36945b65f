"""One call on the generators' thread; who asked for it waits, and can cancel it from its own thread."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from ..errors import Cancelled, drop_locals
from ..protocol import Progress
from .line import LINE, POLL_S, Line, Work

__all__ = ["Call", "on_thread"]


Value = TypeVar("Value")


class Call(Work, Generic[Value]):
    """`do(report)` on the thread; `report` is a progress callback that raises once nobody waits any more.

    `on_progress` is called on the thread; before its turn comes also, with 0 of 1, on the one that waits.
    """

    def __init__(
        self,
        do: Callable[[Progress], Value] | None,
        on_progress: Progress | None = None,
        *,
        owner: Hashable = None,
        line: Line = LINE,
    ) -> None:
        super().__init__(line, owner)
        self._do, self._on_progress = do, on_progress
        self.value: Value | None = None
        self.leaves = self._left = False

    def ready(self) -> bool:
        """Return whether it has not begun."""
        return not (self.begun or self.over)

    def step(self) -> None:
        """Do all of it."""
        self.begun = True
        try:
            if self.error is not None:
                raise self.error
            self.value = self._work(self.report)
        except BaseException as error:
            drop_locals(error)
            self.end(error)
        else:
            self.end()

    def _work(self, report: Progress) -> Value:
        assert self._do is not None
        return self._do(report)

    def report(self, done: int, total: int) -> None:
        """Tell who asked how much is done. Raises what that raises, and Cancelled once it has gone."""
        if self.error is not None:
            raise self.error
        if self._on_progress is not None:
            self._on_progress(done, total)

    def result(self) -> Value:
        """Stand in line, wait, and return the value; raises what the call raised."""
        self.line.add(self)
        try:
            while not self._ends_within(POLL_S):
                if not self.begun:
                    self.report(0, 1)
        except BaseException:
            self._left = True
            self.drop(Cancelled("who asked for it has gone"))
            raise
        try:
            if self.error is not None:
                raise self.error
            return self.value  # type: ignore[return-value]
        finally:
            with self.line.changed:
                self._left = True
                if self.over:
                    self._forget()

    def end(self, error: BaseException | None = None) -> None:
        """Have nothing left to do; what nobody waits for any more is forgotten."""
        with self.line.changed:
            super().end(error)
            if self._left:
                self._forget()

    def _forget(self) -> None:
        # An error holds the frames that hold this call; without this a cycle would keep all their arrays.
        self.error = self.value = None

    def _ends_within(self, seconds: float) -> bool:
        """Wait; return whether it is over, or `leaves` a batch, which goes on for the others."""
        with self.line.changed:
            return self.line.changed.wait_for(lambda: self.over or self.leaves, seconds)


def on_thread(
    do: Callable[[Progress | None], Value], on_progress: Progress | None = None, *, line: Line = LINE
) -> Value:
    """Return `do(report)`, done on the generators' thread; on that thread itself, done at once."""
    return do(on_progress) if line.here else Call(do, on_progress, line=line).result()
