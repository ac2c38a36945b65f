"""Run the benchmarks one after the other; before the first, tell how long all of them usually take.

    python tests/benchmarks/bench.py [--all] [--eval-dir FOLDER] [--list]

Without --all only the quick ones run, some with smaller numbers than those of docs/; on a busy machine the
last of them are left out, and named, so that 15 minutes are kept. --all runs every script as it stands. Scripts that
need public data sets are skipped without --eval-dir.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

__all__ = ["BENCHMARKS", "QUICK_MINUTES", "Benchmark", "chosen", "estimate", "fits"]

FOLDER = Path(__file__).parent
QUICK_MINUTES = 15
"""The quick ones take less than this together."""


@dataclass(frozen=True)
class Benchmark:
    script: str
    seconds: int
    """What it usually takes as it stands, on two cores that do little else."""
    quick: str | None = None
    """The arguments of the quick run; None for a script that only --all runs."""
    quick_seconds: int = 0
    data: str = ""
    """"needed" where it reads public data sets, "used" where it can do without."""

    def usual(self, everything: bool) -> int:
        """Return the seconds it usually takes."""
        return self.seconds if everything else self.quick_seconds


# Measured on two shared cores and rounded up, or guessed where it says so. A run prints what it took beside the figure
# here: correct it.
BENCHMARKS = (
    Benchmark("catalog/find_or_make.py", 70, "--runs 1 --tracks 10", 40),
    Benchmark("catalog/store.py", 10, "--rows 1000 --calls 20", 10),
    Benchmark("catalog/reading_speed.py", 300, "--calls 10 --tracks 1000", 20),
    Benchmark("catalog/reuse_speed.py", 900, "--sizes 1000 --calls 20 --no-cold", 10),
    Benchmark("catalog/reuse_quality.py", 600, "--splits 20 --decisions 500", 45, data="used"),
    Benchmark("catalog/language_of_texts.py", 10, "", 10, data="used"),
    Benchmark("catalog/languages.py", 10, "", 10),
    Benchmark("catalog/encoder.py", 40, "--skip-reference", 20),
    Benchmark("catalog/listed_chances.py", 25, "", 25),
    Benchmark("catalog/feedback.py", 15, "--lines 2000 --tracks 200 --calls 5", 5, data="used"),
    Benchmark("catalog/backup.py", 40, "--tracks 100", 10),
    Benchmark("catalog/objects.py", 600, "--tracks 1000 --calls 5", 60),  # guessed
    Benchmark("catalog/kills.py", 720),  # by 56 kills in 382 s on a busy machine
    Benchmark("catalog/many_tracks.py", 1800),  # a guess for idle cores
    Benchmark("catalog/bulk.py", 90, "--texts 100 --rounds 1", 30),
    Benchmark("catalog/serve.py", 40, "--seconds 3", 30),
    Benchmark("generator/procedural.py", 250, "--seconds 10 --runs 1", 40),
    Benchmark("generator/audio.py", 20, "", 20),
    Benchmark("generator/timbre.py", 70, "--seconds 3 --seeds 2", 25),
    Benchmark("generator/streaming.py", 30, "", 30),
    Benchmark("generator/products.py", 40, "--rounds 3", 30),
    Benchmark("generator/codec.py", 200, "--seconds 1 --rounds 1", 45),
    Benchmark("catalog/load.py", 70),
    Benchmark("generator/scenes.py", 140),
    Benchmark("catalog/adding.py", 240),
    # Guesses from here on, as are the 300, 900, 600 and 250 s above.
    Benchmark("catalog/contexts.py", 900, data="needed"),
    Benchmark("catalog/ear.py", 1800, data="used"),
    Benchmark("catalog/features.py", 300, data="needed"),
    Benchmark("catalog/applications.py", 240),
    Benchmark("catalog/glosses.py", 60),
    Benchmark("catalog/opposite_moods.py", 120, data="needed"),
    Benchmark("catalog/page.py", 300),
    Benchmark("catalog/stock.py", 300, data="used"),
    Benchmark("catalog/stream.py", 600, data="used"),
    Benchmark("catalog/words_and_meaning.py", 300, data="needed"),
    Benchmark("generator/analysis.py", 300),
    Benchmark("generator/copies.py", 900),
    Benchmark("generator/ears.py", 900),
    Benchmark("generator/faults.py", 600),
    Benchmark("generator/musicgen.py", 1200),
    Benchmark("generator/structure.py", 150),
    Benchmark("generator/weights.py", 300),
)


def chosen(*, everything: bool, data: bool) -> list[Benchmark]:
    """Return the benchmarks to run: the quick ones or all, without those whose data sets are not there."""
    return [
        benchmark
        for benchmark in BENCHMARKS
        if (everything or benchmark.quick is not None) and (data or benchmark.data != "needed")
    ]


def estimate(benchmarks: list[Benchmark], *, everything: bool) -> float:
    """Return the minutes that `benchmarks` usually take together."""
    return sum(benchmark.usual(everything) for benchmark in benchmarks) / 60


def fits(benchmark: Benchmark, spent_s: float, usual_s: float) -> bool:
    """Return whether a quick run ends within the limit, at the pace of those before: `spent_s` for `usual_s`."""
    pace = max(1.0, spent_s / usual_s) if usual_s else 1.0
    return spent_s + benchmark.quick_seconds * pace < QUICK_MINUTES * 60


def main() -> int:
    parser = argparse.ArgumentParser(
        description="Run the benchmarks, after an estimate of how long that takes."
    )
    parser.add_argument("--all", action="store_true", help="also the slow ones, each with its own numbers")
    parser.add_argument("--eval-dir", type=Path, help="the folder of public data sets")
    parser.add_argument("--list", action="store_true", help="print the estimates alone")
    asked = parser.parse_args()
    benchmarks = chosen(everything=asked.all, data=asked.eval_dir is not None)
    print(
        f"{len(benchmarks)} benchmarks, usually {estimate(benchmarks, everything=asked.all):.0f} minutes on two cores:"
    )
    for benchmark in benchmarks:
        print(f"  {benchmark.usual(asked.all):5d} s  {benchmark.script}")
    left_out = [each.script for each in BENCHMARKS if each not in benchmarks]
    if left_out:
        print(
            f"not run: {', '.join(left_out)}\n(BENCH=all runs the slow ones, EVAL=folder those that read data sets)"
        )
    return 0 if asked.list else run(benchmarks, everything=asked.all, data=asked.eval_dir)


def run(benchmarks: list[Benchmark], *, everything: bool, data: Path | None) -> int:
    """Run `benchmarks` in order and return the first exit code that is not 0."""
    began, usual_s, late = time.monotonic(), 0, []
    for benchmark in benchmarks:
        spent_s = time.monotonic() - began
        if not everything and not fits(benchmark, spent_s, usual_s):
            late.append(benchmark.script)
            continue
        arguments = [] if everything else (benchmark.quick or "").split()
        if benchmark.data and data:
            arguments += ["--eval-dir", str(data)]
        print(f"\n== {' '.join([benchmark.script, *arguments])}", flush=True)
        done = subprocess.run([sys.executable, str(FOLDER / benchmark.script), *arguments])
        if done.returncode:
            return done.returncode
        usual_s += benchmark.usual(everything)
        took_s = time.monotonic() - began - spent_s
        print(f"-- {took_s:.0f} s, usually {benchmark.usual(everything)}", flush=True)
    if late:
        print(f"\nleft out, as {QUICK_MINUTES} minutes would be over: {', '.join(late)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
