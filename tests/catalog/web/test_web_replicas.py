"""Stories, mixes and recordings of a remote home: what one replica took or made, every replica has."""

from __future__ import annotations

import logging
import time

import pytest
from calls import RAIN, Client, StepGenerator
from test_web_mixes import WAV, recording
from test_web_stories import PARTS, sound, tell

from music_catalog.errors import NotFound
from music_catalog.objects.blobs import Blobs
from music_catalog.service.jobs import Jobs
from music_catalog.soundtrack import kept, queued, shared
from music_catalog.soundtrack.shared import SharedSoundtracks, soundtracks_of
from music_catalog.web.app import create_app


@pytest.fixture
def steps():
    return StepGenerator()


@pytest.fixture
def replica(open_service, seaweed, steps, monkeypatch, tmp_path):
    """Return a function that opens a client of one more replica of a home on SeaweedFS, with a cache of its own."""
    address, apps = seaweed.address(), []

    def open_():
        monkeypatch.setenv("CATALOG_CACHE", str(tmp_path / f"cache-{len(apps)}"))
        apps.append(create_app(open_service(address, generators=lambda backend, size: steps)))
        return Client(apps[-1])

    yield open_
    steps.go.set()
    for app in apps:
        app.state.shared.jobs.close(10.0)


def blobs_of(client) -> Blobs:
    return client.app.state.shared.service.store.blobs


def names(client, folder="soundtracks"):
    return [blob.path.rpartition("/")[2] for blob in blobs_of(client).list(folder)]


def test_a_story_of_one_replica_is_shown_played_and_deleted_by_another(replica):
    first, second = replica(), replica()
    sent = first.request("POST", "/api/stories/recordings", content=recording(), headers=WAV).json()
    parts = [{**PARTS[0], "narration": sent["recording"]}, PARTS[1]]
    name, job = second.follow(tell(second, parts=parts, title="Two parts"))[
        -1
    ]  # the recording is the first's
    assert name == "done", job
    story = first.get(f"/api/stories/{job['outcome']['story']}").json()
    assert (story["title"], [one["spoken"] for one in story["moments"]]) == ("Two parts", [True, False])
    assert "made" not in story
    assert [one["id"] for one in first.get("/api/stories").json()["stories"]] == [story["id"]]
    address = f"/api/stories/{story['id']}"
    for file in ("mix", "voice", "music", "subtitles", "plot"):
        answers = [one.get(f"{address}/{file}") for one in (first, second)]
        assert [one.status_code for one in answers] == [200, 200]
        assert answers[0].content == answers[1].content
        assert answers[0].headers["etag"] == answers[1].headers["etag"]
    part = first.get(f"{address}/mix?download=true", headers={"Range": "bytes=100-199"})
    assert (part.status_code, part.content) == (206, second.get(f"{address}/mix").content[100:200])
    assert first.delete(address).status_code == 204
    assert second.get(address).status_code == 404
    assert second.get(f"{address}/mix").status_code == 404  # its own copy counts no more
    assert second.get("/api/stories").json()["stories"] == []
    assert names(first, "soundtracks/story") == []


def test_a_mix_of_one_replica_is_fetched_and_deleted_by_another(replica):
    first, second = replica(), replica()
    track = first.make(RAIN)["track"]
    address = f"/api/tracks/{track['id']}/mix?wait=false&loop=true&format=flac"
    answer = first.request("POST", address, content=recording(), headers=WAV)
    name, job = first.follow(answer.json()["job"])[-1]
    assert name == "done", job
    kept = f"/api/mixes/{job['outcome']['mix']}"
    mix = f"{kept}?format=flac"
    assert second.get(f"/api/jobs/{job['id']}").json()["outcome"] == job["outcome"]
    samples, rate = sound(second.get(mix))
    assert len(samples) / rate == pytest.approx(8.0, abs=0.01)
    assert names(first) == ["mix.flac"]  # the recording went
    assert second.delete(kept).status_code == 204
    assert first.get(mix).status_code == 404
    assert second.delete(kept).status_code == 404


def test_a_story_of_a_replica_that_dies_is_made_by_another_from_what_was_sent(replica, steps, monkeypatch):
    monkeypatch.setattr("music_catalog.disk.remote.journal.ALIVE_S", 1.0)
    monkeypatch.setattr("music_catalog.disk.remote.journal.WATCH_S", 0.3)
    monkeypatch.setattr("music_catalog.disk.remote.journal.SharedJournal.watch_s", 0.3)
    first = replica()
    sent = first.request("POST", "/api/stories/recordings", content=recording(), headers=WAV).json()
    steps.go.clear()
    job = tell(first, parts=[{**PARTS[0], "narration": sent["recording"]}])
    assert steps.began.acquire(timeout=20)
    jobs = first.app.state.shared.jobs
    jobs._journal.close()
    jobs._journal.write = lambda line: None
    jobs.cancel(job["id"])
    steps.go.set()
    second = replica()
    others: Jobs = second.app.state.shared.jobs
    over = others.wait(job["id"], 60)
    assert (over.state, over.error) == ("done", None)
    assert second.get(f"/api/stories/{over.outcome['story']}/voice").status_code == 200
    assert first.get(f"/api/stories/{over.outcome['story']}/mix").status_code == 200


