"""Check values from outside, and refuse a wrong one in one sentence with the nearest valid names."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from .errors import InputError

__all__ = ["Model", "nearest", "sentence", "validated"]


Model = TypeVar("Model", bound=BaseModel)


def validated(model: type[Model], values: Mapping[str, Any]) -> Model:
    """Return `values` as a `model`. Raises InputError with one sentence."""
    try:
        return model.model_validate(dict(values))
    except ValidationError as error:
        raise InputError(sentence(error, model)) from None


def nearest(name: str, valid: Iterable[str]) -> str:
    """Return the clause that names the valid words, the closest first: "did you mean ...? valid: ...".

    `presets.errors.did_you_mean` is a second one on purpose: configuration has hundreds of names, too many to list.
    """
    names = sorted(valid)
    close = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    listed = f"valid: {', '.join(names)}"
    return f"did you mean {' or '.join(close)}? {listed}" if close else listed


def sentence(error: ValidationError, model: type[BaseModel]) -> str:
    """Return one sentence that names the refused value of `model`, and what is valid."""
    problem, *others = error.errors(include_url=False)
    field = ".".join(str(part) for part in problem["loc"]) or model.__name__.lower()
    if problem["type"] == "extra_forbidden":
        reason = f"unknown option {field!r}; {nearest(str(problem['loc'][-1]), _fields(model, problem['loc'][:-1]))}"
    elif problem["type"] == "missing":
        reason = f"{field} is missing"
    elif problem["type"] == "value_error":
        cause = str(problem["ctx"]["error"])
        reason = cause if field == "text" else f"{field} cannot be used: {cause}"
    else:
        reason = f"{field} is {_short(problem['input'])}: {problem['msg'][:1].lower()}{problem['msg'][1:]}"
    return reason + (f" (and {len(others)} more)" if others else "")


def _fields(model: type[BaseModel], place: Sequence[Any]) -> Iterable[str]:
    """Return the names of the fields at `place`: those of `model`, or of a model that one of its fields holds."""
    names: Mapping[str, Any] = model.model_fields
    for part in place:
        annotation = names[part].annotation if part in names else None
        inner = (one for one in (annotation, *get_args(annotation)) if hasattr(one, "model_fields"))
        names = next((one.model_fields for one in inner), model.model_fields)
    return names


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
