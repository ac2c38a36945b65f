from __future__ import annotations

import json

from tests.command_line import CALM, SHORT, data, run


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
    empty = run("presets", "suggest", "calm rain", home=copy / "nothing")
    assert empty.exit_code == 3
    assert "make a track first, such as `catalog find-or-make 'calm rain'`, or choose from" in empty.stderr


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
