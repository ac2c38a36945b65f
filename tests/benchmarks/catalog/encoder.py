"""Compare the numpy encoder with sentence-transformers: start, memory, speed and exactness, in one run.

    python tests/benchmarks/catalog/encoder.py [--texts FILE] [--skip-reference]

Each start is a new process. `--texts` takes a file with one text a line; without it sentences are made up.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT))

from music_catalog.disk.files import sha256_of  # noqa: E402
from music_catalog.text import encoder, encoder_files  # noqa: E402

NUMPY = """
from music_catalog.text import encoder
made = encoder.load()
encode = made.encode
"""
REFERENCE = """
import warnings; warnings.simplefilter("ignore")
from music_catalog.text import encoder_files as weights
from sentence_transformers import SentenceTransformer
encode = SentenceTransformer(str(weights.locate()), device="cpu").encode
"""
MEASURE = """
import json, resource, sys, time
start = time.perf_counter()
exec(sys.argv[1])
encode(["warm the path"])
first = time.perf_counter() - start
texts = json.load(open(sys.argv[2]))
short = []
for text in texts[:20]:
    start = time.perf_counter(); encode([text]); short.append(time.perf_counter() - start)
start = time.perf_counter(); vectors = encode(texts); many = time.perf_counter() - start
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
print(json.dumps([first, sorted(short)[10], len(texts) / many, peak, [v[:8].tolist() for v in vectors]]))
"""


def measure(loader: str, texts: Path) -> tuple[list[float], np.ndarray]:
    """Return [seconds to the first vector, seconds a text, texts a second, MiB] and the vectors' first numbers."""
    command = [sys.executable, "-c", MEASURE, loader, str(texts)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    *figures, vectors = json.loads(done.stdout.splitlines()[-1])
    return figures, np.asarray(vectors)


def made_up(count: int) -> list[str]:
    rng = np.random.default_rng(0)
    words = [
        "rain",
        "calm",
        "river",
        "night",
        "storm",
        "song",
        "engine",
        "letter",
        "teacher",
        "forest",
        "winter",
    ]
    return [" ".join(rng.choice(words, size=rng.integers(6, 40))).capitalize() + "." for _ in range(count)]


def timed(call: Callable[[], object], repeats: int = 5) -> float:
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def documents() -> None:
    loaded = encoder.load()
    loaded.encode(["warm"])
    text = " ".join(made_up(20_000))
    print("embed_document, ms (median of 5)")
    for size in (100, 1_000, 10_000, 100_000, 1_000_000):
        print(
            f"  {size:>9,} characters  {1000 * timed(lambda n=size: encoder.embed_document(loaded, text[:n])):8.1f}"
        )


def verification() -> None:
    path = encoder_files.locate() / "model.safetensors"
    print(f"sha256 of the weights: {1000 * timed(lambda: sha256_of(path), 3):.0f} ms; ", end="")
    print(f"remembered: {1000 * timed(lambda: encoder_files.verified_sha256(path)):.2f} ms")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--texts", type=Path)
    parser.add_argument("--skip-reference", action="store_true")
    options = parser.parse_args()
    texts = options.texts.read_text(encoding="utf-8").splitlines() if options.texts else made_up(200)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "texts.json"
        file.write_text(json.dumps([text for text in texts if text.strip()][:500]))
        ways = (
            {"numpy": NUMPY}
            if options.skip_reference
            else {"numpy": NUMPY, "sentence-transformers": REFERENCE}
        )
        found = {}
        print(f"{'':24}{'first vector s':>16}{'one text ms':>14}{'texts/s':>10}{'peak MiB':>10}")
        for name, loader in ways.items():
            (first, short, rate, peak), found[name] = measure(loader, file)
            print(f"{name:24}{first:16.2f}{1000 * short:14.1f}{rate:10.0f}{peak:10.0f}")
        if len(found) == 2:
            print(f"largest difference: {np.abs(found['numpy'] - found['sentence-transformers']).max():.1e}")
    documents()
    verification()


if __name__ == "__main__":
    main()
