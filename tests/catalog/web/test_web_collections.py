"""Collections over HTTP: playlists, saved searches, trash, export as list and as ZIP."""

from __future__ import annotations

import io
import zipfile


def test_a_playlist_is_made_ordered_renamed_deleted_and_restored(client, three):
    first, second, third = (one["id"] for one in three)
    made = client.post("/api/collections", {"name": "Podcast", "track_ids": [third, first]})
    assert made.status_code == 201
    path = f"/api/collections/{made.json()['id']}"
    assert client.post(f"{path}/add", {"track_ids": [second]}).json()["track_ids"] == [third, first, second]
    moved = client.post(f"{path}/move", {"track_ids": [second], "before": third})
    assert moved.json()["track_ids"] == [second, third, first]
    assert client.request("PATCH", path, json={"name": "News"}).json()["name"] == "News"
    client.post(f"{path}/remove", {"track_ids": [third]})
    page = client.get(f"{path}/tracks").json()
    assert ([one["id"] for one in page["tracks"]], page["total"]) == ([second, first], 2)
    assert client.request("DELETE", path, json={}).status_code == 200
    assert client.get(path).status_code == 404
    assert client.get("/api/collections").json()["collections"] == []
    assert client.post(f"{path}/restore").json()["name"] == "News"
    assert client.post("/api/collections", {"name": "news"}).status_code == 422
    assert client.post("/api/collections", {"name": "x", "track_ids": ["nowhere"]}).status_code == 404
    assert client.post("/api/collections", {"name": "x", "query": "mood:"}).status_code == 422


def test_a_track_in_the_trash_stays_in_the_playlist_as_gone(client, three):
    ids = [one["id"] for one in three]
    path = f"/api/collections/{client.post('/api/collections', {'name': 'A', 'track_ids': ids}).json()['id']}"
    client.request("DELETE", f"/api/tracks/{ids[1]}", json={})
    states = [one["state"] for one in client.get(f"{path}/tracks").json()["tracks"]]
    assert states == ["ready", "trashed", "ready"]
    client.post(f"/api/tracks/{ids[1]}/restore")
    assert [one["state"] for one in client.get(f"{path}/tracks").json()["tracks"]] == ["ready"] * 3


def test_a_saved_search_is_always_fresh(client, three):
    saved = client.post("/api/collections", {"name": "Good", "query": "quality:preview"}).json()
    path = f"/api/collections/{saved['id']}/tracks"
    assert client.get(path).json()["total"] == 2
    client.request("DELETE", f"/api/tracks/{three[0]['id']}", json={})
    assert client.get(path).json()["total"] == 1


def test_a_collection_and_a_selection_are_exported_in_their_order(client, three):
    ids = [one["id"] for one in three][::-1]
    made = client.post("/api/collections", {"name": "My podcast!", "track_ids": ids}).json()
    client.request("DELETE", f"/api/tracks/{ids[0]}", json={})
    ids = ids[1:]
    answer = client.get(f"/api/export?format=m3u&collection={made['id']}")
    places = [line for line in answer.text.splitlines() if line.startswith("http")]
    assert [line.split("/")[-2] for line in places] == ids
    assert 'filename="my-podcast.m3u"' in answer.headers["content-disposition"]
    answer = client.get(f"/api/export?format=zip&ids={ids[1]},{ids[0]}")
    assert answer.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
        assert [name[:3] for name in names[:2]] == ["01 ", "02 "]
        assert ids[1] in names[0]
        assert {info.compress_type for info in archive.infolist()} == {zipfile.ZIP_STORED}
        audio = client.get(f"/api/tracks/{ids[1]}/audio").content
        assert archive.read(names[0]) == audio
        listed = archive.read("playlist.m3u").decode().splitlines()
        assert [line for line in listed if line.endswith(".wav")] == names[:2]
    assert client.get("/api/export?format=csv&ids=nowhere").status_code == 404
    assert client.get(f"/api/export?format=csv&ids={ids[0]}").text.count("\n") == 2
