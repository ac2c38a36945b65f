"""The MCP server, through the SDK's own client: in memory, over stdio and over streamable HTTP."""

from __future__ import annotations

import base64
import json
import os
import re
import signal
import subprocess
import sys
import threading
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import httpx
import pytest
from click.testing import CliRunner
from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.shared.exceptions import MCPError
from mcp_types import AudioContent, ResourceLink, TextContent

import cli
from catalog import MusicService
from catalog.integrations import mcp_tools
from catalog.integrations.mcp import server
from catalog.service.jobs import Jobs
from generator import Cancelled, GeneratorError, ProceduralGenerator
from generator import audio as audio_

ROOT = Path(__file__).resolve().parents[3]
CALM = "Soft rain taps on the library windows while students read in calm, peaceful silence."
PANIC = "Hard rain hammers on the library windows while students scream in terrifying, angry chaos."
SHORT = {"duration_s": 1.5, "quality": "preview"}
LONG_WAIT = {"wait_s": 30}


def against(service, conversation, **options):
    """Run `conversation(client)` against a server over `service`, in memory."""
    jobs = Jobs(service, **options)

    async def talk():
        async with Client(server(service, jobs)) as client:
            with anyio.fail_after(60):
                return await conversation(client)

    try:
        return anyio.run(talk)
    finally:
        jobs.close(grace_s=0.0)


def call(service, tool, arguments, **options):
    async def conversation(client):
        return await client.call_tool(tool, arguments)

    return against(service, conversation, **options)


class Waiting:
    """The procedural generator, held back until it is let go."""

    def __init__(self):
        self.started, self.free, self.stopped = threading.Event(), threading.Event(), threading.Event()
        self._generator = ProceduralGenerator()

    def __call__(self, backend, size):
        return self

    def generate_music(self, prompt, config, *, on_progress=None, **rest):
        self.started.set()
        while not self.free.wait(0.01):
            try:
                on_progress(3, 10)
            except Cancelled:
                self.stopped.set()
                raise
        return self._generator.generate_music(prompt, config, on_progress=on_progress, **rest)


def test_the_tools_say_what_they_do_and_take(service):
    async def conversation(client):
        return {tool.name: tool for tool in (await client.list_tools()).tools}

    tools = against(service, conversation)
    reads = {"search_tracks", "get_job", "suggest_presets"}
    assert tools.keys() == reads | {"find_or_make", "cancel_job", "rate_track", "reject_track"}
    assert {name for name, tool in tools.items() if tool.annotations.read_only_hint} == reads
    assert not any(
        tool.annotations.destructive_hint for tool in tools.values() if not tool.annotations.read_only_hint
    )
    making = tools["find_or_make"]
    assert making.input_schema["required"] == ["context"]
    assert {"preset", "duration_s", "wait_s", "audio"} < making.input_schema["properties"].keys()
    assert "ambient_lofi" in making.description
    for tool in tools.values():
        assert tool.output_schema["type"] == "object"
        assert all(field.get("description") for field in tool.input_schema["properties"].values())


def test_a_track_is_made_with_progress_and_then_reused_at_once(service):
    steps = []

    async def conversation(client):
        async def progress(done, total, message):
            steps.append((done, total))

        made = await client.call_tool(
            "find_or_make", {"context": CALM, **SHORT, **LONG_WAIT}, progress_callback=progress
        )
        return made, await client.call_tool("find_or_make", {"context": CALM, **SHORT, "wait_s": 0})

    made, again = against(service, conversation)
    told = made.structured_content
    assert (told["state"], told["action"], told["error"]) == ("done", "generated", None)
    assert Path(told["track"]["path"]).is_file()
    text, link = made.content
    assert isinstance(text, TextContent)
    assert text.text.startswith("generated: " + told["track"]["track_id"])
    assert isinstance(link, ResourceLink)
    assert link.uri == told["track"]["audio_uri"] == f"track://{told['track']['track_id']}/audio"
    assert link.size == Path(told["track"]["path"]).stat().st_size
    assert steps == sorted(steps)
    assert (again.structured_content["action"], again.structured_content["job_id"]) == ("reused", None)
    assert again.structured_content["track"]["track_id"] == told["track"]["track_id"]