def test_no_answer_log_or_text_holds_what_reaches_the_store(open_service, seaweed, caplog, monkeypatch):
    caplog.set_level(logging.DEBUG)
    names = ("aws_access_key_id", "aws_secret_access_key", "aws_region", "aws_endpoint")
    options = {name: seaweed.environment[name.upper()] for name in names}
    for name in seaweed.environment:
        monkeypatch.delenv(name)
    service = open_service(seaweed.address(), storage_options=options)
    app = create_app(service)
    client = Client(app)
    made = client.make(RAIN)["track"]
    told = [repr(each) for each in (service, service.store, service.store.blobs, service.store.blobs.address)]
    paths = ("health", "ready", "statistics", "tracks", f"tracks/{made['id']}", "jobs", "history", "presets")
    answers = [client.get(f"/api/{path}") for path in (*paths, "openapi.json")] + [client.get("/metrics")]
    app.state.shared.jobs.close(10.0)
    assert [answer.status_code for answer in answers] == [200] * 10
    told += [answer.text for answer in answers]
    secrets = (options["aws_secret_access_key"], options["aws_endpoint"])
    assert not [secret for secret in secrets if secret in "".join((*told, caplog.text))]


@pytest.fixture
def soundtracks(seaweed, tmp_path):
    """Return a function that opens the soundtracks as one more replica."""
    from music_catalog.objects.address import parse_address

    address, opened = parse_address(seaweed.address()), []

    def open_():
        opened.append(SharedSoundtracks(tmp_path / f"home-{len(opened)}", Blobs(address)))
        return opened[-1]

    return open_


def sent_story(soundtracks, text="rain"):
    name, folder = soundtracks.begin("story")
    (folder / "story.jsonl").write_text(text)
    soundtracks.share("story", name)
    return name


def test_of_two_replicas_that_make_one_story_the_first_counts_with_all_its_files(soundtracks):
    first, second = soundtracks(), soundtracks()
    name = sent_story(first)
    for number, replica in enumerate((second, first)):
        folder = replica.folder("story", name)
        assert (folder / "story.jsonl").read_text() == "rain"
        (folder / "mix.flac").write_text(f"mix {number}")
        (folder / "mix.vtt").write_text(f"cues {number}")
    second.write_story(name, {"id": name, "by": 0})
    first.write_story(name, {"id": name, "by": 1})
    for replica in (first, second, soundtracks()):
        assert replica.story(name) == {"id": name, "by": 0}
        assert replica.file("story", name, "mix.flac").read_text() == "mix 0"
        assert replica.file("story", name, "mix.vtt").read_text() == "cues 0"
    assert sorted(p.rpartition("/")[2] for p in (b.path for b in first._blobs.list("soundtracks"))) == [
        "mix.flac",
        "mix.vtt",
        "story.json",
        "story.jsonl",
    ]


def test_a_story_that_was_deleted_while_it_was_made_stays_deleted(soundtracks):
    first, second = soundtracks(), soundtracks()
    name = sent_story(first)
    (first.folder("story", name) / "mix.flac").write_text("mix")
    second.delete("story", name)
    with pytest.raises(NotFound):
        first.write_story(name, {"id": name})
    with pytest.raises(NotFound):
        first.folder("story", name)
    assert [*second.stories()] == []


def test_what_is_older_than_its_kind_is_kept_for_goes_from_the_store_and_waiting_stories_stay(
    soundtracks, monkeypatch
):
    monkeypatch.setattr(kept, "MOST_STORIES", 1)
    monkeypatch.setattr(kept, "MIX_S", -1.0)
    first, second = soundtracks(), soundtracks()
    made = [sent_story(first) for _ in range(3)]
    waiting = sent_story(first)
    for name in made:
        (first.folder("story", name) / "mix.flac").write_text("mix")
        first.write_story(name, {"id": name})
        time.sleep(1.1)  # SeaweedFS tells whole seconds
    mix, folder = first.begin("mix")
    (folder / "voice").write_text("voice")
    first.share("mix", mix)
    second.begin("voice")
    assert [one["id"] for one in first.stories()] == made[-1:]
    assert first.folder("story", waiting)
    for kind, gone in (("mix", mix), ("story", made[0])):
        with pytest.raises(NotFound):
            second.folder(kind, gone)


def test_names_from_outside_lead_nowhere(soundtracks):
    for name in ("../../home.json", "x", "0" * 16):
        with pytest.raises(NotFound):
            soundtracks().file("voice", name, "recording")


def test_a_large_file_comes_whole_in_parts(soundtracks, monkeypatch):
    monkeypatch.setattr("music_catalog.objects.blobs.PART_BYTES", 1000)
    content = bytes(range(256)) * 17
    first = soundtracks()
    name, folder = first.begin("mix")
    (folder / "mix.wav").write_bytes(content)
    first.share("mix", name)
    assert soundtracks().file("mix", name, "mix.wav").read_bytes() == content


def test_a_home_folder_keeps_them_in_its_cache(open_service):
    store = open_service().store
    assert type(soundtracks_of(store)) is kept.Soundtracks
    assert queued.soundtracks_of is shared.soundtracks_of
