"""`find-or-make --play` with a player that writes down what it hears."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from fakes import WordHashEncoder
from sample_texts import CALM

from music_catalog import MusicService, cli
from music_catalog.commands.heard.playing import Playing
from music_catalog.errors import Unavailable
from music_catalog.generator import Audio, ProceduralGenerator, audio
from music_catalog.web.client import Gone

SHORT = ["--duration", "2", "--quality", "preview", "--backend", "procedural"]
RATE = 32_000


@pytest.fixture
def heard(tmp_path, monkeypatch):
    """Put a player before all others in an otherwise empty PATH; return the file that holds what it was given."""
    folder, heard = tmp_path / "bin", tmp_path / "heard.wav"
    folder.mkdir()
    script = f"#!{sys.executable}\nimport sys\nname = sys.argv[-1]\n"
    script += "data = sys.stdin.buffer.read() if name == '-' else open(name, 'rb').read()\n"
    script += f"open({str(heard)!r}, 'wb').write(data)\n"
    (folder / "mpv").write_text(script)
    (folder / "mpv").chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))
    return heard


def run(*args, home):
    return CliRunner().invoke(cli.catalog, [*args], env={"CATALOG_HOME": str(home)})


def test_what_is_made_whole_is_played_and_the_result_is_printed(heard, tmp_path):
    for action in ("generated", "reused"):
        result = run("find-or-make", CALM, *SHORT, "--play", "--json", home=tmp_path / "home")
        assert result.exit_code == 0, result.output
        payload = json.loads(result.stdout)
        assert payload["action"] == action
        assert audio.read(heard).duration_s == audio.read(payload["path"]).duration_s == 2.0
        heard.unlink()


def test_without_a_player_nothing_is_made(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Unavailable, match="no player is on this machine"):
        Playing()
    result = run("find-or-make", CALM, *SHORT, "--play", home=tmp_path / "home")
    assert result.exit_code == 6
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize(("flags", "says"), [(["--dry-run"], "--dry-run"), (["--batch", "-"], "--batch")])
def test_play_goes_with_what_makes_one_track(tmp_path, flags, says):
    text = [] if "--batch" in flags else [CALM]
    result = run("find-or-make", *text, *flags, "--play", home=tmp_path / "home")
    assert result.exit_code == 2
    assert says in result.output


class Streaming(ProceduralGenerator):
    def stream_music(self, prompt, config, *, on_progress=None, **audios):
        made = self.generate_music(prompt, config)
        for at in range(0, len(made.samples), RATE // 2):
            yield Audio(made.samples[at : at + RATE // 2], RATE, made.provenance)


def test_what_a_generator_streams_goes_to_the_player_and_the_track_is_stored(heard, tmp_path):
    with MusicService.open(
        tmp_path / "home", encoder=WordHashEncoder(), generators=lambda *_: Streaming()
    ) as service:
        stream = service.stream_music(CALM, duration_s=3.0, quality="preview", backend="procedural")
        playing = Playing()
        result = playing.stream(stream)
        assert stream.live
    playing.finish({"path": str(result.path)})
    assert audio.read(heard).duration_s == 3.0
    assert Path(result.path).is_file()
    assert os.environ["PATH"] == str(heard.parent / "bin")


@pytest.mark.parametrize("error", [Unavailable("no memory"), Gone(), OSError("closed")])
@pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_job_whose_sound_breaks_off_is_heard_from_its_file(error, heard, tmp_path):
    class Service:
        def sound(self, job_id):
            raise error
            yield b""

    file = tmp_path / "track.wav"
    file.write_bytes(audio.encode(ProceduralGenerator().generate_music("x", {"duration_s": 1.0, "seed": 1})))
    playing = Playing()
    playing.follow(Service(), "1")
    playing.finish({"path": str(file)})
    assert heard.read_bytes() == file.read_bytes()
