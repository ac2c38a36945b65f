"""The memory of a service: few heaps, and what is free in them goes back to the system."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from music_catalog.web.limits import MOST_ARENAS

pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has such heaps")

ROOT = Path(__file__).resolve().parents[3]

HEAPS = """
import ctypes, sys, threading
from music_catalog.web import limits

if sys.argv[1:]:
    assert limits.limit_arenas()
together = threading.Barrier(40)

def work():
    held = bytearray(100_000)
    together.wait()

threads = [threading.Thread(target=work) for _ in range(40)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
libc = ctypes.CDLL(None)
libc.fopen.restype = ctypes.c_void_p
file = ctypes.c_void_p(libc.fopen(b"/dev/stdout", b"w"))
libc.malloc_info(0, file)
libc.fclose(file)
"""


def test_many_threads_share_few_heaps():
    environment = {name: value for name, value in os.environ.items() if name != "MALLOC_ARENA_MAX"}

    def heaps(*arguments):
        call = [sys.executable, "-c", HEAPS, *arguments]
        return subprocess.run(
            call, cwd=ROOT, env=environment, stdout=subprocess.PIPE, check=True
        ).stdout.count(b"<heap nr")

    assert heaps("limited") <= MOST_ARENAS < heaps()


FREED = """
import ctypes, sys, time
from contextlib import nullcontext
from pathlib import Path
from music_catalog.web import limits

libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
libc.free.argtypes = [ctypes.c_void_p]

def resident_mb():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6

before = resident_mb()
blocks = [libc.malloc(10_000) for _ in range(10_000)]
for block in blocks:
    ctypes.memset(block, 1, 10_000)
# Every hundredth stays in use, the last among them, so that no heap has a free end.
for number, block in enumerate(reversed(blocks)):
    if number % 100:
        libc.free(block)
with limits.trimming(0.05) if sys.argv[1:] else nullcontext():
    time.sleep(1.0)
print(resident_mb() - before)
"""


def test_what_is_free_goes_back_to_the_system():
    def kept_mb(*arguments):
        call = [sys.executable, "-c", FREED, *arguments]
        return float(subprocess.run(call, cwd=ROOT, stdout=subprocess.PIPE, check=True).stdout)

    assert kept_mb("trimmed") < 30 < 80 < kept_mb()


def test_arrow_has_no_heaps_of_its_own(monkeypatch):
    code = (
        "from music_catalog.web import limits; limits.share_with_arrow(); "
        "import pyarrow; print(pyarrow.default_memory_pool().backend_name)"
    )
    monkeypatch.delenv("ARROW_DEFAULT_MEMORY_POOL", raising=False)
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, check=True)
    assert done.stdout == b"system\n"