def test_a_make_that_takes_longer_is_a_job_to_ask_about(open_service):
    generator = Waiting()
    service = open_service(generators=generator)

    async def conversation(client):
        asked = await client.call_tool("find_or_make", {"context": CALM, **SHORT, "wait_s": 0})
        job = {"job_id": asked.structured_content["job_id"]}
        await anyio.to_thread.run_sync(generator.started.wait)
        meanwhile = await client.call_tool("get_job", {**job, "wait_s": 0.3})
        second = await client.call_tool("find_or_make", {"context": PANIC, **SHORT, "wait_s": 0})
        searched = await client.call_tool("search_tracks", {"query": "rain"})
        generator.free.set()
        return asked, meanwhile, second, searched, await client.call_tool("get_job", {**job, **LONG_WAIT})

    asked, meanwhile, second, searched, done = against(service, conversation)
    assert asked.structured_content["state"] in ("queued", "running")
    assert asked.structured_content["track"] is None
    assert "get_job" in asked.content[0].text
    assert meanwhile.structured_content["state"] == "running"
    assert meanwhile.structured_content["progress"] == {"done": 3, "total": 10}
    assert "step 3 of 10" in meanwhile.content[0].text
    assert second.structured_content["ahead"] == 1
    assert searched.structured_content == {"total": 0, "tracks": []}
    assert (done.structured_content["state"], done.structured_content["action"]) == ("done", "generated")
    assert done.structured_content["job_id"] == asked.structured_content["job_id"]


def test_waiting_for_a_job_looks_at_it_when_it_changes_and_not_at_intervals(open_service, monkeypatch):
    class Silent(Waiting):
        def generate_music(self, prompt, config, *, on_progress=None, **rest):
            self.started.set()
            self.free.wait()
            return self._generator.generate_music(prompt, config, on_progress=on_progress, **rest)

    generator = Silent()
    looks, get = [], Jobs.get

    def counted(jobs, job_id):
        looks.append(job_id)
        return get(jobs, job_id)

    async def conversation(client):
        asked = await client.call_tool("find_or_make", {"context": CALM, **SHORT, "wait_s": 0})
        job = {"job_id": asked.structured_content["job_id"]}
        await anyio.to_thread.run_sync(generator.started.wait)
        monkeypatch.setattr(Jobs, "get", counted)
        meanwhile = await client.call_tool("get_job", {**job, "wait_s": 1.0})
        waited = len(looks)
        generator.free.set()
        return meanwhile, waited, await client.call_tool("get_job", {**job, **LONG_WAIT})

    meanwhile, waited, done = against(open_service(generators=generator), conversation)
    assert meanwhile.structured_content["state"] == "running"
    assert waited <= 3
    assert done.structured_content["state"] == "done"


def test_a_job_is_cancelled(open_service):
    generator = Waiting()
    service = open_service(generators=generator)

    async def conversation(client):
        asked = await client.call_tool("find_or_make", {"context": CALM, **SHORT, "wait_s": 0})
        job = {"job_id": asked.structured_content["job_id"]}
        await anyio.to_thread.run_sync(generator.started.wait)
        await client.call_tool("cancel_job", job)
        return await client.call_tool("get_job", {**job, **LONG_WAIT})

    told = against(service, conversation)
    assert told.structured_content["state"] == "cancelled"
    assert generator.stopped.is_set()
    assert service.store.care.stats()["rows"] == 0


def test_a_make_that_fails_is_an_error_of_one_sentence(open_service):
    class Failing:
        def __init__(self, error):
            self.error = error

        def __call__(self, backend, size):
            raise self.error

    asked = {"context": CALM, **SHORT, **LONG_WAIT}
    known = call(
        open_service(generators=Failing(GeneratorError("there are no weights here"))), "find_or_make", asked
    )
    assert known.is_error
    assert known.content[0].text == "there are no weights here"
    unknown = call(open_service(generators=Failing(ZeroDivisionError("secret"))), "find_or_make", asked)
    assert unknown.is_error
    assert "unexpectedly" in unknown.content[0].text
    assert "secret" not in str(unknown)


