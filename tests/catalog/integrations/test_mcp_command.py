"""The command `catalog mcp`, through the SDK's own client: over stdio and over streamable HTTP."""

from __future__ import annotations

import base64
import json
import os
import re
import signal
import subprocess
import sys
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import httpx
import pytest
from click.testing import CliRunner
from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp_calls import CALM, LONG_WAIT, PANIC, SHORT

from music_catalog import MusicService, cli

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Return a home with a track for CALM, made with the encoder that the command uses."""
    home = tmp_path_factory.mktemp("mcp") / "home"
    with MusicService.open(home) as service:
        service.find_or_make(CALM, **SHORT)
    return home


def environment(home):
    return {**os.environ, "CATALOG_HOME": str(home)}


@asynccontextmanager
async def over_stdio(home, log, mode):
    command = StdioServerParameters(
        command=sys.executable, args=["-m", "music_catalog", "mcp"], env=environment(home)
    )
    with log.open("w") as errors:
        async with Client(stdio_client(command, errlog=errors), mode=mode) as client:
            with anyio.fail_after(120):
                yield client


def test_over_stdio_a_track_is_made_reused_and_heard(home, tmp_path):
    async def talk():
        async with over_stdio(home, tmp_path / "log", "auto") as client:
            begun = await client.call_tool("find_or_make", {"context": PANIC, **SHORT, "wait_s": 0})
            job = {"job_id": begun.structured_content["job_id"]}
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
        message = {"jsonrpc": "2.0", "method": method, "params": params, **({"id": number} if number else {})}
        return json.dumps(message) + "\n"

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
        [sys.executable, "-m", "music_catalog", "mcp"],
        cwd=ROOT,
        env=environment(home),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    server.stdin.writelines(spoken)
    server.stdin.flush()
    answers = {}
    while not {1, 2, 3} <= answers.keys():
        line = json.loads(server.stdout.readline())
        assert line["jsonrpc"] == "2.0"
        answers[line.get("id")] = line
    rest, _ = server.communicate(timeout=60)
    assert rest == ""
    assert server.returncode == 0
    assert answers[2]["result"]["structuredContent"]["action"] == "reused"
    assert answers[3]["result"]["isError"] is True


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_while_stdin_is_open(home, number):
    server = subprocess.Popen(
        [sys.executable, "-m", "music_catalog", "mcp"],
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
        [sys.executable, "-m", "music_catalog", "mcp", "--transport", "http", "--port", "0"],
        cwd=ROOT,
        env=environment(home),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    line = server.stderr.readline()
    try:
        yield re.search(r"http://127\.0\.0\.1:\d+/mcp", line).group()
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
    payloads = [answer.structured_content for answer in answers]
    assert [answer["action"] for answer in payloads] == ["reused", "reused"]
    assert f"track://{payloads[0]['track']['track_id']}" in {resource.uri for resource in resources}


def test_a_stop_over_http_records_what_was_being_made(tmp_path):
    server = subprocess.Popen(
        [sys.executable, "-m", "music_catalog", "mcp", "--transport", "http", "--port", "0"],
        cwd=ROOT,
        env=environment(tmp_path),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    reached = re.search(r"http://127\.0\.0\.1:\d+/mcp", server.stderr.readline()).group()

    async def ask():
        async with Client(reached) as client:
            arguments = {"context": CALM, "duration_s": 600, "quality": "final", "wait_s": 0}
            return (await client.call_tool("find_or_make", arguments)).structured_content["state"]

    assert anyio.run(ask) in ("queued", "running")
    server.terminate()
    _, errors = server.communicate(timeout=60)
    assert (server.returncode, errors) == (128 + signal.SIGTERM, "")
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
