"""Load a real service with many clients, and print latencies, answers by status, its memory and its descriptors.

Each client waits for an answer before it asks again, over a connection that it keeps: reuse, find, search, lists,
audio whole and in ranges, pictures, statistics, and now and then a make, which a full queue refuses (429). With
`--descriptors 256` the service may open so many files, as on macOS, and cannot raise the limit. Memory, descriptors and
processor time are read from /proc, so on Linux only.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import os
import random
import re
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urlsplit

import numpy as np

ROOT = Path(__file__).resolve().parents[3]
SCENES = ["rain on the library windows", "wolves in the snow", "a sunny market", "a quiet harbour at night"]
MOODS = ["calm and peaceful", "tense and full of fear", "bright with laughter", "sad and slow", "solemn"]
SHORT = {"quality": "preview", "backend": "procedural"}
KINDS = {
    "reuse": 25,
    "find": 10,
    "search": 15,
    "list": 10,
    "track": 5,
    "audio": 10,
    "range": 10,
    "flac": 2,
    "peaks": 4,
    "spectrogram": 1,
    "similar": 2,
    "map": 1,
    "history": 2,
    "statistics": 1,
    "health": 5,
    "make": 1,
}
"""Kinds of requests, and how often each is sent."""
MARK = re.compile(r"^error [0-9a-f]{8}$", re.MULTILINE)
"""The line before a traceback, with a mark that is another one each time."""
ENTRY = re.compile(r"^(?=error [0-9a-f]{8}$)|^(?=\w.*; it is passed over$)", re.MULTILINE)
MOST_ENTRIES = 20
Request = tuple[str, str, dict | None, dict[str, str]]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--clients", type=int, nargs="+", default=[24, 64], help="numbers of clients, in turn"
    )
    parser.add_argument("--seconds", type=float, default=20.0, help="of load for each number of clients")
    parser.add_argument(
        "--descriptors", type=int, default=0, help="files that the service may open; 0: as here"
    )
    parser.add_argument("--sample-s", type=float, default=5.0, help="seconds between looks at memory")
    parser.add_argument(
        "--alone", type=int, default=0, help="requests of each kind that one client sends first"
    )
    parser.add_argument(
        "--think-s", type=float, default=0.0, help="mean seconds that a client waits before it asks again"
    )
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        served(Path(folder), args.descriptors) as (process, address),
    ):
        tracks = make_tracks(address)
        print(f"{len(tracks)} tracks; {memory(process.pid)}")
        if args.alone:
            one_client(process.pid, address, tracks, args)
        for clients in args.clients:
            load(process.pid, address, tracks, clients, args)
            time.sleep(2)
            print(f"  2 s after the load: {memory(process.pid)}, health {health(address)}")


@contextlib.contextmanager
def served(folder: Path, descriptors: int) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run the service in `folder`, and yield its process and address."""

    def limit() -> None:
        if descriptors:
            resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, descriptors))

    log = (folder / "log").open("w")
    process = subprocess.Popen(
        [sys.executable, "-m", "music_catalog", "serve", "--home", str(folder / "home"), "--port", "0"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=log,
        text=True,
        preexec_fn=limit,
    )
    assert process.stdout is not None
    try:
        yield process, process.stdout.readline().strip()
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)
        log.close()
        print(f"the service ended with {process.returncode}")
        print_log((folder / "log").read_text())


def print_log(log: str) -> None:
    """Print each different entry of the service's log once, tracebacks whole, with how often it is there."""
    entries = Counter(MARK.sub("error", entry).rstrip() for entry in ENTRY.split(log) if entry.strip())
    print(f"its log has {entries.total()} entries, {len(entries)} of them different")
    for entry, count in entries.most_common(MOST_ENTRIES):
        print(f"--- {count} times:\n{entry}")


