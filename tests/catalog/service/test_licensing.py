"""`license="commercial"` serves and makes only what may be used so."""

from __future__ import annotations

import pytest
import soundfile as sf
from test_adding_music import RATE, tune
from tiny_musicgen import FILE_RATE, write_checkpoint

from music_catalog import InputError, MusicService, Unavailable
from music_catalog.generator import weights
from music_catalog.models import Choices, Context
from music_catalog.presets import load
from music_catalog.request.builder import key_of
from tests.command_line import data, run
from tests.fakes import Counting, WordHashEncoder
from tests.plugged import GENERATOR, plug

__all__ = ["plug"]

TEXT = "Rain on the roof of a quiet house."
SHORT = {"duration_s": 2.0, "quality": "preview"}
LICENSES = {"free.wav": "CC-BY-4.0", "closed.wav": "CC-BY-NC-4.0", "unknown.wav": ""}


@pytest.fixture
def service(prepared_here, tmp_path):
    with MusicService.open(tmp_path / "home", encoder=WordHashEncoder(), generators=Counting()) as opened:
        yield opened


def add(service, tmp_path, names=tuple(LICENSES), duration_s=30.0):
    """Add files with their licences, as long as a bed is; returns their tracks by the file's name."""
    tracks = {}
    for name in names:
        sf.write(tmp_path / name, tune(len(tracks), duration_s), RATE)
        said = {"license": LICENSES[name]} if LICENSES[name] else {}
        batch = service.add(tmp_path / name, role="background_bed", **said)
        tracks[name] = service.get(batch.files[0].track_id)
    return tracks


def test_only_tracks_that_may_be_used_so_are_found(service, tmp_path):
    tracks = add(service, tmp_path, duration_s=3.0)
    made = service.generate(TEXT, backend="procedural", **SHORT).track
    allowed = {made.id, tracks["free.wav"].id}
    for page in (service.browse("license:commercial"), service.browse("", license="commercial")):
        assert {track.id for track in page.tracks} == allowed
    assert {hit.track.id for hit in service.search("rain", license="commercial", limit=50)} == allowed
    others = service.browse("-license:commercial").tracks
    assert {track.id for track in others} == {tracks["closed.wav"].id, tracks["unknown.wav"].id}


def test_a_near_track_that_may_not_be_used_so_is_never_served(service, tmp_path):
    tracks = add(service, tmp_path, ("closed.wav",))
    asked = {"role": "background_bed", "quality": "preview"}
    assert service.find_or_make(TEXT, reuse="always", **asked).track.id == tracks["closed.wav"].id
    made = service.find_or_make(TEXT, license="commercial", **asked)
    assert (made.action, made.track.license) == ("generated", "none")
    looked = service.find_or_make("Other rain.", license="commercial", dry_run=True, explain=True, **asked)
    assert looked.decision.rejected_by["license"] == 1
    with pytest.raises(InputError, match=r"CC-BY-NC-4.0.*does not allow"):
        service.choose(tracks["closed.wav"].id, TEXT, license="commercial", **asked)


def test_a_repeat_is_not_that_of_a_request_without_the_licence(service, tmp_path):
    tracks = add(service, tmp_path, ("closed.wav",))
    asked = {"role": "background_bed", "quality": "preview"}
    service.choose(tracks["closed.wav"].id, TEXT, **asked)
    assert service.find_or_make(TEXT, **asked).track.id == tracks["closed.wav"].id
    first = service.find_or_make(TEXT, license="commercial", **asked)
    again = service.find_or_make(TEXT, license="commercial", **asked)
    assert first.track.id == again.track.id != tracks["closed.wav"].id


def test_a_track_that_may_not_be_used_so_is_not_continued(service, tmp_path):
    tracks = add(service, tmp_path, ("closed.wav",))
    with pytest.raises(InputError, match="choose another track"):
        service.generate(TEXT, license="commercial", continue_from=tracks["closed.wav"].id)


@pytest.mark.parametrize(
    ("license", "stated"),
    [("CC-BY-NC-4.0", "CC-BY-NC-4.0"), ("none", "unknown"), ("CC-BY-4.0", "MIT")],
)
def test_what_goes_on_from_a_track_may_be_used_no_more_freely_than_it(
    license, stated, service, tmp_path, plug
):
    source = GENERATOR.format(license="MIT")
    plug("tone-package", "tone_module", source, generator={"tone": "tone_module:Tone"})
    sf.write(tmp_path / "first.wav", tune(0, 5.0), RATE)
    first = service.get(service.add(tmp_path / "first.wav", license=license).files[0].track_id)
    asked = {"quality": "preview", "duration_s": 8.0, "backend": "tone", "continue_from": first.id}
    made = service.generate(TEXT, **asked).track
    assert made.license == stated
    listed = {track.id for track in service.browse("license:commercial").tracks}
    assert (made.id in listed) == (license == "CC-BY-4.0")


