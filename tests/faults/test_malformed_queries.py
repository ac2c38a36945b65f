"""Malformed lines of the query language: tracks or one sentence, never a traceback.

A query that is read is read again as the same from its own text, and each of its facts and the negated fact part the
tracks in two.
"""

from __future__ import annotations

import os
import random

from invariants import ALL, CRASH, SHORT, WRONG, in_process, one_sentence, open_service, text_of
from odd_values import odd_text, try_each

from music_catalog.errors import InputError
from music_catalog.models import Filter
from music_catalog.search.fields import FIELDS
from music_catalog.search.query import parse

INPUTS = 10_000
PIECES = [
    *(f"{name}:" for name in (*FIELDS, "is", "duration", "bpm", "lang")),
    ":",
    "..",
    ",",
    "-",
    '"',
    " ",
    " -",
    "none",
    "calm",
    "2026-1",
    "2026-03..",
    "7d",
    "30",
    ".5",
    "..90",
    "1e9",
    "yes",
    "any",
    "trashed",
    "ambient_lofi",
    "rain",
    "é",
    "雨",
    "'",
    "\\",
    "%",
    "_",
    "\u00ad",
]


def a_home(home):
    with open_service(home) as service:
        tracks = [service.find_or_make(text_of(number), **SHORT).track.id for number in range(6)]
        service.rate(tracks[0], 4)
        service.store.tracks.trash(tracks[1])


def tried(seeds, home):
    """Read and run one odd query for each seed."""
    os.fsync = os.fdatasync = lambda descriptor: None
    found = {}
    with open_service(home) as service:
        every = sorted(track.id for track in service.store.tracks.list(ALL))
        styles = {"style": service.library.styles.keys(), "role": service.library.roles.keys()}
        for seed in seeds:
            text = _query(random.Random(seed))
            problems = [*_problems(service, text, styles, every)]
            if problems:
                found[seed] = [(column, f"{text!r:.200}: {what}") for column, what in problems]
    return found


def _query(dice):
    if dice.random() < 0.2:
        return odd_text(dice)
    return "".join(
        dice.choice(PIECES) if dice.random() < 0.9 else odd_text(dice)[:40]
        for _ in range(dice.randrange(1, 12))
    )


def _problems(service, text, styles, every):
    if failure := one_sentence(lambda: service.browse(text, by="words")):
        yield CRASH, failure
    try:
        query = parse(text, styles)
    except InputError:
        return
    if parse(str(query), styles) != query:
        yield WRONG, f"it is read again as something else: {query}"
    for condition in query.where.conditions[:2]:
        other = condition.model_copy(update={"negated": not condition.negated})
        parts = [
            [track.id for track in service.store.tracks.list(Filter(state=None, conditions=(each,)))]
            for each in (condition, other)
        ]
        if sorted([*parts[0], *parts[1]]) != every:
            yield WRONG, f"{condition} and the negated one do not part the tracks"


def test_malformed_queries(tmp_path, request, scaled, tally):
    home = str(tmp_path / "home")
    in_process(a_home, home)
    with tally("malformed queries") as count:
        try_each(count, scaled(INPUTS), request.config.faults_seed, tried, home)
