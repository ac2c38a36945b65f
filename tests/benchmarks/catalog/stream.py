"""A stream of distinct real texts through the reuse decision: how much is served without making, and by how few tracks.

    python tests/benchmarks/catalog/stream.py --eval-dir DIR | --applications [--texts 2000] [--cache FILE]
        [--judge FILE] [--hear]

Texts of public sets and authored ones, none twice and none that the brief was fitted to, come in random order to a
catalog that begins empty.
Each is decided as `find_or_make` would: the tracks nearest by text and those nearest by music are weighed, and a miss
adds a track. No audio is made. Printed for each rule: the share served without making (all, and from the 500th text
on), the tracks made, the share of plays of the most played track, and the mean chances to fit and to pass of what was
served from the 500th text on. Rivals: only tracks of the same scene, and the
nearest text by cosine however near. `--judge` writes served pairs for judges, who grade them by music_fit/PAIRS.md.
`--applications` takes texts that applications show, nothing fitted to them either, each told what its application is.
`--hear` renders 12 s of each track by the synthesizer and measures it, and prints how the default rule decides with
what is heard, and how many of its answers differ.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from brief_readings import Reading, Told
from brief_readings import read_all as read_texts
from brief_texts import applications_of
from music_labels import _public, read_applications, read_labels

from music_catalog import presets
from music_catalog.brief import vectors
from music_catalog.brief.reader import load, read_brief
from music_catalog.generator import ProceduralGenerator
from music_catalog.generator.audio import analysis
from music_catalog.hearing.measuring import measured
from music_catalog.models import Choices, Context, Measured, Request, Track
from music_catalog.request.builder import build, key_of
from music_catalog.reuse import certificate, music_certificate
from music_catalog.reuse.decision import decide
from music_catalog.reuse.facts import hard_facts
from music_catalog.reuse.terms import Terms
from music_catalog.search.filters import meets
from music_catalog.text import encoder

SETS = {
    "twowiki_corpus": 0.2,
    "nq_oracle": 0.2,
    "fairytaleqa": 0.2,
    "light_rooms": 0.1,
    "emobank": 0.15,
    "goemotions": 0.1,
    "xquad_en": 0.05,
}
"""Public sets by their share of the stream, beside the texts written for the labels."""
AUTHORED = 0.4
CANDIDATES = 20
SETTLED = 500
SHORTEST = 40


@dataclass
class Shelf:
    """The tracks that the stream has made so far."""

    tracks: list[Track] = field(default_factory=list)
    texts: list[NDArray[np.float32]] = field(default_factory=list)
    briefs: list[NDArray[np.float32]] = field(default_factory=list)

    def near(self, request: Request, vector: Any, brief: Any) -> list[tuple[Track, float]]:
        """Return the candidates that the flow would weigh, each with the cosine of its text."""
        facts = hard_facts(request)
        fit = [place for place, track in enumerate(self.tracks) if meets(track, facts)]
        if not fit:
            return []
        cosines = np.stack([self.texts[place] for place in fit]) @ vector
        music = np.stack([self.briefs[place] for place in fit]) @ brief
        chosen = {*np.argsort(-cosines)[:CANDIDATES].tolist(), *np.argsort(-music)[:CANDIDATES].tolist()}
        return [(self.tracks[fit[place]], float(cosines[place])) for place in chosen]

    def add(self, track: Track, vector: Any, brief: Any) -> None:
        self.tracks.append(track)
        self.texts.append(vector)
        self.briefs.append(brief)


@dataclass(frozen=True)
class Served:
    """What one text of the stream got."""

    text: str
    request: Request
    rule: str
    track: Track | None
    chances: tuple[float, float] | None
    """That the music of the track fits, and that it passes; None without a track."""


def texts_of(eval_dir: Path, count: int) -> list[str]:
    """Return `count` distinct texts in random order, none of which the brief was fitted to."""
    draw = random.Random(20261129)
    total = sum(SETS.values()) + AUTHORED
    labelled = read_labels(eval_dir)
    fitted_to = {row["text"].strip() for row in labelled if "part" not in row}
    authored = [row["text"] for row in labelled if "part" in row and "set" not in row and row["lang"] == "en"]
    texts = draw.sample(authored, min(len(authored), round(count * AUTHORED / total)))
    for name, share in SETS.items():
        public = {text.strip() for text in _public(eval_dir, name).values()} - fitted_to
        rows = sorted(text for text in public if len(text) >= SHORTEST)
        texts += draw.sample(rows, min(len(rows), round(count * share / total)))
    distinct = list(dict.fromkeys(texts))
    draw.shuffle(distinct)
    return distinct[:count]


def texts_of_applications(count: int) -> list[Told]:
    """Return `count` English texts that applications show, in random order, none of which the brief was fitted to."""
    rows = [row for row in read_applications() if row["part"] not in ("fitted", "languages")]
    draw = random.Random(20261129)
    return [Told(row["text"], row["application"]) for row in draw.sample(rows, min(count, len(rows)))]


def read_requests(
    texts: Sequence[str | Told], readings: list[Reading], reader: encoder.Encoder, library: Any
) -> list[Request]:
    """Return the request of each text, as a call of `find_or_make` builds it."""
    requests = []
    described = applications_of([text._asdict() for text in texts if isinstance(text, Told)], reader)
    for text, reading in zip(texts, readings, strict=True):
        said, application = text if isinstance(text, Told) else (text, None)
        context, read = Context(text=said, application=application), reading.features
        told = described.get(application or "")
        brief = read_brief(*reading.to_brief(), library.styles, reader, application=told)
        assert brief is not None
        brief = brief.model_copy(update={"application": application})
        key = key_of(context, Choices(), library, {})
        requests.append(
            build(context, read, Choices(), library, key=key, find_weights=lambda _: None, brief=brief)
        )
    return requests


def run(
    requests: list[Request],
    searched_by: list[NDArray[np.float32]],
    terms: Terms,
    reader: encoder.Encoder,
    library: Any,
    *,
    hear: bool = False,
) -> list[Served]:
    """Send the requests through the decision, one after the other, from an empty catalog.

    `searched_by` are the vectors of the texts alone.
    """
    model = load(reader.identity)
    assert model is not None
    shelf, served = Shelf(), []
    for request, vector in zip(requests, searched_by, strict=True):
        assert request.brief is not None
        wanted = vectors.request_vector(model, request.brief, request.key)
        hits = shelf.near(request, vector, wanted)
        decision = decide(request, hits, terms, styles=library.styles)
        track = next((track for track, _ in hits if track.id == decision.track_id), None)
        if track is None:
            made = made_for(request, reader, len(shelf.tracks))
            if hear:
                made = made.model_copy(update={"measured": heard(request)})
            brief = vectors.track_vector(
                model,
                library.styles[made.style],
                made.style,
                valence=made.valence,
                energy=made.energy,
                track_id=made.id,
                encoder=reader,
            )
            shelf.add(made, vector, brief)
        chosen = next((one for one in decision.candidates if track and one.track_id == track.id), None)
        chances = (chosen.fits or 0.0, chosen.passes or 0.0) if chosen else None
        served.append(Served(request.context.text, request, decision.rule, track, chances))
    return served


def made_for(request: Request, reader: encoder.Encoder, number: int) -> Track:
    """Return the track that a miss would add; its audio is not made."""
    features = request.features
    return Track(
        id=f"t{number:05d}",
        created_at=datetime.now(timezone.utc),
        key=request.key,
        context=request.context.text[:32_000],
        context_sha256=request.context.sha256,
        summary=features.summary_of_topic,
        tone=features.emotional_tone_description,
        prompt=request.prompt,
        mood_tags=features.mood_tags,
        valence=features.valence,
        energy=features.energy,
        style=request.style,
        role=request.role,
        quality=request.quality,
        environment=features.environment,
        time_of_day=features.time_of_day,
        language=features.language,
        duration_s=float(request.config["duration_s"]),
        loopable=bool(request.config["loopable"]),
        sample_rate=32_000,
        channels=1,
        backend="procedural",
        model="none",
        model_rank=0,
        weights_license="none",
        seed=0,
        audio_path="none",
        audio_sha256="0" * 64,
        audio_bytes=1,
        encoder=reader.identity,
        generation_s=0.0,
    )


def heard(request: Request) -> Measured | None:
    """Return what is measured of 12 s of the track that would be made for `request`."""
    config = {**request.config, "duration_s": 12.0, "seed": int(request.key[:8], 16), "loopable": False}
    audio = ProceduralGenerator().generate_music(request.prompt, config)
    tempo, key = analysis.tempo_bpm(audio), analysis.musical_key(audio)
    return measured(audio, tempo_bpm=tempo, musical_key=key)


def report(name: str, served: list[Served]) -> None:
    """Print one line of figures."""
    late = served[SETTLED:]
    shares = [np.mean([one.track is not None for one in some]) for some in (served, late)]
    plays = Counter(one.track.id for one in served if one.track)
    made = sum(one.track is None for one in served)
    most = max(plays.values(), default=0) / len(served)
    rules = Counter(one.rule for one in served)
    fits, passes = np.mean([one.chances for one in late if one.chances], axis=0)
    print(
        f"{name:44} served {shares[0]:6.1%}, from text {SETTLED} on {shares[1]:6.1%}; made {made:4}; "
        f"most played {most:5.1%}; mean chance to fit {fits:.3f}, to pass {passes:.3f}; {dict(rules.most_common())}"
    )


def write_pairs(path: Path, served: list[Served], count: int) -> None:
    """Write a random sample of what was served from the 500th text on, one JSON object a line."""
    some = [one for one in served[SETTLED:] if one.track is not None]
    with path.open("w", encoding="utf-8") as file:
        for one in random.Random(7).sample(some, min(count, len(some))):
            assert one.track is not None
            track = {
                "style": one.track.style,
                "prompt": one.track.prompt,
                "made_for": one.track.context,
                "rule": one.rule,
            }
            application = one.request.context.application
            row = {"text": one.text, "application": application, "track": track}
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--eval-dir", type=Path, help="the folder of public data sets; without it --applications is meant"
    )
    parser.add_argument("--texts", type=int, default=2_000)
    parser.add_argument(
        "--applications", action="store_true", help="texts of applications, told what these are"
    )
    parser.add_argument(
        "--cache", type=Path, help="keep what is read of each text in this file for later runs"
    )
    parser.add_argument("--judge", type=Path, help="write 300 served pairs of the default rule here")
    parser.add_argument("--hear", action="store_true", help="weigh what is heard of each track too")
    options = parser.parse_args()
    reader, library = encoder.load(), presets.load(None)
    told = options.applications or options.eval_dir is None
    draw = texts_of_applications if told else partial(texts_of, options.eval_dir)
    texts: Sequence[str | Told] = draw(options.texts)
    alone = [text.text if isinstance(text, Told) else text for text in texts]
    searched_by = [one.layers[-1] for one in read_texts(alone, reader, options.cache)]
    requests = read_requests(texts, read_texts(texts, reader, options.cache), reader, library)
    nowhere = Path("nowhere")
    scene = certificate.standing(nowhere, reader.identity).certificate
    music = music_certificate.standing(nowhere, reader.identity)
    print(f"{len(texts)} texts, mean {np.mean([len(text.split()) for text in alone]):.0f} words")
    rules = {
        "only the same scene": Terms(certificate=scene, music=music, reach="scene"),
        "nearest text, however near (reuse=always)": Terms(
            "always", certificate=scene, music=music, reach="scene"
        ),
    }
    for variety in (1, 5, 12, 18):
        rules[f"music, variety {variety}"] = Terms(certificate=scene, music=music, variety=variety)
    rules["music, fit=fits"] = Terms(certificate=scene, music=music, fit="fits")
    rules["music, at most 5% wrong"] = Terms(certificate=scene, music=music, max_false_reuse=0.05)
    usual = Terms(certificate=scene, music=music)
    if options.hear:
        plain = run(requests, searched_by, usual, reader, library)
        listened = run(requests, searched_by, usual, reader, library, hear=True)
        report("as it is, nothing heard", plain)
        report("as it is, every track heard", listened)
        differ = sum(
            (a.rule, a.track and a.track.id) != (b.rule, b.track and b.track.id)
            for a, b in zip(plain, listened, strict=True)
        )
        print(f"answers that differ: {differ} of {len(plain)}")
        return
    for name, terms in rules.items():
        served = run(requests, searched_by, terms, reader, library)
        report(name, served)
        if options.judge and terms == usual:
            write_pairs(options.judge, served, 300)


if __name__ == "__main__":
    main()
