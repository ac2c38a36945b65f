"""The certificate: which threshold holds which rate of false reuse, on what labels, for which encoder and features.

One is shipped for the shipped encoder. A user's own, which `catalog calibrate` writes into the home, takes its place.
A certificate expires with another encoder, another way of reading texts, or other shipped labels. Then only exact
repeats are reused until `catalog calibrate` makes a new one.
"""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache
from pathlib import Path
from typing import Annotated

from pydantic import AwareDatetime, Field, FiniteFloat, ValidationError, field_validator
from pydantic_core import ErrorDetails

from ..disk.files import storing, write_file
from ..errors import InputError
from ..models import Value
from ..text import features
from . import evidence
from .labels import shipped_sha256
from .languages import ENGLISH

__all__ = [
    "CERTIFICATE",
    "DELTA",
    "MAX_FALSE_REUSE",
    "Bound",
    "Certificate",
    "Standing",
    "identified",
    "save",
    "shipped_for",
    "standing",
    "version",
]


CERTIFICATE = "certificate.json"
"""The name of a user's own certificate in the home, and of the shipped one in this package."""
SHIPPED = Path(__file__).with_name(CERTIFICATE)
DELTA = 0.05
MAX_FALSE_REUSE = 0.10
"""The share of reused tracks that may turn out not to fit, unless the caller says otherwise."""
MAX_BYTES = 1_000_000

Rate = Annotated[FiniteFloat, Field(gt=0.0, lt=1.0)]
Share = Annotated[FiniteFloat, Field(ge=0.0, le=1.0)]
WEIGHTS = ("topic", *evidence.TOPIC, "mood", *evidence.MOOD)
"""The names of the weights: two intercepts, "topic" and "mood", and the numbers of the evidence."""


class Bound(Value):
    """The threshold that was certified for one rate of false reuse, and the evidence for it."""

    max_false_reuse: Rate
    """The rate: the share of reuses that do not fit, each scene weighing the same."""
    threshold: Share | None
    """The probability a candidate needs; None where nothing could be certified."""
    scenes: int = 0
    """Scenes in which anything is reused at the threshold: the units of the bound."""
    wrong: int = 0
    """Those of them in which a track that does not fit could be served."""
    false_reuse: Share | None = None
    """The rate in the trials: the mean, over the scenes, of the share of a scene's reuses that do not fit."""
    upper_bound: Share | None = None
    """The rate is below this with confidence 1 - delta."""
    hits: Share | None = None
    """The share of trial requests with a fitting track in the catalog that reused it."""


class Certificate(Value):
    """The weights of the decision, and the thresholds that hold a rate of false reuse with confidence 1 - delta."""

    id: str = ""
    made_at: AwareDatetime
    source: str
    """Where the labels come from."""
    source_sha256: str
    shipped_sha256: str
    """Digest of the shipped labels, on which the weights were fitted."""
    encoder: str
    features: str
    languages: Annotated[tuple[str, ...], Field(min_length=1)] = ENGLISH
    """The codes of the languages that the labels are written in, and that the certificate holds for."""
    delta: Rate = DELTA
    prevalence: Share | None = None
    """The share of trial requests for which the catalog held a fitting track; None for judged pairs and ratings."""
    scenes: int
    """How many scenes were in the trials."""
    weights: dict[str, FiniteFloat]
    bounds: tuple[Bound, ...]

    @field_validator("weights")
    @classmethod
    def _every_weight_and_no_other(cls, weights: dict[str, float]) -> dict[str, float]:
        if missing := [name for name in WEIGHTS if name not in weights]:
            raise ValueError(f"the weight {missing[0]!r} is missing")
        if unknown := sorted(weights.keys() - {*WEIGHTS}):
            raise ValueError(f"the weight {unknown[0]!r} is not known; there are {', '.join(WEIGHTS)}")
        if turned := [name for name in WEIGHTS if name in evidence.HURTS and weights[name] > 0]:
            raise ValueError(f"the weight {turned[0]!r} is above 0, and more of that never helps")
        return weights

    def at(self, max_false_reuse: float) -> Bound | None:
        """Return the most lenient bound for at most `max_false_reuse`, None where nothing was certified for it."""
        fitting = [
            bound
            for bound in self.bounds
            if bound.threshold is not None and bound.max_false_reuse <= max_false_reuse + 1e-9
        ]
        return max(fitting, key=lambda bound: bound.max_false_reuse, default=None)


