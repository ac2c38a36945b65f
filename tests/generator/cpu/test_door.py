"""The door to the processor costs nothing before it is used."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    "module",
    [
        "music_catalog.generator.cpu",
        "music_catalog.generator.musicgen.adapter",
        "music_catalog.generator.weights",
    ],
)
def test_importing_it_brings_neither_numba_nor_mlx(module):
    code = f"import sys, {module}; print(*sorted({{'numba', 'llvmlite', 'mlx'}} & sys.modules.keys()))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == ""


def test_a_missing_numba_is_one_sentence_with_what_to_install():
    code = (
        "import sys; sys.modules['numba'] = None\n"
        "from music_catalog.generator import GeneratorError, cpu\n"
        "try:\n    cpu._start_loops(None)\nexcept GeneratorError as error:\n    print(error)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == (
        "MusicGen without a GPU needs numba, which is not installed; pip install 'numba>=0.60,<0.69'\n"
    )
