"""Tracks over HTTP: lists and searches, ratings and labels, rejections, the trash, and making a track again."""

from __future__ import annotations

import dataclasses
import io
import zipfile
from urllib.parse import unquote

import anyio.to_thread
import numpy as np
import pytest
import soundfile
from calls import CARGO, RAIN, SHORT, ids, samples

# Lists and searches


def test_tracks_are_listed_with_the_number_of_all_and_facets(client, three):
    newest_first = [one["id"] for one in reversed(three)]
    payload = client.get("/api/tracks?limit=2").json()
    assert [track["id"] for track in payload["tracks"]] == newest_first[:2]
    assert payload["total"] == 3
    assert payload["facets"]["quality"] == {"preview": 2, "standard": 1}
    assert set(payload["facets"]) == {
        "mood",
        "style",
        "role",
        "quality",
        "environment",
        "tag",
        "backend",
        "rating",
    }
    assert ids(client.get("/api/tracks?offset=2")) == newest_first[2:]
    assert ids(client.get("/api/tracks?sort=created_at"))[0] == three[0]["id"]
    assert "config" not in payload["tracks"][0]


@pytest.mark.parametrize("by", ["meaning", "words", "both"])
def test_a_query_searches_best_first(client, three, by):
    payload = client.get("/api/tracks", params={"q": "wolves howl", "by": by}).json()
    assert payload["tracks"][0]["id"] == three[2]["id"]
    assert payload["tracks"][0]["score"] > 0


def test_a_query_may_hold_facts(client, three):
    assert ids(client.get("/api/tracks?q=quality:standard")) == [three[2]["id"]]
    answer = client.get("/api/tracks?q=style:nonsense")
    assert (answer.status_code, "nonsense" in answer.json()["detail"]) == (422, True)
    assert client.get("/api/tracks?sort=nonsense").status_code == 422


def test_a_request_waits_for_a_thread_once(client, made, monkeypatch):
    turns, run_sync = [], anyio.to_thread.run_sync

    async def counted(call, *arguments, **options):
        turns.append(call)
        return await run_sync(call, *arguments, **options)

    monkeypatch.setattr(anyio.to_thread, "run_sync", counted)
    assert client.post("/api/find-or-make", json={"context": RAIN, **SHORT}).status_code == 200
    assert len(turns) == 1
    assert client.get(f"/api/tracks/{made['track']['id']}").status_code == 200
    assert len(turns) == 2


def test_a_track_is_shown_whole(client, made):
    payload = client.get(f"/api/tracks/{made['id']}").json()
    assert payload["context"] == RAIN
    assert payload["config"]["seed"] == made["seed"]
    assert payload["config_sources"]["duration_s"] == "caller"
    assert payload["ai_generated"] is True
    assert client.get("/api/tracks/nothing").status_code == 404


def test_a_track_is_read_once_until_a_track_changes(client, three, monkeypatch):
    store = client.app.state.shared.service.store
    read = []
    get = store.tracks.get
    monkeypatch.setattr(store.tracks, "get", lambda track_id: (read.append(track_id), get(track_id))[1])
    address = f"/api/tracks/{three[0]['id']}"
    assert [client.get(address).json()["rating"] for _ in range(3)] == [None] * 3
    assert client.get(f"{address}/audio").status_code == 200
    assert read == [three[0]["id"]]
    client.make("It is bright: a sunny market.", **SHORT)
    assert client.get(address).json()["rating"] is None
    assert read == [three[0]["id"]]
    store.tracks.update(three[0]["id"], rating=4)
    assert [client.get(address).json()["rating"] for _ in range(3)] == [4] * 3
    assert len(read) == 2


