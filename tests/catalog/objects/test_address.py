from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from fakes import WordHashEncoder

from music_catalog import MusicService
from music_catalog.errors import InputError
from music_catalog.objects.address import (
    cache_folder,
    is_address,
    local_folder,
    parse_address,
    refuse_mistyped,
)
from music_catalog.upkeep.restore import restore


@pytest.fixture(autouse=True)
def no_endpoint(monkeypatch):
    for name in (
        "CATALOG_BLOBS",
        "LANCEDB_API_KEY",
        "LANCEDB_HOST_OVERRIDE",
        "LANCEDB_REGION",
        "AWS_ENDPOINT_URL_S3",
        "AWS_ENDPOINT_URL",
        "AWS_ENDPOINT",
        "AWS_REGION",
        "AWS_DEFAULT_REGION",
        "AZURE_STORAGE_ENDPOINT",
        "AZURE_ENDPOINT",
        "GOOGLE_BASE_URL",
    ):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("s3://bucket/some/prefix/", "s3://bucket/some/prefix"),
        ("S3://bucket", "s3://bucket"),
        ("gs://bucket/home", "gs://bucket/home"),
        ("az://container/home", "az://container/home"),
    ],
)
def test_an_address_is_read(text, url):
    assert str(parse_address(text)) == url


@pytest.mark.parametrize(
    "text", ["ftp://host/x", "s3://", "s3:///x", "http://host/x", "file:///tmp/x", "s3://bucket/../x"]
)
def test_another_address_is_refused_with_what_is_valid(text):
    with pytest.raises(InputError, match="s3://bucket/prefix"):
        parse_address(text)


@pytest.mark.parametrize(
    "text",
    [
        "s3://who:hidden@bucket/x",
        "s3://bucket/x?key=hidden",
        "ftp://who:hidden@host/x",
        "s3://bucket#hidden",
        "https://account.blob.core.windows.net/container?sv=1&sig=hidden",
        "s3://bucket?key=a@hidden",
        "s3://hidden?more@bucket",
    ],
)
def test_a_password_in_an_address_is_refused_and_not_repeated(text):
    with pytest.raises(InputError) as refused:
        parse_address(text)
    assert "hidden" not in str(refused.value)


def test_no_option_is_in_the_text_of_an_address():
    address = parse_address("s3://bucket/home", {"aws_secret_access_key": "hidden"})
    assert "hidden" not in f"{address!r} {address}"
    assert address.options["aws_secret_access_key"] == "hidden"


