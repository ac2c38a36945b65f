"""The configuration as strict, frozen pydantic models: one class per section under `musicgen:`.

Ranges are MusicGen's own where it has one: its codebooks hold 2,048 codes and its codec makes 50 frames a
second (Copet et al. 2023, "Simple and Controllable Music Generation").
"""

from __future__ import annotations

import json
import re
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from .errors import did_you_mean
from .vocabulary import ENVIRONMENTS, MOODS

__all__ = [
    "MAX_DURATION_S",
    "BackendSettings",
    "Check",
    "Configuration",
    "Defaults",
    "Ear",
    "Model",
    "Overrides",
    "PromptMetadata",
    "Reader",
    "Role",
    "RoleDucking",
    "Scrub",
    "Style",
    "Tier",
]

MAX_DURATION_S = 600.0
STRUCTURE = "intro, theme, outro"
"""What `append_structure: true` stands for."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")


def _line(text: str) -> str:
    """Return the text on one line; refuse control and direction characters, which break prompts and terminals."""
    if _CONTROL.search(text):
        raise ValueError("be text on one line without control characters")
    return " ".join(text.split())


def _words(value: Any) -> Any:
    """Return a list, or one text with commas, as a tuple of words."""
    if isinstance(value, str):
        value = [part for part in value.split(",") if part.strip()]
    return tuple(value) if isinstance(value, list) else value


def _structure(value: Any) -> Any:
    """Return true as the usual words, false and null as none, and a list or text as it is."""
    if value is None or isinstance(value, bool):
        return STRUCTURE if value else ""
    if isinstance(value, (list, tuple)) and all(isinstance(part, str) for part in value):
        return ", ".join(value)
    return value


def _mood(tag: str) -> str:
    if tag not in MOODS:
        raise ValueError(f"be a known mood; {did_you_mean(tag, MOODS)}")
    return tag


def _environment(name: str) -> str:
    if name not in ENVIRONMENTS:
        raise ValueError(f"be a known environment; {did_you_mean(name, ENVIRONMENTS)}")
    return name


def _language(code: str) -> str:
    if not re.fullmatch(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*", code):
        raise ValueError("be a language code such as en or pt-BR")
    return code


def _name(name: str) -> str:
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,63}", name):
        raise ValueError("be a name of at most 64 lower-case letters, digits, _ and -")
    return name


def _own_name(name: str) -> str:
    if name in ("auto", "mlx", "procedural", "imported"):
        raise ValueError("be another name; auto, mlx, procedural and imported are the catalog's own")
    return name


def _base_url(url: str) -> str:
    """Return an address without the slash at its end. It is printed and logged, so it may hold no secret.

    `plugin:NAME` stands for a reader that a plugin brings.
    """
    if re.fullmatch(r"plugin:[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", url):
        return url
    try:
        parts = urlsplit(url)
        whole = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        whole = False
    if not whole or " " in url:
        raise ValueError("be the address of a server, such as http://localhost:11434/v1")
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        raise ValueError("have no user name, password, query or fragment; name the key in api_key_env")
    return url.rstrip("/")


def _variable(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        raise ValueError(
            "be the name of an environment variable, such as OPENAI_API_KEY, never the key itself"
        )
    return name


def _plain(value: dict[str, Any]) -> dict[str, Any]:
    try:
        plain: dict[str, Any] = json.loads(json.dumps(value, allow_nan=False))
    except (TypeError, ValueError, RecursionError):
        raise ValueError("hold only text, finite numbers, true, false, null, lists and mappings") from None
    return plain


Line = Annotated[str, Field(max_length=500), AfterValidator(_line)]
Text = Annotated[Line, Field(min_length=1)]
Word = Annotated[str, Field(min_length=1, max_length=100), AfterValidator(_line)]
Words = Annotated[tuple[Word, ...], BeforeValidator(_words), Field(max_length=32)]
Moods = Annotated[
    tuple[Annotated[str, AfterValidator(_mood)], ...], BeforeValidator(_words), Field(max_length=32)
]
Structure = Annotated[Line, BeforeValidator(_structure)]
Language = Annotated[str, Field(max_length=35), AfterValidator(_language)]
Name = Annotated[str, AfterValidator(_name)]
OwnName = Annotated[Name, AfterValidator(_own_name)]
Synthesis = Annotated[dict[str, Any], AfterValidator(_plain)]

Size = Literal[
    "small",
    "medium",
    "large",
    "melody",
    "melody-large",
    "stereo-small",
    "stereo-medium",
    "stereo-large",
    "stereo-melody",
    "stereo-melody-large",
]
Backend = Annotated[str, AfterValidator(_name)]
"""`auto`, `mlx`, `procedural`, a name in `backends`, or that of a plugin; the catalog knows which there are."""
DurationRule = Literal["crop", "pad", "strict"]
Repetition = Literal["none", "low", "medium", "high"]
Dynamics = Literal["flat", "gentle", "building", "impact", "wide"]

Duration = Annotated[float, Field(gt=0, le=MAX_DURATION_S)]
Affect = Annotated[float, Field(ge=-1, le=1)]
TopK = Annotated[int, Field(ge=0, le=2048)]
TopP = Annotated[float, Field(ge=0, le=1)]
Temperature = Annotated[float, Field(ge=0, le=5)]
CfgCoef = Annotated[float, Field(ge=0, le=20)]
Channels = Annotated[int, Field(ge=1, le=2)]
Lufs = Annotated[float, Field(ge=-60, le=-5)]
Fade = Annotated[float, Field(ge=0, le=30)]
DuckingTime = Annotated[float, Field(ge=0, le=30)]
StepsPerSecond = Annotated[float, Field(gt=0, le=1000)]


class Strict(BaseModel):
    """Base of the sections: frozen, no unknown keys, no type coercion, finite numbers only."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Model(Strict):
    """Which weights and which generator."""

    size: Size
    backend: Backend


