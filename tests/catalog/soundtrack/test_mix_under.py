"""Tracks and files under a narration: what is written beside what, and odd input in one sentence each."""

from __future__ import annotations

import json

import numpy as np
import pytest
import soundfile
from builders import a_track
from click.testing import CliRunner

from music_catalog import cli, presets
from music_catalog.errors import InputError, NotFound
from music_catalog.generator import Audio, audio
from music_catalog.soundtrack.mix import mix_under

RATE = 16_000
ROLES = presets.load().roles


def hum(seconds, rate=RATE, channels=1, gain=0.3):
    time_s = np.arange(round(seconds * rate)) / rate
    wave = gain * np.sign(np.sin(2 * np.pi * 130 * time_s)) * (np.sin(2 * np.pi * 2.5 * time_s) > -0.5)
    return np.repeat(wave.astype(np.float32)[:, None], channels, axis=1)


def no_track(track_id):
    raise NotFound(f"no track {track_id}")


@pytest.fixture
def files(tmp_path):
    tone = (0.2 * np.sin(2 * np.pi * 220 * np.arange(4 * 32_000) / 32_000)).astype(np.float32)
    (tmp_path / "bed.flac").write_bytes(audio.encode(Audio(np.stack([tone, tone], 1), 32_000), "flac"))
    (tmp_path / "spoken.wav").write_bytes(audio.encode(Audio(hum(3), RATE)))
    return tmp_path


def mixed(folder, narration="spoken.wav", bed="bed.flac", **options):
    options = {"loop": True, **options}
    return mix_under(str(folder / bed), folder / narration, folder / "out.wav", no_track, ROLES, **options)


@pytest.mark.parametrize(("rate", "channels"), [(8_000, 1), (22_050, 2), (48_000, 1), (96_000, 2)])
def test_narration_of_any_rate_and_channels(files, rate, channels):
    soundfile.write(files / "other.wav", hum(2, rate, channels), rate)
    payload = mixed(files, "other.wav")
    made, out_rate = soundfile.read(files / "out.wav", always_2d=True)
    assert (out_rate, made.shape[1]) == (max(rate, 32_000), 2)
    assert len(made) / out_rate == pytest.approx(7.0, abs=0.01) == payload["duration_s"]
    assert np.abs(made).max() < 0.9


def test_stems_add_up_and_cues_say_when(files):
    payload = mixed(files, stems=files / "stems", cue_files=[files / "a.vtt", files / "b.json"])
    parts = [soundfile.read(files / "stems" / f"out.{name}.wav")[0] for name in ("voice", "music")]
    assert np.abs(soundfile.read(files / "out.wav")[0] - sum(parts)).max() < 2e-4
    assert "00:00:02.000 --> 00:00:05.000" in (files / "a.vtt").read_text("utf-8")
    assert json.loads((files / "b.json").read_text("utf-8"))["cues"] == payload["cues"]


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg"])
def test_a_mix_says_whose_music_is_in_it(files, suffix):
    words = {"title": "Regen", "artist": "Jö Doe", "license": "CC-BY-4.0"}
    (files / "bed.flac").write_bytes(audio.encode(Audio(hum(4, 32_000), 32_000), "flac", **words))
    mix_under(
        str(files / "bed.flac"), files / "spoken.wav", files / f"out.{suffix}", no_track, ROLES, stems=files
    )
    expected = 'Music: "Regen" by Jö Doe, CC-BY-4.0'
    assert audio.read_tags(files / f"out.{suffix}")["comment"] == expected
    assert audio.read_tags(files / f"out.music.{suffix}")["comment"] == expected
    assert "comment" not in audio.read_tags(files / f"out.voice.{suffix}")


def test_a_mix_names_made_music_and_the_licence_of_its_model(files):
    track = a_track(title="Rain", backend="mlx", model="musicgen-small", weights_license="CC-BY-NC-4.0")
    find = lambda _: (track, files / "bed.flac")  # noqa: E731
    mix_under(track.id, files / "spoken.wav", files / "out.wav", find, ROLES)
    said = audio.read_tags(files / "out.wav")["comment"]
    assert said == 'Music: "Rain" by musicgen-small, AI-generated, CC-BY-NC-4.0'


def test_a_clipped_narration_is_noted_and_a_short_bed_too(files):
    loud = np.clip(5 * np.sin(np.arange(3 * RATE) / 9), -1, 1).astype(np.float32)
    soundfile.write(files / "loud.wav", loud, RATE)
    payload = mixed(files, "loud.wav", loop=False)
    assert "clipped in" in payload["warnings"][0]
    assert "loop=True" in payload["warnings"][1]


HOLD_MUSIC = """
musicgen:
  roles:
    hold_music:
      description: Music for someone waiting on the line.
      ducking: {depth_db: 25.0}
"""


