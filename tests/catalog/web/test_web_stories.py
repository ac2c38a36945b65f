"""A story that is sent gets its music as a job: with progress, to hear and download, and it outlives a crash."""

from __future__ import annotations

import io
import threading

import numpy as np
import pytest
import soundfile
from test_web_mixes import WAV, recording

from music_catalog.service.jobs import Jobs
from music_catalog.soundtrack import kept, queued

PARTS = [
    {"text": "The forest lay calm at dawn, and birds sang softly.", "environment": "forest"},
    {"text": "Then the storm broke; thunder and panic filled the dark harbour.", "environment": "storm"},
    {"text": "At last the forest was calm again, peaceful in the morning light.", "environment": "forest"},
]
QUICK = {"quality": "preview", "backend": "procedural"}


def tell(client, parts=PARTS, **more):
    answer = client.post("/api/stories", {"parts": parts, **QUICK, **more})
    assert answer.status_code == 202, answer.text
    return answer.json()["job"]


def told(client, **more):
    name, job = client.follow(tell(client, **more))[-1]
    assert name == "done", job
    return client.get(f"/api/stories/{job['outcome']['story']}").json()


def sound(answer):
    assert answer.status_code == 200, answer.text
    return soundfile.read(io.BytesIO(answer.content), always_2d=True)


def test_a_story_gets_music_that_follows_it(client):
    job = tell(client)
    assert job["request"]["summary"] == PARTS[0]["text"]
    events = client.follow(job)
    steps = [one["progress"]["done"] for _, one in events if one["progress"]]
    assert steps == sorted(steps)
    assert len(set(steps)) > 3
    story = client.get(f"/api/stories/{events[-1][1]['outcome']['story']}").json()
    assert [one["text"] for one in story["moments"]] == [one["text"] for one in PARTS]
    assert [one["scene"] for one in story["moments"]] == [1, 2, 3]
    first, storm, last = story["scenes"]
    assert (first["theme"], first["track_id"]) == (last["theme"], last["track_id"])
    assert storm["track_id"] != first["track_id"]
    assert client.get(f"/api/tracks/{storm['track_id']}").json()["summary"] == storm["title"]
    address = f"/api/stories/{story['id']}"
    samples, rate = sound(client.get(f"{address}/mix"))
    assert len(samples) / rate == pytest.approx(story["duration_s"], abs=0.01)
    assert client.get(f"{address}/mix", headers={"Range": "bytes=0-9"}).status_code == 206
    assert client.get(f"{address}/subtitles").text.startswith("WEBVTT")
    assert client.get(f"{address}/plot?download=true").headers["content-disposition"].endswith('plot.svg"')
    assert (story["spoken"], client.get(f"{address}/voice").status_code) == (False, 404)
    assert [one["id"] for one in client.get("/api/stories").json()["stories"]] == [story["id"]]
    assert client.delete(address).status_code == 204
    assert client.get(address).status_code == 404


def test_a_recording_is_spoken_over_its_part_and_the_stems_add_up(client):
    sent = client.request("POST", "/api/stories/recordings", content=recording(), headers=WAV).json()
    parts = [{**PARTS[0], "narration": sent["recording"]}, PARTS[1]]
    story = told(client, parts=parts, title="Two parts")
    assert story["title"] == "Two parts"
    assert [one["spoken"] for one in story["moments"]] == [True, False]
    whole, voice, music = (
        sound(client.get(f"/api/stories/{story['id']}/{one}"))[0] for one in ("mix", "voice", "music")
    )
    assert np.abs(voice).max() > 0.05
    assert np.abs(voice + music - whole).max() < 1e-3


@pytest.mark.parametrize(
    ("parts", "says"),
    [
        ([], "parts"),
        ([PARTS[0], {"text": ""}], "part 2: "),
        ([{**PARTS[0], "narration": "0" * 16}], "send it again"),
        ([{**PARTS[0], "narration": "../../x"}], "send it again"),
    ],
)
def test_what_is_no_story_is_refused_at_once(client, parts, says):
    answer = client.post("/api/stories", {"parts": parts})
    assert (answer.status_code, says in answer.json()["detail"]) == (422, True), answer.text


def test_only_narrators_of_this_machine_speak_and_no_program_of_the_callers(client, monkeypatch):
    monkeypatch.setattr(queued.shutil, "which", lambda name: name if name == "espeak-ng" else None)
    assert client.get("/api/stories").json()["narrators"] == ["espeak-ng"]
    for name in ("mlx-audio", "espeak-ng:program=/bin/sh"):
        answer = client.post("/api/stories", {"parts": PARTS, "narrator": name})
        assert answer.status_code == 422, answer.text
    monkeypatch.setattr(queued.shutil, "which", lambda _: None)
    answer = client.post("/api/stories", {"parts": PARTS, "narrator": "nope"})
    assert "there is no narrator 'nope' on this machine; none is: send a recording" in answer.json()["detail"]


