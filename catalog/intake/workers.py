"""Processes that prepare files side by side, so that a file that brings down its decoder costs that file alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Any

__all__ = ["Workers", "count_for"]


MOST = 8
AHEAD = 3
"""How many files for each process are begun before the first of them was taken."""
LONGEST_S = 1_200.0
"""A file that takes longer is given up."""
_START = "from music_catalog.intake.preparing import serve; serve()"


class Workers:
    """A fixed number of processes; each prepares one file at a time and begins when the first one comes."""

    def __init__(self, count: int) -> None:
        self._own = threading.local()
        self._count = count
        self._threads = ThreadPoolExecutor(count, thread_name_prefix="catalog-add")
        self._running: list[subprocess.Popen[str]] = []
        self._lock = threading.Lock()
        self._closed = False

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *_: object) -> None:
        """End the processes; a file that is being prepared is given up."""
        self._closed = True
        self._threads.shutdown(wait=False, cancel_futures=True)
        with self._lock:
            for process in self._running:
                process.kill()
        self._threads.shutdown(wait=True)
        for process in self._running:
            with suppress(OSError):
                process.communicate()

    def prepare(self, tasks: Iterable[dict[str, Any]], ahead: int | None = None) -> Iterator[dict[str, Any]]:
        """Yield the answer to each task, in the order of the tasks; see `preparing.prepare`.

        `ahead` is in place of AHEAD where each task that is begun takes room on the disk.
        The answer to a file that cannot be used is {"failed": the reason}.
        """
        waiting: list[Future[dict[str, Any]]] = []
        for task in tasks:
            # One that is known already is answered without a process, in its turn.
            waiting.append(
                _done(task["answer"]) if "answer" in task else self._threads.submit(self._ask, task)
            )
            if len(waiting) >= (ahead or AHEAD) * self._count:
                yield waiting.pop(0).result()
        for one in waiting:
            yield one.result()

    def _ask(self, task: dict[str, Any]) -> dict[str, Any]:
        process = self._process()
        assert process.stdin is not None
        assert process.stdout is not None
        late = threading.Timer(LONGEST_S, process.kill)
        late.daemon = True
        late.start()
        try:
            process.stdin.write(json.dumps(task) + "\n")
            process.stdin.flush()
            line = process.stdout.readline()
        except OSError:
            line = ""
        finally:
            late.cancel()
        if line.endswith("\n"):
            answer: dict[str, Any] = json.loads(line)
            return answer
        code = process.wait()
        self._own.process = None
        how = f"signal {-code}" if code < 0 else f"exit {code}"
        return {"failed": f"its decoder died of it ({how}); it is damaged, or far too large"}

    def _process(self) -> subprocess.Popen[str]:
        process: subprocess.Popen[str] | None = getattr(self._own, "process", None)
        if process is None:
            environment = os.environ | {"PYTHONPATH": os.pathsep.join(path or "." for path in sys.path)}
            # A process for each core: threads within would only get in each other's way.
            environment |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
            process = subprocess.Popen(
                [sys.executable, "-c", _START],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,  # decoders complain there of every odd byte
                env=environment,
                text=True,
                encoding="utf-8",
            )
            with self._lock:
                self._running.append(process)
                if self._closed:
                    process.kill()
            self._own.process = process
        return process


def count_for(files: int) -> int:
    """Return how many processes are of use for so many files: one for each core, up to `MOST`."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(MOST, cores, files))


def _done(answer: dict[str, Any]) -> Future[dict[str, Any]]:
    future: Future[dict[str, Any]] = Future()
    future.set_result(answer)
    return future
