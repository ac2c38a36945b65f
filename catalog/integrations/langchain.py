"""LangChain: a retriever over the tracks of a catalog, and find-or-make as a tool. Needs the extra `langchain`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

from pydantic import BaseModel, Field, ValidationError, model_validator
from typing_extensions import Unpack

from ..errors import CatalogError, InputError
from ..models import Hit, Result
from ..report import entry
from ..service.service import MusicService
from ..validation import nearest, sentence
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

__all__ = ["TrackRetriever", "find_or_make_tool"]


with extra("langchain", "langchain_core"):
    from langchain_core.callbacks import AsyncCallbackManagerForRetrieverRun, CallbackManagerForRetrieverRun
    from langchain_core.documents import Document
    from langchain_core.retrievers import BaseRetriever
    from langchain_core.tools import StructuredTool, ToolException

SEARCH_KWARGS = ("k", "filter", "score_threshold", "by")


class TrackRetriever(BaseRetriever):
    """Retrieve tracks of the catalog as documents, best first. It only reads; it makes and logs nothing.

    `page_content` describes the track; `metadata` holds track_id, path, source (a file URI), score, mood_tags,
    duration_s, style, backend, weights_license and the rest of `integrations.description.FACTS`. `k`, `filter`,
    `score_threshold` and `by` may be fields, `search_kwargs` as vector stores' retrievers take them, or arguments
    of a single call: `retriever.invoke("rain", k=2)`. A call goes before `search_kwargs`, and both before the fields.
    """

    service: MusicService
    k: int = 4
    """How many tracks at most."""
    filter: Where = None
    """Hard facts that every track must meet: the query language, "mood:calm length:30..60", or the fields of Filter."""
    score_threshold: float | None = None
    """The lowest score of a track: a cosine for by="meaning"; otherwise scores compare within one search only."""
    by: Literal["meaning", "words", "both", "sound"] = "meaning"
    search_kwargs: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _of_known_fields(cls, values: Any) -> Any:
        return check_fields(cls, values)

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
        return await read_in_thread(self._retrieve, query, search)

    def _retrieve(self, query: str, search: dict[str, Any]) -> list[Document]:
        options = {name: getattr(self, name) for name in SEARCH_KWARGS} | self.search_kwargs | search
        options.pop("verbose", None)  # LangChain reads it from the arguments of a call, and leaves it there
        for name in options:
            if name not in SEARCH_KWARGS:
                raise InputError(f"unknown search argument {name!r}; {nearest(name, SEARCH_KWARGS)}")
        words_and_facts = query_from(query, filter_from(options["filter"], self.service))
        hits = self.service.search(words_and_facts, by=options["by"], limit=options["k"])
        least = options["score_threshold"]
        return [_document(hit) for hit in hits if least is None or hit.score >= least]


def find_or_make_tool(
    service: MusicService,
    *,
    name: str = "find_or_make_music",
    description: str | None = None,
    **fixed: Unpack[FixedArguments],
) -> StructuredTool:
    """Return find-or-make as a tool: the model reads what was done, the artifact is the track as plain JSON values.

    The artifact is what `attach_soundtrack` puts under "music": track_id, path, uri, action, similarity, ...
    Arguments in `fixed` (role="background_bed", quality="preview", ...) are the application's, not the model's.
    Where a call cannot be served, the model gets a ToolMessage with status "error" and one sentence.
    """
    model = arguments_without(fixed)

    # `tool.invoke("some text")` passes the text as it is, and a model's call passes names.
    def find_or_make(text: str | None = None, /, **values: Any) -> tuple[str, dict[str, Any]]:
        values = values if text is None else {"context": text, **values}
        with _errors_for_the_model():
            return _answer(service.find_or_make(**service_arguments(model, values, fixed)))

    async def afind_or_make(text: str | None = None, /, **values: Any) -> tuple[str, dict[str, Any]]:
        values = values if text is None else {"context": text, **values}
        with _errors_for_the_model():
            return _answer(
                await make_in_thread(service.find_or_make, **service_arguments(model, values, fixed))
            )

    return StructuredTool.from_function(
        find_or_make,
        afind_or_make,
        name=name,
        description=description or tool_description(service),
        args_schema=model,
        response_format="content_and_artifact",
        handle_tool_error=True,
        handle_validation_error=lambda error: _sentence(error, model),
    )


def _document(hit: Hit) -> Document:
    return Document(
        track_text(hit.track), id=hit.track.id, metadata=track_metadata(hit.track, hit.path, hit.score)
    )


def _answer(result: Result) -> tuple[str, dict[str, Any]]:
    return result_text(result), entry(result)


@contextmanager
def _errors_for_the_model() -> Iterator[None]:
    """Raise the errors of the catalog as the error whose message the framework passes to the model."""
    try:
        yield
    except CatalogError as error:
        raise ToolException(str(error)) from error


def _sentence(error: Any, model: type[BaseModel]) -> str:
    return sentence(error, model) if isinstance(error, ValidationError) else str(error)
