"""Run a Firefox of the system under playwright, and answer a command that it lacks in its WebDriver BiDi.

Playwright asks each browser for the media features that a test wants. The Firefox of long-term support does not know
that command, and playwright then gives up; nothing here wants such features. Playwright starts this module in place of
Firefox (`launcher` writes the program for it). A newer Firefox knows the command and gets it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Playwright

NAMES = ("firefox", "firefox-esr")
LISTENING = re.compile(r"WebDriver BiDi listening on (ws://\S+)")
LACKING = "emulation.setMediaFeaturesOverride"
SILENT = """
    const Heard = window.Audio;
    window.Audio = function () {
        const audio = new Heard();
        audio.mozCaptureStream();
        return audio;
    };
"""
"""Script for a page: its sound goes nowhere. Firefox plays nothing where there is no sound device to play it on."""


def firefox() -> str | None:
    """Return the path of a Firefox: the one FIREFOX names, else one of the system."""
    return os.environ.get("FIREFOX") or next(filter(None, map(shutil.which, NAMES)), None)


def launcher(path: str, folder: Path) -> Path:
    """Write a program into `folder` that runs the Firefox at `path` through this module; returns the program."""
    program = folder / "firefox"
    program.write_text(
        f'#!/bin/sh\nFIREFOX={path} exec {sys.executable} {Path(__file__).resolve()} "$@"\n', "utf-8"
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return program


@contextlib.contextmanager
def running(playwright: Playwright) -> Iterator[Browser]:
    """Run Firefox for tests; they are skipped, with the word why, where there is none."""
    import pytest

    pytest.importorskip("websockets", reason="no websockets here: `pip install websockets`")
    path = firefox()
    if path is None:
        pytest.skip(
            "no Firefox here: install one (Debian: apt-get install firefox-esr) or set FIREFOX to one"
        )
    with tempfile.TemporaryDirectory() as folder:
        program = str(launcher(path, Path(folder)))
        preferences = {"media.volume_scale": "0.0", "media.autoplay.default": 0}
        started = playwright.firefox.launch(
            executable_path=program, channel="moz-firefox", firefox_user_prefs=preferences
        )
        yield started
        started.close()


async def run(arguments: list[str]) -> int:
    """Run Firefox; tell on the error stream, as Firefox does, where it listens: here."""
    from websockets.asyncio.server import serve

    browser = await asyncio.create_subprocess_exec(
        firefox() or "firefox", *arguments, stderr=asyncio.subprocess.PIPE, limit=2**20
    )
    address = ""

    async def between(driver) -> None:
        await pass_on(driver, address + driver.request.path)

    async with serve(between, "127.0.0.1", 0, max_size=None) as server:
        port = server.sockets[0].getsockname()[1]
        async for line in browser.stderr:
            text = line.decode("utf-8", "replace")
            if found := LISTENING.search(text):
                address = found[1]
                text = text.replace(address, f"ws://127.0.0.1:{port}")
            print(text, end="", file=sys.stderr, flush=True)
        return await browser.wait()


async def pass_on(driver, address: str) -> None:
    """Carry messages both ways. A command that this Firefox does not know is told as done."""
    from websockets.asyncio.client import connect

    waiting: set[int] = set()  # numbers of the commands that it may not know
    async with connect(address, max_size=None, origin=None) as browser:

        async def to_browser() -> None:
            async for message in driver:
                command = json.loads(message)
                if command["method"] == LACKING:
                    waiting.add(command["id"])
                await browser.send(message)
            await browser.close()

        async def to_driver() -> None:
            async for message in browser:
                answer = json.loads(message)
                if answer.get("id") in waiting and answer.get("error") == "unknown command":
                    message = json.dumps({"type": "success", "id": answer["id"], "result": {}})
                await driver.send(message)
            await driver.close()

        await asyncio.gather(to_browser(), to_driver())


if __name__ == "__main__":
    sys.exit(asyncio.run(run(sys.argv[1:])))
