"""The command line with a service in its home, and without one: the same words, the same exit codes."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
import soundfile
from calls import CARGO, RAIN, SECRET
from click.testing import CliRunner

from music_catalog import cli
from music_catalog.errors import Busy, InputError, NotFound
from music_catalog.web import client
from music_catalog.web.client import Gone, RunningService, running_service
from music_catalog.web.note import is_proof, only_service, proof_of, read_note, settings_of, write_note

ROOT = Path(__file__).resolve().parents[3]
SHORT = ["--duration", "1", "--quality", "preview"]
WAIT_S = 120.0


def run(*args, home, stdin=None):
    return CliRunner().invoke(
        cli.catalog, [str(arg) for arg in args], input=stdin, env={"CATALOG_HOME": str(home)}
    )


def start(home, *options):
    """Start a service in `home` and return its process and address once it answers."""
    process = subprocess.Popen(
        [sys.executable, "-m", "music_catalog", "serve", "--home", str(home), "--port", "0", *options],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ,
    )
    address = process.stdout.readline().strip()
    assert address.startswith("http://127.0.0.1:"), address
    return process, address


def stop(process):
    process.send_signal(signal.SIGTERM)
    with process:
        assert process.wait(WAIT_S) == 0


@pytest.fixture(scope="module")
def homes(tmp_path_factory):
    """Return two homes with the same tracks: one without a service, one with."""
    folder = tmp_path_factory.mktemp("homes")
    with pytest.MonkeyPatch.context() as patch:
        # As for every test; this is set up before the fixture that sees to it.
        patch.setenv("CATALOG_MODELS", str(tmp_path_factory.getbasetemp() / "no-models"))
        yield from two_homes(folder)


def two_homes(folder):
    alone, served = folder / "alone", folder / "served"
    for text in (RAIN, CARGO):
        assert run("find-or-make", text, *SHORT, home=alone).exit_code == 0
    shutil.copytree(alone, served)
    process, _ = start(served)
    yield alone, served
    stop(process)
    assert read_note(served) is None
    assert not (served / "serve.json").exists()


def comparable(result, home):
    """Return the output and exit code of a run without what differs between equal runs: times, ids, the home."""

    def same(text):
        text = text.replace(str(home), "HOME")
        if not text.startswith("{"):
            return text
        lines = [json.loads(line) for line in text.splitlines()]
        for line in lines:
            for name in ("timings_s", "request_id"):
                line.pop(name, None)
        return lines

    return same(result.stdout), same(result.stderr), result.exit_code


@pytest.mark.parametrize(
    ("args", "stdin", "code"),
    [
        (["find-or-make", RAIN, *SHORT], None, 0),
        (["find-or-make", RAIN, *SHORT, "--json"], None, 0),
        (["find-or-make", RAIN, *SHORT, "--json", "--explain"], None, 0),
        (["find-or-make", RAIN + " Indeed.", *SHORT, "--explain"], None, 0),
        (["find-or-make", "-", *SHORT, "--json"], json.dumps({"answer": RAIN, "question": "Why?"}), 0),
        (["find-or-make", "-", *SHORT], RAIN, 0),
        (["find-or-make", "-", *SHORT], b"\xff\xfe rain", 2),
        (["find-or-make", "-", *SHORT], "", 2),
        (["find-or-make", "", *SHORT], None, 2),
        (["find-or-make", "rain \udcff", *SHORT], None, 2),
        (["find-or-make", RAIN, "--preset", "ambient_lofy"], None, 2),
        (["find-or-make", RAIN, "--seed", "-1"], None, 2),
        (["find-or-make", RAIN, "--duration", "nan"], None, 2),
        (["find-or-make", RAIN, "--min-similarity", "7"], None, 2),
        (["find-or-make", RAIN, "--set", "nonsense=1"], None, 2),
        (["find-or-make", "Wolves howl.", *SHORT, "--dry-run", "--json"], None, 0),
        (["find-or-make", RAIN, "--role", "intro_sting", "--reuse", "always"], None, 3),
        (["find-or-make", RAIN, "--backend", "mlx", "--reuse", "never"], None, 6),
        (["find", RAIN, *SHORT], None, 0),
        (["find", RAIN, *SHORT, "--json", "--explain"], None, 0),
        (["find", "The murderer's breath rasps behind the cellar door.", *SHORT], None, 3),
        (["find", "The murderer's breath rasps behind the cellar door.", *SHORT, "--json"], None, 3),
        (["search", "rain", "--json"], None, 0),
        (["search", "rain"], None, 0),
        (["search", "rain", "--jsonl", "--limit", "1", "--by", "words"], None, 0),
        (["search", "rain mood:calm", "--by", "both"], None, 0),
        (["search", "rain length:90.."], None, 3),
        (["search", "rain style:nonsense"], None, 2),
        (["search", "rain", "--min-quality", "nonsense"], None, 2),
    ],
)
def test_a_service_changes_neither_words_nor_exit_codes(homes, monkeypatch, args, stdin, code):
    alone, served = homes
    calls, answer = [], RunningService._answer

    def counted(*args, **options):
        calls.append(args)
        return answer(*args, **options)

    monkeypatch.setattr(RunningService, "_answer", counted)
    here, there = run(*args, home=alone, stdin=stdin), run(*args, home=served, stdin=stdin)
    assert calls
    assert comparable(there, served) == comparable(here, alone)
    assert there.exit_code == code, there.output


def test_a_missing_track_is_made_by_the_service_with_the_same_samples(homes):
    alone, served = homes
    args = ["find-or-make", "Wolves howl over the frozen valley.", *SHORT, "--reach", "scene", "--json"]
    here, there = (json.loads(run(*args, home=home).stdout) for home in (alone, served))
    assert there["action"] == here["action"] == "generated"
    samples = [soundfile.read(one["path"])[0] for one in (here, there)]
    assert (samples[0] == samples[1]).all()
    assert list(there) == list(here)


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg"])
def test_out_is_written_from_what_the_service_sends(homes, tmp_path, suffix):
    out = tmp_path / f"bed.{suffix}"
    result = run("find-or-make", RAIN, *SHORT, "--out", out, home=homes[1])
    assert (result.exit_code, result.stdout.strip()) == (0, str(out))
    assert soundfile.info(str(out)).format.lower() == suffix
    assert run("find-or-make", RAIN, *SHORT, "--out", out, home=homes[1]).exit_code == 2


def test_going_through_the_service_loads_nothing_heavy(homes):
    code = (
        "import sys\nfrom music_catalog import cli\n"
        f"for args in (['find-or-make', {RAIN!r}, *{SHORT!r}], ['find', '-', *{SHORT!r}], ['search', 'rain']):\n"
        "    cli.catalog.main([*args, '--home', sys.argv[1]], standalone_mode=False)\n"
        "heavy = ('lancedb', 'pyarrow', 'mlx', 'torch', 'numpy', 'pydantic', 'rich')\n"
        "print(*[name for name in heavy if name in sys.modules], file=sys.stderr)\n"
    )
    command = [sys.executable, "-c", code, str(homes[1])]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, input=RAIN, check=True)
    assert done.stdout.count(str(homes[1])) == 2
    assert done.stderr.splitlines()[-1] == ""


def test_the_service_is_passed_by_where_that_is_asked(homes, monkeypatch):
    def never(*_):
        raise AssertionError("the service was called")

    monkeypatch.setattr(RunningService, "find_or_make", never)
    assert run("find-or-make", RAIN, *SHORT, "--no-server", home=homes[1]).exit_code == 0
    monkeypatch.setenv("CATALOG_NO_SERVER", "1")
    assert run("find-or-make", RAIN, *SHORT, home=homes[1]).exit_code == 0


def test_the_client_adds_a_file_of_ones_own(homes, tmp_path):
    time_s = np.arange(6 * 22_050) / 22_050
    path = tmp_path / "Smoky Bar.flac"
    soundfile.write(path, 0.3 * np.sin(2000 * time_s * (1 + 0.1 * np.sin(3 * time_s))), 22_050)
    service = running_service(str(homes[1]), None)
    added = service.add(path.read_bytes(), path.name, license="CC0-1.0")
    assert (added["outcome"], added["track"]["title"]) == ("added", "Smoky Bar")
    with pytest.raises(InputError, match="cannot be added"):
        service.add(b"nonsense", "x.flac")


def test_a_service_with_other_settings_is_not_used(homes, tmp_path, monkeypatch):
    served = str(homes[1])
    assert running_service(served, None)
    config = tmp_path / "other.yaml"
    config.write_text("musicgen: {}\n", "utf-8")
    assert running_service(served, str(config)) is None
    monkeypatch.setenv("CATALOG_MODELS", str(tmp_path))
    assert running_service(served, None) is None


def test_a_note_of_a_process_that_is_gone_is_passed_over(homes, tmp_path):
    home = shutil.copytree(homes[0], tmp_path / "home")
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    note = {
        "pid": gone.pid,
        "address": "http://127.0.0.1:9/",
        "secret": "x",
        **settings_of(home, None),
    }
    (home / "serve.json").write_text(json.dumps(note), "utf-8")
    assert running_service(str(home), None) is None
    with only_service(home):
        write_note(home, note)
        result = run("find-or-make", RAIN, *SHORT, home=home)
        assert result.exit_code == 0
        assert "the service of this home does not answer" in result.stderr
        for damaged in ("", "[]", "{}", '{"pid": "x"}', '{"pid": 1e999}'):
            (home / "serve.json").write_text(damaged, "utf-8")
            assert read_note(home) is None


def test_a_killed_service_does_not_keep_its_home_although_its_process_id_is_taken_again(tmp_path):
    killed, _ = start(tmp_path, "--no-warm")
    assert read_note(tmp_path)["pid"] == killed.pid
    with killed:
        killed.kill()
    note = json.loads((tmp_path / "serve.json").read_text("utf-8"))
    # In a container the next process mostly has the same id; here the test's own stands in for it.
    (tmp_path / "serve.json").write_text(json.dumps({**note, "pid": os.getpid()}), "utf-8")
    assert read_note(tmp_path) is None
    assert running_service(str(tmp_path), None) is None
    process, address = start(tmp_path, "--no-warm")
    assert read_note(tmp_path)["address"] == address
    stop(process)


def test_a_home_has_one_service_at_a_time(tmp_path):
    with only_service(tmp_path):
        with pytest.raises(Busy, match="a service is starting or stopping in this home"):
            only_service(tmp_path).__enter__()
        write_note(tmp_path, {"address": "http://127.0.0.1:9/"})
        with pytest.raises(Busy, match=r"already, at http://127\.0\.0\.1:9/ \(process"):
            only_service(tmp_path).__enter__()
        assert read_note(tmp_path)
    assert read_note(tmp_path) is None
    with only_service(tmp_path):
        assert not (tmp_path / "serve.json").exists()


def test_only_the_owner_can_read_the_note(homes):
    assert (homes[1] / "serve.json").stat().st_mode & 0o777 == 0o600


def test_two_services_do_not_share_a_home(homes):
    result = run("serve", "--port", "0", home=homes[1])
    assert result.exit_code == 4
    assert "a service runs in this home already, at http://127.0.0.1:" in result.stderr


def test_collections_takes_and_mixes_of_a_service(homes):
    running = running_service(str(homes[1]), None)
    short = {"duration_s": 1.0, "quality": "preview"}
    first, second = (running.find({"context": text, **short})["id"] for text in (RAIN, CARGO))
    made = running.create_collection({"name": "Podcast", "track_ids": [first]})
    try:
        assert [one["name"] for one in running.collections()] == ["Podcast"]
        assert running.add_to_playlist(made["id"], [second])["track_ids"] == [first, second]
        assert running.remove_from_playlist(made["id"], [first])["track_ids"] == [second]
        assert running.change_collection(made["id"], {"name": "Show"})["name"] == "Show"
        page = running.collected(made["id"])
        assert (page["total"], page["tracks"][0]["id"]) == (1, second)
        with pytest.raises(NotFound):
            running.add_to_playlist(made["id"], ["nothing"])
    finally:
        running.delete_collection(made["id"])
    assert running.collections() == []
    assert [one["id"] for one in running.takes(first)] == [first]
    voice = running.audio(first, "wav")
    assert running.mix(second, voice, "flac", loop=True)[:4] == b"fLaC"
    with pytest.raises(InputError, match="the recording is no WAV"):
        running.mix(second, b"no sound")


def test_errors_of_a_service_come_back_as_what_they_were(homes):
    running = running_service(str(homes[1]), None)
    with pytest.raises(InputError, match="the text is empty"):
        running.find({"context": ""})
    with pytest.raises(NotFound, match="no track"):
        running.audio("nothing", "wav")
    with pytest.raises(Gone):
        RunningService(str(homes[1]), "http://127.0.0.1:9/", "x").find({"context": RAIN})


# The token

TOKEN = "a-long-enough-token"


def arguments_of(process):
    """Return the arguments of a process as every user of the machine sees them."""
    entry = Path(f"/proc/{process.pid}/cmdline")
    if entry.exists():
        return entry.read_text("utf-8")
    ps = ["ps", "-o", "args=", "-ww", "-p", str(process.pid)]
    return subprocess.run(ps, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("given", [["--token", TOKEN], [f"--token={TOKEN}"], ["--token-file"]])
def test_nobody_reads_the_token_in_the_list_of_processes(tmp_path, given):
    if given == ["--token-file"]:
        (tmp_path / "token").write_text(f"{TOKEN}\n", "utf-8")
        given = [*given, str(tmp_path / "token")]
    process, address = start(tmp_path / "home", "--no-warm", *given)
    place = urlsplit(address)
    arguments = arguments_of(process)
    assert ("serve" in arguments, TOKEN in arguments) == (True, False)
    for token, status in ((TOKEN, 200), ("another-long-token", 401)):
        connection = HTTPConnection(place.hostname, place.port, timeout=WAIT_S)
        connection.request(
            "GET", "/api/jobs", headers={"Authorization": f"Bearer {token}", "Connection": "close"}
        )
        with connection.getresponse() as answer:
            assert answer.status == status
    stop(process)


def test_a_token_file_that_cannot_be_read_is_told(tmp_path):
    for content, words in ((b"", "is empty"), (b"\xff\xfe", "no text"), (None, "No such file")):
        path = tmp_path / "token"
        path.unlink(missing_ok=True)
        if content is not None:
            path.write_bytes(content)
        result = run("serve", "--token-file", path, home=tmp_path)
        assert (result.exit_code, words in result.stderr) == (2, True), result.stderr
    result = run("serve", "--token-file", "-", stdin="short", home=tmp_path)
    assert (result.exit_code, "at least 12" in result.stderr) == (2, True), result.stderr


# Who answers


@contextlib.contextmanager
def listening(answer):
    """Listen in a thread and let `answer` treat each connection; yield the address and the bytes that came in."""
    received = []

    def serve():
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                with connection, contextlib.suppress(OSError):
                    answer(connection, received)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/", received
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(WAIT_S)


def http_answer(content, *more):
    head = ["HTTP/1.1 200 OK", "Content-Type: application/json", f"Content-Length: {len(content)}", *more]
    return "\r\n".join([*head, "", content]).encode()


def impersonating(connection, received):
    """Answer every request as if a track were found, with a proof that is none."""
    while data := connection.recv(65_536):
        received.append(data)
        result = {"action": "reused", "path": "/etc/passwd", "id": "a", "lines": ["x"]}
        connection.sendall(http_answer(json.dumps({"result": result, "proof": "0" * 64})))


def mute(connection, received):
    while data := connection.recv(65_536):
        received.append(data)


def dripping(connection, received):
    """Send an answer byte by byte, for as long as anybody reads it."""
    received.append(connection.recv(65_536))
    connection.sendall(b"HTTP/1.1 200 OK\r\nX: ")
    while True:
        connection.sendall(b"x")
        time.sleep(0.01)


@pytest.mark.parametrize("answer", [impersonating, mute, dripping])
def test_another_program_at_the_address_of_the_note_learns_nothing_and_decides_nothing(
    homes, tmp_path, monkeypatch, answer
):
    monkeypatch.setattr(client, "PROOF_S", 0.5)
    home = shutil.copytree(homes[0], tmp_path / "home")
    with listening(answer) as (address, received), only_service(home):
        write_note(home, {"address": address, "secret": SECRET, **settings_of(home, None)})
        result = run("find-or-make", RAIN, *SHORT, home=home)
    assert (result.exit_code, "passwd" in result.stdout) == (0, False)
    assert Path(result.stdout.strip()).is_file()
    assert "the service of this home does not answer; going on without it" in result.stderr
    assert received
    for secret in (SECRET, "Authorization", "rain", "library"):
        assert secret.encode() not in b"".join(received)


def test_a_proof_is_not_passed_on_to_the_service_of_another_address(homes):
    served = homes[1]
    note = read_note(served)
    place = urlsplit(note["address"])

    def relaying(connection, received):
        with socket.create_connection((place.hostname, place.port), WAIT_S) as service:
            received.append(connection.recv(65_536))
            service.sendall(received[0])
            while b"}" not in (data := service.recv(65_536)):
                connection.sendall(data)
            connection.sendall(data)
            received.append(connection.recv(65_536))

    with listening(relaying) as (address, received), pytest.raises(Gone):
        RunningService(str(served), address, note["secret"]).find({"context": RAIN})
    assert received[1:] in ([], [b""])
    RunningService(str(served), note["address"], note["secret"]).find({"context": RAIN})


def test_the_proof_needs_no_token_and_a_nonce(open_client):
    client = open_client(token="a-long-enough-token", address="http://127.0.0.1:8765/")
    shown = client.get(f"/api/proof?nonce={'0' * 32}").json()["proof"]
    assert is_proof(shown, SECRET, "http://127.0.0.1:8765/", "0" * 32)
    assert not is_proof(shown, SECRET, "http://127.0.0.1:8765/", "1" * 32)
    assert not is_proof(proof_of("", "", "0" * 32), "", "", "0" * 32)
    assert client.get("/api/proof?nonce=" + "0" * 33).status_code == 422


DEAF = """
import functools, numpy, scipy.fft
import music_catalog.service.jobs.jobs
from music_catalog import cli
from music_catalog import MusicService

