"""One flipped bit in any file of a home: every read gives what it gave before, or tells.

Told is an error in one sentence or a warning. An answer that differs, and that `doctor --deep` alone tells, is counted
in a note below the table.
"""

from __future__ import annotations

import logging
import os
import shutil
from collections import Counter
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from invariants import (
    ALL,
    CRASH,
    SHORT,
    WRONG,
    Died,
    client_of,
    damage_of,
    in_batches,
    in_process,
    open_service,
    text_of,
)

from music_catalog.commands.shortcut import KIND, KeptCall
from music_catalog.errors import CatalogError
from music_catalog.models import Filter
from music_catalog.store import answers as kept
from music_catalog.store import schema

FLIPS = 1000
TEXTS = 7
BY_DOCTOR = "told by doctor"
MADE_AGAIN = ("call ", "codes ", "repeat ")
"""Reads that may give nothing: what they would give is made again, or looked up elsewhere."""


def a_home(home):
    """Make a home with every kind of file in it."""
    os.fsync = os.fdatasync = lambda descriptor: None
    schema.INDEX_ROWS = 4  # indexes for filters, as a large table has
    with open_service(home) as service:
        results = [service.find_or_make(text_of(number), **SHORT) for number in range(6)]
        ids = [result.track.id for result in results]
        for number, result in enumerate(results):
            service.store.audio.put_codes(result.track.audio_path, np.full((4, 50), number, np.int16))
        service.rate(ids[0], 5, request_id=results[0].request_id)
        service.reject(ids[1])
        service.store.tracks.trash(ids[2])
        service.search("calm", by="words")
        service.history("calm", by="words")
        service.store.care.compact()
        service.find_or_make(text_of(6), **SHORT)  # rows that no index holds
        service.rate(ids[3], 2)
        client = client_of(service)
        for track_id in (ids[0], ids[1], ids[3]):
            client.get(f"/api/tracks/{track_id}/peaks")
    with open_service(home) as service:
        call = KeptCall(home, None, text_of(0), {})
        result = service.find_or_make(text_of(0), **SHORT)
        call.keep(service, result)
        service.store.requests.enqueue(service.next_time(result)[1])


def reads_of(service):
    """Return every read by name."""
    store, tracks, texts = service.store, service.store.tracks, [text_of(number) for number in range(TEXTS)]
    client = client_of(service)
    every = tracks.list(ALL, order="id")
    ready = [track for track in every if track.state == "ready"]
    return {
        "list": lambda: every,
        "list ready": lambda: tracks.list(order="created_at"),
        "list by style": lambda: tracks.list(Filter(style=every[0].style), order="id"),
        "get": lambda: [tracks.get(track.id) for track in every],
        "count": lambda: [tracks.count(), tracks.count(ALL), tracks.count_ready()],
        "made for": lambda: [[*tracks.made_for(track.key)] for track in every],
        "by meaning": lambda: [_hits(service.search(text)) for text in texts[:4]],
        "by words": lambda: [_hits(service.search(text, by="words")) for text in texts[:4]],
        "by both": lambda: [_hits(service.search(text, by="both")) for text in texts[:2]],
        "by music": lambda: [_served(service, text) for text in texts[::2]],
        "similar": lambda: [_hits(service.similar(track.id)) for track in every[:2]],
        "by sound": lambda: [_hits(service.similar(track.id, by="sound")) for track in every[:2]],
        "facets": lambda: service.browse().facets,
        "audio": lambda: [store.audio.verified_path(track).read_bytes() for track in ready],
        "audio over HTTP": lambda: [_got(client, f"/api/tracks/{track.id}/audio") for track in ready[:2]],
        "peaks over HTTP": lambda: [_got(client, f"/api/tracks/{track.id}/peaks") for track in ready[:2]],
        "history": lambda: store.requests.list(),
        "history by meaning": lambda: [_past(service.history(text)) for text in texts[:3]],
        "history by words": lambda: [_past(service.history(text, by="words")) for text in texts[:3]],
        "judgements": lambda: store.judgements.list(),
        **{f"codes {track.id}": partial(_codes, service, track) for track in every},
        **{f"repeat {track.id}": partial(store.recall, track.key) for track in every},
        **{
            f"call {path.stem}": partial(kept.recall, store.home, KIND, path.stem)
            for path in (store.home / "cache" / KIND).iterdir()
        },
        **{
            f"sidecar {track.id}": store.audio.path_of(track).with_suffix(".json").read_bytes
            for track in every
        },
    }


def _hits(hits):
    return [(hit.track, round(hit.score, 5)) for hit in hits]


def _served(service, text):
    track = service.explain(text, log=False, **SHORT).track
    return track and track.id


def _past(requests):
    return [each.record.id for each in requests]


