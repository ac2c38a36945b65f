"""The core without torch and librosa: a make, a reuse, a search and the checks with the import of both blocked."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ABSENT = ("torch", "transformers", "sentence_transformers", "librosa", "numba", "mlx", "sklearn")
CALM = "Rain taps softly on the library windows while students read in silence. It is a calm, cozy evening."
AGAIN = "A calm, cozy evening: students read in silence at the library while rain taps softly on the windows."
BLOCK = f"""
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name in {ABSENT!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Absent())
"""
PIECE = {"tempo_bpm": 120, "mode": "major", "harmony": "piano", "groove": "four_on_floor"}


def run_without(code, *arguments):
    """Run `code` in a process that cannot import what is absent from a light installation."""
    return subprocess.run(
        [sys.executable, "-c", BLOCK + code, *arguments],
        cwd=ROOT,
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_make_a_reuse_and_a_search_need_none_of_them(tmp_path):
    code = """
import json
from music_catalog import MusicService
rest = {"duration_s": 6, "backend": "procedural", "quality": "preview"}
with MusicService.open(sys.argv[1]) as service:
    made = service.find_or_make(sys.argv[2], **rest)
    reused = service.find_or_make(sys.argv[3], **rest)
    found = service.search("calm rain in the evening", limit=1)
    print(json.dumps([made.action, reused.action, reused.track.id == made.track.id, len(found)]))
"""
    run = run_without(code, str(tmp_path), CALM, AGAIN)
    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout) == ["generated", "reused", True, 1]
    assert "not measured" not in run.stderr


def test_tempo_and_key_are_measured_without_them():
    code = """
import json
from music_catalog.generator.audio import analysis
from music_catalog.generator.synth.generator import ProceduralGenerator
config = {"duration_s": 12, "seed": 3, "synthesis": json.loads(sys.argv[1])}
audio = ProceduralGenerator().generate_music("a prompt", config)
print(analysis.tempo_bpm(audio), "|", analysis.musical_key(audio))
"""
    run = run_without(code, json.dumps(PIECE))
    assert run.returncode == 0, run.stderr
    assert "None" not in run.stdout


@pytest.mark.parametrize("command", [["doctor"], ["presets", "list"], ["models", "list"], ["--help"]])
def test_commands_need_none_of_them(tmp_path, command):
    home = ["--home", str(tmp_path)] if command == ["doctor"] else []
    run = run_without("from music_catalog import cli\nsys.argv[0] = 'catalog'\ncli.main()", *command, *home)
    assert run.returncode == 0, run.stderr
    assert "absent" not in run.stdout


def test_the_core_requires_none_of_them():
    project = (ROOT / "pyproject.toml").read_text("utf-8")
    core = re.search(r"^dependencies = \[\n(.*?)^\]", project, re.DOTALL | re.MULTILINE)
    assert core
    names = set(re.findall(r'^ +"([\w-]+)', core[1], re.MULTILINE))
    assert "lancedb" in names
    assert not names & {"torch", "transformers", "sentence-transformers", "librosa", "numba", "scikit-learn"}


def test_what_needs_mlx_names_the_command_that_installs_it(tmp_path):
    code = """
import os
from music_catalog.generator import WeightsError, load_generator, weights
os.environ["CATALOG_MODELS"] = sys.argv[1]
for needs in (lambda: load_generator("mlx", "small"), lambda: weights.pull("small")):
    try:
        needs()
    except WeightsError as error:
        print(error)
"""
    run = run_without(code, str(tmp_path))
    assert run.returncode == 0, run.stderr
    assert (
        run.stdout.count("pip install 'music-catalog[cpu]', or 'music-catalog[cuda]' for an NVIDIA GPU") == 2
    )
