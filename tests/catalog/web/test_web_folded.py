"""The takes of one request stand under the first of them, in lists and in searches."""

from __future__ import annotations

import pytest
from calls import CARGO, RAIN, WOLVES


@pytest.fixture
def group(client):
    """Return the ids of a track and its two takes, a variation and one of the same request; and of two other tracks."""
    first, other, third = (client.make(text)["id"] for text in (RAIN, CARGO, WOLVES))
    job = client.post(f"/api/tracks/{first}/again", json={"variation": True}).json()["job"]
    variation = client.follow(job)[-1][1]["result"]["id"]
    return [first, variation, client.make(RAIN, reuse="never")["id"]], [other, third]


def listed(client, query="", **params):
    answer = client.get("/api/tracks", params={"folded": "true", **params})
    assert answer.status_code == 200, answer.text
    page = answer.json()
    return page, [(one["id"], [take["id"] for take in one.get("takes") or []]) for one in page["tracks"]]


def test_takes_stand_under_the_first_in_every_order_and_are_counted(client, group):
    (first, *takes), (other, third) = group
    page, rows = listed(client)
    assert rows == [(third, []), (other, []), (first, takes)]
    assert (page["total"], page["rows"]) == (5, 3)
    assert listed(client, sort="created_at")[1] == [(first, takes), (other, []), (third, [])]
    pages = [listed(client, limit=1, offset=at)[1][0] for at in range(3)]
    assert pages == rows
    unfolded = client.get("/api/tracks").json()
    assert (len(unfolded["tracks"]), unfolded["rows"]) == (5, None)
    assert client.get("/api/tracks?folded=true&sort=nothing").status_code == 422


def test_a_search_folds_what_it_found(client, group):
    (first, *takes), _ = group
    page, rows = listed(client, q="rain library", narrow="true", by="words")
    assert rows == [(first, takes)]
    assert (page["total"], page["rows"]) == (3, 1)


def test_a_take_whose_first_is_not_in_the_list_stands_for_itself(client, group):
    (first, *takes), (other, third) = group
    client.patch(f"/api/tracks/{takes[0]}", {"rating": 5})
    assert listed(client, q="rating:5")[1] == [(takes[0], [])]
    client.delete(f"/api/tracks/{first}")
    _, rows = listed(client, sort="created_at")
    assert [row[0] for row in rows] == [other, third, *takes]
    assert listed(client, trashed="true")[1] == [(first, [])]
