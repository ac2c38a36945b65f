"""Frozen values that travel between the stages: Context -> Features -> Request -> Decision -> Result."""

from __future__ import annotations

import hashlib
import unicodedata
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, FiniteFloat

__all__ = [
    "MAX_TEXT_BYTES",
    "Action",
    "Alternative",
    "Audience",
    "Candidate",
    "Choices",
    "Condition",
    "Context",
    "Decision",
    "Environment",
    "Features",
    "FieldName",
    "Filter",
    "Hit",
    "Judgement",
    "Match",
    "Page",
    "Period",
    "QualityName",
    "Request",
    "RequestRecord",
    "Result",
    "Source",
    "Span",
    "State",
    "TimeOfDay",
    "Track",
    "Value",
    "clean_line",
    "clean_text",
]

MAX_TEXT_BYTES = 1_000_000

Unit = Annotated[FiniteFloat, Field(ge=-1.0, le=1.0)]
Environment = Literal[
    "forest",
    "rain",
    "ocean",
    "city",
    "night",
    "cave",
    "desert",
    "tavern",
    "storm",
    "snow",
    "space",
    "fireside",
]
TimeOfDay = Literal["dawn", "morning", "day", "dusk", "evening", "night"]
Source = Literal["caller", "text", "heads", "prototypes", "encoder", "default"]
QualityName = Literal["preview", "standard", "final"]
Action = Literal["reused", "generated", "none"]
State = Literal["ready", "trashed"]
FieldName = Literal[
    "words",
    "mood",
    "tag",
    "style",
    "role",
    "quality",
    "environment",
    "time",
    "loop",
    "length",
    "tempo",
    "rating",
    "by",
    "model",
    "language",
    "made",
]
"""What a condition of a filter may be about; `filters` maps each to a column."""


_CONTROLS = {code: " " for code in (*range(32), *range(127, 160)) if chr(code) not in "\n\r\t\x00"}


def clean_text(text: str) -> str:
    """Return `text` normalised to NFC, control characters but line ends and tabs as spaces, outer white space gone.

    Raises ValueError when it is empty, holds NUL or lone surrogates, or is over 1 MB as UTF-8.
    """
    try:
        size = len(text.encode("utf-8"))
    except UnicodeEncodeError as error:
        raise ValueError(
            f"the text holds a lone surrogate at character {error.start}; pass valid Unicode"
        ) from None
    if size > MAX_TEXT_BYTES:
        raise ValueError(f"the text is {size:,} bytes; at most {MAX_TEXT_BYTES:,} are accepted")
    if "\x00" in text:
        raise ValueError("the text holds NUL characters, so it looks like binary data; pass plain text")
    cleaned = unicodedata.normalize("NFC", text.translate(_CONTROLS)).strip()
    if not cleaned:
        raise ValueError("the text is empty; pass at least one character")
    if not clean_line(cleaned):
        raise ValueError("the text holds control characters only; pass at least one that can be read")
    return cleaned


def clean_line(text: str) -> str:
    """Return `text` on one line: NFC, control characters and runs of white space folded to single spaces.

    Raises ValueError for lone surrogates.
    """
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise ValueError(
            f"it holds a lone surrogate at character {error.start}; pass valid Unicode"
        ) from None
    shown = (" " if unicodedata.category(sign) in ("Cc", "Cf", "Zl", "Zp") else sign for sign in text)
    return unicodedata.normalize("NFC", " ".join("".join(shown).split()))


Line = Annotated[str, AfterValidator(clean_line)]
Tag = Annotated[str, Field(min_length=1, max_length=60), AfterValidator(clean_line)]
Label = Annotated[str, AfterValidator(clean_line), Field(min_length=1, max_length=60)]
Name = Annotated[str, AfterValidator(clean_line), Field(max_length=200)]


