"""Whose turn it is to make music: on this machine one at a time, where others make as many as they take."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from functools import partial

from ..protocol import Audio, Generator, Progress
from .line import LINE
from .orders import Asked, OnAudio, Order

__all__ = ["Turns"]


class Turns:
    """Has the generators of one service make music; `load` returns one by backend and model size.

    `at_once`: how many calls they make at a time. Those that make on this machine make one, on the generators' thread;
    those that hand the work to other machines make more, each on the thread of its caller.
    """

    def __init__(self, load: Callable[[str, str], Generator], at_once: int = 1) -> None:
        self._load, self._at_once = load, at_once
        self._free = threading.BoundedSemaphore(at_once)

    def make(
        self,
        backend: str,
        size: str,
        asked: Sequence[Asked],
        on_progress: Progress | None = None,
        on_audio: OnAudio | None = None,
    ) -> tuple[list[Audio], float]:
        """Return the pieces that are asked for, and how many seconds they took without the time in line.

        Raises what the generator raises, and Cancelled once this is closed.
        """
        load, source = partial(self._load, backend, size), (self, backend, size)
        order = Order(load, asked, on_progress, source=source, owner=self, on_audio=on_audio)
        if LINE.here:
            # What a generator calls asks for more music: the thread would wait for itself.
            return order.made_here(), order.took_s
        if self._at_once == 1:
            return order.result(), order.took_s
        with self._free:
            return order.made_here(), order.took_s

    def close(self) -> None:
        """Cancel what is being made and what waits."""
        LINE.drop(self, "the service was closed while this was made")