class Defaults(Strict):
    """Generation values that hold where no style, role, tier or caller sets them."""

    duration_s: Duration
    use_sampling: bool
    top_k: TopK
    """0 leaves top-k out."""
    top_p: TopP
    """0 leaves top-p out; above 0 it is used in place of top-k, as MusicGen does."""
    temperature: Temperature
    cfg_coef: CfgCoef
    negative_prompt: Line
    """Words for sounds that MusicGen avoids; empty for none."""
    two_step_cfg: bool
    normalize_duration: DurationRule
    loudness_normalization: bool
    channels: Channels


class PromptMetadata(Strict):
    """What stands around the words of style and context in the prompt."""

    prepend_tags: Words
    append_structure: Structure
    """Words on structure for the end of the prompt; empty for none."""
    language: Language


class Generation(Strict):
    """The generation values that a style, role or tier may set; None leaves them to the layer below."""

    duration_s: Duration | None = None
    use_sampling: bool | None = None
    top_k: TopK | None = None
    top_p: TopP | None = None
    temperature: Temperature | None = None
    cfg_coef: CfgCoef | None = None
    negative_prompt: Line | None = None
    two_step_cfg: bool | None = None
    normalize_duration: DurationRule | None = None
    loudness_normalization: bool | None = None
    channels: Channels | None = None


class Style(Generation):
    """How the music sounds and what it fits: an entry of `presets`, among which a context finds its style."""

    description: Text
    prompt_tags: Annotated[Words, Field(min_length=1)]
    valence: Affect = 0.0
    energy: Affect = 0.0
    moods: Moods = ()
    topics: Words = ()
    genres: Words = ()
    """What music files of this style name as their genre."""
    environment: Annotated[str, AfterValidator(_environment)] | None = None
    synthesis: Synthesis | None = None
    """Parameters of the procedural generator, passed on as they stand."""


class RoleDucking(Strict):
    """How music gives way to a voice over it: depth in dB, times in seconds."""

    depth_db: Annotated[float, Field(ge=0, le=60)] = 10.0
    """At the least; music that is loud under the voice goes deeper."""
    attack_s: DuckingTime = 0.25
    hold_s: DuckingTime = 0.35
    release_s: DuckingTime = 1.2