class Value(BaseModel):
    """Base of the values here: frozen, strict about unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Context(Value):
    """What the application just said, with whatever its pipeline already knows about it.

    Everything but `text` is optional; a field that is given wins over what the text suggests.
    """

    text: Annotated[str, AfterValidator(clean_text)]
    query: Annotated[Line, Field(max_length=10_000)] = ""
    summary_of_topic: Annotated[Line, Field(max_length=2_000)] | None = None
    emotional_tone_description: Annotated[Line, Field(max_length=500)] | None = None
    valence: Unit | None = None
    energy: Unit | None = None
    mood_tags: Annotated[tuple[Tag, ...], Field(max_length=32)] | None = None
    environment: Environment | None = None
    time_of_day: TimeOfDay | None = None
    language: Annotated[Line, Field(max_length=35)] | None = None

    @property
    def sha256(self) -> str:
        """Return the hex digest of the cleaned text."""
        return hashlib.sha256(self.text.encode("utf-8")).hexdigest()


class Features(Value):
    """What the context is about and how it feels.

    `sources` tells where each field came from; `confidences` how far a reading may be trusted, 0 to 1, for the fields
    that can be wrong (`catalog.confidence`): 1 for what the caller gave, no entry where nothing was read.
    """

    summary_of_topic: Line
    emotional_tone_description: Line
    valence: Unit
    energy: Unit
    mood_tags: tuple[str, ...]
    environment: Environment | None = None
    time_of_day: TimeOfDay | None = None
    language: str = "und"
    sources: dict[str, Source] = Field(default_factory=dict)
    confidences: dict[str, float] = Field(default_factory=dict)


class Choices(Value):
    """What the caller asked for explicitly; None leaves the matter to the selection policy and presets."""

    preset: str | None = None
    role: str | None = None
    quality: QualityName | None = None
    backend: Literal["auto", "mlx", "procedural"] | None = None
    duration_s: float | None = None
    loopable: bool | None = None
    seed: int | None = Field(default=None, ge=0, lt=2**32)
    continue_from: str | None = None
    """The id of a track to go on from; its length counts in `duration_s`."""
    melody: str | None = None
    """The file of a recording whose melody is followed; once read, the sha256 of its samples."""
    generation: dict[str, Any] = Field(default_factory=dict)
    """Other generation values by their configuration name: top_k, cfg_coef, normalize_duration, ..."""


class Audience(Value):
    """For whom the music plays, and under which recurring theme; "" where the caller does not say."""

    listener: Name = ""
    theme: Name = ""


class Request(Value):
    """A context with every choice made: what to look for, and what to make when nothing fits."""

    key: str
    """Identity of the request: the same context, choices and configuration give the same key."""
    context: Context
    features: Features
    choices: Choices
    style: str
    role: str
    quality: QualityName
    why: dict[str, str]
    """For style, role and quality: the reason each was picked."""
    prompt: str
    config: dict[str, Any]
    """The merged generation configuration."""
    config_sources: dict[str, str]
    """For every key of `config`: the file, preset or caller that set it."""
    warnings: tuple[str, ...] = ()
    substitution: str = ""
    """What the backend stands in for, in words; "" when it is what was asked for."""


class Track(Value):
    """One track of the catalog: a row, and the file it points to."""

    id: str = Field(pattern=r"^[a-z0-9-]{1,64}$")
    created_at: datetime
    key: str
    context: str
    """The first 32,000 characters of the context it was made for; the hash covers all of it."""
    context_sha256: str
    query: str = ""
    summary: str
    tone: str
    prompt: str
    mood_tags: tuple[str, ...] = ()
    valence: Unit
    energy: Unit
    style: str
    role: str
    quality: QualityName
    environment: Environment | None = None
    time_of_day: TimeOfDay | None = None
    language: str = "und"
    duration_s: FiniteFloat = Field(gt=0)
    loopable: bool = False
    sample_rate: int = Field(gt=0)
    channels: int = Field(ge=1, le=2)
    tempo_bpm: FiniteFloat | None = None
    musical_key: str | None = None
    loudness_lufs: FiniteFloat | None = None
    """Integrated loudness (ITU-R BS.1770); None when the clip is silent."""
    true_peak_db: FiniteFloat | None = None
    """dBTP; None when the clip is silent."""
    backend: str
    model: str
    model_rank: int = Field(ge=0)
    weights_license: str
    ai_generated: bool = True
    seed: int
    config: dict[str, Any] = Field(default_factory=dict)
    config_sources: dict[str, str] = Field(default_factory=dict)
    versions: dict[str, str] = Field(default_factory=dict)
    audio_path: str
    """Relative to the home folder, with forward slashes."""
    audio_sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    audio_bytes: int = Field(gt=0)
    encoder: str
    """Identity of the encoder that made the row's vector."""
    generation_s: FiniteFloat = Field(default=0.0, ge=0)
    state: State = "ready"
    trashed_at: datetime | None = None
    rating: int | None = Field(default=None, ge=1, le=5)
    tags: Annotated[tuple[Label, ...], Field(max_length=64)] = ()
    """A person's own labels."""
    note: Annotated[Line, Field(max_length=2_000)] = ""
    """A person's own words about it."""
    seam: FiniteFloat | None = None
    """How unusual the join of the loop is; None where it was not measured."""
    variant_of: str | None = None
    """The id of the track this one was made beside, for the same request with another seed."""


class Span(Value):
    """Numbers from `low` to `high`, both within; None leaves an end open."""

    low: float | None = None
    high: float | None = None


class Period(Value):
    """Times from `since` until before `before`, each a time or how long ago; None leaves an end open."""

    since: datetime | timedelta | None = None
    before: datetime | timedelta | None = None


Alternative = bool | str | Span | Period | None
"""A value a fact may have; None stands for a fact that is not known."""


class Condition(Value):
    """One fact about a track: it has any of these values, or with `negated` none of them."""

    field: FieldName
    any_of: Annotated[tuple[Alternative, ...], Field(min_length=1)]
    negated: bool = False


class Filter(Value):
    """Hard facts a track must meet. None or an empty tuple leaves a fact open; all given facts must hold."""

    style: str | None = None
    role: str | None = None
    min_quality: QualityName | None = None
    min_model_rank: int | None = None
    environment: Environment | None = None
    time_of_day: TimeOfDay | None = None
    mood: tuple[str, ...] = ()
    """Every tag named must be on the track."""
    loopable: bool | None = None
    min_duration_s: float | None = None
    max_duration_s: float | None = None
    min_tempo_bpm: float | None = None
    max_tempo_bpm: float | None = None
    min_rating: int | None = None
    backend: str | None = None
    language: str | None = None
    state: State | None = "ready"
    conditions: tuple[Condition, ...] = ()
    """Further facts, all of which must hold; `query.parse` makes them of text."""


