"""The examples run as their docstrings say."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import runpy
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import soundfile

from music_catalog import MusicService
from music_catalog.service.jobs import Jobs

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"


def load(example):
    """Return an example as a module."""
    spec = importlib.util.spec_from_file_location(f"example_{Path(example).stem}", EXAMPLES / example)
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)  # dataclasses look there
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


def test_the_mcp_client_has_a_track_made_and_finds_it_the_next_time(monkeypatch, capsys, tmp_path):
    text = "Fog rolls over the harbour while the foghorn sounds, calm and lonely."
    # In a process of its own: the server it starts needs a real stderr.
    words = [sys.executable, EXAMPLES / "mcp_client.py", text, "--home", tmp_path]
    done = subprocess.run(words, capture_output=True, text=True, timeout=240, check=False)
    made = json.loads(done.stdout)
    # From here on the server is in this process.
    from music_catalog.integrations.mcp import server

    example = load("mcp_client.py")
    with MusicService.open(tmp_path) as service, closing(Jobs(service)) as jobs:
        monkeypatch.setattr(example, "stdio_client", lambda parameters: server(service, jobs))
        monkeypatch.setattr(sys, "argv", ["mcp_client.py", text, "--home", str(tmp_path)])
        assert example.main() == 0
        reused = json.loads(capsys.readouterr().out)
        assert (made["action"], reused["action"]) == ("generated", "reused")
        assert made["path"] == reused["path"]
        assert Path(made["path"]).is_file()
        monkeypatch.setattr(sys, "argv", ["mcp_client.py", " ", "--home", str(tmp_path)])
        assert example.main() == 1
        assert capsys.readouterr() == ("", "error: the text is empty; pass at least one character\n")


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


# The story told as a graph

CALM = "She walked calmly through the quiet, peaceful wood."
SHORT_S = 3.9
"""Below 4 s tempo and key are not measured, which would take most of the time."""
FEAR = "A monster roared in the wood. Ada screamed in terror, afraid and horrified."


def node(kind, name, text, **fields):
    return {"id": name, "type": kind, "text": text, **fields}


def edge(source, target, **fields):
    return {"source": source, "target": target, **fields}


def graph():
    """A wood, two characters who are described alike, and four scenes: calm twice, fearful, calm again."""
    lone = {"text": "She walks alone and hums to herself.", "style": "acoustic_folk"}
    return {
        "nodes": [
            node("place", "wood", "An old wood.", environment="forest"),
            node("character", "ada", **lone),
            node("character", "bea", **lone),
            node("scene", "1", CALM),
            node("scene", "2", CALM),
            node("scene", "3", FEAR),
            node("scene", "4", CALM),
        ],
        "edges": [
            *(edge(scene, "wood", type="located at") for scene in "1234"),
            edge("ada", "1", type="appears in"),
            edge("bea", "2", type="appears in"),
            edge("ada", "4", type="appears in", variation=True),
        ],
    }


def pitches(path):
    """Return how strong each pitch class is in every 0.4 s, shape (spans, 12), without the mean of the span."""
    samples, rate = soundfile.read(path)
    size = int(0.4 * rate)
    spans = samples.mean(axis=1)[: len(samples) // size * size].reshape(-1, size)
    strength = np.abs(np.fft.rfft(spans * np.hanning(size), axis=1))
    hertz = np.fft.rfftfreq(size, 1 / rate)
    heard = (hertz > 110) & (hertz < 2000)
    classes = np.round(12 * np.log2(hertz[heard] / 440)).astype(int) % 12
    found = np.stack([strength[:, heard][:, classes == each].sum(1) for each in range(12)], axis=1)
    return found - found.mean(axis=1, keepdims=True)


def alike(one, other):
    """Return the mean cosine of the pitches of two tracks, span by span."""
    a, b = pitches(one), pitches(other)
    a, b = a[: len(b)], b[: len(a)]
    return float(np.mean((a * b).sum(1) / (np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1) + 1e-9)))


def test_places_and_characters_keep_their_themes_which_vary_with_the_mood(open_service, tmp_path):
    story = load("graph_story.py")
    written = tmp_path / "wood.json"
    written.write_text(json.dumps(graph()), "utf-8")
    service = open_service()
    rows = story.score_graph(service, written, tmp_path / "out.wav", duration_s=SHORT_S)
    assert [(row["scene"], row["theme"], row["kind"]) for row in rows] == [
        ("1", "ada", "theme"),
        ("1", "wood", "theme"),
        ("2", "bea", "theme"),
        ("2", "wood", "return"),
        ("3", "wood", "variation"),
        ("4", "ada", "variation"),
        ("4", "wood", "return"),
    ]
    ada, wood, bea, calm, feared, varied, again = (row["track_id"] for row in rows)
    assert calm == again == wood
    assert len({ada, wood, bea, feared, varied}) == 5  # ada and bea are asked for in the same words
    assert "the edge wants a variation" in rows[5]["why"]
    theme, variation = service.get(ada), service.get(varied)
    # The plain rival: the same request as the theme's, with other seeds and no melody to follow.
    asked = {"preset": theme.style, "role": theme.role, "quality": theme.quality, "duration_s": SHORT_S}
    others = [service.generate(theme.context, seed=seed, **asked).track for seed in range(1, 7)]
    unlike = np.mean([alike(variation.path, other.path) for other in others])
    assert alike(variation.path, theme.path) > unlike + 0.2
    # The timeline: no gap, and as long as the file.
    assert [row["end_s"] for row in rows[:-1]] == [row["start_s"] for row in rows[1:]]
    assert soundfile.info(tmp_path / "out.wav").duration == pytest.approx(rows[-1]["end_s"], abs=0.01)
    sheet = json.loads((tmp_path / "out.json").read_text("utf-8"))
    assert sheet["themes"] == rows
    assert sheet["cues"][0]["start_s"] == 0
    assert (tmp_path / "out.vtt").read_text("utf-8").startswith("WEBVTT")
    second = story.score_graph(service, written, tmp_path / "again.wav", duration_s=SHORT_S)
    assert [row["track_id"] for row in second] == [row["track_id"] for row in rows]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda story: story["edges"].append(edge("ada", "wood", type="appears in")), "is no 'appears in'"),
        (lambda story: story["edges"].append(edge("cleo", "1", type="appears in")), "from 'cleo' to '1'"),
        (lambda story: story["nodes"].append(node("scene", "5", CALM)), "the scene '5' has no place"),
        (lambda story: story["nodes"].append(node("place", "wood", "Twice.")), "two nodes have the same id"),
        (lambda story: story["nodes"].append(node("dragon", "smaug", "Huge.")), "nodes.7.type"),
        (lambda story: story["nodes"][0].update(environment="wod"), "unknown environment 'wod'"),
        (lambda story: story.update(nodes=[], edges=[]), "the graph has no scenes"),
        (lambda story: story.pop("edges"), "edges is missing"),
    ],
)
def test_a_graph_that_tells_no_story_is_refused_in_one_sentence(change, said, monkeypatch, capsys, tmp_path):
    broken = graph()
    change(broken)
    (tmp_path / "graph.json").write_text(json.dumps(broken), "utf-8")
    args = [str(tmp_path / "graph.json"), "--out", str(tmp_path / "a.wav"), "--home", str(tmp_path / "home")]
    code, out, err = answered(monkeypatch, capsys, *args, example="graph_story.py")
    assert (code, out) == (2, "")
    assert said in err
    assert len(err.splitlines()) == 1
    assert not (tmp_path / "a.wav").exists()


def test_the_graph_of_the_example_tells_a_story():
    story = load("graph_story.py").read_graph(EXAMPLES / "graph.json")
    assert len(story.scenes) == 8


# The notebook


def test_the_notebook_runs_from_top_to_bottom_and_is_kept_without_outputs(tmp_path):
    notebook = EXAMPLES / "answer_with_soundtrack.ipynb"
    cells = [cell for cell in json.loads(notebook.read_text("utf-8"))["cells"] if cell["cell_type"] == "code"]
    assert not any(cell["outputs"] or cell["execution_count"] for cell in cells)
    script = tmp_path / "notebook.py"
    script.write_text("\n\n".join("".join(cell["source"]) for cell in cells), "utf-8")
    environment = {**os.environ, "CATALOG_HOME": str(tmp_path / "home")}
    run = subprocess.run(
        [sys.executable, script],
        cwd=EXAMPLES.parent,
        env=environment,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert "In fog the light is lost" in run.stdout
    assert "generated " in run.stdout
    assert "reused because the same request was served before" in run.stdout
