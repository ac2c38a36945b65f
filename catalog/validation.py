"""Check values from outside, and refuse a wrong one in one sentence with the nearest valid names."""

from __future__ import annotations

import collections.abc
import difflib
import functools
import inspect
import numbers
import re
import types
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence, Sized
from typing import Annotated, Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from pydantic import BaseModel, ValidationError
from typing_extensions import Unpack

from .errors import InputError

__all__ = [
    "Function",
    "Model",
    "check_type",
    "checked",
    "checked_but_keywords",
    "nearest",
    "sentence",
    "sentence_on",
    "spoken",
    "validated",
]


Model = TypeVar("Model", bound=BaseModel)
Function = TypeVar("Function", bound=Callable[..., Any])


def checked(function: Function) -> Function:
    """Make a function refuse arguments of another type than its annotations state, with InputError that names them.

    Texts, numbers, those of numpy too, collections, mappings, functions and classes are told apart; the function itself
    checks what else a value must be. A call with missing or unknown arguments raises TypeError, as ever.
    """

    return _checked(function, keywords=True)


def checked_but_keywords(function: Function) -> Function:
    """Do what `checked` does for a function whose further keywords a model checks, which names them better."""
    return _checked(function, keywords=False)


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


_QUOTED = r"'([^']*)'"
_PASS = {
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "dict_type": "a mapping",
    "finite_number": "a finite number",
    "float_parsing": "a number",
    "float_type": "a number",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "int_parsing_size": "a smaller number",
    "int_type": "a whole number",
    "list_type": "a list",
    "mapping_type": "a mapping",
    "model_attributes_type": "a mapping",
    "model_type": "a mapping",
    "string_type": "a text",
    "tuple_type": "a list",
}
"""What to pass where pydantic tells in words of its own what it could not do."""
_ID = "[a-z0-9]{12}"
_LIMITS = {
    "greater_than": ("more than", "gt"),
    "greater_than_equal": ("at least", "ge"),
    "less_than": ("less than", "lt"),
    "less_than_equal": ("at most", "le"),
}
"""How a limit is told, and under which name pydantic has it."""


def spoken(model: type[BaseModel]) -> str:
    """Return the name of `model` as words: "request record" of RequestRecord."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", model.__name__).lower()


def sentence(error: ValidationError, model: type[BaseModel]) -> str:
    """Return one sentence that names the refused value of `model`, and what is valid."""
    return sentence_on(error.errors(include_url=False), model)


def sentence_on(problems: Sequence[Mapping[str, Any]], model: type[BaseModel]) -> str:
    """Return what `sentence` does, of the problems that pydantic lists."""
    # A key that is not known says what went wrong; that another one is missing follows from it.
    problem, *others = sorted(problems, key=lambda one: one["type"] != "extra_forbidden")
    field = ".".join(str(part) for part in problem["loc"]) or spoken(model)
    if problem["type"] == "extra_forbidden":
        *place, name = problem["loc"]
        missing = [one for one in others if one["type"] == "missing" and [*one["loc"][:-1]] == place]
        others = [one for one in others if one not in missing]
        absent = " and ".join(str(one["loc"][-1]) for one in missing)
        told = f" ({absent} {'is' if len(missing) == 1 else 'are'} missing)" if missing else ""
        reason = f"unknown option {field!r}{told}; {nearest(str(name), _fields(model, place))}"
    elif problem["type"] == "missing":
        reason = f"{field} is missing"
    elif problem["type"] == "value_error":
        cause = str(problem["ctx"]["error"])
        reason = cause if field == "text" else f"{field} cannot be used: {cause}"
    elif problem["type"] == "literal_error" and isinstance(problem["input"], str):
        valid = re.findall(_QUOTED, problem["ctx"]["expected"])
        reason = f"{field} is {_short(problem['input'])}; {nearest(problem['input'], valid)}"
    elif problem["type"] in ("too_short", "string_too_short") and not problem["input"]:
        reason = f"{field} is empty"
    else:
        reason = f"{field} is {_short(problem['input'])}{_wanted(problem)}"
    return reason + (f" (and {len(others)} more)" if others else "")


def _wanted(problem: Mapping[str, Any]) -> str:
    """Return what is wanted in place of a value, in words that name no type of pydantic's."""
    kind, value, limits = problem["type"], problem["input"], problem.get("ctx", {})
    if kind in ("too_long", "string_too_long"):
        what = "characters" if isinstance(value, str) else "values"
        # A generator has no length, and pydantic stops counting where it is over the limit.
        count = f", {len(value):,} {what}" if isinstance(value, Sized) else ""
        return f"{count}; at most {limits['max_length']:,} are accepted"
    if kind == "string_pattern_mismatch" and _ID in limits["pattern"]:
        return ": pass the 12 small letters and digits of an id"
    if kind in _LIMITS:
        words, name = _LIMITS[kind]
        limit = limits[name]
        words = f"a number, {words}" if str(value).lower() == "nan" else words
        return f": pass {words} {limit:,}" if isinstance(limit, int) else f": pass {words} {limit:g}"
    if kind == "literal_error":
        return f": pass one of {', '.join(re.findall(_QUOTED, limits['expected']))}"
    if kind in _PASS:
        return f": pass {_PASS[kind]}"
    message = str(problem["msg"])
    return f": {message[:1].lower()}{message[1:]}"


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


