"""What the page says of matches and reasons: as a listener would say it, and nothing where nothing differs."""

from __future__ import annotations

import pytest

pytest.importorskip("playwright.sync_api", reason="no playwright here: `make test-browser` installs it")

SAID = {
    "close match: fits with probability 0.94 (similarity 0.93, mood distance 0.20), 0.86 needed": (
        "Close match: 94 % likely to fit (93 % alike in meaning, in nearly the same mood), 86 % needed."
    ),
    "its music serves this text: calm, a shade darker than the text wants (chance 0.91, 0.89 needed); 3 serve it": (
        "Its music serves this text: calm, a shade darker than the text wants (91 % likely, 89 % needed); 3 serve it."
    ),
    "closest track does not fit: score 0.41 (similarity 0.52, mood distance 0.60), 0.80 needed": (
        "Closest track does not fit: 41 % match (52 % alike in meaning, in the opposite mood), 80 % needed."
    ),
    "best of those that meet the hard facts: calm (chance 0.70 that its music serves the text)": (
        "Best of those that meet the requirements: calm (70 % likely that its music serves the text)."
    ),
    "nearest in mood (distance 0.12 on the valence-energy plane)": "Nearest in mood.",
    "duration_s 30 was cut to 15, the most that quality preview allows": (
        "The length was cut from 30 s to 15 s, the most that quality preview allows."
    ),
    "you chose it": "You chose it.",
}


def test_reasons_are_told_in_the_words_of_a_listener(open_page, site):
    page = open_page(site)
    for reason, said in SAID.items():
        told = page.evaluate("(text) => import('/static/lib/format.js').then(({ why }) => why(text))", reason)
        assert told == said


@pytest.mark.parametrize(
    ("similarity", "score", "distance", "said"),
    [
        (0.62, 0.62, 0.0, "62 % alike in meaning."),
        (0.62, 0.56, 0.1, "62 % alike in meaning, less 6 % for the mood."),
        (0.62, 0.47, 0.0, "62 % alike in meaning, less 15 % for place and time."),
        (0.62, 0.41, 0.1, "62 % alike in meaning, less 6 % for the mood, less 15 % for place and time."),
    ],
)
def test_a_match_tells_only_of_what_differs(open_page, site, similarity, score, distance, said):
    page = open_page(site)
    one = {"similarity": similarity, "score": score, "mood_distance": distance}
    script = "(one) => import('/static/views/compose/alike.js').then(({ matchOf }) => matchOf(one))"
    assert page.evaluate(script, one) == said


def test_requirements_are_told_without_names_of_fields(open_page, site):
    page = open_page(site)
    facts = {"role": "background_bed", "whole_pieces": True, "max_duration_s": 33.0, "loopable": False}
    open_facts = {"whole_pieces": False, "min_model_rank": 0, "style": None, "mood": []}
    script = """(filter) => import('/static/views/compose/facts.js')
        .then(({ hardFacts }) => hardFacts({ filter }, { role: 'stinger' }))"""
    said = "role background bed, imported pieces may be longer, at most 33.0 s, no loop"
    assert page.evaluate(script, facts) == said
    assert page.evaluate(script, open_facts) == "role stinger"
    said = "no simpler model, made by procedural, licensed for commercial use"
    rare = {"min_model_rank": 2, "backend": "procedural", "license": "commercial"}
    assert page.evaluate(script, rare) == said
