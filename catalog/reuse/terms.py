"""The terms of one reuse decision: whether reuse is allowed, and how sure it must be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal, get_args

from typing_extensions import TypedDict

from ..errors import InputError
from ..models import Brief, Features, RequestRecord
from ..validation import nearest
from . import languages
from .certificate import MAX_FALSE_REUSE, Bound, Certificate, Standing, checked_rate
from .music_certificate import Fit, MusicCertificate
from .serving import Chances

__all__ = [
    "BY_HAND",
    "CHOSEN",
    "CHOSEN_MUSIC",
    "MUSIC_RULES",
    "SCENE_RULES",
    "VARIETY",
    "Reach",
    "Reuse",
    "TermArguments",
    "Terms",
    "checked_terms",
]


Reuse = Literal["auto", "always", "never"]
Reach = Literal["music", "scene"]
"""Which tracks may be reused: every one whose music serves the text, or only those of the same scene."""
CHOSEN, CHOSEN_MUSIC = "chosen", "chosen_music"
"""Rules of a track that a person chose or turned down, measured as one of the same scene or by its music."""
BY_HAND = (CHOSEN, CHOSEN_MUSIC)
SCENE_RULES, MUSIC_RULES = ("similar", CHOSEN), ("music", CHOSEN_MUSIC)
"""Rules whose lines state the chance that the scene is the same, and the chance that the music passes."""
VARIETY = 12
"""Until so many different tracks serve a text, some requests make another one. With 12 the most played track had under
5 % of the plays in a stream of 1,629 texts: see docs/REUSE.md."""
LEAST_FIT: dict[Fit, float] = {"passable": 0.25, "fits": 0.5}
"""The chance to fit that a track must have beside the chance to pass. By default one that hardly fits is not reused;
"fits" reuses what fits more likely than not."""
MOST_VARIETY = 20
"""As many tracks as a search weighs."""


class TermArguments(TypedDict, total=False):
    """The keyword arguments that state the terms of a call; None leaves one to its default."""

    reuse: Reuse
    min_similarity: float | None
    max_false_reuse: float | None
    reach: Reach | None
    fit: Fit | None
    variety: int | None


@dataclass(frozen=True)
class Terms:
    """The terms of a decision: the caller's wishes, and the certificate that counts."""

    reuse: Reuse = "auto"
    min_similarity: float | None = None
    """The score a candidate needs. Where it is set, it takes the place of the certificate."""
    max_false_reuse: float = MAX_FALSE_REUSE
    certificate: Certificate | None = None
    note: str = ""
    """Why no certificate counts."""
    uncovered: str = ""
    """Why the certificate does not hold for the language of the text; "" where it does."""
    music_uncovered: str = ""
    """The same of the certificate for the decision on music."""
    glossed: bool = False
    """Whether the text is read word for word in English, and the bounds for such texts hold for its language."""
    music: MusicCertificate | None = None
    """The certificate for the decision on music; None where none counts for the encoder in use."""
    reach: Reach = "music"
    fit: Fit = "passable"
    """What a track of another scene must be."""
    variety: int = VARIETY

    def for_text(self, features: Features, brief: Brief | None = None) -> Terms:
        """Return the terms for a text with these features: no threshold where no certificate knows its language.

        A text that is read word for word in English has thresholds of its own for the decision on music. They hold
        where the built-in model read the `brief`, which nobody else reads so.
        """
        if self.by_score or self.certificate is None:
            return self
        spoken, music = features.language, self.music
        uncovered = languages.uncovered(self.certificate.languages, spoken)
        in_music = languages.uncovered(music.languages, spoken) if music else uncovered
        known = music.glossed.languages if music and music.glossed else ()
        as_glossed = features.glossed and (brief is None or brief.read_by == "built-in")
        glossed = bool(in_music) and as_glossed and languages.covers(known, spoken)
        return replace(
            self, uncovered=uncovered, music_uncovered="" if glossed else in_music, glossed=glossed
        )

    @property
    def by_score(self) -> bool:
        """Whether the score decides rather than the probability."""
        return self.min_similarity is not None

    # What follows from the terms is asked of every candidate, so it is worked out once.

    @cached_property
    def bound(self) -> Bound | None:
        """The bound of the certificate for `max_false_reuse`; None without one, and in another language."""
        if self.certificate is None or self.uncovered:
            return None
        return self.certificate.at(self.max_false_reuse)

    @cached_property
    def threshold(self) -> float | None:
        """The score or probability that a candidate must reach; None where nothing is reused."""
        return self.min_similarity if self.by_score else self.bound.threshold if self.bound else None

    @cached_property
    def music_threshold(self) -> float | None:
        """The chance that a track of another scene must reach; None where only the same scene is reused."""
        if self.reach == "scene" or self.by_score or self.music_uncovered:
            return None
        if self.certificate is None or self.music is None:
            return None
        bound = self.music.at(self.max_false_reuse, glossed=self.glossed)
        return bound.threshold if bound else None

    def serves(self, chances: Chances | None) -> bool:
        """Return whether a track with these chances would be reused for a text of another scene."""
        if (threshold := self.music_threshold) is None or chances is None or chances.passes < threshold:
            return False
        return chances.fits >= self.least_fit

    @property
    def least_fit(self) -> float:
        """The chance to fit that a track of another scene must have."""
        return LEAST_FIT[self.fit]

    @property
    def uncertified(self) -> str:
        """Why there is no threshold, and what the caller can do."""
        if self.certificate is None:
            return (
                f"{self.note or 'no certificate is there'}; run `catalog calibrate`, or pass min_similarity"
            )
        if self.uncovered and self.glossed and self.music and self.music.glossed and self.reach == "music":
            return _held(
                self.max_false_reuse, self.music.glossed.bounds, " in texts read word for word in English"
            )
        if self.uncovered:
            return self.uncovered
        return _held(self.max_false_reuse, self.certificate.bounds)

    def stands(self, line: RequestRecord) -> bool:
        """Return whether a close match in the log would be reused again.

        Its probability counts where it was served after the certificate in use was made. Its score counts only under
        the same minimum, since the line does not hold the mood distance.
        """
        if line.rule == "music":
            return self._stands_by_music(line)
        if self.min_similarity is not None:
            same = abs(line.threshold - self.min_similarity) < 1e-6
        else:
            same = self.certificate is not None and line.created_at >= self.certificate.made_at
        terms = self.for_text(line.features) if line.features else self
        return same and terms.reached(line.score, line.probability)

    def _stands_by_music(self, line: RequestRecord) -> bool:
        # The line holds the chance to pass alone, so a wish for more is decided anew.
        if self.fit == "fits" or self.music is None or line.probability is None:
            return False
        terms = self.for_text(line.features) if line.features else self
        threshold = terms.music_threshold
        if threshold is None or line.created_at < self.music.made_at:
            return False
        return abs(line.threshold - threshold) < 1e-6 and line.probability >= threshold

    def reached(self, score: float | None, probability: float | None) -> bool:
        """Return whether a track with this score, or this probability of fitting, would be reused."""
        value = score if self.by_score else probability
        return self.threshold is not None and value is not None and value >= self.threshold


