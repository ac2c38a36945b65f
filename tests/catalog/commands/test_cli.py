from __future__ import annotations

import csv
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import click
import pytest
import soundfile
from click.testing import CliRunner

import cli
from catalog.commands import terminal

ROOT = Path(__file__).resolve().parents[3]
CALM = "Soft rain taps on the library windows while students read in calm, peaceful silence."
SHORT = ["--duration", "2", "--quality", "preview"]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Return a home with one track in it; tests that change the catalog take a copy."""
    home = tmp_path_factory.mktemp("cli") / "home"
    made = run("find-or-make", CALM, *SHORT, "--json", home=home)
    assert made.exit_code == 0, made.output
    return home


@pytest.fixture
def copy(home, tmp_path):
    return shutil.copytree(home, tmp_path / "home")


def run(*args, home=None, stdin=None):
    env = {"CATALOG_HOME": str(home)} if home else {}
    return CliRunner().invoke(cli.catalog, list(args), input=stdin, env=env)


def data(result):
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_find_or_make_prints_the_path_on_stdout_and_the_rest_on_stderr(home):
    result = run("find-or-make", CALM, *SHORT, home=home)
    assert result.exit_code == 0
    assert Path(result.stdout.strip()).is_file()
    assert result.stderr.splitlines()[-1].startswith("reused: ")


def test_json_carries_a_schema_version_and_what_was_done(home):
    payload = data(run("find-or-make", CALM, *SHORT, "--json", "--explain", home=home))
    assert (payload["schema_version"], payload["action"], payload["similarity"]) == (1, "reused", 1.0)
    assert payload["track"]["id"] == payload["id"]
    assert payload["decision"]["rule"] == "exact"


def test_explain_names_features_choices_and_candidates(home):
    result = run("find", CALM + " Indeed.", *SHORT, "--explain", home=home)
    assert result.exit_code == 0
    for sentence in ("valence: ", "style: ", "prompt: ", "candidates: 1 of 1", "hard facts: "):
        assert sentence in result.stderr


def test_the_context_comes_from_an_argument_standard_input_or_a_file(home, tmp_path):
    payload = tmp_path / "payload.json"
    payload.write_text(json.dumps({"question": "?", "answer": CALM}), "utf-8")
    for args, stdin in ([(CALM,), None], [("-",), CALM], [("--context-file", str(payload)), None]):
        payload = data(run("find", *args, *SHORT, "--json", home=home, stdin=stdin))
        assert payload["action"] == "reused"


def test_find_exits_3_when_nothing_fits(home):
    result = run("find", "Container shipping volumes grew by four percent.", *SHORT, home=home)
    assert (result.exit_code, result.stdout) == (3, "")
    assert "nothing fits" in result.stderr


def test_dry_run_makes_nothing(copy):
    payload = data(run("find-or-make", "Something new entirely.", *SHORT, "--dry-run", "--json", home=copy))
    assert (payload["action"], payload["id"], payload["path"]) == ("none", None, None)
    assert len(data(run("list", "--json", home=copy))["tracks"]) == 1


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg"])
def test_out_writes_the_track_in_the_format_of_its_name(home, tmp_path, suffix):
    out = tmp_path / f"bed.{suffix}"
    result = run("find-or-make", CALM, *SHORT, "--out", str(out), home=home)
    assert result.stdout.strip() == str(out)
    info = soundfile.info(str(out))
    assert info.format.lower() == suffix
    assert info.duration == pytest.approx(2.0, abs=0.05)
    again = run("find-or-make", CALM, *SHORT, "--out", str(out), home=home)
    assert again.exit_code == 2
    assert "--force" in again.stderr
    assert run("find-or-make", CALM, *SHORT, "--out", str(out), "--force", home=home).exit_code == 0


def test_musicgen_always_makes_and_mounts_in_a_host_command_line(copy):
    @click.group()
    def rag():
        pass

    rag.add_command(cli.musicgen)
    args = ["musicgen", CALM, *SHORT, "--home", str(copy), "--json"]
    payload = json.loads(CliRunner().invoke(rag, args).stdout)
    assert payload["action"] == "generated"
    failed = CliRunner().invoke(rag, ["musicgen", "", "--home", str(copy)])
    assert failed.exit_code == 2
    assert failed.stderr == "Error: the text is empty; pass at least one character\n"


def test_a_batch_of_contexts_gives_a_line_each(copy, tmp_path):
    batch = tmp_path / "contexts.jsonl"
    batch.write_text(
        f"{json.dumps(CALM)}\n\n{json.dumps({'answer': 'Container shipping volumes grew.'})}\n", "utf-8"
    )
    result = run("find-or-make", "--batch", str(batch), *SHORT, home=copy)
    assert result.exit_code == 0, result.output
    payloads = [json.loads(line) for line in result.stdout.splitlines()]
    assert [one["action"] for one in payloads] == ["reused", "generated"]
    assert run("find-or-make", CALM, "--batch", str(batch), home=copy).exit_code == 2
    batch.write_text('"fine"\n{not json\n', "utf-8")
    refused = run("find-or-make", "--batch", str(batch), home=copy)
    assert (refused.exit_code, "line 2" in refused.stderr) == (2, True)


def test_set_reaches_any_generation_value(copy):
    args = ["--set", "temperature=0.5", "--set", "channels=1"]
    payload = data(run("musicgen", CALM, *SHORT, *args, "--json", "--explain", home=copy))
    assert payload["track"]["channels"] == 1
    assert payload["request"]["config"]["temperature"] == 0.5
    assert payload["request"]["config_sources"]["temperature"] == "caller"


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


def test_presets_and_configuration_tell_where_values_come_from(tmp_path):
    names = [row["name"] for row in data(run("presets", "list", "--json"))["presets"]]
    assert "ambient_lofi" in names
    assert sum(name.startswith("environment_") for name in names) == 12
    assert "[shipped]" in run("presets", "show", "ambient_lofi").stdout
    mine = tmp_path / "mine.yaml"
    mine.write_text("musicgen:\n  defaults: {temperature: 0.7}\n")
    shown = run("config", "show", "--config", str(mine)).stdout
    assert f"defaults.temperature: 0.7  [{mine}]" in shown
    merged = run("config", "show", "--quality", "preview", "--config", str(mine)).stdout
    assert "quality preview" in merged
    assert run("presets", "show", "ambient_lofy").exit_code == 2
    assert "ambient_lofi" in run("presets", "show", "ambient_lofy").stderr


def test_models_list_and_doctor(home):
    models = data(run("models", "list", "--json"))["models"]
    assert {"small", "medium", "large", "melody"} <= {one["name"] for one in models}
    checks = {one["name"]: one for one in data(run("doctor", "--deep", "--json", home=home))["checks"]}
    assert checks["encoder"]["status"] == "ok"
    assert checks["catalog"]["status"] == "ok"


def test_another_encoder_is_refused_until_the_rows_are_embedded_anew(open_service):
    service = open_service()
    made = service.find_or_make(CALM, duration_s=2.0, quality="preview")
    home = service.store.home
    refused = run("find", CALM + " Indeed.", *SHORT, home=home)
    assert refused.exit_code == 2
    assert "catalog doctor --reembed" in refused.stderr
    assert run("show", made.track.id, home=home).exit_code == 0
    assert "fixed" in run("doctor", "--reembed", home=home).stdout
    found = data(run("find", CALM + " Indeed.", *SHORT, "--json", home=home))
    assert (found["action"], found["id"]) == ("reused", made.track.id)


def test_doctor_finds_a_changed_file(copy):
    (track,) = data(run("list", "--json", home=copy))["tracks"]
    path = Path(track["path"])
    path.write_bytes(path.read_bytes()[:-1] + b"\x7f")
    result = run("doctor", "--deep", home=copy)
    assert result.exit_code == 5
    assert "damage" in result.stdout


@pytest.mark.parametrize(
    ("args", "code", "sentence"),
    [
        ([""], 2, "empty"),
        ([], 2, "give the context once"),
        (["a", "--context-file", "b"], 2, "give the context once"),
        (["--context-file", "no/such/file"], 2, "No such file"),
        (["a", "--preset", "ambient_lofy"], 2, "ambient_lofi"),
        (["a", "--role", "bed"], 2, "background_bed"),
        (["a", "--quality", "best"], 2, "preview"),
        (["a", "--duration", "-3"], 2, "duration_s"),
        (["a", "--duration", "nan"], 2, "duration_s"),
        (["a", "--environment", "forrest"], 2, "forest"),
        (["a", "--loop", "--role", "ui_sfx"], 2, "one-shot"),
        (["a", "--set", "temperature"], 2, "NAME=VALUE"),
        (["a", "--out", "bed.mp3"], 2, ".wav, .flac, .ogg"),
        (["a", "--out", "no/such/folder/bed.wav"], 2, "does not exist"),
        (["a", "--backend", "mlx"], 6, "models pull"),
        (["a", "--reuse", "always"], 3, "ruled out"),
        (["a", "--continue-from", "nothing"], 3, "there is no track 'nothing'"),
        (["a", "--config", "no/such.yaml"], 2, "no/such.yaml"),
        (["a", "--home", "s3://bucket/music"], 1, "s3"),
        (["a", "--home", ""], 2, "empty"),
        (["a", "--home", "x" * 300], 1, "too long"),
        (["a", "--out", "x" * 300 + ".wav"], 2, "too long"),
        (["a", "--dry-run", "--out", "bed.wav"], 2, "--dry-run"),
        (["a", "--set", "seed=" + "1" * 5000], 2, "seed"),
        (["a", "--set", "x=" + "[" * 5000], 2, "x"),
    ],
)
def test_bad_input_is_one_sentence_and_the_right_code(tmp_path, args, code, sentence):
    result = run("find-or-make", *args, home=tmp_path / "home")
    assert result.exit_code == code, result.output
    assert sentence in result.stderr
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    assert len(result.stderr.strip().splitlines()) <= 3


def test_control_characters_of_a_context_do_not_reach_the_terminal(copy):
    run("musicgen", "Calm\x1b[2J rain\x07 falls.", "--query", "\x1b]0;x\x07", *SHORT, home=copy)
    newest = data(run("list", "--json", home=copy))["tracks"][0]["id"]
    for args in (["list"], ["search", "rain"], ["show", newest]):
        shown = run(*args, home=copy)
        assert shown.exit_code == 0
        assert "\x1b" not in shown.output
        assert "\x07" not in shown.output


def test_a_closed_or_full_standard_stream_is_no_traceback(home):
    line = f"{sys.executable} -m cli"
    full, closed, gone = "presets list > /dev/full", f"find - --home {home} <&-", "presets list | true"
    for shell in (f"{line} {full}", f"{line} {closed}", f"{line} {gone}"):
        ended = subprocess.run(["sh", "-c", shell], cwd=ROOT, capture_output=True, text=True, check=False)
        assert "Traceback" not in ended.stderr, shell
        assert "Exception ignored" not in ended.stderr, shell


def test_binary_standard_input_is_refused(home):
    result = run("find-or-make", "-", home=home, stdin=b"\x89PNG\r\n\x1a\n\xff\x00")
    assert result.exit_code == 2
    assert "UTF-8" in result.stderr


def test_a_home_that_is_a_file_is_refused(tmp_path):
    path = tmp_path / "file"
    path.write_text("x")
    result = run("find-or-make", "a", home=path)
    assert result.exit_code == 1
    assert str(path) in result.stderr


def test_reading_a_catalog_that_is_not_there_says_so(tmp_path):
    result = run("list", home=tmp_path / "nowhere")
    assert result.exit_code == 3
    assert "nowhere" in result.stderr
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(shell):
    assert "_CATALOG_COMPLETE" in run("completion", shell).stdout


def test_every_command_has_help():
    def walk(command, path):
        assert command.help, path
        for name, sub in getattr(command, "commands", {}).items():
            walk(sub, [*path, name])

    walk(cli.catalog, ["catalog"])


def command_line(*args, **options):
    env = {**os.environ, "NO_COLOR": "1", **options.pop("env", {})}
    return subprocess.Popen(
        [sys.executable, "-m", "cli", *args],
        cwd=ROOT,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def test_eight_processes_with_one_request_make_one_track(tmp_path):
    home = tmp_path / "home"
    args = ["find-or-make", CALM, *SHORT, "--json", "--home", str(home)]
    processes = [command_line(*args) for _ in range(8)]
    payloads = []
    for process in processes:
        out, err = process.communicate(timeout=240)
        assert process.returncode == 0, err
        payloads.append(json.loads(out))
    assert sorted(one["action"] for one in payloads) == ["generated"] + ["reused"] * 7
    assert len({one["id"] for one in payloads}) == 1
    assert len(list((home / "audio").rglob("*.wav"))) == 1


@pytest.mark.parametrize("point", ["audio.written", "sidecar.renamed", "row.merged", "row.acknowledged"])
def test_kill_9_while_making_leaves_a_catalog_that_opens_with_no_row_without_audio(tmp_path, point):
    home = tmp_path / "home"
    args = ["find-or-make", CALM, *SHORT, "--home", str(home)]
    process = command_line(*args, env={"CATALOG_FAILPOINT": point})
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


def test_interrupting_exits_130_and_leaves_a_catalog_that_opens(tmp_path):
    home = tmp_path / "home"
    process = command_line(
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


def test_listeners_and_themes(copy):
    first = data(
        run("find-or-make", CALM, *SHORT, "--listener", "ada", "--theme", "rain", "--json", home=copy)
    )
    again = data(
        run("find-or-make", CALM, *SHORT, "--listener", "ada", "--theme", "rain", "--json", home=copy)
    )
    assert again["id"] == first["id"]
    varied = data(run("find-or-make", CALM, *SHORT, "--listener", "ada", "--json", home=copy))
    assert (varied["action"], varied["track"]["variant_of"]) == ("generated", first["id"])


def test_the_history_is_listed_and_searched(copy):
    run("find-or-make", CALM, *SHORT, "--listener", "ada", home=copy)
    listed = data(run("history", "--json", home=copy))["requests"]
    assert [line["listener"] for line in listed[:2]] == ["ada", ""]
    assert data(run("history", "--listener", "ada", "--json", home=copy))["requests"] == listed[:1]
    (found,) = data(run("history", "students and soft rain", "--limit", "1", "--json", home=copy))["requests"]
    assert found["relevance"] > 0.3
    assert len(run("history", "rain", "--by", "words", "--limit", "2", home=copy).stdout.splitlines()) == 2
    assert run("history", "--days", "0", home=copy).exit_code == 3
    assert run("history", "--listener", "nobody", home=copy).exit_code == 3
    assert run("rate", listed[0]["track_id"], "4", "--for", listed[0]["id"], home=copy).exit_code == 0
    assert data(run("history", "--json", home=copy))["requests"][0]["rating"] == 4


def test_stats_and_suggestions(copy):
    payload = data(run("stats", "--json", home=copy))
    assert (payload["requests"], payload["made"], payload["tracks"]) == (
        payload["reused"] + payload["failed"] + 1,
        1,
        1,
    )
    assert f"hit_rate: {payload['hit_rate']}" in run("stats", home=copy).stdout.splitlines()
    found = data(run("presets", "suggest", "calm rain in a library", "--limit", "3", "--json", home=copy))
    assert len(found["presets"]) == 3
    assert {one["evidence"] for one in found["presets"]} == {"description"}
    assert "its description" in run("presets", "suggest", "calm rain", home=copy).stdout


def test_calibrate_writes_a_certificate_that_decides_from_then_on(copy, tmp_path):
    labels = tmp_path / "labels.jsonl"
    moods = ("calm and quiet", "tense and dark", "bright and merry", "slow and sad", "wild and angry")
    places = (
        "harbour",
        "meadow",
        "kitchen",
        "station",
        "glacier",
        "market",
        "chapel",
        "tunnel",
        "garden",
        "office",
    )
    texts = [f"The {place} is {mood} today." for place in places for mood in moods]
    pairs = [{"asked": text, "track": f"Today {text[0].lower()}{text[1:]}", "fits": True} for text in texts]
    labels.write_text("\n".join(map(json.dumps, pairs)), "utf-8")
    made = data(run("calibrate", "--labels", str(labels), "--max-false-reuse", "0.12", "--json", home=copy))
    assert [bound["max_false_reuse"] for bound in made["bounds"]] == [0.02, 0.05, 0.1, 0.12, 0.15, 0.2, 0.3]
    assert (made["source"], made["scenes"]) == ("labels.jsonl", len(pairs))
    own = json.loads((copy / "certificate.json").read_text("utf-8"))
    assert own["id"] == made["id"]
    payload = data(run("find", CALM + " Quite.", *SHORT, "--json", "--explain", home=copy))
    assert payload["decision"]["certificate"] == made["id"]
    strict = run("find", CALM + " Quite.", *SHORT, "--max-false-reuse", "0.001", home=copy)
    assert strict.exit_code == 3
    assert "exact repeats" in strict.stderr
    (copy / "certificate.json").write_text("{}", "utf-8")
    damaged = run("find-or-make", CALM + " Quite.", *SHORT, "--dry-run", home=copy)
    assert "catalog calibrate" in damaged.stderr
    assert data(run("find", CALM, *SHORT, "--json", home=copy))["action"] == "reused"


def test_calibrate_refuses_bad_labels_and_missing_ratings_in_one_line(copy, tmp_path):
    labels = tmp_path / "labels.jsonl"
    labels.write_text('{"scene": "a"}', "utf-8")
    for args, sentence in (
        (["--labels", str(labels)], "line 1: fits"),
        (["--from-ratings"], "no reuse under the certificate"),
        (["--from-ratings", "--labels", str(labels)], "drop one"),
        (["--max-false-reuse", "2"], "between 0 and 1"),
    ):
        result = run("calibrate", *args, home=copy)
        assert result.exit_code == 2, sentence
        assert sentence in result.stderr
        assert not (copy / "certificate.json").exists()


def test_explain_counts_what_each_hard_fact_rejects(home):
    result = run("find", CALM + " Indeed.", "--duration", "9", "--quality", "final", "--explain", home=home)
    assert (
        "rejected by each hard fact alone, of 1 tracks: role 1, quality 1, model 0, duration 1"
        in result.stderr
    )
