"""`catalog stock`: the plan, the question, the tracks, and a second run."""

from __future__ import annotations

import json

import pytest
from command_line import SHORT, data, run

from music_catalog.commands import stock as commands

TEXTS = [
    "Turn the heating off, wait half an hour, and open the valve of the radiator a quarter turn until water drips.",
    "The riders broke through the gate, swords raised, and the yard became a storm of screams and steel.",
    "To descale the boiler, dissolve 20 g of citric acid in a litre of water and pump it through the steam wand.",
]


@pytest.fixture
def corpus(tmp_path):
    path = tmp_path / "chunks.jsonl"
    path.write_text("".join(json.dumps({"chunk": text}) + "\n" for text in TEXTS), "utf-8")
    return str(path)


def test_a_dry_run_shows_the_plan(corpus, tmp_path):
    result = run("stock", corpus, "--tracks", "2", "--dry-run", *SHORT, home=tmp_path / "home")
    assert result.exit_code == 0
    first, heading, *rest = result.stdout.splitlines()
    assert first == "corpus: 3 texts, all read; the catalog serves 0.0% already"
    assert "newly served" in heading
    assert "line 1" in rest[0] or "line 3" in rest[0]
    assert any(line.startswith("making 2 of them takes about 0.8 s") for line in rest)
    payload = data(
        run("stock", corpus, "--tracks", "2", "--dry-run", "--json", *SHORT, home=tmp_path / "home")
    )
    assert payload["made"] == []
    assert [one["covered"] for one in payload["plan"]["tracks"]] == [2, 3]
    assert TEXTS[0] not in json.dumps(payload)


def test_it_asks_makes_and_goes_on(corpus, tmp_path):
    call = ("stock", corpus, "--tracks", "2", *SHORT)
    refused = run(*call, home=tmp_path / "home", stdin="n\n")
    assert (refused.exit_code, refused.stdout) == (0, "")
    assert "Make 2 tracks, in about 0.8 s?" in refused.stderr
    unanswered = run(*call, home=tmp_path / "home")
    assert unanswered.exit_code == 2
    assert "pass --yes to make them, or --dry-run" in unanswered.stderr
    made = run(*call, home=tmp_path / "home", stdin="y\n")
    assert made.exit_code == 0
    assert len(made.stdout.splitlines()) == 2
    again = run(*call, home=tmp_path / "home")
    assert (again.exit_code, again.stdout) == (0, "")
    assert again.stderr.count("[there: ") == 2
    assert again.stderr.startswith("corpus: 3 texts, all read; the catalog serves 100.0% already\n")
    assert data(run("list", "--json", home=tmp_path / "home"))["tracks"]
    assert data(run("stats", "--json", home=tmp_path / "home"))["stocked"] == 2


def test_yes_makes_without_asking(corpus, tmp_path):
    payload = data(run("stock", corpus, "--tracks", "1", "--yes", "--json", *SHORT, home=tmp_path / "home"))
    assert [one["style"] for one in payload["made"]] == [one["style"] for one in payload["plan"]["tracks"]]


@pytest.mark.parametrize(
    ("arguments", "refusal"),
    [
        (["nowhere", "--tracks", "1"], "the corpus nowhere cannot be read"),
        ([".", "--tracks", "1", "--table", "t"], "there is no table 't'"),
        (["CORPUS", "--tracks", "1", "--table", "t"], "--table t is for the folder of a LanceDB database"),
        (["CORPUS", "--tracks", "1", "--column", "body"], "line 1 has no text under column 'body'"),
        (["CORPUS", "--tracks", "0"], "0 is not in the range"),
        (["CORPUS"], "Missing option '--tracks'"),
    ],
)
def test_a_wrong_call_gets_one_sentence(corpus, tmp_path, arguments, refusal):
    result = run("stock", *[corpus if one == "CORPUS" else one for one in arguments], home=tmp_path / "home")
    assert result.exit_code == 2
    assert refusal in result.stderr.splitlines()[-1]


def test_the_sample_of_the_command_is_that_of_the_library():
    from music_catalog.request.corpus import SAMPLE

    (default,) = (option.default for option in commands.stock.params if option.name == "sample")
    assert default == SAMPLE
