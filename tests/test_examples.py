"""The examples run as their docstrings say."""

from __future__ import annotations

import importlib.util
import json
import re
import runpy
import subprocess
import sys
import time
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"


def load(example):
    """Return an example as a module."""
    spec = importlib.util.spec_from_file_location(Path(example).stem, EXAMPLES / example)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


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


def test_the_mcp_client_has_a_track_made_and_finds_it_the_next_time(tmp_path):
    def run(text):
        # In a process of its own: the server it starts needs a real stderr.
        words = [sys.executable, EXAMPLES / "mcp_client.py", text, "--home", tmp_path]
        return subprocess.run(words, capture_output=True, text=True, timeout=240, check=False)

    text = "Fog rolls over the harbour while the foghorn sounds, calm and lonely."
    made, reused = (json.loads(run(text).stdout) for _ in range(2))
    assert (made["action"], reused["action"]) == ("generated", "reused")
    assert made["path"] == reused["path"]
    assert Path(made["path"]).is_file()
    refused = run(" ")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr == "error: the text is empty; pass at least one character\n"


@pytest.mark.parametrize(
    ("example", "package", "name"),
    [
        ("chat/app.py", "fastapi", "serve"),
        ("langchain_agent.py", "langchain_core", "langchain"),
        ("llamaindex_soundtrack.py", "llama_index", "llamaindex"),
        ("mcp_client.py", "mcp", "mcp"),
    ],
)
def test_an_example_names_the_extra_that_is_missing(monkeypatch, example, package, name):
    for module in [each for each in sys.modules if each.split(".")[0] == package]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.setattr(sys, "argv", [example, "a text"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(EXAMPLES / example), run_name="__main__")
    said = f"error: this example needs the extra {name}: pip install 'music-catalog[{name}]'"
    assert str(ended.value.code).startswith(said)


# The chat page

FOG = "In fog the light is lost and sound takes over: early keepers rang bells?"


@pytest.fixture
def chat(service):
    """A client of the chat application over the notes of the examples."""
    from starlette.testclient import TestClient

    app = load("chat/app.py").create_app(service, (EXAMPLES / "chunks.md").read_text("utf-8"))
    with TestClient(app, base_url="http://127.0.0.1") as client:
        yield client


def picked(client, music):
    """Return the music of an answer once it is over."""
    until = time.monotonic() + 120
    while music["state"] in ("queued", "running"):
        assert time.monotonic() < until
        time.sleep(0.05)
        music = client.get(f"/music/{music['id']}").json()
    return music


def test_the_chat_answers_at_once_and_picks_music_in_the_background(chat):
    asked = {"question": FOG}
    answer = chat.post("/ask", json=asked).json()
    assert "Early keepers rang bells" in answer["answer"]
    assert answer["answer"] in answer["sources"][0]
    music = picked(chat, answer["music"])
    assert (music["state"], music["action"]) == ("done", "generated")
    assert music["why"]
    assert music["style_why"]
    audio = chat.get(music["audio"])
    assert (audio.headers["content-type"], audio.content[:4]) == ("audio/wav", b"RIFF")
    again = picked(chat, chat.post("/ask", json=asked).json()["music"])
    assert again["action"] == "reused"


def test_music_that_the_reader_turns_down_gives_way_to_other_music(chat):
    asked = {"question": FOG}
    first = picked(chat, chat.post("/ask", json=asked).json()["music"])
    other = picked(chat, chat.post(f"/music/{first['id']}/reject").json())
    heard = [chat.get(music["audio"]).content for music in (first, other)]
    assert heard[0] != heard[1]
    asked_again = picked(chat, chat.post("/ask", json=asked).json()["music"])
    assert chat.get(asked_again["audio"]).content == heard[1]


def test_a_question_that_the_notes_do_not_answer_gets_no_music(chat):
    answer = chat.post("/ask", json={"question": "quantum chromodynamics"}).json()
    assert answer["answer"].startswith("There is nothing on that")
    assert (answer["sources"], answer["music"]) == ([], None)


def test_your_own_answerer_takes_the_place_of_the_quotation(service):
    from starlette.testclient import TestClient

    seen = []

    def model(question, passages):
        seen.append((question, passages))
        return "Bells, guns and horns."

    app = load("chat/app.py").create_app(service, "Keepers rang bells in fog.", model)
    with TestClient(app, base_url="http://127.0.0.1") as client:
        answer = client.post("/ask", json={"question": "Who rang bells in fog?"}).json()
        assert picked(client, answer["music"])["state"] == "done"
    assert answer["answer"] == "Bells, guns and horns."
    assert seen == [("Who rang bells in fog?", ["Keepers rang bells in fog."])]


def test_an_answer_is_given_where_no_music_can_be_had(open_service):
    from starlette.testclient import TestClient

    from music_catalog import Unavailable

    def none(backend, size):
        raise Unavailable("no generator is here")

    app = load("chat/app.py").create_app(open_service(generators=none), "Keepers rang bells in fog.")
    with TestClient(app, base_url="http://127.0.0.1") as client:
        answer = client.post("/ask", json={"question": "Who rang bells in fog?"}).json()
        music = picked(client, answer["music"])
        assert client.get(f"/music/{music['id']}/audio").status_code == 404
    assert answer["answer"] == "Keepers rang bells in fog."
    assert (music["state"], music["why"]) == ("failed", "no generator is here")


def test_the_chat_refuses_what_is_not_there_and_other_names(chat):
    assert chat.get("/music/none").status_code == 404
    assert chat.get("/music/none/audio").status_code == 404
    assert chat.post("/music/none/reject").status_code == 404
    assert chat.post("/ask", json={"question": ""}).status_code == 422
    assert chat.get("/", headers={"host": "elsewhere.example"}).status_code == 400


def test_the_page_of_the_chat_loads_nothing_from_elsewhere_and_names_its_controls(chat):
    page = chat.get("/").text
    files = [name for name in re.findall(r'(?:src|href)="([^"]+)"', page) if not name.startswith("data:")]
    assert files == ["chat.css", "chat.js"]
    assert not any(re.search(r"https?://|import |url\(", chat.get(f"/{name}").text) for name in files)
    assert "default-src 'self'" in page
    controls = re.findall(r'<input id="(\w+)"', page)
    assert [f'for="{name}"' in page for name in controls] == [True, True]