class Deaf:
    def generate_music(self, *arguments, **options):
        signal = numpy.zeros((16, 2**18))
        while True:
            scipy.fft.fft(signal)

music_catalog.service.jobs.jobs.CANCEL_S = 0.2
MusicService.open = functools.partial(MusicService.open, generators=lambda *_: Deaf())
cli.main()
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_ends_well_while_native_code_still_works(tmp_path, number):
    process = subprocess.Popen(
        [
            sys.executable,
            "-c",
            DEAF,
            "serve",
            "--home",
            str(tmp_path),
            "--port",
            "0",
            "--no-warm",
            "--grace",
            "0.1",
        ],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ},
    )
    assert process.stdout.readline().startswith("http://127.0.0.1:")
    running = running_service(str(tmp_path), None)
    running._json("POST", "/api/find-or-make", {"context": RAIN})
    deadline = time.monotonic() + WAIT_S
    while running._json("GET", "/api/jobs")["jobs"][0]["state"] != "running":
        assert time.monotonic() < deadline
        time.sleep(0.02)
    time.sleep(0.3)  # into the transforms
    process.send_signal(number)
    _, errors = process.communicate(timeout=WAIT_S)
    assert (process.returncode, errors) == (0, "")
    (line,) = run("history", "--json", home=tmp_path).stdout.splitlines()
    assert json.loads(line)["requests"][0]["rule"] == "cancelled"
    assert not (tmp_path / "serve.json").exists()


def test_a_stop_ends_the_running_job_and_the_command_line_goes_on_alone(homes, tmp_path):
    home = shutil.copytree(homes[0], tmp_path / "home")
    before = len(run("list", "--jsonl", home=home).stdout.splitlines())
    process, _ = start(home, "--grace", "0")
    results = []
    long = ["find-or-make", "A slow river under the stars.", "--duration", "20", "--quality", "preview"]
    asking = threading.Thread(target=lambda: results.append(run(*long, home=home)))
    asking.start()
    running = running_service(str(home), None)
    deadline = time.monotonic() + WAIT_S
    while not any(job["state"] == "running" for job in running._json("GET", "/api/jobs")["jobs"]):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    stop(process)
    asking.join(WAIT_S)
    assert results[0].exit_code == 0
    assert "going on without it" in results[0].stderr
    assert len(run("list", "--jsonl", home=home).stdout.splitlines()) == before + 1
