"""Results, tracks and figures as lines of text and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from .errors import CatalogError
from .history.over_time import OverTime
from .history.requests import PastRequest
from .history.statistics import Statistics
from .models import IMPORTED, Candidate, Features, Hit, Result, StockPlan, Track
from .models.job import Job
from .presets import Library
from .reuse.certificate import Bound, Certificate
from .reuse.music_certificate import MusicCertificate
from .text.language import name_of

__all__ = [
    "certificate_lines",
    "duration",
    "entry",
    "explanation",
    "figures",
    "headline",
    "hits_json",
    "job_json",
    "line",
    "past_json",
    "past_line",
    "payload",
    "preset_rows",
    "result_json",
    "shown",
    "stock_json",
    "stock_lines",
    "track_json",
]


BAR_WIDTH = 20
_USUAL = ("whole_pieces", False)


def headline(result: Result) -> str:
    """Return one line: the action, the track and the reason."""
    track = result.track
    if track is None:
        return f"would make a new track: {result.reason}"
    return (
        f"{result.action}: {track.id}, {track.style}, {track.role}, {track.duration_s:g} s, "
        f"by {_maker(track)} ({result.reason})"
    )


def _maker(track: Track) -> str:
    """Return who made a track: the model, or of imported music the artist."""
    unknown = track.backend == IMPORTED and track.model == "unknown"
    return "an unknown artist" if unknown else track.model


def entry(result: Result) -> dict[str, Any]:
    """Return the values an application needs to show or play the track, as plain JSON."""
    track, path = result.track, result.path
    assert track is not None
    assert path is not None
    return {
        "action": result.action,
        "track_id": track.id,
        "path": str(path),
        "uri": path.resolve().as_uri(),
        "similarity": result.similarity,
        "reason": result.reason,
        "style": track.style,
        "role": track.role,
        "mood_tags": list(track.mood_tags),
        "duration_s": track.duration_s,
        "loopable": track.loopable,
        "backend": track.backend,
        "model": track.model,
        "weights_license": track.weights_license,
        "ai_generated": track.ai_generated,
        "request_id": result.request_id,
        "warnings": list(result.warnings),
    }


def explanation(result: Result) -> Iterator[str]:
    """Return lines: the features, the choices with their reasons, the prompt, and the score of every candidate."""
    request, decision = result.request, result.decision
    for name, value in request.features.model_dump(exclude={"sources", "confidences", "glossed"}).items():
        by = _reader_of(request.features, name) or "as it was read before"
        if name == "language" and request.features.glossed:
            by += "; the text was read word for word in English"
        yield f"{name}: {shown(value)}  [{by}]"
    if request.brief is not None:
        stated = request.brief.model_dump(exclude={"styles", "read_by"}, exclude_none=True)
        yield f"brief: {shown(stated)}  [{request.brief.read_by}]"
    for name, why in request.why.items():
        yield f"{name}: {getattr(request, name)}  [{why}]"
    yield f"prompt: {request.prompt}"
    if decision.filter:
        facts = decision.filter.model_dump(exclude_none=True)
        told = {name: value for name, value in facts.items() if value != () and (name, value) != _USUAL}
        yield f"hard facts: {shown(told)}"
    if by_facts := {name: count for name, count in decision.rejected_by.items() if name != "feedback"}:
        counts = ", ".join(f"{name} {count}" for name, count in by_facts.items())
        yield f"rejected by each hard fact alone, of {decision.considered} tracks: {counts}"
    if spared := decision.rejected_by.get("feedback"):
        yield f"left out, as somebody rejected them for this request or one near it: {spared}"
    if decision.rule != "exact":
        yield f"candidates: {len(decision.candidates)} of {decision.considered} tracks"
        if decision.rule in ("music", "growth"):
            yield f"chance to pass needed: {decision.threshold:.2f}  [certificate {decision.certificate}]"
        elif decision.certificate:
            yield f"probability needed: {decision.threshold:.2f}  [certificate {decision.certificate}]"
        elif decision.rule != "uncertified":
            yield f"score needed: {decision.threshold:.2f}"
    yield from map(_candidate, decision.candidates)


def certificate_lines(certificate: Certificate | MusicCertificate) -> Iterator[str]:
    """Return lines: the labels and the encoder of the certificate, and the threshold for each rate of false reuse."""
    if isinstance(certificate, Certificate):
        units, prevalence = f"{certificate.scenes} scenes", certificate.prevalence
    else:
        units, prevalence = f"{certificate.texts} texts or tracks", None
    yield f"certificate: {certificate.id}, made {certificate.made_at:%Y-%m-%d %H:%M} UTC"
    yield f"labels: {shown(certificate.source)}, sha256 {certificate.source_sha256[:12]}, {units}"
    glossed = certificate.glossed if isinstance(certificate, MusicCertificate) else None
    others = "others, but for those named below," if glossed else "others"
    yield f"languages: {', '.join(map(name_of, certificate.languages))}; in {others} only exact repeats are reused"
    yield f"encoder: {certificate.encoder}; texts read by {certificate.features}"
    if prevalence is not None:
        yield f"requests with a fitting track in the catalog: {prevalence:.0%}"
    yield f"each rate holds with confidence {1 - certificate.delta:.0%}, for requests like those of the labels:"
    yield from map(_bound_line, certificate.bounds)
    if glossed:
        yield (
            f"read word for word in English, {glossed.texts} texts in {', '.join(map(name_of, glossed.languages))}, "
            "mixed as in the labels:"
        )
        yield from map(_bound_line, glossed.bounds)


def _bound_line(bound: Bound) -> str:
    if bound.threshold is None:
        return f"  {bound.max_false_reuse:5.0%}  nothing certified: exact repeats only"
    hits = "" if bound.hits is None else f", hits {bound.hits:.0%}"
    return (
        f"  {bound.max_false_reuse:5.0%}  probability {bound.threshold:.2f} and above: "
        f"seen {bound.false_reuse:.1%}, at most {bound.upper_bound:.1%} "
        f"({bound.wrong} of {bound.scenes} scenes with a wrong reuse{hits})"
    )


def job_json(job: Job) -> dict[str, Any]:
    """Return a job as plain JSON; its result is that of `result_json` with the request and the decision."""
    result = job.result
    return {
        "id": job.id,
        "state": job.state,
        "progress": {"done": job.progress[0], "total": job.progress[1]} if job.progress else None,
        "created_at": job.created_at.isoformat(),
        "started_at": job.started_at.isoformat() if job.started_at else None,
        "finished_at": job.finished_at.isoformat() if job.finished_at else None,
        "requests": job.requests,
        "request": dict(job.request),
        "result": result_json(result, result.path, explain=True) if result else None,
        "error": _error_json(job.error) if job.error else None,
    }


def _error_json(error: Exception) -> dict[str, Any]:
    if isinstance(error, CatalogError):
        return {"type": type(error).__name__, "detail": str(error), "exit_code": error.exit_code}
    return {
        "type": "Failure",
        "detail": "the make failed unexpectedly; the service's log says why",
        "exit_code": 1,
    }


def line(track: Track) -> str:
    """Return one line of a list of tracks."""
    moods = ",".join(track.mood_tags)
    return (
        f"{track.id}  {track.created_at:%Y-%m-%d %H:%M}  {track.duration_s:6.1f}s  {track.style:22} "
        f"{track.role:15} {moods:24.24}  {track.name[:60]}"
    )


def past_line(one: PastRequest) -> str:
    """Return one line of the history: the time, the action, the judgement, and the query or topic."""
    record = one.record
    verdict = "rejected" if one.rejected else f"rated {one.rating}" if one.rating else ""
    return (
        f"{record.id}  {record.created_at:%Y-%m-%d %H:%M}  {record.action:9} {record.rule:15} {verdict:8}  "
        f"{record.style:22} {record.track_id or '-':16}  {shown(record.query or record.summary)[:70]}"
    )


def past_json(one: PastRequest) -> dict[str, Any]:
    """Return one line of the history as plain JSON: the fields of the record, relevance, rating and rejection."""
    judgement = one.model_dump(mode="json", exclude={"record"})
    return {**one.record.model_dump(mode="json"), **judgement}


def figures(statistics: Statistics) -> Iterator[str]:
    """Return the lines of the statistics."""
    apart = {"false_reuse", "by_style", "by_role", "checks", "over_time"}
    for name, value in statistics.model_dump(exclude=apart).items():
        yield f"{name}: {shown(value)}"
    wrong = statistics.false_reuse
    if wrong.rate is None:
        yield "false_reuse: unknown, no reuse was judged yet"
    else:
        yield (
            f"false_reuse: {wrong.rate:.1%} ({wrong.wrong} wrong of {wrong.judged} judged), "
            f"at most {wrong.upper_bound:.1%} with 95 % confidence"
        )
    for kind, shares in (("style", statistics.by_style), ("role", statistics.by_role)):
        for name, share in sorted(shares.items(), key=lambda item: (-item[1].requests, item[0])):
            yield f"{kind} {name}: {share.requests} requests, {share.reused} reused, {share.made} made"
    for name, check in statistics.checks.items():
        yield (
            f"check {name}: {check.share:.1%} failed ({check.failed} of {check.takes} takes), "
            f"{check.kept} kept all the same"
        )
    yield from _over_time(statistics.over_time)


def _over_time(served: OverTime) -> Iterator[str]:
    """Return a heading and a line a period with a bar for the share of requests served without making."""
    if served.periods:
        yield f"served without making, by {served.by} (UTC):"
    for period in served.periods:
        if period.share is None:
            yield f"  {period.start}  {'':{BAR_WIDTH}}  no requests"
            continue
        filled = round(BAR_WIDTH * period.share)
        bar = "█" * filled + "░" * (BAR_WIDTH - filled)
        saved = f"{period.reused} {'generation' if period.reused == 1 else 'generations'}"
        yield (
            f"  {period.start}  {bar} {period.share:4.0%}  {period.reused} of {period.reused + period.made} requests, "
            f"{saved} and {duration(period.saved_s)} saved"
        )


def stock_lines(plan: StockPlan) -> Iterator[str]:
    """Return lines: the corpus, a table of the planned tracks with what each adds, and what making them costs."""
    read = f"{plan.read:,} of them read" if plan.read < plan.texts else "all read"
    texts = f"{plan.texts:,} text{'' if plan.texts == 1 else 's'}"
    yield f"corpus: {texts}, {read}; the catalog serves {plan.covered_already / plan.read:.1%} already"
    if plan.tracks:
        yield f"{'':>3}  {'style':24} {'newly served':>12} {'served so far':>14}  made for"
    for number, one in enumerate(plan.tracks, start=1):
        there = f"  [there: {one.track_id}]" if one.track_id else ""
        fitter = "  [fits better]" if one.fit_gained and not one.newly_covered else ""
        yield (
            f"{number:3}  {one.style:24} {one.newly_covered:12,} {one.share:14.1%}  "
            f"{shown(one.place)}: {shown(one.summary)[:60]}{fitter}{there}"
        )
    yield from (f"note: {note}" for note in (plan.note, plan.languages) if note)
    if plan.missing:
        yield f"making {len(plan.missing)} of them takes about {duration(plan.cost_s)}"
    yield from (f"  {basis}" for basis in plan.cost_basis)


def stock_json(plan: StockPlan) -> dict[str, Any]:
    """Return a plan as plain JSON, without the texts of the corpus."""
    return plan.model_dump(mode="json", exclude={"tracks": {"__all__": {"context"}}})


def duration(seconds: float) -> str:
    """Return a number of seconds in words: "42 s", "3.5 min", "2.1 h"."""
    if seconds < 90:
        return f"{seconds:.3g} s"
    return f"{seconds / 60:.1f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def result_json(result: Result, path: Path | None, *, explain: bool = False) -> dict[str, Any]:
    """Return a result as plain JSON, with `explain` also its whole request and decision."""
    track, request = result.track, result.request
    values: dict[str, Any] = {
        "action": result.action,
        "id": track.id if track else None,
        "path": str(path) if path else None,
        "similarity": result.similarity,
        "score": result.decision.score,
        "reason": result.reason,
        "style": track.style if track else request.style,
        "role": track.role if track else request.role,
        "quality": track.quality if track else request.quality,
        "backend": track.backend if track else request.config["backend"],
        "seed": track.seed if track else None,
        "request_id": result.request_id,
        "warnings": list(result.warnings),
        "timings_s": result.timings_s,
        "track": track_json(track) if track else None,
    }
    if explain:
        values["request"] = request.model_dump(mode="json")
        values["decision"] = result.decision.model_dump(mode="json")
    return values


def payload(result: Result, path: Path | None) -> dict[str, Any]:
    """Return a result as JSON, with its request, its decision, its headline and the lines that explain it."""
    return {
        **result_json(result, path, explain=True),
        "headline": headline(result),
        "explanation": [*explanation(result)],
    }


def hits_json(hits: Sequence[Hit]) -> dict[str, Any]:
    """Return the hits of a search as plain JSON, with a line of text for each."""
    return {
        "hits": [
            {"score": round(hit.score, 4), "path": str(hit.path), **track_json(hit.track)} for hit in hits
        ],
        "lines": [f"{hit.score:6.3f}  {line(hit.track)}" for hit in hits],
    }


def track_json(track: Track) -> dict[str, Any]:
    """Return a track as plain JSON, without the long fields that only `catalog show` prints."""
    return track.model_dump(mode="json", exclude={"config", "config_sources", "context"})


def preset_rows(library: Library) -> list[dict[str, Any]]:
    """Return the style presets, roles and quality tiers as plain JSON values, each with its name and section."""
    sections = {"presets": library.styles, "roles": library.roles, "quality": library.quality}
    return [
        {"name": name, "section": section, **entry.model_dump(mode="json")}
        for section, entries in sections.items()
        for name, entry in entries.items()
    ]


def shown(value: Any) -> str:
    """Return a value as text for a terminal: a string with control characters escaped, anything else as JSON."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return "".join(sign if sign.isprintable() else f"\\x{ord(sign):02x}" for sign in text)


