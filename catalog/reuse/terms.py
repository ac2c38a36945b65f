"""The terms of one reuse decision: whether reuse is allowed, and how sure it must be."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, get_args

from ..errors import InputError
from ..models import Candidate, RequestRecord
from ..validation import nearest
from . import languages
from .certificate import MAX_FALSE_REUSE, Bound, Certificate, Standing, checked_rate

__all__ = ["Reuse", "Terms", "checked_terms"]


Reuse = Literal["auto", "always", "never"]


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

    def for_language(self, spoken: str) -> Terms:
        """Return the terms for a text in the language `spoken`: no threshold where the certificate knows none of it."""
        if self.by_score or self.certificate is None:
            return self
        return replace(self, uncovered=languages.uncovered(self.certificate.languages, spoken))

    @property
    def by_score(self) -> bool:
        """Whether the score decides rather than the probability."""
        return self.min_similarity is not None

    @property
    def bound(self) -> Bound | None:
        """The bound of the certificate for `max_false_reuse`; None without one, and in another language."""
        if self.certificate is None or self.uncovered:
            return None
        return self.certificate.at(self.max_false_reuse)

    @property
    def threshold(self) -> float | None:
        """The score or probability that a candidate must reach; None where nothing is reused."""
        return self.min_similarity if self.by_score else self.bound.threshold if self.bound else None

    @property
    def uncertified(self) -> str:
        """Why there is no threshold, and what the caller can do."""
        if self.certificate is None:
            return (
                f"{self.note or 'no certificate is there'}; run `catalog calibrate`, or pass min_similarity"
            )
        if self.uncovered:
            return self.uncovered
        held = f"no threshold holds {100 * self.max_false_reuse:g}% of false reuse"
        rates = [bound.max_false_reuse for bound in self.certificate.bounds if bound.threshold is not None]
        if not rates:
            return f"{held}; calibrate on more labels, or pass min_similarity"
        return (
            f"{held}; pass max_false_reuse={min(rates):g}, which one does hold, or calibrate on more labels"
        )

    def worth(self, candidate: Candidate) -> float:
        """Return the number that candidates are ranked by: the score or the probability."""
        if self.by_score or candidate.probability is None:
            return candidate.score
        return candidate.probability

    def stands(self, line: RequestRecord) -> bool:
        """Return whether a close match in the log would be reused again.

        Its probability counts where it was served after the certificate in use was made. Its score counts only under
        the same minimum, since the line does not hold the mood distance.
        """
        if self.min_similarity is not None:
            same = abs(line.threshold - self.min_similarity) < 1e-6
        else:
            same = self.certificate is not None and line.created_at >= self.certificate.made_at
        terms = self.for_language(line.features.language) if line.features else self
        return same and terms.reached(line.score, line.probability)

    def reached(self, score: float | None, probability: float | None) -> bool:
        """Return whether a track with this score, or this probability of fitting, would be reused."""
        value = score if self.by_score else probability
        return self.threshold is not None and value is not None and value >= self.threshold


def checked_terms(
    standing: Standing, reuse: Reuse, min_similarity: float | None, max_false_reuse: float | None
) -> Terms:
    """Return the terms of a call under the certificate that counts. Raises InputError for a value out of range."""
    if reuse not in get_args(Reuse):
        raise InputError(f"reuse {reuse!r} is not known; {nearest(reuse, get_args(Reuse))}")
    if min_similarity is not None and not -1.0 <= min_similarity <= 1.0:
        raise InputError(f"the minimum similarity is {min_similarity:g}; it lies between -1 and 1")
    rate = checked_rate(MAX_FALSE_REUSE if max_false_reuse is None else max_false_reuse)
    return Terms(reuse, min_similarity, rate, standing.certificate, standing.note)