@pytest.mark.parametrize(
    ("tool", "arguments", "told"),
    [
        ("find_or_make", {"context": CALM, "preset": "ambient_lofy"}, "ambient_lofi"),
        ("find_or_make", {"context": CALM, "presett": "x"}, "did you mean preset"),
        ("find_or_make", {"context": CALM, "duration_s": "soon"}, "duration_s is 'soon'"),
        ("find_or_make", {"context": CALM, "wait_s": 1e9}, "less than or equal to 30"),
        ("find_or_make", {"context": CALM, "reuse": "always"}, "making was ruled out"),
        ("find_or_make", {"context": "\x00"}, "NUL"),
        ("find_or_make", {}, "context is missing"),
        ("get_job", {"job_id": "../../etc"}, "there is no job"),
        ("cancel_job", {"job_id": "x"}, "there is no job"),
        ("rate_track", {"track_id": "nothing", "rating": 3}, "there is no track"),
        ("reject_track", {"track_id": "nothing"}, "there is no track"),
        ("search_tracks", {"query": "x", "limit": 0}, "greater than or equal to 1"),
        ("search_tracks", {"query": "rain moood:calm"}, "mood"),
        ("search_tracks", {"query": "rain length:long"}, "length"),
        ("rename", {}, "unknown tool 'rename'"),
    ],
)
def test_what_cannot_be_served_is_told_in_one_sentence(service, tool, arguments, told):
    answer = call(service, tool, arguments)
    assert answer.is_error
    (text,) = answer.content
    assert told in text.text
    assert "\n" not in text.text
    assert "Traceback" not in text.text


def test_a_full_queue_is_told(open_service):
    generator = Waiting()

    async def conversation(client):
        answers = []
        for number in range(4):
            asked = {"context": f"{CALM} Part {number}.", **SHORT, "wait_s": 0, "reuse": "never"}
            answers.append(await client.call_tool("find_or_make", asked))
            await anyio.to_thread.run_sync(generator.started.wait)
        generator.free.set()
        return answers

    *taken, refused = against(open_service(generators=generator), conversation, limit=2)
    assert not any(answer.is_error for answer in taken)
    assert refused.is_error
    assert "try again when one has finished" in refused.content[0].text


def test_searching_finds_by_meaning_words_and_facts_and_lists_the_newest(service):
    calm, panic = (service.generate(text, **SHORT).track for text in (CALM, PANIC))

    async def conversation(client):
        searches = [
            {"query": "calm rain on the library windows"},
            {"query": "scream", "by": "words"},
            {"query": "library mood:calm"},
            {"query": "", "limit": 1},
            {"query": "", "limit": 1, "offset": 1},
        ]
        return [await client.call_tool("search_tracks", search) for search in searches]

    answers = against(service, conversation)
    ids = [[track["track_id"] for track in answer.structured_content["tracks"]] for answer in answers]
    assert ids == [[calm.id, panic.id], [panic.id], [calm.id], [panic.id], [calm.id]]
    assert [answer.structured_content["total"] for answer in answers] == [2, 1, 1, 2, 2]
    best = answers[0].structured_content["tracks"][0]
    assert best["score"] == service.search("calm rain on the library windows")[0].score
    assert best["ai_generated"] is True
    text, *links = answers[0].content
    assert text.text.startswith(calm.id)
    assert [link.uri for link in links] == [f"track://{track.id}/audio" for track in (calm, panic)]
    assert not any(isinstance(part, AudioContent) for answer in answers for part in answer.content)


def test_a_track_is_rated_and_the_rating_taken_back(service):
    made = service.find_or_make(CALM, **SHORT)
    ratings = []

    async def conversation(client):
        for rating in (4, None):
            asked = {"track_id": made.track.id, "rating": rating, "request_id": made.request_id}
            answer = await client.call_tool("rate_track", asked)
            ratings.append(
                (answer.structured_content["rating"], service.store.tracks.get(made.track.id).rating)
            )
        return await client.call_tool("rate_track", {"track_id": made.track.id, "rating": 6})

    refused = against(service, conversation)
    assert ratings == [(4, 4), (None, None)]
    assert refused.is_error
    assert "rating is 6" in refused.content[0].text
    assert [one.verdict for one in service.store.judgements.list(key=made.request.key)] == ["rated"] * 2