def test_a_page_of_the_list_is_read_once_until_the_tracks_change(client, three, monkeypatch):
    service = client.app.state.shared.service
    read = []
    browse = service.browse
    monkeypatch.setattr(
        service, "browse", lambda *query, **options: (read.append(options), browse(*query, **options))[1]
    )

    def shown(more=""):
        payload = client.get(f"/api/tracks?limit=2{more}").json()
        return payload["total"], [(one["id"], one["rating"]) for one in payload["tracks"]]

    newest = [(one["id"], None) for one in reversed(three)]
    assert [shown() for _ in range(3)] == [(3, newest[:2])] * 3
    assert len(read) == 1
    assert [shown("&offset=2") for _ in range(2)] == [(3, newest[2:])] * 2
    assert shown("&sort=created_at") == (3, newest[:0:-1])
    assert shown("&trashed=true") == (0, [])
    assert len(read) == 4
    service.store.tracks.update(three[2]["id"], rating=4)
    assert shown() == (3, [(three[2]["id"], 4), newest[1]])
    made = client.make("It is bright: a sunny market.", **SHORT)
    assert shown() == (4, [(made["id"], None), (three[2]["id"], 4)])
    service.store.tracks.trash(made["id"])
    assert shown() == (3, [(three[2]["id"], 4), newest[1]])
    assert len(read) == 7


def test_a_search_finds_hits_with_their_lines(client, three):
    payload = client.post(
        "/api/search", {"query": "wolves", "by": "words", "facts": {"min_quality": "standard"}}
    ).json()
    assert [hit["id"] for hit in payload["hits"]] == [three[2]["id"]]
    assert payload["hits"][0]["path"] is None
    assert len(payload["lines"]) == 1
    assert client.post("/api/search", {"query": ""}).status_code == 422


def test_similar_tracks_do_not_include_the_track_itself(client, three):
    similar = ids(client.get(f"/api/tracks/{three[0]['id']}/similar"))
    assert sorted(similar) == sorted(one["id"] for one in three[1:])
    assert len(ids(client.get(f"/api/tracks/{three[0]['id']}/similar?limit=1"))) == 1


def test_a_track_that_cannot_be_heard_is_similar_to_none_and_says_why(client, steps, monkeypatch):
    make = steps.generate_music

    def silent(prompt, config, **more):
        audio = make(prompt, config, **more)
        return dataclasses.replace(audio, samples=audio.samples * 0)

    monkeypatch.setattr(steps, "generate_music", silent)
    quiet = client.make(CARGO)["id"]
    payload = client.get(f"/api/tracks/{quiet}/similar?by=sound")
    assert (payload.status_code, payload.json()["tracks"]) == (200, [])
    assert "silent or too short to be compared by sound" in payload.json()["note"]
    assert client.get(f"/api/tracks/{quiet}/similar").json() == {"tracks": [], "note": ""}
    assert client.get("/api/tracks/nothing/similar?by=sound").status_code == 404


# Ratings, labels, rejections and the trash


def test_what_is_said_of_a_track_is_kept_and_the_rest_stays(client, made):
    path = f"/api/tracks/{made['id']}"
    payload = client.patch(
        path, {"rating": 4, "tags": ["b", "a", "b"], "note": "for the library scene"}
    ).json()
    assert (payload["rating"], payload["tags"], payload["note"]) == (4, ["b", "a"], "for the library scene")
    assert client.patch(path, {"rating": True}).json()["detail"] == "rating is True: pass a whole number"
    payload = client.patch(path, {"rating": None}).json()
    assert (payload["rating"], payload["tags"]) == (None, ["b", "a"])
    payload = client.patch(path, {"tags": None, "note": None}).json()
    assert (payload["tags"], payload["note"]) == ([], "")
    assert client.get(path).json() == payload
    for bad in ({"rating": 6}, {"rating": 0}, {"style": "x"}, {"tags": "a"}, {"note": "a" * 5_001}):
        assert client.patch(path, bad).status_code == 422
    assert client.patch("/api/tracks/nothing", {"rating": 3}).status_code == 404
    long = client.patch(path, {"note": "x" * 5_000}).json()["detail"]
    assert long.startswith("track: note is 'xxx")
    assert len(long) < 200


