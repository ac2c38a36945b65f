"""The LangChain adapter, through LangChain's own classes."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest
from fakes import WordHashEncoder
from langchain_core.messages import ToolMessage
from langchain_core.runnables import RunnableLambda
from langchain_core.tools import create_retriever_tool

from music_catalog import MusicService
from music_catalog.errors import InputError
from music_catalog.generator import Cancelled, ProceduralGenerator
from music_catalog.integrations.langchain import TrackRetriever, find_or_make_tool

CALM = "Soft rain taps on the library windows while students read in calm, peaceful silence."
PANIC = "Hard rain hammers on the library windows while students scream in terrifying, angry chaos."
TRADE = "The quarterly report shows that container shipping volumes through Rotterdam grew by four percent."
SHORT = {"duration_s": 1.5, "quality": "preview"}


@pytest.fixture(scope="module")
def stocked(tmp_path_factory):
    """Return a service over three tracks, which no test changes."""
    with MusicService.open(
        tmp_path_factory.mktemp("stocked"), encoder=WordHashEncoder(), min_similarity=0.55
    ) as service:
        for text in (CALM, PANIC, TRADE):
            service.generate(text, **SHORT)
        yield service


def call(**arguments):
    return {"name": "find_or_make_music", "args": arguments, "id": "call-1", "type": "tool_call"}


def test_the_retriever_returns_documents_with_their_scores_best_first(stocked):
    documents = TrackRetriever(service=stocked).invoke("calm rain on the library windows")
    assert len(documents) == 3
    best = documents[0]
    assert "calm" in best.metadata["mood_tags"]
    assert "Music for: " in best.page_content
    assert best.id == best.metadata["track_id"]
    assert Path(best.metadata["path"]).is_file()
    assert best.metadata["source"] == Path(best.metadata["path"]).resolve().as_uri()
    assert best.metadata["ai_generated"] is True
    scores = [document.metadata["score"] for document in documents]
    assert scores == sorted(scores, reverse=True)
    hits = stocked.search("calm rain on the library windows")
    assert [hit.score for hit in hits] == scores


def test_the_model_that_calls_the_tool_may_say_which_styles_fit(service):
    brief = {"fits": ["synthwave"], "valence": 0.1, "energy": 0.5}
    message = find_or_make_tool(service).invoke(call(context=CALM, brief=brief, **SHORT))
    assert message.artifact["style"] == "synthwave"


def test_the_retriever_only_reads(stocked):
    before = (stocked.store.care.stats()["rows"], stocked.store.care.stats()["requests"])
    TrackRetriever(service=stocked).invoke("something that no track fits at all")
    assert (stocked.store.care.stats()["rows"], stocked.store.care.stats()["requests"]) == before


def test_search_arguments_stand_in_fields_in_search_kwargs_and_in_calls(stocked):
    question = "rain on the library windows"
    assert len(TrackRetriever(service=stocked, k=1).invoke(question)) == 1
    retriever = TrackRetriever(service=stocked, k=1, search_kwargs={"k": 2})
    assert len(retriever.invoke(question)) == 2
    assert len(retriever.invoke(question, k=3)) == 3
    calm = retriever.invoke(question, filter={"mood": ["calm"]})
    assert calm
    assert all("calm" in document.metadata["mood_tags"] for document in calm)
    assert retriever.invoke(question, filter="mood:calm") == calm
    every = TrackRetriever(service=stocked).invoke(question)
    least = every[0].metadata["score"]
    kept = TrackRetriever(service=stocked, score_threshold=least).invoke(question)
    assert [document.id for document in kept] == [every[0].id]
    words = TrackRetriever(service=stocked, by="words").invoke("Rotterdam")
    assert [document.metadata["summary"] for document in words] == [stocked.search(TRADE)[0].track.summary]


@pytest.mark.parametrize(
    ("search", "reason"),
    [
        ({"fetch_k": 20}, "fetch_k"),
        ({"filter": {"moood": ["calm"]}}, "did you mean mood"),
        ({"filter": 3}, "the filter is a int"),
        ({"filter": "mood:calm rain"}, "the filter has words"),
        ({"filter": "moood:calm"}, "mood"),
        ({"k": 0}, "limit"),
        ({"by": "smell"}, "search by 'smell'"),
    ],
)
def test_a_search_argument_that_cannot_be_used_is_one_sentence(stocked, search, reason):
    with pytest.raises(InputError, match=reason) as refused:
        TrackRetriever(service=stocked).invoke("rain", **search)
    assert "\n" not in str(refused.value)


def test_a_field_that_the_retriever_does_not_know_is_refused(stocked):
    with pytest.raises(ValueError, match=r"unknown field 'filters'; did you mean filter\?"):
        TrackRetriever(service=stocked, filters="mood:calm")
    with pytest.raises(ValueError, match="unknown field 'top_k'"):
        TrackRetriever(service=stocked, top_k=1)
    named = TrackRetriever(service=stocked, k=1, name="music", tags=["a"], metadata={"b": 1})
    assert (named.k, named.name) == (1, "music")
    assert (named.tags, named.metadata) == (["a"], {"b": 1})


def test_a_call_takes_what_langchain_reads_of_it(stocked):
    quiet = TrackRetriever(service=stocked, k=1)
    assert quiet.invoke("rain", {"callbacks": [], "tags": ["a"]}, verbose=True) == quiet.invoke("rain")


def test_a_question_is_plain_words_whatever_it_looks_like(stocked):
    for question in ('mood:none such "calm', "-rain is:trashed", "length:x style:?"):
        assert len(TrackRetriever(service=stocked).invoke(question)) == 3


def test_asynchronous_calls_and_batches_find_what_synchronous_ones_find(stocked):
    retriever = TrackRetriever(service=stocked, k=2)
    questions = ["calm rain", "shipping volumes", "angry chaos"] * 6
    single = [retriever.invoke(question) for question in questions]

    async def together():
        return await asyncio.gather(*(retriever.ainvoke(question) for question in questions))

    assert asyncio.run(together()) == single
    assert retriever.batch(questions) == single
    assert asyncio.run(retriever.abatch(questions)) == single


def test_the_retriever_stands_in_a_chain_and_behind_a_tool(stocked):
    chain = TrackRetriever(service=stocked, k=1) | RunnableLambda(
        lambda documents: documents[0].metadata["path"]
    )
    assert Path(chain.invoke("shipping volumes")).is_file()
    tool = create_retriever_tool(
        TrackRetriever(service=stocked, k=2),
        "search_music",
        "Search tracks.",
        response_format="content_and_artifact",
    )
    message = tool.invoke({"name": "search_music", "args": {"query": "calm"}, "id": "1", "type": "tool_call"})
    assert [document.metadata["track_id"] for document in message.artifact]


def test_a_tool_call_gives_a_message_with_the_track_as_artifact(service):
    tool = find_or_make_tool(service)
    message = tool.invoke(call(context=CALM, **SHORT))
    assert isinstance(message, ToolMessage)
    assert (message.status, message.tool_call_id) == ("success", "call-1")
    assert message.artifact["action"] == "generated"
    assert Path(message.artifact["path"]).is_file()
    assert message.content.startswith("generated: " + message.artifact["track_id"])
    assert message.artifact["path"] in message.content
    again = tool.invoke(call(context=CALM, **SHORT))
    assert (again.artifact["action"], again.artifact["track_id"]) == ("reused", message.artifact["track_id"])


def test_the_tool_takes_a_plain_text(service):
    tool = find_or_make_tool(service, **SHORT)
    assert tool.invoke(CALM).startswith("generated: ")
    assert asyncio.run(tool.ainvoke(CALM)).startswith("reused: ")


def test_the_schema_shows_the_model_what_it_may_ask(service):
    tool = find_or_make_tool(service, role="background_bed", quality="preview")
    shown = tool.tool_call_schema.model_json_schema()
    assert shown["required"] == ["context"]
    assert {"preset", "duration_s", "environment"} < shown["properties"].keys()
    assert not {"role", "quality", "config", "run_manager", "callbacks"} & shown["properties"].keys()
    assert "ambient_lofi" in tool.description
    assert "narration_bed" in tool.description


def test_what_the_application_fixed_the_model_cannot_change(service):
    tool = find_or_make_tool(service, role="ui_sfx", quality="preview")
    made = tool.invoke(call(context=CALM, duration_s=1.0))
    assert made.artifact["role"] == "ui_sfx"
    refused = tool.invoke(call(context=CALM, role="background_bed"))
    assert (refused.status, refused.artifact) == ("error", None)
    assert "unknown option 'role'" in refused.content
    with pytest.raises(InputError, match="cannot be fixed"):
        find_or_make_tool(service, rôle="ui_sfx")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"context": "  "}, "the text is empty"),
        ({"context": CALM, "preset": "ambient_lofy"}, "ambient_lofi"),
        ({"context": CALM, "duration_s": "soon"}, "duration_s"),
        ({"context": CALM, "quality": "best"}, "valid: final, preview, standard"),
        ({"context": CALM, "reuse": "always"}, "making was ruled out"),
        ({}, "context"),
    ],
)
def test_what_cannot_be_served_is_told_to_the_model_in_a_sentence(service, arguments, reason):
    message = find_or_make_tool(service).invoke(call(**arguments))
    assert message.status == "error"
    assert reason in message.content
    assert "\n" not in message.content
    assert "Traceback" not in message.content


class Waiting:
    """The procedural generator, held back until it is let go, looking up at its callback meanwhile."""

    def __init__(self):
        self.started = threading.Event()
        self.free = threading.Event()
        self.stopped = threading.Event()
        self._generator = ProceduralGenerator()

    def __call__(self, backend, size):
        return self

    def generate_music(self, prompt, config, *, on_progress=None, **rest):
        self.started.set()
        while not self.free.wait(0.01):
            try:
                on_progress(0, 1)
            except Cancelled:
                self.stopped.set()
                raise
        return self._generator.generate_music(prompt, config, on_progress=on_progress, **rest)


def test_while_a_track_is_made_the_loop_goes_on_and_others_search(open_service):
    generator = Waiting()
    service = open_service(generators=generator)
    tool, retriever = find_or_make_tool(service), TrackRetriever(service=service)

    async def together():
        making = asyncio.create_task(tool.ainvoke(call(context=CALM, **SHORT)))
        while not generator.started.is_set():
            await asyncio.sleep(0.005)
        # The generation stands still: searches are answered only if neither loop nor service waits for it.
        searches = await asyncio.gather(*(retriever.ainvoke("rain") for _ in range(20)))
        assert not making.done()
        generator.free.set()
        return searches, await making

    searches, message = asyncio.run(asyncio.wait_for(together(), 60))
    assert searches == [[]] * 20
    assert message.artifact["action"] == "generated"


def test_a_cancelled_task_stops_the_making(open_service):
    generator = Waiting()
    service = open_service(generators=generator)

    async def give_up():
        making = asyncio.create_task(find_or_make_tool(service).ainvoke(call(context=CALM, **SHORT)))
        while not generator.started.is_set():
            await asyncio.sleep(0.005)
        making.cancel()
        with pytest.raises(asyncio.CancelledError):
            await making

    asyncio.run(give_up())
    assert generator.stopped.wait(30)
    assert service.store.care.stats()["rows"] == 0


def test_many_calls_at_once_make_each_track_once(service):
    tool = find_or_make_tool(service, **SHORT)
    texts = [CALM, PANIC, TRADE]

    async def together():
        return await asyncio.gather(*(tool.ainvoke(call(context=text)) for text in texts * 4))

    messages = asyncio.run(together())
    made = [message.artifact["track_id"] for message in messages if message.artifact["action"] == "generated"]
    assert len(made) == len(set(made)) == 3
    assert {message.artifact["track_id"] for message in messages} == set(made)