def test_a_story_is_cancelled_while_its_music_is_made(client, steps):
    steps.go.clear()
    job = tell(client)
    assert steps.began.acquire(timeout=20)
    client.delete(f"/api/jobs/{job['id']}")
    assert client.follow(job)[-1][0] == "cancelled"
    assert client.get("/api/stories").json()["stories"] == []


def test_a_story_outlives_the_process_that_took_it(client, steps, open_service):
    steps.go.clear()
    job = tell(client)
    assert steps.began.acquire(timeout=20)
    jobs = client.app.state.shared.jobs
    jobs._journal.close()
    jobs._journal.write = lambda line: None
    jobs.cancel(job["id"])
    steps.go.set()
    other = Jobs(open_service(generators=lambda backend, size: steps), kinds=queued.KINDS)
    over = other.wait(job["id"], 60)
    assert (over.state, over.error) == ("done", None)
    assert client.get(f"/api/stories/{over.outcome['story']}").status_code == 200
    other.close(10)


def test_a_queue_that_knows_no_stories_says_so(open_service):
    service = open_service()
    jobs = Jobs(service)
    with pytest.raises(Exception, match="'story' is done here"):
        jobs.do({"kind": "story"}, request={})
    jobs.close()


def test_only_the_newest_stories_and_fresh_recordings_are_kept(client, monkeypatch):
    monkeypatch.setattr(kept, "MOST_STORIES", 1)
    ids = [told(client, parts=[part])["id"] for part in PARTS[:3]]
    client.request("POST", "/api/stories/recordings", content=recording(), headers=WAV)
    assert [one["id"] for one in client.get("/api/stories").json()["stories"]] == ids[-1:]
    monkeypatch.setattr(kept, "VOICE_S", -1.0)
    client.request("POST", "/api/stories/recordings", content=recording(), headers=WAV)
    home = client.app.state.shared.service.store.home
    assert len([*(home / "cache" / "soundtracks" / "voice").iterdir()]) == 1


def test_a_mix_is_made_as_a_job_and_goes_when_it_was_fetched(client, made):
    answer = client.request(
        "POST", f"/api/tracks/{made['id']}/mix?wait=false&loop=true", content=recording(), headers=WAV
    )
    assert answer.status_code == 202, answer.text
    name, job = client.follow(answer.json()["job"])[-1]
    assert (name, job["outcome"]["warnings"]) == ("done", [])
    address = f"/api/mixes/{job['outcome']['mix']}"
    samples, rate = sound(client.get(address))
    assert len(samples) / rate == pytest.approx(8.0, abs=0.01)
    home = client.app.state.shared.service.store.home
    assert [path.name for path in (home / "cache" / "soundtracks" / "mix").rglob("*") if path.is_file()] == [
        "mix.wav"
    ]
    assert client.delete(address).status_code == 204
    assert client.get(address).status_code == 404


@pytest.mark.parametrize("hand_over", [True, False])
def test_a_mix_that_is_handed_over_is_made_by_the_next_process_and_a_cancelled_one_goes(
    client, made, open_service, monkeypatch, hand_over
):
    mix_under, began, go = queued.mix_under, threading.Event(), threading.Event()

    def held(*arguments, on_progress, **options):
        began.set()
        while not go.wait(0.01):
            on_progress(0, 1)
        return mix_under(*arguments, on_progress=on_progress, **options)

    monkeypatch.setattr(queued, "mix_under", held)
    sent = f"/api/tracks/{made['id']}/mix?wait=false&loop=true"
    job = client.request("POST", sent, content=recording(), headers=WAV).json()["job"]
    assert began.wait(20)
    client.app.state.shared.jobs.close(0.0, hand_over=hand_over)
    go.set()
    home = client.app.state.shared.service.store.home
    assert [path.name for path in (home / "cache" / "soundtracks").rglob("voice")] == ["voice"] * hand_over
    if hand_over:
        other = Jobs(open_service(), kinds=queued.KINDS)
        over = other.wait(job["id"], 60)
        assert (over.state, over.error) == ("done", None)
        assert client.get(f"/api/mixes/{over.outcome['mix']}").status_code == 200
        other.close(10)


def test_a_mix_that_cannot_be_made_leaves_nothing_and_says_why(client, made):
    answer = client.request(
        "POST", f"/api/tracks/{made['id']}/mix?wait=false", content=b"no sound", headers=WAV
    )
    name, job = client.follow(answer.json()["job"])[-1]
    assert (name, job["error"]["status"]) == ("failed", 422)
    assert "the recording is no WAV, FLAC or OGG file" in job["error"]["detail"]
    home = client.app.state.shared.service.store.home
    assert not [path for path in (home / "cache" / "soundtracks").rglob("*") if path.is_file()]
