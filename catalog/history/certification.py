"""Make a certificate from labels or from what people said of reused tracks, and write it into the home."""

from __future__ import annotations

from pathlib import Path

from ..errors import InputError
from ..generator import Progress
from ..reuse import certificate, music_certificate
from ..reuse.certificate import Certificate
from ..reuse.labels import read_labels
from ..reuse.music_certificate import MusicCertificate
from ..reuse.terms import MUSIC_RULES, SCENE_RULES
from ..store.store import Store
from ..text.encoder import Encoder

__all__ = ["certify"]


def certify(
    store: Store,
    encoder: Encoder,
    *,
    labels: Path | None = None,
    from_ratings: bool = False,
    music: bool = False,
    max_false_reuse: float | None = None,
    out: Path | None = None,
    on_progress: Progress | None = None,
) -> Certificate | MusicCertificate:
    """Make a certificate and write it to `out`, by default into the home of `store`; see `MusicService.calibrate`."""
    from ..reuse import calibration

    if labels is not None and from_ratings:
        raise InputError("a certificate comes from labels or from ratings; drop one of the two")
    rates = () if max_false_reuse is None else (certificate.checked_rate(max_false_reuse),)
    if music:
        if not from_ratings:
            raise InputError(
                "the decision on music is certified from ratings; pass from_ratings=True as well"
            )
        return _certify_music(store, encoder, rates, out)
    if from_ratings:
        standing = certificate.standing(store.home, encoder.identity)
        if standing.certificate is None:
            raise InputError(f"ratings cannot be used: {standing.note}; calibrate on labels first")
        made = calibration.calibrate_from_ratings(
            standing.certificate, store.judgements.list(), store.requests.list(rules=SCENE_RULES), rates=rates
        )
    else:
        made = calibration.calibrate(
            encoder,
            labels=read_labels(labels) if labels is not None else None,
            rates=rates,
            cache_dir=store.home / "cache",
            on_progress=on_progress,
        )
    certificate.save(made, out or store.home / certificate.CERTIFICATE)
    if out is None:
        store.share(certificate.CERTIFICATE)
    return made


def _certify_music(
    store: Store, encoder: Encoder, rates: tuple[float, ...], out: Path | None
) -> MusicCertificate:
    from ..reuse import calibration

    base = music_certificate.standing(store.home, encoder.identity)
    if base is None:
        raise InputError(
            f"no certificate for the decision on music counts for {encoder.identity}, so ratings cannot be used; "
            f"use the default encoder and its brief, or delete a damaged {music_certificate.OWN} from the home"
        )
    made = calibration.music_from_ratings(
        base, store.judgements.list(), store.requests.list(rules=MUSIC_RULES), rates=rates
    )
    music_certificate.save(made, out or store.home / music_certificate.OWN)
    if out is None:
        store.share(music_certificate.OWN)
    return made
