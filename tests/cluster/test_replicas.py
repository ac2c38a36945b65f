"""Replicas that share a catalog on SeaweedFS: one make for all who ask, and nothing lost when they are killed."""

from __future__ import annotations

import os
import random
import signal
from collections import Counter, defaultdict

import pytest
from replicas import (
    SPAWN,
    ask_all,
    ask_once,
    await_ready,
    check_home,
    kill_replicas,
    noted,
    open_service,
    running,
    until,
)
from slow_store import SlowStore

LONG = pytest.mark.cluster


@pytest.fixture
def place(request, seaweed):
    """Return a function that gives an empty place on SeaweedFS: for all, or "db" for all but the tables."""

    def place_(kind):
        if kind == "s3":
            return seaweed.address()
        return f"{request.getfixturevalue('tables').database()}?blobs={seaweed.address()}"

    return place_


@pytest.mark.parametrize(
    ("kind", "replicas", "requests", "keys"),
    [
        ("s3", 2, 4, 2),
        pytest.param("db", 2, 4, 2, marks=LONG),
        pytest.param("s3", 8, 8, 4, marks=LONG),
        pytest.param("db", 8, 8, 4, marks=LONG),
    ],
)
def test_replicas_that_ask_for_the_same_at_once_have_it_made_once(
    place, tmp_path, kind, replicas, requests, keys
):
    home, log = place(kind), tmp_path / "log"
    texts = [f"The dragon of mountain {number} sleeps." for number in range(keys)]
    open_service(home, tmp_path / "first").close()
    ready, go = SPAWN.Semaphore(0), SPAWN.Event()
    asking = [
        SPAWN.Process(target=ask_all, args=(home, tmp_path / f"c{n}", log, texts, requests, ready, go))
        for n in range(replicas)
    ]
    with running(*asking):
        await_ready(ready, asking)
        go.set()
        for process in asking:
            process.join(240)
        assert [process.exitcode for process in asking] == [0] * replicas
    lines = noted(log)
    answers = [line for line in lines if "key" in line]
    assert len(answers) == replicas * requests
    assert len(lines) - len(answers) == keys  # one make a key
    served = defaultdict(set)
    for answer in answers:
        served[answer["key"]].add(answer["id"])
    assert {key: len(ids) for key, ids in served.items()} == dict.fromkeys(texts, 1)
    assert check_home(home, tmp_path / "last", answers)["rows"] == keys


@pytest.mark.cluster
def test_a_maker_that_is_frozen_past_its_claim_gives_one_row_and_one_answer(seaweed, tmp_path):
    home, log, go = seaweed.address(), tmp_path / "log", tmp_path / "go"
    text, lease_s = "A lighthouse blinks over the quiet bay.", 1.0
    open_service(home, tmp_path / "first").close()
    frozen = SPAWN.Process(target=ask_once, args=(home, tmp_path / "a", log, text, lease_s, go))
    other = SPAWN.Process(target=ask_once, args=(home, tmp_path / "b", log, text, lease_s, None))
    with running(frozen):
        until(lambda: noted(log), "the first replica makes nothing")
        os.kill(frozen.pid, signal.SIGSTOP)
        with running(other):
            until(lambda: len(noted(log)) == 3, "the second replica does not take over")
            go.touch()
            os.kill(frozen.pid, signal.SIGCONT)
            frozen.join(120)
            assert frozen.exitcode == 0
    makes = [line for line in noted(log) if "make" in line]
    answers = [line for line in noted(log) if "key" in line]
    assert len(makes) == 2
    assert answers[0]["id"] == answers[1]["id"]
    assert check_home(home, tmp_path / "last", answers)["rows"] == 1


@pytest.mark.cluster
@pytest.mark.timeout(1_500)
@pytest.mark.parametrize(
    ("kind", "kills"),
    [("s3", 100), ("db", 20)],
)
def test_kills_amid_makes_merges_and_care_lose_nothing(seaweed, place, tmp_path, monkeypatch, kind, kills):
    home, log, draw = place(kind), tmp_path / "log", random.Random(kills)
    open_service(home, tmp_path / "first").close()
    with SlowStore(seaweed.endpoint, refused=0.05, seed=kills) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT", proxy.endpoint)
        killed = next(count for count in kill_replicas(home, tmp_path, log, draw) if count >= kills)
        refused = proxy.counts["503"]
    monkeypatch.setenv("AWS_ENDPOINT", seaweed.endpoint)
    lines = noted(log)
    counts = check_home(home, tmp_path / "last", lines)
    kinds = Counter(next(iter(line)) for line in lines)
    errors = Counter(line["error"][:120] for line in lines if "error" in line)
    overtaken = [error for error in errors if "cannot be compacted" in error]  # the next round does it
    print(f"\n{killed} kills, {refused} refusals: {dict(kinds)}, {dict(counts)}, errors {dict(errors)}")
    assert min(kinds["make"], kinds["rated"], kinds["compacted"], refused) > 0
    assert [*errors] == overtaken
