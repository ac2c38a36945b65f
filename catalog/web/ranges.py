"""Parts of files: RFC 9110 ranges (one, several, the last so many bytes), with their validators and refusals.

Starlette's FileResponse is not used: it takes a path, where `cache` hands out open files, and it refuses more than
RFC 9110 section 14.2 allows. One range beyond the end refuses the ranges inside the file too, and a header of another
unit or form is answered with 400 instead of the whole file.
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack
from typing import BinaryIO
from urllib.parse import quote

from anyio import CapacityLimiter, to_thread
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from .problems import refusal_response

__all__ = ["attachment", "file_response", "parse"]


ByteSpan = tuple[int, int]
"""First byte, and the one after the last."""
Part = tuple[bytes, ByteSpan]
"""What to send before a span, and the span."""
MOST_RANGES = 100
CHUNK_BYTES = 256 * 1024
READERS = CapacityLimiter(4)
"""Threads that read files which are being sent. They are apart from those that work on requests: else each chunk would
wait its turn behind all requests that wait for work."""
ONE = re.compile(r"(\d{0,18})\s*-\s*(\d{0,18})", re.ASCII)


def attachment(name: str) -> str:
    """Return the Content-Disposition that offers a file to be saved under a name (RFC 6266)."""
    if name.isascii():
        return f'attachment; filename="{name}"'
    return f"attachment; filename*=UTF-8''{quote(name)}"


def parse(header: str, size: int) -> list[ByteSpan] | None:
    """Return the spans that a Range header names in a file of `size` bytes; those that overlap come back as one.

    Returns None for a header to ignore: badly formed, of another unit, or with too many ranges. Returns an empty
    list when none of the ranges is in the file.
    """
    unit, sign, ranges = header.partition("=")
    parts = [part.strip() for part in ranges.split(",")]
    if unit.strip().lower() != "bytes" or not sign or len(parts) > MOST_RANGES:
        return None
    spans: list[ByteSpan] = []
    for part in filter(None, parts):
        match = ONE.fullmatch(part)
        if match is None or part == "-":
            return None
        first, last = match.groups()
        if not first:
            start, stop = max(0, size - int(last)), size
        else:
            start, stop = int(first), min(size, int(last) + 1) if last else size
            if last and int(last) < start:
                return None
        if start < stop:
            spans.append((start, stop))
    if not any(parts):
        return None
    return _merged(spans)


def file_response(
    file: BinaryIO, request: Request, *, etag: str, media_type: str, headers: dict[str, str]
) -> Response:
    """Return an open file as the response, whole or in the parts that the request names: 200, 206, 304 or 416.

    `etag` is without quotes. The file is closed when it has been sent, or at once where nothing of it is sent.
    """
    with ExitStack() as closing:
        size = os.fstat(closing.enter_context(file).fileno()).st_size
        tag = f'"{etag}"'
        headers = {**headers, "ETag": tag, "Accept-Ranges": "bytes"}
        if _matches(request.headers.get("if-none-match", ""), tag):
            return Response(status_code=304, headers=headers)
        header = request.headers.get("range")
        spans = parse(header, size) if header and request.headers.get("if-range", tag) == tag else None
        if spans == []:
            return refusal_response(
                416,
                f"the file has {size} bytes; none of those asked for are in it",
                {"Content-Range": f"bytes */{size}", "Accept-Ranges": "bytes"},
            )
        parts: list[Part] = [(b"", span) for span in spans or [(0, size)]]
        end = b""
        if len(parts) > 1:
            parts, end, media_type = _multipart([span for _, span in parts], size, media_type)
        elif spans:
            headers["Content-Range"] = _content_range(spans[0], size)
        length = sum(len(head) + stop - start for head, (start, stop) in parts) + len(end)
        headers["Content-Length"] = str(length)
        status = 200 if spans is None else 206
        if request.method == "HEAD":
            return Response(status_code=status, headers=headers, media_type=media_type)
        closing.pop_all()  # the response closes the file
        return _FileParts(file, parts, end, status_code=status, headers=headers, media_type=media_type)


class _FileParts(StreamingResponse):
    """Parts of an open file, which is closed however the sending ends."""

    def __init__(
        self,
        file: BinaryIO,
        parts: Sequence[Part],
        end: bytes,
        *,
        status_code: int,
        headers: dict[str, str],
        media_type: str,
    ) -> None:
        super().__init__(_content(file, parts, end), status_code, headers, media_type)
        self._file = file

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._file:
            await super().__call__(scope, receive, send)


async def _content(file: BinaryIO, parts: Sequence[Part], end: bytes) -> AsyncIterator[bytes]:
    for head, (start, stop) in parts:
        if head:
            yield head
        while start < stop:
            length = min(CHUNK_BYTES, stop - start)
            chunk = await to_thread.run_sync(os.pread, file.fileno(), length, start, limiter=READERS)
            if not chunk:
                break
            start += len(chunk)
            yield chunk
    if end:
        yield end


def _multipart(spans: Sequence[ByteSpan], size: int, media_type: str) -> tuple[list[Part], bytes, str]:
    """Return the parts of a body of several spans, the bytes at its end, and its media type (RFC 9110, 14.6)."""
    boundary = secrets.token_hex(16)
    parts = [
        (
            f"\r\n--{boundary}\r\nContent-Type: {media_type}\r\n"
            f"Content-Range: {_content_range(span, size)}\r\n\r\n".encode(),
            span,
        )
        for span in spans
    ]
    return parts, f"\r\n--{boundary}--\r\n".encode(), f"multipart/byteranges; boundary={boundary}"


def _content_range(span: ByteSpan, size: int) -> str:
    return f"bytes {span[0]}-{span[1] - 1}/{size}"


def _merged(spans: list[ByteSpan]) -> list[ByteSpan]:
    """Return the spans in the order of the file; those that touch become one, so that no byte is sent twice."""
    merged: list[ByteSpan] = []
    for start, stop in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(stop, merged[-1][1])
        else:
            merged.append((start, stop))
    return merged


def _matches(header: str, tag: str) -> bool:
    tags = [one.strip().removeprefix("W/") for one in header.split(",")]
    return "*" in tags or tag in tags
