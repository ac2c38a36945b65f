"""The same work on Ray: by actors that die, by generators behind the service, and what is refused."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from bulk_texts import CORPUS, SHORT

from music_catalog.bulk.reading import read_calls
from music_catalog.bulk.stocking import make_stock, plan_stock
from music_catalog.bulk.workers import InProcess
from music_catalog.errors import InputError, Unavailable
from music_catalog.generator import Cancelled, ProceduralGenerator
from music_catalog.generator.errors import GeneratorError
from music_catalog.text import encoder as encoders

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")


class DyingOnce:
    """Loads the procedural generator; the process that is the first to load it dies."""

    def __init__(self, folder, always=False):
        self.folder, self.always = folder, always

    def __call__(self, backend, size):
        try:
            os.close(os.open(Path(self.folder) / "died", os.O_CREAT | os.O_EXCL))
            os._exit(9)
        except FileExistsError:
            if self.always:
                os._exit(9)
        return ProceduralGenerator()


class Refusing:
    """Loads nothing."""

    def __call__(self, backend, size):
        raise GeneratorError("there is no such generator")


@pytest.fixture(scope="module")
def two(on_ray):
    from music_catalog.integrations.ray import RayWorkers

    return RayWorkers(count=2)


@pytest.fixture
def stocking(open_service):
    return lambda **options: open_service(**{"encoder": encoders.load(), "min_similarity": None, **options})


def test_texts_read_on_ray_are_read_as_here(stocking, two):
    flow, readings, steps = stocking().flow, [], []
    for workers in (two, InProcess()):
        calls = [flow.begin("find", text, {}) for text in CORPUS]
        read_calls(workers, flow, calls, lambda *done: steps.append(done))
        readings.append([call.understood for call in calls])
    for (request, vector), (other, same) in zip(*readings, strict=True):
        assert request == other
        assert np.array_equal(vector, same)
    assert steps[3] == steps[-1] == (4, 4)


@pytest.mark.cluster
def test_a_stock_is_made_although_an_actor_dies(stocking, two, tmp_path):
    service = stocking(generators=DyingOnce(str(tmp_path)))
    plan = plan_stock(service, two, CORPUS, 3, **SHORT)
    made = make_stock(service, two, plan)
    assert (tmp_path / "died").exists()
    assert sorted(track.key for track in made.tracks) == sorted(one.key for one in plan.tracks)
    assert service.store.tracks.count() == 3
    assert make_stock(service, two, plan_stock(service, two, CORPUS, 3, **SHORT)).tracks == ()
    assert not service.store.care.check()


def test_what_the_work_raises_comes_back_as_it_is(stocking, two):
    service = stocking(generators=Refusing())
    plan = plan_stock(service, InProcess(), CORPUS, 2, **SHORT)
    with pytest.raises(Unavailable, match=r"no such generator \(0 of 2 tracks are made"):
        make_stock(service, two, plan)


@pytest.mark.cluster
def test_generators_on_ray_make_what_those_here_make(open_service, on_ray, tmp_path):
    from music_catalog.integrations.ray import RayGenerators

    generators = RayGenerators(count=2)
    try:
        here, there = open_service(tmp_path / "here"), open_service(tmp_path / "there", generators=generators)
        batches = [
            service.find_or_make_all(CORPUS, backend="procedural", min_similarity=1.0, **SHORT)
            for service in (here, there)
        ]
        for one, other in zip(*batches, strict=True):
            assert (
                (one.action, one.track.key) == (other.action, other.track.key) == ("generated", one.track.key)
            )
            assert one.track.loudness_lufs == other.track.loudness_lufs
            assert one.track.seed == other.track.seed
        seen = []
        single = there.find_or_make("Waves.", seed=1, on_progress=lambda *step: seen.append(step), **SHORT)
        assert single.action == "generated"
        assert seen

        def stop(done, total):
            raise Cancelled("enough")

        with pytest.raises(Cancelled):
            there.generate("Waves.", on_progress=stop, **SHORT)
        assert there.generate("Waves.", **SHORT).action == "generated"
    finally:
        generators.close()


@pytest.mark.cluster
def test_a_generator_whose_actor_always_dies_is_unavailable(open_service, on_ray, tmp_path):
    from music_catalog.integrations.ray import RayGenerators

    generators = RayGenerators(count=1, load=DyingOnce(str(tmp_path), always=True))
    try:
        with pytest.raises(Unavailable, match="died 4 times"):
            open_service(generators=generators).find_or_make("Waves.", **SHORT)
    finally:
        generators.close()


def test_a_home_that_the_cluster_cannot_reach_is_refused(stocking, two, monkeypatch):
    monkeypatch.setattr("socket.gethostname", lambda: "elsewhere")
    with pytest.raises(
        InputError, match=r"is a folder of this machine, and the Ray cluster has .* too; use a home"
    ):
        plan_stock(stocking(), two, CORPUS, 2, **SHORT)


@pytest.mark.parametrize("failure", [ConnectionError, "OutOfMemoryError"])
def test_a_cluster_that_fails_while_work_is_waited_for_is_unavailable(
    stocking, two, on_ray, monkeypatch, failure
):
    from music_catalog.integrations import ray as integration

    raised = getattr(on_ray.exceptions, failure) if isinstance(failure, str) else failure

    def failing(*_, **__):
        raise raised("the head is gone")

    monkeypatch.setattr(integration.ray, "wait", failing)
    service = stocking()
    calls = [service.flow.begin("find", text, {}) for text in CORPUS]
    with pytest.raises(Unavailable, match="the head is gone; look at the state of the cluster"):
        read_calls(two, service.flow, calls)


def test_a_caller_that_waits_for_an_actor_may_cancel(on_ray):
    from music_catalog.integrations.ray import RayGenerators

    generators = RayGenerators(count=1)
    actor = generators._idle.get(timeout=10)  # another caller has the only one

    def stop(done, total):
        raise Cancelled("enough")

    def give_back():
        generators._idle.put(actor)

    late = threading.Timer(20.0, give_back)
    late.start()
    begun = time.monotonic()
    try:
        with pytest.raises(Cancelled):
            generators("procedural", "small").generate_music("Waves.", {}, on_progress=stop)
        assert time.monotonic() - begun < 15
    finally:
        late.cancel()
        generators.close()
