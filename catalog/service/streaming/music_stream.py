"""`MusicService.stream_music`: the sound of a track while it is found or made."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from typing_extensions import Unpack

from ...generator import Audio, Cancelled, Progress, audio
from ...models import ServedResult
from ...request.context import ContextSource
from .live import LiveSound

if TYPE_CHECKING:
    from ..call import ServeArguments

__all__ = ["MusicStream", "StreamsMusic"]


PART_S = 1.0


class MusicStream:
    """The parts of a track as float32 `Audio`, to iterate over once; `result()` is the finished track.

    `live` tells, from the first part on, whether they come while the track is made. They are then shaped like it but
    for the loudness, and are not the stored samples; else they are those. `close`, or the end of a `with` block before
    the track is there, cancels the making.
    """

    def __init__(self, serve: Callable[..., ServedResult], on_progress: Progress | None) -> None:
        self._serve, self._on_progress = serve, on_progress
        self._sound, self._left = LiveSound(), False
        self._listener = self._sound.listen()
        self._served: ServedResult | None = None
        self._error: BaseException | None = None
        self.live = False
        self._thread = threading.Thread(target=self._run, name="catalog-stream", daemon=True)
        self._thread.start()

    def __enter__(self) -> MusicStream:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[Audio]:
        """Yield the parts. Raises what `find_or_make` raises."""
        try:
            for part in self._listener:
                self.live = True
                yield part
        except GeneratorExit:
            self.close()
            raise
        result = self.result()
        if not self.live:
            assert result.path is not None
            whole = audio.read(result.path, max_bytes=result.track.audio_bytes)
            step = round(PART_S * whole.sample_rate)
            for at in range(0, len(whole.samples), step):
                yield Audio(whole.samples[at : at + step], whole.sample_rate)

    def result(self) -> ServedResult:
        """Wait for the track and return what `find_or_make` returns; raises what it raises."""
        self._thread.join()
        if self._error is not None:
            raise self._error
        assert self._served is not None
        return self._served

    def close(self) -> None:
        """Cancel the making, unless the track is there, and wait until it has stopped."""
        self._left = True
        self._thread.join()

    def _run(self) -> None:
        def report(done: int, total: int) -> None:
            if self._left:
                raise Cancelled("nobody listens any more")
            if self._on_progress is not None:
                self._on_progress(done, total)

        try:
            self._served = self._sound.around(
                lambda: self._serve(on_progress=report, on_audio=self._sound.add)
            )
        except BaseException as error:
            self._error = error


class StreamsMusic:
    """The part of `MusicService` that is heard while it works."""

    find_or_make: Callable[..., Any]
    _require_open: Callable[[], None]

    def stream_music(self, text_context: ContextSource, **arguments: Unpack[ServeArguments]) -> MusicStream:
        """Do what `find_or_make` does, and return the sound to iterate over while a new track is made.

        A track that is reused, and that of a generator which makes the whole at once (the synthesizer), comes from its
        file. `arguments` are as for `find_or_make`, which is what raises; iterating and `result()` raise it.
        """
        self._require_open()
        on_progress = arguments.pop("on_progress", None)

        def serve(**listening: Any) -> Any:
            return self.find_or_make(text_context, **arguments, **listening)

        return MusicStream(serve, on_progress)
