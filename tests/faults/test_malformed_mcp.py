"""Malformed calls of MCP tools and resources: an answer or one sentence, and the server lives on."""

from __future__ import annotations

import json
import os
import random

import anyio
from invariants import CRASH, SHORT, in_process, open_service, text_of
from odd_values import odd_json, odd_text, try_each

INPUTS = 10_000
EACH_S = 60.0


def a_home(home):
    with open_service(home) as service:
        return [service.find_or_make(text_of(number), **SHORT).track.id for number in range(3)]


def tried(seeds, home, ids):
    """Send one odd call for each seed to one server, over one session in memory."""
    from mcp.client.client import Client

    from music_catalog.integrations.mcp import server
    from music_catalog.service.jobs import Jobs

    os.fsync = os.fdatasync = lambda descriptor: None

    async def talk(service, jobs):
        found = {}
        async with Client(server(service, jobs)) as client:
            tools = (await client.list_tools()).tools
            for seed in seeds:
                with anyio.fail_after(EACH_S):
                    if failure := await _failure(client, random.Random(seed), tools, ids):
                        found[seed] = [(CRASH, failure)]
        return found

    with open_service(home) as service:
        jobs = Jobs(service)
        try:
            return anyio.run(talk, service, jobs)
        finally:
            jobs.close(grace_s=0.0)


async def _failure(client, dice, tools, ids):
    """Make one odd call; return what is wrong with its answer, "" where nothing is."""
    tool = dice.choice(tools)
    arguments = {}
    for name in tool.input_schema.get("properties", {}):
        if name != "wait_s" and dice.random() < 0.4:
            arguments[name] = dice.choice([*ids, "calm rain", 1]) if dice.random() < 0.3 else odd_json(dice)
    if dice.random() < 0.1:
        arguments[odd_text(dice)[:20]] = odd_json(dice)
    # The client refuses to send half of a character.
    arguments = json.loads(json.dumps(arguments).replace("\\ud800", "?"))
    name = odd_text(dice)[:40].replace("\ud800", "?") if dice.random() < 0.02 else tool.name
    called = f"{name!r} {arguments!r:.300}"
    try:
        if dice.random() < 0.1:
            called = f"track://{odd_text(dice)[:200]}".replace("\ud800", "?")
            answer = await client.read_resource(called)
            return ""
        answer = await client.call_tool(name, arguments)
    except BaseException as error:
        if type(error).__name__ in ("MCPError", "McpError"):
            told = str(error)
        else:
            return f"{called}: {type(error).__name__}: {str(error)[:200]}"
    else:
        if not answer.is_error:
            return ""
        told = " ".join(getattr(block, "text", "") for block in answer.content)
    wrong = not told or "\n" in told or "Traceback" in told or "unexpected" in told
    return f"{called}: {told[:300]!r}" if wrong else ""


def test_malformed_calls(tmp_path, request, scaled, tally):
    home = str(tmp_path / "home")
    ids = in_process(a_home, home)
    with tally("malformed MCP calls") as count:
        try_each(count, scaled(INPUTS), request.config.faults_seed, tried, home, ids)