class Standing(Value):
    """The certificate that counts for a home and an encoder, or why there is none."""

    certificate: Certificate | None
    note: str = ""
    """Why a certificate that is there does not count; "" where the user's own or the shipped one does."""


def version() -> str:
    """Return the version of the way texts are read and compared."""
    return f"{features.VERSION}/{evidence.VERSION}"


def identified(certificate: Certificate) -> Certificate:
    """Return the certificate with the id that follows from its content."""
    # Left out where it says nothing new, so that the ids of certificates from before it was stated stay the same.
    unsaid = {"id", "languages"} if certificate.languages == ENGLISH else {"id"}
    content = certificate.model_dump_json(exclude=unsaid)
    return certificate.model_copy(update={"id": hashlib.sha256(content.encode()).hexdigest()[:12]})


def standing(home: Path, encoder: str) -> Standing:
    """Return the certificate that counts in `home` for `encoder`: the user's own, else the shipped one."""
    path = home / CERTIFICATE
    if path.exists():
        own = _read(path)
        if isinstance(own, str):
            return Standing(certificate=None, note=own)
        if expired := _expired(own, encoder):
            return Standing(
                certificate=None, note=f"the certificate {own.id} in this home has expired: {expired}"
            )
        return Standing(certificate=own)
    shipped = _read(SHIPPED)
    if isinstance(shipped, str):
        return Standing(certificate=None, note=shipped)
    if expired := _expired(shipped, encoder):
        return Standing(certificate=None, note=f"no certificate counts here: {expired}")
    return Standing(certificate=shipped)


def shipped_for(encoder: str) -> Certificate | None:
    """Return the shipped certificate where it counts for `encoder`."""
    shipped = _read(SHIPPED)
    return None if isinstance(shipped, str) or _expired(shipped, encoder) else shipped


def save(certificate: Certificate, path: Path) -> None:
    """Write the certificate whole or not at all. Raises StorageError."""
    text = json.dumps(certificate.model_dump(mode="json"), ensure_ascii=False, indent=2) + "\n"
    with storing(f"the certificate cannot be written to {path}"):
        write_file(path, text.encode("utf-8"), point="certificate")


def checked_rate(rate: float) -> float:
    """Return `rate`. Raises InputError unless it lies between 0 and 1."""
    if not 0.0 < rate < 1.0:
        raise InputError(f"the rate of false reuse is {rate:g}; it lies between 0 and 1, say 0.1")
    return rate


def _read(path: Path) -> Certificate | str:
    """Return the certificate in `path`, or why it cannot be used. A file is parsed once for a time and size."""
    try:
        stat = path.stat()
        return _parsed(path, stat.st_mtime_ns, stat.st_size)
    except OSError as error:
        return f"the certificate {path} cannot be read: {error.strerror}"


@lru_cache(maxsize=16)
def _parsed(path: Path, mtime_ns: int, size: int) -> Certificate | str:
    del mtime_ns  # a file that was written anew is parsed anew
    if size > MAX_BYTES:
        return f"the certificate {path} is too large to be one"
    try:
        certificate = Certificate.model_validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        return f"the certificate {path} is damaged: {where + ': ' if where else ''}{_problem(first)}"
    if identified(certificate).id != certificate.id:
        return (
            f"the certificate {path} was changed after it was made: its id does not follow from its content"
        )
    return certificate


def _problem(error: ErrorDetails) -> str:
    """Return the message of an error without the prefix that pydantic adds to a validator's own."""
    return error["msg"].removeprefix("Value error, ")


def _expired(certificate: Certificate, encoder: str) -> str:
    """Return why the certificate does not count any more, "" where it does."""
    for what, made_with, now in (
        ("encoder", certificate.encoder, encoder),
        ("way texts are read", certificate.features, version()),
        ("shipped label set", certificate.shipped_sha256[:12], shipped_sha256()[:12]),
    ):
        if made_with != now:
            return f"it was made with the {what} {made_with}, and now it is {now}"
    return ""
