"""Malformed arguments of the Python interface: an answer, or one sentence of the catalog's own errors."""

from __future__ import annotations

import os
import random

from invariants import CRASH, SHORT, in_process, one_sentence, open_service, text_of
from odd_values import odd_object, try_each

INPUTS = 10_000
CHOICES = {
    "preset": "ambient_lofi",
    "role": "background_bed",
    "quality": "preview",
    "backend": "procedural",
    "duration_s": 1.0,
    "loopable": False,
    "seed": 3,
    "continue_from": None,
    "melody": None,
    "generation": {},
    "query": "why",
    "summary_of_topic": "rain",
    "valence": 0.1,
    "energy": 0.1,
    "mood_tags": ["calm"],
    "environment": "rain",
    "time_of_day": "night",
    "language": "en",
    "brief": None,
    "listener": "ann",
    "theme": "",
    "min_similarity": 0.5,
    "max_false_reuse": None,
    "reach": "music",
    "fit": "passable",
    "variety": 1,
}
FACTS = {
    "style": "folk",
    "role": "background_bed",
    "min_quality": "preview",
    "min_model_rank": 0,
    "environment": "rain",
    "time_of_day": "night",
    "mood": ["calm"],
    "loopable": True,
    "min_duration_s": 1.0,
    "max_duration_s": 30.0,
    "min_tempo_bpm": 60.0,
    "max_tempo_bpm": 90.0,
    "min_rating": 3,
    "backend": "procedural",
    "language": "en",
    "state": "ready",
}
LISTED = {"limit": 5, "offset": 0, "by": "meaning", "sort": "-created_at"}


def calls_of(service, track_id):
    """Return each call by name: the function, its first argument, and valid values of the others."""
    store = service.store
    return {
        "find": (service.find, "calm rain", CHOICES),
        "explain": (service.explain, "calm rain", {**CHOICES, "log": False, "reuse": "auto"}),
        "find_or_make": (service.find_or_make, "calm rain", {**CHOICES, "reuse": "auto", "dry_run": True}),
        "key_of": (service.key_of, "calm rain", CHOICES),
        "scene": (lambda text, **rest: service.scene(text, **rest, dry_run=True), "calm rain", CHOICES),
        "search": (service.search, "calm", {**FACTS, "by": "words", "limit": 5}),
        "browse": (service.browse, "mood:calm", {**FACTS, **LISTED}),
        "similar": (service.similar, track_id, {"by": "text", "limit": 3, **FACTS}),
        "rate": (
            lambda first, rating=3, **rest: service.rate(first, rating, **rest),
            track_id,
            {"rating": 3, "request_id": None},
        ),
        "reject": (service.reject, track_id, {"request_id": None, "undo": False}),
        "history": (
            service.history,
            "calm",
            {"by": "words", "limit": 3, "style": "folk", "action": "reused"},
        ),
        "suggest_presets": (service.suggest_presets, "calm rain", {"limit": 3}),
        "statistics": (service.statistics, "day", {}),
        "get": (store.tracks.get, track_id, {}),
        "find_id": (store.tracks.find_id, track_id[:4], {}),
        "tracks.list": (
            lambda order, **rest: store.tracks.list(order=order, **rest),
            "id",
            {"limit": 3, "offset": 0},
        ),
        "tracks.search_words": (store.tracks.search_words, "calm", {"limit": 3}),
        "tracks.update": (store.tracks.update, track_id, {"rating": 3, "tags": ["mine"], "note": "a"}),
        "trash": (store.tracks.trash, track_id, {}),
        "restore": (store.tracks.restore, track_id, {}),
        "purge": (lambda age: store.care.purge(older_than_s=age), 1e9, {}),
        "attach_soundtrack": (service.attach_soundtrack, {"answer": text_of(0)}, {**SHORT, "seed": 1}),
    }


def a_home(home):
    """Make three tracks, and return the id of one."""
    with open_service(home) as service:
        return next(iter([service.find_or_make(text_of(number), **SHORT).track.id for number in range(3)]))


def tried(seeds, home, track_id):
    """Make one odd call for each seed; return those that neither answered nor refused in one sentence."""
    os.fsync = os.fdatasync = lambda descriptor: None
    found = {}
    with open_service(home) as service:
        calls = calls_of(service, track_id)
        for seed in seeds:
            dice = random.Random(seed)
            name = dice.choice([*calls])
            call, first, valid = calls[name]
            some = dice.sample([*valid], dice.randrange(min(4, len(valid)) + 1))
            arguments = {key: odd_object(dice) if dice.random() < 0.7 else valid[key] for key in some}
            if dice.random() < 0.5 or not arguments:
                first = odd_object(dice)
            if failure := one_sentence(lambda: call(first, **arguments)):  # noqa: B023
                found[seed] = [(CRASH, f"{name}({first!r:.80}, {arguments!r:.200}): {failure}")]
    return found


def test_malformed_arguments(tmp_path, request, scaled, tally):
    home = str(tmp_path / "home")
    track_id = in_process(a_home, home)
    with tally("malformed arguments in Python") as count:
        try_each(count, scaled(INPUTS), request.config.faults_seed, tried, home, track_id)
