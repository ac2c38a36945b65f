"""How many connections and how much work the service takes on, and what happens to clients beyond that."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import http.client
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import anyio.to_thread
import pytest
import uvicorn
from hypothesis import given
from hypothesis import strategies as st

from music_catalog.errors import StorageError
from music_catalog.web import connections, server
from music_catalog.web.limits import Limits, limits_for
from music_catalog.web.problems import problem_from

ROOT = Path(__file__).resolve().parents[3]
WAIT_S = 60.0
HEALTH = b"GET /api/health HTTP/1.1\r\nHost: localhost\r\n\r\n"
JSON = b"Content-Type: application/json\r\n"
UNFINISHED = b"POST /api/find HTTP/1.1\r\nHost: localhost\r\n" + JSON + b"Content-Length: 9\r\n\r\n{"
FEW = Limits(connections=4, spare=2, workers=2)


# Limits


@given(st.integers(128, 100_000))
def test_connections_and_work_fit_into_the_descriptors(descriptors):
    limits = limits_for(descriptors)
    assert limits.workers >= 2
    at_work = limits.workers + limits.logged
    assert 64 + limits.connections + limits.spare + 32 * at_work <= max(descriptors, 64 + 32 * 4)


def test_few_descriptors_still_serve_and_many_serve_many():
    assert limits_for(14).connections > 0
    assert 64 <= limits_for(256).connections < 128
    assert limits_for(256).logged == 0
    assert limits_for(4096).connections > 400
    assert limits_for(4096).logged > limits_for(4096).workers


def test_the_soft_limit_is_raised_to_the_hard_one():
    code = "import music_catalog.web.limits as limits; print(limits.raise_descriptor_limit())"

    def few():
        resource.setrlimit(resource.RLIMIT_NOFILE, (128, 300))

    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, preexec_fn=few)
    assert done.stdout == b"300\n"


def test_an_application_works_on_as_many_requests_as_it_is_told(open_client):
    async def tokens():
        app = open_client(workers=3).app
        async with app.router.lifespan_context(app):
            return anyio.to_thread.current_default_thread_limiter().total_tokens

    assert asyncio.run(tokens()) == 3


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE])
def test_too_many_open_files_are_told_as_busy(client, monkeypatch, number):
    error = OSError(number, "Too many open files")

    def full(*_, **__):
        raise error

    monkeypatch.setattr(client.app.state.shared.service, "browse", full)
    answer = client.get("/api/tracks")
    assert (answer.status_code, answer.json()["exit_code"]) == (503, 4)
    assert int(answer.headers["retry-after"]) > 0
    wrapped = StorageError(
        "the table cannot be read: lance error: LanceError(IO): Too many open files (os error 24)"
    )
    wrapped.__cause__ = error
    assert problem_from(wrapped).status == 503


# Connections


@contextlib.contextmanager
def answering():
    """Serve in a thread, within few connections; yield a function that connects."""

    async def app(scope, receive, send):
        if scope["type"] == "lifespan":
            return
        while scope["method"] == "POST" and (await receive()).get("more_body"):
            pass
        body = b"full" if scope["state"].get("full") else b"served"
        headers = [(b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    config = server._config(app, FEW)
    config.lifespan = "off"
    running = uvicorn.Server(config)
    with contextlib.ExitStack() as closing:
        listening = closing.enter_context(server._bound("127.0.0.1", 0))
        listening.listen(64)
        address = listening.getsockname()
        thread = threading.Thread(target=running.run, kwargs={"sockets": [listening]})
        thread.start()

        def connect(*sent):
            connection = closing.enter_context(socket.create_connection(address, WAIT_S))
            for data in sent:
                connection.sendall(data)
            return connection

        try:
            yield connect
        finally:
            running.force_exit = running.should_exit = True
            thread.join(WAIT_S)


def body(connection):
    """Return the body of the next answer on a connection; empty where it was closed."""
    answer = http.client.HTTPResponse(connection)
    try:
        answer.begin()
    except (http.client.RemoteDisconnected, ConnectionError):
        return b""
    return answer.read()


def read_to_end(connection):
    with contextlib.suppress(ConnectionError):
        while connection.recv(4096):
            pass
    return True


def closed_while_sending(connection, data):
    """Send `data` again and again; return whether the other side closes the connection."""
    deadline = time.monotonic() + WAIT_S
    try:
        while time.monotonic() < deadline:
            connection.sendall(data)
            time.sleep(0.02)
    except ConnectionError:
        return True
    return False


@pytest.mark.parametrize("begun", [b"", b"GET / HT", HEALTH[:-2]])
@pytest.mark.parametrize("kept", [False, True])
def test_the_head_of_a_request_must_arrive(monkeypatch, begun, kept):
    monkeypatch.setattr(connections, "HEAD_S", 0.2)
    with answering() as connect:
        connection = connect()
        if kept:
            connection.sendall(HEALTH)
            assert body(connection) == b"served"
        if begun or not kept:
            connection.sendall(begun)
            assert read_to_end(connection)


def test_bytes_one_by_one_gain_no_time(monkeypatch):
    monkeypatch.setattr(connections, "HEAD_S", 0.3)
    with answering() as connect:
        connection = connect(HEALTH)
        assert body(connection) == b"served"
        assert closed_while_sending(connection, b"G")


def test_the_rest_of_an_answered_request_must_arrive_too(monkeypatch):
    monkeypatch.setattr(connections, "HEAD_S", 0.3)
    with answering() as connect:
        connection = connect(UNFINISHED[:-1].replace(b"POST", b"GET").replace(b": 9", b": 99999"))
        assert body(connection) == b"served"
        assert closed_while_sending(connection, b" ")


def test_a_quick_client_is_served_while_all_connections_wait(monkeypatch):
    monkeypatch.setattr(connections, "PATIENCE_S", 0.0)
    with answering() as connect:
        silent = [connect(b"GET / HT") for _ in range(12)]
        for _ in range(3):
            assert body(connect(HEALTH)) == b"served"
        assert sum(read_to_end(one) for one in silent[:6]) == 6


def test_a_client_is_told_where_every_connection_is_busy(monkeypatch):
    monkeypatch.setattr(connections, "PATIENCE_S", 0.0)
    with answering() as connect:
        busy = [connect(UNFINISHED) for _ in range(4)]
        time.sleep(0.2)
        assert body(connect(HEALTH)) == b"full"
        for one in busy:
            one.sendall(b"       }")
            assert body(one) == b"served"
        assert body(connect(HEALTH)) == b"served"


def test_one_machine_has_at_most_half_of_the_connections(monkeypatch):
    monkeypatch.setattr(connections, "_is_this_machine", lambda network: False)
    with answering() as connect:
        busy = [connect(UNFINISHED) for _ in range(2)]
        time.sleep(0.2)
        with contextlib.suppress(ConnectionError):
            assert connect().recv(100).startswith(b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: ")
        for one in busy:
            one.sendall(b"       }")
            assert body(one) == b"served"


# A real process


@pytest.fixture
def few_descriptors(tmp_path):
    """Run the service with 128 descriptors, and yield its port."""

    def few():
        resource.setrlimit(resource.RLIMIT_NOFILE, (128, 128))

    command = [
        sys.executable,
        "-m",
        "music_catalog",
        "serve",
        "--home",
        str(tmp_path),
        "--port",
        "0",
        "--no-warm",
    ]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, preexec_fn=few)
    yield int(process.stdout.readline().strip().strip("/").rpartition(":")[2])
    process.send_signal(signal.SIGTERM)
    with process:
        assert process.wait(WAIT_S) == 0


def test_more_clients_than_descriptors_leave_the_health_of_the_service(few_descriptors):
    with contextlib.ExitStack() as closing:

        def connect(sent):
            connection = socket.create_connection(("127.0.0.1", few_descriptors), WAIT_S)
            closing.enter_context(connection).sendall(sent)
            return connection

        def answer(path):
            """Return the first answer with a body; a client beyond all limits gets one without."""
            while True:
                answer = http.client.HTTPResponse(connect(HEALTH.replace(b"/api/health", path)))
                with contextlib.suppress(ConnectionError):
                    answer.begin()
                    if content := answer.read():
                        return answer, content

        for _ in range(200):
            connect(UNFINISHED)
        refused, _ = answer(b"/api/tracks")
        assert refused.status == 503
        assert int(refused.headers["retry-after"]) > 0
        assert b'"status":"ok"' in answer(b"/api/health")[1]
