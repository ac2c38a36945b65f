from __future__ import annotations

import pytest
from calls import CARGO, RAIN, SECRET, SHORT


def test_what_is_missing_is_made_in_a_job_and_then_reused_at_once(client):
    asked = {"context": RAIN, **SHORT}
    answer = client.post("/api/find-or-make", asked)
    assert answer.status_code == 202
    job = answer.json()["job"]
    assert answer.headers["location"] == f"/api/jobs/{job['id']}"
    assert job["request"] == asked
    events = client.follow(job)
    assert {name for name, _ in events[:-1]} <= {"progress"}
    name, over = events[-1]
    assert (name, over["state"], over["progress"]) == ("done", "done", {"done": 4, "total": 4})
    assert over["result"]["action"] == "generated"
    again = client.post("/api/find-or-make", asked)
    assert again.status_code == 200
    assert again.json()["result"]["id"] == over["result"]["id"]
    assert client.get(f"/api/jobs/{job['id']}").json() == over


def test_a_result_says_what_the_command_line_says(client, made):
    told = client.post("/api/find", {"context": RAIN, **SHORT}).json()["result"]
    assert told["headline"].startswith(f"reused: {made['id']}")
    assert told["decision"]["rule"] == "exact"
    assert any(line.startswith("prompt: ") for line in told["explanation"])
    assert told["track"]["id"] == made["id"]


def test_find_never_makes(client, made):
    told = client.post("/api/find", {"context": CARGO, **SHORT}).json()["result"]
    assert (told["action"], told["track"]) == ("none", None)
    assert client.get("/api/tracks").json()["total"] == 1
    assert client.get("/api/jobs").json()["waiting"] == 0


def test_a_preview_leaves_no_line_and_counts_nowhere(client, made):
    lines = client.get("/api/history").json()["requests"]
    decided = [line for line in client.get("/metrics").text.splitlines() if "decisions" in line]
    for asked, action in (({"context": RAIN}, "reused"), ({"context": RAIN, "reuse": "never"}, "none")):
        told = client.post("/api/find", {**asked, "log": False, **SHORT}).json()["result"]
        assert (told["action"], told["request"]["style"]) == (action, made["style"])
    assert client.post("/api/find", {"context": "", "log": False}).status_code == 422
    assert client.get("/api/history").json()["requests"] == lines
    assert decided
    assert [line for line in client.get("/metrics").text.splitlines() if "decisions" in line] == decided
    client.post("/api/find", {"context": RAIN, **SHORT})
    assert len(client.get("/api/history").json()["requests"]) == len(lines) + 1


def test_what_makes_is_always_logged(client):
    told = client.post("/api/find-or-make", {"context": RAIN, "log": False, **SHORT})
    assert (told.status_code, told.json()["detail"][:20]) == (422, "log cannot be used: ")


def test_a_dry_run_decides_and_stops(client):
    told = client.post("/api/find-or-make", {"context": RAIN, "dry_run": True, **SHORT})
    assert (told.status_code, told.json()["result"]["action"]) == (200, "none")
    assert client.get("/api/jobs").json()["jobs"] == []


def test_always_reuses_or_says_that_nothing_is_there(client):
    told = client.post("/api/find-or-make", {"context": RAIN, "reuse": "always", **SHORT})
    assert (told.status_code, told.headers["content-type"]) == (404, "application/problem+json")
    made = client.make(CARGO)
    told = client.post("/api/find-or-make", {"context": RAIN, "reuse": "always", **SHORT})
    assert told.json()["result"]["id"] == made["id"]


def test_never_makes_anew(client, made):
    again = client.make(RAIN, reuse="never")
    assert again["id"] != made["id"]


def test_a_payload_is_taken_as_the_context(client, made):
    told = client.post("/api/find", {"context": {"answer": RAIN, "question": "?"}, **SHORT}).json()
    assert told["result"]["id"] == made["id"] or told["result"]["action"] == "reused"


def test_only_a_caller_with_the_secret_is_told_paths(client, made):
    home = str(client.app.state.shared.service.store.home)
    assert made["path"] is None
    told = client.post("/api/find", {"context": RAIN, **SHORT})
    assert home not in told.text
    told = client.post(
        "/api/find", {"context": RAIN, **SHORT}, headers={"Authorization": f"Bearer {SECRET}"}
    ).json()
    assert told["result"]["path"].startswith(home)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"context": ""}, "the text is empty"),
        ({"context": RAIN, "preset": "ambient_lofy"}, "ambient_lofi"),
        ({"context": RAIN, "seed": -1}, "seed"),
        ({"context": RAIN, "nonsense": 1}, "nonsense"),
        ({"context": {"other": 1}}, "no text"),
        ({}, "context"),
    ],
)
def test_what_cannot_be_asked_is_told_in_one_sentence(client, asked, said):
    answer = client.post("/api/find-or-make", asked)
    told = answer.json()
    assert (answer.status_code, told["status"], told["exit_code"]) == (422, 422, 2)
    assert said in told["detail"]


def test_a_waiting_job_is_cancelled_at_once_and_a_running_one_at_its_next_step(client, steps):
    steps.go.clear()
    running = client.post("/api/find-or-make", {"context": RAIN, **SHORT}).json()["job"]
    assert steps.began.acquire(timeout=30)
    waiting = client.post("/api/find-or-make", {"context": CARGO, **SHORT}).json()["job"]
    assert waiting["position"] == 1
    assert client.delete(f"/api/jobs/{waiting['id']}").json()["state"] == "cancelled"
    client.delete(f"/api/jobs/{running['id']}")
    assert client.follow(running)[-1][0] == "cancelled"
    assert client.get("/api/tracks").json()["total"] == 0


def test_a_full_queue_says_when_to_come_back(client, steps):
    steps.go.clear()
    client.post("/api/find-or-make", {"context": RAIN, **SHORT})
    assert steps.began.acquire(timeout=30)
    for number in range(2):
        assert client.post("/api/find-or-make", {"context": f"{CARGO} {number}", **SHORT}).status_code == 202
    answer = client.post("/api/find-or-make", {"context": "Wolves howl in the snow.", **SHORT})
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "5")
    assert answer.json()["type"] == "urn:catalog:QueueFull"


def test_an_unknown_job_is_not_found(client):
    for method, path in (("GET", ""), ("GET", "/events"), ("DELETE", "")):
        answer = client.request(method, f"/api/jobs/nothing{path}")
        assert (answer.status_code, answer.json()["status"]) == (404, 404)
