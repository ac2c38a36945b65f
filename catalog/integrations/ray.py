"""Ray: bulk work and generators on the actors of a cluster, or on those of a Ray of this machine's own.

Actors and not Ray Data: its executor cannot be driven through a Ray client (`ray://`), and parts that are large and
few need nothing else of it. An actor opens the catalog once; a part whose actor dies is given to its successor.
"""

from __future__ import annotations

import os
import queue
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any

from ..bulk.workers import Opener
from ..errors import CatalogError, InputError, MissingExtra, Unavailable
from ..generator import Audio, Generator, Progress, load_generator
from ..service.making import Generators
from ..service.stages import Flow
from .optional import extra

with extra("ray", "ray"):
    import ray

__all__ = ["RayGenerators", "RayWorkers", "connect"]

STORE_BYTES = 256 * 1024**2
"""Memory that a Ray of this machine's own has for what travels: parts, and some dozen tracks."""
RETRIES = 3
"""How often a part is done anew whose actor died."""
LOOK_S = 0.5
"""After so many seconds of waiting the caller is told of progress, and may cancel."""
TOGETHER = 8
"""How many tracks one actor makes at once."""


def connect(address: str = "local") -> None:
    """Connect this process to the Ray cluster at `address`, unless it is connected.

    "local" starts a Ray on this machine that ends with this process, "auto" takes the one that runs here, "host:port"
    and "ray://host:port" name one. Raises InputError for another address, Unavailable where no cluster answers.
    """
    if ray.is_initialized():
        return
    if not (address in ("local", "auto") or ":" in address.removeprefix("ray://")):
        raise InputError(f"workers is {address!r}; pass local, auto, host:port or ray://host:port")
    # Ray sends reports of its use over the network unless it is told not to.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    options: dict[str, Any] = {"logging_level": "ERROR"}
    if address == "local":
        options |= {"include_dashboard": False, "object_store_memory": STORE_BYTES, "log_to_driver": False}
    try:
        ray.init(address, **options)
    except ValueError as error:
        if "ray[client]" not in str(error):
            raise InputError(f"workers is {address!r}: {error}") from error
        raise MissingExtra(
            "ray:// needs grpcio, which is not installed; pip install 'music-catalog[ray]'"
        ) from error
    except (ConnectionError, RuntimeError, TimeoutError) as error:
        raise Unavailable(
            f"no Ray cluster answers at {address}: {str(error).splitlines()[0]}; start one with "
            "`ray start --head`, or pass local"
        ) from error


class RayWorkers:
    """Workers for bulk work that are actors of a Ray cluster: one for each processor, or each GPU to make music.

    They stay, with the catalog open, for as long as this process runs.
    """

    def __init__(self, address: str = "local", *, count: int | None = None) -> None:
        """Connect as `connect` does; `count` is the number of actors."""
        connect(address)
        self.count = count or _capacity("CPU")
        self._makers = count or _capacity("GPU") or self.count
        self._idle: dict[bool, list[Any]] = {False: [], True: []}
        """The actors that do nothing: those for any work, and where there are GPUs those that make."""
        self._opener: Opener | None = None
        self._sent: list[Any] = []
        """The opener as the cluster holds it; in a list, so that a worker fetches it once and not with each part."""

    def run(
        self,
        function: Callable[[Flow, Any], Any],
        opener: Opener,
        parts: Iterable[Any],
        *,
        makes: bool = False,
    ) -> Iterator[tuple[int, Any]]:
        """See `music_catalog.bulk.workers.Workers`. Raises InputError for a home that the cluster cannot reach."""
        _check_reach(opener.home)
        if opener != self._opener:
            self._opener, self._sent = opener, [ray.put(opener)]
        waiting, most = enumerate(parts), self._makers if makes else self.count
        busy: dict[Any, tuple[int, Any]] = {}

        def begin(actor: Any, number: int, part: Any) -> None:
            with _errors():
                busy[actor.do.remote(self._sent, function, part)] = number, actor

        try:
            for number, part in islice(waiting, most):
                begin(self._actor(makes), number, part)
            while busy:
                with _errors():
                    (ended,), _ = ray.wait([*busy])
                    number, actor = busy.pop(ended)
                    done = ray.get(ended)
                # The next part is on its way while the caller takes care of this one.
                if following := next(waiting, None):
                    begin(actor, *following)
                else:
                    self._idle[_on_gpu(makes)].append(actor)
                yield number, done
        finally:
            with _errors():
                for _, actor in busy.values():
                    ray.kill(actor)

    def _actor(self, makes: bool) -> Any:
        idle = self._idle[_on_gpu(makes)]
        return idle.pop() if idle else _options(_Worker, makes).remote()


