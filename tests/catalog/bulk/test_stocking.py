"""Stock made by workers: the rows of the plan in one commit, whatever dies, and nothing made twice."""

from __future__ import annotations

import subprocess
import sys

import pytest
from bulk_texts import CORPUS, SHORT
from fakes import Counting

from music_catalog.bulk.kept import KeptTracks
from music_catalog.bulk.stocking import list_kept, make_part, make_stock, plan_stock
from music_catalog.bulk.workers import InProcess, opener_of
from music_catalog.errors import Unavailable
from music_catalog.generator import Cancelled
from music_catalog.generator.errors import GeneratorError
from music_catalog.text import encoder as encoders


class Failing(Counting):
    """Makes so many tracks and fails at the next."""

    def __init__(self, most):
        super().__init__()
        self.most = most

    def generate_music(self, prompt, config, **rest):
        if self.made == self.most:
            raise GeneratorError("the generator stopped")
        return super().generate_music(prompt, config, **rest)


@pytest.fixture
def stocking(open_service):
    """Return a function that opens the service of a home with the default encoder, which has a brief."""
    return lambda **options: open_service(**{"encoder": encoders.load(), "min_similarity": None, **options})


def keys(service):
    return sorted(track.key for track in service.store.tracks.list())


def test_workers_make_what_the_service_makes_in_one_commit(stocking, tmp_path):
    expected = stocking(home=tmp_path / "other").stock(CORPUS, 3, **SHORT)
    service = stocking()
    plan = plan_stock(service, InProcess(), CORPUS, 3, **SHORT)
    assert [one.key for one in plan.tracks] == [one.key for one in expected.plan.tracks]
    seen = []
    made = make_stock(service, InProcess(), plan, on_progress=lambda *steps: seen.append(steps))
    assert seen == [(1, 3), (2, 3), (3, 3)]
    assert sorted(track.key for track in made.tracks) == keys(service)
    assert {track.audio_sha256 for track in made.tracks} != set()
    assert [line.record.command for line in service.history()] == ["stock"] * 3
    # The empty table, its index of words, and the rows.
    assert service.store.tables["tracks"].table.version == 3
    assert not KeptTracks(service.store.home).keys()
    for planned in plan.tracks:
        again = service.find_or_make(planned.context, **planned.choices.model_dump(exclude_none=True))
        assert again.decision.rule == "exact"


class Stopping(InProcess):
    """Does one part, and fails then as a library may."""

    def run(self, *arguments, **options):
        for each in super().run(*arguments, **options):
            yield each
            raise OSError("the library failed")


def test_what_was_made_is_written_whatever_was_raised(stocking):
    service = stocking()
    plan = plan_stock(service, InProcess(), CORPUS, 3, **SHORT)
    with pytest.raises(OSError, match="the library failed"):
        make_stock(service, Stopping(), plan)
    assert service.store.tracks.count() == 1


def test_a_track_made_for_a_request_while_its_stock_is_written_stays_its_only_one(stocking, monkeypatch):
    service = stocking()
    plan = plan_stock(service, InProcess(), CORPUS, 2, **SHORT)
    insert_all, other = service.store.tracks.insert_all, []

    def insert_late(new, **options):
        monkeypatch.undo()
        choices = plan.missing[0].choices.model_dump(exclude_none=True)
        other.append(service.find_or_make(plan.missing[0].context, **choices))
        return insert_all(new, **options)

    monkeypatch.setattr(service.store.tracks, "insert_all", insert_late)
    made = make_stock(service, InProcess(), plan)
    assert other[0].action == "generated"
    assert keys(service) == sorted(one.key for one in plan.tracks)
    assert [track.key for track in made.tracks] == [plan.missing[1].key]
    assert not KeptTracks(service.store.home).keys()


DYING = """
import os, sys
sys.path[:0] = {path!r}
from bulk_texts import CORPUS, SHORT
from music_catalog import MusicService
from music_catalog.bulk import stocking
from music_catalog.bulk.workers import InProcess
if {where!r} == "before the rows":
    stocking.list_kept = lambda flow: os._exit(9)
service = MusicService.open({home!r})
if {where!r} == "before the log":
    service.store.requests.absorb = lambda *_: os._exit(9)
plan = stocking.plan_stock(service, InProcess(), CORPUS, 3, **SHORT)
stocking.make_stock(service, InProcess(), plan, on_progress=lambda done, _: os._exit(9) if {where!r} == done else None)
"""


@pytest.mark.parametrize(
    "where", [pytest.param(2, marks=pytest.mark.cluster), "before the rows", "before the log"]
)
def test_a_driver_that_died_is_followed_by_one_that_makes_the_rest(stocking, tmp_path, where):
    home, made = tmp_path / "home", Counting()
    script = DYING.format(path=sys.path, home=str(home), where=where)
    died = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert died.returncode == 9, died.stderr
    service = stocking(home=home, generators=made)
    assert service.store.tracks.count() == (3 if where == "before the log" else 0)
    for expected in (1 if where == 2 else 0, 0, 0):
        plan = plan_stock(service, InProcess(), CORPUS, 3, **SHORT)
        made.made = 0
        make_stock(service, InProcess(), plan)
        assert made.made == expected
    assert keys(service) == sorted(one.key for one in plan.tracks)
    assert len({track.id for track in service.store.tracks.list()}) == 3
    assert [line.record.command for line in service.history()] == ["stock"] * 3
    assert not service.store.care.check()


def test_what_was_made_before_a_failure_gets_its_rows(stocking):
    service = stocking(generators=Failing(2))
    plan = plan_stock(service, InProcess(), CORPUS, 3, **SHORT)
    with pytest.raises(Unavailable, match=r"stopped \(2 of 3 tracks are made; run the same again to go on\)"):
        make_stock(service, InProcess(), plan)
    assert service.store.tracks.count() == 2


def test_a_cancelled_run_keeps_what_was_made(stocking):
    service = stocking(generators=Counting())
    plan = plan_stock(service, InProcess(), CORPUS, 3, **SHORT)

    def stop(done, total):
        raise Cancelled("enough")

    with pytest.raises(Cancelled):
        make_stock(service, InProcess(), plan, on_progress=stop)
    assert service.store.tracks.count() == 1


def test_a_track_that_another_made_meanwhile_stays_alone(stocking):
    service = stocking(generators=Counting())
    plan = plan_stock(service, InProcess(), CORPUS, 2, **SHORT)
    for _, made in InProcess().run(make_part, opener_of(service.flow), [[one] for one in plan.missing]):
        KeptTracks(service.store.home).put(made)
    service.make_stock(plan)
    assert service.store.tracks.count() == 2
    assert list_kept(service.flow) == []
    assert service.store.tracks.count() == 2


def test_a_kept_track_that_was_altered_is_made_anew(stocking):
    made = Counting()
    service = stocking(generators=made)
    plan = plan_stock(service, InProcess(), CORPUS, 2, **SHORT)
    kept = KeptTracks(service.store.home)
    for _, one in InProcess().run(make_part, opener_of(service.flow), [[one] for one in plan.missing]):
        kept.put(one)
    (path, _) = sorted((service.store.home / "cache" / "bulk").iterdir())
    path.write_bytes(path.read_bytes()[:-1])
    made.made = 0
    make_stock(service, InProcess(), plan)
    assert (made.made, service.store.tracks.count()) == (1, 2)
