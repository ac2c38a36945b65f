"""The ear at work: a catalog is heard in parts, made tracks are heard when the configuration says so."""

from __future__ import annotations

import zlib
from dataclasses import replace

import numpy as np
import pytest
from builders import a_track
from command_line import data, run
from fakes import PitchEar

from music_catalog.ear import loading
from music_catalog.ear.loading import NotHeard
from music_catalog.ear.tags import Tagger
from music_catalog.generator import Audio, audio
from music_catalog.service.checking.takes import Findings
from music_catalog.service.ears import made
from music_catalog.service.ears.filling import hear_all
from music_catalog.service.ears.takes import TakeListener

SHORT = {"duration_s": 1.0, "quality": "preview", "backend": "procedural", "reuse": "never"}
TEXTS = ("Calm rain at night.", "A battle begins.", "The recipe for bread.", "A letter from home.")


@pytest.fixture
def four(service):
    return [service.find_or_make(text, **SHORT).track for text in TEXTS]


@pytest.fixture
def tagger(service):
    return Tagger(PitchEar(), service.library.styles)


def kill_after(number):
    def step(done, total):
        if done == number:
            raise KeyboardInterrupt

    return step


def test_without_an_ear_made_tracks_are_not_heard_and_nothing_fails(service, four):
    assert [track.heard for track in four] == [None] * 4
    assert made._started == []
    assert "hear" not in service.find_or_make("Snow.", **SHORT).timings_s


def test_a_catalog_is_heard_and_a_run_that_was_stopped_goes_on(service, four, tagger):
    store, ear = service.store, PitchEar()
    with pytest.raises(KeyboardInterrupt):
        hear_all(store, ear, tagger, on_progress=kill_after(2))
    assert store.tracks.count_heard(ear.identity) == 2  # what was heard was written
    steps = []
    done = hear_all(store, ear, tagger, limit=1, on_progress=lambda *step: steps.append(step))
    assert (done.heard, done.tagged, done.left, done.failed) == (1, 1, 1, ())
    assert steps == [(0, 1), (1, 1)]
    done = hear_all(store, ear, tagger)
    assert (done.heard, done.left) == (1, 0)
    assert hear_all(store, ear, tagger).heard == 0
    for track in four:
        sound = audio.read(store.audio.path_of(track))
        np.testing.assert_allclose(store.tracks.ear_of(track.id, ear.identity), ear.hear(sound), atol=1e-6)
        assert store.tracks.get(track.id).heard.ear == tagger.identity
    assert store.care.check(deep=True) == []


def test_a_repeat_is_served_with_what_was_heard(service, tagger):
    once = service.find_or_make(TEXTS[0], **{**SHORT, "reuse": "auto"}).track
    hear_all(service.store, PitchEar(), tagger)
    again = service.find_or_make(TEXTS[0], **{**SHORT, "reuse": "auto"})
    assert (again.track.id, again.decision.rule) == (once.id, "exact")
    assert again.track.heard is not None
    assert again.track.heard == service.get(once.id).heard


def test_tracks_that_cannot_be_heard_are_named_and_passed_over(service, four, tagger):
    service.store.audio.path_of(four[1]).write_bytes(b"x" * four[1].audio_bytes)
    done = hear_all(service.store, PitchEar(), tagger)
    assert (done.heard, done.failed, done.left) == (3, (four[1].id,), 0)


def test_an_ear_that_reads_no_texts_hears_without_tags(service, four):
    class Deaf(PitchEar):
        def read(self, texts):
            raise NotHeard("it reads no texts")

    done = hear_all(service.store, Deaf(), Tagger(Deaf(), service.library.styles))
    assert (done.heard, done.tagged) == (4, 0)
    assert service.get(four[0].id).heard is None
    assert service.store.tracks.ear_of(four[0].id, Deaf.identity) is not None


def test_a_made_track_is_heard_before_the_call_returns_where_that_is_wanted(
    open_service, tmp_path, monkeypatch
):
    monkeypatch.setattr(made, "load", lambda name: PitchEar())
    (tmp_path / "config.yaml").write_text("musicgen: {ear: {hear_made: at_once}}")
    service = open_service(config=tmp_path / "config.yaml")
    result = service.find_or_make(TEXTS[0], **SHORT)
    assert result.track.heard == service.get(result.track.id).heard
    assert result.track.heard.ear.startswith(PitchEar.identity)
    assert result.timings_s["hear"] > 0
    assert service.store.tracks.unheard(PitchEar.identity) == []


@pytest.mark.cluster
def test_a_made_track_is_heard_in_a_process_of_its_own(open_service, tmp_path, monkeypatch):
    pytest.importorskip("transformers")
    from tiny_clap import write_clap

    folder = write_clap(tmp_path / "tiny-clap")
    (tmp_path / "config.yaml").write_text(f"musicgen: {{ear: {{model: {folder}}}}}")
    service = open_service(config=tmp_path / "config.yaml")
    result = service.find_or_make(TEXTS[0], **SHORT)
    assert result.track.heard is None
    identity = loading.load(str(folder)).identity
    (process,) = made._started
    service.find_or_make(TEXTS[1], **SHORT)
    assert made._started == [process]  # one at a time
    assert process.wait(240) == 0
    assert service.get(result.track.id).heard.ear.startswith(identity)
    made._started.clear()


