"""The generators' thread: who waits, who goes first, who is made together, and how each of them ends."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
import time
import traceback
import weakref
from functools import partial

import numpy as np
import pytest

from music_catalog.generator.errors import Cancelled, GeneratorError
from music_catalog.generator.protocol import Audio
from music_catalog.generator.thread.calls import Call, on_thread
from music_catalog.generator.thread.line import Line
from music_catalog.generator.thread.orders import MOST_ROWS, Asked, Order
from music_catalog.generator.thread.streams import AHEAD, ThreadStream, joined

PATIENCE_S = 20.0


@pytest.fixture
def line():
    own = Line()
    yield own
    own.close()


class Held:
    """Work that keeps the thread until it is let go."""

    def __init__(self, line):
        self.begun, self.go = threading.Event(), threading.Event()
        self.thread = threading.Thread(target=self._ask, args=(line,))
        self.thread.start()
        assert self.begun.wait(PATIENCE_S)

    def _ask(self, line):
        with contextlib.suppress(Cancelled):
            Call(self._hold, line=line).result()

    def _hold(self, report):
        self.begun.set()
        assert self.go.wait(PATIENCE_S)

    def release(self):
        self.go.set()
        self.thread.join(PATIENCE_S)


class Callers:
    """Threads that each ask for one thing, in the order in which they were started."""

    def __init__(self, line):
        self.line, self.ends, self.threads = line, {}, []

    def ask(self, name, work):
        def run():
            try:
                self.ends[name] = work.result()
            except BaseException as error:
                self.ends[name] = error

        before = len(self.line.works())
        self.threads.append(threading.Thread(target=run, daemon=True))
        self.threads[-1].start()
        wait_for(lambda: len(self.line.works()) > before)

    def join(self):
        for thread in self.threads:
            thread.join(PATIENCE_S)
            assert not thread.is_alive()
        return self.ends


def wait_for(condition):
    until = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.002)


class Batching:
    """A generator whose pieces are their seed and prompt; it writes down what it makes together."""

    def __init__(self, steps=4):
        self.steps, self.batches, self.threads = steps, [], set()
        self.on_step = lambda step: None

    def generate_music(self, prompt, config, *, melody=None, continue_from=None, on_progress=None):
        return self._make([prompt], [config], on_progress)[0]

    def generate_batch(self, prompts, configs, *, melodies=None, on_progress=None):
        return self._make(prompts, configs, on_progress)

    def batch_key(self, config):
        if config["length"] < 0:
            raise GeneratorError("too short")
        return config["length"]

    def _make(self, prompts, configs, on_progress):
        self.threads.add(threading.current_thread().name)
        self.batches.append([*prompts])
        if "bad" in prompts:
            raise GeneratorError("bad is no prompt")
        for step in range(1, self.steps + 1):
            self.on_step(step)
            if on_progress:
                on_progress(step * len(prompts), self.steps * len(prompts))
        return [piece(prompt, config) for prompt, config in zip(prompts, configs, strict=True)]


def piece(prompt, config):
    return Audio(np.full((config["length"], 1), len(prompt), np.float32), 100, {"prompt": prompt})


def order(line, generator, prompt, *, length=5, on_progress=None, **rest):
    asked = [Asked(prompt, {"length": length})]
    return Order(lambda: generator, asked, on_progress, source=id(generator), line=line, **rest)


def test_callers_are_served_in_the_order_in_which_they_came(line):
    held, callers, done = Held(line), Callers(line), []
    for name in "abcdef":
        callers.ask(name, Call(lambda report, name=name: done.append(name), line=line))
    held.release()
    callers.join()
    assert done == [*"abcdef"]


def test_all_work_is_done_on_one_thread_and_its_own_calls_at_once(line):
    names = [on_thread(lambda _: threading.current_thread().name, line=line) for _ in range(3)]
    assert {*names} == {"catalog-generator"}
    assert on_thread(lambda _: on_thread(lambda _: line.here, line=line), line=line)


def test_an_error_reaches_who_asked_and_the_thread_goes_on(line):
    with pytest.raises(ZeroDivisionError):
        on_thread(lambda _: 1 // 0, line=line)
    assert on_thread(lambda _: 7, line=line) == 7


def test_who_waits_for_a_turn_can_cancel(line):
    held, callers, made = Held(line), Callers(line), []

    def stop(done, total):
        raise Cancelled("enough")

    callers.ask("a", Call(lambda report: made.append("a"), stop, line=line))
    assert isinstance(callers.join()["a"], Cancelled)
    held.release()
    assert on_thread(lambda _: "next", line=line) == "next"
    assert made == []


def test_who_is_being_served_can_cancel_by_its_progress(line):
    generator, reports = Batching(steps=100), []

    def stop(done, total):
        reports.append((done, total))
        if done == 3:
            raise Cancelled("enough")

    with pytest.raises(Cancelled, match="enough"):
        order(line, generator, "a", on_progress=stop).result()
    assert reports == [(1, 100), (2, 100), (3, 100)]


def test_orders_that_wait_together_are_one_batch_and_each_gets_its_own(line):
    generator, reports = Batching(), []
    held, callers = Held(line), Callers(line)
    callers.ask("calm", order(line, generator, "calm", on_progress=lambda *step: reports.append(step)))
    callers.ask("other", order(line, generator, "other", length=9))
    callers.ask("bright", order(line, generator, "bright"))
    held.release()
    ends = callers.join()
    assert generator.batches == [["calm", "bright"], ["other"]]
    assert {name: made[0].provenance["prompt"] for name, made in ends.items()} == {
        name: name for name in ends
    }
    for name, length in (("calm", 5), ("other", 9), ("bright", 5)):
        assert np.array_equal(ends[name][0].samples, piece(name, {"length": length}).samples)
    assert [step for step in reports if step != (0, 1)] == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_a_batch_has_no_more_rows_than_one_may_have(line):
    generator = Batching()
    held, callers = Held(line), Callers(line)
    for number in range(MOST_ROWS + 2):
        callers.ask(number, order(line, generator, f"p{number}"))
    held.release()
    callers.join()
    assert [len(batch) for batch in generator.batches] == [MOST_ROWS, 2]


def test_what_cannot_be_made_together_is_not(line):
    class Alone(Batching):
        batch_key = None

    class Streaming(Batching):
        """It streams, but no batches: what is listened to is made alone."""

        def stream_music(self, prompt, config, *, on_progress=None):
            yield from self._make([prompt], [config], on_progress)

    for generator in (Alone(), Streaming()):
        held, callers = Held(line), Callers(line)
        rest = {} if isinstance(generator, Alone) else {"on_audio": lambda audio: None}
        for name in "ab":
            callers.ask(name, order(line, generator, name, **rest))
        held.release()
        callers.join()
        assert generator.batches == [["a"], ["b"]]


def test_an_error_in_a_batch_reaches_only_the_one_that_it_is_of(line):
    generator = Batching()
    held, callers = Held(line), Callers(line)
    for name in ("calm", "bad", "bright"):
        callers.ask(name, order(line, generator, name))
    callers.ask("negative", order(line, generator, "negative", length=-1))
    held.release()
    ends = callers.join()
    assert isinstance(ends["bad"], GeneratorError)
    assert isinstance(ends["negative"], ValueError)  # numpy's, of its own run
    assert [ends[name][0].provenance["prompt"] for name in ("calm", "bright")] == ["calm", "bright"]
    assert generator.batches == [["calm", "bad", "bright"], ["calm"], ["bad"], ["bright"], ["negative"]]


def test_one_of_a_batch_cancels_and_the_others_are_made(line):
    generator = Batching()
    held, callers = Held(line), Callers(line)

    def stop(done, total):
        if done == 2:
            raise Cancelled("enough")

    callers.ask("a", order(line, generator, "a", on_progress=stop))
    callers.ask("b", order(line, generator, "b"))
    held.release()
    ends = callers.join()
    assert isinstance(ends["a"], Cancelled)
    assert ends["b"][0].provenance["prompt"] == "b"
    assert generator.batches == [["a", "b"]]


def test_a_batch_that_everybody_left_is_not_made_to_its_end(line):
    generator, steps = Batching(steps=100), []
    generator.on_step = steps.append
    held, callers = Held(line), Callers(line)

    def stop(done, total):
        if done == 2:
            raise Cancelled("enough")

    for name in "ab":
        callers.ask(name, order(line, generator, name, on_progress=stop))
    held.release()
    assert all(isinstance(end, Cancelled) for end in callers.join().values())
    assert steps == [1, 2]


def test_the_work_of_an_owner_is_dropped_and_that_of_others_is_not(line):
    held, callers = Held(line), Callers(line)
    generator = Batching()
    for name in ("mine", "yours"):
        callers.ask(name, order(line, generator, name, owner=name))
    line.drop("mine", "the service was closed")
    wait_for(lambda: "mine" in callers.ends)
    assert str(callers.ends["mine"]) == "the service was closed"
    held.release()
    assert callers.join()["yours"][0].provenance["prompt"] == "yours"


def test_what_is_being_made_is_dropped_at_its_next_step(line):
    generator, callers, steps = Batching(steps=10_000), Callers(line), []
    generator.on_step = lambda step: steps.append(step) or time.sleep(0.001)
    callers.ask("mine", order(line, generator, "mine", owner="me"))
    wait_for(lambda: steps)
    line.drop("me", "the service was closed")
    assert line.works() == []
    assert isinstance(callers.join()["mine"], Cancelled)
    assert len(steps) < 10_000


class Large:
    """What the variables of a frame hold."""


@pytest.mark.parametrize("how", ["call", "stream"])
def test_an_error_that_is_kept_keeps_nothing_of_what_was_being_made(line, how):
    there = []

    def fail(report):
        caches = Large()
        there.append(weakref.ref(caches))
        try:
            raise RuntimeError("the first")
        except RuntimeError as error:
            raise GeneratorError("not enough memory") from error

    def begin(report):
        yield fail(report)

    with pytest.raises(GeneratorError, match="not enough memory") as kept:
        on_thread(fail, line=line) if how == "call" else next(ThreadStream(begin, line=line))
    assert [there[0](), type(kept.value.__cause__)] == [None, RuntimeError]
    assert "in fail" in "".join(traceback.format_exception(kept.value))


# Streams


def counted(made, closed, most=1_000):
    def begin(report):
        try:
            for number in range(most):
                report(number, most)
                made.append(threading.current_thread().name)
                yield number
        finally:
            closed.append(threading.current_thread().name)

    return begin


def test_each_part_of_a_stream_may_be_taken_by_another_thread(line):
    made, closed, taken = [], [], []
    stream = ThreadStream(counted(made, closed, most=12), line=line)
    for _ in range(12):
        thread = threading.Thread(target=lambda: taken.append(next(stream)))
        thread.start()
        thread.join(PATIENCE_S)
    assert taken == [*range(12)]
    assert next(stream, None) is None
    assert {*made} == {*closed} == {"catalog-generator"}


def test_two_threads_that_wait_for_one_part_get_one_each(line, monkeypatch):
    go, both, left = threading.Event(), threading.Barrier(2), [1, 1]
    look = ThreadStream._has_part_within

    def together(stream, seconds):
        found = look(stream, seconds)
        if found and left:
            left.pop()
            both.wait(PATIENCE_S)
            go.set()
        return found

    def begin(report):
        yield "first"
        assert go.wait(PATIENCE_S)
        time.sleep(0.05)
        yield "second"

    monkeypatch.setattr(ThreadStream, "_has_part_within", together)
    stream, taken = ThreadStream(begin, line=line), []
    threads = [threading.Thread(target=lambda: taken.append(next(stream, "the end"))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert sorted(taken) == ["first", "second"]


def test_a_stream_is_made_a_few_parts_ahead_of_who_takes_it(line):
    made, closed = [], []
    stream = ThreadStream(counted(made, closed), line=line)
    assert next(stream) == 0
    on_thread(lambda _: None, line=line)  # comes to its turn only once the stream waits
    assert len(made) == 1 + AHEAD
    assert next(stream) == 1
    on_thread(lambda _: None, line=line)
    assert len(made) == 2 + AHEAD
    stream.close()


def test_a_stream_that_nobody_takes_from_lets_others_pass(line):
    streams = [ThreadStream(counted([], []), line=line) for _ in range(3)]
    assert [next(stream) for stream in streams] == [0, 0, 0]
    assert on_thread(lambda _: "made", line=line) == "made"
    assert [next(stream) for stream in streams] == [1, 1, 1]


@pytest.mark.parametrize("end", ["close", "drop"])
def test_an_abandoned_stream_stops_the_making(line, end):
    made, closed = [], []
    stream = ThreadStream(counted(made, closed), line=line)
    next(stream)
    if end == "close":
        stream.close()
        assert next(stream, None) is None
    del stream
    wait_for(lambda: closed)
    assert closed == ["catalog-generator"]
    assert len(made) <= 1 + AHEAD
    assert line.works() == []


def test_a_stream_is_cancelled_by_its_progress_and_says_so_once(line):
    closed = []

    def stop(done, total):
        if done == 2:
            raise Cancelled("enough")

    stream = ThreadStream(counted([], closed), stop, line=line)
    assert [next(stream), next(stream)] == [0, 1]
    with pytest.raises(Cancelled, match="enough"):
        next(stream)
    assert next(stream, None) is None
    assert closed == ["catalog-generator"]


def test_half_made_streams_are_few_and_the_next_begins_when_one_ends(line):
    streams = [ThreadStream(counted([], [], most=9), line=line) for _ in range(5)]
    assert [next(stream) for stream in streams[:4]] == [0] * 4
    late, taken = streams[4], []
    thread = threading.Thread(target=lambda: taken.append(next(late)))
    thread.start()
    time.sleep(0.05)
    assert taken == []
    assert [*streams[0]] == [*range(1, 9)]
    thread.join(PATIENCE_S)
    assert taken == [0]


def test_parts_are_joined_with_their_codes():
    parts = [
        Audio(np.full((4, 1), number, np.float32), 100, {"seed": 1}, np.full((2, 3), number, np.int16))
        for number in range(3)
    ]
    whole = joined(parts)
    assert whole.samples[:, 0].tolist() == [0] * 4 + [1] * 4 + [2] * 4
    assert whole.codes.tolist() == [[0] * 3 + [1] * 3 + [2] * 3] * 2
    assert joined([*parts, Audio(np.zeros((1, 1), np.float32), 100)]).codes is None


ENDING = """
import contextlib, os, sys, threading
from music_catalog.generator.errors import Cancelled
from music_catalog.generator.thread.calls import on_thread
from music_catalog.generator.thread.streams import ThreadStream

