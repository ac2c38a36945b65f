"""The bells keep to what the catalog asks of a generator."""

from __future__ import annotations

import pytest
from plugin_generator import Bells

from music_catalog.generator import GeneratorError
from music_catalog.testing import check_generator


def test_the_bells_are_a_generator() -> None:
    assert check_generator(Bells, tonic_hz=330.0).channels == 2


def test_a_tonic_out_of_range_is_refused() -> None:
    with pytest.raises(GeneratorError, match="tonic_hz is 3"):
        Bells(tonic_hz=3)
