"""The bodies of requests and responses, as models; the OpenAPI document is made of these."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema, create_model

from .. import report
from ..models import (
    IS_WHOLE,
    Action,
    Decision,
    Number,
    OneOrMore,
    Request,
    Result,
    StatedBrief,
    Track,
    Use,
    WholeNumber,
    YesOrNo,
)
from ..request.context import read_bytes
from ..reuse.music_certificate import Fit
from ..reuse.terms import Reach
from ..service.jobs import Job, job_json
from .problems import PATH, ProblemDocument, problem_from

__all__ = [
    "FindBody",
    "FindOrMakeBody",
    "FullTrackJson",
    "JobJson",
    "JobResponse",
    "JobsResponse",
    "ResultJson",
    "ResultResponse",
    "SearchBody",
    "SearchResponse",
    "TrackJson",
    "full_track_payload",
    "job_payload",
    "result_payload",
    "track_payload",
    "with_file_names",
]


SHOWN_CHARACTERS = 500
"""How many characters of a context a list of jobs repeats."""
LONG = ("config", "config_sources", "context")

TrackJson = create_model(
    "TrackJson",
    __doc__="A track, without the long fields.",
    **{name: (field.annotation, field) for name, field in Track.model_fields.items() if name not in LONG},  # type: ignore[call-overload]
)


class FullTrackJson(Track):
    """A track with all its fields, also how it was made."""


# Checked by the service, so that a mistake is told in the words of the library.
Brief = Annotated[dict[str, Any], WithJsonSchema(StatedBrief.model_json_schema())]


class FindOrMakeBody(BaseModel):
    """A request for music: the context, and the choices that the caller makes itself."""

    model_config = ConfigDict(extra="forbid")

    context: str | dict[str, Any] = Field(
        description="What the application just said: a text, or a payload with an answer, chunk, scene or text."
    )
    as_read: YesOrNo = Field(
        False,
        description="Read a text that is a JSON object with a text in it as a payload, as the command line does.",
    )
    preset: str | None = Field(None, description="Style preset; left out, it follows from the context.")
    role: str | None = Field(None, description="What the music is for.")
    quality: str | None = Field(None, description="Quality tier: preview, standard or final.")
    duration_s: Number | None = Field(None, description="Length in seconds.")
    loopable: YesOrNo | None = Field(None, description="Whether it must loop without a seam.")
    seed: WholeNumber | None = Field(None, description="Seed for the generator.")
    backend: str | None = Field(
        None, description="auto, mlx, procedural, or another name that GET /api/presets lists."
    )
    license: Use | None = Field(
        None, description="Serve and make only music that may be used so, by its licence."
    )
    continue_from: str | None = Field(None, description="The id of a track to go on from, by MusicGen.")
    generation: dict[str, Any] | None = Field(None, description="Other generation values by name.")
    query: str | None = Field(None, description="The question that the context answers.")
    application: str | None = Field(
        None, description="What the application is that shows the context, in a sentence; else as configured."
    )
    summary_of_topic: str | None = None
    emotional_tone_description: str | None = None
    valence: Number | None = Field(None, description="Pleasantness, -1 to 1, where the caller knows it.")
    energy: Number | None = Field(None, description="Energy, -1 to 1, where the caller knows it.")
    mood_tags: Annotated[list[str], OneOrMore] | None = None
    environment: str | None = None
    time_of_day: str | None = None
    language: str | None = None
    brief: Brief | None = Field(
        None, description="Which music would serve the text, where the caller knows; wins over every reader."
    )
    reuse: Literal["auto", "always", "never"] = "auto"
    min_similarity: Number | None = Field(None, description="The score a candidate needs.")
    max_false_reuse: Number | None = Field(
        None, description="The share of reused tracks that may turn out not to fit."
    )
    reach: Reach | None = Field(
        None,
        description="music reuses every track whose music serves the text, scene only those of the same scene.",
    )
    fit: Fit | None = Field(
        None, description="A track of another scene must be passable, or it fits more likely than not."
    )
    variety: WholeNumber | None = Field(
        None, description="Until so many tracks serve a text, some requests make another one; 1 for none."
    )
    listener: str | None = Field(
        None, description="Who listens; gets another fitting track than the ones heard lately."
    )
    theme: str | None = Field(None, description="A name; requests with the same one keep their track.")
    takes: WholeNumber | None = Field(
        None, description="How many takes with different seeds to make; the best is kept."
    )
    retakes: WholeNumber | None = Field(None, description="How often to make again what fails the check.")
    keep_takes: YesOrNo | None = Field(
        None, description="Keep the other takes that pass the check, as variants of the best."
    )
    explain: YesOrNo = Field(
        False, description="Also count what each hard fact rejects, as find always does."
    )
    dry_run: YesOrNo = Field(False, description="Decide and stop: make nothing.")

    @property
    def source(self) -> str | dict[str, Any]:
        """Return the context: the text or the payload."""
        if self.as_read and isinstance(self.context, str):
            return read_bytes(self.context.encode("utf-8", "surrogateescape"))
        return self.context

    def request(self) -> dict[str, Any]:
        """Return the choices that the caller made, as arguments of the service beside the context."""
        choices = self.model_dump(
            exclude={"context", "as_read", "explain", "reuse", "dry_run", "log"}, exclude_none=True
        )
        if not self.generation:
            choices.pop("generation", None)
        return choices


class FindBody(FindOrMakeBody):
    """A request for which nothing is made."""

    log: YesOrNo = Field(True, description="Leave a line in the log of requests; false for a preview.")


class ResultJson(BaseModel):
    """The result of a call, as the command line prints it with --json --explain."""

    model_config = ConfigDict(extra="allow")

    action: Action
    id: str | None
    path: str | None = Field(description="Only for callers who show the secret of the home.")
    similarity: float | None
    score: float | None
    reason: str
    style: str
    role: str
    quality: str
    backend: str
    seed: int | None
    request_id: str
    warnings: list[str]
    timings_s: dict[str, float]
    track: TrackJson | None  # type: ignore[valid-type]
    request: Request
    decision: Decision
    headline: str = Field(description="What was done and why, in one line.")
    explanation: list[str] = Field(description="Features, choices and candidates, line by line.")


class SearchBody(BaseModel):
    """A search."""

    model_config = ConfigDict(extra="forbid")

    query: str = Field(description="Words, phrases and facts, such as: calm mood:calm length:30..60.")
    by: Literal["meaning", "words", "both", "sound"] = "meaning"
    limit: Annotated[int, Field(ge=1, le=1000), IS_WHOLE] = 10
    facts: dict[str, Any] = Field(
        default_factory=dict, description="Further facts by the names of a filter's fields."
    )


class HitJson(TrackJson):  # type: ignore[misc,valid-type]
    """A hit of a search."""

    score: float
    path: str | None = Field(description="Only for callers who show the secret of the home.")


class SearchResponse(BaseModel):
    """The hits of a search, best first, and a line of text for each."""

    hits: list[HitJson]
    lines: list[str]


class ResultResponse(BaseModel):
    """A result."""

    result: ResultJson


class JobProgress(BaseModel):
    """How far a generator is, in steps."""

    done: int
    total: int


class JobJson(BaseModel):
    """A make in the queue, or a story or mix."""

    id: str
    state: Literal["queued", "running", "done", "failed", "cancelled"]
    progress: JobProgress | None
    position: int = Field(description="How many jobs run before this one.")
    created_at: str
    started_at: str | None
    finished_at: str | None
    requests: int = Field(description="How many requests wait for it.")
    request: dict[str, Any]
    result: ResultJson | None
    outcome: dict[str, Any] | None = Field(description="Of a story or a mix: its id, and what to say of it.")
    error: ProblemDocument | None


class JobResponse(BaseModel):
    """A job."""

    job: JobJson


class JobsResponse(BaseModel):
    """The jobs that are remembered, newest first."""

    jobs: list[JobJson]
    waiting: int
    limit: int


def result_payload(result: Result, *, trusted: bool) -> dict[str, Any]:
    """Return a result as JSON; its path only for a `trusted` caller."""
    payload = report.payload(result, result.path if trusted else None)
    if not trusted:
        payload["request"]["config_sources"] = with_file_names(payload["request"]["config_sources"])
    return payload


def job_payload(job: Job, *, position: int = 0, trusted: bool, short: bool = False) -> dict[str, Any]:
    """Return a job as JSON; with `short` a long context is cut."""
    payload = job_json(job)
    if short and isinstance(context := payload["request"].get("context"), str):
        payload["request"]["context"] = context[:SHOWN_CHARACTERS]
    payload["position"] = position
    payload["outcome"] = dict(job.outcome) if job.outcome else None
    payload["result"] = result_payload(job.result, trusted=trusted) if job.result else None
    payload["error"] = problem_from(job.error, trusted=trusted).model_dump() if job.error else None
    return payload


def track_payload(track: Track) -> dict[str, Any]:
    """Return a track as JSON without its long fields."""
    return report.track_json(track)


def full_track_payload(track: Track, *, trusted: bool) -> dict[str, Any]:
    """Return a track as JSON with all its fields."""
    payload = track.model_dump(mode="json")
    if not trusted:
        payload["config_sources"] = with_file_names(payload["config_sources"])
    return payload


def with_file_names(sources: dict[str, str]) -> dict[str, str]:
    """Return the sources of configuration values with the names of files in place of their paths."""
    return {
        key: PATH.sub(lambda path: path.group().rpartition("/")[2], source) for key, source in sources.items()
    }