def _held(rate: float, bounds: Sequence[Bound], where: str = "") -> str:
    """Return that no threshold holds the rate, and what the caller can do."""
    held = f"no threshold holds {100 * rate:g}% of false reuse{where}"
    rates = [bound.max_false_reuse for bound in bounds if bound.threshold is not None]
    if not rates:
        return f"{held}; calibrate on more labels, or pass min_similarity"
    # Nothing that a catalog is calibrated on moves the bounds for texts that are read word for word.
    labels = "" if where else ", or calibrate on more labels"
    return f"{held}; pass max_false_reuse={min(rates):g}, which one does hold{labels}"


def checked_terms(
    standing: Standing,
    reuse: Reuse,
    min_similarity: float | None,
    max_false_reuse: float | None,
    *,
    music: MusicCertificate | None = None,
    reach: Reach | None = None,
    fit: Fit | None = None,
    variety: int | None = None,
) -> Terms:
    """Return the terms of a call under the certificates that count. Raises InputError for a value out of range."""
    if reuse not in get_args(Reuse):
        raise InputError(f"reuse {reuse!r} is not known; {nearest(reuse, get_args(Reuse))}")
    if min_similarity is not None and not -1.0 <= min_similarity <= 1.0:
        raise InputError(f"the minimum similarity is {min_similarity:g}; it lies between -1 and 1")
    rate = checked_rate(MAX_FALSE_REUSE if max_false_reuse is None else max_false_reuse)
    for name, value, known in (("reach", reach, Reach), ("fit", fit, Fit)):
        if value is not None and value not in get_args(known):
            raise InputError(f"{name} {value!r} is not known; {nearest(value, get_args(known))}")
    if variety is not None and not 1 <= variety <= MOST_VARIETY:
        raise InputError(f"variety is {variety}; it lies between 1 and {MOST_VARIETY}")
    return Terms(
        reuse,
        min_similarity,
        rate,
        standing.certificate,
        standing.note,
        music=music,
        reach=reach or "music",
        fit=fit or "passable",
        variety=VARIETY if variety is None else variety,
    )
