"""Values that nobody should pass: texts, numbers and shapes of every kind, drawn by a seed."""

from __future__ import annotations

import math
from datetime import datetime

from invariants import CRASH, Died, in_batches

TEXTS = (
    "",
    " ",
    "\x00",
    "\ud800",
    "a\x00b",
    "\u202eabc",
    "\ufeff",
    "🎵" * 40,
    "e\u0301",
    "雨の夜",
    "\x1b[31mred",
    "\r\nX: y",
    "null",
    "NaN",
    "' OR 1=1 --",
    '"; DROP TABLE tracks; --',
    "%00",
    "%s%n",
    "${HOME}",
    "{{7*7}}",
    "<script>alert(1)</script>",
    "../../secret",
    "..\\..\\secret",
    "a/../../b",
    "word " * 3000,
    "x" * 70_000,
    "-1",
    "1e999",
    "0x10",
    "٣",
    "-",
    "--",
    "*",
    "?",
    "[",
    "ambient_lofi",
    "background_bed",
    "final",
    "auto",
    "calm",
    "rain",
    "night",
    "true",
)
NUMBERS = (
    0,
    -1,
    1,
    2,
    7,
    10**6,
    2**31,
    2**32,
    2**63,
    -(2**63),
    2**64,
    10**400,
    0.5,
    -0.0,
    1e-320,
    1e308,
    math.nan,
    math.inf,
    -math.inf,
    True,
    False,
)
SIGNS = " \t\n:;,.-_\"'()[]{}<>=&%$#@!?*+\\|^~0123456789abcxyzéß雨\u00ad\u2028"


def odd_text(dice):
    """Return one of the known odd texts, or signs at random."""
    if dice.random() < 0.6:
        return dice.choice(TEXTS)
    return "".join(dice.choice(SIGNS) for _ in range(dice.randrange(1, 30)))


def odd_json(dice, depth=0):
    """Return an odd value that JSON can hold, but for numbers that are none."""
    kind = dice.random()
    if kind < 0.45:
        return odd_text(dice)
    if kind < 0.8:
        return dice.choice(NUMBERS)
    if kind < 0.87 or depth > 3:
        return None
    some = range(dice.randrange(4))
    if kind < 0.94:
        return [odd_json(dice, depth + 1) for _ in some]
    return {odd_text(dice)[:20]: odd_json(dice, depth + 1) for _ in some}


def odd_object(dice):
    """Return any odd value of Python."""
    others = (
        b"bytes",
        b"\xff",
        object(),
        datetime(2026, 1, 1),
        {1},
        (1,),
        range(3),
        int,
        len,
        1j,
        slice(1),
        bytearray(3),
        ...,
    )
    return dice.choice(others) if dice.random() < 0.25 else odd_json(dice)


def relative(text):
    """Return a text that names no file outside the folder a test works in, and can be an argument of a process.

    The system hands on bytes that are no UTF-8 as the surrogates U+DC80 to U+DCFF.
    """
    return text.replace("\x00", "").replace("\ud800", "\udcff").lstrip("/~").replace("../..", "..")[:4000]


EACH_BATCH = 50
"""Inputs that one process is given at once."""


def try_each(tally, count, seed, work, *shared):
    """Call `work(seeds, *shared)` on batches of seeds; it returns what went wrong, by seed."""
    batches = [
        [f"{seed} {number}" for number in range(first, min(first + EACH_BATCH, count))]
        for first in range(0, count, EACH_BATCH)
    ]
    for batch, found in in_batches(work, batches, *shared, timeout_s=600.0):
        if isinstance(found, Died):
            found = {batch[0]: [(CRASH, f"the process died with {found}")]}
        for one in batch:
            tally.tried(f"input {one!r}", found.get(one, ()))
