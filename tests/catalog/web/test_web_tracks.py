"""Tracks over HTTP: lists and searches, what a person says, audio in parts and formats, pictures, and the catalog."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import struct
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import soundfile
from calls import CARGO, RAIN, SHORT
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.errors import InputError
from catalog.web.cache import FileCache
from catalog.web.ranges import parse
from catalog.web.routes.pictures import HEIGHT, WIDTH, colours, layout, spectrogram_png

WOLVES = "Wolves howl in the snow under a full moon; fear grips the tense, dark valley."


@pytest.fixture
def three(client):
    return [
        client.make(text, **asked)
        for text, asked in ((RAIN, {}), (CARGO, {}), (WOLVES, {"quality": "standard"}))
    ]


def ids(answer):
    assert answer.status_code == 200, answer.text
    return [track["id"] for track in answer.json()["tracks"]]


# Lists and searches


def test_tracks_are_listed_with_the_number_of_all_and_facets(client, three):
    newest_first = [one["id"] for one in reversed(three)]
    told = client.get("/api/tracks?limit=2").json()
    assert [track["id"] for track in told["tracks"]] == newest_first[:2]
    assert told["total"] == 3
    assert told["facets"]["quality"] == {"preview": 2, "standard": 1}
    assert set(told["facets"]) == {"mood", "style", "role", "quality", "environment", "backend", "rating"}
    assert ids(client.get("/api/tracks?offset=2")) == newest_first[2:]
    assert ids(client.get("/api/tracks?sort=created_at"))[0] == three[0]["id"]
    assert "config" not in told["tracks"][0]


@pytest.mark.parametrize("by", ["meaning", "words", "both"])
def test_a_query_searches_best_first(client, three, by):
    told = client.get("/api/tracks", params={"q": "wolves howl", "by": by}).json()
    assert told["tracks"][0]["id"] == three[2]["id"]
    assert told["tracks"][0]["score"] > 0


def test_a_query_may_hold_facts(client, three):
    assert ids(client.get("/api/tracks?q=quality:standard")) == [three[2]["id"]]
    answer = client.get("/api/tracks?q=style:nonsense")
    assert (answer.status_code, "nonsense" in answer.json()["detail"]) == (422, True)
    assert client.get("/api/tracks?sort=nonsense").status_code == 422


def test_a_track_is_shown_whole(client, made):
    told = client.get(f"/api/tracks/{made['id']}").json()
    assert told["context"] == RAIN
    assert told["config"]["seed"] == made["seed"]
    assert told["config_sources"]["duration_s"] == "caller"
    assert told["ai_generated"] is True
    assert client.get("/api/tracks/nothing").status_code == 404


def test_a_search_finds_hits_with_their_lines(client, three):
    told = client.post(
        "/api/search", {"query": "wolves", "by": "words", "facts": {"min_quality": "standard"}}
    ).json()
    assert [hit["id"] for hit in told["hits"]] == [three[2]["id"]]
    assert told["hits"][0]["path"] is None
    assert len(told["lines"]) == 1
    assert client.post("/api/search", {"query": ""}).status_code == 422


def test_similar_tracks_do_not_include_the_track_itself(client, three):
    found = ids(client.get(f"/api/tracks/{three[0]['id']}/similar"))
    assert sorted(found) == sorted(one["id"] for one in three[1:])
    assert len(ids(client.get(f"/api/tracks/{three[0]['id']}/similar?limit=1"))) == 1


def test_a_track_that_cannot_be_heard_is_similar_to_none_and_says_why(client, steps, monkeypatch):
    make = steps.generate_music

    def silent(prompt, config, **more):
        audio = make(prompt, config, **more)
        return dataclasses.replace(audio, samples=audio.samples * 0)

    monkeypatch.setattr(steps, "generate_music", silent)
    quiet = client.make(CARGO)["id"]
    told = client.get(f"/api/tracks/{quiet}/similar?by=sound")
    assert (told.status_code, told.json()["tracks"]) == (200, [])
    assert "silent or too short to be compared by sound" in told.json()["note"]
    assert client.get(f"/api/tracks/{quiet}/similar").json() == {"tracks": [], "note": ""}
    assert client.get("/api/tracks/nothing/similar?by=sound").status_code == 404


# What a person says


def test_what_is_said_of_a_track_is_kept_and_the_rest_stays(client, made):
    path = f"/api/tracks/{made['id']}"
    told = client.patch(path, {"rating": 4, "tags": ["b", "a", "b"], "note": "for the library scene"}).json()
    assert (told["rating"], told["tags"], told["note"]) == (4, ["b", "a"], "for the library scene")
    told = client.patch(path, {"rating": None}).json()
    assert (told["rating"], told["tags"]) == (None, ["b", "a"])
    told = client.patch(path, {"tags": None, "note": None}).json()
    assert (told["tags"], told["note"]) == ([], "")
    assert client.get(path).json() == told
    for bad in ({"rating": 6}, {"rating": 0}, {"style": "x"}, {"tags": "a"}, {"note": "a" * 5_001}):
        assert client.patch(path, bad).status_code == 422
    assert client.patch("/api/tracks/nothing", {"rating": 3}).status_code == 404


def test_a_rating_can_answer_a_request(client, made):
    told = client.patch(f"/api/tracks/{made['id']}", {"rating": 2, "request_id": made["request_id"]})
    assert told.json()["rating"] == 2
    (line,) = client.get("/api/history").json()["requests"]
    assert (line["id"], line["answer_rating"]) == (made["request_id"], 2)
    assert client.get("/api/statistics").json()["mean_rating"] == 2.0


def test_a_rejected_track_is_not_served_there_again(client, made):
    path = f"/api/tracks/{made['id']}/reject"
    assert client.post(path, {"request_id": made["request_id"]}).json()["verdict"] == "rejected"
    assert client.post("/api/find", {"context": RAIN, **SHORT}).json()["result"]["action"] == "none"
    assert client.post(path, {"undo": True}).json()["verdict"] == "allowed"
    assert client.post("/api/find", {"context": RAIN, **SHORT}).json()["result"]["id"] == made["id"]


def test_the_trash_takes_and_gives_back(client, made):
    path = f"/api/tracks/{made['id']}"
    assert client.delete(path).json()["state"] == "trashed"
    assert ids(client.get("/api/tracks")) == []
    assert ids(client.get("/api/tracks?trashed=true")) == [made["id"]]
    assert client.post(f"{path}/restore").json()["state"] == "ready"
    assert ids(client.get("/api/tracks")) == [made["id"]]
    for method, end in (("DELETE", ""), ("POST", "/restore")):
        assert client.request(method, f"/api/tracks/nothing{end}", json={}).status_code == 404


# Once more


def samples(client, track_id):
    return soundfile.read(io.BytesIO(client.get(f"/api/tracks/{track_id}/audio").content), always_2d=True)[0]


@pytest.mark.parametrize(
    "asked", [{}, {"loopable": True, "duration_s": 3.0}, {"generation": {"channels": 1}, "seed": 7}]
)
def test_again_makes_the_same_samples_and_a_variation_others(client, asked):
    first = client.make(RAIN, **asked)
    answer = client.post(f"/api/tracks/{first['id']}/again")
    assert answer.status_code == 202
    again = client.follow(answer.json()["job"])[-1][1]["result"]
    assert again["id"] != first["id"]
    assert (again["seed"], again["track"]["prompt"]) == (first["seed"], first["track"]["prompt"])
    assert np.array_equal(samples(client, again["id"]), samples(client, first["id"]))
    job = client.post(f"/api/tracks/{first['id']}/again", {"variation": True}).json()["job"]
    other = client.follow(job)[-1][1]["result"]
    assert other["track"]["variant_of"] == first["id"]
    assert not np.array_equal(samples(client, other["id"]), samples(client, first["id"]))
    assert client.post("/api/tracks/nothing/again").status_code == 404


def test_the_synthesizer_repeats_itself_too(open_service):
    service = open_service()
    first = service.find_or_make(RAIN, duration_s=2.0, backend="procedural", loopable=True)
    again = service.again(first.track.id)
    read = [soundfile.read(one.path)[0] for one in (first, again)]
    assert np.array_equal(*read)
    assert again.track.config_sources["seed"] == f"that of track {first.track.id}"


# Audio


def ranged(client, track_id, header, **headers):
    return client.get(f"/api/tracks/{track_id}/audio", headers={"Range": header, **headers})


def test_audio_comes_whole_and_in_parts(client, made):
    whole = client.get(f"/api/tracks/{made['id']}/audio")
    data = whole.content
    assert (whole.status_code, whole.headers["content-type"]) == (200, "audio/wav")
    assert whole.headers["accept-ranges"] == "bytes"
    assert whole.headers["etag"] == f'"{made["track"]["audio_sha256"]}"'
    assert len(data) == made["track"]["audio_bytes"]
    for header, start, stop in (
        ("bytes=0-99", 0, 100),
        ("bytes=100-", 100, len(data)),
        ("bytes=-50", len(data) - 50, len(data)),
        ("bytes=-999999999", 0, len(data)),
        (f"bytes=10-{len(data) + 5}", 10, len(data)),
        ("bytes=5-9,0-6", 0, 10),
        ("bytes=0-0", 0, 1),
    ):
        part = ranged(client, made["id"], header)
        assert part.status_code == 206, header
        assert part.content == data[start:stop]
        assert part.headers["content-range"] == f"bytes {start}-{stop - 1}/{len(data)}"
        assert part.headers["content-length"] == str(stop - start)


def test_several_parts_come_in_one_answer(client, made):
    data = client.get(f"/api/tracks/{made['id']}/audio").content
    answer = ranged(client, made["id"], "bytes=0-9, 100-109, -4")
    assert answer.status_code == 206
    assert len(answer.content) == int(answer.headers["content-length"])
    boundary = answer.headers["content-type"].partition("boundary=")[2].encode()
    parts = answer.content.split(b"\r\n--" + boundary)[1:]
    assert parts[-1] == b"--\r\n"
    told = [part.split(b"\r\n\r\n", 1) for part in parts[:-1]]
    assert [content for _, content in told] == [data[:10], data[100:110], data[-4:]]
    assert f"Content-Range: bytes 100-109/{len(data)}".encode() in told[1][0]
    assert all(b"Content-Type: audio/wav" in head for head, _ in told)


@pytest.mark.parametrize("header", ["bytes=99999999-", "bytes=-0", "bytes=99999999-100000000,99999999-"])
def test_parts_that_are_not_there_are_refused(client, made, header):
    answer = ranged(client, made["id"], header)
    assert answer.status_code == 416
    assert answer.headers["content-range"] == f"bytes */{made['track']['audio_bytes']}"
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "header", ["", "bytes", "bytes=", "bytes=a-b", "bytes=9-5", "items=0-9", "bytes=" + "0-1," * 200 + "0-1"]
)
def test_a_range_that_is_none_is_passed_over(client, made, header):
    answer = ranged(client, made["id"], header)
    assert (answer.status_code, len(answer.content)) == (200, made["track"]["audio_bytes"])


def test_a_part_of_another_file_is_not_sent(client, made):
    etag = f'"{made["track"]["audio_sha256"]}"'
    assert ranged(client, made["id"], "bytes=0-9", **{"If-Range": etag}).status_code == 206
    for other in ('"other"', f"W/{etag}", "Wed, 21 Oct 2015 07:28:00 GMT"):
        assert ranged(client, made["id"], "bytes=0-9", **{"If-Range": other}).status_code == 200


def test_a_file_the_caller_has_is_not_sent_again(client, made):
    for end in ("audio", "peaks", "spectrogram.png"):
        path = f"/api/tracks/{made['id']}/{end}"
        etag = client.get(path).headers["etag"]
        answer = client.get(path, headers={"If-None-Match": etag})
        assert (answer.status_code, answer.content) == (304, b"")
        assert client.get(path, headers={"If-None-Match": '"other"'}).status_code == 200


def test_head_tells_what_get_would_send(client, made):
    path = f"/api/tracks/{made['id']}/audio"
    head = client.request("HEAD", path)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == str(made["track"]["audio_bytes"])
    part = client.request("HEAD", path, headers={"Range": "bytes=0-9"})
    assert (part.status_code, part.headers["content-length"], part.content) == (206, "10", b"")


@pytest.mark.parametrize("form", ["wav", "flac", "ogg"])
def test_audio_comes_in_other_formats_with_a_telling_name(client, made, form):
    answer = client.get(f"/api/tracks/{made['id']}/audio?format={form}&download=1")
    assert answer.headers["content-type"] == f"audio/{form}"
    name = answer.headers["content-disposition"]
    assert name.startswith('attachment; filename="')
    assert name.endswith(f'{made["id"]}.{form}"')
    info = soundfile.info(io.BytesIO(answer.content))
    assert (info.format.lower(), info.duration) == (form, pytest.approx(1.0, abs=0.05))
    again = client.get(f"/api/tracks/{made['id']}/audio?format={form}", headers={"Range": "bytes=0-3"})
    assert again.content == answer.content[:4]


@settings(max_examples=200, deadline=None)
@given(
    size=st.integers(1, 50),
    asked=st.lists(
        st.tuples(st.integers(0, 60) | st.none(), st.integers(0, 60) | st.none()), min_size=1, max_size=6
    ),
)
def test_ranges_name_the_bytes_that_were_asked_for(size, asked):
    header = "bytes=" + ",".join(f"{'' if a is None else a}-{'' if b is None else b}" for a, b in asked)
    spans = parse(header, size)
    wrong = any((a is None and b is None) or (a is not None and b is not None and b < a) for a, b in asked)
    if wrong:
        assert spans is None
        return
    wanted = set()
    for a, b in asked:
        wanted |= (
            set(range(max(0, size - b), size))
            if a is None
            else set(range(a, size if b is None else min(size, b + 1)))
        )
    assert [byte for start, stop in spans for byte in range(start, stop)] == sorted(wanted)


# Pictures


@pytest.mark.parametrize("points", [1, 7, 400, 2000])
def test_peaks_outline_the_waveform(client, made, points):
    told = client.get(f"/api/tracks/{made['id']}/peaks?points={points}").json()
    wave = samples(client, made["id"])
    assert (told["points"], told["duration_s"]) == (points, 1.0)
    assert len(told["min"]) == len(told["max"]) == points
    starts = np.arange(points) * 2000 // points
    frames = starts * len(wave) // 2000
    low = np.minimum.reduceat(wave.min(axis=1), frames)
    high = np.maximum.reduceat(wave.max(axis=1), frames)
    assert np.abs(low - told["min"]).max() < 0.006
    assert np.abs(high - told["max"]).max() < 0.006


def pixels(png):
    """Return the indexes and the palette of a PNG."""
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    chunks, at = {}, 8
    while at < len(png):
        (size,) = struct.unpack(">I", png[at : at + 4])
        kind, content = png[at + 4 : at + 8], png[at + 8 : at + 8 + size]
        assert struct.unpack(">I", png[at + 8 + size : at + 12 + size]) == (zlib.crc32(kind + content),)
        chunks[kind] = content
        at += 12 + size
    width, height = struct.unpack(">II", chunks[b"IHDR"][:8])
    lines = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(height, width + 1)
    return lines[:, 1:], np.frombuffer(chunks[b"PLTE"], np.uint8).reshape(-1, 3)


@pytest.mark.parametrize(("hertz", "seconds"), [(110.0, 2.0), (1_000.0, 0.01), (8_000.0, 90.0)])
def test_a_spectrogram_shows_a_tone_at_its_height(hertz, seconds):
    time = np.arange(round(seconds * 32_000)) / 32_000
    image, palette = pixels(spectrogram_png(np.sin(2 * np.pi * hertz * time).astype(np.float32), 32_000))
    assert image.shape == (HEIGHT, WIDTH)
    row = HEIGHT - 1 - image[:, WIDTH // 2].argmax()
    seen = 40.0 * (16_000.0 / 40.0) ** (row / (HEIGHT - 1))
    assert abs(np.log2(seen / hertz)) < 0.15
    assert len(palette) == 256


def test_silence_is_dark():
    image, _ = pixels(spectrogram_png(np.zeros(100, np.float32), 32_000))
    assert image.max() == 0


def test_the_colours_read_the_same_in_grey():
    grey = colours() @ np.array([0.2126, 0.7152, 0.0722])
    assert (np.diff(grey) > 0).all()


def test_a_spectrogram_is_a_picture_of_its_own(client, made):
    answer = client.get(f"/api/tracks/{made['id']}/spectrogram.png")
    assert answer.headers["content-type"] == "image/png"
    image, _ = pixels(answer.content)
    assert image.max() == 255


def test_the_map_places_every_track(client, three):
    points = client.get("/api/map").json()["points"]
    assert {point["id"] for point in points} == {one["id"] for one in three}
    assert max(abs(point[axis]) for point in points for axis in "xy") == 1.0
    assert {point["title"] for point in points} == {one["track"]["summary"] for one in three}
    client.delete(f"/api/tracks/{three[0]['id']}")
    assert len(client.get("/api/map").json()["points"]) == 2


def test_an_empty_map_has_no_points(client):
    assert client.get("/api/map").json() == {"points": []}


def test_the_map_keeps_apart_what_is_apart_and_does_not_flip():
    rng = np.random.default_rng(3)
    centres = rng.normal(size=(2, 16))
    vectors = np.repeat(centres, 20, axis=0) + 0.1 * rng.normal(size=(40, 16))
    placed = layout(vectors.astype(np.float32))
    assert placed.shape == (40, 2)
    gap = abs(placed[:20, 0].mean() - placed[20:, 0].mean())
    assert gap > 5 * placed[:20, 0].std()
    assert np.allclose(layout(vectors[::-1].astype(np.float32))[::-1], placed, atol=1e-6)
    assert np.array_equal(layout(np.ones((1, 16), np.float32)), np.zeros((1, 2)))


# The catalog


def test_history_tells_and_searches_what_was_asked(client, three):
    client.post("/api/find-or-make", {"context": RAIN, **SHORT})
    lines = client.get("/api/history").json()["requests"]
    assert [line["action"] for line in lines] == ["reused", "generated", "generated", "generated"]
    near = client.get("/api/history?q=wolves&by=words&limit=1").json()["requests"]
    assert near[0]["track_id"] == three[2]["id"]
    assert near[0]["relevance"] > 0


def test_statistics_tell_what_was_saved(client, made):
    client.post("/api/find-or-make", {"context": RAIN, **SHORT})
    told = client.get("/api/statistics").json()
    assert (told["requests"], told["reused"], told["made"], told["hit_rate"], told["tracks"]) == (
        2,
        1,
        1,
        0.5,
        1,
    )
    assert told["audio_bytes"] > 0


def test_presets_are_listed_and_suggested(client):
    presets = client.get("/api/presets").json()["presets"]
    assert {one["section"] for one in presets} == {"presets", "roles", "quality"}
    found = client.get("/api/presets/suggest?q=rain at night&limit=3").json()["suggestions"]
    assert len(found) == 3
    assert {one["name"] for one in found} <= {one["name"] for one in presets}
    assert client.get("/api/presets/suggest").status_code == 422


def test_the_catalog_can_be_taken_along(client, three):
    rows = list(csv.DictReader(io.StringIO(client.get("/api/export?format=csv").text)))
    assert [row["id"] for row in rows] == [one["id"] for one in three]
    assert rows[0]["path"] == f"http://127.0.0.1:8765/api/tracks/{three[0]['id']}/audio"
    answer = client.get("/api/export?format=jsonl&q=quality:standard")
    (line,) = map(json.loads, answer.text.splitlines())
    assert line["id"] == three[2]["id"]
    assert answer.headers["content-disposition"] == 'attachment; filename="catalog.jsonl"'
    playlist = client.get("/api/export?format=m3u").text.splitlines()
    assert playlist[0] == "#EXTM3U"
    assert client.get(playlist[2].removeprefix("http://127.0.0.1:8765")).status_code == 200
    assert client.get("/api/export?format=zip").status_code == 422


def test_the_counters_tell_requests_decisions_jobs_and_cache(client, made):
    client.post("/api/find-or-make", {"context": RAIN, **SHORT})
    client.get(f"/api/tracks/{made['id']}/peaks")
    client.get(f"/api/tracks/{made['id']}/peaks")
    client.get("/api/health", headers={"Host": "evil.com"})
    answer = client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    for line in (
        'catalog_requests_total{method="POST",route="/api/find-or-make",status="200"} 1.0',
        'catalog_requests_total{method="GET",route="other",status="400"} 1.0',
        'catalog_decisions_total{action="generated",rule="no_candidate"} 1.0',
        'catalog_decisions_total{action="reused",rule="exact"} 1.0',
        'catalog_jobs_total{state="done"} 1.0',
        "catalog_job_seconds_count 1.0",
        "catalog_queue_length 0.0",
        "catalog_queue_limit 2.0",
        'catalog_cache_total{kind="peaks",outcome="miss"} 1.0',
        'catalog_cache_total{kind="peaks",outcome="hit"} 1.0',
    ):
        assert line in answer.text


def test_health_says_that_it_is_up(client):
    told = client.get("/api/health").json()
    assert (told["status"], told["token_required"]) == ("ok", False)


# Files that are kept


def content(cache, name, made):
    """Return what a file holds; `made` is what it is made of where it is not there."""
    with cache.open("a", name, lambda: made) as file:
        return file.read()


def test_the_cache_makes_once_forgets_what_was_used_longest_ago_and_refuses_other_names(tmp_path):
    seen = []
    cache = FileCache(tmp_path / "cache", max_bytes=100, looked_up=lambda kind, hit: seen.append((kind, hit)))
    for number in range(3):
        assert content(cache, f"name-{number}", b"x" * 40) == b"x" * 40
    cache.open("a", "name-2", lambda: pytest.fail("made twice")).close()
    assert seen == [("a", False)] * 3 + [("a", True)]
    content(cache, "name-3", b"x" * 40)
    kept = sum(path.stat().st_size for path in (tmp_path / "cache").rglob("*") if path.is_file())
    assert kept <= 140
    for name in ("../x", "a/b", "", ".x", "X"):
        with pytest.raises(InputError):
            cache.open("a", name, bytes)


def test_a_cache_that_cannot_be_written_is_kept_elsewhere(tmp_path):
    (tmp_path / "file").write_text("")
    cache = FileCache(tmp_path / "file" / "cache")
    assert content(cache, "name", b"x") == b"x"
    with cache.open("a", "name", bytes) as file:
        path = Path(file.name)
    assert path.read_bytes() == b"x"
    cache.close()
    assert not path.exists()


def test_a_file_is_read_to_its_end_although_another_thread_pushes_it_out(tmp_path):
    cache = FileCache(tmp_path / "cache", max_bytes=100)
    with cache.open("a", "first", lambda: b"x" * 90) as new, cache.open("a", "first", bytes) as kept:
        content(cache, "second", b"y" * 90)
        content(cache, "third", b"z" * 90)
        assert not [*(tmp_path / "cache").rglob("first")]
        assert new.read() == kept.read() == b"x" * 90

    def use(thread):
        for turn in range(100):
            name = f"name-{(7 * thread + turn) % 20}"
            assert content(cache, name, name.encode() * 4) == name.encode() * 4

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(use, range(8)))
