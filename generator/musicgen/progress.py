"""Report progress to a caller, who can cancel whenever it is called."""

from __future__ import annotations

from ..protocol import Progress

__all__ = ["Repeated", "rows_progress"]


class Repeated:
    """A progress callback that can be called again with the same count, so that the caller can cancel in between."""

    def __init__(self, on_progress: Progress | None) -> None:
        """Wrap a callback, or none."""
        self.on_progress = on_progress
        self.last = 0, 1

    def __call__(self, done: int, total: int) -> None:
        """Report how much is done."""
        self.last = done, total
        self.again()

    def again(self) -> None:
        """Report the last count once more; before the first one, 0 of 1."""
        if self.on_progress is not None:
            self.on_progress(*self.last)


def rows_progress(on_progress: Progress | None, before: int, rows: int, total: int) -> Progress | None:
    """Return a callback for one batch of `rows` pieces that reports frames of all pieces of a call."""
    if on_progress is None:
        return None
    report = on_progress
    return lambda done, _: report(before + rows * done, total)
