from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from music_catalog.commands import terminal
from tests.command_line import CALM, ROOT, SHORT, data, run, start


def test_a_closed_or_full_standard_stream_is_no_traceback(home):
    line = f"{sys.executable} -m music_catalog"
    full, closed, gone = "presets list > /dev/full", f"find - --home {home} <&-", "presets list | true"
    for shell in (f"{line} {full}", f"{line} {closed}", f"{line} {gone}"):
        ended = subprocess.run(["sh", "-c", shell], cwd=ROOT, capture_output=True, text=True, check=False)
        assert "Traceback" not in ended.stderr, shell
        assert "Exception ignored" not in ended.stderr, shell


@pytest.mark.cluster
def test_eight_processes_with_one_request_make_one_track(tmp_path):
    home = tmp_path / "home"
    args = ["find-or-make", CALM, *SHORT, "--json", "--home", str(home)]
    processes = [start(*args) for _ in range(8)]
    payloads = []
    for process in processes:
        out, err = process.communicate(timeout=240)
        assert process.returncode == 0, err
        payloads.append(json.loads(out))
    assert sorted(one["action"] for one in payloads) == ["generated"] + ["reused"] * 7
    assert len({one["id"] for one in payloads}) == 1
    assert len(list((home / "audio").rglob("*.wav"))) == 1


@pytest.mark.parametrize(
    "point",
    [
        "audio.written",
        pytest.param("sidecar.renamed", marks=pytest.mark.cluster),
        "row.merged",
        pytest.param("row.acknowledged", marks=pytest.mark.cluster),
    ],
)
def test_kill_9_while_making_leaves_a_catalog_that_opens_with_no_row_without_audio(tmp_path, point):
    home = tmp_path / "home"
    args = ["find-or-make", CALM, *SHORT, "--home", str(home)]
    process = start(*args, env={"CATALOG_FAILPOINT": point})
    out, err = process.communicate(timeout=240)
    assert process.returncode == -signal.SIGKILL, err
    assert out == ""
    try:
        kept = data(run("list", "--json", home=home))["tracks"]
    except AssertionError:
        raise AssertionError(f"the catalog does not open after a kill at {point}") from None
    assert all(Path(track["path"]).is_file() for track in kept)
    assert len(kept) == (point.startswith("row."))
    again = data(run(*args, "--json"))
    assert again["action"] == ("reused" if kept else "generated")
    assert Path(again["path"]).is_file()
    assert run("doctor", "--deep", "--fix", home=home).exit_code == 0
    assert run("doctor", "--deep", home=home).exit_code == 0


def test_an_interrupt_that_other_code_swallowed_ends_the_making(monkeypatch):
    monkeypatch.setattr(terminal, "_interrupted", False)
    with suppress(KeyboardInterrupt):
        terminal.interrupt(signal.SIGINT, None)
    with pytest.raises(KeyboardInterrupt), terminal.progress_bar() as on_progress:
        on_progress(1, 2)


def test_an_interrupt_lets_the_import_that_is_under_way_end():
    program = """
import os, signal, sys, time
from music_catalog.commands import terminal
class Pressed:
    def find_spec(self, name, *others):
        if name == "colorsys":
            os.kill(os.getpid(), signal.SIGINT)
            print("looked for", flush=True)
sys.meta_path.insert(0, Pressed())
signal.signal(signal.SIGINT, terminal.interrupt)
import colorsys
print("imported", flush=True)
try:
    time.sleep(30)
except KeyboardInterrupt:
    print("interrupted")
"""
    ended = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60
    )
    assert (ended.stdout.split("\n")[:2], ended.stderr) == (["looked for", "imported"], "")
    assert ended.stdout.endswith("interrupted\n")


def test_an_interrupt_while_modules_are_imported_is_no_traceback():
    program = """
import os, signal, sys
class Pressed:
    def find_spec(self, name, *others):
        if name == "click":
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Pressed())
from music_catalog.__main__ import main
main()
"""
    ended = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stderr) == (130, "interrupted\n")


def test_interrupting_exits_130_and_leaves_a_catalog_that_opens(tmp_path):
    home = tmp_path / "home"
    process = start(
        "musicgen",
        CALM,
        "--quality",
        "final",
        "--duration",
        "300",
        "--home",
        str(home),
        start_new_session=True,
    )
    deadline = time.monotonic() + 120
    while not (home / "lance").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    assert out == ""
    listed = run("list", "--json", home=home)
    assert listed.exit_code == 0
    assert json.loads(listed.stdout)["tracks"] == []


@pytest.mark.cluster  # one process for some seconds
def test_a_making_that_sigterm_ends_has_its_line_in_the_log(tmp_path):
    home = tmp_path / "home"
    process = start("musicgen", CALM, "--quality", "final", "--duration", "300", "--home", str(home))
    deadline = time.monotonic() + 120
    while not [*(home / "cache").glob("prototypes-*")] and time.monotonic() < deadline:
        time.sleep(0.05)  # then the text is being read, within the call
    process.terminate()
    out, err = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGTERM, err
    assert (out, "Traceback" in err) == ("", False)
    (line,) = json.loads(run("history", "--json", home=home).stdout)["requests"]
    assert (line["command"], line["action"], line["rule"]) == ("generate", "none", "cancelled")
