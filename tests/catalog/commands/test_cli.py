from __future__ import annotations

import json
import os
from contextlib import closing
from pathlib import Path

import click
import pytest
import soundfile
from click.testing import CliRunner

from music_catalog import cli
from music_catalog.store.store import Store
from tests.command_line import CALM, SHORT, data, run
from tests.sample_texts import BATTLE


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


def test_a_brief_comes_from_a_file_or_standard_input_and_decides_the_style(home, tmp_path):
    brief = {"fits": ["synthwave"], "valence": 0, "energy": 0.4}
    file = tmp_path / "brief.json"
    file.write_text(json.dumps(brief), "utf-8")
    dry = ("find-or-make", CALM, *SHORT, "--dry-run", "--json", "--explain", "--brief")
    for name, stdin in ((str(file), None), ("-", json.dumps(brief))):
        assert data(run(*dry, name, home=home, stdin=stdin))["request"]["style"] == "synthwave"
    file.write_text("synthwave", "utf-8")
    for name, words in ((str(file), "is not a JSON object"), (str(tmp_path / "none"), "cannot be read")):
        refused = run(*dry, name, home=home)
        assert refused.exit_code == 2
        assert words in refused.stderr
    twice = run("find-or-make", "-", "--brief", "-", home=home, stdin=CALM)
    assert (twice.exit_code, "not both" in twice.stderr) == (2, True)


def test_a_call_with_another_brief_is_another_call(tmp_path):
    file = tmp_path / "brief.json"
    options = (*SHORT, "--reuse", "auto", "--brief", str(file), "--json")
    made = {}
    for style, text in (("synthwave", "Neon."), ("lullaby", "Sleep."), ("synthwave", "Neon.")):
        file.write_text(json.dumps({"fits": [style], "valence": 0, "energy": 0}), "utf-8")
        answer = data(run("find-or-make", text, *options, home=tmp_path / "home"))
        assert answer["style"] == style
        assert made.setdefault(style, answer["id"]) == answer["id"]
    file.write_text(json.dumps({"fits": ["no_such_style"], "valence": 0, "energy": 0}), "utf-8")
    assert run("find-or-make", "Neon.", *options, home=tmp_path / "home").exit_code == 2


def test_schema_brief_prints_a_schema_over_the_styles_of_the_home(copy):
    (copy / "catalog.yaml").write_text(
        "musicgen: {presets: {mine: {description: Mine., prompt_tags: [warm]}}}", "utf-8"
    )
    schema = json.loads(run("schema", "brief", home=copy).stdout)
    assert "mine" in schema["properties"]["fits"]["items"]["enum"]
    assert "- mine: Mine." in run("schema", "brief", "--prompt", home=copy).stdout


def test_find_exits_3_when_nothing_fits(home):
    result = run("find", "Container shipping volumes grew by four percent.", *SHORT, home=home)
    assert (result.exit_code, result.stdout) == (3, "")
    assert result.stderr.startswith("Error: nothing fits: ")
    assert len(result.stderr.splitlines()) == 1
    told = run("find", "Container shipping volumes grew.", *SHORT, "--json", home=home)
    assert json.loads(told.stdout)["track"] is None


def test_dry_run_makes_nothing(copy):
    payload = data(run("find-or-make", BATTLE, *SHORT, "--dry-run", "--json", home=copy))
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
    batch.write_text(f"{json.dumps(CALM)}\n\n{json.dumps({'answer': BATTLE})}\n", "utf-8")
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


def test_doctor_encodes_an_altered_vector_again(copy):
    (track,) = data(run("list", "--json", home=copy))["tracks"]
    with closing(Store.open(copy)) as store:
        before = store.tracks.vector_of(track["id"])
        altered = {"where": "true", "values": {"vector": [1.0, *[0.0] * (len(before) - 1)]}}
        store.tracks.table.durable.commit("damage", lambda table: table.update(**altered))
    assert run("doctor", "--deep", home=copy).exit_code != 0
    assert "fixed" in run("doctor", "--deep", "--fix", home=copy).stdout
    with closing(Store.open(copy)) as store:
        assert abs(store.tracks.vector_of(track["id"]) - before).max() < 1e-6
    assert run("doctor", "--deep", home=copy).exit_code == 0


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
        (["a", "--duration", "-3"], 2, "--duration is -3"),
        (["a", "--duration", "nan"], 2, "--duration is nan"),
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


def test_control_characters_of_a_refused_value_do_not_reach_the_terminal(home):
    for words in (("find", CALM, "--config"), ("presets", "list"), ("list", "--limit")):
        refused = run(*words, "a\nb\x1b[31m\u2028", home=home)
        assert refused.exit_code == 2
        line = refused.stderr.splitlines()[-1]
        assert line.startswith("Error: ")
        assert r"a\nb\x1b[31m\u2028" in line


def test_a_missing_choice_is_refused_in_one_line():
    last = run("export", "--to", "x").stderr.splitlines()[-1]
    assert last.startswith("Error: Missing option '--format'. Choose from: wav, ")


def test_the_name_of_a_folder_that_is_no_utf8_is_printed_as_it_is(tmp_path):
    folder = tmp_path / os.fsdecode(b"\xff")
    shown = run("doctor", home=folder)
    assert (shown.exit_code, os.fsencode(folder) in shown.stdout_bytes) == (0, True)
    details = [check["detail"] for check in data(run("doctor", "--json", home=folder))["checks"]]
    assert any(detail.startswith(str(folder)) for detail in details)


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


def test_explain_counts_what_each_hard_fact_rejects(home):
    result = run("find", CALM + " Indeed.", "--duration", "9", "--quality", "final", "--explain", home=home)
    assert (
        "rejected by each hard fact alone, of 1 tracks: role 1, quality 1, model 0, duration 1"
        in result.stderr
    )


@pytest.mark.parametrize("command", ["find-or-make", "musicgen"])
def test_of_several_takes_one_is_kept_and_the_result_says_why(command, tmp_path):
    made = data(run(command, BATTLE, *SHORT, "--takes", "2", "--json", home=tmp_path))
    assert made["track"]["checked"]["takes"] == 2
    assert "of 2 was kept: nothing is wrong with it" in made["reason"]
    assert "check procedural: 0.0% failed (0 of 2 takes)" in run("stats", home=tmp_path).stdout
    refused = run(command, BATTLE, *SHORT, "--takes", "2", "--seed", "1", home=tmp_path)
    assert refused.exit_code == 2
    assert "--takes 2 and --seed 1 contradict each other" in refused.stderr