@pytest.fixture
def track_of_an_own_role(open_service, tmp_path):
    """Return the id of a track of a role from the user's file; the home is `home` beside it."""
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "catalog.yaml").write_text(HOLD_MUSIC, "utf-8")
    service = open_service()
    made = service.generate("Calm and soft.", role="hold_music", duration_s=2.0, backend="procedural")
    return made.track.id


def test_a_track_of_a_role_from_the_users_file_is_ducked_as_the_file_says(files, track_of_an_own_role):
    line = ["mix", "--bed", track_of_an_own_role, "--narration", str(files / "spoken.wav"), "--json"]
    line += ["--home", str(files / "home")]
    done = CliRunner().invoke(cli.catalog, [*line, "--out", str(files / "a.wav")])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["depth_db"] == 25.0
    assert "hold_music" not in done.stderr
    named = CliRunner().invoke(
        cli.catalog, [*line, "--out", str(files / "b.wav"), "--role", "hold_music", "--depth", "30"]
    )
    assert json.loads(named.stdout)["depth_db"] == 30.0


def test_a_track_whose_role_is_not_configured_any_more_is_ducked_as_usual_with_a_warning(
    files, track_of_an_own_role
):
    (files / "home" / "catalog.yaml").unlink()
    line = ["mix", "--bed", track_of_an_own_role, "--narration", str(files / "spoken.wav"), "--json"]
    done = CliRunner().invoke(
        cli.catalog, [*line, "--home", str(files / "home"), "--out", str(files / "a.wav")]
    )
    assert done.exit_code == 0, done.output
    payload = json.loads(done.stdout)
    assert payload["depth_db"] < 25.0
    assert "no role hold_music" in payload["warnings"][0]
    assert payload["warnings"][0].endswith("--role background_bed")
    assert payload["warnings"][1].endswith("--loop to repeat it")


def write_empty(path):
    soundfile.write(path, np.zeros((0, 1), np.float32), RATE)


@pytest.mark.parametrize(
    ("write", "word"),
    [
        (write_empty, "no samples"),
        (lambda path: soundfile.write(path, np.zeros((RATE, 1)), RATE), "silent"),
        (lambda path: path.write_bytes(b"RIFF....WAVEfmt nothing"), "WAV file"),
        (lambda path: path.write_bytes(b"some text"), "no WAV, FLAC or OGG"),
        (lambda path: soundfile.write(path, np.ones((RATE, 4)) * 0.1, RATE), "4 channels"),
        (lambda path: soundfile.write(path, hum(1, 4000), 4000), "4000 Hz"),
        (lambda path: None, "cannot read"),
    ],
)
def test_a_narration_that_cannot_be_used_is_one_sentence_and_nothing_is_written(files, write, word):
    write(files / "odd.wav")
    with pytest.raises(InputError, match=word) as refused:
        mixed(files, "odd.wav")
    assert "\n" not in str(refused.value)
    assert not (files / "out.wav").exists()


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"bed": "gone.wav"}, "bed cannot be used"),
        ({"role": "narration_bad"}, "did you mean narration_bed"),
        ({"levels": {"voice_lufs": 4.0}}, "LUFS"),
        ({"ducking": {"attack_s": -1.0}}, "not negative"),
        ({"pre_roll_s": float("nan")}, "roll"),
        ({"cue_files": ["cues.txt"]}, "ends? in .json or .vtt"),
    ],
)
def test_odd_choices_are_refused(files, options, word):
    with pytest.raises(InputError, match=word):
        mixed(files, **options)
    assert not (files / "out.wav").exists()


def test_a_file_in_the_way_is_kept(files):
    (files / "out.wav").write_bytes(b"mine")
    with pytest.raises(InputError, match="force=True"):
        mixed(files)
    assert (files / "out.wav").read_bytes() == b"mine"
    assert mixed(files, force=True)["path"].endswith("out.wav")
    (files / "a.vtt").write_text("mine")
    with pytest.raises(InputError, match="force=True"):
        mix_under(
            str(files / "bed.flac"),
            files / "spoken.wav",
            files / "b.wav",
            no_track,
            ROLES,
            cue_files=[files / "a.vtt"],
        )
    assert ((files / "a.vtt").read_text(), (files / "b.wav").exists()) == ("mine", False)
    mixed(files, force=True, cue_files=[files / "a.vtt"])
    assert (files / "a.vtt").read_text("utf-8").startswith("WEBVTT")


def test_the_command_mixes_files_and_refuses_in_a_line(files):
    line = ["mix", "--bed", str(files / "bed.flac"), "--narration", str(files / "spoken.wav"), "--loop"]
    done = CliRunner().invoke(cli.catalog, [*line, "--out", str(files / "m.ogg"), "--json"])
    assert done.exit_code == 0
    assert json.loads(done.stdout)["loop"] is True
    again = CliRunner().invoke(cli.catalog, [*line, "--out", str(files / "m.ogg")])
    assert (again.exit_code, "exists already" in again.output) == (2, True)