def test_presets_are_suggested_as_the_service_does(service):
    service.find_or_make(CALM, **SHORT)
    answer = call(service, "suggest_presets", {"query": "calm rain at the library", "limit": 3})
    expected = [one.model_dump(mode="json") for one in service.suggest_presets("calm rain at the library", 3)]
    assert answer.structured_content == {"presets": expected}
    assert len(expected) == 3
    assert answer.content[0].text.startswith(f"{expected[0]['name']}: ")


def test_a_rejected_track_is_not_served_again(service):
    made = service.find_or_make(CALM, **SHORT)

    async def conversation(client):
        rejected = await client.call_tool(
            "reject_track", {"track_id": made.track.id, "request_id": made.request_id}
        )
        return rejected, await client.call_tool("find_or_make", {"context": CALM, **SHORT, **LONG_WAIT})

    rejected, again = against(service, conversation)
    assert rejected.structured_content == {"track_id": made.track.id, "request_id": made.request_id}
    assert again.structured_content["action"] == "generated"
    assert again.structured_content["track"]["track_id"] != made.track.id


def test_a_caller_names_the_share_of_wrong_reuses_it_bears(service):
    service.generate(CALM, **SHORT)

    async def conversation(client):
        asked = {"context": CALM, **SHORT}
        given = await client.call_tool("find_or_make", {**asked, "max_false_reuse": 0.05})
        return given, await client.call_tool("find_or_make", {**asked, "max_false_reuse": 7})

    given, refused = against(service, conversation)
    assert given.structured_content["action"] == "reused"
    assert refused.is_error
    assert "7" in refused.content[0].text


def test_a_theme_keeps_its_track(service):
    async def conversation(client):
        asked = {**SHORT, **LONG_WAIT, "theme": "library", "listener": "ann"}
        first = await client.call_tool("find_or_make", {"context": CALM, **asked})
        return first, await client.call_tool("find_or_make", {"context": CALM, **asked})

    first, again = against(service, conversation)
    assert again.structured_content["action"] == "reused"
    assert again.structured_content["track"]["track_id"] == first.structured_content["track"]["track_id"]


def test_tracks_are_resources(service):
    made = service.generate(CALM, **SHORT)

    async def conversation(client):
        listed = (await client.list_resources()).resources
        told = await client.read_resource(listed[0].uri)
        audio = await client.read_resource(f"{listed[0].uri}/audio")
        refusals = []
        for uri in (
            "track://nothing",
            "track://nothing/audio",
            "track://..%2F..%2Fetc/audio",
            "file:///etc/passwd",
        ):
            with pytest.raises(MCPError) as refused:
                await client.read_resource(uri)
            refusals.append(str(refused.value))
        return listed, told.contents[0], audio.contents[0], refusals

    listed, told, audio, refusals = against(service, conversation)
    assert [resource.name for resource in listed] == [made.track.id]
    track = json.loads(told.text)
    assert told.mime_type == "application/json"
    assert (track["id"], track["seed"], track["config"]) == (
        made.track.id,
        made.track.seed,
        made.track.config,
    )
    assert "context" not in track, "the context may be private"
    assert audio.mime_type == "audio/wav"
    assert base64.b64decode(audio.blob) == made.path.read_bytes()
    assert refusals[0].startswith("there is no track 'nothing'")
    assert not any("Traceback" in refusal or "/tmp" in refusal for refusal in refusals)


@pytest.mark.parametrize("form", ["wav", "flac", "ogg"])
def test_audio_comes_inline_when_it_is_asked_for(service, form):
    answer = call(service, "find_or_make", {"context": CALM, **SHORT, **LONG_WAIT, "audio": form})
    (sound,) = [part for part in answer.content if isinstance(part, AudioContent)]
    assert sound.mime_type == f"audio/{form}"
    heard = audio_.read(base64.b64decode(sound.data))
    assert heard.duration_s == pytest.approx(answer.structured_content["track"]["duration_s"], abs=0.01)


