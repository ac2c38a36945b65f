"""What must hold after every fault, and processes that may die of one.

I1 the catalog opens with no manual step; I2 what was acknowledged is there with its audio; I3 ids and keys are unique;
I4 no row lacks its audio; I5 what was not acknowledged is absent or complete; I6 after `doctor --fix` nothing is wrong;
I7 an error is one sentence that names the cause. I1 and I7 are counted as "crash or unopenable".
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import logging
import multiprocessing
import os
import sys
import traceback
import warnings
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from multiprocessing.connection import wait

import numpy as np
from fakes import WordHashEncoder
from starlette.testclient import TestClient

from music_catalog import MusicService, doctor
from music_catalog.disk.lance import import_lancedb
from music_catalog.errors import CatalogError, NotFound
from music_catalog.generator import Audio
from music_catalog.models import Filter
from music_catalog.store import audit, store
from music_catalog.text import encoder as encoders
from music_catalog.web.app import create_app

# Imported but not used where processes are forked from, so that a fork is ready at once.
import_lancedb()
warnings.filterwarnings("ignore", message="lancedb fork support")
PRELOADED = [
    "invariants",
    "pytest",
    "pyloudnorm",
    "scipy.signal",
    "soundfile",
]

READY, ALL = Filter(), Filter(state=None)
LOST, DUPLICATE, WRONG, CRASH = "lost", "duplicate", "silently wrong", "crash or unopenable"
SHORT = {"duration_s": 1.0, "quality": "preview", "backend": "procedural"}
SEARCHED = 2
"""Tracks that are searched for after each fault."""
FIX_ROUNDS = 3
"""Mending one thing may show another: a dropped row leaves its audio over."""

# A make in a few milliseconds, and a home that uses it


class Tone:
    """Makes a tone whose pitch follows from the seed, and calls `made` each time."""

    def __init__(self, made=lambda: None):
        self._made = made

    def generate_music(self, prompt, config, **rest):
        self._made()
        times = np.arange(round(config["duration_s"] * 8_000)) / 8_000
        tone = 0.1 * np.sin(2 * np.pi * 110.0 * (1 + config["seed"] / 2**32) * times)
        samples = np.repeat((tone * np.linspace(0.2, 1.0, len(times)))[:, None], 2, axis=1).astype(np.float32)
        provenance = {"backend": "procedural", "model": "tone", "weights_license": "none", "versions": {}}
        return Audio(samples, 8_000, {**provenance, "seed": config["seed"]})


def open_service(home, made=lambda: None, encoder=None):
    tone = Tone(made)
    return MusicService.open(
        home, encoder=encoder or WordHashEncoder(), generators=lambda backend, size: tone, min_similarity=0.55
    )


def client_of(service):
    """Return a client of the HTTP service in this process."""
    app = create_app(service, secret="the secret")
    return TestClient(app, base_url="http://127.0.0.1:8765", raise_server_exceptions=False)


class LayeredEncoder(WordHashEncoder):
    """The same with six layers, as the encoder has whose identity it takes: the brief of that one reads them."""

    def encode_layers(self, texts):
        """Return the vectors of `encode` for each layer, shape (len(texts), 6, 384)."""
        return np.repeat(self.encode(texts)[:, None], 6, axis=1)


def encoder_of(home):
    """Return an encoder of the identity that the table of a home has, so that its vectors compare."""
    opened = store.Store.open(home)
    encoder = LayeredEncoder()
    encoder.identity = opened.care.stats()["encoder"] or encoder.identity
    opened.close()
    return encoder


def text_of(number):
    """Return a text that shares no word with the text of another number, so that each makes a track of its own."""
    words = hashlib.sha256(str(number).encode()).hexdigest()
    return " ".join(f"w{words[place : place + 6]}" for place in range(0, 36, 6))


# What must hold


def acknowledged(track):
    """Return what a caller that was answered with `track` may rely on."""
    return {"sha256": track.audio_sha256, "state": track.state, "rating": track.rating, "key": track.key}


def look_over(home, expected, *, unknown=0, mend=True, again=(), torn=()):
    """Return what does not hold in `home`, as pairs of a column and a sentence; run in a process of its own.

    `expected` gives for each id the states it may have: what was acknowledged, and what was being done; None where it
    may be absent. `unknown` further tracks may be there. With `mend` the findings of doctor are mended, and must be
    gone then; until then the audio of the tracks `torn` may be damaged. The requests `again` are made once more.
    """
    os.fsync = os.fdatasync = lambda descriptor: None
    logging.disable()
    try:
        with open_service(home, encoder=encoder_of(home)) as service:
            found = [*_rows(service, expected, unknown), *_found(service, expected)]
            tracks = service.store.tracks.list(ALL)
            found += _audio(service, [track for track in tracks if track.id not in torn])
        if mend:
            found += _mended(home)
        with open_service(home, encoder=encoder_of(home)) as service:
            for text in again:
                service.find_or_make(text, **SHORT)
            tracks = service.store.tracks.list(ALL) if mend else []
            found += _audio(service, [track for track in tracks if track.state == "ready"])
            found += _unique(service)
            return found
    except BaseException as error:  # a panic of Rust is no Exception
        return [(CRASH, f"{type(error).__name__}: {str(error)[:300]}")]


def _rows(service, expected, unknown):
    tracks = {track.id: track for track in service.store.tracks.list(ALL)}
    for track_id, states in expected.items():
        track = tracks.get(track_id)
        if track is None and None not in states:
            yield LOST, f"track {track_id} is gone"
        elif track is not None and acknowledged(track) not in states:
            yield LOST, f"track {track_id} is {acknowledged(track)}, not {states}"
    if (more := len(tracks.keys() - expected.keys()) - unknown) > 0:
        yield WRONG, f"{more} tracks that nobody made"


def _audio(service, tracks):
    for track in tracks:
        path = service.store.audio.path_of(track)
        if not path.is_file():
            yield LOST, f"the audio of {track.id} is gone"
        elif hashlib.sha256(path.read_bytes()).hexdigest() != track.audio_sha256:
            yield WRONG, f"the audio of {track.id} is not its own"


def _found(service, expected):
    """Yield which of the newest acknowledged tracks a search for their texts, which share no words, does not find."""
    known = (track for track in service.store.tracks.list() if None not in expected.get(track.id, [None]))
    for track in islice(known, SEARCHED):
        for by in ("meaning", "words", "both"):
            if track.id not in {hit.track.id for hit in service.search(track.context, by=by)}:
                yield LOST, f"track {track.id} is not found by {by}"
        if not service.history(track.context, by="words"):
            yield LOST, f"the request of track {track.id} is not found by words"


def _unique(service):
    for what, where in (("id", ALL), ("key", READY)):
        for value, count in Counter(
            getattr(track, what) for track in service.store.tracks.list(where)
        ).items():
            if count > 1:
                yield DUPLICATE, f"{count} tracks with the {what} {value}"
    for value, count in Counter(line.id for line in service.store.requests.list()).items():
        if count > 1:
            yield DUPLICATE, f"{count} lines of the log with the id {value}"


def _mended(home):
    """Mend what doctor finds, and yield what it cannot."""
    audit.LEFT_OVER_AFTER_S = 0.0
    for _ in range(FIX_ROUNDS):
        damage = damage_of(home, fix=True)
        if not damage:
            return
    for what in damage_of(home):
        yield WRONG, f"doctor cannot mend: {what}"


def damage_of(home, *, fix=False):
    """Return what `catalog doctor --deep` tells of a home; with `fix` mend it first."""
    audit.in_child = audited_here  # a child for each check would take longer than all the rest
    reader = encoder_of(home)
    encoders.load = lambda: reader
    checks = doctor.examine(str(home), deep=True, fix=fix)
    return sorted(f"{check.name} {check.detail}" for check in checks if check.status in ("damage", "fixed"))


def audited_here(home):
    """Run the deep check, which doctor runs in a child process, in this one; its limit of memory is out of reach."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        store.audit_deep(str(home), 2**50)
    return [audit.Problem.model_validate(item) for item in json.loads(printed.getvalue())]


