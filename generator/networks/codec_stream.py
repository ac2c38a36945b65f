"""Decode codes piece by piece, with the context that the next piece needs."""

# mypy: allow-subclassing-any, no-warn-return-any
# (mlx.nn is untyped: its modules are Any)

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import mlx.core as mx
import mlx.nn as nn

__all__ = ["LocalStream", "local_context"]


def local_context(layers: Iterable[nn.Module]) -> tuple[int, int]:
    """Return how many inputs before and after its own an output of convolutional layers in sequence depends on."""
    context = (0, 0)
    for layer in reversed(list(layers)):
        if not isinstance(layer, nn.ELU):
            context = layer.context(*context)
    return context


class LocalStream:
    """Apply a function of local context chunk by chunk, exactly as on the whole.

    Frames are held back until their right context is there, and kept until they are no left context any more.
    """

    def __init__(
        self, function: Callable[[mx.array], mx.array], context: tuple[int, int], scale: int
    ) -> None:
        self.function, self.scale = function, scale
        self.left, self.right = context
        self.held: mx.array | None = None
        self.done = 0  # frames of `held` whose output is already out

    def push(self, x: mx.array | None, *, last: bool) -> mx.array | None:
        """Take frames (batch, time, channels) or None; return the outputs that are final now, if any."""
        if x is not None:
            self.held = x if self.held is None else mx.concatenate([self.held, x], axis=1)
        if self.held is None:
            return None
        ready = self.held.shape[1] - (0 if last else self.right)
        # The padding at the very start may reflect as far in as the left context reaches.
        if ready <= self.done or (not last and ready <= self.left):
            return None
        y = self.function(self.held)[:, self.done * self.scale : ready * self.scale]
        drop = max(0, ready - self.left)
        self.held, self.done = self.held[:, drop:], ready - drop
        return y


def with_last(chunks: Iterable[mx.array]) -> Iterator[tuple[mx.array | None, bool]]:
    """Yield every chunk as it comes, then None marked as the end."""
    for chunk in chunks:
        yield chunk, False
    yield None, True