def test_keys_of_requests_without_a_licence_stay_as_they_were():
    context, library = Context(text=TEXT), load()
    plain = key_of(context, Choices(), library, {})
    assert plain == key_of(context, Choices(license=None), library, {})
    assert plain != key_of(context, Choices(license="commercial"), library, {})
    assert "license" in Choices().model_dump()


def test_another_word_than_commercial_is_refused(service):
    with pytest.raises(InputError, match=r"license is 'comercial'.*commercial"):
        service.find_or_make(TEXT, license="comercial", **SHORT)


@pytest.fixture(scope="module")
def musicgen(tmp_path_factory):
    """Return a models home with a checkpoint under Meta's licence."""
    base = tmp_path_factory.mktemp("musicgen")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CATALOG_MODELS", str(base / "models"))
        write_checkpoint(base / "musicgen-small", "mono", rate=FILE_RATE)
        weights.pull(str(base / "musicgen-small"))
    return base / "models"


def test_musicgen_is_not_taken_where_its_weights_may_not_be_used_so(service, musicgen, monkeypatch):
    monkeypatch.setenv("CATALOG_MODELS", str(musicgen))
    folder = weights.find("small")
    assert service.find_or_make(TEXT, dry_run=True, **SHORT).request.config["backend"] == "mlx"
    set_license(folder, "CC-BY-NC-4.0")
    made = service.find_or_make(TEXT, license="commercial", **SHORT)
    assert made.track.backend == "procedural"
    assert "MusicGen small may not be used commercially (CC-BY-NC-4.0)" in made.warnings[0]
    with pytest.raises(Unavailable, match=r"MusicGen small may not be used.*CC-BY-NC-4.0"):
        service.find_or_make(TEXT, license="commercial", backend="mlx", **SHORT)
    set_license(folder, "MIT")
    own = service.find_or_make(TEXT, license="commercial", dry_run=True, reuse="never", **SHORT)
    assert own.request.config["backend"] == "mlx"


def set_license(folder, license):
    import json

    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**manifest, "license": license}))


@pytest.mark.parametrize(("license", "refused"), [("MIT", False), ("CC-BY-NC-4.0", True)])
def test_a_plugin_is_taken_by_the_licence_that_it_states(license, refused, service, plug):
    source = GENERATOR.format(license=license)
    plug("tone-package", "tone_module", source, generator={"tone": "tone_module:Tone"})
    if refused:
        with pytest.raises(Unavailable, match=r"its weights state CC-BY-NC-4\.0"):
            service.find_or_make(TEXT, license="commercial", backend="tone", **SHORT)
    else:
        made = service.find_or_make(TEXT, license="commercial", backend="tone", **SHORT)
        assert made.track.license == "MIT"


def test_music_of_another_licence_than_its_generator_stated_is_not_kept(service, plug):
    source = GENERATOR.format(license="MIT").replace("self.weights_license, ", '"CC-BY-NC-4.0", ')
    plug("tone-package", "tone_module", source, generator={"tone": "tone_module:Tone"})
    with pytest.raises(Unavailable, match="it was not kept"):
        service.find_or_make(TEXT, license="commercial", backend="tone", **SHORT)
    assert service.browse("").total == 0


def test_the_command_line_and_a_stock_take_the_licence(tmp_path):
    home = tmp_path / "home"
    short = ("--duration", "2", "--quality", "preview")
    made = data(run("find-or-make", TEXT, "--license", "commercial", *short, "--json", home=home))
    assert made["track"]["weights_license"] == "none"
    listed = data(run("list", "--license", "commercial", "--json", home=home))
    assert [track["id"] for track in listed["tracks"]] == [made["track"]["id"]]
    wrong = run("find-or-make", TEXT, "--license", "comercial", home=home)
    assert wrong.exit_code == 2
    corpus = tmp_path / "corpus.jsonl"
    corpus.write_text('"Rain on the roof."\n"A storm at sea."\n')
    plan = run("stock", str(corpus), "--tracks", "1", "--license", "commercial", "--dry-run", home=home)
    assert plan.exit_code == 0, plan.output
