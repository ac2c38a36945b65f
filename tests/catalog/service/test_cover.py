"""Greedy cover: it only grows, is never worse than the best single choice, and always the same."""

from __future__ import annotations

import itertools
import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from music_catalog.service.cover import greedy_cover


@st.composite
def problems(draw):
    rows, things = draw(st.integers(0, 7)), draw(st.integers(1, 9))
    bits = draw(st.lists(st.booleans(), min_size=rows * things, max_size=rows * things))
    covered = draw(st.lists(st.booleans(), min_size=things, max_size=things))
    names = draw(st.permutations([f"style {row}" for row in range(rows)]))
    return np.array(bits, dtype=bool).reshape(rows, things), names, np.array(covered)


@given(problems(), st.integers(1, 6))
def test_each_pick_adds_something_and_no_more_than_the_one_before(problem, count):
    covers, names, covered = problem
    picks = greedy_cover(covers, names, count, covered=covered)
    assert len(picks) <= count
    assert len({pick.candidate for pick in picks}) == len(picks)
    before, gain = int(covered.sum()), covers.shape[1]
    for pick in picks:
        assert 0 < pick.newly_covered <= gain
        assert pick.covered == before + pick.newly_covered
        before, gain = pick.covered, pick.newly_covered
    reached = covered | covers[[pick.candidate for pick in picks]].any(axis=0)
    assert before == reached.sum()
    if len(picks) < count:
        assert before == (covered | covers.any(axis=0)).sum()  # nothing more can be covered


@given(problems(), st.integers(1, 4))
def test_it_covers_a_share_of_what_the_best_choice_covers(problem, count):
    covers, names, covered = problem
    picks = greedy_cover(covers, names, count, covered=covered)
    gained = picks[-1].covered - covered.sum() if picks else 0
    choices = itertools.combinations(range(len(covers)), min(count, len(covers)))
    best = max((covers[list(rows)].any(axis=0) & ~covered).sum() for rows in choices)
    assert gained >= (1 - 1 / math.e) * best
    assert gained >= max(((row & ~covered).sum() for row in covers), default=0)


@given(problems(), st.integers(1, 5), st.randoms())
def test_the_choice_depends_on_names_and_not_on_the_order_of_the_rows(problem, count, random):
    covers, names, covered = problem
    order = [*range(len(names))]
    random.shuffle(order)
    picks = greedy_cover(covers, names, count, covered=covered)
    shuffled = greedy_cover(covers[order], [names[row] for row in order], count, covered=covered)
    assert [names[pick.candidate] for pick in picks] == [names[order[pick.candidate]] for pick in shuffled]


@settings(max_examples=50)
@given(problems(), st.integers(2, 6), st.integers(0, 6))
def test_a_choice_that_is_taken_up_again_ends_as_one_that_was_not_interrupted(problem, count, made):
    covers, names, covered = problem
    picks = greedy_cover(covers, names, count, covered=covered)
    first = [pick.candidate for pick in picks[:made]]
    assert greedy_cover(covers, names, count, covered=covered, first=first) == picks


def test_equal_choices_go_by_name():
    covers = np.array([[1, 1, 0], [0, 1, 1], [1, 0, 0]], dtype=bool)
    assert [pick.candidate for pick in greedy_cover(covers, ["b", "a", "c"], 2)] == [1, 0]


def test_rows_that_come_first_count_whatever_they_cover():
    covers = np.array([[1, 1, 1], [0, 0, 1], [0, 0, 0]], dtype=bool)
    picks = greedy_cover(covers, ["a", "b", "c"], 3, first=[2, 1])
    assert [(pick.candidate, pick.newly_covered, pick.covered) for pick in picks] == [
        (2, 0, 0),
        (1, 1, 1),
        (0, 2, 3),
    ]
    assert [pick.candidate for pick in greedy_cover(covers, ["a", "b", "c"], 1, first=[2, 1])] == [2]


def test_what_is_left_goes_to_rows_that_suit_better_and_of_equal_ones_the_better_is_chosen():
    covers = np.array([[1, 1, 1], [1, 1, 1], [1, 0, 0], [0, 1, 0]], dtype=bool)
    suits = np.array([[0.1, 0.3, 0.2], [0.2, 0.3, 0.2], [0.9, 0.9, 0.9], [0.9, 0.4, 0.9]], np.float32)
    names = ["a", "b", "c", "d"]
    picks = greedy_cover(covers, names, 4, suits=suits, least=0.25)
    assert [pick.candidate for pick in picks] == [1, 2]
    assert [(pick.newly_covered, round(pick.fit_gained, 6), pick.covered) for pick in picks] == [
        (3, 0.7, 3),
        (0, 0.7, 3),
    ]
    assert [pick.candidate for pick in greedy_cover(covers, names, 4, suits=suits)] == [1, 2, 3]
    served = np.array([True, True, True])
    assert greedy_cover(covers, names, 4, suits=suits, covered=served) == []


@given(problems(), st.integers(1, 6), st.integers(0, 2**32))
def test_how_rows_suit_never_costs_what_is_covered(problem, count, seed):
    covers, names, covered = problem
    suits = np.random.default_rng(seed).random(covers.shape, np.float32)
    picks = greedy_cover(covers, names, count, covered=covered, suits=suits)
    gains = [pick.newly_covered for pick in picks]
    assert gains == sorted(gains, reverse=True)
    reached = covered | covers[[pick.candidate for pick in picks]].any(axis=0)
    if len(picks) < count:
        assert reached.sum() == (covered | covers.any(axis=0)).sum()
