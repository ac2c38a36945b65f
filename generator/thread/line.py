"""The one thread on which generators work, and the line of what they are asked for.

MLX keeps a stream of work for each thread, so what one thread has begun another cannot go on with; and one generation
fills the machine. So all work is done here, one part at a time, whichever thread asks for it.
"""

from __future__ import annotations

import atexit
import os
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Hashable

from ..errors import Cancelled, GeneratorError

__all__ = ["END_S", "LINE", "POLL_S", "Line", "Work"]


END_S = 5.0
"""How long the end of the process, or of a service, waits for the step that is being computed."""
ASLEEP_S = 0.01
"""How long the thread may take to fall asleep once it has said so."""
POLL_S = 0.2
"""How often who waits for a turn is asked whether it still wants it."""


class Work(ABC):
    """What stands in a line: one call, or a stream that is made part by part.

    `owner`: whose work it is; `Line.drop` ends all work of an owner.
    """

    def __init__(self, line: Line, owner: Hashable) -> None:
        self.line, self.owner = line, owner
        self.begun = False
        self.over = False
        self.error: BaseException | None = None

    @abstractmethod
    def ready(self) -> bool:
        """Return whether its next part can be done now; a stream that nobody takes from waits."""

    @abstractmethod
    def step(self) -> None:
        """Do the next part, on the thread. Raises nothing: `error` holds what went wrong."""

    def drop(self, error: BaseException) -> None:
        """End with `error`: at once where nothing was begun, else at the next step."""
        with self.line.changed:
            if self.over or self.error is not None:
                return
            self.error = error
            self.over = not self.begun
            self.line.changed.notify_all()

    def end(self, error: BaseException | None = None) -> None:
        """Have nothing left to do; the first error stays."""
        with self.line.changed:
            self.error = self.error or error
            self.over = True
            self.line.changed.notify_all()


class Line:
    """Work in the order in which it came, and the daemon thread that does it; the thread starts with the first."""

    def __init__(self) -> None:
        self._reset()
        atexit.register(self.close)
        if hasattr(os, "register_at_fork"):
            # A child has no thread but the one that forked, and perhaps a lock that nobody will release.
            os.register_at_fork(after_in_child=self._reset)

    def _reset(self) -> None:
        self.changed = threading.Condition()
        self._works: list[Work] = []
        self._thread: threading.Thread | None = None
        self._asleep = False
        self._closed = False

    @property
    def here(self) -> bool:
        """Whether the caller is on the thread, where waiting for the line would never end."""
        return threading.current_thread() is self._thread

    def add(self, work: Work) -> None:
        """Put work at the end of the line. Raises GeneratorError once the process ends."""
        with self.changed:
            if self._closed:
                raise GeneratorError("the process is ending; nothing more is made in it")
            self._works.append(work)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="catalog-generator", daemon=True)
                self._thread.start()
            self.changed.notify_all()

    def works(self) -> list[Work]:
        """Return what is in the line and not over, in its order."""
        with self.changed:
            self._works = [work for work in self._works if not work.over]
            return [*self._works]

    def drop(self, owner: Hashable, reason: str) -> None:
        """End all work of `owner` with Cancelled; return once the step of it that is being done is over, or END_S."""
        mine = [work for work in self.works() if work.owner == owner]
        for work in mine:
            work.drop(Cancelled(reason))
        if not self.here:
            with self.changed:
                self.changed.wait_for(lambda: all(work.over for work in mine), END_S)

    def close(self) -> None:
        """End all work, as the process ends; what is being computed is waited for.

        The thread is left asleep. Were it to end, MLX would drop what it keeps for the thread, and abort the process
        where the interpreter is gone by then.
        """
        self._closed = True
        for work in self.works():
            work.drop(Cancelled("the process is ending"))
        if self._thread is not None and not self.here:
            with self.changed:
                self.changed.wait_for(lambda: self._asleep and not self.works(), END_S)
            time.sleep(ASLEEP_S)

    def _run(self) -> None:
        while True:
            with self.changed:
                self._asleep = True
                self.changed.notify_all()
                self.changed.wait_for(lambda: self._next() is not None)
                self._asleep = False
                work = self._next()
            if work is not None:
                try:
                    work.step()
                except BaseException as error:
                    # The thread outlives it, or all who wait would wait for ever.
                    work.end(error)
            # Nothing of what is over is kept while the thread waits.
            del work

    def _next(self) -> Work | None:
        """Return the first in line that is ready: only a stream that must wait is passed by those that came later."""
        return next((work for work in self.works() if work.ready()), None)


LINE = Line()
"""The line of this process."""
