"""The HTTP service killed while accepted jobs wait, and under more clients than its descriptors serve."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import resource
import threading
import time
from collections import Counter
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from homes import note
from invariants import CRASH, LOST, SHORT, in_process, look_over, open_service, start, text_of

from music_catalog.web.server import serve

KILLS, JOBS = 40, 9
CLIENTS, DESCRIPTORS, LOAD_S = (8, 24, 64), 256, 20.0
READY_S, DONE_S = 120.0, 300.0


def served(home, addresses, pause_s=0.0, descriptors=None):
    """Serve a home in this process, whose makes take `pause_s` each; append the address to a file once it is ready."""
    os.fsync = os.fdatasync = lambda descriptor: None
    if descriptors:
        resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, descriptors))
    with open_service(home, made=lambda: time.sleep(pause_s)) as service:
        serve(
            service,
            port=0,
            queue_limit=JOBS + 2,
            warm=False,
            on_ready=lambda address: note(addresses, address),
        )


def begun(home, addresses, **options):
    """Start a service and return its process and the host and port it has."""
    before = Path(addresses).read_text() if Path(addresses).exists() else ""
    process = start(served, home, addresses, *options.values())
    until = time.monotonic() + READY_S
    while not Path(addresses).exists() or Path(addresses).read_text() == before:
        assert process.exitcode is None, f"the service ended with {process.exitcode}"
        assert time.monotonic() < until, "the service does not come up"
        time.sleep(0.02)
    return process, urlsplit(Path(addresses).read_text().splitlines()[-1]).netloc


def asked(netloc, method, path, body=None):
    """Return status and JSON of one request."""
    connection = http.client.HTTPConnection(netloc, timeout=60)
    try:
        content = None if body is None else json.dumps(body).encode()
        connection.request(method, path, content, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def killed_with_jobs(folder, number, dice):
    """Have jobs accepted, kill the service, start it again, and wait for every job."""
    home, addresses = str(folder / f"{number}"), str(folder / f"{number}.addresses")
    process, netloc = begun(home, addresses, pause_s=0.2)
    jobs = {}
    for place in range(JOBS):
        status, answer = asked(netloc, "POST", "/api/find-or-make", {"context": text_of(place), **SHORT})
        if status != 202:
            return [(CRASH, f"a job was answered {status}")]
        jobs[answer["job"]["id"]] = text_of(place)
    time.sleep(dice.uniform(0.0, 1.5))
    process.kill()
    process.join()
    process, netloc = begun(home, addresses)
    found, until = [], time.monotonic() + DONE_S
    for job_id in jobs:
        while True:
            status, answer = asked(netloc, "GET", f"/api/jobs/{job_id}")
            if (
                status != 200
                or answer["state"] in ("done", "failed", "cancelled")
                or time.monotonic() > until
            ):
                break
            time.sleep(0.05)
        if status != 200 or answer["state"] != "done":
            found.append((LOST, f"job {job_id} is {status} {answer.get('state')} {answer.get('error')}"))
    process.terminate()
    process.join(60)
    found += in_process(_looked_over, home)
    return found


def _looked_over(home):
    return look_over(home, {}, unknown=JOBS, again=[text_of(place) for place in range(JOBS)])


def test_a_service_is_killed_with_accepted_jobs(tmp_path, dice, scaled, tally):
    with tally(f"service killed with {JOBS} accepted jobs, started again") as count:
        for number in range(scaled(KILLS)):
            count.tried(f"kill {number}", killed_with_jobs(tmp_path, number, dice))


def loaded(netloc, tracks, until, seen):
    """Ask in turn for everything over a kept connection, until the time is over; count the answers by status."""
    paths = [
        "/api/health",
        "/api/tracks",
        f"/api/tracks/{tracks[0]}/audio",
        "/api/history",
        f"/api/tracks/{tracks[1]}",
    ]
    connection = http.client.HTTPConnection(netloc, timeout=60)  # connects anew after it was closed
    with contextlib.closing(connection):
        while time.monotonic() < until:
            for path in paths:
                try:
                    connection.request("GET", path)
                    answer = connection.getresponse()
                    answer.read()
                    seen[answer.status, answer.headers.get("Retry-After") is not None] += 1
                except (OSError, http.client.HTTPException) as error:
                    seen[type(error).__name__, False] += 1
                    connection.close()
                    time.sleep(0.1)


@pytest.mark.parametrize("clients", CLIENTS)
def test_many_clients_on_few_descriptors(clients, tmp_path, scaled, tally):
    home, addresses = str(tmp_path / "home"), str(tmp_path / "addresses")
    tracks = in_process(two_tracks, home)
    load_s = min(LOAD_S, scaled(int(LOAD_S)) + 2)
    with tally(f"{clients} clients on {DESCRIPTORS} descriptors for {load_s:.0f} s, answers") as count:
        process, netloc = begun(home, addresses, pause_s=0.0, descriptors=DESCRIPTORS)
        seen, until = Counter(), time.monotonic() + load_s
        threads = [
            threading.Thread(target=loaded, args=(netloc, tracks, until, seen)) for _ in range(clients)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        status, _ = asked(netloc, "GET", "/api/health")
        process.terminate()
        process.join(60)
        for (answer, retry), times in seen.items():
            bad = (answer == 503 and not retry) or (
                isinstance(answer, int) and answer >= 500 and answer != 503
            )
            for _ in range(times):
                count.tried(str(answer), [(CRASH, f"an answer is {answer}")] if bad else [])
        if status != 200:
            count.tried("health", [(CRASH, f"health is {status} after the load")])
        full = seen[503, True]
        broken = sum(times for (answer, _), times in seen.items() if isinstance(answer, str))
        count.notes.append(f"{full} answers 503 with Retry-After, {broken} connections closed")


def two_tracks(home):
    with open_service(home) as service:
        return [service.find_or_make(text_of(number), **SHORT).track.id for number in range(2)]
