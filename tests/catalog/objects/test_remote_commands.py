"""The command line on a home on an object store."""

from __future__ import annotations

import pytest
from command_line import data, run
from fake_s3 import BUCKET

HOME = f"s3://{BUCKET}/home"
MAKE = ("find-or-make", "Rain falls on the quiet harbour", "--backend", "procedural", "--duration", "1")


@pytest.fixture(autouse=True)
def elsewhere(server, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)


def test_commands_work_there_and_leave_no_folder_here(tmp_path):
    made = data(run(*MAKE, "--out", "rain.wav", "--json", home=HOME))
    assert (tmp_path / "rain.wav").stat().st_size > 1000
    assert data(run(*MAKE, "--json", home=HOME))["id"] == made["id"]
    assert made["id"] in run("list", home=HOME).stdout
    assert run("rate", made["id"], "5", home=HOME).exit_code == 0
    assert data(run("show", made["id"], "--json", home=HOME))["rating"] == 5
    assert run("rm", made["id"], home=HOME).exit_code == 0
    assert "their rows" in run("rm", "--purge", home=HOME).stderr
    assert f"home: {HOME}, cached in" in run("doctor", home=HOME).stdout
    assert {path.name for path in tmp_path.iterdir()} == {"rain.wav", "caches"}


@pytest.mark.parametrize(
    ("refusal", "says"),
    [
        ((404, "NoSuchBucket"), "there is no such bucket; create it"),
        ((403, "AccessDenied"), "no permission for this; allow reading, writing and listing"),
        ((301, "PermanentRedirect"), "set AWS_REGION to that of the bucket"),
        ((400, "ExpiredToken"), "the credentials have expired"),
    ],
)
def test_a_store_that_refuses_is_told_in_one_sentence(server, refusal, says):
    server.refusal = refusal
    done = run("list", home=HOME)
    assert done.exit_code == 1
    assert says in done.stderr
    assert done.stderr.count("\n") == 1
    assert "listener" not in done.output
    assert "a-secret" not in done.output


def test_what_is_not_done_there_says_so():
    run(*MAKE, home=HOME)
    done = run("doctor", "--backup", "b", "--keep", "2", home=HOME)
    assert done.exit_code == 2
    assert "--keep" in done.stderr


def test_a_catalog_there_is_embedded_anew():
    run(*MAKE, home=HOME)
    done = run("doctor", "--reembed", "--deep", home=HOME)
    assert (done.exit_code, done.stderr) == (0, "")
    assert "fixed   vectors: 1 rows embedded with" in done.stdout


def test_what_is_no_backup_is_not_brought_back():
    done = run("restore", "--from", "copy", home=HOME)
    assert done.exit_code != 0
    assert "there is no backup in" in done.stderr
