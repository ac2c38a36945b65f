from __future__ import annotations

import asyncio
import threading

import httpx
import pytest
from calls import CARGO, RAIN, SECRET, SHORT


def test_what_is_missing_is_made_in_a_job_and_then_reused_at_once(client):
    body = {"context": RAIN, **SHORT}
    answer = client.post("/api/find-or-make", body)
    assert answer.status_code == 202
    job = answer.json()["job"]
    assert answer.headers["location"] == f"/api/jobs/{job['id']}"
    assert job["request"] == body
    events = client.follow(job)
    assert {name for name, _ in events[:-1]} <= {"progress"}
    name, over = events[-1]
    assert (name, over["state"], over["progress"]) == ("done", "done", {"done": 4, "total": 4})
    assert over["result"]["action"] == "generated"
    again = client.post("/api/find-or-make", body)
    assert again.status_code == 200
    assert again.json()["result"]["id"] == over["result"]["id"]
    assert client.get(f"/api/jobs/{job['id']}").json() == over


def test_a_result_says_what_the_command_line_says(client, made):
    payload = client.post("/api/find", {"context": RAIN, **SHORT}).json()["result"]
    assert payload["headline"].startswith(f"reused: {made['id']}")
    assert payload["decision"]["rule"] == "exact"
    assert any(line.startswith("prompt: ") for line in payload["explanation"])
    assert payload["track"]["id"] == made["id"]


def test_a_brief_that_the_caller_states_decides_the_style(client):
    brief = {"fits": ["synthwave"], "valence": 0, "energy": 0.5}
    assert client.make(RAIN, brief=brief)["style"] == "synthwave"
    enum = client.get("/api/schema/brief").json()["properties"]["fits"]["items"]["enum"]
    assert "synthwave" in enum
    for mistake, words in (
        ({"fits": ["synthwafe"]}, "did you mean synthwave"),
        ({"valance": 1}, "did you mean valence"),
        ({"energy": 3}, "brief.energy is 3"),
    ):
        wrong = client.post("/api/find", {"context": RAIN, "brief": {**brief, **mistake}})
        assert wrong.status_code == 422
        assert words in wrong.json()["detail"]


def test_find_never_makes(client, made):
    payload = client.post("/api/find", {"context": CARGO, **SHORT}).json()["result"]
    assert (payload["action"], payload["track"]) == ("none", None)
    assert client.get("/api/tracks").json()["total"] == 1
    assert client.get("/api/jobs").json()["waiting"] == 0


def test_a_preview_leaves_no_line_and_counts_nowhere(client, made):
    lines = client.get("/api/history").json()["requests"]
    decided = [line for line in client.get("/metrics").text.splitlines() if "decisions" in line]
    for body, action in (({"context": RAIN}, "reused"), ({"context": RAIN, "reuse": "never"}, "none")):
        payload = client.post("/api/find", {**body, "log": False, **SHORT}).json()["result"]
        assert (payload["action"], payload["request"]["style"]) == (action, made["style"])
    assert client.post("/api/find", {"context": "", "log": False}).status_code == 422
    assert client.get("/api/history").json()["requests"] == lines
    assert decided
    assert [line for line in client.get("/metrics").text.splitlines() if "decisions" in line] == decided
    client.post("/api/find", {"context": RAIN, **SHORT})
    assert len(client.get("/api/history").json()["requests"]) == len(lines) + 1


def test_what_makes_is_always_logged(client):
    payload = client.post("/api/find-or-make", {"context": RAIN, "log": False, **SHORT})
    assert (payload.status_code, payload.json()["detail"][:20]) == (422, "unknown option 'log'")


def test_a_dry_run_decides_and_stops(client):
    payload = client.post("/api/find-or-make", {"context": RAIN, "dry_run": True, **SHORT})
    assert (payload.status_code, payload.json()["result"]["action"]) == (200, "none")
    assert client.get("/api/jobs").json()["jobs"] == []


def test_always_reuses_or_says_that_nothing_is_there(client):
    payload = client.post("/api/find-or-make", {"context": RAIN, "reuse": "always", **SHORT})
    assert (payload.status_code, payload.headers["content-type"]) == (404, "application/problem+json")
    made = client.make(CARGO)
    payload = client.post("/api/find-or-make", {"context": RAIN, "reuse": "always", **SHORT})
    assert payload.json()["result"]["id"] == made["id"]


def test_never_makes_anew(client, made):
    again = client.make(RAIN, reuse="never")
    assert again["id"] != made["id"]


