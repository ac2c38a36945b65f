"""The sound of a track that is being made, for any number of listeners; each hears it from its start."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import TypeVar

from ...generator import Audio

__all__ = ["Listener", "LiveSound"]


Value = TypeVar("Value")


class LiveSound:
    """Takes the parts as they are made, and keeps them until the track is there.

    The making waits for no listener: the parts are held once for all of them, and let go of with the last.
    """

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self._parts: list[Audio] = []
        self.over = False

    def add(self, part: Audio) -> None:
        """Take the next part."""
        with self.changed:
            self._parts.append(part)
            self.changed.notify_all()

    def around(self, make: Callable[[], Value]) -> Value:
        """Return what `make` returns; the sound is over then."""
        try:
            return make()
        finally:
            with self.changed:
                self.over, self._parts = True, []
                self.changed.notify_all()

    def listen(self) -> Listener:
        """Return a listener; one that comes when the sound is over hears nothing."""
        with self.changed:
            return Listener(self, self._parts)


class Listener:
    """One listener of a sound, at its own pace."""

    def __init__(self, sound: LiveSound, parts: list[Audio]) -> None:
        self._sound, self._parts, self._at = sound, parts, 0

    def take(self, wait_s: float = 0.0) -> list[Audio]:
        """Return the parts that are new; where there are none, wait so long for one, or for the end."""
        with self._sound.changed:
            self._sound.changed.wait_for(lambda: len(self._parts) > self._at or self._sound.over, wait_s)
            new = self._parts[self._at :]
            self._at += len(new)
            return new

    @property
    def over(self) -> bool:
        """Whether everything was heard, and the track is there or will not come."""
        with self._sound.changed:
            return self._sound.over and self._at == len(self._parts)

    def __iter__(self) -> Iterator[Audio]:
        """Yield the parts as they come, to the end."""
        while not self.over:
            yield from self.take(1.0)
