"""A server of remote tables for tests: pylance's REST server of Lance tables, before it what LanceDB's client expects.

`python rest_tables.py FOLDER PORT` answers LanceDB's client for `db://music-...`; each such database is there, empty,
when it is first asked for, with its tables in FOLDER. Client and server speak dialects of one protocol. A handler
between them changes the form of requests and answers, adds nothing that the server cannot do, and refuses a wrong API
key and a database of another name.
"""

from __future__ import annotations

import http.client
import io
import json
import re
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit

import pyarrow as pa

__all__ = ["API_KEY", "DATABASE"]

DATABASE, API_KEY = "music-", "a-secret-key-of-the-tests"
"""How the names of databases begin, and the only key that is right."""
TYPES = {
    "boolean": "bool",
    "float16": "halffloat",
    "float32": "float",
    "float64": "double",
    "largeutf8": "large_string",
    "utf8": "string",
}
"""The server's names of types that the client has other names for."""
OWN_HEADERS = {"connection", "content-length", "content-encoding", "host", "keep-alive", "transfer-encoding"}
"""Headers of one connection, which are not passed on."""
MOST_ROWS = 2**31 - 1


class Handler(BaseHTTPRequestHandler):
    """Passes requests on to the server of their database."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1  # an answer in one piece: in two, the second waits for the client to acknowledge the first
    folder = Path()
    servers: ClassVar[dict[str, Any]] = {}
    turn = threading.Lock()
    lost: ClassVar[set[str]] = set()
    """Ends of paths whose next request is done and answered 503, as by a server that dies between."""
    careless = False
    """Whether conditions of merges are ignored."""

    def do_GET(self) -> None:
        self._pass_on()

    do_POST = do_PUT = do_DELETE = do_GET

    def log_message(self, *_: Any) -> None:
        pass

    def _pass_on(self) -> None:
        body = b"".join(self._chunks())
        path = urlsplit(self.path)
        what = path.path.strip("/").split("/")[-1]
        if what == "lose":  # of the tests themselves, as is the next
            left = " ".join(self.lost)
            self.lost.clear()
            self.lost.update(body.decode().split())
            return self._answer(200, left.encode())
        if what == "careless":
            Handler.careless = body == b"yes"
            return self._answer(200, b"")
        if self.headers["x-api-key"] != API_KEY:
            return self._answer(401, b'{"error":"Unauthorized"}')
        if not (database := self.headers["x-lancedb-database"]).startswith(DATABASE):
            return self._answer(404, b'{"error":"Database not found"}')
        query = f"?{path.query}" if path.query else ""
        if self.careless:
            query = re.sub("&when_matched_update_all_filt=[^&]*", "", query)
        headers = {name: value for name, value in self.headers.items() if name.lower() not in OWN_HEADERS}
        headers.setdefault("Content-Type", "application/json")
        connection = http.client.HTTPConnection("127.0.0.1", self._port_of(database))
        try:
            body = _to_server(what, body)
            connection.request(self.command, path.path.rstrip("/") + query, body, headers)
            answer = connection.getresponse()
            data = answer.read()
        finally:
            connection.close()
        if what in self.lost:
            self.lost.remove(what)
            return self._answer(503, b"{}")
        if what == "describe" and answer.status == 200:
            data = _to_client(data)
        self._answer(answer.status, data, answer.headers.get("Content-Type", "application/json"))

    def _port_of(self, database: str) -> int:
        import lance.namespace

        with self.turn:
            if (server := self.servers.get(database)) is None:
                root = {"root": str(self.folder / database)}
                server = lance.namespace.RestAdapter("dir", root, host="127.0.0.1", port=0)
                server.start()
                self.servers[database] = server
        return int(server.port)

    def _chunks(self) -> Iterator[bytes]:
        if self.headers.get("Transfer-Encoding") != "chunked":
            yield self.rfile.read(int(self.headers.get("Content-Length") or 0))
            return
        while size := int(self.rfile.readline().split(b";")[0], 16):
            yield self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()

    def _answer(self, status: int, data: bytes, kind: str = "application/json") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def _to_server(what: str, body: bytes) -> bytes:
    if what == "create" and body:  # a stream without a batch is refused, one with an empty batch is not
        table = pa.ipc.open_stream(body).read_all()
        if not table.num_rows:
            stream = io.BytesIO()
            with pa.ipc.new_stream(stream, table.schema) as writer:
                writer.write_batch(pa.RecordBatch.from_pylist([], schema=table.schema))
            return stream.getvalue()
    if what == "describe":
        return json.dumps({**json.loads(body or b"{}"), "load_detailed_metadata": True}).encode()
    if what == "create_index":
        asked = json.loads(body)
        return json.dumps({**asked, "distance_type": asked.get("metric_type")}).encode()
    if what != "query":
        return body or b"{}"
    asked = {name: value for name, value in json.loads(body).items() if value is not None}
    if isinstance(vector := asked.get("vector"), list):
        several = vector and isinstance(vector[0], list)
        asked["vector"] = {"multi_vector" if several else "single_vector": vector}
    if isinstance(columns := asked.get("columns"), list):
        asked["columns"] = {"column_names": [name for name in columns if not name.startswith("_")]}
    if "query" in (text := asked.get("full_text_query") or {}):
        asked["full_text_query"] = {"string_query": text}
    return json.dumps({**asked, "k": min(asked.get("k", 10), MOST_ROWS)}).encode()


def _to_client(data: bytes) -> bytes:
    def renamed(part: Any) -> Any:
        if isinstance(part, list):
            return [renamed(each) for each in part]
        if not isinstance(part, dict):
            return part
        part = {name: renamed(value) for name, value in part.items()}
        if isinstance(kind := part.get("type"), str):
            part["type"] = "timestamp:us:UTC" if "timestamp" in kind else TYPES.get(kind, kind)
        return part

    told = json.loads(data)
    return json.dumps({**told, "schema": renamed(told.get("schema"))}).encode()


def main(folder: str, port: int) -> None:
    """Serve the tables in `folder` on `port` of loopback until the process ends."""
    Handler.folder = Path(folder)
    ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
