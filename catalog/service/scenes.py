"""`MusicService.scene`: a loop for a scene, as long as it is wanted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, overload

from typing_extensions import Unpack

from ..models import Context, Result, ServedResult
from ..request.context import ContextSource
from ..request.scene import loop_arguments, read_scene
from .call import SceneCallArguments
from .open_catalog import OpenCatalog

__all__ = ["SceneCatalog"]


class SceneCatalog(OpenCatalog):
    """The part of `MusicService` that finds or makes the loop of a scene."""

    find_or_make: Callable[..., Any]

    @overload
    def scene(
        self,
        chunk: ContextSource,
        environment: str | None = None,
        time_of_day: str | None = None,
        duration_s: float = 45.0,
        *,
        dry_run: Literal[False] = False,
        **arguments: Unpack[SceneCallArguments],
    ) -> ServedResult: ...

    @overload
    def scene(
        self,
        chunk: ContextSource,
        environment: str | None = None,
        time_of_day: str | None = None,
        duration_s: float = 45.0,
        *,
        dry_run: bool,
        **arguments: Unpack[SceneCallArguments],
    ) -> Result: ...

    def scene(
        self,
        chunk: ContextSource,
        environment: str | None = None,
        time_of_day: str | None = None,
        duration_s: float = 45.0,
        *,
        dry_run: bool = False,
        **arguments: Unpack[SceneCallArguments],
    ) -> Result:
        """Return a loop for the scene in `chunk`, reused where one fits; a loop serves any length.

        `environment` and `time_of_day`, passed here or in `chunk` beside its text or under "tags", win over what the
        text says; a contradiction is among the warnings. The place picks an `environment_*` preset, and the mood
        changes it. A new loop is 30 to 60 s long; `music_catalog.export.write_at_length` repeats it to `duration_s`.
        `arguments` are as for `find_or_make`. Raises InputError for an unknown place, with the nearest names.
        """
        context = read_scene(chunk, environment, time_of_day)
        features = self._features_of(Context(text=context.text, query=context.query))
        loop, notes = loop_arguments(context, features, self.library.styles, duration_s, arguments)
        result: Result = self.find_or_make(context, dry_run=dry_run, **loop)
        return result.model_copy(update={"warnings": (*notes, *result.warnings)})
