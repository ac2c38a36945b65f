"""LangChain: a retriever over the tracks of a catalog, and find-or-make as a tool. Needs the extra `langchain`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

from pydantic import BaseModel, Field, ValidationError

from ..errors import CatalogError, InputError
from ..models import Hit, Result
from ..report import entry
from ..service.service import MusicService
from ..validation import nearest, sentence
from .arguments import arguments, narrowed, purpose, told
from .description import described, facts
from .optional import extra
from .queries import Where, asked, facts_in
from .threads import making, reading

__all__ = ["TrackRetriever", "find_or_make_tool"]


with extra("langchain", "langchain_core"):
    from langchain_core.callbacks import AsyncCallbackManagerForRetrieverRun, CallbackManagerForRetrieverRun
    from langchain_core.documents import Document
    from langchain_core.retrievers import BaseRetriever
    from langchain_core.tools import StructuredTool, ToolException

SEARCH_KWARGS = ("k", "filter", "score_threshold", "by")


class TrackRetriever(BaseRetriever):
    """Retrieve tracks of the catalog as documents, best first. Only reads: nothing is made and nothing logged.

    `page_content` describes the track; `metadata` holds track_id, path, source (a file URI), score, mood_tags,
    duration_s, style, backend, weights_license and the rest of `integrations.description.FACTS`. `k`, `filter`,
    `score_threshold` and `by` may be fields, `search_kwargs` as vector stores' retrievers take them, or arguments
    of a single call: `retriever.invoke("rain", k=2)`; the nearest to the call wins.
    """

    service: MusicService
    k: int = 4
    """How many tracks at most."""
    filter: Where = None
    """Hard facts every track must meet: the query language, "mood:calm length:30..60", or the fields of Filter."""
    score_threshold: float | None = None
    """Leave out tracks below this score; a cosine for by="meaning", comparable within one search only otherwise."""
    by: Literal["meaning", "words", "both"] = "meaning"
    search_kwargs: dict[str, Any] = Field(default_factory=dict)

    def _get_relevant_documents(
        self,
        query: str,
        *,
        run_manager: CallbackManagerForRetrieverRun,  # noqa: ARG002
        **search: Any,
    ) -> list[Document]:
        return self._retrieve(query, search)

    async def _aget_relevant_documents(
        self,
        query: str,
        *,
        run_manager: AsyncCallbackManagerForRetrieverRun,  # noqa: ARG002
        **search: Any,
    ) -> list[Document]:
        return await reading(self._retrieve, query, search)

    def _retrieve(self, query: str, search: dict[str, Any]) -> list[Document]:
        given = {name: getattr(self, name) for name in SEARCH_KWARGS} | self.search_kwargs | search
        for name in given:
            if name not in SEARCH_KWARGS:
                raise InputError(f"unknown search argument {name!r}; {nearest(name, SEARCH_KWARGS)}")
        sought = asked(query, facts_in(given["filter"], self.service))
        hits = self.service.search(sought, by=given["by"], limit=given["k"])
        least = given["score_threshold"]
        return [_document(hit) for hit in hits if least is None or hit.score >= least]


def find_or_make_tool(
    service: MusicService, *, name: str = "find_or_make_music", description: str | None = None, **fixed: Any
) -> StructuredTool:
    """Return find-or-make as a tool: the model reads what was done, the artifact is the track as plain JSON values.

    The artifact is what `attach_soundtrack` puts under "music": track_id, path, uri, action, similarity, ...
    Arguments in `fixed` (role="background_bed", quality="preview", ...) are the application's, not the model's.
    What cannot be served is told to the model in a sentence, in a ToolMessage with status "error".
    """
    asks = narrowed(fixed)

    def find_or_make(**given: Any) -> tuple[str, dict[str, Any]]:
        with _refusals_told():
            return _answer(service.find_or_make(**arguments(asks, given, fixed)))

    async def afind_or_make(**given: Any) -> tuple[str, dict[str, Any]]:
        with _refusals_told():
            return _answer(await making(service.find_or_make, **arguments(asks, given, fixed)))

    return StructuredTool.from_function(
        find_or_make,
        afind_or_make,
        name=name,
        description=description or purpose(service),
        args_schema=asks,
        response_format="content_and_artifact",
        handle_tool_error=True,
        handle_validation_error=lambda error: _sentence(error, asks),
    )


def _document(hit: Hit) -> Document:
    return Document(described(hit.track), id=hit.track.id, metadata=facts(hit.track, hit.path, hit.score))


def _answer(result: Result) -> tuple[str, dict[str, Any]]:
    return told(result), entry(result)


@contextmanager
def _refusals_told() -> Iterator[None]:
    """Raise what the catalog refuses in the form that the framework tells the model."""
    try:
        yield
    except CatalogError as error:
        raise ToolException(str(error)) from error


def _sentence(error: Any, model: type[BaseModel]) -> str:
    return sentence(error, model) if isinstance(error, ValidationError) else str(error)
