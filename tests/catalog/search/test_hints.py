from __future__ import annotations

import pytest

from music_catalog.models import Filter
from music_catalog.search.hints import hints
from music_catalog.search.query import add_facts, parse

KNOWN = {"style": ["ambient_lofi", "dark_ambient"], "role": ["background_bed"]}


@pytest.mark.parametrize(
    ("query", "facts", "expected"),
    [
        ("mood:clam", {}, ["'clam' is no mood; did you mean calm?"]),
        ("rain", {"mood": ("clam",)}, ["'clam' is no mood; did you mean calm?"]),
        ("rain", {"style": "ambient_lofy"}, ["'ambient_lofy' is no style; did you mean ambient_lofi?"]),
        ("rain", {"role": "xyz"}, ["'xyz' is no role; there are background_bed"]),
        ("rain", {"backend": "mxl"}, ["'mxl' is no backend; did you mean mlx?"]),
        ("mood:clam", {"mood": ("clam",)}, ["'clam' is no mood; did you mean calm?"]),
    ],
)
def test_a_slip_gives_a_hint(query, facts, expected):
    assert hints(add_facts(parse(query, KNOWN), facts).where, KNOWN) == expected


@pytest.mark.parametrize(
    "query",
    ["mood:calm", "mood:CALM", "-mood:clam", "mood:none", "tag:clam", "length:3", "style:ambient_lofi"],
)
def test_what_is_known_or_open_gives_none(query):
    assert hints(parse(query, KNOWN).where, KNOWN) == []


def test_no_facts_give_no_hint():
    assert hints(Filter(), KNOWN) == []