def test_the_endpoint_comes_from_the_environment(monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:8333")
    address = parse_address("s3://bucket/home")
    assert address.endpoint == "http://127.0.0.1:8333"
    assert address.options["allow_http"] == "true"
    assert address.options["aws_region"] == "us-east-1"
    monkeypatch.setenv("AWS_ENDPOINT_URL", "https://objects.example")
    assert "allow_http" not in parse_address("s3://bucket/home").options


def test_each_home_has_a_cache_of_its_own(monkeypatch, tmp_path):
    monkeypatch.setenv("CATALOG_CACHE", str(tmp_path))
    here = cache_folder(parse_address("s3://bucket/home"))
    assert here.parent == tmp_path
    assert here != cache_folder(parse_address("s3://bucket/other"))
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:8333")
    assert here != cache_folder(parse_address("s3://bucket/home"))


@pytest.mark.parametrize(
    ("home", "variable", "option"),
    [
        ("s3://bucket/home", "AWS_ENDPOINT_URL", "aws_endpoint"),
        ("az://container/home", "AZURE_ENDPOINT", "endpoint"),
        ("gs://bucket/home", "GOOGLE_BASE_URL", "google_base_url"),
        ("db://music?blobs=s3://bucket/home", "LANCEDB_HOST_OVERRIDE", "lancedb_host_override"),
        ("db://music?blobs=s3://bucket/home", "LANCEDB_REGION", "lancedb_region"),
    ],
)
def test_the_cache_of_a_home_is_that_of_its_server_however_that_is_stated(
    home, variable, option, monkeypatch, tmp_path
):
    monkeypatch.setenv("CATALOG_CACHE", str(tmp_path))
    servers = ("http://one.example:80", "http://two.example:80")
    stated = [local_folder(home, {option: server}) for server in servers]
    assert len({*stated, local_folder(home)}) == 3
    assert local_folder(home, {option: f"{servers[0]}/"}) == stated[0] or variable == "LANCEDB_REGION"
    monkeypatch.setenv(variable, servers[0])
    assert [local_folder(home), local_folder(home, {option: servers[1]})] == stated


@pytest.mark.parametrize(
    ("home", "options", "told"),
    [
        ("s3://bucket/home", {"aws_endpoint": "http://one:80/"}, "http://one:80/ s3://bucket/home"),
        ("gs://bucket/home", {"google_base_url": "http://one:80"}, " gs://bucket/home"),
        (
            "db://music?blobs=s3://bucket/home",
            {"lancedb_host_override": "https://one/"},
            " s3://bucket/home https://one/ db://music",
        ),
        (
            "db://music?blobs=s3://bucket/home",
            {"lancedb_region": "eu-west-1"},
            " s3://bucket/home  db://music",
        ),
    ],
)
def test_a_cache_that_was_named_otherwise_comes_along_once(home, options, told, monkeypatch, tmp_path):
    """What was made and waits for its row is in it."""
    monkeypatch.setenv("CATALOG_CACHE", str(tmp_path))
    former = tmp_path / hashlib.sha256(told.encode()).hexdigest()[:16]
    waiting = former / "cache" / "bulk" / "key.json"
    waiting.parent.mkdir(parents=True)
    waiting.write_text("made")
    folder = local_folder(home, options)
    assert (folder / "cache" / "bulk" / "key.json").read_text() == "made"
    assert not former.exists()
    former.mkdir()
    assert local_folder(home, options) == folder
    assert former.exists()
    assert (folder / "cache").exists()


def test_a_server_of_google_without_tls_is_allowed_and_one_that_is_no_url_is_refused():
    assert (
        parse_address("gs://bucket/home", {"base_url": "http://127.0.0.1:1"}).options["allow_http"] == "true"
    )
    with pytest.raises(InputError, match="google_base_url must be the URL of a server"):
        parse_address("gs://bucket/home", {"base_url": "127.0.0.1:1"})


def test_accounts_of_azure_share_no_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("CATALOG_CACHE", str(tmp_path))
    unnamed = cache_folder(parse_address("az://music/home"))
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", "one")
    one = cache_folder(parse_address("az://music/home"))
    other = cache_folder(parse_address("az://music/home", {"azure_storage_account_name": "two"}))
    assert len({unnamed, one, other}) == 3
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", "two")
    assert cache_folder(parse_address("az://music/home")) == other


def test_folders_are_no_addresses():
    assert is_address("s3://bucket/x")
    assert is_address("ftp://host/x")
    assert not is_address("data")
    assert not is_address("/srv/music//x")


def test_a_database_and_its_blobs_are_read(monkeypatch):
    monkeypatch.setenv("LANCEDB_API_KEY", " hidden\n")
    for text in (
        "db://music?blobs=s3://bucket/home",
        "DB://music/?blobs=s3%3A%2F%2Fbucket%2Fhome",
        "db://music",
    ):
        monkeypatch.setenv("CATALOG_BLOBS", "s3://bucket/home" if "blobs" not in text else "gs://other")
        address = parse_address(text, {"lancedb_region": "eu-west-1", "aws_region": "eu-central-1"})
        assert (address.home, str(address)) == ("db://music?blobs=s3://bucket/home", "s3://bucket/home")
        assert address.database.arguments() == {"api_key": "hidden", "region": "eu-west-1"}
        assert address.options == {"aws_region": "eu-central-1"}
        assert "hidden" not in f"{address!r} {address.database!r}"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("db://music", "db://music holds tables alone; name an object store"),
        ("db://music?blobs=", "name an object store"),
        ("db://music?blobs=db://other", "name an object store"),
        ("db://music?blobs=/srv/music", "no place for a catalog"),
        ("db://?blobs=s3://bucket/home", "names no database"),
        ("db://music/hidden?blobs=s3://bucket/home", "names no database"),
        ("db://hidden@music?blobs=s3://bucket/home", "names no database"),
        ("db://music?api_key=hidden", "names no database"),
        ("db://music?blobs=s3://bucket/home&api_key=hidden", "names no database"),
        ("db://music?blobs=s3://who:hidden@bucket/home", "must have no user name"),
    ],
)
def test_a_database_without_blobs_or_with_a_key_is_refused_and_not_repeated(text, told):
    with pytest.raises(InputError, match=told) as refused:
        parse_address(text)
    assert "hidden" not in str(refused.value)


