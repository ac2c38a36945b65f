"""The LlamaIndex adapter, through LlamaIndex's own classes; its mock LLM answers with the prompt that it gets."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from fakes import WordHashEncoder
from llama_index.core import QueryBundle, VectorStoreIndex
from llama_index.core.embeddings import MockEmbedding
from llama_index.core.llms.mock import MockLLM
from llama_index.core.query_engine import RetrieverQueryEngine
from llama_index.core.response_synthesizers import get_response_synthesizer
from llama_index.core.schema import MetadataMode, NodeWithScore, TextNode
from llama_index.core.tools import FunctionTool
from llama_index.core.tools.calling import acall_tool, call_tool

from music_catalog import MusicService
from music_catalog.errors import InputError
from music_catalog.generator import GeneratorError
from music_catalog.integrations.llamaindex import SoundtrackPostprocessor, TrackRetriever, find_or_make_tool

CALM = "Soft rain taps on the library windows while students read in calm, peaceful silence."
CALM_AGAIN = "In calm, peaceful silence students read while soft rain taps on the windows of the library."
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


def nodes_of(*texts, **metadata):
    return [NodeWithScore(node=TextNode(text=text, metadata=metadata), score=0.5) for text in texts]


def test_the_retriever_returns_nodes_with_their_scores_best_first(stocked):
    nodes = TrackRetriever(stocked).retrieve("calm rain on the library windows")
    assert [node.score for node in nodes] == [
        hit.score for hit in stocked.search("calm rain on the library windows")
    ]
    best = nodes[0].node
    assert best.node_id == best.metadata["track_id"]
    assert Path(best.metadata["path"]).is_file()
    assert "calm" in best.metadata["mood_tags"]
    for mode in (MetadataMode.LLM, MetadataMode.EMBED):
        read = best.get_content(mode)
        assert "Music for: " in read
        assert best.metadata["path"] not in read


def test_the_retriever_holds_to_its_facts_its_limit_and_its_threshold(stocked):
    assert len(TrackRetriever(stocked, similarity_top_k=1).retrieve("rain")) == 1
    calm = TrackRetriever(stocked, where={"mood": ["calm"]}).retrieve("rain")
    assert calm
    assert all("calm" in node.metadata["mood_tags"] for node in calm)
    assert TrackRetriever(stocked, where="mood:calm").retrieve("rain") == calm
    every = TrackRetriever(stocked).retrieve("rain on the library windows")
    assert (
        len(TrackRetriever(stocked, score_threshold=every[0].score).retrieve("rain on the library windows"))
        == 1
    )
    (word,) = TrackRetriever(stocked, by="words").retrieve("Rotterdam")
    assert "Rotterdam" in word.text
    with pytest.raises(InputError, match="did you mean mood"):
        TrackRetriever(stocked, where={"moood": ["calm"]})


def test_asynchronous_retrieval_is_its_own_and_finds_the_same(stocked):
    retriever = TrackRetriever(stocked, similarity_top_k=2)
    questions = ["calm rain", "shipping volumes", "angry chaos"] * 6
    single = [retriever.retrieve(question) for question in questions]

    async def together():
        return await asyncio.gather(*(retriever.aretrieve(question) for question in questions))

    assert asyncio.run(together()) == single


def test_an_unknown_argument_is_refused_when_the_postprocessor_is_built(service):
    with pytest.raises(ValueError, match=r"find_or_make takes no 'rolle'.*role"):
        SoundtrackPostprocessor(service=service, asked={"rolle": 1})


def test_each_node_gets_a_soundtrack_that_nothing_but_the_application_reads(service):
    nodes = nodes_of(CALM, PANIC, chapter=3)
    out = SoundtrackPostprocessor(service=service, asked=SHORT).postprocess_nodes(
        nodes, query_str="What happens?"
    )
    assert [node.score for node in out] == [0.5, 0.5]
    tracks = [node.metadata["soundtrack"] for node in out]
    assert tracks[0]["track_id"] != tracks[1]["track_id"]
    for node, track in zip(out, tracks, strict=True):
        assert Path(track["path"]).is_file()
        for mode in (MetadataMode.LLM, MetadataMode.EMBED):
            assert "soundtrack" not in node.get_content(mode)
            assert "chapter: 3" in node.get_content(mode)
    assert [node.node.node_id for node in out] == [node.node.node_id for node in nodes]
    assert all("soundtrack" not in node.metadata for node in nodes), "what came in was changed"
    assert service.store.tracks.get(tracks[0]["track_id"]).query == "What happens?"


def test_a_chunk_with_the_same_mood_shares_the_track(service):
    out = SoundtrackPostprocessor(service=service, asked=SHORT).postprocess_nodes(nodes_of(CALM, CALM_AGAIN))
    first, second = (node.metadata["soundtrack"] for node in out)
    assert (first["action"], second["action"]) == ("generated", "reused")
    assert first["track_id"] == second["track_id"]


def test_what_the_nodes_metadata_knows_is_taken_over(service):
    nodes = nodes_of("The door opens.", environment="tavern", time_of_day="night", author="environment")
    (out,) = SoundtrackPostprocessor(service=service, asked=SHORT).postprocess_nodes(nodes)
    track = service.store.tracks.get(out.metadata["soundtrack"]["track_id"])
    assert (track.environment, track.time_of_day) == ("tavern", "night")


def test_one_soundtrack_for_all_and_one_for_the_first(service):
    together = SoundtrackPostprocessor(service=service, asked=SHORT, together=True)
    out = together.postprocess_nodes(nodes_of(CALM, TRADE))
    assert len({node.metadata["soundtrack"]["track_id"] for node in out}) == 1
    first = SoundtrackPostprocessor(service=service, asked=SHORT, top_n=1).postprocess_nodes(
        nodes_of(CALM, TRADE)
    )
    assert ["soundtrack" in node.metadata for node in first] == [True, False]
    assert together.postprocess_nodes([]) == []
    (blank,) = together.postprocess_nodes(nodes_of(" "))
    assert "soundtrack" not in blank.metadata


def test_without_making_only_what_fits_is_attached(stocked):
    before = stocked.store.care.stats()["rows"]
    finds = SoundtrackPostprocessor(service=stocked, asked=SHORT, make=False)
    out = finds.postprocess_nodes(nodes_of(CALM_AGAIN, "A dragon sleeps in a cave of gold."))
    assert out[0].metadata["soundtrack"]["action"] == "reused"
    assert "soundtrack" not in out[1].metadata
    assert stocked.store.care.stats()["rows"] == before


def test_a_soundtrack_that_cannot_be_had_is_an_error_or_is_told(open_service):
    class Failing:
        def __call__(self, backend, size):
            raise GeneratorError("there are no weights here")

    service = open_service(generators=Failing())
    with pytest.raises(Exception, match="no weights"):
        SoundtrackPostprocessor(service=service, asked=SHORT).postprocess_nodes(nodes_of(CALM))
    lenient = SoundtrackPostprocessor(service=service, asked=SHORT, required=False)
    (out,) = lenient.postprocess_nodes(nodes_of(CALM))
    assert out.metadata == {"soundtrack_error": "there are no weights here"}
    assert "weights" not in out.node.get_content(MetadataMode.LLM)


def engine(service):
    index = VectorStoreIndex(
        [TextNode(text=CALM), TextNode(text=PANIC)], embed_model=MockEmbedding(embed_dim=8)
    )
    return RetrieverQueryEngine(
        retriever=index.as_retriever(similarity_top_k=2),
        response_synthesizer=get_response_synthesizer(llm=MockLLM()),
        node_postprocessors=[SoundtrackPostprocessor(service=service, asked=SHORT)],
    )


def test_a_query_engine_answers_with_sources_that_sound(service):
    response = engine(service).query("What happens in the library?")
    assert [node.metadata["soundtrack"]["action"] for node in response.source_nodes] == ["generated"] * 2
    assert CALM in str(response)
    assert "soundtrack" not in str(response), "the model reads the soundtrack"


def test_an_asynchronous_query_engine_does_the_same(service):
    response = asyncio.run(engine(service).aquery("What happens in the library?"))
    assert all(Path(node.metadata["soundtrack"]["path"]).is_file() for node in response.source_nodes)


def test_the_tool_says_what_was_done_and_hands_over_the_track(service):
    tool = find_or_make_tool(service, quality="preview")
    assert isinstance(tool, FunctionTool)
    shown = tool.metadata.get_parameters_dict()
    assert shown["required"] == ["context"]
    assert "duration_s" in shown["properties"]
    assert "quality" not in shown["properties"]
    made = tool.call(context=CALM, duration_s=1.5)
    assert made.raw_output["action"] == "generated"
    assert Path(made.raw_output["path"]).is_file()
    assert made.content.startswith("generated: " + made.raw_output["track_id"])
    again = asyncio.run(tool.acall(context=CALM, duration_s=1.5))
    assert (again.raw_output["action"], again.raw_output["track_id"]) == (
        "reused",
        made.raw_output["track_id"],
    )
    assert again.content.startswith("reused: ")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"context": CALM, "preset": "ambient_lofy"}, "ambient_lofi"),
        ({"context": CALM, "loudness": 3}, "unknown option 'loudness'"),
        ({"context": CALM, "duration_s": "soon"}, "duration_s"),
    ],
)
def test_the_agents_way_of_calling_tells_what_was_refused(service, arguments, reason):
    tool = find_or_make_tool(service)
    for output in (call_tool(tool, arguments), asyncio.run(acall_tool(tool, arguments))):
        assert output.is_error
        assert reason in output.content
    with pytest.raises(InputError):
        tool.call(**arguments)


def test_a_field_that_the_postprocessor_does_not_know_is_refused(service):
    with pytest.raises(ValueError, match=r"unknown field 'top'; did you mean top_n\?"):
        SoundtrackPostprocessor(service=service, top=1)


def test_the_postprocessor_is_built_again_of_what_is_dumped_of_it(service):
    first = SoundtrackPostprocessor(service=service, asked=SHORT, top_n=2)
    again = SoundtrackPostprocessor(**{**first.model_dump(), "service": service})
    assert (again.asked, again.top_n) == (SHORT, 2)
    assert again.model_dump() == first.model_dump()


def test_many_nodes_at_once_make_each_track_once(service):
    soundtrack = SoundtrackPostprocessor(service=service, asked=SHORT)

    async def together():
        calls = (soundtrack.apostprocess_nodes(nodes_of(CALM, PANIC), QueryBundle("What?")) for _ in range(4))
        return await asyncio.gather(*calls)

    entries = [node.metadata["soundtrack"] for nodes in asyncio.run(together()) for node in nodes]
    assert sum(entry["action"] == "generated" for entry in entries) == 2
    assert len({entry["track_id"] for entry in entries}) == 2
