"""What reaches an object store: by an argument, a file or the environment, and never in any text."""

from __future__ import annotations

import logging
import os
import pickle
from dataclasses import replace

import pytest
from command_line import run
from fake_s3 import BUCKET
from object_servers import KEY, SECRET

from music_catalog.bulk.workers import opener_of
from music_catalog.errors import ConfigError, InputError, StorageError
from music_catalog.objects.address import cache_folder, local_folder, parse_address

LOGIN = {"aws_access_key_id": KEY, "aws_secret_access_key": SECRET}
MAKE = ("find-or-make", "Rain falls on the quiet harbour", "--backend", "procedural", "--duration", "1")


@pytest.fixture
def bare(seaweed_server, monkeypatch, tmp_path):
    """A SeaweedFS that nothing in the environment names."""
    for name in seaweed_server.environment:
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_DEFAULT_REGION", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CATALOG_CACHE", str(tmp_path / "cache"))
    return seaweed_server


@pytest.fixture
def options(bare):
    return {**LOGIN, "endpoint": bare.endpoint, "region": "us-east-1"}


def write(path, options):
    path.write_text("storage:\n" + "".join(f"  {name}: {value}\n" for name, value in options.items()))
    return str(path)


def test_an_argument_reaches_a_store_that_the_environment_does_not_name(bare, options, open_service):
    home = bare.address()
    service = open_service(home, storage_options=options)
    made = service.find_or_make("Rain.", duration_s=1.0, backend="procedural")
    assert open_service(home, storage_options=options).get(made.track.id).id == made.track.id
    opener = opener_of(service.flow)
    assert SECRET not in repr(opener)
    flow = pickle.loads(pickle.dumps(replace(opener, generators=None))).open()
    assert flow.store.tracks.get(made.track.id).id == made.track.id
    flow.close()


def test_an_argument_with_short_names_reaches_azure(azurite_server, open_service, monkeypatch, tmp_path):
    stated = azurite_server.environment
    for name in stated:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CATALOG_CACHE", str(tmp_path / "cache"))
    names = {"account_name": "ACCOUNT_NAME", "account_key": "ACCOUNT_KEY", "endpoint": "ENDPOINT"}
    options = {short: stated[f"AZURE_STORAGE_{name}"] for short, name in names.items()}
    service = open_service(azurite_server.address(), storage_options=options)
    assert service.find_or_make("Rain.", duration_s=1.0, backend="procedural").path.is_file()
    assert options["account_key"] not in repr(service.store.blobs.address)


def test_a_file_that_the_environment_names_reaches_it_from_the_command_line(
    bare, options, monkeypatch, tmp_path
):
    home = bare.address()
    options |= {"azure_storage_account_name": "another vendor's", "google_service_account": "and a third's"}
    monkeypatch.setenv("CATALOG_STORAGE", write(tmp_path / "storage.yaml", options))
    # What is in the environment counts less.
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "another")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "other")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    assert run(*MAKE, home=home).exit_code == 0
    listed = run("list", "--json", home=home)
    assert listed.exit_code == 0
    assert "Rain" in listed.stdout
    assert local_folder(home) == cache_folder(parse_address(home, options))
    doctor = run("doctor", home=home)
    assert "audio_files 1" in doctor.stdout, doctor.stdout
    assert SECRET not in doctor.output + listed.output


