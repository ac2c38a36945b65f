"""Tracks as resources of the MCP server, and their audio."""

from __future__ import annotations

import base64
import json

import pytest
from mcp.shared.exceptions import MCPError
from mcp_calls import CALM, LONG_WAIT, SHORT, against, call
from mcp_types import AudioContent

from music_catalog.generator import audio as audio_
from music_catalog.integrations import mcp_tools


def test_tracks_are_resources(service):
    made = service.generate(CALM, **SHORT)

    async def conversation(client):
        listed = (await client.list_resources()).resources
        shown = await client.read_resource(listed[0].uri)
        audio = await client.read_resource(f"{listed[0].uri}/audio")
        refusals = []
        for uri in (
            "track://nothing",
            "track://nothing/audio",
            "track://..%2F..%2Fetc/audio",
            "file:///etc/passwd",
            "track://two\nlines/",
        ):
            with pytest.raises(MCPError) as refused:
                await client.read_resource(uri)
            refusals.append(str(refused.value))
        return listed, shown.contents[0], audio.contents[0], refusals

    listed, shown, audio, refusals = against(service, conversation)
    assert [resource.name for resource in listed] == [made.track.id]
    track = json.loads(shown.text)
    assert shown.mime_type == "application/json"
    assert (track["id"], track["seed"], track["config"]) == (
        made.track.id,
        made.track.seed,
        made.track.config,
    )
    assert "context" not in track, "the context may be private"
    assert audio.mime_type == "audio/wav"
    assert base64.b64decode(audio.blob) == made.path.read_bytes()
    assert refusals[0].startswith("there is no track 'nothing'")
    assert all(refusal.isprintable() for refusal in refusals)
    assert not any("Traceback" in refusal or "/tmp" in refusal for refusal in refusals)


@pytest.mark.parametrize("form", ["wav", "flac", "ogg"])
def test_audio_comes_inline_when_it_is_asked_for(service, form):
    answer = call(service, "find_or_make", {"context": CALM, **SHORT, **LONG_WAIT, "audio": form})
    (sound,) = [part for part in answer.content if isinstance(part, AudioContent)]
    assert sound.mime_type == f"audio/{form}"
    inline = audio_.read(base64.b64decode(sound.data))
    assert inline.duration_s == pytest.approx(answer.structured_content["track"]["duration_s"], abs=0.01)


def test_audio_too_large_for_a_message_is_a_word_on_where_it_is(service, monkeypatch):
    monkeypatch.setattr(mcp_tools, "MAX_INLINE_BYTES", 1000)
    answer = call(service, "find_or_make", {"context": CALM, **SHORT, **LONG_WAIT, "audio": "wav"})
    assert not any(isinstance(part, AudioContent) for part in answer.content)
    assert answer.structured_content["track"]["audio_uri"] in answer.content[-1].text