# Types of arguments

_Kind = tuple[Callable[[Any], bool], str]
"""Whether a value is of a type, and how that is called in a sentence."""
_KINDS: Mapping[Any, _Kind] = {
    str: (lambda value: isinstance(value, str), "a text"),
    # True is 1 in Python, and as a rating the worst.
    int: (
        lambda value: isinstance(value, numbers.Integral) and not isinstance(value, bool),
        "a whole number",
    ),
    float: (
        lambda value: (
            isinstance(value, numbers.Real) and not isinstance(value, bool) and not _too_large(value)
        ),
        "a number",
    ),
    # "no" would count as true. Any other value is true or false.
    bool: (lambda value: not isinstance(value, str | bytes), "True or False"),
    bytes: (lambda value: isinstance(value, bytes | bytearray), "bytes"),
    types.NoneType: (lambda value: value is None, "None"),
    collections.abc.Callable: (callable, "a function"),
    collections.abc.Mapping: (lambda value: isinstance(value, Mapping), "a mapping"),
}
_COLLECTIONS = (list, tuple, collections.abc.Sequence, collections.abc.Collection, collections.abc.Iterable)


def check_type(name: str, hint: Any, value: Any) -> None:
    """Raise InputError for a value of another type than the annotation `hint`, naming the argument."""
    kinds = _kinds(hint)
    if kinds is not None and not any(fits(value) for fits, _ in kinds):
        raise InputError(f"{name} is {_short(value)}; pass {' or '.join(words for _, words in kinds)}")


def _too_large(value: numbers.Real) -> bool:
    try:
        float(value)
    except OverflowError:
        return True
    return False


def _checked(function: Function, *, keywords: bool) -> Function:
    @functools.wraps(function)
    def checking(*given: Any, **named: Any) -> Any:
        for name, hint, value in _arguments(function, given, named, keywords=keywords):
            check_type(name, hint, value)
        return function(*given, **named)

    return cast(Function, checking)


def _arguments(
    function: Callable[..., Any], given: tuple[Any, ...], named: Mapping[str, Any], *, keywords: bool
) -> Iterable[tuple[str, Any, Any]]:
    """Yield name, annotation and value of each argument of a call; nothing for one that does not fit the function.

    Further keywords count only with `keywords`.
    """
    signature, hints = _signature(function)
    try:
        bound = signature.bind(*given, **named).arguments
    except TypeError:
        return
    for name, value in bound.items():
        hint = hints.get(name)
        if signature.parameters[name].kind is not inspect.Parameter.VAR_KEYWORD:
            yield name, hint, value
            continue
        if not keywords:
            continue
        fields = get_type_hints(get_args(hint)[0]) if get_origin(hint) is Unpack else None
        yield from ((key, fields.get(key) if fields else hint, one) for key, one in value.items())


@functools.lru_cache(maxsize=256)
def _signature(function: Callable[..., Any]) -> tuple[inspect.Signature, dict[str, Any]]:
    return inspect.signature(function), get_type_hints(function)


def _kinds(hint: Any) -> list[_Kind] | None:
    """Return the types that an annotation allows; None where it allows any, or cannot be judged."""
    origin = get_origin(hint) or hint
    if origin in (Union, types.UnionType):
        members = [_kinds(member) for member in get_args(hint)]
        return None if None in members else [kind for member in members if member for kind in member]
    if origin is Literal:
        return [_KINDS[str]] if all(isinstance(one, str) for one in get_args(hint)) else None
    if origin is Annotated:
        return _kinds(get_args(hint)[0])
    if origin in _COLLECTIONS:
        return [_collection(get_args(hint))]
    if origin in _KINDS:
        return [_KINDS[origin]]
    # A protocol has no instances to tell.
    if not isinstance(origin, type) or origin in (Any, object) or getattr(origin, "_is_protocol", False):
        return None
    return [(lambda value: isinstance(value, origin), f"a {origin.__name__}")]


def _collection(arguments: tuple[Any, ...]) -> _Kind:
    of_texts = arguments[:1] == (str,)

    def fits(value: Any) -> bool:
        # A value of pydantic yields its fields.
        if isinstance(value, str | bytes | bytearray | BaseModel) or not isinstance(value, Iterable):
            return False
        return not (of_texts and isinstance(value, Collection)) or all(isinstance(one, str) for one in value)

    return fits, "a list of texts" if of_texts else "a list"