def _got(client, path):
    answer = client.get(path)
    return answer.content if answer.status_code == 200 else _raise(answer)


def _raise(answer):
    if answer.status_code == 500 and "unexpected" in answer.text:
        raise RuntimeError(f"HTTP {answer.status_code} {answer.text[:100]}")
    raise CatalogError(answer.text)


def _codes(service, track):
    codes = service.store.audio.codes_of(track)
    return None if codes is None else codes.tolist()


class Heard(logging.Handler):
    """Notes whether anything was told."""

    def __init__(self):
        super().__init__(logging.WARNING)
        self.told = False

    def emit(self, record):
        self.told = True


class Answer(NamedTuple):
    """What a read gave: its answer, "told" where it warned or refused, or the error it crashed with."""

    text: str
    told: bool = False
    crash: str = ""


def answers(home):
    """Return the answer of each read of a home, and what doctor finds in it."""
    os.fsync = os.fdatasync = lambda descriptor: None
    heard = Heard()
    logging.getLogger("music_catalog").addHandler(heard)
    seen = {}

    def answer(name, read):
        heard.told = False
        try:
            seen[name] = Answer(repr(read()), heard.told)
        except CatalogError as error:
            seen[name] = Answer("", True, "" if "\n" not in str(error) else str(error))
        except BaseException as error:
            seen[name] = Answer("", True, f"{type(error).__name__}: {str(error)[:200]}")

    def every():
        with open_service(home) as service:
            for name, read in reads_of(service).items():
                answer(name, read)
        answer("doctor", lambda: damage_of(home))

    answer("open", every)
    logging.getLogger("music_catalog").removeHandler(heard)
    return seen


def flipped(case, home, folder, whole):
    """Return what is silently wrong, or crashed, with one bit of one file flipped."""
    number, name, place, bit = case
    copy = Path(folder) / f"{number}"
    shutil.copytree(home, copy)
    content, stat = bytearray((copy / name).read_bytes()), (copy / name).stat()
    content[place] ^= 1 << bit
    (copy / name).write_bytes(content)
    os.utime(copy / name, ns=(stat.st_atime_ns, stat.st_mtime_ns))  # a drive that alters a bit alters no time
    seen = answers(copy)
    shutil.rmtree(copy)
    found = [(CRASH, f"{read}: {answer.crash}") for read, answer in seen.items() if answer.crash]
    if seen["open"].told:
        return found
    differ = [read for read, answer in seen.items() if not answer.told and answer.text != whole[read].text]
    differ = [read for read in differ if seen[read].text != "None" or not read.startswith(MADE_AGAIN)]
    column = BY_DOCTOR if seen["doctor"].told or "doctor" in differ else WRONG
    return [*found, *((column, read) for read in differ if read != "doctor")]


def test_a_bit_is_flipped(tmp_path, dice, scaled, tally):
    home = tmp_path / "home"
    in_process(a_home, str(home))
    wholes = []
    for name in ("whole", "again"):
        shutil.copytree(home, tmp_path / name)
        wholes.append(in_process(answers, str(tmp_path / name)))
    whole, again = wholes
    assert [read for read, answer in whole.items() if answer != again[read] or answer.told] == []
    assert all(answer.text != "None" for read, answer in whole.items() if read.startswith("call "))
    files = sorted(str(path.relative_to(home)) for path in home.rglob("*") if path.is_file())
    by_kind = {}
    for name in files:
        if (home / name).stat().st_size and not name.startswith("locks"):
            by_kind.setdefault(kind_of(name), []).append(name)
    cases = []
    for number in range(scaled(FLIPS)):
        # Every kind of file comes up as often as any other, not by its size.
        kind = [*by_kind][number % len(by_kind)]
        name = dice.choice(by_kind[kind])
        cases.append((number, name, dice.randrange((home / name).stat().st_size), dice.randrange(8)))
    by_doctor = Counter()
    with tally(f"bit flipped in {len(by_kind)} kinds of files, {len(whole)} reads each") as count:
        for case, found in in_batches(flipped, cases, str(home), str(tmp_path), whole):
            told = [(CRASH, f"died with {found}")] if isinstance(found, Died) else found
            count.tried(f"{case[1]} byte {case[2]} bit {case[3]}", told)
            by_doctor.update({read.partition(" ")[0] for column, read in told if column == BY_DOCTOR})
        count.notes.append(
            "answers that differed and only `doctor --deep` told, by read: "
            + (", ".join(f"{read} {times}" for read, times in by_doctor.most_common()) or "none")
        )


def kind_of(name):
    """Return which kind of file a name is of: its table, folder and ending."""
    path = Path(name)
    folders = [part for part in path.parts[:-1] if not (len(part) == 2 or len(part) > 30)]
    return f"{'/'.join(folders)} {''.join(path.suffixes[-2:])}"