def test_a_file_may_state_the_key_beside_what_reaches_the_store(monkeypatch, tmp_path):
    file = tmp_path / "storage.yaml"
    file.write_text("storage:\n  access_key_id: one\n  lancedb_api_key: hidden\n  region: eu-central-1\n")
    monkeypatch.setenv("CATALOG_STORAGE", str(file))
    address = parse_address("db://music?blobs=s3://bucket/home")
    assert address.database.arguments() == {"api_key": "hidden"}
    assert address.options == {"aws_access_key_id": "one", "aws_region": "eu-central-1"}
    assert "hidden" not in f"{address!r}"
    passed = {"lancedb_api_key": "other", "lancedb_host_override": "https://lancedb.example.com"}
    address = parse_address("db://music?blobs=s3://bucket/home", passed)
    assert address.database.arguments() == {
        "api_key": "other",
        "host_override": "https://lancedb.example.com",
    }
    assert address.passed == passed


def test_each_database_has_a_cache_of_its_own(monkeypatch):
    texts = ("s3://bucket/home", "db://one?blobs=s3://bucket/home", "db://two?blobs=s3://bucket/home")
    folders = {cache_folder(parse_address(text)) for text in texts}
    monkeypatch.setenv("LANCEDB_HOST_OVERRIDE", "https://lancedb.example.com")
    folders.add(cache_folder(parse_address(texts[1])))
    assert len(folders) == 4


@pytest.mark.parametrize(
    ("home", "said"),
    [
        (
            "s3:/bucket2",
            "^the home 's3:/bucket2' looks like an address; write s3://bucket2, or the absolute path",
        ),
        ("s3:bucket/a", "write s3://bucket/a,"),
        ("GS:/x", "write gs://x,"),
        ("az:x", "write az://x,"),
        ("db:NAME", "write db://NAME,"),
        ("s3:", "write s3://bucket/prefix,"),
        (Path("s3://bucket"), "write s3://bucket,"),
        ("s3:/key:secret@bucket", r"^the home looks like an address; write s3://\.\.\.,"),
    ],
)
def test_a_home_that_looks_like_an_address_is_refused_and_no_folder_made(tmp_path, monkeypatch, home, said):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=said):
        MusicService.open(home, encoder=WordHashEncoder())
    with pytest.raises(InputError, match=said):
        restore(tmp_path / "backup", home)
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize(
    "home", ["data", "/srv/s3:bucket", "./s3:bucket", "s3://bucket", "s3", "as3:x", "c:x"]
)
def test_other_homes_are_no_mistyped_addresses(home):
    refuse_mistyped(home)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"home": 3}, "^home is 3; pass "),
        ({"home": b"x"}, "^home is b'x'; pass "),
        ({"home": "x", "config": 3}, "^config is 3; pass "),
    ],
)
def test_a_home_of_the_wrong_type_is_refused(tmp_path, monkeypatch, arguments, said):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=said):
        MusicService.open(**arguments)
    assert [*tmp_path.iterdir()] == []
