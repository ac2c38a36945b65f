"""A person's choice over HTTP: weigh a track for a text, use it anyway, turn it down."""

from __future__ import annotations

BODY = {"context": "The heroes storm the gate in a furious battle."}


def test_a_track_is_weighed_chosen_and_turned_down(client, made):
    path = f"/api/tracks/{made['id']}"
    weighed = client.post(f"{path}/weigh", BODY).json()
    assert weighed["track"]["id"] == made["id"] == weighed["decision"]["candidates"][0]["track_id"]
    assert weighed["decision"]["filter"]["role"]
    chosen = client.post(f"{path}/choose", BODY).json()["result"]
    assert (chosen["action"], chosen["id"], chosen["path"]) == ("reused", made["id"], None)
    assert client.post("/api/find", BODY).json()["result"]["track"]["id"] == made["id"]
    declined = client.post(f"{path}/decline", BODY).json()
    assert (declined["verdict"], declined["track_id"]) == ("rejected", made["id"])
    assert client.post("/api/find", BODY).json()["result"]["track"] is None
    assert client.post("/api/tracks/nowhere/choose", BODY).status_code == 404
    assert client.post(f"{path}/choose", {"context": ""}).status_code == 422
