"""A catalog on SeaweedFS is embedded anew by runs that are killed, while replicas write and care goes on."""

from __future__ import annotations

import os
import random
import time
from itertools import count

import numpy as np
import pytest
from homes import DIMENSION, ENCODER, a_judgement, a_record, add, open_store, vector_of
from replicas import SPAWN, await_ready, note, noted, running, until

from music_catalog.errors import CatalogError, EncoderMismatch
from music_catalog.models import Filter
from music_catalog.objects import lease
from music_catalog.store.rows import from_whole_track_row
from music_catalog.store.schema import TRACK_COLUMNS, track_schema
from music_catalog.store.vectors import lines, reembedding

pytestmark = pytest.mark.cluster


def opened(home, cache, **options):
    os.environ["CATALOG_CACHE"] = str(cache)
    lease.LEASE_S = 1.0
    reembedding.AT_ONCE = lines.AT_ONCE = 20
    return open_store(home, **options)


def anew(text, length):
    return vector_of(f"{text} anew")[:length]


def write_until_refused(home, cache, log, seed, ready):
    """Add rows, rate earlier ones, and add lines to both logs; note what was acknowledged."""
    store, draw, names = opened(home, cache), random.Random(seed), []
    for number in count():
        name = f"w{seed}-{number}"
        try:
            add(store, name)
            note(log, row=name)
            names.append(name)
            rated, rating = draw.choice(names), draw.randint(1, 5)
            store.tracks.update(rated, rating=rating)
            note(log, rated=rated, rating=rating)
            store.requests.append(a_record(name, key=name, summary=name), vector_of(name))
            store.judgements.append(a_judgement(name, key=name), vector_of(name))
            note(log, judged=name)
        except EncoderMismatch as refused:
            note(log, refused=str(refused))
            store.requests.close()
            return
        except CatalogError as error:
            note(log, error=f"{type(error).__name__}: {error}")
        if number == 3:
            ready.release()


def care_on(home, cache, log, ready):
    store = opened(home, cache)
    store.tracks.count()
    ready.release()
    while True:
        try:
            store.care.compact()
        except CatalogError as error:
            note(log, care=f"{type(error).__name__}: {error}")
        time.sleep(0.5)


def embed(home, cache, log, encoder, length):
    store = opened(home, cache, encoder=encoder, dimension=length)

    def encode(texts):
        time.sleep(0.002 * len(texts))
        note(log, texts=len(texts))
        return [anew(text, length) for text in texts]

    note(log, begun=True)
    began = time.monotonic()
    note(log, embedded=store.care.reembed(encode, encoder), in_s=round(time.monotonic() - began, 1))
    store.close()


@pytest.mark.timeout(900)
@pytest.mark.parametrize(("encoder", "length"), [("other@1/4", 4), ("same@1/8", DIMENSION)])
def test_runs_that_are_killed_lose_no_row_and_leave_none_with_a_former_vector(
    seaweed, tmp_path, encoder, length
):
    home, log, draw = seaweed.address(), tmp_path / "log", random.Random(length)
    store = opened(home, tmp_path / "first")
    for number in range(60):
        add(store, f"first-{number}")
    ready = SPAWN.Semaphore(0)
    work = [
        SPAWN.Process(target=write_until_refused, args=(home, tmp_path / f"w{seed}", log, seed, ready))
        for seed in range(3)
    ]
    care = SPAWN.Process(target=care_on, args=(home, tmp_path / "care", log, ready))

    def run(number):
        return SPAWN.Process(target=embed, args=(home, tmp_path / f"e{number}", log, encoder, length))

    with running(*work, care):
        await_ready(ready, [*work, care])
        for number in range(6):
            begun = sum("begun" in line for line in noted(log))
            with running(run(number)):
                until(
                    lambda begun=begun: sum("begun" in line for line in noted(log)) > begun, "no run begins"
                )
                time.sleep(draw.uniform(0.2, 2.5))
        with running(last := run("last")):
            last.join(300)
            assert last.exitcode == 0, noted(log)[-5:]
        for process in work:
            process.join(120)
            assert process.exitcode == 0
    check(home, tmp_path / "check", log, encoder, length)


def check(home, cache, log, encoder, length):
    told = noted(log)
    store = opened(home, cache, encoder=encoder, dimension=length)
    schema = store.tracks.table.durable.schema
    assert sorted(schema.names) == sorted(track_schema(length, encoder).names)
    rows = store.tracks.table.read(None, columns=(*TRACK_COLUMNS, "vector", "sound", "ear"))
    tracks = {track.id: track for track in map(from_whole_track_row, rows)}
    assert len(tracks) == len(rows)
    wrong = [row["id"] for row in rows if row["encoder"] != encoder]
    for row in rows:
        unit = anew(row["context"], length)
        wrong += [row["id"]] * (not np.allclose(row["vector"], unit / np.linalg.norm(unit), atol=1e-6))
    acknowledged = [line["row"] for line in told if "row" in line] + [f"first-{n}" for n in range(60)]
    ratings = {line["rated"]: line["rating"] for line in told if "rated" in line}
    unrated = [name for name, rating in ratings.items() if tracks[name].rating != rating]
    judged = [line["judged"] for line in told if "judged" in line]
    lost = {*acknowledged} - {*tracks}
    unheard = {*judged} - {each.id for each in store.judgements.list(limit=100_000)}
    unlogged = {*judged} - {each.id for each in store.requests.list(limit=10_000)}
    former = [
        row["encoder"]
        for row in store.requests.table.rows(vectors=True)
        if row["encoder"] not in ("", encoder)
    ]
    # The server may stall writers of one table for longer than Lance tries; such a change is not acknowledged.
    errors = [line for line in told if "Too many concurrent" not in line.get("error", "Too many concurrent")]
    refused = [line["refused"] for line in told if "refused" in line]
    print(
        f"\n{sum('begun' in line for line in told)} runs, {len(rows)} rows, {len(acknowledged)} acknowledged, "
        f"{len(ratings)} rated, {sum(line.get('texts', 0) for line in told)} texts, "
        f"{len(former)} lines of the log with a former vector, {sum('error' in line for line in told)} stalls, "
        f"care {[line for line in told if 'care' in line][:3]}, {[line for line in told if 'embedded' in line]}"
    )
    assert (lost, unrated, wrong, unheard, unlogged, errors) == (set(), [], [], set(), set(), [])
    assert len(refused) == 3
    assert all(f"start it again with {encoder}" in each for each in refused)
    assert ENCODER not in {track.encoder for track in store.tracks.list(Filter(state=None), limit=10_000)}
