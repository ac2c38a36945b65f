"""A chat page whose answers come with music: a question is answered from a text, and music for the answer is found or
made in the background.

    pip install 'music-catalog[serve]'
    python examples/chat/app.py                      # then open http://127.0.0.1:8000
    python examples/chat/app.py --text notes.md --port 8001

The answer is two sentences of the text. `create_app(service, text, answer=...)` takes your language model instead: a
function of the question and the passages that were retrieved.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

try:
    import uvicorn
    from fastapi import FastAPI, Request
    from fastapi.responses import FileResponse, JSONResponse, Response
    from fastapi.staticfiles import StaticFiles
    from starlette.middleware.trustedhost import TrustedHostMiddleware
except ImportError as error:
    sys.exit(f"error: this example needs the extra serve: pip install 'music-catalog[serve]' ({error})")

from pydantic import BaseModel, Field

from music_catalog import CatalogError, MusicService, NotFound
from music_catalog.home import default_home
from music_catalog.service.jobs import Job, Jobs
from music_catalog.text.encoder import Encoder

PAGE = Path(__file__).resolve().with_name("page")
CHUNKS = Path(__file__).resolve().parents[1] / "chunks.md"
NEAR = 0.2
"""A passage whose cosine with the question is lower says nothing about it."""
NOTHING = "There is nothing on that in these notes."
MUSIC: dict[str, Any] = {"role": "loop_bed", "quality": "preview"}
"""Music that repeats without a seam for as long as the answer is read."""

Answerer = Callable[[str, Sequence[str]], str]


class Question(BaseModel):
    """What a reader asks."""

    question: str = Field(min_length=1, max_length=2000)


class Passages:
    """The paragraphs of a text, to be searched by meaning."""

    def __init__(self, text: str, encoder: Encoder) -> None:
        paragraphs = [" ".join(part.split()) for part in re.split(r"\n\s*\n", text)]
        self._texts = [part for part in paragraphs if part and not part.startswith("#")]
        self._encoder = encoder
        self._vectors = encoder.encode(self._texts)

    def nearest(self, question: str, limit: int = 3) -> list[str]:
        """Return up to `limit` paragraphs about the question, nearest first."""
        cosines = self._vectors @ self._encoder.encode([question])[0]
        return [self._texts[i] for i in cosines.argsort()[::-1][:limit] if cosines[i] >= NEAR]


def quote(encoder: Encoder) -> Answerer:
    """Return an answerer without a language model: the two sentences in a row that are nearest to the question."""

    def answer(question: str, passages: Sequence[str]) -> str:
        spans = []
        for passage in passages:
            lines = re.split(r"(?<=[.!?])\s+", passage)
            spans += [" ".join(lines[i : i + 2]) for i in range(max(1, len(lines) - 1))]
        cosines = encoder.encode(spans) @ encoder.encode([question])[0]
        return spans[int(cosines.argmax())]

    return answer


def create_app(service: MusicService, text: str, answer: Answerer | None = None) -> FastAPI:
    """Return the application: it answers from `text` by `answer`, and has `service` find or make the music."""
    passages, answer, jobs = Passages(text, service.encoder), answer or quote(service.encoder), Jobs(service)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        jobs.close(grace_s=0.0)

    app = FastAPI(title="Answers with music", lifespan=lifespan)
    # Another web site that points its own name at this machine must not reach the service.
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost"])

    @app.post("/ask")
    def ask(body: Question) -> dict[str, Any]:
        """Answer at once; the music follows under the id in "music", or is null where there is no answer."""
        found = passages.nearest(body.question)
        if not found:
            return {"answer": NOTHING, "sources": [], "music": None}
        said = answer(body.question, found)
        return {"answer": said, "sources": found, "music": pick({"question": body.question, "answer": said})}

    @app.get("/music/{job_id}")
    def music(job_id: str) -> dict[str, Any]:
        """Show how far the music is, and once it is there, what it is and why."""
        return shown(jobs.get(job_id))

    @app.get("/music/{job_id}/audio")
    def audio(job_id: str) -> Response:
        """Send the audio file."""
        result = jobs.get(job_id).result
        if result is None or result.path is None:
            raise NotFound(f"the music {job_id} is not ready")
        return FileResponse(result.path, media_type="audio/wav")

    @app.post("/music/{job_id}/reject")
    def reject(job_id: str) -> dict[str, Any]:
        """Keep this track from this answer and from ones like it, and pick another."""
        job = jobs.get(job_id)
        if job.result is None or job.result.track is None:
            raise NotFound(f"the music {job_id} is not ready")
        service.reject(job.result.track.id, job.result.request_id)
        return pick(job.request["context"])

    def pick(payload: dict[str, str]) -> dict[str, Any]:
        try:
            return shown(jobs.find_or_make(payload, **MUSIC))
        except CatalogError as error:  # the answer does not wait for music that cannot be had
            return {"id": None, "state": "failed", "why": str(error)}

    @app.exception_handler(CatalogError)
    def refuse(_: Request, error: CatalogError) -> Response:
        return JSONResponse({"detail": str(error)}, 404 if isinstance(error, NotFound) else 503)

    app.mount("/", StaticFiles(directory=PAGE, html=True))
    return app


def shown(job: Job) -> dict[str, Any]:
    """Return what the page shows of a job that finds or makes music."""
    done, steps = job.progress or (0, 1)
    view: dict[str, Any] = {"id": job.id, "state": job.state, "progress": done / steps}
    if job.error is not None:
        view["why"] = str(job.error) if isinstance(job.error, CatalogError) else "the music could not be made"
    if job.result is not None and (track := job.result.track) is not None:
        view |= {
            "title": track.style.removeprefix("environment_").replace("_", " "),
            "moods": track.mood_tags,
            "action": job.result.action,
            "why": job.result.reason,
            "style_why": job.result.request.why["style"],
            "audio": f"/music/{job.id}/audio",
        }
    return view


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--text", type=Path, default=CHUNKS, help="the text to answer from")
    parser.add_argument("--home", default=default_home(), help="the catalog's folder")
    parser.add_argument("--port", type=int, default=8000)
    args = parser.parse_args()
    try:
        with MusicService.open(args.home) as service:
            uvicorn.run(create_app(service, args.text.read_text("utf-8")), port=args.port)
    except (CatalogError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return getattr(error, "exit_code", 1)
    return 0


if __name__ == "__main__":
    sys.exit(main())