def test_a_title_names_a_track_wherever_it_is_listed_and_found(client, made):
    path = f"/api/tracks/{made['id']}"
    before = client.get(path).json()
    assert before["title"] == ""
    assert client.patch(path, {"title": "Zephyr  Overture"}).json()["title"] == "Zephyr Overture"
    assert client.get(path).json()["summary"] == before["summary"]
    found = client.get("/api/tracks?q=zephyr&by=words&narrow=true").json()
    assert [(one["id"], one["title"]) for one in found["tracks"]] == [(made["id"], "Zephyr Overture")]
    saved = client.get(f"{path}/audio?download=true")
    assert "zephyr-overture" in saved.headers["content-disposition"]
    client.patch(path, {"title": "Тихий дождь"})
    saved = client.get(f"{path}/audio?download=true")
    assert f"-тихий-дождь-{made['id']}.wav" in unquote(saved.headers["content-disposition"])
    archive = zipfile.ZipFile(io.BytesIO(client.get("/api/export?format=zip").content))
    assert any("тихий-дождь" in name for name in archive.namelist())
    client.patch(path, {"title": "Zephyr Overture"})
    assert "Zephyr Overture" in client.get("/api/export?format=m3u").text
    assert "Zephyr Overture" in [one["title"] for one in client.get("/api/map").json()["points"]]
    assert client.patch(path, {"title": None}).json()["title"] == ""
    assert client.get("/api/tracks?q=zephyr&by=words&narrow=true").json()["total"] == 0
    assert client.patch(path, {"title": "a" * 201}).status_code == 422


def test_a_rating_can_answer_a_request(client, made):
    payload = client.patch(f"/api/tracks/{made['id']}", {"rating": 2, "request_id": made["request_id"]})
    assert payload.json()["rating"] == 2
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


@pytest.mark.parametrize(
    "choices", [{}, {"loopable": True, "duration_s": 3.0}, {"generation": {"channels": 1}, "seed": 7}]
)
def test_again_makes_the_same_samples_and_a_variation_others(client, choices):
    first = client.make(RAIN, **choices)
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


def test_many_tracks_are_changed_in_one_write(client, three):
    one, two, third = (made["id"] for made in three)
    store = client.app.state.shared.service.store
    before = store.tracks.version()
    answer = client.patch(
        "/api/tracks",
        {
            "changes": {
                one: {"rating": 4, "tags": ["keep", "keep"]},
                two: {"rating": 4},
                third: {"trashed": True},
            }
        },
    )
    assert answer.status_code == 200
    assert store.tracks.version() == before + 1
    changed = {track["id"]: track for track in answer.json()["tracks"]}
    assert (changed[one]["rating"], changed[one]["tags"]) == (4, ["keep"])
    assert changed[third]["state"] == "trashed"
    assert ids(client.get("/api/tracks?trashed=true")) == [third]
    assert {(line.track_id, line.rating) for line in store.judgements.list()} == {(one, 4), (two, 4)}

    undo = {one: {"rating": None, "tags": None}, two: {"rating": None}, third: {"trashed": False}}
    assert client.patch("/api/tracks", {"changes": undo}).status_code == 200
    assert {(track.rating, track.tags, track.state) for track in store.tracks.list()} == {(None, (), "ready")}


def test_changes_of_many_tracks_are_made_all_or_none(client, three):
    one, two, third = (made["id"] for made in three)
    store = client.app.state.shared.service.store
    answer = client.patch("/api/tracks", {"changes": {one: {"rating": 1}, "nobody": {"rating": 1}}})
    assert (answer.status_code, "nobody" in answer.json()["detail"]) == (404, True)
    store.tracks.trash(third)
    store.audio.path_of(store.tracks.get(third)).unlink()
    gone = client.patch("/api/tracks", {"changes": {two: {"rating": 1}, third: {"trashed": False}}})
    assert gone.status_code == 500
    assert all(track.rating is None for track in store.tracks.list())
    for body in ({}, {"changes": {}}, {"changes": {one: {"rating": 9}}}, {"changes": {one: {"state": "x"}}}):
        assert client.patch("/api/tracks", body).status_code == 422
