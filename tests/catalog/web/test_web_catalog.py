"""The catalog as a whole over HTTP: history, statistics, presets, export, counters and health."""

from __future__ import annotations

import csv
import io
import json

from calls import RAIN, SHORT, ids


def test_history_tells_and_searches_what_was_asked(client, three):
    client.post("/api/find-or-make", {"context": RAIN, **SHORT})
    lines = client.get("/api/history").json()["requests"]
    assert [line["action"] for line in lines] == ["reused", "generated", "generated", "generated"]
    near = client.get("/api/history?q=wolves&by=words&limit=1").json()["requests"]
    assert near[0]["track_id"] == three[2]["id"]
    assert near[0]["relevance"] > 0


def test_statistics_tell_what_was_saved(client, made):
    client.post("/api/find-or-make", {"context": RAIN, **SHORT})
    payload = client.get("/api/statistics").json()
    assert (
        payload["requests"],
        payload["reused"],
        payload["made"],
        payload["hit_rate"],
        payload["tracks"],
    ) == (
        2,
        1,
        1,
        0.5,
        1,
    )
    assert payload["audio_bytes"] > 0


def test_presets_are_listed_and_suggested(client):
    presets = client.get("/api/presets").json()["presets"]
    assert {one["section"] for one in presets} == {"presets", "roles", "quality"}
    suggested = client.get("/api/presets/suggest?q=rain at night&limit=3").json()["suggestions"]
    assert len(suggested) == 3
    assert {one["name"] for one in suggested} <= {one["name"] for one in presets}
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
    assert client.get("/api/export?format=pdf").status_code == 422


def test_an_export_knows_names_that_only_tracks_have(client, made):
    service = client.app.state.shared.service
    store, (vector,) = service.store, service.encoder.encode(["rain"])
    assert client.get("/api/export?format=csv&q=style:of_before").status_code == 422
    track = store.tracks.get(made["id"]).model_copy(update={"id": "old", "key": "old", "style": "of_before"})
    store.tracks.insert(track, vector)
    answer = client.get("/api/export?format=jsonl&q=style:of_before")
    assert [json.loads(line)["id"] for line in answer.text.splitlines()] == ["old"]


def test_an_export_is_exactly_a_list_of_tracks(client, three):
    first = client.get("/api/tracks?limit=1&sort=created_at").json()["tracks"][0]["id"]
    client.delete(f"/api/tracks/{first}")
    client.make("Waves roll onto the beach.")
    client.make("Rain drums on the roof.")

    def exported(**query):
        lines = client.get("/api/export", params={"format": "jsonl", **query}).text.splitlines()
        return [json.loads(line)["id"] for line in lines]

    for query in (
        {"sort": "-created_at"},
        {"sort": "duration_s", "q": "quality:standard"},
        {"trashed": "true", "sort": "-created_at"},
        {"q": "rain", "by": "both"},
        {"q": "rain wolves", "by": "words"},
        {"q": "wolves", "by": "meaning"},
    ):
        listed = client.get("/api/tracks", params={"narrow": "true", "limit": 200, **query})
        assert exported(**query) == ids(listed)
        assert exported(**query)
    assert exported(trashed="true") == [first]
    assert client.get("/api/export?format=csv&sort=nonsense").status_code == 422


def test_the_counters_tell_requests_decisions_jobs_and_cache(client):
    made = client.make(RAIN)
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
    payload = client.get("/api/health").json()
    assert (payload["status"], payload["token_required"]) == ("ok", False)