def make_tracks(address: str) -> list[str]:
    """Have a track made for each scene and mood, and return their ids."""
    tracks = []
    for text in (f"It is {mood}: {scene}." for scene in SCENES for mood in MOODS):
        body = {"context": text, "reuse": "never", "duration_s": 10.0, **SHORT}
        job = json.loads(ask(address, ("POST", "/api/find-or-make", body, {}))[1])["job"]
        events = ask(address, ("GET", f"/api/jobs/{job['id']}/events", None, {}))[1]
        tracks.append(json.loads(events.rstrip().rpartition(b"data: ")[2])["result"]["track"]["id"])
    return tracks


def load(pid: int, address: str, tracks: list[str], clients: int, args: argparse.Namespace) -> None:
    """Let `clients` ask for `args.seconds`, and print what they saw."""
    took: dict[str, list[float]] = defaultdict(list)
    answers: Counter[tuple[str, int | str]] = Counter()
    began, worked = time.monotonic(), processor_s(pid)
    stop = began + args.seconds

    def client(number: int) -> None:
        draw = random.Random(f"{args.seed} {clients} {number}")
        connection = connected(address)
        while time.monotonic() < stop:
            (kind,) = draw.choices([*KINDS], [*KINDS.values()])
            asked = time.perf_counter()
            try:
                status, content, headers = sent(connection, request(kind, draw, tracks))
            except (OSError, http.client.HTTPException) as error:
                answers[kind, type(error).__name__] += 1
                connection.close()
                time.sleep(0.2)
                continue
            answers[kind, status] += 1
            took[kind if status < 400 else "refused"].append(time.perf_counter() - asked)
            if status == 503:
                connection.close()
                assert "retry-after" in headers, content
                time.sleep(draw.uniform(0.1, 0.5))  # sooner than it asks for, to keep the load up
            if args.think_s:
                time.sleep(draw.expovariate(1 / args.think_s))

    threads = [threading.Thread(target=client, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    most, samples = 0, []
    while any(thread.is_alive() for thread in threads):
        most = max(most, descriptors_of(pid))
        if time.monotonic() - began >= len(samples) * args.sample_s:
            samples.append(rss_mb(pid))
        time.sleep(0.1)
    print_load(clients, args.seconds, took, answers)
    each_ms = (processor_s(pid) - worked) / max(1, answers.total()) * 1e3
    print(
        f"  processor time of the service: {each_ms:.1f} ms an answer; "
        f"load average of the machine {os.getloadavg()[0]:.1f}"
    )
    print(f"  most descriptors {most}; RSS every {args.sample_s:g} s: {' '.join(map(str, samples))} MB")


def one_client(pid: int, address: str, tracks: list[str], args: argparse.Namespace) -> None:
    """Let one client ask `args.alone` times for each kind, and print the processor time of an answer."""
    draw, mean_ms = random.Random(args.seed), 0.0
    with contextlib.closing(connected(address)) as connection:
        for kind, weight in KINDS.items():
            if kind == "make":
                continue
            for measured in (False, True):
                worked, began = processor_s(pid), time.perf_counter()
                for _ in range(args.alone if measured else 5):
                    status, content, _ = sent(connection, request(kind, draw, tracks))
                    assert status < 300, content
            each_ms = (processor_s(pid) - worked) / args.alone * 1e3
            took_ms = (time.perf_counter() - began) / args.alone * 1e3
            mean_ms += each_ms * weight / (sum(KINDS.values()) - KINDS["make"])
            print(f"  alone: {kind:12} {each_ms:6.1f} ms of processor time, {took_ms:6.1f} ms in all")
    print(f"  alone: {mean_ms:.1f} ms of processor time an answer, in the mix of kinds")


def print_load(
    clients: int,
    seconds: float,
    took: dict[str, list[float]],
    answers: Counter[tuple[str, int | str]],
) -> None:
    statuses: Counter[int | str] = Counter()
    for (_, status), count in answers.items():
        statuses[status] += count
    good = [one for kind, times in took.items() if kind != "refused" for one in times]
    print(
        f"{clients} clients, {seconds:g} s: {answers.total()} answers, {len(good) / seconds:.1f} good ones a second"
    )
    print(
        "  by status: "
        + ", ".join(f"{status}: {count}" for status, count in sorted(statuses.items(), key=str))
    )
    for kind, times in [("all good", good), *sorted(took.items())]:
        if times:
            p50, p95, p99 = np.percentile(times, [50, 95, 99])
            print(
                f"  {kind:12} {len(times):6}  p50 {p50:6.3f}  p95 {p95:6.3f}  p99 {p99:6.3f}  max {max(times):6.3f} s"
            )


def request(kind: str, draw: random.Random, tracks: list[str]) -> Request:
    """Return a request of a kind: method, path, body, headers."""
    track = draw.choice(tracks)
    text = f"It is {draw.choice(MOODS)}: {draw.choice(SCENES)}."
    if kind in ("reuse", "find"):
        path = "/api/find" if kind == "find" else "/api/find-or-make"
        return "POST", path, {"context": text, "duration_s": 10.0, **SHORT}, {}
    if kind == "make":
        body = {"context": text, "reuse": "never", "seed": draw.randrange(2**31), "duration_s": 10.0, **SHORT}
        return "POST", "/api/find-or-make", body, {}
    if kind == "range":
        first = draw.randrange(100_000)
        return "GET", f"/api/tracks/{track}/audio", None, {"Range": f"bytes={first}-{first + 65_535}"}
    paths = {
        "search": f"/api/tracks?q={quote(draw.choice(SCENES))}&by={draw.choice(['meaning', 'words', 'both'])}&limit=20",
        "list": f"/api/tracks?limit=50&offset={draw.randrange(10)}",
        "track": f"/api/tracks/{track}",
        "audio": f"/api/tracks/{track}/audio",
        "flac": f"/api/tracks/{track}/audio?format=flac",
        "peaks": f"/api/tracks/{track}/peaks?points=400",
        "spectrogram": f"/api/tracks/{track}/spectrogram.png",
        "similar": f"/api/tracks/{track}/similar?by={draw.choice(['text', 'sound'])}",
        "map": "/api/map",
        "history": "/api/history?limit=20",
        "statistics": "/api/statistics",
        "health": "/api/health",
    }
    return "GET", paths[kind], None, {}


def connected(address: str) -> http.client.HTTPConnection:
    place = urlsplit(address)
    assert place.hostname
    return http.client.HTTPConnection(place.hostname, place.port, timeout=120)


def sent(connection: http.client.HTTPConnection, request: Request) -> tuple[int, bytes, dict[str, str]]:
    """Return the status, the content and the headers of an answer."""
    method, path, body, headers = request
    content = None if body is None else json.dumps(body).encode()
    connection.request(method, path, content, {"Content-Type": "application/json", **headers})
    response = connection.getresponse()
    content = response.read()
    return response.status, content, {name.lower(): value for name, value in response.getheaders()}


def ask(address: str, request: Request) -> tuple[int, bytes]:
    with contextlib.closing(connected(address)) as connection:
        status, content, _ = sent(connection, request)
    assert status < 300, content
    return status, content


def health(address: str) -> str:
    began = time.perf_counter()
    status, _ = ask(address, ("GET", "/api/health", None, {}))
    return f"{status} in {(time.perf_counter() - began) * 1e3:.1f} ms"


def memory(pid: int) -> str:
    threads = len([*Path(f"/proc/{pid}/task").iterdir()])
    return f"RSS {rss_mb(pid)} MB, {descriptors_of(pid)} descriptors, {threads} threads"


def rss_mb(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * resource.getpagesize() // 2**20


def processor_s(pid: int) -> float:
    """Return the processor time that a process has taken, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def descriptors_of(pid: int) -> int:
    return len([*Path(f"/proc/{pid}/fd").iterdir()])


if __name__ == "__main__":
    main()
