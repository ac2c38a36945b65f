"""The part of `MusicService` in which a person weighs, chooses or turns down a track."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from typing_extensions import Unpack

from ...models import Decision, Judgement, ServedResult, Track
from ...request.context import ContextSource
from ...reuse.terms import Terms
from ..call import Call, FindArguments
from ..stock import StockedCatalog
from . import by_hand

__all__ = ["ChoosingCatalog"]


class ChoosingCatalog(StockedCatalog):
    """The part of `MusicService` in which a person weighs, chooses or turns down a track."""

    def weigh(
        self, track_id: str, text_context: ContextSource, **arguments: Unpack[FindArguments]
    ) -> Decision:
        """Return the decision as if that track were the only one: its one candidate says how well it fits.

        The facts it had to meet are in `filter`, and were not applied. Nothing is logged. Raises NotFound for an
        unknown track and one in the trash.
        """
        return by_hand.weigh(self._flow, *self._by_hand("find", track_id, text_context, arguments))

    def choose(
        self, track_id: str, text_context: ContextSource, **arguments: Unpack[FindArguments]
    ) -> ServedResult:
        """Hand out that track whatever the decision says; the same request gets it again, and `calibrate` learns."""
        return by_hand.choose(self._flow, *self._by_hand("find-or-make", track_id, text_context, arguments))

    def decline(
        self, track_id: str, text_context: ContextSource, **arguments: Unpack[FindArguments]
    ) -> Judgement:
        """Keep that track from this request and from requests near it; `calibrate` learns from it."""
        return by_hand.decline(self._flow, *self._by_hand("find", track_id, text_context, arguments))

    def _by_hand(
        self, command: str, track_id: str, text_context: ContextSource, arguments: Mapping[str, Any]
    ) -> tuple[Call, Track, Terms]:
        named = ("min_similarity", "max_false_reuse", "reach", "fit", "variety")
        terms = self._terms("auto", *(arguments.get(name) for name in named))
        request = {name: value for name, value in arguments.items() if name not in (*named, "log")}
        return self._flow.begin(command, text_context, request), self.store.tracks.find_id(track_id), terms
