"""A service makes the tracks of a catalog: set up in the configuration, with its model and licence on every track."""

from __future__ import annotations

import pytest

from music_catalog import MusicService, Unavailable
from music_catalog.generator.remote import ace_step
from tests.command_line import data, run
from tests.fakes import WordHashEncoder
from tests.music_server import music_server

TEXT = "Rain on the roof of a quiet house."
SHORT = {"duration_s": 12.0, "quality": "preview"}


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(ace_step, "POLL_S", 0.01)


def configured(tmp_path, url, license="MIT", more=""):
    (tmp_path / "home").mkdir(exist_ok=True)
    path = tmp_path / "home" / "catalog.yaml"
    path.write_text(
        "musicgen:\n  backends:\n    ace:\n      use: http\n      api: ace-step\n"
        f"      url: {url}\n      model: ACE-Step 1.5\n      license: {license}\n{more}"
    )
    return tmp_path / "home"


def test_a_service_makes_a_track_that_states_model_and_licence(tmp_path):
    with music_server() as server:
        home = configured(tmp_path, server.url)
        with MusicService.open(home, encoder=WordHashEncoder()) as service:
            made = service.find_or_make(TEXT, backend="ace", license="commercial", **SHORT)
            again = service.find_or_make(TEXT, backend="ace", license="commercial", **SHORT)
            assert service.browse("by:ace license:commercial").total == 1
    track = made.track
    assert (track.backend, track.model, track.license) == ("ace", "ACE-Step 1.5", "MIT")
    assert track.duration_s == pytest.approx(12.0)
    assert server.asked[0]["seed"] == track.seed
    assert again.track.id == track.id
    assert len(server.asked) == 1


def test_the_licence_that_a_service_states_decides(tmp_path):
    with music_server() as server:
        home = configured(tmp_path, server.url, license="CC-BY-NC-4.0")
        with MusicService.open(home, encoder=WordHashEncoder()) as service:
            with pytest.raises(Unavailable, match=r"backend ace may not be used.*CC-BY-NC-4\.0"):
                service.find_or_make(TEXT, backend="ace", license="commercial", **SHORT)
            assert server.asked == []
            assert service.find_or_make(TEXT, backend="ace", **SHORT).track.license == "CC-BY-NC-4.0"


def test_a_service_that_moved_leaves_the_requests_what_they_were(tmp_path):
    with music_server() as first:
        home = configured(tmp_path, first.url)
        with MusicService.open(home, encoder=WordHashEncoder()) as service:
            track = service.find_or_make(TEXT, backend="ace", **SHORT).track
    home = configured(tmp_path, "http://127.0.0.1:9", more="      timeout_s: 5\n")
    with MusicService.open(home, encoder=WordHashEncoder()) as service:
        assert service.find_or_make(TEXT, backend="ace", **SHORT).track.id == track.id


def test_the_command_says_in_a_sentence_what_went_wrong(tmp_path):
    home = configured(tmp_path, "http://127.0.0.1:9", more="      retries: 0\n")
    told = run("find-or-make", TEXT, "--backend", "ace", home=home)
    assert told.exit_code == 6
    assert "the service of ACE-Step 1.5 cannot be reached" in told.stderr
    wrong = run("find-or-make", TEXT, "--backend", "http", home=home)
    assert wrong.exit_code == 6
    assert "url is missing; set it under backends in the configuration" in wrong.stderr
    bad = configured(tmp_path, "not-a-url")
    refused = run("find-or-make", TEXT, "--backend", "ace", home=bad)
    assert "cannot be set up: url must be the address of a service" in refused.stderr


def test_a_loop_is_cut_from_what_a_service_made(tmp_path):
    with music_server() as server:
        home = configured(tmp_path, server.url)
        with MusicService.open(home, encoder=WordHashEncoder()) as service:
            made = service.scene(TEXT, "rain", backend="ace", duration_s=12.0, quality="preview")
    assert made.track.loopable
    assert server.asked[0]["audio_duration"] > 12.0


def test_the_configuration_shows_what_is_set(tmp_path):
    home = configured(tmp_path, "http://127.0.0.1:9")
    values = {row["key"]: row for row in data(run("config", "show", "--json", home=home))["values"]}
    assert values["backends.ace.model"]["value"] == "ACE-Step 1.5"
    assert values["backends.ace.use"]["source"].endswith("catalog.yaml")
