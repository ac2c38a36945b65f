"""What memory is left, and that its want is one sentence instead of the end of the process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tiny_musicgen import write_checkpoint

from music_catalog.generator import memory
from music_catalog.generator.errors import GeneratorError
from music_catalog.generator.musicgen.adapter import MusicgenAdapter

LINUX = sys.platform == "linux"
PROMPT = "calm warm piano"
GIGABYTE = 2**30


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "tiny-mono"
    write_checkpoint(folder)
    return folder


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A function that returns what is left where only these files tell."""
    monkeypatch.setattr(memory, "_free_in_heap", lambda: 0)
    monkeypatch.setattr(memory, "_under_limits", lambda _: iter(()))

    def left(groups: str, files: dict[str, str], swap_kb: int = 0, **wishes) -> int | None:
        meminfo = f"MemTotal: 9000000 kB\nMemAvailable: {8 * 2**20} kB\nSwapFree: {swap_kb} kB\nHugePages_Total: 0\n"
        proc = write(tmp_path / "proc", {"meminfo": meminfo, "self/cgroup": groups})
        return memory.left_bytes(proc=proc, cgroups=write(tmp_path / "cgroup", files), **wishes)

    return left


def test_without_groups_it_is_what_the_machine_has_with_its_swap(machine):
    assert machine("0::/\n", {}) == 8 * GIGABYTE
    assert machine("0::/\n", {}, swap_kb=2**20) == 9 * GIGABYTE


def test_a_group_leaves_its_limit_less_what_cannot_be_dropped(machine):
    stat = f"anon {GIGABYTE}\nfile {2 * GIGABYTE}\n"
    files = {"a/b/memory.max": "max\n", "a/memory.max": f"{4 * GIGABYTE}\n", "a/memory.stat": stat}
    assert machine("0::/a/b\n", files) == 3 * GIGABYTE


def test_a_container_sees_its_own_group_as_the_root(machine):
    files = {"memory.max": f"{2 * GIGABYTE}\n", "memory.stat": f"anon {GIGABYTE}\n"}
    assert machine("0::/\n", files) == GIGABYTE


def test_groups_of_the_first_version(machine):
    files = {
        "memory/memory.limit_in_bytes": f"{3 * GIGABYTE}\n",
        "memory/memory.stat": f"cache 5\ntotal_rss {GIGABYTE}\n",
    }
    assert machine("4:memory:/docker/not-seen-here\n2:cpu,cpuacct:/\n0::/\n", files) == 2 * GIGABYTE


def test_where_files_say_nothing_nothing_is_known(machine, tmp_path):
    assert machine("0::/\n", {"memory.max": "plenty\n"}) is None
    assert memory.left_bytes(proc=tmp_path / "nowhere", cgroups=tmp_path) is None


def test_what_is_only_reserved_is_counted_by_limits_of_the_process_alone(machine):
    assert machine("0::/\n", {}, filled=False) is None


@pytest.mark.skipif(not LINUX, reason="limits are read on Linux only")
def test_limits_of_the_process_leave_what_it_does_not_use(tmp_path, monkeypatch):
    import resource

    proc = write(tmp_path, {"self/status": "Name:\tpython\nVmSize:\t 300 kB\nVmData:\t 100 kB\n"})
    limits = {resource.RLIMIT_AS: 2**20, resource.RLIMIT_DATA: 2**19}
    monkeypatch.setattr(resource, "getrlimit", lambda which: (limits[which], -1))
    monkeypatch.setattr(memory, "_free_in_heap", lambda: 0)
    assert memory.left_bytes(proc=proc, filled=False) == 2**19 - 100 * 1024
    limits[resource.RLIMIT_DATA] = resource.RLIM_INFINITY
    assert memory.left_bytes(proc=proc, filled=False) == 2**20 - 300 * 1024


