"""Who does the parts of a large piece of work: this process, or anything with the method of `Workers`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from ..presets import Library
from ..service.making import Generators
from ..service.stages import Flow
from ..store.store import Store
from ..text.encoder import Encoder

__all__ = ["InProcess", "Opener", "Workers", "in_parts", "opener_of"]

Item = TypeVar("Item")


@dataclass(frozen=True)
class Opener:
    """What a worker opens the catalog with. It can be pickled, and holds no weights."""

    home: str
    library: Library
    encoder: Encoder
    generators: Generators
    storage_options: Mapping[str, str] | None = field(default=None, repr=False)
    """What reaches the object store of the home, beside what the environment of the worker states."""

    def open(self) -> Flow:
        """Return the stages of a call over the home, which must be there. Raises as `Store.open` does."""
        reader = self.encoder
        store = Store.open(
            self.home,
            encoder=reader.identity,
            dimension=reader.dimension,
            create=False,
            options=self.storage_options,
        )
        return Flow(store, self.library, reader, self.generators)


class Workers(Protocol):
    """What runs a function over parts."""

    count: int
    """How many parts are worked on at a time."""

    def run(
        self,
        function: Callable[[Flow, Any], Any],
        opener: Opener,
        parts: Iterable[Any],
        *,
        makes: bool = False,
    ) -> Iterator[tuple[int, Any]]:
        """Yield the number of each part and what `function(flow, part)` returned for it, in the order they end in.

        A worker opens the catalog once. A part whose worker dies is given to another. `makes` says that the function
        makes music. What the function raises is raised.
        """
        ...


class InProcess:
    """Workers that are this process: one part after the other."""

    count = 1

    def run(
        self,
        function: Callable[[Flow, Any], Any],
        opener: Opener,
        parts: Iterable[Any],
        *,
        makes: bool = False,
    ) -> Iterator[tuple[int, Any]]:
        """See `Workers`."""
        del makes
        flow = opener.open()
        try:
            for number, part in enumerate(parts):
                yield number, function(flow, part)
        finally:
            flow.close()


def opener_of(flow: Flow) -> Opener:
    """Return what opens the catalog of `flow` in another process."""
    blobs = flow.store.blobs
    passed = blobs.address.passed if blobs else None
    return Opener(flow.store.address, flow.library, flow.encoder, flow.generators, passed)


def in_parts(items: Sequence[Item], size: int) -> list[Sequence[Item]]:
    """Return `items` in parts of `size`, the last shorter."""
    return [items[start : start + size] for start in range(0, len(items), size)]