def test_a_payload_is_taken_as_the_context(client, made):
    payload = client.post("/api/find", {"context": {"answer": RAIN, "question": "?"}, **SHORT}).json()
    assert payload["result"]["id"] == made["id"] or payload["result"]["action"] == "reused"


def test_only_a_caller_with_the_secret_is_told_paths(client, made):
    home = str(client.app.state.shared.service.store.home)
    assert made["path"] is None
    payload = client.post("/api/find", {"context": RAIN, **SHORT})
    assert home not in payload.text
    payload = client.post(
        "/api/find", {"context": RAIN, **SHORT}, headers={"Authorization": f"Bearer {SECRET}"}
    ).json()
    assert payload["result"]["path"].startswith(home)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"context": ""}, "the text is empty"),
        ({"context": RAIN, "preset": "ambient_lofy"}, "ambient_lofi"),
        ({"context": RAIN, "seed": -1}, "seed"),
        ({"context": RAIN, "nonsense": 1}, "nonsense"),
        ({"context": {"other": 1}}, "no text"),
        ({}, "context"),
    ],
)
def test_what_cannot_be_asked_is_told_in_one_sentence(client, body, message):
    answer = client.post("/api/find-or-make", body)
    payload = answer.json()
    assert (answer.status_code, payload["status"], payload["exit_code"]) == (422, 422, 2)
    assert message in payload["detail"]


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


@pytest.mark.parametrize("path", ["/events", "/audio"])
def test_a_job_of_another_process_is_looked_for_beside_the_event_loop(client, monkeypatch, path):
    journal = client.app.state.shared.jobs._journal
    find, threads = journal.find, set()
    monkeypatch.setattr(
        journal, "find", lambda job_id: threads.add(threading.current_thread()) or find(job_id)
    )
    assert client.get(f"/api/jobs/nothing{path}").status_code == 404
    assert threads
    assert threading.current_thread() not in threads


def test_the_event_loop_goes_on_while_a_listener_who_went_is_logged(client, steps, monkeypatch):
    steps.go.clear()
    client.post("/api/find-or-make", {"context": RAIN, **SHORT})
    assert steps.began.acquire(timeout=30)
    shared, free, went_on = client.app.state.shared, threading.Event(), []
    log = shared.service.log_cancelled

    def log_slowly(*context, **arguments):
        went_on.append(free.wait(5.0))
        log(*context, **arguments)

    monkeypatch.setattr(shared.service, "log_cancelled", log_slowly)

    async def leave() -> None:
        transport = httpx.ASGITransport(client.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8765") as asking:
            listener = asyncio.create_task(asking.post("/api/stream", json={"context": CARGO, **SHORT}))
            while not shared.jobs.waiting:
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.2)  # until it listens
            listener.cancel()
            while not went_on and shared.jobs.waiting:
                await asyncio.sleep(0.01)
            free.set()
            with pytest.raises(asyncio.CancelledError):
                await listener

    asyncio.run(leave())
    assert went_on == [True]
    assert shared.jobs.list()[0].state == "cancelled"
    assert [line.rule for line in shared.service.store.requests.list()] == ["cancelled"]


def test_of_several_takes_one_is_kept_and_the_result_says_why(client):
    result = client.make(RAIN, takes=2)
    assert result["track"]["checked"]["takes"] == 2
    assert "of 2 was kept: nothing is wrong with it" in result["reason"]
    assert client.get("/api/statistics").json()["checks"]["procedural"]["takes"] == 2
    refused = client.post("/api/find-or-make", {"context": RAIN, "takes": 2, "seed": 1})
    assert refused.status_code == 422
    assert "takes=2 and seed=1 contradict each other" in refused.text


def test_a_request_that_waits_for_the_log_keeps_no_other_from_its_turn(open_client):
    client = open_client(workers=1, logged=1)
    made = client.make(RAIN)
    store = client.app.state.shared.service.store

    async def ask() -> None:
        transport = httpx.ASGITransport(client.app)
        async with (
            client.app.router.lifespan_context(client.app),
            httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8765") as asking,
        ):
            with store.tables["requests"].locked():
                again = asking.post("/api/find-or-make", json={"context": RAIN, **SHORT})
                logged = asyncio.ensure_future(again)
                while not store.requests.table._writing:
                    await asyncio.sleep(0.01)
                shown = asking.get(f"/api/tracks/{made['track']['id']}")
                assert (await asyncio.wait_for(shown, 30.0)).status_code == 200
                assert not logged.done()
            assert (await logged).json()["result"]["action"] == "reused"

    asyncio.run(ask())