# A sentence or an answer


def one_sentence(call):
    """Call `call`; return what is wrong with the way it failed, "" where it answered or refused in one sentence."""
    try:
        call()
    except (CatalogError, NotFound) as error:
        return (
            ""
            if str(error) and "\n" not in str(error) and "Traceback" not in str(error)
            else repr(str(error))
        )
    except BaseException as error:
        return f"{type(error).__name__}: {str(error)[:200]}"
    return ""


# Processes


class Died(Exception):
    """The process died, with this exit code, before it had an answer; 0 where it took too long."""


def _forking():
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    # Before 3.12.4 Python does not hand sys.path to the process that is forked from, which then imports little of it.
    os.environ["PYTHONPATH"] = os.pathsep.join(path or "." for path in sys.path)
    return context


def start(work, *arguments):
    """Start `work(*arguments)` in a process forked from one that has everything imported."""
    process = _forking().Process(target=work, args=arguments)
    process.start()
    return process


def in_process(work, *arguments, timeout_s=120.0):
    """Return `work(*arguments)` of a process of its own; raise Died where it gives none."""
    ours, theirs = multiprocessing.Pipe()
    process = start(_answer_one, theirs, work, arguments)
    theirs.close()
    try:
        if not ours.poll(timeout_s):
            process.kill()
            raise Died(0)
        answer = ours.recv()
    except EOFError:
        process.join()
        raise Died(process.exitcode) from None
    finally:
        process.join(timeout_s)
    if isinstance(answer, Raised):
        raise RuntimeError(answer.told)
    return answer