class RayGenerators:
    """Generators for `MusicService.open(generators=...)`: what they make is made by the actors of a Ray cluster.

    Only prompts, configurations and samples travel, so a home in a local folder will do.
    """

    def __init__(
        self, address: str = "local", *, count: int | None = None, load: Generators = load_generator
    ) -> None:
        """Connect as `connect` does; `count` is the number of actors, `load` what loads a generator in them."""
        connect(address)
        self.at_once = count or _capacity("GPU") or _capacity("CPU")
        """How many calls make at a time."""
        self.together = TOGETHER * self.at_once
        """How many tracks a batch may have."""
        self._idle: queue.Queue[Any] = queue.Queue()
        self._actors = [_options(_Maker, True).remote(load) for _ in range(self.at_once)]
        for actor in self._actors:
            self._idle.put(actor)

    def __call__(self, backend: str, size: str) -> Generator:
        """Return the generator of a backend and a model size; it is loaded where it makes."""
        return _OnRay(self, backend, size)

    def close(self) -> None:
        """End the actors."""
        for actor in self._actors:
            ray.kill(actor)

    def make(
        self, backend: str, size: str, pieces: Sequence[_Piece], on_progress: Progress | None
    ) -> list[Audio]:
        """Make pieces, shared out to the actors that are free; return their samples in order.

        What `on_progress` raises ends the actors at work, which start anew.
        """
        share = max(1, min(TOGETHER, -(-len(pieces) // self.at_once)))
        groups = [pieces[start : start + share] for start in range(0, len(pieces), share)]
        made: dict[int, list[Audio]] = {}
        busy: dict[Any, tuple[int, Any]] = {}
        begun = 0
        try:
            while len(made) < len(groups):
                while begun < len(groups) and (actor := self._free(wait=not busy)) is not None:
                    busy[actor.make.remote(backend, size, groups[begun])] = begun, actor
                    begun += 1
                with _errors():
                    ended = ray.wait([*busy], timeout=LOOK_S)[0] if busy else []
                if on_progress is not None:
                    on_progress(len(made), len(groups))
                for each in ended:
                    with _errors():
                        made[busy[each][0]] = ray.get(each)
                    self._idle.put(busy.pop(each)[1])
        except BaseException:
            for _, actor in busy.values():
                ray.kill(actor, no_restart=False)
                self._idle.put(actor)
            raise
        return [audio for number in range(len(groups)) for audio in made[number]]

    def _free(self, *, wait: bool) -> Any:
        """Return an actor that does nothing, None where there is none, with `wait` after LOOK_S seconds."""
        try:
            return self._idle.get(block=wait, timeout=LOOK_S)
        except queue.Empty:
            return None


_Piece = tuple[str, Mapping[str, Any], Mapping[str, Audio]]
"""A prompt, its configuration, and its audio inputs by name."""


class _OnRay:
    """A generator whose work is done by actors."""

    def __init__(self, generators: RayGenerators, backend: str, size: str) -> None:
        self._generators, self._backend, self._size = generators, backend, size

    def generate_music(
        self,
        prompt: str,
        config: Mapping[str, Any],
        *,
        melody: Audio | None = None,
        continue_from: Audio | None = None,
        on_progress: Progress | None = None,
    ) -> Audio:
        """See `Generator`."""
        audios = {"melody": melody, "continue_from": continue_from}
        given = {name: each for name, each in audios.items() if each is not None}
        (made,) = self._make([(prompt, dict(config), given)], on_progress)
        return made

    def generate_batch(
        self,
        prompts: Sequence[str],
        configs: Sequence[Mapping[str, Any]],
        *,
        melodies: Sequence[Audio | None] | None = None,
        on_progress: Progress | None = None,
    ) -> list[Audio]:
        """Return one piece for each prompt, in order."""
        given = [{} if each is None else {"melody": each} for each in melodies or [None] * len(prompts)]
        pieces = zip(prompts, map(dict, configs), given, strict=True)
        return self._make([*pieces], on_progress)

    def _make(self, pieces: Sequence[_Piece], on_progress: Progress | None) -> list[Audio]:
        return self._generators.make(self._backend, self._size, pieces, on_progress)


class _Worker:
    """The actor of bulk work. It opens the catalog at its first part, so that a failure is the part's error."""

    def __init__(self) -> None:
        self._opened: tuple[str, Flow] | None = None

    def do(self, opener: Sequence[Any], function: Callable[[Flow, Any], Any], part: Any) -> Any:
        (sent,) = opener
        if self._opened is None or self._opened[0] != sent.hex():
            self._opened = sent.hex(), ray.get(sent).open()
        return function(self._opened[1], part)


class _Maker:
    """The actor that makes music. Its generators stay loaded."""

    def __init__(self, load: Generators) -> None:
        self._load = load
        self._loaded: dict[tuple[str, str], Any] = {}

    def make(self, backend: str, size: str, pieces: Sequence[_Piece]) -> list[Audio]:
        if (backend, size) not in self._loaded:
            self._loaded[backend, size] = self._load(backend, size)
        generator = self._loaded[backend, size]
        batch = getattr(generator, "generate_batch", None)
        if batch is None or len(pieces) == 1:
            return [generator.generate_music(prompt, config, **given) for prompt, config, given in pieces]
        prompts, configs, given = zip(*pieces, strict=True)
        made: list[Audio] = batch(prompts, configs, melodies=[each.get("melody") for each in given])
        return made


def _on_gpu(makes: bool) -> bool:
    return makes and _capacity("GPU") > 0


def _options(actor: type, makes: bool) -> Any:
    gpus = int(_on_gpu(makes))
    return ray.remote(actor).options(num_gpus=gpus, max_restarts=-1, max_task_retries=RETRIES)


def _capacity(resource: str) -> int:
    return int(ray.cluster_resources().get(resource, 0))


def _check_reach(home: str) -> None:
    """Raise InputError for a home in a folder of this machine where the cluster has others."""
    if "://" in home:
        return
    others = {node["NodeManagerHostname"] for node in ray.nodes() if node["Alive"]} - {socket.gethostname()}
    if others:
        raise InputError(
            f"the home {home} is a folder of this machine, and the Ray cluster has {', '.join(sorted(others))} too; "
            "use a home on object storage, or workers of this machine: local"
        )


@contextmanager
def _errors() -> Iterator[None]:
    """Turn what Ray raises into what the work raised, and the death of actors or of the cluster into Unavailable."""
    try:
        yield
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, CatalogError) or type(error.cause).__module__.endswith("generator.errors"):
            raise error.cause from None
        raise
    except ray.exceptions.RayActorError as error:
        raise Unavailable(
            f"a worker of Ray died {RETRIES + 1} times over one part of the work: {str(error).splitlines()[0]}"
        ) from error
    except (ray.exceptions.RayError, ConnectionError) as error:
        raise Unavailable(
            f"Ray gave up the work: {str(error).splitlines()[0] if str(error) else type(error).__name__}; look at the "
            "state of the cluster, and run the same again"
        ) from error
