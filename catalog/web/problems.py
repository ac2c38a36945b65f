"""Errors as problem documents (RFC 9457): one sentence without paths or a traceback."""

from __future__ import annotations

import errno
import http
import json
import logging
import re
import secrets
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from ..disk.files import refusal
from ..errors import (
    Busy,
    CatalogError,
    EncoderMismatch,
    InputError,
    NotFound,
    StorageError,
    Unavailable,
    in_one_line,
)
from ..service.jobs import QueueFull
from ..validation import sentence_on
from .json_response import Json

__all__ = [
    "PROBLEMS",
    "ProblemDocument",
    "add_handlers",
    "full_response",
    "openapi",
    "problem_from",
    "problem_response",
    "refusal_response",
]


RETRY_S = 5
"""After how many seconds to try again when the queue is full or the catalog is busy."""
FULL = f"the service has as many requests as it can serve; try again in {RETRY_S} s"
STATUS: tuple[tuple[type[CatalogError], int], ...] = (
    (QueueFull, 429),
    (InputError, 422),
    (NotFound, 404),
    (Busy, 503),
    (EncoderMismatch, 409),
    (Unavailable, 409),
)
TYPES = ("str", "int", "float", "bool")
_PART = r"[^\s'\",;:()<>]"
PATH = re.compile(
    rf"(?<![\w:/.])(?:~|[A-Za-z]:)?[/\\]{_PART}+"
    # Names of folders and files may have spaces: up to four words more belong to the path where a separator or the
    # ending of a file follows. A path of its own begins with a separator, ~ or a drive.
    rf"(?:(?: (?![/\\~]|[A-Za-z]:){_PART}+){{0,3}} (?![/\\~]|[A-Za-z]:)"
    rf"(?:{_PART}*[/\\]{_PART}*|{_PART}+\.[A-Za-z]\w{{0,4}}(?!\w)))*"
)

_log = logging.getLogger(__name__)


class ProblemDocument(BaseModel):
    """What went wrong, in the shape of RFC 9457."""

    type: str = Field(description="Which kind of problem: urn:catalog: and the name of the error.")
    title: str
    status: int
    detail: str = Field(description="What failed, the value, and what is valid or what to do next.")
    exit_code: int = Field(default=1, description="The exit code of the command line for this problem.")


MEDIA_TYPE = "application/problem+json"
PROBLEMS: dict[int | str, dict[str, Any]] = {
    "4XX": {"model": ProblemDocument, "description": "The request cannot be met."},
    "5XX": {"model": ProblemDocument, "description": "The service failed."},
}


def problem_from(error: Exception, *, trusted: bool = False) -> ProblemDocument:
    """Return the problem document of `error`; paths are in it only for a `trusted` caller, who can read the home."""
    if refusal(error) in (errno.EMFILE, errno.ENFILE):
        _log.warning("a request was refused, since too many files are open: %s", error)
        return _document(503, "Busy", FULL, Busy.exit_code)
    if not isinstance(error, CatalogError):
        return _document(500, "Failure", _logged(error))
    status = next((status for kind, status in STATUS if isinstance(error, kind)), 500)
    detail = str(error)
    if not trusted:
        hidden = isinstance(error, StorageError)
        detail = _logged(error) if hidden else PATH.sub("(a path)", detail)
    return _document(status, type(error).__name__, detail, error.exit_code)


def problem_response(problem: ProblemDocument, headers: dict[str, str] | None = None) -> Json:
    """Return the response that carries `problem`."""
    more = {"Retry-After": str(RETRY_S)} if problem.status in (429, 503) else {}
    return Json(
        problem.model_dump(),
        status_code=problem.status,
        media_type=MEDIA_TYPE,
        headers={**more, **(headers or {})},
    )


def full_response() -> Json:
    """Return the answer to a request that comes while every connection is in use."""
    return problem_response(_document(503, "Busy", FULL, Busy.exit_code))


def refusal_response(status: int, detail: str, headers: dict[str, str] | None = None) -> Json:
    """Return the response to a request that is refused before the catalog sees it."""
    return problem_response(
        _document(status, http.HTTPStatus(status).phrase.replace(" ", ""), detail), headers
    )


def add_handlers(app: FastAPI) -> None:
    """Make the errors of `app` problem documents; the guard does so for unforeseen ones."""

    @app.exception_handler(CatalogError)
    def catalog_error(request: Request, error: CatalogError) -> Json:
        return problem_response(problem_from(error, trusted=request.state.trusted))

    @app.exception_handler(RequestValidationError)
    def invalid(request: Request, error: RequestValidationError) -> Json:
        return problem_response(_document(422, "InputError", _invalid(request, error), InputError.exit_code))

    @app.exception_handler(HTTPException)
    def http_error(request: Request, error: HTTPException) -> Json:
        del request
        details = {404: "there is nothing at this address", 405: "this address does not take that method"}
        return refusal_response(
            error.status_code, details.get(error.status_code, str(error.detail)), dict(error.headers or {})
        )


def openapi(app: FastAPI) -> dict[str, Any]:
    """Return the OpenAPI document of `app`, in which every error is a problem document."""
    if app.openapi_schema is None:
        document: dict[str, Any] = FastAPI.openapi(app)
        for methods in document["paths"].values():
            for operation in methods.values():
                responses = operation["responses"]
                # FastAPI adds an error for invalid values of its own shape, which this service never sends.
                responses.pop("422", None)
                for status in responses.keys() & PROBLEMS.keys():
                    responses[status]["content"] = {
                        MEDIA_TYPE: responses[status]["content"].pop("application/json")
                    }
        for unused in ("HTTPValidationError", "ValidationError"):
            document["components"]["schemas"].pop(unused, None)
    return app.openapi_schema or {}


def _document(status: int, name: str, detail: str, exit_code: int = 1) -> ProblemDocument:
    return ProblemDocument(
        type=f"urn:catalog:{name}",
        title=http.HTTPStatus(status).phrase,
        status=status,
        detail=in_one_line(detail),
        exit_code=exit_code,
    )


def _logged(error: Exception) -> str:
    """Write `error` to the log under a random mark, and return a sentence with the mark."""
    mark = secrets.token_hex(4)
    _log.error("error %s", mark, exc_info=error)
    return f"the service failed; its log says why under {mark}"


def _invalid(request: Request, error: RequestValidationError) -> str:
    """Return one sentence that names the value that was refused, and what is valid."""
    first = error.errors()[0]
    if first["type"] == "json_invalid":
        return f"the body is no JSON: {first['ctx']['error']} at character {first['loc'][-1]}"
    if first["loc"] == ("body",) and first["type"] == "model_attributes_type":
        return f"the body is {json.dumps(first['input'])[:60]}; send a JSON object"
    # A value that is of no type of a union is told once.
    problems = {place: {**one, "loc": place} for one in reversed(error.errors()) for place in [_place(one)]}
    body = getattr(request.scope.get("route"), "body_field", None)
    model = body.field_info.annotation if body is not None else None
    known = model if isinstance(model, type) and issubclass(model, BaseModel) else BaseModel
    return sentence_on([*reversed(problems.values())], known)


def _place(problem: dict[str, Any]) -> tuple[str | int, ...]:
    """Return where a value stands, without the part of the request and the type of a union that it was read as."""
    parts = [part for part in problem["loc"][1:] if part not in TYPES and "[" not in str(part)]
    return tuple(parts) or ("the body",)
