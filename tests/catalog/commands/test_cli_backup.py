"""`catalog doctor --backup` and `catalog restore --from`."""

from __future__ import annotations

import json
import shutil
import threading
from pathlib import Path

import pytest

from tests.command_line import CALM, SHORT, data, run


@pytest.fixture
def backup(copy, tmp_path):
    folder = tmp_path / "backup"
    assert "there is no backup of this catalog" in run("doctor", home=copy).stdout
    done = run("doctor", "--backup", str(folder), home=copy)
    assert done.exit_code == 0, done.output
    assert "1 tracks" in done.stdout
    return folder


def test_a_catalog_comes_back(copy, backup):
    again = data(run("doctor", "--backup", str(backup), "--json", home=copy))["checks"][-1]
    assert "; 0 of 0.0 MB were new" in again["detail"]
    shutil.rmtree(copy)
    restored = run("restore", "--from", str(backup), home=copy)
    assert restored.exit_code == 0, restored.output
    assert restored.stdout == f"{copy}\n"
    assert "1 tracks" in restored.stderr
    assert data(run("find-or-make", CALM, *SHORT, "--json", home=copy))["action"] == "reused"
    assert run("doctor", "--deep", home=copy).exit_code == 0


@pytest.mark.parametrize("alter", [lambda path: path.write_bytes(b"x" * 9), Path.unlink])
def test_fix_brings_audio_back_from_the_backup(copy, backup, alter):
    (track,) = data(run("list", "--json", home=copy))["tracks"]
    path, whole = Path(track["path"]), Path(track["path"]).read_bytes()
    alter(path)
    altered = path.exists()
    fixed = run("doctor", "--fix", "--backup", str(backup), home=copy)
    assert "fixed" in fixed.stdout
    assert fixed.exit_code == 0
    assert path.read_bytes() == whole
    assert len(data(run("list", "--json", home=copy))["tracks"]) == 1
    assert [kept.read_bytes() for kept in (copy / "lost").glob("*.wav")] == ([b"x" * 9] if altered else [])
    assert run("doctor", "--deep", home=copy).exit_code == 0


def test_fix_trashes_what_the_backup_lacks_too(copy, backup):
    (track,) = data(run("list", "--json", home=copy))["tracks"]
    sha256 = track["path"].rpartition("/")[2].removesuffix(".wav")
    (backup / "objects" / sha256[:2] / sha256).write_bytes(b"x")
    Path(track["path"]).unlink()
    assert "fixed" in run("doctor", "--fix", "--backup", str(backup), home=copy).stdout
    assert data(run("list", "--json", home=copy))["tracks"] == []


def test_a_home_in_use_needs_force(copy, backup):
    refused = run("restore", "--from", str(backup), home=copy)
    assert refused.exit_code == 2
    assert "is not empty; pass --force, and what it holds moves to" in refused.stderr
    restored = data(run("restore", "--from", str(backup), "--force", "--json", home=copy))
    assert restored["tracks"] == 1
    assert restored["aside"] is not None


def test_snapshots_are_listed_and_chosen(copy, backup, tmp_path):
    run("musicgen", "Drums of war roll over the burning hills.", *SHORT, home=copy)
    assert run("doctor", "--backup", str(backup), home=copy).exit_code == 0
    new, old = data(run("restore", "--from", str(backup), "--list", "--json"))["snapshots"]
    assert (new["tracks"], old["tracks"]) == (2, 1)
    assert old["name"] in run("restore", "--from", str(backup), "--list").stdout
    target = tmp_path / "old"
    run("restore", "--from", str(backup), "--snapshot", old["name"], home=target)
    assert len(data(run("list", "--json", home=target))["tracks"]) == 1


def test_the_refusal_names_a_command_that_works(copy, backup):
    table = copy / "lance" / "tracks.lance"
    for path in (table / "_versions").iterdir():
        path.write_bytes(b"")
    refused = run("list", home=copy)
    assert refused.exit_code == 5
    assert "`catalog restore --from DIR --force`" in refused.stderr
    told = run("doctor", home=copy)
    assert told.exit_code == 5
    assert "`catalog restore --from DIR --force`" in told.stdout
    assert f"`catalog restore --from {backup} --force` would bring them back" in told.stdout
    assert run("restore", "--from", str(backup), "--force", home=copy).exit_code == 0
    assert len(data(run("list", "--json", home=copy))["tracks"]) == 1


