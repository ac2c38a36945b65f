"""LlamaIndex: a retriever over tracks, a soundtrack for retrieved nodes, and find-or-make as a tool.

Needs the extra `llamaindex`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator
from typing_extensions import Unpack

from ..errors import CatalogError
from ..generator import Progress
from ..models import Context, Hit, Result
from ..report import entry
from ..service.call import ServeArguments
from ..service.service import MusicService
from ..validation import nearest
from .arguments import (
    FixedArguments,
    arguments_without,
    check_fields,
    result_text,
    service_arguments,
    tool_description,
)
from .description import track_metadata, track_text
from .optional import extra
from .queries import Where, filter_from, query_from
from .threads import make_in_thread, read_in_thread

__all__ = ["SoundtrackPostprocessor", "TrackRetriever", "find_or_make_tool"]


with extra("llamaindex", "llama_index"):
    from llama_index.core.base.base_retriever import BaseRetriever
    from llama_index.core.postprocessor.types import BaseNodePostprocessor
    from llama_index.core.schema import BaseNode, MetadataMode, NodeWithScore, QueryBundle, TextNode
    from llama_index.core.tools import FunctionTool


class TrackRetriever(BaseRetriever):
    """Retrieve tracks of the catalog as nodes, best first. It only reads; it makes and logs nothing.

    A node's text describes the track, its metadata holds track_id, path, source (a file URI), mood_tags, duration_s,
    style, backend, weights_license and the rest of `integrations.description.FACTS`. `where` holds the hard facts
    that every track must meet, "mood:calm length:30..60" or the fields of Filter. Tracks below `score_threshold` are
    left out; the score is a cosine for by="meaning"; otherwise scores compare within one search only.
    """

    def __init__(
        self,
        service: MusicService,
        *,
        similarity_top_k: int = 4,
        where: Where = None,
        score_threshold: float | None = None,
        by: Literal["meaning", "words", "both", "sound"] = "meaning",
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self._service = service
        self._limit = similarity_top_k
        self._where = filter_from(where, service)
        self._least = score_threshold
        self._by = by

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        query = query_from(query_bundle.query_str, self._where)
        hits = self._service.search(query, by=self._by, limit=self._limit)
        return [_node(hit) for hit in hits if self._least is None or hit.score >= self._least]

    async def _aretrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        return await read_in_thread(self._retrieve, query_bundle)


class SoundtrackPostprocessor(BaseNodePostprocessor):
    """Attach a soundtrack to retrieved nodes: `metadata["soundtrack"]`, kept out of what LLM and embedding read.

    It returns copies and leaves the nodes themselves as they are. Metadata under the names of `Context` fields
    (environment, time_of_day, mood_tags, ...) is passed on with the text. The entry is what `attach_soundtrack` puts
    under "music": track_id, path, uri, action, similarity, duration_s, ...
    """

    service: MusicService = Field(exclude=True)
    asked: dict[str, Any] = Field(default_factory=dict)
    """Arguments of `find_or_make`: role, preset, quality, duration_s, ..."""
    top_n: int | None = Field(default=None, ge=0)
    """How many nodes get a soundtrack, from the first; None for all."""
    together: bool = False
    """One soundtrack for the texts of these nodes together, rather than one for each."""
    make: bool = True
    """Whether a track may be made; if not, a node that no track fits gets none."""
    required: bool = True
    """Whether a failure is raised; if not, its message is put under "soundtrack_error"."""

    @model_validator(mode="before")
    @classmethod
    def _of_known_fields(cls, values: Any) -> Any:
        if isinstance(values, Mapping):
            # LlamaIndex adds it to what it dumps of a component.
            values = {name: value for name, value in values.items() if name != "class_name"}
        return check_fields(cls, values)

    @field_validator("asked")
    @classmethod
    def _of_known_arguments(cls, asked: dict[str, Any]) -> dict[str, Any]:
        for name in asked.keys() - ServeArguments.__annotations__.keys():
            raise ValueError(
                f"find_or_make takes no {name!r}; {nearest(name, [*ServeArguments.__annotations__])}"
            )
        return asked

    @classmethod
    def class_name(cls) -> str:
        """Return the name that LlamaIndex stores the component under."""
        return "SoundtrackPostprocessor"

    def _postprocess_nodes(
        self, nodes: list[NodeWithScore], query_bundle: QueryBundle | None = None
    ) -> list[NodeWithScore]:
        return self._attached(nodes, query_bundle)

    async def _apostprocess_nodes(
        self, nodes: list[NodeWithScore], query_bundle: QueryBundle | None = None
    ) -> list[NodeWithScore]:
        return await make_in_thread(self._attached, nodes, query_bundle)

    def _attached(
        self,
        nodes: Sequence[NodeWithScore],
        query_bundle: QueryBundle | None,
        on_progress: Progress | None = None,
    ) -> list[NodeWithScore]:
        query = query_bundle.query_str if query_bundle else ""
        served = [node for node in nodes[: self.top_n] if node.node.get_content(MetadataMode.NONE).strip()]
        contexts = [_context(node.node, query) for node in served]
        if self.together and served:
            contexts = [{"text": "\n\n".join(each["text"] for each in contexts), "query": query}]
        try:
            entries = self._entries(contexts, on_progress)
        except CatalogError as error:
            if self.required:
                raise
            entries = [{"soundtrack_error": str(error)}] * len(contexts)
        if self.together:
            entries = entries * len(served)
        copies = {id(node): _copy(node, new) for node, new in zip(served, entries, strict=True) if new}
        return [copies.get(id(node), node) for node in nodes]

    def _entries(
        self, contexts: Sequence[Mapping[str, Any]], on_progress: Progress | None
    ) -> list[dict[str, Any]]:
        """Return the metadata for each context: a soundtrack, or nothing where no track fits and none may be made."""
        results = (
            self.service.find_or_make_all(contexts, on_progress=on_progress, **self.asked)
            if self.make
            else [self.service.explain(context, **self.asked) for context in contexts]
        )
        return [{"soundtrack": entry(result)} if result.track else {} for result in results]


def find_or_make_tool(
    service: MusicService,
    *,
    name: str = "find_or_make_music",
    description: str | None = None,
    **fixed: Unpack[FixedArguments],
) -> FunctionTool:
    """Return find-or-make as a tool: the model reads what was done, `raw_output` is the track as plain JSON values.

    `raw_output` is what `attach_soundtrack` puts under "music": track_id, path, uri, action, similarity, ...
    Arguments in `fixed` (role="background_bed", quality="preview", ...) are the application's, not the model's.
    A call that cannot be served raises a CatalogError of one sentence; LlamaIndex's agents pass it to the model.
    """
    model = arguments_without(fixed)

    def find_or_make(**values: Any) -> dict[str, Any]:
        return _answer(service.find_or_make(**service_arguments(model, values, fixed)))

    async def afind_or_make(**values: Any) -> dict[str, Any]:
        return _answer(await make_in_thread(service.find_or_make, **service_arguments(model, values, fixed)))

    return FunctionTool.from_defaults(
        find_or_make,
        name=name,
        description=description or tool_description(service),
        fn_schema=model,
        async_fn=afind_or_make,
        callback=lambda answer: answer["message"],
    )


def _node(hit: Hit) -> NodeWithScore:
    metadata = track_metadata(hit.track, hit.path)
    node = TextNode(
        id_=hit.track.id,
        text=track_text(hit.track),
        metadata=metadata,
        # The text says the same in words.
        excluded_llm_metadata_keys=[*metadata],
        excluded_embed_metadata_keys=[*metadata],
    )
    return NodeWithScore(node=node, score=hit.score)


def _context(node: BaseNode, query: str) -> dict[str, Any]:
    """Return the node as a payload: its text, and the metadata that states something about it."""
    stated = {name: value for name, value in node.metadata.items() if name in Context.model_fields}
    return {**stated, "text": node.get_content(MetadataMode.NONE), "query": query}


def _copy(node: NodeWithScore, new: Mapping[str, Any]) -> NodeWithScore:
    """Return a copy of `node` with `new` in its metadata, kept out of what LLM and embedding read."""
    inner = node.node
    changes = {
        "metadata": {**inner.metadata, **new},
        "excluded_llm_metadata_keys": _with(inner.excluded_llm_metadata_keys, new),
        "excluded_embed_metadata_keys": _with(inner.excluded_embed_metadata_keys, new),
    }
    return NodeWithScore(node=inner.model_copy(update=changes), score=node.score)


def _with(keys: list[str], new: Mapping[str, Any]) -> list[str]:
    return [*keys, *(name for name in new if name not in keys)]


def _answer(result: Result) -> dict[str, Any]:
    return {**entry(result), "message": result_text(result)}
