"""Parts of files: RFC 9110 ranges (one, several, the last so many bytes), their validators and refusals."""

from __future__ import annotations

import re
import secrets
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import anyio
from starlette.datastructures import Headers
from starlette.responses import Response, StreamingResponse

from .problems import refusal_response

__all__ = ["file_response", "parse"]


Span = tuple[int, int]
"""First byte, and the one after the last."""
MOST_RANGES = 100
CHUNK_BYTES = 256 * 1024
ONE = re.compile(r"(\d{0,18})\s*-\s*(\d{0,18})", re.ASCII)


def parse(header: str, size: int) -> list[Span] | None:
    """Return the spans that a Range header asks for in a file of `size` bytes, those that overlap as one.

    None for a header that is to be ignored: not well formed, another unit, or too many ranges. An empty list when
    nothing it asks for is in the file.
    """
    unit, sign, asked = header.partition("=")
    parts = [part.strip() for part in asked.split(",")]
    if unit.strip().lower() != "bytes" or not sign or len(parts) > MOST_RANGES:
        return None
    spans: list[Span] = []
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
    path: Path, request_headers: Headers, *, method: str, etag: str, media_type: str, headers: dict[str, str]
) -> Response:
    """Return the file at `path`, whole or in the parts asked for: 200, 206, 304 or 416. `etag` is without quotes."""
    size = path.stat().st_size
    tag = f'"{etag}"'
    told = {**headers, "ETag": tag, "Accept-Ranges": "bytes"}
    if _matches(request_headers.get("if-none-match", ""), tag):
        return Response(status_code=304, headers=told)
    asked = request_headers.get("range")
    spans = parse(asked, size) if asked and request_headers.get("if-range", tag) == tag else None
    if spans == []:
        return refusal_response(
            416,
            f"the file has {size} bytes; none of those asked for are in it",
            {"Content-Range": f"bytes */{size}", "Accept-Ranges": "bytes"},
        )
    boundary = secrets.token_hex(16)
    parts: Sequence[tuple[bytes, Span]]
    if spans is None:
        parts, end = [(b"", (0, size))], b""
    elif len(spans) == 1:
        ((start, stop),) = spans
        parts, end = [(b"", (start, stop))], b""
        told["Content-Range"] = f"bytes {start}-{stop - 1}/{size}"
    else:
        parts = [(_head(boundary, media_type, span, size), span) for span in spans]
        end = f"\r\n--{boundary}--\r\n".encode()
        media_type = f"multipart/byteranges; boundary={boundary}"
    told["Content-Length"] = str(sum(len(head) + stop - start for head, (start, stop) in parts) + len(end))
    status = 200 if spans is None else 206
    if method == "HEAD":
        return Response(status_code=status, headers=told, media_type=media_type)
    return StreamingResponse(_sent(path, parts, end), status, told, media_type)


async def _sent(path: Path, parts: Sequence[tuple[bytes, Span]], end: bytes) -> AsyncIterator[bytes]:
    async with await anyio.open_file(path, "rb") as file:
        for head, (start, stop) in parts:
            if head:
                yield head
            await file.seek(start)
            while start < stop and (chunk := await file.read(min(CHUNK_BYTES, stop - start))):
                start += len(chunk)
                yield chunk
    if end:
        yield end


def _head(boundary: str, media_type: str, span: Span, size: int) -> bytes:
    return (
        f"\r\n--{boundary}\r\nContent-Type: {media_type}\r\n"
        f"Content-Range: bytes {span[0]}-{span[1] - 1}/{size}\r\n\r\n"
    ).encode()


def _merged(spans: list[Span]) -> list[Span]:
    """Return the spans in the order of the file, those that touch as one, so that no byte is sent twice."""
    merged: list[Span] = []
    for start, stop in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(stop, merged[-1][1])
        else:
            merged.append((start, stop))
    return merged


def _matches(header: str, tag: str) -> bool:
    tags = [one.strip().removeprefix("W/") for one in header.split(",")]
    return "*" in tags or tag in tags