class Candidate(Value):
    """A track that met the hard facts, with how well it fits."""

    track_id: str
    style: str
    summary: str
    similarity: float
    """Cosine of the two context vectors."""
    mood_distance: float
    """0 for the same mood, 1 for the opposite one."""
    score: float
    """Similarity less what the differences in mood, place and time cost; comparable to the threshold."""
    against: tuple[str, ...] = ()
    """What speaks against it, in words."""
    refused: bool = False
    """The mood differs too much; no score makes up for that."""
    probability: float | None = None
    """That the music fits, from `evidence`; None where no weights are known for the encoder in use."""
    evidence: dict[str, float] = Field(default_factory=dict)
    """What the probability is worked out from."""
    admissible: bool = False
    """It may be served: it passes the rule that decided. Any choice among candidates stays inside these."""


class Decision(Value):
    """Whether to reuse, and why."""

    action: Literal["reuse", "make"]
    rule: Literal[
        "exact",
        "similar",
        "below_threshold",
        "uncertified",
        "no_candidate",
        "always",
        "never",
        "theme",
        "varied",
        "least_recent",
        "variant",
    ]
    """The last four are a choice for a listener among what may be served: see catalog/variety.py."""
    reason: str
    threshold: float
    track_id: str | None = None
    variant_of: str | None = None
    """The track beside which a variant is to be made."""
    similarity: float | None = None
    """Of the best candidate, reused or not; so is the score."""
    score: float | None = None
    probability: float | None = None
    certificate: str = ""
    """Id of the certificate whose threshold decided; "" when none did."""
    candidates: tuple[Candidate, ...] = ()
    filter: Filter | None = None
    considered: int = 0
    """Ready tracks in the table before the hard facts were applied."""
    rejected_by: dict[str, int] = Field(default_factory=dict)
    """How many ready tracks each hard fact alone rejects, and "feedback" how many near ones were left out, as somebody
    rejected them for this request or one near it; empty unless it was asked for."""


class Match(Value):
    """A track found for a request."""

    track: Track
    path: Path
    similarity: float | None
    decision: Decision
    request: Request

    @property
    def reason(self) -> str:
        """Say why this track was chosen."""
        return self.decision.reason


class Result(Value):
    """What a call gives back: the track, where its file is, and how it came about."""

    action: Action
    track: Track | None
    path: Path | None
    similarity: float | None
    """Cosine of the two contexts where a track is reused; None for a new one."""
    reason: str
    decision: Decision
    request: Request
    request_id: str
    warnings: tuple[str, ...] = ()
    timings_s: dict[str, float] = Field(default_factory=dict)


class RequestRecord(Value):
    """One line of the request log."""

    id: str
    created_at: datetime
    command: str
    key: str
    context_sha256: str
    query: str
    summary: str
    prompt: str
    style: str
    role: str
    quality: str
    action: Action
    rule: str
    reason: str
    similarity: float | None
    score: float | None
    threshold: float
    track_id: str | None
    backend: str
    choices: dict[str, Any]
    timings_s: dict[str, float]
    listener: Name = ""
    """Who heard it; "" where the caller did not say."""
    theme: Name = ""
    """The recurring theme it was asked for; "" for none."""
    probability: FiniteFloat | None = None
    """How likely the track was to fit, where a calibrated decision served or refused it."""
    features: Features | None = None
    """How the context was read, without who read it; None where a call ended before, and in earlier lines."""


class Mood(Value):
    """How a request felt."""

    valence: Unit
    energy: Unit
    mood_tags: tuple[str, ...] = ()


class Judgement(Value):
    """What a person said of a track, or of a track in answer to a request. The newest one counts."""

    id: str
    created_at: datetime
    verdict: Literal["rated", "rejected", "allowed"]
    """Rated with `rating`; rejected for the request; allowed takes a rejection back."""
    track_id: str
    request_id: str = ""
    """The call it answers; "" when the track was judged by itself."""
    key: str = ""
    """The request key of that call."""
    rating: int | None = Field(default=None, ge=1, le=5)
    """1 to 5; None takes a rating back."""
    mood: Mood | None = None
    """That of the call; None where it is not known."""


class Hit(Value):
    """One search result."""

    track: Track
    path: Path
    score: float
    """Cosine similarity for a search by meaning; for words or both, higher is better within one search only."""


class Page(Value):
    """A page of tracks that meet a query."""

    query: str
    """The query as it was understood; it reads back to the same one."""
    tracks: tuple[Track, ...]
    scores: dict[str, float]
    """By track id, where words were searched for; as for `Hit`."""
    total: int
    """How many tracks meet the query, this page or not."""
    facets: dict[str, dict[str, int]]
    """For mood, style, role, quality, environment, backend and rating: how many of all of them have each value, most
    frequent first; "none" for those without."""
