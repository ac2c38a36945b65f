"""A client of the Model Context Protocol that has music found or made for a text, as an agent would.

It starts `catalog mcp` itself and talks to it over stdio.

    pip install 'music-catalog[mcp]'
    python examples/mcp_client.py "Fog rolls over the harbour while the foghorn sounds, calm and lonely."
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from typing import Any

try:
    from mcp.client.client import Client
    from mcp.client.stdio import StdioServerParameters, stdio_client
except ImportError as error:
    sys.exit(f"error: this example needs the extra mcp: pip install 'music-catalog[mcp]' ({error})")

from music_catalog.home import default_home

WAIT_S = 10.0


def server(home: str) -> StdioServerParameters:
    """Return how to start the server of the catalog in `home`."""
    arguments = ["-m", "music_catalog", "mcp", "--home", home]
    # The SDK passes few variables on by itself; the catalog's settings are among those it leaves out.
    return StdioServerParameters(command=sys.executable, args=arguments, env=dict(os.environ))


async def music_for(text: str, home: str) -> dict[str, Any]:
    """Return a track for the text; a make is waited for, `WAIT_S` seconds a call. Raises RuntimeError."""
    async with Client(stdio_client(server(home))) as client:
        asked = {"context": text, "role": "background_bed", "quality": "preview"}
        answer = await client.call_tool("find_or_make", asked)
        while under_way(answer.structured_content):
            job_id = answer.structured_content["job_id"]
            answer = await client.call_tool("get_job", {"job_id": job_id, "wait_s": WAIT_S})
    # Refusals are raised out here: inside, the client's task group would wrap them.
    if answer.is_error:
        raise RuntimeError(" ".join(getattr(part, "text", "") for part in answer.content))
    music: dict[str, Any] = answer.structured_content
    if music["state"] != "done":
        raise RuntimeError(music["error"] or f"the make is {music['state']}")
    return {"action": music["action"], "reason": music["reason"], "path": music["track"]["path"]}


def under_way(content: dict[str, Any] | None) -> bool:
    """Return whether an answer tells of a job that is not over, and show on stderr where it stands."""
    if not content or content.get("state") not in ("queued", "running"):
        return False
    print(f"{content['state']}, {content['ahead']} makes come first", file=sys.stderr)
    return True


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("text")
    parser.add_argument("--home", default=default_home(), help="the catalog's folder")
    args = parser.parse_args()
    try:
        music = asyncio.run(music_for(args.text, args.home))
    except RuntimeError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except Exception as error:
        print(f"error: the server ended, and says why above ({error})", file=sys.stderr)
        return 1
    print(json.dumps(music, indent=2, ensure_ascii=False))
    return 0


if __name__ == "__main__":
    sys.exit(main())