def test_damage_ends_with_code_5(copy, backup, tmp_path):
    (track,) = (json.loads(line) for line in run("list", "--jsonl", home=copy).stdout.splitlines())
    sha256 = track["path"].rpartition("/")[2].removesuffix(".wav")
    (backup / "objects" / sha256[:2] / sha256).write_bytes(b"x")
    restored = run("restore", "--from", str(backup), home=tmp_path / "new")
    assert restored.exit_code == 5
    assert f"{sha256}.wav is not in the backup as it was stored" in restored.stderr
    mended = run("doctor", "--backup", str(backup), home=copy)
    assert "; 1 of" in mended.stdout
    assert "1 files of the backup were altered, and copied anew where the home has them" in mended.stdout
    assert run("restore", "--from", str(backup), home=tmp_path / "other").exit_code == 0


@pytest.mark.parametrize(
    "arguments",
    [[], ["x", "--from", "y"], ["x", "--force"], ["--list"], ["--from", "no-backup"], ["x", "--json"]],
)
def test_arguments_that_do_not_go_together(arguments, copy):
    assert run("restore", *arguments, home=copy).exit_code in (2, 3)


def test_doctor_tells_of_the_scrub(copy):
    def scrub():
        checks = data(run("doctor", "--json", home=copy))["checks"]
        return next(each for each in checks if each["name"] == "scrub")

    # Another test may have read the home whole before it was copied.
    (copy / "scrub.json").unlink(missing_ok=True)
    before = scrub()
    assert before["status"] == "note"
    assert "reads everything in 7 days while `catalog serve` runs; no full pass yet" in before["detail"]
    assert run("doctor", "--deep", home=copy).exit_code == 0
    assert scrub()["status"] == "ok"
    assert "last full pass ended on 20" in scrub()["detail"]
    (copy / "catalog.yaml").write_text("musicgen:\n  scrub: {days: null}\n", "utf-8")
    assert scrub()["detail"].startswith("is off; last full pass")


def test_doctor_tells_what_the_scrub_found(copy):
    (track,) = data(run("list", "--json", home=copy))["tracks"]
    with Path(track["path"]).open("r+b") as file:
        file.write(b"x")
    assert run("doctor", home=copy).exit_code == 0  # its size is right, and nobody has read it
    assert run("doctor", "--deep", home=copy).exit_code == 5
    told = run("doctor", home=copy)
    assert told.exit_code == 5
    assert "no longer holds what was stored" in told.stdout
    assert "1 tracks found damaged" in told.stdout
    assert "fixed" in run("doctor", "--fix", home=copy).stdout
    assert run("doctor", home=copy).exit_code == 0


@pytest.mark.parametrize(("days", "runs"), [("7", True), ("null", False)])
def test_a_service_scrubs(copy, monkeypatch, days, runs):
    from music_catalog.web import server

    names = []

    def serve(service, **options):
        names.extend(thread.name for thread in threading.enumerate())
        return True

    monkeypatch.setattr(server, "serve", serve)
    (copy / "catalog.yaml").write_text(f"musicgen:\n  scrub: {{days: {days}}}\n", "utf-8")
    assert run("serve", home=copy).exit_code == 0
    assert ("catalog-scrub" in names) == runs


def test_keep_deletes_earlier_snapshots(copy, backup):
    done = run("doctor", "--backup", str(backup), "--keep", "1", home=copy)
    assert done.exit_code == 0, done.output
    assert "1 earlier snapshots were deleted, and " in done.stdout
    assert len(data(run("restore", "--from", str(backup), "--list", "--json"))["snapshots"]) == 1
    refused = run("doctor", "--keep", "1", home=copy)
    assert refused.exit_code == 2
    assert "--keep goes with --backup" in refused.stderr
