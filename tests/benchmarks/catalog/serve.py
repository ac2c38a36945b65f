"""Measure what the service costs and saves: kept connections, reuse from the command line, 32 clients during a make.

First one client asks for `/api/health`, a page of the list, a track and 64 KB of its audio over one connection, again
and again. Part 1 runs whole processes in turn: `python -c pass`, and `catalog find-or-make` of a request that was made
before, through a running service, and another one with `--no-server`. Part 2 lets 32 clients reuse and search over
HTTP, first with the service idle and then while one job makes, and prints the latency they see.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np

ROOT = Path(__file__).resolve().parents[3]
TEXTS = [
    "Soft rain taps on the library windows while students read in calm, peaceful silence.",
    "Wolves howl in the snow under a full moon; fear grips the tense, dark valley.",
    "The market opens and bright voices fill the sunny square with laughter.",
    "Container shipping volumes grew by four percent in the third quarter.",
]
SHORT = {"duration_s": 5.0, "quality": "preview", "backend": "procedural"}
FLAGS = ["--duration", "5", "--quality", "preview", "--backend", "procedural"]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=15, help="processes of each kind")
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=8.0, help="of load, idle and beside a make")
    parser.add_argument(
        "--make-s", type=float, default=240.0, help="length of the music made beside the load"
    )
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, served(Path(folder) / "home") as (home, address):
        for text in TEXTS:
            job = post(address, "/api/find-or-make", {"context": text, **SHORT})
            follow(address, job["job"]["id"])
        track = get(address, "/api/tracks")["tracks"][0]["id"]
        for path in ("/api/health", "/api/tracks", f"/api/tracks/{track}", f"/api/tracks/{track}/audio"):
            keep_alive(address, path)
        processes(home, args.runs)
        load(address, args)


@contextlib.contextmanager
def served(home: Path):
    """Run the service in `home`, and yield the home and the address."""
    command = [sys.executable, "-m", "music_catalog", "serve", "--home", str(home), "--port", "0"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        yield home, process.stdout.readline().strip()
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def keep_alive(address: str, path: str, answers: int = 200) -> None:
    connection, took = connected(address), []
    for _ in range(answers + 1):
        began = time.perf_counter()
        connection.request("GET", path, headers={"Range": "bytes=0-65535"})
        response = connection.getresponse()
        content = response.read()
        took.append(time.perf_counter() - began)
        assert response.status < 300, content
    connection.close()
    p5, p50, p95 = np.percentile(took[1:], [5, 50, 95]) * 1e3
    print(f"{answers} answers of {path} over one connection: p5 {p5:.1f}, p50 {p50:.1f}, p95 {p95:.1f} ms")


def processes(home: Path, runs: int) -> None:
    python = [sys.executable]
    command = [*python, str(ROOT / "cli.py"), "find-or-make"]
    # Two texts: an answer without the service is kept, and the same call would then not reach the service any more.
    kinds = {
        "python -c pass": [*python, "-c", "pass"],
        "reuse through the service": [*command, TEXTS[0], *FLAGS, "--home", str(home)],
        "reuse without it": [*command, TEXTS[1], *FLAGS, "--home", str(home), "--no-server"],
    }
    seconds: dict[str, list[float]] = {name: [] for name in kinds}
    for _ in range(runs + 1):
        for name, command in kinds.items():
            began = time.perf_counter()
            subprocess.run(command, check=True, capture_output=True, env=os.environ)
            seconds[name].append(time.perf_counter() - began)
    print(f"whole processes, {runs} of each in turn, the first left out")
    least = np.median(seconds["python -c pass"][1:])
    for name, took in seconds.items():
        took = took[1:]
        print(
            f"  {name:26} median {np.median(took) * 1e3:7.1f} ms, fastest {min(took) * 1e3:7.1f} ms, "
            f"above pass {(np.median(took) - least) * 1e3:7.1f} ms"
        )


def load(address: str, args: argparse.Namespace) -> None:
    print(f"{args.clients} clients, half of them reuse and half search, {args.seconds:g} s each")
    print_latencies("  service idle   ", drive(address, args))
    wanted = {
        "context": "A slow river under the stars.",
        **SHORT,
        "duration_s": args.make_s,
        "quality": "final",
    }
    job = post(address, "/api/find-or-make", {**wanted, "reuse": "never"})["job"]
    while get(address, f"/api/jobs/{job['id']}")["state"] == "queued":
        time.sleep(0.01)
    print_latencies("  one job makes  ", drive(address, args))
    state = get(address, f"/api/jobs/{job['id']}")
    print(f"  the job is {state['state']}, {state['progress']}")


def drive(address: str, args: argparse.Namespace) -> dict[str, list[float]]:
    """Return the latencies of clients that wait for each answer, in seconds."""
    took: dict[str, list[float]] = {"reuse": [], "search": []}
    stop = time.monotonic() + args.seconds

    def client(number: int) -> None:
        connection = connected(address)
        text = TEXTS[number % len(TEXTS)]
        while time.monotonic() < stop:
            began = time.perf_counter()
            if number % 2:
                answer = call_api(connection, "POST", "/api/find-or-make", {"context": text, **SHORT})
                assert answer["result"]["action"] == "reused"
            else:
                answer = call_api(connection, "GET", "/api/tracks?q=rain%20mood:calm&by=both&limit=20")
                assert "tracks" in answer
            took["reuse" if number % 2 else "search"].append(time.perf_counter() - began)
        connection.close()

    threads = [threading.Thread(target=client, args=(number,)) for number in range(args.clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return took


def print_latencies(title: str, took: dict[str, list[float]]) -> None:
    for kind, seconds in took.items():
        p50, p95 = np.percentile(seconds, [50, 95]) * 1e3
        print(
            f"{title} {kind:6} {len(seconds):6} answers, p50 {p50:7.1f} ms, p95 {p95:7.1f} ms, "
            f"max {max(seconds) * 1e3:7.1f} ms"
        )


def connected(address: str) -> http.client.HTTPConnection:
    place = urlsplit(address)
    return http.client.HTTPConnection(place.hostname, place.port, timeout=120)


def call_api(connection: http.client.HTTPConnection, method: str, path: str, body: object = None) -> dict:
    content = None if body is None else json.dumps(body).encode()
    connection.request(method, path, content, {"Content-Type": "application/json"})
    response = connection.getresponse()
    content = response.read()
    assert response.status < 300, content
    return json.loads(content)


def post(address: str, path: str, body: object) -> dict:
    return call_api(connected(address), "POST", path, body)


def get(address: str, path: str) -> dict:
    return call_api(connected(address), "GET", path)


def follow(address: str, job_id: str) -> None:
    connection = connected(address)
    connection.request("GET", f"/api/jobs/{job_id}/events")
    assert b"event: done" in connection.getresponse().read()


if __name__ == "__main__":
    main()
