"""A plugin's generator as the catalog uses it: set up from its settings, and its music checked before it is taken."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np

from ..errors import Unavailable
from ..generator import Audio, Cancelled, Generator, GeneratorError, Progress
from ..generator.audio.checks import checked
from ..generator.audio.loop import cut_loop, extra_s
from ..generator.thread.turns import Places
from .installed import one_line

__all__ = ["MOST_RANK", "REQUIRED", "USUAL_RANK", "PluginGenerator", "faults_of"]

REQUIRED = ("model", "weights_license", "seed", "versions")
"""What the provenance of a plugin's music must state; the catalog adds `backend`, the name that it was called by."""
USUAL_RANK, MOST_RANK = 1, 3
"""MusicGen small has rank 1, medium 2 and large 3: a track is not offered where a generator of higher rank is asked."""
RATES = (8_000, 192_000)
"""The sample rates that are taken, from and to."""


class PluginGenerator:
    """The generator of a plugin under the name that it is called by. Whatever it raises becomes a GeneratorError."""

    def __init__(self, name: str, make: Callable[..., Generator], settings: Mapping[str, Any]) -> None:
        """Set the generator up. Raises Unavailable in one sentence."""
        self.name = name
        try:
            self._generator = make(**settings)
            stated: object = getattr(self._generator, "weights_license", None)
            self.rank = getattr(self._generator, "rank", USUAL_RANK)
        except GeneratorError as error:
            raise Unavailable(f"the generator {name} cannot be set up: {error}") from error
        except (Exception, SystemExit) as error:  # a plugin may raise anything
            raise Unavailable(f"the generator {name} cannot be set up: {one_line(error)}") from error
        if not isinstance(stated, str) or not stated.strip():
            raise Unavailable(
                f"the generator {name} states no licence; its attribute weights_license must be a text such as MIT"
            )
        if type(self.rank) is not int or not 0 <= self.rank <= MOST_RANK:
            raise Unavailable(
                f"the generator {name} has the rank {self.rank!r}; it lies between 0 and {MOST_RANK}"
            )

        self.weights_license = stated
        # Absent where the plugin has none: who asks looks whether they are there.
        if hasattr(self._generator, "stream_music"):
            self.stream_music = self._stream_music
        if hasattr(self._generator, "generate_batch") and hasattr(self._generator, "batch_key"):
            self.generate_batch, self.batch_key = self._generate_batch, self._batch_key
        self.places = Places(1) if getattr(self._generator, "elsewhere", False) else None
        """Where other machines make the music: they are asked one call at a time, beside what this one makes."""

    def generate_music(
        self,
        prompt: str,
        config: Mapping[str, Any],
        *,
        melody: Audio | None = None,
        continue_from: Audio | None = None,
        on_progress: Progress | None = None,
    ) -> Audio:
        """Return the music of the plugin; a loop is cut here where it makes none itself (`makes_loops`).

        Raises GeneratorError for whatever the plugin raises and for music that cannot be used.
        """
        given = {"melody": melody, "continue_from": continue_from}
        inputs = {name: audio for name, audio in given.items() if audio is not None}
        with self._told(on_progress) as steps:
            made = self._generator.generate_music(prompt, self._asked(config), on_progress=steps, **inputs)
        return self._taken(made, config)

    def _stream_music(
        self,
        prompt: str,
        config: Mapping[str, Any],
        *,
        melody: Audio | None = None,
        continue_from: Audio | None = None,
        on_progress: Progress | None = None,
    ) -> Iterator[Audio]:
        """Yield the music of `generate_music` in consecutive parts; a loop that is cut here is one part."""
        given = {"melody": melody, "continue_from": continue_from}
        inputs = {name: audio for name, audio in given.items() if audio is not None}
        if self._cuts(config):
            yield self.generate_music(prompt, config, on_progress=on_progress, **inputs)
            return
        with self._told(on_progress) as steps:
            source: Any = self._generator
            parts = iter(source.stream_music(prompt, dict(config), on_progress=steps, **inputs))
        form: tuple[int, int] | None = None
        while True:
            with self._told(on_progress, steps):
                part = next(parts, None)
            if part is None:
                break
            taken = self._checked(part, config)
            own = taken.sample_rate, taken.samples.shape[1]
            if own != (form := form or own):
                raise GeneratorError(
                    f"a part of what the generator {self.name} streams has {own[0]} Hz and {own[1]} channels, "
                    f"and must have {form[0]} Hz and {form[1]} as the first one"
                )
            yield taken
        if form is None:
            raise GeneratorError(f"the generator {self.name} streamed no part of the music")

    def _generate_batch(
        self,
        prompts: Sequence[str],
        configs: Sequence[Mapping[str, Any]],
        *,
        melodies: Sequence[Audio | None] | None = None,
        on_progress: Progress | None = None,
    ) -> list[Audio]:
        """Return one piece per prompt and configuration, as `generate_music` would alone, in their order."""
        source: Any = self._generator
        given = {} if melodies is None or not any(melodies) else {"melodies": list(melodies)}
        with self._told(on_progress) as steps:
            asked = [self._asked(config) for config in configs]
            made = list(source.generate_batch(list(prompts), asked, on_progress=steps, **given))
        if len(made) != len(prompts):
            raise GeneratorError(
                f"the generator {self.name} made {len(made)} pieces of {len(prompts)} that were asked for together"
            )
        return [self._taken(one, config) for one, config in zip(made, configs, strict=True)]

    def _batch_key(self, config: Mapping[str, Any]) -> Hashable:
        """Return what is the same for configurations that one batch can hold."""
        source: Any = self._generator
        with self._told(None):
            key: Hashable = source.batch_key(self._asked(config))
            hash(key)
        return key

    def _cuts(self, config: Mapping[str, Any]) -> bool:
        """Return whether the loop that `config` asks for is cut here, since the plugin makes none."""
        return bool(config.get("loopable")) and not getattr(self._generator, "makes_loops", False)

    def _asked(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """Return the configuration for the plugin: longer music for a loop that is cut here."""
        if not self._cuts(config):
            return dict(config)
        duration_s = float(config["duration_s"])
        return {**config, "duration_s": duration_s + extra_s(duration_s), "loopable": False}

    def _taken(self, made: object, config: Mapping[str, Any]) -> Audio:
        """Return the checked music, cut to a loop where that is done here."""
        music = self._checked(made, config)
        if not self._cuts(config):
            return music
        exact = config.get("normalize_duration") == "strict"
        return cut_loop(music, float(config["duration_s"]), exact=exact)

    def _checked(self, made: object, config: Mapping[str, Any]) -> Audio:
        if faults := faults_of(made, config):
            raise GeneratorError(f"what the generator {self.name} made cannot be used: {faults[0]}")
        assert isinstance(made, Audio)
        return replace(made, provenance={**made.provenance, "backend": self.name}, codes=None)

    @contextmanager
    def _told(self, on_progress: Progress | None, steps: _Steps | None = None) -> Iterator[_Steps]:
        """Yield the progress to hand to the plugin; whatever it raises becomes a GeneratorError."""
        steps = steps or _Steps(on_progress)
        try:
            yield steps
        except (Cancelled, GeneratorError, MemoryError):
            raise
        except (Exception, SystemExit) as error:  # a plugin may raise anything
            if error is steps.raised:
                raise
            raise GeneratorError(f"the generator {self.name} failed: {one_line(error)}") from error


class _Steps:
    """The progress of a generator, passed on; `raised` is what the caller's own function raised."""

    def __init__(self, on_progress: Progress | None) -> None:
        self._on_progress = on_progress
        self.raised: BaseException | None = None

    def __call__(self, done: int, total: int) -> None:
        if self._on_progress is None:
            return
        try:
            self._on_progress(done, total)
        except BaseException as error:
            self.raised = error
            raise


def faults_of(made: object, config: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with a plugin's answer to `config`, a sentence each; nothing where it can be used."""
    if not isinstance(made, Audio):
        return [f"it is a {type(made).__name__}, and must be a music_catalog.generator.Audio"]
    faults = []
    samples: object = made.samples
    if not isinstance(samples, np.ndarray) or samples.dtype != np.float32:
        kind = samples.dtype if isinstance(samples, np.ndarray) else type(samples).__name__
        return [f"its samples are {kind}, and must be a float32 array"]
    if type(made.sample_rate) is not int or not RATES[0] <= made.sample_rate <= RATES[1]:
        return [
            f"its sample_rate is {made.sample_rate!r}, and must be a whole number from {RATES[0]} to {RATES[1]}"
        ]
    try:
        checked(made)
    except GeneratorError as error:
        return [str(error)]
    provenance: object = made.provenance
    if not isinstance(provenance, Mapping):
        return [f"its provenance is a {type(provenance).__name__}, and must be a mapping"]
    if missing := [name for name in REQUIRED if name not in made.provenance]:
        return [f"its provenance lacks {', '.join(missing)}"]
    for name in ("model", "weights_license"):
        stated = made.provenance[name]
        if not isinstance(stated, str) or not stated.strip() or len(stated) > 200:
            faults.append(
                f"its provenance states {name} {stated!r:.60}, and must state a text of 1 to 200 characters"
            )
    if made.provenance["seed"] != config["seed"]:
        faults.append(
            f"its provenance states the seed {made.provenance['seed']!r:.30}, but {config['seed']} was asked"
        )
    if not isinstance(made.provenance["versions"], Mapping):
        faults.append("its provenance states versions that are no mapping of a package to its version")
    return faults
