"""A step hands a GPU few kernels: each costs some 2.5 microseconds on Metal, whatever it computes."""

from __future__ import annotations

import mlx.core as mx
import pytest
from dispatches import count_step, kernels_of


@pytest.mark.parametrize(
    ("size", "form", "most"),
    [
        ("small", {}, 400),
        ("medium", {}, 750),
        ("large", {}, 750),
        ("small", {"melody": True}, 400),
        ("small", {"books": 8}, 400),
        ("large", {"books": 8}, 750),
        # A product with quantized weights cannot add to what is there already: the norm after it does.
        ("small", {"bits": 8}, 400),
        ("medium", {"bits": 8}, 750),
        ("large", {"bits": 4}, 750),
        ("large", {"bits": 4, "books": 8, "melody": True}, 750),
    ],
)
def test_a_step_keeps_within_its_budget(size, form, most):
    assert kernels_of(size, **form) <= most


def test_queries_are_not_copied_and_nothing_waits_inside_a_step():
    step = count_step(2)
    assert step.of["copy of queries"] == 0
    assert step.of["CumSum"] == 2 * 5 + 1, "three norms and two attentions a block, and the last norm"


@pytest.mark.parametrize("sampling", [{}, {"top_p": 0.9}, {"do_sample": False}, {"two_step_cfg": True}])
def test_every_way_to_sample_is_few_kernels(sampling):
    beyond_blocks = count_step(2, **sampling).kernels - 2 * 14 * (2 if sampling.get("two_step_cfg") else 1)
    assert beyond_blocks <= 45
    mx.clear_cache()
