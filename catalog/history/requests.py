"""What was asked before and how it went: the log of requests, searched by meaning or words, with its ratings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..models import Judgement, RequestRecord, Value
from ..store.store import Store
from ..validation import nearest

__all__ = ["HistoryBy", "PastRequest", "history", "verdicts"]


HistoryBy = Literal["meaning", "words"]


class PastRequest(Value):
    """One line of the log, with what a person said of the track in answer to it."""

    record: RequestRecord
    relevance: float | None = None
    """Cosine of the contexts for a search by meaning; BM25 for one by words; None without a search."""
    rating: int | None = None
    rejected: bool = False


def history(
    store: Store,
    encode: Callable[[str], NDArray[np.float32]],
    text: str | None,
    *,
    by: HistoryBy,
    limit: int,
    since: datetime | None,
    facts: Mapping[str, Any],
) -> list[PastRequest]:
    """Return log lines, the newest first, or with `text` the most relevant first.

    A line without a vector, as an exact repeat has none, is not found by meaning; the call it repeats is. Raises
    InputError for a column that cannot be asked for, a limit out of range and a text without words.
    """
    if by not in get_args(HistoryBy):
        raise InputError(f"search by {by!r} is not known; {nearest(by, get_args(HistoryBy))}")
    found: list[tuple[RequestRecord, float | None]]
    if text is None:
        found = [(one, None) for one in store.requests.list(limit=limit, since=since, **facts)]
    elif by == "words":
        found = [*store.requests.search_words(text, limit, since=since, **facts)]
    else:
        found = [*store.requests.search(encode(text), limit, since=since, **facts)]
    said = verdicts(store.judgements.of_keys([record.key for record, _ in found]))
    return [_told(record, relevance, said) for record, relevance in found]


def verdicts(said: Sequence[Judgement]) -> dict[tuple[str, str], Judgement]:
    """Return what holds of each request key and track: a standing rejection, else the newest rating there is.

    A rejection that was taken back counts as nothing said.
    """
    rated: dict[tuple[str, str], Judgement] = {}
    refused: dict[tuple[str, str], Judgement] = {}
    for one in sorted(said, key=lambda one: one.created_at):
        (rated if one.verdict == "rated" else refused)[one.key, one.track_id] = one
    standing = {pair: one for pair, one in refused.items() if one.verdict == "rejected"}
    return {pair: one for pair, one in rated.items() if one.rating is not None} | standing


def _told(
    record: RequestRecord, relevance: float | None, said: Mapping[tuple[str, str], Judgement]
) -> PastRequest:
    one = said.get((record.key, record.track_id or ""))
    return PastRequest(
        record=record,
        relevance=relevance,
        rating=one.rating if one else None,
        rejected=one is not None and one.verdict == "rejected",
    )