def side_by_side(do, cases):
    """Yield pairs of a case and `do(case)`, as many at a time as there are cores."""
    with ThreadPoolExecutor(os.cpu_count() or 1) as threads:
        yield from zip(cases, threads.map(do, cases), strict=True)


def in_batches(work, cases, *shared, timeout_s=120.0):
    """Yield pairs of a case and `work(case, *shared)`, or Died; a process goes from case to case until one kills it."""
    left, busy = iter(cases), {}

    def begin(process=None, ours=None):
        case = next(left, None)
        if case is None:
            if ours is not None:
                ours.close()
                process.join()
            return
        if ours is None:
            ours, theirs = multiprocessing.Pipe()
            process = start(_answer_many, theirs, work, shared)
            theirs.close()
        ours.send(case)
        busy[ours] = (process, case)

    for _ in range(os.cpu_count() or 1):
        begin()
    while busy:
        ready = wait([*busy], timeout_s)
        for ours in ready or [*busy]:
            process, case = busy.pop(ours)
            try:
                if not ready:
                    process.kill()
                    raise EOFError
                answer = ours.recv()
            except (EOFError, ConnectionError):
                process.join()
                yield case, Died(process.exitcode)
                ours.close()
                begin()
            else:
                if isinstance(answer, Raised):
                    raise RuntimeError(answer.told)
                yield case, answer
                begin(process, ours)


class Raised:
    """What work in another process raised."""

    def __init__(self, error):
        self.told = "".join(traceback.format_exception(error))


def _answer_one(connection, work, arguments):
    try:
        answer = work(*arguments)
    except Exception as error:
        answer = Raised(error)
    connection.send(answer)


def _answer_many(connection, work, shared):
    with contextlib.suppress(EOFError, ConnectionError):
        while True:
            case = connection.recv()
            try:
                answer = work(case, *shared)
            except Exception as error:
                answer = Raised(error)
            connection.send(answer)
