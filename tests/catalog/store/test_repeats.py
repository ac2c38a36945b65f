"""What is kept for repeats: right while it stands, gone once anything changed, and never the reason for an error."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from homes import NOON, a_record, add, finish, newest_for, open_store, start, vector_of

from music_catalog import cli
from music_catalog.disk import queue
from music_catalog.disk.lance import Connection
from music_catalog.models import Judgement
from music_catalog.store import answers

ROOT = Path(__file__).resolve().parents[3]
HEAVY = ("lancedb", "pyarrow", "tokenizers", "sentence_transformers", "torch", "librosa", "scipy")


@pytest.fixture
def home(tmp_path):
    return tmp_path / "home"


@pytest.fixture
def store(home, monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    return open_store(home)


def kept(store, name="a"):
    """Insert a track and remember it, as a call does; the stamp is read before."""
    stamp = store.stamp()
    track = add(store, name)
    store.remember(track, stamp)
    return track


def test_a_track_is_recalled_without_lance(store, home, monkeypatch):
    track = kept(store)
    other = open_store(home)
    monkeypatch.setattr(Connection, "connect", lambda self: pytest.fail("Lance was loaded"))
    assert other.recall(track.key) == (track, None)
    assert other.recall("key-b") is None
    other.requests.enqueue(a_record("r"))
    assert not other.opened


def test_rows_that_are_only_added_leave_it(store):
    track = kept(store)
    for name in "bcd":
        add(store, name)
    store.care.compact()
    store.requests.append(a_record("r"))
    assert store.recall(track.key) == (track, None)


@pytest.mark.parametrize(
    ("rules", "same"),
    [
        (("similar",), True),
        (("exact", "similar"), False),
        (("similar", "similar"), False),
        (("exact", "exact"), True),
    ],
    ids=str,
)
def test_only_the_first_line_that_answers_a_request_leaves_the_stamp_of_the_log(store, rules, same):
    store.requests.append(a_record("r", key="other"))
    version, stamp = store.requests.version, store.stamp()
    for number, rule in enumerate(rules):
        store.requests.append(a_record(f"r{number}", key="one", rule=rule), unanswered_at=version)
    assert (store.stamp() == stamp) is same


CHANGES = {
    "rate": lambda store: store.tracks.update("a", rating=1),
    "label": lambda store: store.tracks.update("b", tags=["mine"]),
    "trash": lambda store: store.tracks.trash("a"),
    "trash another": lambda store: store.tracks.trash("b"),
    "judge": lambda store: store.judgements.append(
        Judgement(id="j", created_at=NOON, verdict="rejected", track_id="a", request_id="r", key="key-a")
    ),
    "the same request again": lambda store: add(store, "c", key="key-a"),
    "reembed": lambda store: store.care.reembed(
        lambda texts: [vector_of(text) for text in texts], "test@2/8"
    ),
    "another program": lambda store: store.tracks.table.durable.table.delete("id = 'a'"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_whatever_may_change_an_answer_ends_it(store, home, change):
    add(store, "b")
    track = kept(store)
    assert store.recall(track.key) == (track, None)
    CHANGES[change](open_store(home))
    assert store.recall(track.key) is None
    assert open_store(home).recall(track.key) is None


def test_restoring_and_purging_end_it(store):
    add(store, "b")
    store.tracks.trash("b")
    track = kept(store)
    store.tracks.restore("b")
    assert store.recall(track.key) is None
    store.remember(track, store.stamp())
    store.tracks.trash("b")
    store.remember(track, store.stamp())
    assert store.recall(track.key) == (track, None)
    store.care.purge()
    assert store.recall(track.key) is None


def test_what_was_looked_up_before_a_change_is_not_believed_after_it(store):
    add(store, "a")
    stamp = store.stamp()
    track = newest_for(store, "key-a")
    store.tracks.trash("a")
    store.remember(track, stamp)
    assert store.recall("key-a") is None


def test_an_unfinished_commit_ends_it_until_it_is_seen_to(store, home):
    track = kept(store)
    acked = home / "lance" / "tracks.acked"
    before = acked.read_bytes()
    store.tracks.trash("a")
    acked.write_bytes(before)  # the writer died before it could note its commit
    assert store.stamp()[0] is None
    assert store.recall(track.key) is None
    assert open_store(home).tracks.get("a").state == "trashed"
    assert store.recall(track.key) is None
    store.tracks.restore("a")
    assert store.recall(track.key) is None


def test_the_audio_must_be_there_in_its_size(store):
    track = kept(store)
    path = store.audio.path_of(track)
    data = path.read_bytes()
    path.write_bytes(data + b"x")
    assert store.recall(track.key) is None
    path.write_bytes(data)
    assert store.recall(track.key) == (track, None)
    path.unlink()
    assert store.recall(track.key) is None


def test_altered_audio_is_not_recalled(store):
    track = kept(store)
    assert store.recall(track.key) == (track, None)
    path = store.audio.path_of(track)
    path.write_bytes(path.read_bytes()[::-1])
    assert store.recall(track.key) is None


def test_a_new_track_is_there_before_its_request_is_looked_for_in_the_log(store, home):
    add(store, "b")
    found = []
    store.tracks.table.answered = lambda keys: bool(found.append(newest_for(open_store(home), *keys)))
    track = add(store, "a")
    assert found == [track]


def test_tracks_of_tables_that_were_removed_are_not_recalled(store, home):
    track = kept(store)
    shutil.rmtree(home / "lance")
    assert open_store(home).recall(track.key) is None
    add(open_store(home), "b")  # a new table begins, which holds another track alone
    assert open_store(home).recall(track.key) is None


def test_a_damaged_file_costs_time_alone(store, home):
    track = kept(store)
    (path,) = (home / "cache" / "repeats").iterdir()
    whole = path.read_bytes()
    for place in range(0, len(whole), 97):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        assert store.recall(track.key) is None
    for torn in (b"", whole[:100], whole[:-1], b"\x00" * 50, b"\xff" * 50, b"{}", b"x\n{}"):
        path.write_bytes(torn)
        assert store.recall(track.key) is None
    path.write_bytes(whole)
    assert store.recall(track.key) == (track, None)
    path.unlink()
    assert store.recall(track.key) is None


def test_a_cache_that_cannot_be_written_is_no_error(store, home):
    (home / "cache" / "repeats").write_text("in the way")
    track = add(store, "a")
    store.remember(track, store.stamp())
    assert store.recall(track.key) is None


def test_old_answers_make_room(store, home, monkeypatch):
    monkeypatch.setattr(answers, "MOST_KEPT", 20)
    monkeypatch.setattr(answers, "_PRUNED_EVERY", 1)
    for number in range(50):
        answers.remember(home, "repeats", f"{number:032x}", [0], {})
    assert 10 <= len([*(home / "cache" / "repeats").iterdir()]) <= 20


# The lines of the log


def test_lines_that_waited_are_in_the_log_once(store, home):
    add(store, "a")
    waiting = open_store(home)
    for number in range(3):
        waiting.requests.enqueue(a_record(f"r{number}"))
    assert len(queue.queued(home)) == 3
    assert {record.id for record in store.requests.list()} == {"r0", "r1", "r2"}
    assert queue.queued(home) == []
    assert store.requests.list(id="r1") == [a_record("r1")]
    assert store.care.stats()["requests"] == 3


def test_a_line_taken_over_twice_is_there_once(store, home, monkeypatch):
    add(store, "a")
    open_store(home).requests.enqueue(a_record("r"))
    monkeypatch.setattr(queue, "delete", lambda paths: None)  # as after a crash before that
    assert store.care.stats()["requests"] == 1
    assert store.care.stats()["requests"] == 1
    monkeypatch.undo()
    assert len(open_store(home).requests.list()) == 1
    assert queue.queued(home) == []


def test_a_line_that_cannot_be_read_is_set_aside(store, home, caplog):
    add(store, "a")
    open_store(home).requests.enqueue(a_record("r"))
    (home / "queue" / "torn.json").write_text('{"id": "to')
    assert [record.id for record in store.requests.list()] == ["r"]
    assert "is set aside" in caplog.text
    assert [path.name.split("-", 2)[2] for path in (home / "lost").iterdir()] == ["torn.json"]


@pytest.mark.parametrize(("place", "bit"), [(0, 1), (63, 0), (64, 2), (90, 4), (-3, 1)])
def test_an_altered_line_that_waits_never_gets_a_checksum(store, home, place, bit, caplog):
    add(store, "a")
    for name in ("r", "s"):
        open_store(home).requests.enqueue(a_record(name))
    path = home / "queue" / "r.json"
    data = bytearray(path.read_bytes())
    data[place] ^= 1 << bit
    path.write_bytes(data)
    assert [record.id for record in store.requests.list()] == ["s"]
    assert "is set aside" in caplog.text
    (aside,) = (home / "lost").iterdir()
    assert aside.read_bytes() == data


def test_a_line_that_an_earlier_version_queued_is_absorbed(store, home):
    add(store, "a")
    open_store(home).requests.enqueue(a_record("r"))
    path = home / "queue" / "r.json"
    path.write_bytes(path.read_bytes().partition(b"\n")[2])
    assert [record.id for record in store.requests.list()] == ["r"]


def test_a_full_queue_goes_to_the_table(store, home, monkeypatch):
    add(store, "a")
    monkeypatch.setattr(queue, "MOST_QUEUED", 3)
    other = open_store(home)
    for number in range(5):
        other.requests.enqueue(a_record(f"r{number}"))
    assert other.opened
    assert queue.queued(home) == []
    assert len(other.requests.list()) == 5


def queue_until_killed(home: str, failpoint: str) -> None:
    store = open_store(home)
    for number in range(3):
        store.requests.enqueue(a_record(f"r{number}"))
    os.environ["CATALOG_FAILPOINT"] = failpoint
    store.requests.enqueue(a_record("r3"))
    store.requests.list()


POINTS = (
    "queue.written",
    "queue.synced",
    "queue.renamed",
    "absorb.merged",
    "absorb.acknowledged",
    "queue.absorbed",
)


@pytest.mark.parametrize("points", [POINTS[:3], POINTS[3:]], ids=["queue", "absorb"])
def test_a_crash_loses_and_doubles_no_line(tmp_path, points):
    for point in points:
        add(open_store(tmp_path / point), "a")
    codes = finish(*(start(queue_until_killed, str(tmp_path / point), point) for point in points))
    assert codes == [-9] * len(points)
    for point in points:
        found = [record.id for record in open_store(tmp_path / point).requests.list()]
        assert sorted(found) in (["r0", "r1", "r2"], ["r0", "r1", "r2", "r3"]), point
        if point != "queue.written" and point != "queue.synced":
            assert len(found) == 4


def absorb(home: str) -> None:
    open_store(home).requests.list()


def test_processes_that_take_lines_over_together_add_them_once(tmp_path):
    home = tmp_path / "home"
    add(open_store(home), "a")
    store = open_store(home)
    for number in range(20):
        store.requests.enqueue(a_record(f"r{number}"))
    assert finish(*(start(absorb, str(home)) for _ in range(3))) == [0] * 3
    assert sorted(record.id for record in store.requests.list()) == sorted(
        f"r{number}" for number in range(20)
    )


# Whole calls

TEXT = "Soft rain taps on the library windows in calm silence."
TYPED = ["--duration", "2", "--quality", "preview", "--backend", "procedural"]


def run(home, *typed, text=TEXT, data=None):
    args = ["find-or-make", text, *TYPED, "--home", str(home), "--json", *typed]
    done = CliRunner().invoke(cli.catalog, args, input=data)
    return json.loads(done.stdout) if done.exit_code == 0 else done


def cold(code, home):
    """Run code in a process of its own and return what it printed, and the heavy libraries it imported."""
    tail = (
        f"\nimport sys; print('HEAVY', *[name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)"
    )
    environment = os.environ | {"CATALOG_HOME": str(home)}
    done = subprocess.run(
        [sys.executable, "-c", code + tail],
        env=environment,
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=True,
    )
    return done.stdout, done.stderr.split("HEAVY", 1)[1].split()


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    home = tmp_path_factory.mktemp("made") / "home"
    with pytest.MonkeyPatch.context() as patch:
        # As the tests have it: what decides where models and homes are is part of a call's name.
        patch.setenv("CATALOG_MODELS", str(tmp_path_factory.getbasetemp() / "no-models"))
        patch.setenv("XDG_DATA_HOME", str(tmp_path_factory.getbasetemp() / "no-share"))
        return home, run(home)


@pytest.fixture
def copy(made, tmp_path):
    home = tmp_path / "home"
    shutil.copytree(made[0], home)
    return home


def test_a_repeat_on_the_command_line_imports_nothing_heavy(made, monkeypatch, tmp_path_factory):
    home, first = made
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path_factory.getbasetemp() / "no-share"))
    typed = ["find-or-make", TEXT, *TYPED, "--json"]
    code = (
        "import sys\nfrom music_catalog import cli\n"
        f"cli.catalog({typed!r}, standalone_mode=False)\nassert 'pydantic' not in sys.modules"
    )
    printed, heavy = cold(code, home)
    again = json.loads(printed)
    assert heavy == []
    assert again["action"] == "reused"
    assert (again["id"], again["path"], again["similarity"]) == (first["id"], first["path"], 1.0)
    assert again["reason"] == "the same request was served before"
    assert again["request_id"] != first["request_id"]
    assert again["timings_s"].keys() == {"exact"}
    (line,) = open_store(home, encoder=None).requests.list(id=again["request_id"])
    assert (line.action, line.rule, line.track_id) == ("reused", "exact", first["id"])


def test_a_repeat_in_python_imports_neither_lance_nor_an_encoder(made):
    home, first = made
    code = (
        "from music_catalog import MusicService\n"
        f"with MusicService.open({str(home)!r}) as service:\n"
        f"    print(service.find_or_make({TEXT!r}, duration_s=2.0, quality='preview', backend='procedural').track.id)"
    )
    printed, heavy = cold(code, home)
    assert printed.split() == [first["id"]]
    assert heavy == []


def test_the_short_way_prints_what_the_long_way_does(made):
    home, _ = made
    short = run(home)
    long = run(home, "--explain")
    fresh = ("request_id", "timings_s")
    for name in ("request", "decision"):
        del long[name]
    assert {k: v for k, v in short.items() if k not in fresh} == {
        k: v for k, v in long.items() if k not in fresh
    }


def run_uncaught(home, *typed):
    CliRunner().invoke(
        cli.catalog, ["find-or-make", TEXT, *TYPED, "--home", str(home), *typed], catch_exceptions=False
    )


def short_way(monkeypatch):
    """Make the long way fail, so that only the short one answers."""
    monkeypatch.setattr(
        "music_catalog.service.service.MusicService.open", lambda *_, **__: pytest.fail("the long way")
    )


def test_the_short_way_reads_files_and_standard_input(copy, tmp_path, monkeypatch):
    payload = json.dumps({"answer": TEXT})
    first = run(copy, text="-", data=payload)
    path = tmp_path / "payload.json"
    path.write_text(payload)
    short_way(monkeypatch)
    assert run(copy, text="-", data=payload)["id"] == first["id"]
    plain = ["find-or-make", "--context-file", str(path), *TYPED, "--home", str(copy), "--json"]
    assert json.loads(CliRunner().invoke(cli.catalog, plain).stdout)["id"] == first["id"]


@pytest.mark.parametrize(
    "typed",
    [
        ["--explain"],
        ["--dry-run"],
        ["--listener", "me"],
        ["--theme", "t"],
        ["--duration", "3"],
        ["--mood", "sad"],
    ],
    ids=" ".join,
)
def test_other_calls_go_the_long_way(copy, monkeypatch, typed):
    short_way(monkeypatch)
    with pytest.raises(pytest.fail.Exception, match="the long way"):
        run_uncaught(copy, *typed)


def test_what_the_answer_rests_on_may_not_have_changed(copy, monkeypatch):
    first = run(copy)
    assert first["reason"] == "the same request was served before"
    (copy / "catalog.yaml").write_text("musicgen: {defaults: {top_k: 99}}")
    assert run(copy)["reason"] != first["reason"]  # another configuration is another request
    (copy / "catalog.yaml").unlink()
    assert run(copy)["reason"] == first["reason"]
    monkeypatch.setenv("CATALOG_MODELS", str(copy))
    short_way(monkeypatch)
    with pytest.raises(pytest.fail.Exception, match="the long way"):
        run_uncaught(copy)


def test_trashed_and_deleted_tracks_are_not_served(copy):
    first = run(copy)["id"]
    open_store(copy, encoder=None).tracks.trash(first)
    assert run(copy)["id"] != first


def test_a_rejected_track_is_not_served_by_the_short_way(copy):
    first = run(copy)
    assert run(copy)["id"] == first["id"]
    done = CliRunner().invoke(cli.catalog, ["reject", first["id"], "--home", str(copy)])
    assert done.exit_code == 0, done.output
    assert run(copy)["id"] != first["id"]