def test_audio_too_large_for_a_message_is_a_word_on_where_it_is(service, monkeypatch):
    monkeypatch.setattr(mcp_tools, "MAX_INLINE_BYTES", 1000)
    answer = call(service, "find_or_make", {"context": CALM, **SHORT, **LONG_WAIT, "audio": "wav"})
    assert not any(isinstance(part, AudioContent) for part in answer.content)
    assert answer.structured_content["track"]["audio_uri"] in answer.content[-1].text


def test_many_calls_at_once_make_each_track_once(service):
    answers = []

    async def conversation(client):
        async def ask(text):
            answers.append(await client.call_tool("find_or_make", {"context": text, **SHORT, **LONG_WAIT}))

        async with anyio.create_task_group() as group:
            for text in [CALM, PANIC] * 5:
                group.start_soon(ask, text)

    against(service, conversation)
    assert service.store.care.stats()["rows"] == 2
    assert len({answer.structured_content["track"]["track_id"] for answer in answers}) == 2


# The command


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Return a home with a track for CALM, made with the encoder that the command uses."""
    home = tmp_path_factory.mktemp("mcp") / "home"
    with MusicService.open(home) as service:
        service.find_or_make(CALM, **SHORT)
    return home


def environment(home):
    return {**os.environ, "CATALOG_HOME": str(home), "PYTHONPATH": str(ROOT)}


@asynccontextmanager
async def over_stdio(home, log, mode):
    command = StdioServerParameters(command=sys.executable, args=["-m", "cli", "mcp"], env=environment(home))
    with log.open("w") as errors:
        async with Client(stdio_client(command, errlog=errors), mode=mode) as client:
            with anyio.fail_after(120):
                yield client


def test_over_stdio_a_track_is_made_reused_and_heard(home, tmp_path):
    async def talk():
        async with over_stdio(home, tmp_path / "log", "auto") as client:
            asked = await client.call_tool("find_or_make", {"context": PANIC, **SHORT, "wait_s": 0})
            job = {"job_id": asked.structured_content["job_id"]}
            done = await client.call_tool("get_job", {**job, **LONG_WAIT})
            while done.structured_content["state"] in ("queued", "running"):
                done = await client.call_tool("get_job", {**job, **LONG_WAIT})
            again = await client.call_tool("find_or_make", {"context": PANIC, **SHORT})
            refused = await client.call_tool("find_or_make", {"context": CALM, "role": "lullaby"})
            audio = await client.read_resource(done.structured_content["track"]["audio_uri"])
            return done.structured_content, again.structured_content, refused, audio.contents[0]

    made, again, refused, audio = anyio.run(talk)
    assert (made["state"], made["action"], again["action"]) == ("done", "generated", "reused")
    assert again["track"]["track_id"] == made["track"]["track_id"]
    assert base64.b64decode(audio.blob) == Path(made["track"]["path"]).read_bytes()
    assert refused.is_error
    assert "Traceback" not in (tmp_path / "log").read_text()


def test_a_client_of_an_older_protocol_is_served(home, tmp_path):
    async def talk():
        async with over_stdio(home, tmp_path / "log", "legacy") as client:
            return await client.call_tool("find_or_make", {"context": CALM, **SHORT})

    assert anyio.run(talk).structured_content["action"] == "reused"


def test_stdout_carries_the_protocol_only(home):
    def message(number, method, **params):
        told = {"jsonrpc": "2.0", "method": method, "params": params, **({"id": number} if number else {})}
        return json.dumps(told) + "\n"

    hello = {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": "raw", "version": "1"},
    }
    spoken = [
        message(1, "initialize", **hello),
        message(0, "notifications/initialized"),
        "this is no message\n",
        message(2, "tools/call", name="find_or_make", arguments={"context": CALM, **SHORT}),
        message(3, "tools/call", name="find_or_make", arguments={"context": CALM, "preset": "none such"}),
    ]
    server = subprocess.Popen(
        [sys.executable, "-m", "cli", "mcp"],
        cwd=ROOT,
        env=environment(home),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    server.stdin.writelines(spoken)
    server.stdin.flush()
    told = {}
    while not {1, 2, 3} <= told.keys():
        line = json.loads(server.stdout.readline())
        assert line["jsonrpc"] == "2.0"
        told[line.get("id")] = line
    rest, _ = server.communicate(timeout=60)
    assert rest == ""
    assert server.returncode == 0
    assert told[2]["result"]["structuredContent"]["action"] == "reused"
    assert told[3]["result"]["isError"] is True


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_while_stdin_is_open(home, number):
    server = subprocess.Popen(
        [sys.executable, "-m", "cli", "mcp"],
        cwd=ROOT,
        env=environment(home),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    hello = {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": "raw", "version": "1"},
    }
    server.stdin.write(
        json.dumps({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello}) + "\n"
    )
    server.stdin.flush()
    assert json.loads(server.stdout.readline())["id"] == 1
    server.send_signal(number)
    assert server.wait(60) == 128 + number
    assert server.stderr.read() == ""
    for stream in (server.stdin, server.stdout, server.stderr):
        stream.close()


@pytest.fixture(scope="module")
def address(home):
    """Return the address of a server of these tests' own on a free loopback port."""
    server = subprocess.Popen(
        [sys.executable, "-m", "cli", "mcp", "--transport", "http", "--port", "0"],
        cwd=ROOT,
        env=environment(home),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    said = server.stderr.readline()
    try:
        yield re.search(r"http://127\.0\.0\.1:\d+/mcp", said).group()
    finally:
        server.terminate()
        stdout, stderr = server.communicate(timeout=60)
    assert stdout == ""
    assert "Traceback" not in stderr


def test_over_streamable_http_clients_share_the_catalog(address):
    async def talk():
        async with Client(address) as client, Client(address) as other:
            with anyio.fail_after(120):
                answers = []
                for one in (client, other):
                    answers.append(await one.call_tool("find_or_make", {"context": CALM, **SHORT}))
                return answers, (await client.list_resources()).resources

    answers, resources = anyio.run(talk)
    told = [answer.structured_content for answer in answers]
    assert [answer["action"] for answer in told] == ["reused", "reused"]
    assert f"track://{told[0]['track']['track_id']}" in {resource.uri for resource in resources}


def test_a_stop_over_http_records_what_was_being_made(tmp_path):
    server = subprocess.Popen(
        [sys.executable, "-m", "cli", "mcp", "--transport", "http", "--port", "0"],
        cwd=ROOT,
        env=environment(tmp_path),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    reached = re.search(r"http://127\.0\.0\.1:\d+/mcp", server.stderr.readline()).group()

    async def ask():
        async with Client(reached) as client:
            asked = {"context": CALM, "duration_s": 600, "quality": "final", "wait_s": 0}
            return (await client.call_tool("find_or_make", asked)).structured_content["state"]

    assert anyio.run(ask) in ("queued", "running")
    server.terminate()
    _, said = server.communicate(timeout=60)
    assert (server.returncode, said) == (128 + signal.SIGTERM, "")
    with MusicService.open(tmp_path) as service:
        assert [line.rule for line in service.store.requests.list()] == ["cancelled"]


def test_no_page_of_a_browser_reaches_it(address):
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
    accept = {"accept": "application/json, text/event-stream"}
    port = httpx.URL(address).port
    strangers = [
        {"host": "evil.example"},
        {"host": f"127.0.0.1.evil.example:{port}"},
        {"origin": "http://evil.example"},
        {"origin": "null"},
    ]
    for headers in strangers:
        assert httpx.post(address, json=call, headers={**accept, **headers}).status_code in (403, 421)
    plain = httpx.post(address, content=json.dumps(call), headers={**accept, "content-type": "text/plain"})
    assert plain.status_code in (400, 415)


def test_it_is_served_on_the_loopback_interface_and_a_free_port_only(home, address):
    def refused(*args):
        return CliRunner().invoke(cli.catalog, ["mcp", "--transport", "http", "--home", str(home), *args])

    for host in ("0.0.0.0", "example.org", ""):
        stranger = refused("--host", host)
        assert stranger.exit_code == 2
        assert "is not on the loopback interface" in stranger.stderr
    taken = refused("--port", str(httpx.URL(address).port))
    assert taken.exit_code == 2
    assert "pick another with --port" in taken.stderr
