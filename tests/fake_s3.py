"""A small S3 server on loopback, in memory: objects, lists, ranges, conditional writes, uploads, refusals."""

from __future__ import annotations

import hashlib
import re
import threading
import time
from collections import Counter
from contextlib import contextmanager
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

BUCKET = "music"


class ObjectServer:
    """The objects of one bucket. `refusal` is the status and the code that every request gets, where it is set."""

    def __init__(self, *, ignores_conditions: bool = False) -> None:
        self.objects: dict[str, bytes] = {}
        self.refusal: tuple[int, str] | None = None
        self.refused: set[str] = set()
        """Keys that every request is refused for, with 403."""
        self.ignores_conditions = ignores_conditions
        self.delay_s = 0.0
        self.requests: Counter[str] = Counter()
        """How many requests of each method came; LIST is one of its own."""
        self.lock = threading.Lock()
        self._uploads: dict[str, dict[int, bytes]] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def answer(self, method: str, target: str, headers, body: bytes):
        """Return the status, the headers and the body of the answer to a request."""
        parts = urlsplit(target)
        bucket, _, key = unquote(parts.path).lstrip("/").partition("/")
        query = parse_qs(parts.query, keep_blank_values=True)
        listed = method == "GET" and "list-type" in query
        self.requests["LIST" if listed else method] += 1
        time.sleep(self.delay_s)
        if self.refusal:
            return self._error(*self.refusal)
        if key in self.refused:
            return self._error(403, "AccessDenied")
        if bucket != BUCKET:
            return self._error(404, "NoSuchBucket")
        with self.lock:
            if listed:
                return self._list(query)
            if method == "POST":
                return self._post(key, query, headers, body)
            if method == "PUT":
                if "uploadId" in query:
                    self._uploads[query["uploadId"][0]][int(query["partNumber"][0])] = body
                    return 200, {"ETag": _etag(body)}, b""
                return self._put(key, headers, body)
            if method == "DELETE":
                self.objects.pop(key, None)
                return 204, {}, b""
            return self._get(method, key, headers)

    def _put(self, key, headers, body):
        there = self.objects.get(key)
        if not self.ignores_conditions:
            if headers.get("If-None-Match") == "*" and there is not None:
                return self._error(412, "PreconditionFailed")
            wanted = headers.get("If-Match")
            if wanted and (there is None or wanted != _etag(there)):
                return self._error(412 if there is not None else 404, "PreconditionFailed")
        self.objects[key] = body
        return 200, {"ETag": _etag(body)}, b""

    def _get(self, method, key, headers):
        data = self.objects.get(key)
        if data is None:
            return self._error(404, "NoSuchKey")
        told = {"ETag": _etag(data), "Last-Modified": formatdate(usegmt=True), "Accept-Ranges": "bytes"}
        wanted = re.fullmatch(r"bytes=(\d*)-(\d*)", headers.get("Range", ""))
        if not wanted:
            return 200, {**told, "Size": str(len(data))}, data
        first, last = wanted.groups()
        start = int(first) if first else max(0, len(data) - int(last))
        if start >= len(data):
            return self._error(416, "InvalidRange")
        end = min(len(data), int(last) + 1) if first and last else len(data)
        return 206, {**told, "Content-Range": f"bytes {start}-{end - 1}/{len(data)}"}, data[start:end]

    def _post(self, key, query, headers, body):
        if "uploads" in query:
            name = f"upload-{len(self._uploads)}"
            self._uploads[name] = {}
            return 200, {}, f"<R><UploadId>{name}</UploadId></R>".encode()
        if "delete" in query:
            keys = re.findall(rb"<Key>(.*?)</Key>", body)
            for each in keys:
                self.objects.pop(each.decode(), None)
            deleted = "".join(f"<Deleted><Key>{escape(each.decode())}</Key></Deleted>" for each in keys)
            return 200, {}, f"<DeleteResult>{deleted}</DeleteResult>".encode()
        parts = self._uploads.pop(query["uploadId"][0])
        status, told, answer = self._put(key, headers, b"".join(parts[number] for number in sorted(parts)))
        etag = f"<R><ETag>{escape(told.get('ETag', ''))}</ETag></R>".encode()
        return status, told, etag if status == 200 else answer

    def _list(self, query):
        prefix, delimiter = query.get("prefix", [""])[0], query.get("delimiter", [""])[0]
        after = query.get("start-after", [""])[0]
        most = int(query.get("max-keys", ["1000"])[0])
        after = max(after, query.get("continuation-token", [""])[0])
        found, folders = [], []
        for key in sorted(self.objects):
            if key.startswith(prefix) and key > after:
                rest = key[len(prefix) :]
                if delimiter and delimiter in rest:
                    folders.append(prefix + rest.partition(delimiter)[0] + delimiter)
                else:
                    found.append(key)
        more, found = len(found) > most, found[:most]
        rows = "".join(
            f"<Contents><Key>{escape(key)}</Key><Size>{len(self.objects[key])}</Size>"
            f"<LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>{_etag(self.objects[key])}</ETag></Contents>"
            for key in found
        )
        rows += "".join(
            f"<CommonPrefixes><Prefix>{escape(each)}</Prefix></CommonPrefixes>"
            for each in dict.fromkeys(folders)
        )
        token = f"<NextContinuationToken>{escape(found[-1])}</NextContinuationToken>" if more else ""
        head = f"<Name>{BUCKET}</Name><KeyCount>{len(found)}</KeyCount><IsTruncated>{str(more).lower()}</IsTruncated>"
        return 200, {}, f"<ListBucketResult>{head}{token}{rows}</ListBucketResult>".encode()

    def _error(self, status, code):
        return status, {}, f"<Error><Code>{code}</Code><Message>{code}</Message></Error>".encode()

    def _handler(self):
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _serve(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                if "chunked" in self.headers.get("Transfer-Encoding", ""):
                    raise NotImplementedError("chunked bodies")
                status, headers, data = server.answer(self.command, self.path, self.headers, body)
                self.send_response(status)
                size = headers.pop("Size", None) if self.command == "HEAD" else None
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", size or str(len(data)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(data)

            do_GET = do_PUT = do_HEAD = do_DELETE = do_POST = _serve

            def log_message(self, *_):
                pass

        return Handler

    def serve(self) -> None:
        """Answer until `close`."""
        self._server.serve_forever(poll_interval=0.05)

    def close(self) -> None:
        """Stop answering."""
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def object_server(monkeypatch, **options):
    """Run a server, name it and its credentials in the environment, and yield it."""
    server = ObjectServer(**options)
    thread = threading.Thread(target=server.serve, daemon=True)
    thread.start()
    for name, value in environment_of(server.url).items():
        monkeypatch.setenv(name, value)
    try:
        yield server
    finally:
        server.close()
        thread.join()


def environment_of(url: str) -> dict[str, str]:
    """Return the environment variables that reach the server at `url`."""
    return {
        "AWS_ACCESS_KEY_ID": "listener",
        "AWS_SECRET_ACCESS_KEY": "a-secret-of-tests",
        "AWS_ENDPOINT_URL": url,
        "AWS_REGION": "us-east-1",
    }


def _etag(data: bytes) -> str:
    return f'"{hashlib.md5(data).hexdigest()}"'
