"""Stories and mixes as jobs of the queue: what is sent is kept until it is made, what is made until it is fetched."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from ..disk.files import storing, write_file
from ..errors import InputError
from ..export import name_of
from ..generator import Progress
from ..models import Track
from ..plugins.renderers import renderers_here
from ..request.scene import read_scene
from ..service.jobs import Job, Jobs
from ..service.jobs.work import HandedOver, Kind, Work
from ..service.service import MusicService
from ..store.store import Store
from ..validation import nearest
from .kept import SOURCE, VOICE
from .mix import mix_under
from .narration import read_narration
from .renderers import NARRATORS, narrator
from .score import score
from .shared import soundtracks_of

__all__ = ["KINDS", "keep_recording", "mix_sent", "narrators_here", "queue_mix", "queue_story"]


TITLE_CHARACTERS = 80


def narrators_here() -> list[str]:
    """Return the names of the narrators whose command this machine has, and of plugins that speak."""
    commands = [name for name, command in NARRATORS.items() if shutil.which(command.program)]
    return [*commands, *renderers_here("voice")]


def keep_recording(store: Store, content: bytes) -> str:
    """Keep a recording that is sent for a part of a story; return its id. Raises InputError where it is none."""
    kept = soundtracks_of(store)
    name, folder = kept.begin("voice")
    path = folder / "recording"
    try:
        with storing("the recording cannot be kept"):
            write_file(path, content)
        read_narration(path)
        kept.share("voice", name)
    except BaseException as error:
        kept.drop("voice", name)
        if isinstance(error, InputError):
            raise InputError(_of_recording(str(error), path)) from error
        raise
    return name


def queue_story(
    jobs: Jobs,
    chunks: Sequence[Mapping[str, Any]],
    *,
    title: str = "",
    voice: str | None = None,
    choices: Mapping[str, Any],
) -> Job:
    """Queue a story and return its job, whose outcome is the story's id.

    A chunk has a `text`, tags as `read_story` takes them, and as `narration` the id of a recording that was sent.
    `voice` is the name of a narrator, `choices` are arguments of `score`. Raises InputError and as `Jobs.do` does.
    """
    if voice is not None and voice not in narrators_here():
        here = narrators_here()
        advice = (
            nearest(voice, here) if here else "none is: send a recording of each part, or leave out narrator"
        )
        raise InputError(f"there is no narrator {voice!r} on this machine; {advice}")
    for number, chunk in enumerate(chunks, start=1):
        try:
            read_scene(chunk)
        except InputError as error:
            raise InputError(f"part {number}: {error}") from None
    kept = soundtracks_of(jobs.service.store)
    recordings = {
        number: kept.recording(str(one["narration"]))
        for number, one in enumerate(chunks)
        if one.get("narration")
    }
    name, folder = kept.begin("story")
    title = title or _title(str(chunks[0].get("text", "")))
    try:
        with storing("the story cannot be kept"):
            for number, path in recordings.items():
                shutil.copyfile(path, folder / f"voice-{number}")
            lines = [
                json.dumps(
                    {**one, "narration": f"voice-{number}" if number in recordings else None},
                    ensure_ascii=False,
                )
                for number, one in enumerate(chunks)
            ]
            write_file(folder / SOURCE, "\n".join(lines).encode())
        kept.share("story", name)
        call = {"kind": "story", "id": name, "title": title, "voice": voice, "choices": dict(choices)}
        return jobs.do(call, request={"kind": "story", "summary": title, "story": name})
    except BaseException:
        kept.drop("story", name)
        raise


def queue_mix(jobs: Jobs, track: Track, recording: bytes, *, form: str, loop: bool | None) -> Job:
    """Queue a mix of a track under a recording and return its job, whose outcome has the mix's id and its warnings.

    Raises as `Jobs.do` does.
    """
    kept = soundtracks_of(jobs.service.store)
    name, folder = kept.begin("mix")
    try:
        with storing("the recording cannot be kept until it is mixed"):
            write_file(folder / VOICE, recording)
        kept.share("mix", name)
        call = {"kind": "mix", "id": name, "track": track.id, "form": form, "loop": loop}
        summary = f"A voice over “{track.name}”"
        return jobs.do(call, request={"kind": "mix", "summary": summary, "track": track.id})
    except BaseException:
        kept.drop("mix", name)
        raise


def _story(service: MusicService, call: Mapping[str, Any]) -> Work:
    kept, name = soundtracks_of(service.store), call["id"]

    def work(on_progress: Progress) -> dict[str, Any]:
        folder = kept.folder("story", name)
        source = folder / SOURCE
        spoken = call["voice"] is not None or any(folder.glob("voice-*"))
        try:
            made = score(
                service,
                source,
                folder / "mix.flac",
                voice=narrator(call["voice"]) if call["voice"] else None,
                stems=folder if spoken else None,
                force=True,
                on_progress=on_progress,
                **call["choices"],
            )
        except InputError as error:
            raise InputError(_by_part(str(error), source)) from error
        made["warnings"] = [_by_part(warning, source) for warning in made["warnings"]]
        left_out = ("path", "files", "stems", "chunks")
        facts = {name: value for name, value in made.items() if name not in left_out}
        created = datetime.now(timezone.utc).isoformat()
        kept.write_story(
            name, {"id": name, "title": call["title"], "created_at": created, "spoken": spoken, **facts}
        )
        return {"story": name, "title": call["title"]}

    return work


def _mix(service: MusicService, call: Mapping[str, Any]) -> Work:
    kept, name = soundtracks_of(service.store), call["id"]

    def work(on_progress: Progress) -> dict[str, Any]:
        folder, file = kept.folder("mix", name), f"mix.{call['form']}"
        track = service.store.tracks.find_id(call["track"])
        try:
            done = mix_sent(service, track, folder / VOICE, folder / file, call["loop"], on_progress)
            kept.write_mix(name, file)
        except HandedOver:
            raise
        except BaseException:
            kept.drop("mix", name)
            raise
        return {"mix": name, "form": call["form"], "name": name_of(track), "warnings": done}

    return work


def mix_sent(
    service: MusicService,
    track: Track,
    recording: Path,
    target: Path,
    loop: bool | None,
    on_progress: Progress | None = None,
) -> list[str]:
    """Mix a recording over a track into `target`; return what the listener should know. Raises InputError and Damage.

    Its sentences speak of the recording, not of the file that it was put into.
    """
    source = service.store.audio.verified_path(track)
    try:
        done = mix_under(
            track.id,
            recording,
            target,
            lambda _: (track, source),
            service.library.roles,
            loop=loop,
            force=True,
            on_progress=on_progress,
        )
    except InputError as error:
        raise InputError(_of_recording(str(error), recording)) from error
    return [_of_recording(warning, recording) for warning in done["warnings"]]


def _of_recording(sentence: str, path: Path) -> str:
    return sentence.replace(f"the narration {path}", "the recording").replace(str(path), "the recording")


def _by_part(sentence: str, source: Path) -> str:
    """Return a sentence that names parts of the story, not lines of the file that they were put into."""
    sentence = re.sub(rf"(?:{re.escape(str(source))}, )?line (\d+)(?: of the story)?", r"part \1", sentence)
    return re.sub(rf"{re.escape(str(source.parent))}/voice-\d+", "recording", sentence)


def _title(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= TITLE_CHARACTERS else f"{line[: TITLE_CHARACTERS - 1]}…"


KINDS: Mapping[str, Kind] = {"story": _story, "mix": _mix}
"""The kinds of work that this room queues."""
