"""The examples run as they are told to."""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"


def answered(monkeypatch, capsys, *args):
    monkeypatch.setattr(sys, "argv", ["answer_with_soundtrack.py", *args])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(EXAMPLES / "answer_with_soundtrack.py"), run_name="__main__")
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
