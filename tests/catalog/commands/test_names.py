"""One name for one thing, and words that are not what they were typed for."""

from __future__ import annotations

import click
import pytest

from music_catalog import cli
from tests.command_line import CALM, SHORT, data, run


def options(group=cli.catalog):
    for command in group.commands.values():
        if isinstance(command, click.Group):
            yield from options(command)
        else:
            yield from ((command.name, one) for one in command.params if isinstance(one, click.Option))


def test_a_style_is_named_by_style_everywhere():
    named = [one.opts for _, one in options() if {"--style", "--preset"} & {*one.opts}]
    assert len(named) >= 8
    assert all(opts[0] == "--style" for opts in named)


def test_style_and_preset_are_one_option(home):
    dry = ("find-or-make", CALM, *SHORT, "--dry-run", "--json", "--explain")
    by_style = data(run(*dry, "--style", "synthwave", home=home))
    assert by_style["request"]["style"] == "synthwave"
    by_preset = data(run(*dry, "--preset", "synthwave", home=home))
    assert by_preset["request"]["key"] == by_style["request"]["key"]
    shown = [run("config", "show", name, "synthwave").stdout for name in ("--style", "--preset")]
    assert shown[0] == shown[1] != ""


def test_a_refused_duration_names_its_flag(home):
    for value in ("-3", "nan"):
        refused = run("find-or-make", CALM, "--duration", value, home=home)
        assert refused.exit_code == 2
        assert refused.stderr.startswith("Error: --duration is ")


@pytest.mark.parametrize("name", ["missing.txt", "notes/answer.json", "./answer", "/no/such", "~/x", "A.MD"])
@pytest.mark.parametrize("command", ["find-or-make", "find", "musicgen", "scene"])
def test_the_name_of_no_file_is_not_taken_for_a_text(home, command, name):
    refused = run(command, name, home=home)
    assert refused.exit_code == 2
    (line,) = refused.stderr.splitlines()
    assert line.startswith(f"Error: {name} looks like the name of a file, and there is no such file")


def test_the_name_of_a_file_is_not_taken_for_a_text(home, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "answer.txt").write_text(CALM, "utf-8")
    refused = run("find", "answer.txt", home=home)
    assert refused.exit_code == 2
    assert refused.stderr.startswith("Error: answer.txt is a file; read it with --context-file")
    assert run("find", "--context-file", "answer.txt", *SHORT, home=home).exit_code == 0


@pytest.mark.parametrize(
    "text", ["Neon.", "Read notes.txt first.", "either/or", "3.14", "e.g.", "Wait...what", "www.example.org"]
)
def test_a_text_may_look_a_little_like_a_file(home, text):
    done = run("find-or-make", text, "--dry-run", *SHORT, home=home)
    assert done.exit_code == 0, done.output


def test_dashes_let_a_file_name_be_a_text(home):
    done = data(run("find-or-make", "--dry-run", "--json", "--explain", *SHORT, "--", "rain.txt", home=home))
    assert done["request"]["context"]["text"] == "rain.txt"


def test_a_folder_that_is_not_there_is_not_looked_for_on_the_hub(home):
    for name in ("./my-folder", "~/no-such-folder", "models/of/mine", "my-folder/"):
        refused = run("models", "pull", name)
        assert refused.exit_code == 6
        assert f"Error: there is no folder {name}; valid: small, " in refused.stderr


def test_a_model_of_an_unknown_name_is_refused_with_those_of_the_ear_too():
    refused = run("models", "pull", "zzz")
    assert refused.exit_code == 2
    assert refused.stderr.startswith("Error: no model is named 'zzz'; valid: small, ")
    assert "clap-general" in refused.stderr


def test_a_search_that_finds_nothing_tells_what_may_have_been_meant(home):
    refused = run("search", "rain", "--mood", "clam", home=home)
    assert refused.exit_code == 3
    assert refused.stderr.endswith("'clam' is no mood; did you mean calm?\n")
    for args, meant in (
        (("--style", "ambient_lofy"), "ambient_lofi"),
        (("--environment", "forrest"), "forest"),
        (("--time-of-day", "evenning"), "evening"),
        (("--min-quality", "standart"), "standard"),
        (("style:ambient_lofy",), "ambient_lofi"),
        (("environment:forrest",), "forest"),
        (("moood:calm",), "mood"),
        (("mood:clam",), "calm"),
    ):
        assert f"did you mean {meant}" in run("search", "rain", *args, home=home).stderr
    assert (
        "mood:clam at character 1 is not valid; did you mean calm?"
        in run("list", "mood:clam", home=home).stderr
    )
    listed = run("list", "--mood", "clam", home=home)
    assert listed.exit_code == 0
    assert listed.stderr == "note: 'clam' is no mood; did you mean calm?\n0 of 0 tracks\n"


def test_a_mood_of_ones_own_is_found(copy):
    run("musicgen", CALM, "--mood", "clam", *SHORT, home=copy)
    assert len(data(run("search", "mood:clam", "--json", home=copy))["hits"]) == 1


def test_queries_take_the_names_of_the_options():
    from music_catalog.search.query import parse

    assert parse("preset:lullaby mood_tags:calm duration:5..60") == parse(
        "style:lullaby mood:calm length:5..60"
    )
