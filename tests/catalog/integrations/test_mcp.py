"""The tools of the MCP server, through the SDK's own client, in memory."""

from __future__ import annotations

import threading
from pathlib import Path

import anyio
import numpy as np
import pytest
import soundfile
from mcp_calls import CALM, LONG_WAIT, PANIC, SHORT, Waiting, against, call
from mcp_types import AudioContent, ResourceLink, TextContent

from music_catalog.generator import GeneratorError
from music_catalog.integrations import mcp
from music_catalog.service.jobs import Jobs


def test_the_tools_say_what_they_do_and_take(service):
    async def conversation(client):
        return {tool.name: tool for tool in (await client.list_tools()).tools}

    tools = against(service, conversation)
    reads = {"search_tracks", "get_job", "suggest_presets"}
    assert tools.keys() == reads | {"find_or_make", "cancel_job", "rate_track", "reject_track", "add_music"}
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


def test_the_model_that_calls_may_say_which_styles_fit(service):
    brief = {"fits": ["synthwave"], "valence": 0.1, "energy": 0.5}
    made = call(service, "find_or_make", {"context": CALM, "brief": brief, **SHORT, **LONG_WAIT})
    assert made.structured_content["track"]["style"] == "synthwave"
    wrong = {"context": CALM, "brief": {**brief, "fits": ["synthwafe"]}}
    refused = call(service, "find_or_make", wrong)
    assert refused.is_error
    assert "did you mean synthwave" in refused.content[0].text


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
    payload = made.structured_content
    assert (payload["state"], payload["action"], payload["error"]) == ("done", "generated", None)
    assert Path(payload["track"]["path"]).is_file()
    text, link = made.content
    assert isinstance(text, TextContent)
    assert text.text.startswith("generated: " + payload["track"]["track_id"])
    assert isinstance(link, ResourceLink)
    assert link.uri == payload["track"]["audio_uri"] == f"track://{payload['track']['track_id']}/audio"
    assert link.size == Path(payload["track"]["path"]).stat().st_size
    assert steps == sorted(steps)
    assert (again.structured_content["action"], again.structured_content["job_id"]) == ("reused", None)
    assert again.structured_content["track"]["track_id"] == payload["track"]["track_id"]


def test_a_make_that_takes_longer_is_a_job_to_ask_about(open_service):
    generator = Waiting()
    service = open_service(generators=generator)

    async def conversation(client):
        begun = await client.call_tool("find_or_make", {"context": CALM, **SHORT, "wait_s": 0})
        job = {"job_id": begun.structured_content["job_id"]}
        await anyio.to_thread.run_sync(generator.started.wait)
        meanwhile = await client.call_tool("get_job", {**job, "wait_s": 0.3})
        second = await client.call_tool("find_or_make", {"context": PANIC, **SHORT, "wait_s": 0})
        searched = await client.call_tool("search_tracks", {"query": "rain"})
        generator.free.set()
        return begun, meanwhile, second, searched, await client.call_tool("get_job", {**job, **LONG_WAIT})

    begun, meanwhile, second, searched, done = against(service, conversation)
    assert begun.structured_content["state"] in ("queued", "running")
    assert begun.structured_content["track"] is None
    assert "get_job" in begun.content[0].text
    assert meanwhile.structured_content["state"] == "running"
    assert meanwhile.structured_content["progress"] == {"done": 3, "total": 10}
    assert "step 3 of 10" in meanwhile.content[0].text
    assert second.structured_content["ahead"] == 1
    assert searched.structured_content == {"total": 0, "tracks": []}
    assert (done.structured_content["state"], done.structured_content["action"]) == ("done", "generated")
    assert done.structured_content["job_id"] == begun.structured_content["job_id"]


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
        begun = await client.call_tool("find_or_make", {"context": CALM, **SHORT, "wait_s": 0})
        job = {"job_id": begun.structured_content["job_id"]}
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
        begun = await client.call_tool("find_or_make", {"context": CALM, **SHORT, "wait_s": 0})
        job = {"job_id": begun.structured_content["job_id"]}
        await anyio.to_thread.run_sync(generator.started.wait)
        await client.call_tool("cancel_job", job)
        return await client.call_tool("get_job", {**job, **LONG_WAIT})

    cancelled = against(service, conversation)
    assert cancelled.structured_content["state"] == "cancelled"
    assert generator.stopped.is_set()
    assert service.store.care.stats()["rows"] == 0


def test_a_make_that_fails_is_an_error_of_one_sentence(open_service):
    class Failing:
        def __init__(self, error):
            self.error = error

        def __call__(self, backend, size):
            raise self.error

    choices = {"context": CALM, **SHORT, **LONG_WAIT}
    known = call(
        open_service(generators=Failing(GeneratorError("there are no weights here"))), "find_or_make", choices
    )
    assert known.is_error
    assert known.content[0].text == "there are no weights here"
    unknown = call(open_service(generators=Failing(ZeroDivisionError("secret"))), "find_or_make", choices)
    assert unknown.is_error
    assert "unexpectedly" in unknown.content[0].text
    assert "secret" not in str(unknown)


