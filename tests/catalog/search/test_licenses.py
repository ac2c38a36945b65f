"""Which licences allow commercial use: the same answer for a track in hand and inside a query."""

from __future__ import annotations

import random

import lancedb
import pyarrow as pa
import pytest

from music_catalog.models import Condition, Filter
from music_catalog.search.filters import to_sql
from music_catalog.search.licenses import commercial
from music_catalog.search.query import parse

ALLOWED = [
    "CC0",
    "CC0-1.0",
    "cc0 1.0 Universal",
    "Public Domain",
    "CC-BY-4.0",
    "CC BY 3.0",
    "CC BY 3.0 de",
    "CC-BY-SA-3.0-NZ",
    "cc-by",
    "CC-BY-SA-4.0",
    "CC BY-SA 4.0 International",
    "Creative Commons Attribution 4.0 International License",
    "Creative Commons Attribution-ShareAlike 3.0 Unported",
    "https://creativecommons.org/licenses/by/4.0/",
    "http://creativecommons.org/licenses/by-sa/3.0/deed.de",
    "https://creativecommons.org/publicdomain/zero/1.0/",
    " CC-BY-4.0 ",
    "MIT",
    "mit license",
    "Apache-2.0",
    "Apache License, Version 2.0",
    "BSD-3-Clause",
    "commercial: bought from a library, 2026",
    "Commercial use: our own recording",
]
REFUSED = [
    "",
    "unknown",
    "all rights reserved",
    "CC-BY-NC-4.0",
    "CC BY-NC",
    "CC-BY-NC",
    "CC BY-ND",
    "CC-BY-4.0-NC",
    "CC BY-SA ND",
    "CC BY-NC-SA 4.0",
    "CC-BY-ND-4.0",
    "CC-BY-NC-ND",
    "https://creativecommons.org/licenses/by-nc/4.0/",
    "https://creativecommons.org/licenses/by-nd/4.0/",
    "Creative Commons Attribution-NonCommercial 4.0",
    "Creative Commons",
    "commercial",
    "commercial:",
    "commercial use forbidden",
    "non-commercial: ask first",
    "not MIT",
    "MIT, but not for commercial use",
    "CC-BY-4.0 for private use",
    "CC-BY-4.0\nNC",
    "CC-BY-NC-4.0\nCC-BY-4.0",
    "Stability Community License",
    "GPL-3.0",
]


@pytest.mark.parametrize("license", ALLOWED)
def test_what_allows_commercial_use(license):
    assert commercial(license, imported=True)
    assert commercial(license, imported=False)


@pytest.mark.parametrize("license", REFUSED)
def test_what_does_not_or_does_not_say_so(license):
    assert not commercial(license, imported=True)
    assert not commercial(license, imported=False)


def test_a_generator_without_weights_gives_its_music_away_and_no_licence_is_none():
    assert commercial("none", imported=False)
    assert not commercial("none", imported=True)


@pytest.mark.parametrize("known", [False, True])
def test_a_query_answers_as_the_function_does(known, tmp_path):
    drawn = random.Random(5)
    said = [
        *ALLOWED,
        *REFUSED,
        "none",
        *(changed(drawn.choice([*ALLOWED, *REFUSED]), drawn) for _ in range(600)),
    ]
    rows = [(license, backend) for license in said for backend in ("imported", "mlx")]
    table = lancedb.connect(tmp_path).create_table(
        "tracks",
        pa.table({"weights_license": [one for one, _ in rows], "backend": [one for _, one in rows]}),
    )
    stated = frozenset(said) if known else None
    expected = sorted(row for row in rows if commercial(row[0], imported=row[1] == "imported"))
    for where in (Filter(license="commercial", state=None), parse("license:commercial is:any").where):
        assert found(table, where, stated) == expected
    opposite = Filter(
        state=None, conditions=(Condition(field="license", any_of=("commercial",), negated=True),)
    )
    assert len(found(table, opposite, stated)) == len(rows) - len(expected)
    assert 0 < len(expected) < len(rows)


def changed(text, drawn):
    """Return a text with one character left out, doubled or replaced."""
    at = drawn.randrange(len(text) + 1)
    return text[:at] + drawn.choice(["", text[at : at + 1] * 2, " ", "\n", "é", "NC"]) + text[at + 1 :]


def found(table, where, stated):
    sql = to_sql(where, lambda: stated)
    assert ("regexp_like" in sql) == (stated is None)
    rows = table.search().where(sql).limit(100_000).to_list()
    return sorted((row["weights_license"], row["backend"]) for row in rows)


def test_other_words_are_still_parts_of_a_licence():
    sql = to_sql(parse("license:cc-by").where)
    assert "contains(lower(weights_license), 'cc-by')" in sql
