"""What one caller asks a generator for. Orders that wait together are made as one batch where the generator can."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any

from ..errors import Cancelled
from ..protocol import Audio, Generator, Progress
from .calls import Call
from .line import LINE, Line
from .streams import joined

__all__ = ["MOST_ROWS", "Asked", "OnAudio", "Order"]


MOST_ROWS = 8
"""How many pieces are made as one batch at the most."""
OnAudio = Callable[[Audio], None]
"""Takes the consecutive parts of a piece as they are made."""


@dataclass(frozen=True, eq=False)
class Asked:
    """One piece that is asked for; the arguments of `Generator.generate_music`."""

    prompt: str
    config: Any
    melody: Audio | None = None
    continue_from: Audio | None = None

    @property
    def audios(self) -> dict[str, Audio]:
        """The audio arguments that there are."""
        both = {"melody": self.melody, "continue_from": self.continue_from}
        return {name: audio for name, audio in both.items() if audio is not None}


class Order(Call[list[Audio]]):
    """Pieces of one generator, which `load` returns; orders of one `source` share that generator.

    `on_audio`, for an order of one piece, gets its parts on the thread as they are made, where the generator has
    `stream_music`, and of a batch where it has `stream_batch`.
    """

    def __init__(
        self,
        load: Callable[[], Generator],
        asked: Sequence[Asked],
        on_progress: Progress | None = None,
        *,
        source: Hashable,
        owner: Hashable = None,
        on_audio: OnAudio | None = None,
        line: Line = LINE,
    ) -> None:
        super().__init__(None, on_progress, owner=owner, line=line)
        self.source, self._load, self._asked, self._on_audio = source, load, [*asked], on_audio
        self._continues = any(one.continue_from is not None for one in asked)
        self._joins = not self._continues
        self._heard = self._at = 0  # frames that `on_audio` got, and where the part that comes next begins
        self.took_s = 0.0
        """How long it was made, without the time in line; of a batch its share."""

    def made_here(self) -> list[Audio]:
        """Return the pieces, asked for on the thread of the caller: for generators that work elsewhere."""
        if self.error is not None:
            raise self.error
        began = perf_counter()
        made = self._alone(self._load(), self.report)
        self.took_s = perf_counter() - began
        return made

    def _work(self, report: Progress) -> list[Audio]:
        began = perf_counter()
        generator = self._load()
        orders = [self, *self._companions(generator)]
        if len(orders) == 1 or not self._made_together(orders, generator):
            if self.error is not None:
                raise self.error
            orders, self.value = [self], self._alone(generator, report)
        rows = sum(len(order._asked) for order in orders)
        for order in orders:
            order.took_s = (perf_counter() - began) * len(order._asked) / rows
            if order is not self:
                order.end()
        return self.value or []

    def _made_together(self, orders: Sequence[Order], generator: Generator) -> bool:
        """Give each order what a batch of all made for it; False where that failed."""
        try:
            made = iter(_made_as_batch(generator, orders))
            values = [[next(made) for _ in order._asked] for order in orders]
        except Exception:
            # One of them may have spoiled it for the others: each is made alone, in its turn, and fails alone.
            with self.line.changed:
                for order in orders:
                    order._joins = False
                    order.begun = order is self
            return False
        except BaseException as error:
            for order in orders[1:]:
                order.end(error)
            raise
        for order, value in zip(orders, values, strict=True):
            order.value = value
        return True

    def _alone(self, generator: Generator, report: Progress) -> list[Audio]:
        stream = getattr(generator, "stream_music", None)
        if self._on_audio is not None and stream is not None:
            (one,), parts, self._at = self._asked, [], 0
            for part in stream(one.prompt, one.config, on_progress=report, **one.audios):
                self._hear(part)
                parts.append(part)
            return [joined(parts)]
        if len(self._asked) > 1 and hasattr(generator, "generate_batch") and not self._continues:
            return _batch(generator, self._asked, report)
        return [
            generator.generate_music(one.prompt, one.config, on_progress=report, **one.audios)
            for one in self._asked
        ]

    def _hear(self, part: Audio) -> None:
        """Pass on what is new of a part: a batch that failed may have been heard to some point."""
        begins, self._at = self._at, self._at + len(part.samples)
        if self._on_audio is None or self.error is not None or self._at <= self._heard:
            return
        if begins < self._heard:
            part = replace(part, samples=part.samples[self._heard - begins :], codes=None)
        self._heard = self._at
        self._on_audio(part)

    def _companions(self, generator: Generator) -> list[Order]:
        """Return orders that wait and can be made along with this one, as begun."""
        key, rows, found = self._batch_key(generator), len(self._asked), list[Order]()
        if key is None:
            return []
        with self.line.changed:
            for other in self.line.works():
                if not (isinstance(other, Order) and other.ready() and other.source == self.source):
                    continue
                if rows + len(other._asked) <= MOST_ROWS and other._batch_key(generator) == key:
                    rows += len(other._asked)
                    found.append(other)
            for other in found:
                other.begun = True
        return found

    def _batch_key(self, generator: Generator) -> Hashable:
        """Return what orders have in common that one batch can hold; None for an order that is made alone."""
        key_of = getattr(generator, "batch_key", None)
        if key_of is None or not self._joins:
            return None
        if self._on_audio and hasattr(generator, "stream_music") and not hasattr(generator, "stream_batch"):
            return None  # in a batch it would not be heard while it is made
        with suppress(Exception):  # its own run tells what is wrong with it
            keys = {key_of(one.config) for one in self._asked}
            return next(iter(keys)) if len(keys) == 1 else None
        return None


class _Shared:
    """The progress of a batch, told to each of its orders as its own; it goes on until all of them have gone."""

    def __init__(self, orders: Sequence[Order]) -> None:
        self._orders, self._rows = orders, sum(len(order._asked) for order in orders)

    def __call__(self, done: int, total: int) -> None:
        for order in self._orders:
            if order.error is None:
                own = len(order._asked)
                try:
                    order.report(done * own // self._rows, total * own // self._rows)
                except BaseException as error:
                    with order.line.changed:
                        order.leaves = True
                        order.drop(error)
        if all(order.error is not None for order in self._orders):
            raise Cancelled("everybody who asked for it has gone")


def _made_as_batch(generator: Any, orders: Sequence[Order]) -> list[Audio]:
    """Return what a batch makes for all orders, piece by piece; who listens hears its parts as they are made."""
    report = _Shared(orders)
    asked = [one for order in orders for one in order._asked]
    if not (hasattr(generator, "stream_batch") and any(order._on_audio for order in orders)):
        return _batch(generator, asked, report)
    owners = [order for order in orders for _ in order._asked]
    pieces: list[list[Audio]] = [[] for _ in owners]
    for order in orders:
        order._at = 0
    for parts in generator.stream_batch(**_rows(asked), on_progress=report):
        for order, piece, part in zip(owners, pieces, parts, strict=True):
            if part is not None:
                piece.append(part)
                order._hear(part)
    return [joined(piece) for piece in pieces]


def _rows(asked: Sequence[Asked]) -> dict[str, Any]:
    return {
        "prompts": [one.prompt for one in asked],
        "configs": [one.config for one in asked],
        "melodies": [one.melody for one in asked],
    }


def _batch(generator: Any, asked: Sequence[Asked], report: Progress) -> list[Audio]:
    made: list[Audio] = generator.generate_batch(**_rows(asked), on_progress=report)
    return made