def test_off_hears_nothing(open_service, tmp_path, monkeypatch):
    monkeypatch.setattr(made, "load", lambda name: pytest.fail("the ear was looked for"))
    (tmp_path / "config.yaml").write_text('musicgen: {ear: {hear_made: "off"}}')
    service = open_service(config=tmp_path / "config.yaml")
    assert service.find_or_make(TEXTS[0], **SHORT).track.heard is None
    assert made._started == []


def test_the_command_hears_and_show_tells(service, four, monkeypatch):
    home = service.store.home
    told = run("hear", home=home)
    assert told.exit_code == 6
    assert "not heard: the ear clap is not on this machine; run `catalog models pull clap`" in told.stderr
    assert "heard: not heard yet; `catalog hear` hears it" in run("show", four[0].id, home=home).stdout
    monkeypatch.setattr(loading, "load", lambda name: PitchEar())
    monkeypatch.setattr(made, "_give_way", lambda: None)
    done = data(run("hear", four[0].id, "--json", home=home))
    assert (done["heard"], done["left"], done["ear"]) == (1, 3, PitchEar.identity)
    assert (
        run("hear", "--limit", "1", home=home).stdout
        == f"1 tracks heard by {PitchEar.identity}, 1 of them tagged; 2 are left\n"
    )
    shown = run("show", four[0].id, home=home).stdout
    assert f"heard: {service.get(four[0].id).heard}" in shown
    assert "valence" in shown.split("heard: ")[1]
    assert run("hear", "--made", "--limit", "1", home=home).exit_code == 2
    assert data(run("hear", "--made", "--json", home=home))["heard"] == 2


def test_what_was_made_lately_is_heard_by_one_process_at_a_time(service, four, tagger, monkeypatch):
    monkeypatch.setattr(made, "_give_way", lambda: None)
    with made.hold(service.store.home / "locks" / "hear.lock", 0.0, "a test"):
        assert made.hear_made(service.store, PitchEar(), tagger).heard == 0
    service.store.tracks.change(four[0].id, lambda _: {"created_at": a_track().created_at})  # long ago
    assert made.hear_made(service.store, PitchEar(), tagger).heard == 3
    assert service.store.tracks.unheard(PitchEar.identity) == [four[0].id]


class EarOfPrompts(PitchEar):
    """Hears in every sound the text that it is told to hear."""

    def __init__(self, text):
        super().__init__()
        self.text = text

    def read(self, texts):
        return np.stack([self._axis(text) for text in texts])

    def hear(self, sound):
        return self._axis(self.text)

    def _axis(self, text):
        return np.random.default_rng(zlib.crc32(text.encode())).normal(size=512).astype(np.float32) / 512**0.5


@pytest.fixture
def listener(service):
    def listening(text, **settings):
        tracks = made.MadeTracks(service.store, replace(service.library, **settings))
        tracks.ear = EarOfPrompts(text)
        return TakeListener(tracks)

    return listening


def asked(service, backend="mlx", **arguments):
    request = service.explain("A quiet walk home.", preset="piano_reflective", log=False, **arguments).request
    return request.model_copy(update={"config": {**request.config, "backend": backend}})


SOUND = Audio(np.zeros((48_000, 1), np.float32), 48_000)


def test_a_take_in_which_somebody_sings_fails_unless_a_voice_was_asked_for(service, listener):
    request = asked(service)
    heard = listener("a person singing")(SOUND, request)
    assert "voice" in [fault.kind for fault in heard.faults]
    choir = request.model_copy(update={"prompt": "sacred choir, cathedral"})
    assert "voice" not in [fault.kind for fault in listener("a person singing")(SOUND, choir).faults]
    heard = listener("instrumental music without vocals")(SOUND, request)
    assert "voice" not in [fault.kind for fault in heard.faults]


def test_a_take_of_the_style_asked_for_agrees_and_one_far_from_it_fails(service, listener):
    request = asked(service)
    own = ", ".join(service.library.styles["piano_reflective"].prompt_tags)
    heard = listener(own)(SOUND, request)
    assert heard.agreement == 1.0
    assert heard.words == "it sounds most like piano_reflective"
    others = {
        name: listener(", ".join(style.prompt_tags))(SOUND, request)
        for name, style in service.library.styles.items()
        if name != "piano_reflective"
    }
    assert all(heard.agreement < 1.0 and heard.words.endswith(name) for name, heard in others.items())
    failed = [heard for heard in others.values() if heard.agreement < 0.25]
    assert failed
    assert all([fault.kind for fault in heard.faults][-1] == "style" for heard in failed)


def test_the_synthesizer_is_not_listened_to_nor_anything_where_hearing_is_off(service, listener):
    singing = "a person singing"
    assert listener(singing)(SOUND, asked(service, backend="procedural")) == Findings()
    off = {"ear": service.library.ear.model_copy(update={"hear_made": "off"})}
    assert listener(singing, **off)(SOUND, asked(service)) == Findings()


def test_an_ear_that_fails_blames_nothing(service, listener):
    def fails(sound):
        raise NotHeard("no weights")

    one = listener("a person singing")
    one._made.ear.hear = fails
    assert one(SOUND, asked(service)) == Findings()
