"""The examples run as their docstrings say."""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"


def answered(monkeypatch, capsys, *args, example="answer_with_soundtrack.py"):
    monkeypatch.setattr(sys, "argv", [example, *args])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(EXAMPLES / example), run_name="__main__")
    out, err = capsys.readouterr()
    return ended.value.code, out, err


def test_the_answerer_answers_from_its_text_and_brings_music(monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("CATALOG_HOME", str(tmp_path))
    code, out, _ = answered(monkeypatch, capsys, "How do lighthouses warn ships in fog?")
    payload = json.loads(out)
    assert code == 0
    assert "Early keepers rang bells" in payload["answer"]
    assert payload["music"]["action"] == "generated"
    assert Path(payload["music"]["path"]).is_file()
    again = json.loads(answered(monkeypatch, capsys, "How do lighthouses warn ships in fog?")[1])
    assert (again["music"]["action"], again["music"]["path"]) == ("reused", payload["music"]["path"])


def test_a_text_that_is_not_there_is_one_sentence(monkeypatch, capsys, tmp_path):
    args = ["Why?", "--text", str(tmp_path / "no.md"), "--home", str(tmp_path)]
    code, out, err = answered(monkeypatch, capsys, *args)
    assert code == 1
    assert out == ""
    assert err.startswith("error: ")


def test_the_langchain_agent_asks_for_a_track_and_finds_it_the_next_time(monkeypatch, capsys, tmp_path):
    text = "Fog rolls over the harbour while the foghorn sounds, calm and lonely."
    args = [text, "--home", str(tmp_path)]
    calls = []
    for _ in range(2):
        code, out, _ = answered(monkeypatch, capsys, *args, example="langchain_agent.py")
        assert code == 0
        payload = json.loads(out)
        calls.append(payload["calls"])
        assert str(tmp_path) in payload["answer"]
    assert calls == [["search_music", "find_or_make_music"], ["search_music"]]


def test_the_llamaindex_engine_answers_with_sources_that_sound(monkeypatch, capsys, tmp_path):
    args = ["How do lighthouses warn ships in fog?", "--home", str(tmp_path)]
    code, out, _ = answered(monkeypatch, capsys, *args, example="llamaindex_soundtrack.py")
    sources = json.loads(out)["sources"]
    assert code == 0
    assert "In fog the light is lost" in sources[0]["text"]
    assert all(Path(source["soundtrack"]["path"]).is_file() for source in sources)
