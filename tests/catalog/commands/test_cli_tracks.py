from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
import soundfile

from tests.command_line import CALM, SHORT, data, run


def test_search_list_show(home):
    for by in ("meaning", "words", "both"):
        hits = data(run("search", "rain on the library windows", "--by", by, "--json", home=home))["hits"]
        assert len(hits) == 1
    assert run("search", "rain", "--style", "x' OR '1'='1", home=home).exit_code == 3
    line = run("list", "--jsonl", home=home).stdout.splitlines()
    assert len(line) == 1
    track_id = json.loads(line[0])["id"]
    shown = run("show", track_id[:6], home=home)
    assert f"id: {track_id}" in shown.stdout
    assert "config.duration_s: 2.0  [caller]" in shown.stdout
    assert "sections: too short to tell" in shown.stdout
    assert "█" not in shown.stdout
    assert data(run("show", track_id, "--json", home=home))["sections"] == []
    assert data(run("show", track_id, "--json", home=home))["context"] == CALM
    missing = run("show", "zzzz", home=home)
    assert missing.exit_code == 3


def test_lists_searches_and_exports_take_queries(home):
    def listed(*query):
        return len(data(run("list", *query, "--json", home=home))["tracks"])

    assert listed("rain", "length:..5 -windows") == 0
    assert listed("rain length:1.5..2.5 made:1d loop:no") == 1
    assert listed("length:5..") == listed("is:trashed") == 0
    found = run("search", "rain on", "the windows", 'length:2 "library windows"', "--json", home=home)
    assert len(data(found)["hits"]) == 1
    assert run("search", "rain length:5..", home=home).exit_code == 3
    rows = run("export", "--format", "jsonl", "--to", "-", "--query", "by:procedural rating:none", home=home)
    assert len(rows.stdout.splitlines()) == 1
    assert run("list", "style:unsorted", home=home).exit_code == 0
    nothing = run("export", "--format", "csv", "--to", "-", "--style", "ambient_lofy", home=home)
    assert (nothing.exit_code, "did you mean ambient_lofi" in nothing.stderr) == (0, True)
    refused = run("list", "style:ambient_lofy", home=home)
    assert refused.exit_code == 2
    assert "did you mean ambient_lofi" in refused.stderr


def test_rm_is_a_trash_with_undo(copy):
    (track,) = data(run("list", "--json", home=copy))["tracks"]
    assert run("rm", track["id"], home=copy).stdout.strip() == track["id"]
    assert data(run("list", "--json", home=copy))["tracks"] == []
    assert len(data(run("list", "--trashed", "--json", home=copy))["tracks"]) == 1
    assert Path(track["path"]).is_file()
    assert run("restore", track["id"], home=copy).exit_code == 0
    assert len(data(run("list", "--json", home=copy))["tracks"]) == 1
    run("rm", track["id"], home=copy)
    assert run("rm", "--purge", home=copy).exit_code == 0
    assert not Path(track["path"]).exists()
    assert run("rm", home=copy).exit_code == 2


def test_export_gets_files_and_lists_out(home, tmp_path):
    folder = tmp_path / "out"
    for form in ("wav", "flac", "ogg"):
        (path,) = run("export", "--format", form, "--to", str(folder), home=home).stdout.split()
        assert soundfile.info(path).frames == 64_000
    assert run("export", "--format", "wav", "--to", str(folder), home=home).exit_code == 2
    playlist = folder / "all.m3u"
    assert run("export", "--format", "m3u", "--to", str(playlist), home=home).exit_code == 0
    entry = playlist.read_text("utf-8").splitlines()[-1]
    assert not Path(entry).is_absolute()
    assert (playlist.parent / entry).is_file()
    (row,) = csv.DictReader(io.StringIO(run("export", "--format", "csv", "--to", "-", home=home).stdout))
    assert row["role"] == "ui_sfx"
    (line,) = run("export", "--format", "jsonl", "--to", "-", home=home).stdout.splitlines()
    assert json.loads(line)["id"] == row["id"]
    table = tmp_path / "all.parquet"
    assert run("export", "--format", "parquet", "--to", str(table), home=home).exit_code == 0
    import pyarrow.parquet

    exported = pyarrow.parquet.read_table(table)
    assert exported.to_pylist()[0]["id"] == row["id"]
    assert [str(exported.schema.field(name).type) for name in ("rating", "tempo_bpm", "mood_tags")] == [
        "int64",
        "double",
        "list<element: string>",
    ]
    for device in ("/dev/null", str(tmp_path)):
        refused = run("export", "--format", "csv", "--to", device, "--force", home=home)
        assert (refused.exit_code, "name a file" in refused.stderr) == (2, True)
    assert run("export", "--format", "wav", "--to", "-", home=home).exit_code == 2


def test_rating_labelling_and_noting(copy):
    track_id = data(run("list", "--json", home=copy))["tracks"][0]["id"]
    assert run("rate", track_id[:8], "4", home=copy).stdout.strip() == track_id
    payload = data(
        run("rate", track_id, "--tag", "rainy", "--tag", "mine", "--note", "good", "--json", home=copy)
    )
    assert (payload["rating"], payload["tags"], payload["note"]) == (4, ["rainy", "mine"], "good")
    payload = data(run("rate", track_id, "--clear", "--untag", "mine", "--note", "", "--json", home=copy))
    assert (payload["rating"], payload["tags"], payload["note"]) == (None, ["rainy"], "")
    assert 'tags: ["rainy"]' in run("show", track_id, home=copy).stdout
    assert data(run("rate", track_id, "--title", "Zephyr", "--json", home=copy))["title"] == "Zephyr"
    assert f"{track_id} " in run("list", "zephyr", home=copy).stdout
    assert data(run("rate", track_id, "--title", "", "--json", home=copy))["title"] == ""
    for bad in ([track_id], [track_id, "3", "--clear"], [track_id, "6"], [track_id, "--tag", ""]):
        assert run("rate", *bad, home=copy).exit_code == 2
    assert run("rate", "zzz", "3", home=copy).exit_code == 3
    assert run("rate", track_id, "3", "--for", "zzz", home=copy).exit_code == 3


def test_rejecting_and_taking_it_back(copy):
    served = data(run("find-or-make", CALM, *SHORT, "--json", home=copy))
    result = run("reject", served["id"], "--for", served["request_id"], home=copy)
    assert (result.stdout.strip(), result.exit_code) == (served["id"], 0)
    assert run("find", CALM, *SHORT, home=copy).exit_code == 3
    assert data(run("reject", served["id"], "--undo", "--json", home=copy))["verdict"] == "allowed"
    assert data(run("find", CALM, *SHORT, "--json", home=copy))["id"] == served["id"]


@pytest.mark.parametrize("days", ["inf", "nan", "1e9", "-1"])
@pytest.mark.parametrize("command", [("rm", "--purge", "--older-than"), ("history", "--days")])
def test_days_out_of_range_get_one_sentence(home, command, days):
    refused = run(*command, days, home=home)
    assert refused.exit_code == 2
    assert command[-1] in refused.stderr
    assert "is not in the range 0<=x<=36500" in refused.stderr
