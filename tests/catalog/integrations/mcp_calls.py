"""Conversations with the MCP server in memory, and a generator that can be held."""

from __future__ import annotations

import threading

import anyio
from mcp.client.client import Client

from music_catalog.generator import Cancelled, ProceduralGenerator
from music_catalog.integrations.mcp import server
from music_catalog.service.jobs import Jobs

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