def _reader_of(features: Features, name: str) -> str:
    """Return how a feature was read, and the confidence: "heads, 0.71"."""
    source, sure = features.sources.get(name, ""), features.confidences.get(name)
    if source == "prototypes":
        source = "prototypes: no heads are fitted to this encoder"
    return source if sure is None or source == "caller" else f"{source}, {sure:.2f}"


def _candidate(one: Candidate) -> str:
    notes = dict.fromkeys((*one.against, *filter(None, (one.heard,))))
    against = f"  ({'; '.join(notes)})" if notes else ""
    scene = "" if one.probability is None else f"same scene and mood {one.probability:.3f}, "
    music = (
        ""
        if one.passes is None
        else f", music passes {one.passes:.3f}, fits {one.fits or 0:.3f}: {one.sounds}"
    )
    named = ("similarity", "mood_distance")
    others = "".join(
        f", {name.replace('_', ' ')} {x:.2f}" for name, x in one.evidence.items() if x and name not in named
    )
    return (
        f"  {'*' if one.admissible else ' '} {scene}score {one.score:.3f}, similarity {one.similarity:.3f}, "
        f"mood distance {one.mood_distance:.3f}{others}{music}  {one.track_id}  {one.style}  "
        f"{one.summary[:60]}{against}"
    )
