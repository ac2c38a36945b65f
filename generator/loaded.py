"""Generators that stay in memory between calls: one MusicGen at a time, and none when nobody asks for a while."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from .device import free_buffers
from .loading import load_generator
from .protocol import Generator

__all__ = ["IDLE_S", "LoadedGenerators"]


IDLE_S = 600.0
"""After so long without use MusicGen leaves the memory: reading it again takes seconds."""


class LoadedGenerators:
    """Loads a generator when it is first asked for, and keeps it.

    MusicGen's sizes take 2 to 14 GB each. So one is in memory at a time: another size takes its place, and takes over
    its text encoder and codec where those are the same. Safe for several threads; a generator that a caller holds stays
    whole.
    """

    def __init__(
        self,
        load: Callable[[str, str], Generator] = load_generator,
        *,
        idle_s: float = IDLE_S,
        one_model: bool = True,
    ) -> None:
        """Keep what `load(backend, size)` returns; without `one_model`, where a cluster makes, of every size."""
        self._load, self._idle_s, self._one_model = load, idle_s, one_model
        self._kept: dict[tuple[str, str], Generator] = {}
        # Reading a model takes seconds, which who asks for another generator does not wait for.
        self._loading, self._lock = threading.RLock(), threading.RLock()
        self._users = 0
        self._timer: threading.Timer | None = None

    def __call__(self, backend: str, size: str) -> Generator:
        """Return a generator that is ready; raises what `load` raises."""
        key = backend, size
        with self._loading:
            with self._lock:
                found = self._kept.get(key)
                # What the earlier one shares lives on in this name until the new one has taken it over.
                shared = [getattr(one, "shared", None) for one in self._kept.values()]
                if found is None and backend == "mlx" and self._one_model:
                    self._drop_models()
            found = self._load(backend, size) if found is None else found
            del shared
            with self._lock:
                self._kept[key] = found
                self._restart_timer()
            return found

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Keep everything while the body runs; after the last such body the time without use begins."""
        with self._lock:
            self._users += 1
            self._restart_timer()
        try:
            yield
        finally:
            with self._lock:
                self._users -= 1
                self._restart_timer()

    def unload(self) -> None:
        """Drop every generator; the next call loads what it needs."""
        with self._loading, self._lock:
            self._kept.clear()
            self._restart_timer()
            free_buffers()

    def _idle(self) -> None:
        with self._lock:
            if not self._users:
                self._drop_models()

    def _drop_models(self) -> None:
        """Drop MusicGen; what else there is takes no memory to speak of."""
        for key in [key for key in self._kept if key[0] == "mlx"]:
            del self._kept[key]
        free_buffers()

    def _restart_timer(self) -> None:
        """Begin the time without use anew; there is none while something is in use, or where no MusicGen is here."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._users and any(backend == "mlx" for backend, _ in self._kept):
            self._timer = threading.Timer(self._idle_s, self._idle)
            self._timer.daemon = True
            self._timer.start()
