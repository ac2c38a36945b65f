"""The log of past requests, searched by meaning or words, with the judgement of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..models import Action, Judgement, RequestRecord, Value
from ..store.store import Store
from ..validation import nearest

__all__ = ["HistoryBy", "PastRequest", "history", "verdicts"]


HistoryBy = Literal["meaning", "words"]


class PastRequest(Value):
    """One line of the log, with the judgement of its track as the answer to that request."""

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

    An exact repeat has no vector, so a search by meaning returns only the call it repeats. Raises InputError for a
    column that the log cannot be narrowed by, an unknown action, a limit out of range and a text without words.
    """
    if by not in get_args(HistoryBy):
        raise InputError(f"search by {by!r} is not known; {nearest(by, get_args(HistoryBy))}")
    if (action := facts.get("action", "none")) not in get_args(Action):
        raise InputError(f"action is {action!r}; {nearest(str(action), get_args(Action))}")
    lines: list[tuple[RequestRecord, float | None]]
    if text is None:
        lines = [(record, None) for record in store.requests.list(limit=limit, since=since, **facts)]
    elif by == "words":
        lines = [*store.requests.search_words(text, limit, since=since, **facts)]
    else:
        lines = [*store.requests.search(encode(text), limit, since=since, **facts)]
    judgements = verdicts(store.judgements.of_keys([record.key for record, _ in lines]))
    return [
        _past_request(record, relevance, judgements.get((record.key, record.track_id or "")))
        for record, relevance in lines
    ]


def verdicts(judgements: Sequence[Judgement]) -> dict[tuple[str, str], Judgement]:
    """Return the judgement that holds for each request key and track: its rejection, else its newest rating.

    A rejection that was taken back does not count.
    """
    rated: dict[tuple[str, str], Judgement] = {}
    rejected: dict[tuple[str, str], Judgement] = {}
    for judgement in sorted(judgements, key=lambda judgement: judgement.created_at):
        newest = rated if judgement.verdict == "rated" else rejected
        newest[judgement.key, judgement.track_id] = judgement
    ratings = {pair: judgement for pair, judgement in rated.items() if judgement.rating is not None}
    standing = {pair: judgement for pair, judgement in rejected.items() if judgement.verdict == "rejected"}
    return ratings | standing


def _past_request(record: RequestRecord, relevance: float | None, judgement: Judgement | None) -> PastRequest:
    return PastRequest(
        record=record,
        relevance=relevance,
        rating=judgement.rating if judgement else None,
        rejected=judgement is not None and judgement.verdict == "rejected",
    )
