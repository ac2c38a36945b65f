"""Arguments of the wrong type are refused in one sentence that names them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal, TypedDict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field
from typing_extensions import Unpack

from music_catalog import CatalogError
from music_catalog.errors import InputError
from music_catalog.models import Context
from music_catalog.validation import checked, validated


class Changes(TypedDict, total=False):
    rating: int | None
    tags: Sequence[str]


@checked
def call(
    text: str = "",
    count: int = 0,
    share: float | None = None,
    way: Literal["a", "b"] = "a",
    when: datetime | None = None,
    path: str | Path = "",
    tags: Collection[str] = (),
    some: Iterable[Any] = (),
    names: Mapping[str, Any] | None = None,
    told: Callable[[int], None] | None = None,
    anything: Any = None,
    flag: bool = False,
    **changes: Unpack[Changes],
) -> str:
    """Return the name of the last argument."""
    return "done"


@pytest.mark.parametrize(
    "arguments",
    [
        {"text": "x", "count": np.int64(3), "share": np.float32(0.5), "path": Path("x")},
        {"share": 1, "way": "c", "tags": ["a"], "some": iter([1]), "names": {}, "told": print},
        {"share": None, "tags": {"a"}, "anything": object(), "flag": 1, "rating": None},
    ],
)
def test_values_of_the_stated_types_pass(arguments):
    assert call(**arguments) == "done"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"text": 5}, "text is 5; pass a text"),
        ({"text": b"x"}, "text is b'x'; pass a text"),
        ({"count": 1.5}, "count is 1.5; pass a whole number"),
        ({"count": "3"}, "count is '3'; pass a whole number"),
        ({"share": "much"}, "share is 'much'; pass a number or None"),
        ({"share": 10**400}, "; pass a number or None"),
        ({"share": True}, "share is True; pass a number or None"),
        ({"rating": True}, "rating is True; pass a whole number or None"),
        ({"flag": "no"}, "flag is 'no'; pass True or False"),
        ({"way": ["a"]}, "way is ['a']; pass a text"),
        ({"when": "today"}, "when is 'today'; pass a datetime or None"),
        ({"path": 3}, "path is 3; pass a text or a Path"),
        ({"tags": "calm"}, "tags is 'calm'; pass a list of texts"),
        ({"tags": [1]}, "tags is [1]; pass a list of texts"),
        ({"some": 3}, "some is 3; pass a list"),
        ({"names": []}, "names is []; pass a mapping or None"),
        ({"told": 3}, "told is 3; pass a function or None"),
        ({"rating": "5"}, "rating is '5'; pass a whole number or None"),
        ({"tags": None}, "tags is None; pass a list of texts"),
    ],
)
def test_a_value_of_another_type_is_refused_by_name(arguments, words):
    with pytest.raises(InputError) as refusal:
        call(**arguments)
    assert str(refusal.value).endswith(words)


def test_a_call_that_does_not_fit_is_an_error_of_python():
    with pytest.raises(TypeError):
        call("a", text="b")
    with pytest.raises(TypeError):
        checked(lambda first: first)()


def test_a_checked_function_looks_like_itself():
    assert call.__doc__ == "Return the name of the last argument."
    assert [*inspect.signature(call).parameters][:2] == ["text", "count"]


ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.just(10**400),
    st.floats(),
    st.complex_numbers(),
    st.text(max_size=8),
    st.just("\ud800"),
    st.binary(max_size=8),
    st.dates(),
    st.datetimes(),
    st.lists(st.one_of(st.integers(), st.text(max_size=3)), max_size=2),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
    st.sets(st.integers(), max_size=2),
    st.sampled_from([object(), int, len, ..., slice(1), range(3)]),
)
CALLS: dict[str, tuple[str, ...]] = {
    "search": ("text", "by", "limit", "style", "mood", "min_rating"),
    "browse": ("query", "by", "sort", "limit", "offset", "min_tempo_bpm"),
    "similar": ("track_id", "by", "limit", "role"),
    "rate": ("track_id", "rating", "request_id"),
    "reject": ("track_id", "request_id", "undo"),
    "history": ("text", "by", "limit", "since", "style"),
    "suggest_presets": ("query", "limit"),
    "statistics": ("by",),
    "find": (
        "text_context",
        "min_similarity",
        "max_false_reuse",
        "reach",
        "fit",
        "variety",
        "generation",
        "seed",
    ),
    "explain": ("text_context", "reuse", "duration_s", "mood_tags", "brief", "listener", "quality"),
    "key_of": ("text_context", "preset", "role", "backend", "melody", "continue_from", "valence"),
    "attach_soundtrack": ("answer_payload",),
    "again": ("track_id",),
    "scene": ("chunk", "environment", "time_of_day", "duration_s", "generation"),
    "plan_stock": ("corpus", "tracks", "column", "sample"),
}
FIRST = {"rate": {"rating": 3}, "plan_stock": {"tracks": 1}, "scene": {"dry_run": True}}


@pytest.fixture(scope="module")
def catalog_of_one(tmp_path_factory):
    from fakes import WordHashEncoder

    from music_catalog import MusicService

    home = tmp_path_factory.mktemp("homes") / "home"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CATALOG_MODELS", str(home.parent / "no-models"))
        with MusicService.open(home, encoder=WordHashEncoder()) as service:
            service.find_or_make("Calm rain.", duration_s=1.0, quality="preview", backend="procedural")
            yield service


def test_values_of_a_wrong_type_are_refused_by_their_name(catalog_of_one):
    (track,) = catalog_of_one.store.tracks.list()
    with pytest.raises(InputError, match=r"data is 'abc'; pass bytes"):
        catalog_of_one.add_bytes("abc", "x.mp3")
    with pytest.raises(InputError, match=r"track_ids is .*; pass a list of texts"):
        catalog_of_one.collections.create("A", track)
    with pytest.raises(InputError, match=r"result is 'x'; pass a Result"):
        catalog_of_one.next_time("x")
    with pytest.raises(InputError, match=r"unknown option 'style'; did you mean preset\b"):
        catalog_of_one.explain("Calm rain.", style="sad_piano")


@pytest.mark.parametrize("name", CALLS)
@given(data=st.data())
@settings(max_examples=25, deadline=None)
def test_an_odd_argument_is_answered_or_refused_in_one_sentence(catalog_of_one, name, data):
    (first, *others), arguments = CALLS[name], {**FIRST.get(name, {})}
    valid = catalog_of_one.store.tracks.list()[0].id if first == "track_id" else "calm rain"
    arguments[first] = data.draw(ODD if data.draw(st.booleans(), first) else st.just(valid), first)
    for other in data.draw(st.lists(st.sampled_from(others), unique=True, max_size=2)) if others else ():
        arguments[other] = data.draw(ODD, other)
    if name in ("again", "attach_soundtrack") and arguments[first] == valid:
        return
    told = "an answer"
    try:
        getattr(catalog_of_one, name)(**arguments)
    except CatalogError as error:
        told = str(error)
    assert told
    assert "\n" not in told


def test_a_melody_with_a_line_break_in_its_name_is_refused_in_one_line(catalog_of_one):
    with pytest.raises(CatalogError, match=r"cannot read a\\nb: No such file"):
        catalog_of_one.key_of("calm rain", melody="a\nb")


@pytest.mark.parametrize("stated", [{"mood_tags": 100}, {"brief": {"fits": 100}}])
def test_too_many_values_of_a_generator_are_refused_without_a_count(stated):
    def some(value):
        return ("calm" for _ in range(value)) if isinstance(value, int) else {"fits": some(value["fits"])}

    with pytest.raises(InputError, match=r"^[a-z_.]+ is <generator [^,]*; at most \d+ are accepted"):
        validated(Context, {"text": "rain", **{name: some(value) for name, value in stated.items()}})


class Asked(BaseModel):
    start_s: Annotated[float, Field(le=86_400)] = 0.0
    collection: Annotated[str, Field(pattern=r"^([a-z0-9]{12})?$")] = ""


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"start_s": float("nan")}, "start_s is nan: pass a number, at most 86400"),
        ({"start_s": 86_401}, "start_s is 86401: pass at most 86400"),
        ({"collection": "nope"}, "collection is 'nope': pass the 12 small letters and digits of an id"),
    ],
)
def test_a_value_that_is_no_number_or_no_id_is_told_what_to_pass(asked, told):
    with pytest.raises(InputError) as refused:
        validated(Asked, asked)
    assert str(refused.value) == told