def begin(report):
    for number in range(10**9):
        report(number, 10**9)
        yield number

stream = ThreadStream(begin)
print(next(stream))
child = os.fork()
if child == 0:
    print("child", on_thread(lambda _: 7), flush=True)
    os._exit(0)
os.waitpid(child, 0)

def work(report):
    while True:
        report(0, 1)

def ask():
    with contextlib.suppress(Cancelled):
        on_thread(work)

threading.Thread(target=ask, daemon=True).start()
print("parent", next(stream), flush=True)
"""


@pytest.mark.skipif(not hasattr(__import__("os"), "fork"), reason="no fork here")
def test_the_process_ends_cleanly_with_work_half_made_and_a_fork_has_a_thread_of_its_own():
    ended = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", ENDING], capture_output=True, text=True, timeout=60
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.splitlines() == ["0", "child 7", "parent 1"]


def test_a_closed_line_refuses_and_ends_what_waits(line):
    held, callers = Held(line), Callers(line)
    callers.ask("late", Call(lambda report: 1, line=line))
    closing = threading.Thread(target=line.close)
    closing.start()
    assert isinstance(callers.join()["late"], Cancelled)
    assert closing.is_alive()
    held.release()
    closing.join(PATIENCE_S)
    with pytest.raises(GeneratorError, match="ending"):
        on_thread(partial(int), line=line)


# Faults: what raises where nobody expects it ends its own work, and the thread goes on


def ends_of(callers):
    """Return how each of the callers ended, once all have."""
    return {name: str(end) for name, end in callers.join().items()}


def test_a_step_that_raises_ends_its_work_and_the_thread_goes_on(line):
    asked = threading.Event()

    class Broken(Call):
        def step(self):
            asked.wait(PATIENCE_S)
            raise SystemExit("broken")

    callers = Callers(line)
    callers.ask("broken", Broken(None, line=line))
    asked.set()
    assert ends_of(callers) == {"broken": "broken"}
    assert on_thread(lambda _: "next", line=line) == "next"


def test_a_stream_whose_end_raises_tells_it_and_the_thread_goes_on(line):
    class Leaky:
        def __init__(self, report):
            self.parts = iter([1])

        def __iter__(self):
            return self

        def __next__(self):
            return next(self.parts)

        def close(self):
            raise RuntimeError("it does not close")

    stream = ThreadStream(Leaky, line=line)
    assert next(stream) == 1
    with pytest.raises(RuntimeError, match="does not close"):
        next(stream)
    assert on_thread(lambda _: "next", line=line) == "next"


def test_a_batch_with_too_few_pieces_is_made_one_by_one(line):
    class Short(Batching):
        def generate_batch(self, prompts, configs, **rest):
            return super().generate_batch(prompts, configs, **rest)[:-1]

    generator, held, callers = Short(), Held(line), Callers(line)
    for name in "ab":
        callers.ask(name, order(line, generator, name))
    held.release()
    assert {name: end[0].provenance["prompt"] for name, end in callers.join().items()} == {"a": "a", "b": "b"}
    assert generator.batches == [["a", "b"], ["a"], ["b"]]


def test_a_batch_that_ends_the_thread_ends_all_who_asked_for_it(line):
    class Exiting(Batching):
        def generate_batch(self, prompts, configs, **rest):
            raise SystemExit("no more")

    generator, held, callers = Exiting(), Held(line), Callers(line)
    for name in "ab":
        callers.ask(name, order(line, generator, name))
    held.release()
    assert ends_of(callers) == {"a": "no more", "b": "no more"}
    assert on_thread(lambda _: "next", line=line) == "next"


def test_a_piece_that_tells_no_key_of_a_batch_is_made_alone(line):
    class Keyless(Batching):
        def batch_key(self, config):
            return config["no such name"] if config["length"] == 7 else config["length"]

    generator, held, callers = Keyless(), Held(line), Callers(line)
    callers.ask("a", order(line, generator, "a"))
    callers.ask("b", order(line, generator, "b"))
    callers.ask("keyless", order(line, generator, "keyless", length=7))
    held.release()
    assert {name: end[0].provenance["prompt"] for name, end in callers.join().items()} == {
        "a": "a",
        "b": "b",
        "keyless": "keyless",
    }
    assert generator.batches == [["a", "b"], ["keyless"]]


def test_who_cancels_in_a_batch_waits_for_no_other(line):
    generator, go = Batching(steps=2), threading.Event()
    generator.on_step = lambda step: step == 1 or go.wait(PATIENCE_S)
    held, leaving, staying = Held(line), Callers(line), Callers(line)

    def stop(done, total):
        if done:
            raise Cancelled("enough")

    first, second = order(line, generator, "a"), order(line, generator, "b", on_progress=stop)
    staying.ask("a", first)
    leaving.ask("b", second)
    held.release()
    try:
        wait_for(lambda: leaving.ends)
        assert not staying.ends
    finally:
        go.set()
    assert str(leaving.join()["b"]) == "enough"
    assert staying.join()["a"][0].provenance["prompt"] == "a"
    assert second.error is second.value is None, "what it raised holds arrays no longer"


def test_a_stream_too_many_is_refused_once_nobody_takes_from_the_others(line, monkeypatch):
    monkeypatch.setattr("music_catalog.generator.thread.streams.STUCK_S", 0.5, raising=False)
    streams, callers = [ThreadStream(counted([], []), line=line) for _ in range(6)], Callers(line)
    assert [next(stream) for stream in streams[:4]] == [0] * 4

    class Late:
        def result(self):
            return next(streams[4])

    callers.ask("late", Late())
    for number in range(1, 11):
        assert next(streams[0]) == number
        time.sleep(0.1)
    assert not callers.ends, "somebody takes from one of the four"
    assert "close one" in str(callers.join()["late"])
    assert isinstance(callers.ends["late"], GeneratorError)
    streams[0].close()
    assert next(streams[5]) == 0