@pytest.mark.parametrize(
    ("tool", "arguments", "reason"),
    [
        ("find_or_make", {"context": CALM, "preset": "ambient_lofy"}, "ambient_lofi"),
        ("find_or_make", {"context": CALM, "presett": "x"}, "did you mean preset"),
        ("find_or_make", {"context": CALM, "duration_s": "soon"}, "duration_s is 'soon'"),
        ("find_or_make", {"context": CALM, "wait_s": 1e9}, "wait_s is 1000000000.0: pass at most 30"),
        ("find_or_make", {"context": CALM, "reuse": "always"}, "making was ruled out"),
        ("find_or_make", {"context": "\x00"}, "NUL"),
        ("find_or_make", {}, "context is missing"),
        ("get_job", {"job_id": "../../etc"}, "there is no job"),
        ("cancel_job", {"job_id": "x"}, "there is no job"),
        ("rate_track", {"track_id": "nothing", "rating": 3}, "there is no track"),
        ("rate_track", {"track_id": "nothing", "rating": True}, "rating is True: pass a whole number"),
        ("reject_track", {"track_id": "nothing"}, "there is no track"),
        ("search_tracks", {"query": "x", "limit": 0}, "limit is 0: pass at least 1"),
        ("search_tracks", {"query": "rain moood:calm"}, "mood"),
        ("search_tracks", {"query": "rain length:long"}, "length"),
        ("rename", {}, "unknown tool 'rename'"),
    ],
)
def test_what_cannot_be_served_is_told_in_one_sentence(service, tool, arguments, reason):
    answer = call(service, tool, arguments)
    assert answer.is_error
    (text,) = answer.content
    assert reason in text.text
    assert "\n" not in text.text
    assert "Traceback" not in text.text


def test_a_full_queue_is_told(open_service):
    generator = Waiting()

    async def conversation(client):
        answers = []
        for number in range(4):
            choices = {"context": f"{CALM} Part {number}.", **SHORT, "wait_s": 0, "reuse": "never"}
            answers.append(await client.call_tool("find_or_make", choices))
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
            choices = {"track_id": made.track.id, "rating": rating, "request_id": made.request_id}
            answer = await client.call_tool("rate_track", choices)
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


def test_files_of_the_machine_are_taken_in(service, tmp_path):
    time = np.arange(6 * 22_050) / 22_050
    soundfile.write(
        tmp_path / "Smoky Bar.wav", 0.3 * np.sin(2000 * time * (1 + 0.1 * np.sin(3 * time))), 22_050
    )
    arguments = {"path": str(tmp_path), "license": "CC0-1.0"}
    added = call(service, "add_music", arguments).structured_content
    ((one,), batch) = added["files"], added["batch"]
    assert (one["outcome"], one["title"], one["license"]) == ("added", "Smoky Bar", "CC0-1.0")
    assert service.get(one["track_id"]).config["batch"] == batch
    assert call(service, "add_music", arguments).structured_content["files"][0]["outcome"] == "present"
    planned = {"path": str(tmp_path / "Other.wav"), "dry_run": True}
    soundfile.write(planned["path"], 0.3 * np.sin(3000 * time), 22_050)
    (one,) = call(service, "add_music", planned).structured_content["files"]
    assert (one["outcome"], one["license"]) == ("added", "unknown")
    refused = call(service, "add_music", {**arguments, "path": str(tmp_path / "nowhere")})
    assert refused.is_error
    assert "no file or folder" in refused.content[0].text


def test_a_caller_names_the_share_of_wrong_reuses_it_bears(service):
    service.generate(CALM, **SHORT)

    async def conversation(client):
        choices = {"context": CALM, **SHORT}
        reused = await client.call_tool("find_or_make", {**choices, "max_false_reuse": 0.05})
        return reused, await client.call_tool("find_or_make", {**choices, "max_false_reuse": 7})

    reused, refused = against(service, conversation)
    assert reused.structured_content["action"] == "reused"
    assert refused.is_error
    assert "7" in refused.content[0].text


def test_a_theme_keeps_its_track(service):
    async def conversation(client):
        choices = {**SHORT, **LONG_WAIT, "theme": "library", "listener": "ann"}
        first = await client.call_tool("find_or_make", {"context": CALM, **choices})
        return first, await client.call_tool("find_or_make", {"context": CALM, **choices})

    first, again = against(service, conversation)
    assert again.structured_content["action"] == "reused"
    assert again.structured_content["track"]["track_id"] == first.structured_content["track"]["track_id"]


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


def test_the_server_warms_the_service_beside_the_first_calls(service, monkeypatch):
    """So the encoder is there for the first text, and altered indexes are told."""
    warmed = threading.Event()
    monkeypatch.setattr(service, "warm", warmed.set)

    class UntilWarm:
        def run(self, transport):
            assert warmed.wait(10)

    monkeypatch.setattr(mcp, "server", lambda service, jobs: UntilWarm())
    assert mcp.serve(service)