class Role(Generation):
    """What the music is for."""

    description: Text
    repetition: Repetition = "medium"
    dynamics: Dynamics = "gentle"
    loopable: bool = False
    loudness_lufs: Lufs = -18.0
    fade_in_s: Fade = 0.0
    fade_out_s: Fade = 0.0
    ducking: RoleDucking = RoleDucking()


class Tier(Generation):
    """How much work to put in: a quality tier."""

    description: Text
    model_size: Size | None = None
    """None leaves the size to `model.size`."""
    max_duration_s: Duration
    steps_per_second: StepsPerSecond = 50.0


class Reader(Strict):
    """The user's own language model, which reads the brief of a text: an OpenAI-compatible endpoint."""

    base_url: Annotated[Text, AfterValidator(_base_url)]
    """What stands before /chat/completions; or `plugin:NAME`."""
    model: Text
    api_key_env: Annotated[Line, AfterValidator(_variable)] | None = None
    """The environment variable that holds the key; None for a server that wants none."""
    timeout_s: Annotated[float, Field(gt=0, le=600)] = 20.0
    """How long reading one text may take, every attempt together."""
    temperature: Annotated[float, Field(ge=0, le=2)] | None = 0.0
    """None leaves it to the server, for models that take no temperature."""


class Scrub(Strict):
    """How a service reads everything that is stored, slowly, to find what a drive altered."""

    days: Annotated[float, Field(gt=0, le=365)] | None = 7.0
    """How long a pass over the whole catalog takes; None for no scrub."""
    most_mb_per_s: Annotated[float, Field(gt=0, le=10_000)] = 20.0
    """Audio that is read at most, in MB a second, where a pass is behind."""


class Ear(Strict):
    """What hears the music: a CLAP model, where one is on the machine."""

    model: Text = "clap"
    """A name that `catalog models pull` takes, a repository or a folder; "off" for none."""
    hear_made: Literal["background", "at_once", "off"] = "background"
    """When a track that is made is heard: after the call, in a process of its own; before the call returns; or not."""


class Check(Strict):
    """How often a track that fails the check after making is made again."""

    retakes: Annotated[int, Field(ge=0, le=5)] = 1
    time_share: Annotated[float, Field(ge=0, le=10)] = 1.0
    """All that is made again takes at most this share of the time that the making took at first."""


class BackendSettings(Strict):
    """A generator of the user's own: which plugin makes the music, and what that plugin is told."""

    model_config = ConfigDict(extra="allow")

    use: Name = ""
    """The name of the plugin; empty where it is that of the entry."""

    @model_validator(mode="after")
    def _of_plain_values(self) -> BackendSettings:
        _plain(self.settings)
        return self

    @property
    def settings(self) -> dict[str, Any]:
        """What the plugin is told: every key but `use`."""
        return dict(self.model_extra or {})


class Configuration(Strict):
    """Everything under `musicgen:`, merged."""

    model: Model
    backends: dict[OwnName, BackendSettings] = Field(default_factory=dict)
    defaults: Defaults
    prompt_metadata: PromptMetadata
    presets: dict[Name, Style] = Field(default_factory=dict)
    roles: dict[Name, Role]
    quality: dict[Literal["preview", "standard", "final"], Tier]
    reader: Reader | None = None
    application: Annotated[Text, Field(max_length=500)] | None = None
    scrub: Scrub = Scrub()
    ear: Ear = Ear()
    check: Check = Check()


class Overrides(Generation):
    """What a caller may set for one request; None leaves a value as it is."""

    size: Size | None = None
    backend: Backend | None = None
    repetition: Repetition | None = None
    dynamics: Dynamics | None = None
    loopable: bool | None = None
    loudness_lufs: Lufs | None = None
    fade_in_s: Fade | None = None
    fade_out_s: Fade | None = None
    prompt_tags: Words | None = None
    prepend_tags: Words | None = None
    append_structure: Structure | None = None
    language: Language | None = None
    synthesis: Synthesis | None = None
    seed: Annotated[int, Field(ge=0, lt=2**32)] | None = None
