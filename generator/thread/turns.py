"""Whose turn it is to make music: on this machine one at a time, where others make as many as they take."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

from ..errors import Cancelled
from ..protocol import Audio, Generator, Progress
from .line import END_S, LINE, POLL_S
from .orders import Asked, OnAudio, Order

__all__ = ["Places", "Turns"]


Places = threading.Semaphore
"""How many calls of a backend other machines take at a time."""


class _Held(threading.local):
    """The places that the thread that looks has taken."""

    def __init__(self) -> None:
        self.places: list[Places] = []


class Turns:
    """Has the generators of one service make music; `load` returns one by backend and model size.

    `places_of` a backend: None where it makes on this machine, on the generators' thread; the places of one that hands
    the work to other machines, each call of which is made on the thread of its caller.
    """

    def __init__(
        self,
        load: Callable[[str, str], Generator],
        places_of: Callable[[str], Places | None],
    ) -> None:
        self._load, self._places_of = load, places_of
        self._held = _Held()
        self._changed = threading.Condition()
        self._under_way: set[Order] = set()
        self._closed = False
        self.joins = False
        """Whether the generator that was asked last makes requests together that wait for it at the same time."""

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
        load, source = partial(self._loaded, backend, size), (self, backend, size)
        order = Order(load, asked, on_progress, source=source, owner=self, on_audio=on_audio)
        with self._noted(order):
            if (places := self._places_of(backend)) is not None:
                with self._place(places, order):
                    order.report(0, 1)  # its turn has come
                    return order.made_here(), order.took_s
            if LINE.here:
                # What a generator calls asks for more music: the thread would wait for itself.
                return order.made_here(), order.took_s
            return order.result(), order.took_s

    @property
    def has_come(self) -> bool:
        """Whether the thread that looks makes music: that of the generators, or one that has others make it."""
        return LINE.here or bool(self._held.places)

    def close(self) -> None:
        """Cancel what is being made and what waits, and make nothing more; return once the steps of it are over."""
        reason = "the service was closed while this was made"
        latest = time.monotonic() + END_S
        with self._changed:
            self._closed = True
            under_way = [*self._under_way]
        for order in under_way:
            order.drop(Cancelled(reason))
        LINE.drop(self, reason)
        if not (LINE.here or self._held.places):
            with self._changed:
                self._changed.wait_for(lambda: not self._under_way, max(0.0, latest - time.monotonic()))

    def _loaded(self, backend: str, size: str) -> Generator:
        generator = self._load(backend, size)
        batches = hasattr(generator, "batch_key") and hasattr(generator, "generate_batch")
        # Jobs are heard while they are made, so those of a generator that streams are joined by `stream_batch` alone.
        heard = hasattr(generator, "stream_batch") or not hasattr(generator, "stream_music")
        self.joins = batches and heard and self._places_of(backend) is None
        return generator

    @contextmanager
    def _noted(self, order: Order) -> Iterator[None]:
        with self._changed:
            if self._closed:
                raise Cancelled("the service is closed; nothing more is made by it")
            self._under_way.add(order)
        try:
            yield
        finally:
            with self._changed:
                self._under_way.discard(order)
                self._changed.notify_all()

    @contextmanager
    def _place(self, places: Places, order: Order) -> Iterator[None]:
        """Take a place; who waits for one can cancel. A thread that has one keeps it for what it asks meanwhile."""
        if places in self._held.places:
            yield
            return
        while not places.acquire(timeout=POLL_S):
            order.report(0, 1)
        self._held.places.append(places)
        try:
            yield
        finally:
            self._held.places.remove(places)
            places.release()
