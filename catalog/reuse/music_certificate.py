"""The certificate for the decision on music: its weights, and which threshold holds which rate of wrong reuse.

`tests/benchmarks/catalog/fit_music.py` makes the shipped one from pairs of a text and a track that judges graded.
`catalog calibrate --from-ratings --music` makes a user's own from what people said of reused tracks. It expires with
another encoder, another fitted brief, or another way of reading texts. Then only tracks of the same scene are reused.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, FiniteFloat, ValidationError, field_validator

from ..brief.reader import MODEL_FILE, has_own
from ..disk.files import storing, write_file
from ..models import Value
from ..text import features
from . import serving
from .certificate import DELTA, Bound, Rate
from .languages import ENGLISH

__all__ = [
    "OWN",
    "SHIPPED",
    "Fit",
    "GlossedBounds",
    "MusicCertificate",
    "brief_digest",
    "identified",
    "save",
    "standing",
    "version",
]

OWN = "music-certificate.json"
"""The name of a user's own certificate in the home, which takes the place of the shipped one."""
SHIPPED = Path(__file__).with_name("music.json")
MAX_BYTES = 1_000_000
Fit = Literal["passable", "fits"]
"""What a reused track must be: one that nobody would object to and that may fit, or one that likely fits."""


class GlossedBounds(Value):
    """Thresholds for texts in other languages that are read word for word in English."""

    source_sha256: str
    """Of the graded pairs."""
    languages: Annotated[tuple[str, ...], Field(min_length=1)]
    """The codes of their languages. The bounds hold for texts of these mixed as in the pairs, not for each alone."""
    texts: int
    pairs: int
    bounds: tuple[Bound, ...]


class MusicCertificate(Value):
    """The weights of the decision on music, and the thresholds that hold a rate of wrong reuse."""

    id: str = ""
    made_at: AwareDatetime
    source: str
    """Where the graded pairs come from."""
    source_sha256: str
    encoder: str
    brief: str
    """Digest of the fitted brief, whose chances the weights read."""
    features: str
    languages: Annotated[tuple[str, ...], Field(min_length=1)] = ENGLISH
    """The codes of the languages that the texts are written in, and that the certificate holds for."""
    delta: Rate = DELTA
    texts: int
    """How many texts certified the bounds."""
    pairs: int
    weights: dict[str, FiniteFloat]
    """Of the numbers of the evidence, and "constant"."""
    step: FiniteFloat = Field(gt=0)
    """How much more it takes to fit than to pass."""
    leniency: dict[str, FiniteFloat]
    """How forgiving the judges were of each style; 0 for a style without graded pairs."""
    bounds: tuple[Bound, ...]
    """Thresholds on the chance to pass; wrong is a track that a listener would object to."""
    glossed: GlossedBounds | None = None
    """The same of texts that are read word for word in English; None where only English is certified."""

    @field_validator("weights")
    @classmethod
    def _every_weight_and_no_other(cls, weights: dict[str, float]) -> dict[str, float]:
        names = {"constant", *serving.NUMBERS}
        if weights.keys() != names:
            raise ValueError(
                f"the weights are {', '.join(sorted(weights))}; they must be {', '.join(sorted(names))}"
            )
        if turned := [name for name in serving.HURTS if weights[name] > 0]:
            raise ValueError(f"the weight {turned[0]!r} is above 0, and more of that never helps")
        return weights

    def at(self, max_false_reuse: float, *, glossed: bool = False) -> Bound | None:
        """Return the most lenient bound for at most `max_false_reuse`, None where nothing was certified for it.

        `glossed` asks for that of texts that are read word for word in English.
        """
        bounds = (self.glossed.bounds if self.glossed else ()) if glossed else self.bounds
        holding = [
            bound
            for bound in bounds
            if bound.threshold is not None and bound.max_false_reuse <= max_false_reuse + 1e-9
        ]
        return max(holding, key=lambda bound: bound.max_false_reuse, default=None)


def version() -> str:
    """Return the version of the way texts are read and music is compared."""
    return f"{features.VERSION}/{serving.VERSION}"


def brief_digest() -> str:
    """Return the first 16 hex digits of the sha256 of the fitted brief; "" where the file was left out."""
    return _digest(MODEL_FILE) if MODEL_FILE.is_file() else ""


def identified(certificate: MusicCertificate) -> MusicCertificate:
    """Return the certificate with the id that follows from its content."""
    # Left out where it says nothing, so that the ids of certificates from before it was there stay the same.
    unsaid = {"id"} if certificate.glossed else {"id", "glossed"}
    content = certificate.model_dump_json(exclude=unsaid)
    return certificate.model_copy(update={"id": hashlib.sha256(content.encode()).hexdigest()[:12]})


def standing(home: Path, encoder: str) -> MusicCertificate | None:
    """Return the certificate that counts in `home` for that encoder: the user's own, else the shipped one; else None.

    It holds for the shipped brief, so none counts beside the user's own brief in `home`. One that is damaged, changed
    by hand or expired counts for nothing, and then the shipped one does not step in for it.
    """
    own = home / OWN
    found = _read(own if own.exists() else SHIPPED)
    if found is None or (found.encoder, found.features) != (encoder, version()):
        return None
    return found if found.brief == brief_digest() and not has_own(encoder, home) else None


def save(certificate: MusicCertificate, path: Path) -> None:
    """Write the certificate whole or not at all. Raises StorageError."""
    with storing(f"the certificate cannot be written to {path}"):
        write_file(path, f"{certificate.model_dump_json(indent=1)}\n".encode(), point="certificate")


def _read(path: Path) -> MusicCertificate | None:
    try:
        stat = path.stat()
        return _parsed(path, stat.st_mtime_ns, stat.st_size)
    except OSError:
        return None


@lru_cache(maxsize=16)
def _parsed(path: Path, mtime_ns: int, size: int) -> MusicCertificate | None:
    del mtime_ns  # a file that was written anew is parsed anew
    if size > MAX_BYTES:
        return None
    try:
        found = MusicCertificate.model_validate_json(path.read_bytes())
    except ValidationError:
        return None
    return found if identified(found).id == found.id else None


@lru_cache(maxsize=1)
def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]
