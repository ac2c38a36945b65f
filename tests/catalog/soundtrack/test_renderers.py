"""Renderers are commands: their lines fit the packages' own options, and a missing one is refused with its remedy."""

from __future__ import annotations

import argparse
import json
import shutil
import stat
import sys
from pathlib import Path

import pytest
import soundfile

from music_catalog.errors import InputError, Unavailable
from music_catalog.soundtrack.renderers import COVERS, NARRATORS, narrator, renderer

OPTIONS = json.loads(
    (Path(__file__).resolve().parents[2] / "data" / "renderer_options.json").read_text("utf-8")
)
TEXT = "--odd text; with 'quotes' $(and more)"


def parser_of(program):
    """Return a parser with the options of the package's own command line, as its release lists them."""
    parser = argparse.ArgumentParser(allow_abbrev=False, exit_on_error=False)
    for flag in OPTIONS[program]["flags"]:
        parser.add_argument(flag, action="store_true")
    for option in OPTIONS[program]["options"]:
        parser.add_argument(option)
    return parser


@pytest.mark.parametrize("name", [*NARRATORS, *COVERS])
def test_lines_fit_the_command_line_of_the_package(name, tmp_path):
    command = {**NARRATORS, **COVERS}[name]
    line = command.line(TEXT, tmp_path / "made.wav")
    if line[0] not in OPTIONS:
        assert line[0] == "espeak-ng"
        return
    known, unknown = parser_of(line[0]).parse_known_args(line[1:])
    assert unknown == []
    assert TEXT in (getattr(known, "text", None), getattr(known, "prompt", None))


def test_where_the_file_is_expected(tmp_path):
    line = narrator("orpheus:voice=anna").line("x", tmp_path / "spoken-3.wav")
    assert {f"--output_path={tmp_path}", "--file_prefix=spoken-3", "--join_audio", "--voice=anna"} <= set(
        line
    )
    assert "--model=mlx-community/orpheus-3b-0.1-ft-bf16" in line
    assert "--voice=tara" in narrator("orpheus").line("x", tmp_path / "a.wav")


@pytest.mark.skipif(
    not shutil.which("espeak-ng"), reason="espeak-ng is not installed; `apt install espeak-ng`"
)
def test_espeak_speaks_out_of_the_box(tmp_path):
    narrator("espeak-ng").render("-v is where\nthe words begin", tmp_path / "spoken.wav")
    spoken, rate = soundfile.read(tmp_path / "spoken.wav")
    assert abs(spoken).max() > 0.05
    assert len(spoken) > rate


@pytest.mark.parametrize("name", ["orpheus", "mlx-audio"])
def test_a_missing_command_is_told_with_how_to_install_it(name, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Unavailable, match="uv tool install mlx-audio"):
        narrator(name).check()
    with pytest.raises(Unavailable, match="uv tool install mlx-audio"):
        narrator(name).render("x", tmp_path / "a.wav")
    with pytest.raises(Unavailable, match="uv tool install mflux"):
        renderer("mflux", COVERS).render("x", tmp_path / "a.png")
    with pytest.raises(Unavailable, match="apt install espeak-ng"):
        narrator("espeak-ng").render("x", tmp_path / "a.wav")


def test_a_command_in_an_environment_of_its_own(tmp_path):
    script = tmp_path / "voice"
    script.write_text(
        f"#!{sys.executable}\nimport sys\n"
        "options = dict(one[2:].split('=', 1) for one in sys.argv[1:] if '=' in one)\n"
        "open(options['output_path'] + '/' + options['file_prefix'] + '.wav', 'w').write(options['text'])\n"
    )
    script.chmod(script.stat().st_mode | stat.S_IEXEC)
    narrator(f"mlx-audio:program={script},voice=x").render(TEXT, tmp_path / "spoken.wav")
    assert (tmp_path / "spoken.wav").read_text() == TEXT


def test_a_command_that_fails_says_why(tmp_path):
    script = tmp_path / "voice"
    script.write_text(f"#!{sys.executable}\nimport sys\nsys.exit('the model is not here')\n")
    script.chmod(0o755)
    with pytest.raises(Unavailable, match="the model is not here"):
        narrator(f"mlx-audio:program={script}").render("x", tmp_path / "spoken.wav")


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("espeek-ng", "espeak-ng"),
        ("espeak-ng:loud", "no option"),
        ("espeak-ng:voice=", "no option"),
        ("espeak-ng:speed=3", "words_per_minute"),
        ("mlx-audio:words_per_minute=3", "no option"),
    ],
)
def test_odd_names_are_refused(name, word):
    with pytest.raises(InputError, match=word):
        narrator(name)


def test_odd_texts_are_refused(tmp_path):
    for text in (" \n", "x" * 30_000):
        with pytest.raises(InputError, match="characters"):
            narrator("espeak-ng").render(text, tmp_path / "a.wav")