def test_a_want_says_how_much_and_what_to_do(monkeypatch):
    monkeypatch.setattr(memory, "left_bytes", lambda **_: 5_000_000)
    memory.require(5_000_000, "make this", "less")
    with pytest.raises(GeneratorError) as told:
        memory.require(2_000_000_000, "make this", "less")
    assert str(told.value) == (
        "not enough memory to make this: it takes at least 2,000 MB and 5 MB are left; ask for less."
    )


def test_music_that_cannot_fit_is_refused_before_it_is_begun(checkpoint, monkeypatch):
    adapter = MusicgenAdapter.from_pretrained(checkpoint)
    monkeypatch.setattr(memory, "left_bytes", lambda **_: 100_000)
    began = []
    with pytest.raises(GeneratorError, match=r"to make this: it takes at least \S+ MB and 0 MB are left"):
        adapter.generate_music(PROMPT, {"duration_s": 30}, on_progress=lambda *at: began.append(at))
    with pytest.raises(GeneratorError, match=r"to make these together: .*; ask for fewer at once"):
        adapter.generate_batch([PROMPT] * 2, [{"duration_s": 30}] * 2)
    assert not began


def test_no_more_is_demanded_than_is_taken(checkpoint, monkeypatch):
    """A piece is refused for what it certainly takes, so its measured peak must not be less."""
    import tracemalloc

    import mlx.core as mx

    adapter = MusicgenAdapter.from_pretrained(checkpoint)
    adapter.generate_music(PROMPT, {"duration_s": 0.4, "seed": 1})
    for seconds, many in ((0.4, 1), (4.0, 1), (4.0, 3)):
        demands = []
        required = "music_catalog.generator.musicgen.room.require"
        monkeypatch.setattr(required, lambda needed, *_: demands.append(needed))  # noqa: B023
        mx.reset_peak_memory()
        before = mx.get_active_memory()
        tracemalloc.start()
        adapter.generate_batch([PROMPT] * many, [{"duration_s": seconds, "seed": k} for k in range(many)])
        taken = tracemalloc.get_traced_memory()[1] + mx.get_peak_memory() - before
        tracemalloc.stop()
        assert 0 < max(demands) <= taken


@pytest.fixture(scope="module")
def compiled() -> None:
    """Compile the loops once, outside of a limit.

    With an empty cache the compiler takes 75 MB more than a later start (187 MB against 113 were measured), and LLVM
    ends a process that it finds no memory in.
    """
    code = "from music_catalog.generator.cpu.warmup import start_loops; start_loops('float32', None)"
    subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )


@pytest.mark.skipif(not LINUX, reason="limits are kept to on Linux only")
@pytest.mark.usefixtures("compiled")
@pytest.mark.parametrize("spare_mb", [20, 100, 240])
@pytest.mark.parametrize("when", ["loading", "making"])
def test_under_a_limit_the_process_says_so_and_lives(tmp_path, when, spare_mb):
    write_checkpoint(tmp_path / "model", hidden_size=512, ffn_dim=8192)
    script = f"""
import resource, sys
from music_catalog.generator.musicgen.adapter import MusicgenAdapter
from music_catalog.generator.errors import GeneratorError

import music_catalog.generator.cpu.decoder, music_catalog.generator.cpu.text, music_catalog.generator.cpu.warmup

def limit():
    used = next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmData"))
    most = int(used) * 1024 + {spare_mb} * 2**20
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))

try:
    if {when!r} == "loading":
        limit()
    adapter = MusicgenAdapter.from_pretrained({str(tmp_path / "model")!r})
    if {when!r} == "making":
        limit()
    configs = [{{"duration_s": 30, "seed": k}} for k in range(64)]
    adapter.generate_batch(["calm"] * 64, configs, max_batch=64)
except GeneratorError as error:
    print(error)
    sys.exit(6)
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 6, done.stderr
    assert done.stdout.startswith("not enough memory to ")
    assert done.stdout.count("\n") == 1
