"""The names that a query may hold of styles, roles, moods and the like: those that are known, and those of tracks."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from functools import cached_property

__all__ = ["Names", "with_those_of_tracks"]

COLUMNS = {"style": "style", "role": "role", "by": "backend", "mood": "mood_tags", "language": "language"}
"""The column of tracks that holds the names of a field."""


class Names(Collection[str]):
    """Names of one field. Those of tracks are read once, when a name is none of the configuration."""

    def __init__(self, configured: Collection[str], read: Callable[[], Collection[str]]) -> None:
        self._configured = configured
        self._read = read

    @cached_property
    def _all(self) -> frozenset[str]:
        return frozenset(self._configured) | frozenset(self._read())

    def __contains__(self, name: object) -> bool:
        return name in self._configured or name in self._all

    def __iter__(self) -> Iterator[str]:
        return iter(self._all)

    def __len__(self) -> int:
        return len(self._all)


def with_those_of_tracks(
    known: Mapping[str, Collection[str]], read: Callable[[str], Collection[str]]
) -> dict[str, Collection[str]]:
    """Return `known` by field, each with the names that tracks have: music may come from another configuration.

    `read` returns the values of a column of tracks.
    """

    def names(field: str, configured: Collection[str]) -> Collection[str]:
        return Names(configured, lambda: read(COLUMNS[field])) if field in COLUMNS else configured

    return {field: names(field, configured) for field, configured in known.items()}
