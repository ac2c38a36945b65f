"""Kill replicas amid makes, merges and compactions on an object store that refuses requests; count what is lost.

    python tests/benchmarks/catalog/kills.py [--kills 100] [--refused 0.05] [--minutes 25]

Starts SeaweedFS on loopback and a proxy before it that answers a share of the requests 503. Three replicas make tracks,
share requests and rate what they made, a fourth process compacts; each is killed by SIGKILL some moments later, and
four others take their places. At the end every row is read and every audio compared with its sha256. Exit code 1 tells
that something acknowledged is lost, that something is there twice, or that a row lacks its audio.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "cluster"))

from object_servers import s3_environment, start_seaweed
from replicas import faults_of, kill_replicas, noted, open_service
from slow_store import SlowStore

TESTS = Path(__file__).resolve().parents[2]
READY_S = 600.0
"""How long four processes may take until each has done its first work, on a machine with much else to do."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--refused", type=float, default=0.05)
    parser.add_argument(
        "--minutes", type=float, default=25.0, help="stop after so many, and count what is there"
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        server = start_seaweed(Path(folder))
        try:
            with SlowStore(server.endpoint, refused=options.refused) as store:
                os.environ.update(s3_environment(store.endpoint))
                bad = work(server.address(), Path(folder), options.kills, 60 * options.minutes)
                print(f"{store.counts['503']} of {sum(store.counts.values()):,} requests were refused")
        finally:
            server.stop()
    sys.exit(bad)


def work(home: str, folder: Path, kills: int, most_s: float) -> bool:
    """Kill and count; return whether anything is wrong."""
    log, began = folder / "log", time.monotonic()
    open_service(home, folder / "first").close()
    for killed in kill_replicas(home, folder, log, random.Random(kills), _quick_start(), READY_S):
        print(f"{killed} kills after {time.monotonic() - began:.0f} s", flush=True)
        if killed >= kills or time.monotonic() - began > most_s:
            break
    lines = noted(log)
    counts, faults = faults_of(home, folder / "last", lines)
    kinds = Counter(next(iter(line)) for line in lines)
    errors = Counter(line["error"][:160] for line in lines if "error" in line)
    print(f"{killed} kills: {dict(counts)}, {dict(kinds)}, errors {dict(errors)}")
    for name, found in faults.items():
        print(f"{name}: {len(found)} {found[:5] or ''}")
    return any(faults.values())


def _quick_start() -> multiprocessing.context.BaseContext:
    """Return a way to start processes that have their modules already: importing them takes most of a start."""
    above = os.environ.get("PYTHONPATH", "")
    os.environ["PYTHONPATH"] = os.pathsep.join([str(TESTS), str(TESTS / "cluster"), *filter(None, [above])])
    start = multiprocessing.get_context("forkserver")
    start.set_forkserver_preload(["replicas", "music_catalog", "lancedb", "obstore", "soundfile"])
    return start


if __name__ == "__main__":
    main()