def test_a_wrong_key_is_told_without_it(bare, options, open_service, caplog, monkeypatch, tmp_path):
    caplog.set_level(logging.DEBUG)
    wrong = {**options, "aws_secret_access_key": "a-wrong-secret"}
    with pytest.raises(StorageError, match="the credentials are not right") as refused:
        open_service(bare.address(), storage_options=wrong)
    monkeypatch.setenv("CATALOG_STORAGE", write(tmp_path / "wrong.yaml", wrong))
    told = [run(*command, home=bare.address()).output for command in (("list",), ("doctor",), MAKE)]
    assert all("the credentials are not right" in output for output in told)
    assert "a-wrong-secret" not in "".join((*told, str(refused.value), repr(refused.value), caplog.text))


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (
            {"aws_acess_key_id": "hidden"},
            "has 'aws_acess_key_id', which is no option; valid are allow_http, aws_",
        ),
        ({"AKIAhidden": "x"}, "has a name that is not shown, which is no option"),
        ({"aws_region": ""}, "aws_region must be text"),
        ({"aws_secret_access_key": ["hidden"]}, "aws_secret_access_key must be text, or true or false"),
        (
            {"aws_endpoint": "hidden:80"},
            "aws_endpoint must be the URL of a server, such as https://host:port",
        ),
    ],
)
def test_what_is_no_option_gets_a_sentence_that_names_what_is_valid(options, says, monkeypatch, tmp_path):
    with pytest.raises(InputError) as refused:
        parse_address("s3://bucket/home", options)
    assert says in str(refused.value)
    monkeypatch.setenv("CATALOG_STORAGE", write(tmp_path / "storage.yaml", options))
    done = run("list", home="s3://bucket/home")
    assert (done.exit_code, done.stderr.count("\n")) == (2, 1)
    assert "storage.yaml: storage" in done.stderr
    assert "hidden" not in f"{refused.value}{done.output}"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("storage: [hidden]", "must be a mapping of the names of options"),
        ("hidden: {}", "must hold a mapping under `storage:` and nothing else"),
        ("storage: {aws_region: 'hidden", "is not valid YAML at line 1"),
        (None, "cannot be read: No such file"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_without_its_content(content, says, monkeypatch, tmp_path):
    file = tmp_path / "storage.yaml"
    if content is not None:
        file.write_text(content)
    monkeypatch.setenv("CATALOG_STORAGE", str(file))
    with pytest.raises(ConfigError) as refused:
        parse_address("s3://bucket/home")
    assert says in str(refused.value)
    assert "hidden" not in str(refused.value)


@pytest.mark.parametrize(
    "content", ["storage: {aws_region: hidden}", "musicgen: {storage: {aws_region: hidden}}"]
)
def test_a_configuration_sends_the_block_to_a_file_of_its_own(content, tmp_path):
    file = tmp_path / "catalog.yaml"
    file.write_text(content)
    done = run("config", "show", "--config", str(file))
    assert done.exit_code == 2
    assert "stands in a file of its own, which CATALOG_STORAGE names" in done.stderr
    assert "hidden" not in done.output


def test_a_token_of_the_environment_is_sent_with_no_other_key(monkeypatch):
    monkeypatch.setenv("AWS_SESSION_TOKEN", "hidden")
    with pytest.raises(InputError, match="AWS_SESSION_TOKEN is set in the environment") as refused:
        parse_address("s3://bucket/home", LOGIN)
    assert "hidden" not in str(refused.value)
    assert parse_address("s3://bucket/home", {**LOGIN, "aws_session_token": "mine"}).options
    assert parse_address("s3://bucket/home", {"aws_region": "eu"}).options


def test_options_of_each_vendor_are_read_for_its_stores_alone():
    every = {
        "aws_region": "eu",
        "azure_storage_account_name": "one",
        "google_skip_signature": True,
        "allow_http": True,
    }
    assert parse_address("gs://bucket/x", every).options == {
        "google_skip_signature": "true",
        "allow_http": "true",
    }
    assert parse_address("az://music/x", {"account_name": "one"}).account == "one"


def test_an_argument_takes_the_place_of_a_file_that_cannot_be_read(
    server, tmp_path, monkeypatch, open_service
):
    monkeypatch.setenv("CATALOG_STORAGE", str(tmp_path / "absent.yaml"))
    stated = {name.lower(): os.environ[name] for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")}
    stated |= {"aws_endpoint": server.url, "aws_region": "us-east-1"}
    with open_service(f"s3://{BUCKET}/home", storage_options=stated) as service:
        assert service.library.check.retakes == 1
    config = tmp_path / "catalog.yaml"
    config.write_text("musicgen:\n  check:\n    retakes: 3\n")
    with open_service(f"s3://{BUCKET}/home", storage_options=stated, config=config) as service:
        assert service.library.check.retakes == 3
