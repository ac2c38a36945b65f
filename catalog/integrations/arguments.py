"""The arguments of find-or-make that a language model fills in, in every framework alike, and the text it gets back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, create_model
from typing_extensions import TypedDict

from .. import report
from ..errors import InputError
from ..models import (
    Environment,
    Number,
    OneOrMore,
    QualityName,
    Result,
    StatedBrief,
    TimeOfDay,
    Use,
    WholeNumber,
    YesOrNo,
)
from ..reuse.music_certificate import Fit
from ..reuse.terms import Reach, Reuse
from ..service.service import MusicService
from ..validation import nearest, validated

__all__ = [
    "FindOrMakeArguments",
    "FixedArguments",
    "arguments_without",
    "check_fields",
    "result_text",
    "service_arguments",
    "tool_description",
]


class FindOrMakeArguments(BaseModel):
    """The arguments of find-or-make that a model fills in. Only the context is needed."""

    model_config = ConfigDict(extra="forbid")

    context: str = Field(
        description="The text that the music is for, word for word: an answer, a chunk, a scene. What it is about, "
        "its mood, place and time are read from it.",
    )
    query: str | None = Field(None, description="The question that the text answers.")
    application: str | None = Field(
        None,
        description="What the application is that shows the text, in a sentence; left out, as configured.",
    )
    preset: str | None = Field(
        None, description="Style preset; left out, the one that fits the text is picked."
    )
    role: str | None = Field(None, description="What the music is for; left out, it follows from the text.")
    quality: QualityName | None = Field(None, description="Quality tier; a higher one takes longer to make.")
    duration_s: Number | None = Field(None, description="Length in seconds.")
    loopable: YesOrNo | None = Field(None, description="Whether it must repeat without a seam.")
    environment: Environment | None = Field(None, description="Where it happens, when that is known.")
    time_of_day: TimeOfDay | None = Field(None, description="When it happens, when that is known.")
    mood_tags: Annotated[list[str], OneOrMore] | None = Field(
        None, description="Words for its mood, when they are known: calm, tense."
    )
    brief: StatedBrief | None = Field(
        None,
        description="Which music serves the text, by names of presets, when you can judge that; it decides the style.",
    )
    backend: str | None = Field(
        None,
        description="Who makes it: auto, mlx, procedural or an installed plugin; left out, as configured.",
    )
    license: Use | None = Field(
        None, description='"commercial" serves and makes only music that may be used commercially.'
    )
    seed: WholeNumber | None = Field(None, description="Seed of the generator, to make the same take again.")
    continue_from: str | None = Field(
        None,
        description="The id of a track to go on from, by MusicGen; duration_s counts what it lasts already.",
    )
    listener: str | None = Field(
        None,
        description="Who hears it; gets another fitting track than the one just heard.",
    )
    theme: str | None = Field(None, description="A name; requests with the same one keep their track.")
    takes: WholeNumber | None = Field(
        None, description="How many takes with different seeds to make; the best is kept."
    )
    retakes: WholeNumber | None = Field(None, description="How often to make again what fails the check.")
    keep_takes: YesOrNo | None = Field(
        None, description="Keep the other takes that pass the check, as variants of the best."
    )
    max_false_reuse: Number | None = Field(
        None,
        description="The share of reused tracks that may turn out not to fit, 0 to 1; less reuses less. 0.1 unless "
        "given.",
    )
    reach: Reach | None = Field(
        None,
        description='"music" reuses every track whose music serves the text, "scene" only those of the same scene.',
    )
    fit: Fit | None = Field(
        None,
        description='A track of another scene must be "passable", or one that more likely than not "fits".',
    )
    variety: WholeNumber | None = Field(
        None,
        description="Until so many tracks serve a text, some requests make another one; 1 for none.",
    )
    reuse: Reuse | None = Field(
        None,
        description='"auto" reuses a track that fits and else makes one, "always" never makes, "never" always makes.',
    )


class FixedArguments(TypedDict, total=False):
    """The arguments of find-or-make that an application fixes, so that the model does not see them."""

    query: str | None
    application: str | None
    preset: str | None
    role: str | None
    quality: QualityName | None
    duration_s: float | None
    loopable: bool | None
    environment: Environment | None
    time_of_day: TimeOfDay | None
    mood_tags: str | Sequence[str] | None
    brief: StatedBrief | Mapping[str, Any] | None
    backend: str | None
    license: Use | None
    seed: int | None
    continue_from: str | None
    listener: str | None
    theme: str | None
    takes: int | None
    retakes: int | None
    keep_takes: bool | None
    max_false_reuse: float | None
    reach: Reach | None
    fit: Fit | None
    variety: int | None
    reuse: Reuse


def check_fields(model: type[BaseModel], values: Any) -> Any:
    """Return the `values` that a component is built of. Raises ValueError for a name that is no field of `model`."""
    names = {field.alias or name for name, field in model.model_fields.items()} | model.model_fields.keys()
    for name in values if isinstance(values, Mapping) else ():
        if name not in names:
            raise ValueError(f"unknown field {name!r}; {nearest(str(name), model.model_fields)}")
    return values


def arguments_without(fixed: Mapping[str, Any]) -> type[BaseModel]:
    """Return `FindOrMakeArguments` without the arguments that the application fixes. Raises InputError."""
    for name in fixed:
        if name not in FindOrMakeArguments.model_fields or name == "context":
            valid = FindOrMakeArguments.model_fields.keys() - {"context"}
            raise InputError(f"{name!r} cannot be fixed; {nearest(name, valid)}")
    if not fixed:
        return FindOrMakeArguments
    left: dict[str, Any] = {
        name: (field.annotation, field)
        for name, field in FindOrMakeArguments.model_fields.items()
        if name not in fixed
    }
    return create_model(
        FindOrMakeArguments.__name__,
        __config__=FindOrMakeArguments.model_config,
        __doc__=FindOrMakeArguments.__doc__,
        **left,
    )


def service_arguments(
    model: type[BaseModel], values: Mapping[str, Any], fixed: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the arguments of `MusicService.find_or_make` from the values of a model. Raises InputError."""
    arguments = validated(model, values).model_dump(exclude_none=True)
    return {"text_context": arguments.pop("context"), **arguments, **fixed}


def tool_description(service: MusicService) -> str:
    """Return the description of the tool, with the names of the presets and roles."""
    library = service.library
    return (
        "Get music that fits a text: an earlier track of the catalog where one fits, else a new one, which can take "
        "from seconds to minutes. Returns what was done and why, and the path of the audio file. Give only what is "
        f"known; the rest is worked out from the text. Presets: {', '.join(library.styles)}. "
        f"Roles: {', '.join(library.roles)}."
    )


def result_text(result: Result) -> str:
    """Return the text that the model reads: what was done, every warning, and the file."""
    lines = [report.headline(result), *(f"note: {warning}" for warning in result.warnings)]
    return "\n".join([*lines, f"file: {result.path}"] if result.path else lines)
