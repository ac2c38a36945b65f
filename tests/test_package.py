"""What is installed is one package: nothing of it is left out, and it lives beside a user's own modules."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest
from packaging.requirements import Requirement

try:
    import tomllib
except ModuleNotFoundError:  # Python 3.10, where pytest brings it
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
FOLDERS = {
    "catalog": "music_catalog",
    "generator": "music_catalog.generator",
    "presets": "music_catalog.presets",
}

APPLICATION = """
import json
import catalog, cli, generator, presets
assert (catalog.MINE, cli.MINE, generator.MINE, presets.MINE) == (1, 2, 3, 4)
import music_catalog
from music_catalog import MusicService

with MusicService.open("home") as service:
    answers = [service.find_or_make("Rain on the roof.", duration_s=1.0, quality="preview") for _ in range(2)]
print(json.dumps({"file": music_catalog.__file__, "actions": [answer.action for answer in answers]}))
"""

TYPED = """
from music_catalog import Filter, MusicService, Result, Track


def answer(service: MusicService, text: str) -> str:
    music = service.find_or_make(text, preset="ambient_lofi", duration_s=20, mood_tags="happy", reach="scene")
    looked = service.find_or_make(text, dry_run=True)
    service.scene({"text": text}, "forest", quality="preview", variety=1).path.read_bytes()
    for hit in service.search("rain", mood="calm", min_duration_s=20):
        print(hit.score, hit.track.style)
    service.similar(music.track.id, by="sound", loopable=True)
    service.history(style="ambient_lofi", action="reused")
    service.calibrate(max_false_reuse=0.05).bounds
    service.plan_stock(["Rain."], 3, quality="preview", sample=10)
    service.attach_soundtrack({"answer": text}, role="background_bed")
    return music.path.name


def mistakes(service: MusicService, text: str, track: Track) -> None:
    service.find_or_make(text, presett="ambient_lofi")  # wrong
    service.find_or_make(text, duration_s="long")  # wrong
    service.find_or_make(text, quality="best")  # wrong
    service.find_or_make(text, dry_run=True).track.style  # wrong
    service.find_or_make_all([text], moood_tags=["calm"])  # wrong
    service.find(text, reech="scene")  # wrong
    service.explain(text, enviroment="forest")  # wrong
    service.reuse(text, dry_run=True)  # wrong
    service.generate(text, seed="7")  # wrong
    service.scene(text, "forest", looped=True)  # wrong
    service.attach_soundtrack({"answer": text}, dry_run=True)  # wrong
    service.plan_stock([text], 3, preset="ambient_lofi")  # wrong
    service.stock([text], 3, samples=10)  # wrong
    service.search("rain", moods="calm")  # wrong
    service.browse(environment="the woods")  # wrong
    service.similar(track.id, min_tempo_bpm="fast")  # wrong
    service.history(presett="ambient_lofi")  # wrong
    service.find_everything(text)  # wrong
    track.stile  # wrong
"""


def test_every_folder_with_modules_is_installed():
    expected = {
        ".".join((package, *path.parent.relative_to(ROOT / folder).parts))
        for folder, package in FOLDERS.items()
        for path in (ROOT / folder).rglob("*.py")
    }
    assert set(PROJECT["tool"]["setuptools"]["packages"]) == expected


def test_every_file_that_is_read_is_installed():
    data = PROJECT["tool"]["setuptools"]["package-data"]
    places = {name: ROOT / PROJECT["tool"]["setuptools"]["package-dir"].get(name, "") for name in data}
    places["music_catalog.web"] = ROOT / "catalog" / "web"
    listed = {path for name, patterns in data.items() for one in patterns for path in places[name].glob(one)}
    files = {
        path
        for folder in FOLDERS
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and path.suffix != ".py" and "__pycache__" not in path.parts
    }
    assert files - listed == set()


LINUX = {"sys_platform": "linux", "platform_system": "Linux", "platform_machine": "x86_64"}
MAC = {"sys_platform": "darwin", "platform_system": "Darwin", "platform_machine": "arm64"}


def mlx_of(extra, machine):
    """Return MLX as the core and one extra, with the extras of ours that it names, ask for it on a machine."""
    project, found = PROJECT["project"], []
    for text in [*project["dependencies"], *project["optional-dependencies"].get(extra, [])]:
        wanted = Requirement(text)
        if wanted.name == "music-catalog":
            found += [one for name in wanted.extras for one in mlx_of(name, machine)]
        elif wanted.name == "mlx" and (wanted.marker is None or wanted.marker.evaluate(machine)):
            found.append(wanted)
    return found


@pytest.mark.parametrize("extra", ["", *PROJECT["project"]["optional-dependencies"]])
def test_one_backend_of_mlx_at_most_is_installed_under_linux(extra):
    """Two own the same library file: which one is left depends on the installer, and a GPU may stay idle."""
    backends = {backend for wanted in mlx_of(extra, LINUX) for backend in wanted.extras}
    expected = {"cpu": {"cpu"}, "cuda": {"cuda13"}, "dev": {"cpu"}}
    assert backends == expected.get(extra, set())
    assert all(wanted.extras for wanted in mlx_of(extra, LINUX)), "MLX without a backend cannot be imported"
    assert mlx_of(extra, MAC), "on a Mac the core has it"


@pytest.mark.parametrize("machine", [LINUX, MAC])
def test_no_mlx_is_installed_that_cannot_pad_the_codec_on_a_gpu(machine):
    """`mx.pad(mode="reflect")` is new in 0.32.1."""
    for extra in PROJECT["project"]["optional-dependencies"]:
        for wanted in mlx_of(extra, machine):
            assert not wanted.specifier.contains("0.32.0")
            assert wanted.specifier.contains("0.32.1")


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """Return the interpreter of an environment of its own in which the wheel is installed.

    What the package depends on is taken from the environment of the tests.
    """
    folder = tmp_path_factory.mktemp("installed")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q"]
    source = folder / "source"
    source.mkdir()
    for name in (*FOLDERS, "pyproject.toml", "README.md", "LICENSE", "cli.py"):
        (source / name).symlink_to(ROOT / name)
    wheel = [*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(source)]
    subprocess.run(wheel, check=True, env=elsewhere())
    venv.create(folder / "environment", with_pip=False, symlinks=True)
    python = folder / "environment" / "bin" / "python"
    (wheel_file,) = folder.glob("*.whl")
    subprocess.run(
        [*pip, "--python", str(python), "install", "--no-deps", str(wheel_file)], check=True, env=elsewhere()
    )
    (site,) = (folder / "environment").glob("lib/python*/site-packages")
    # A path in a .pth file is searched last, and the .pth files in it are not read: no editable install comes along.
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return python


def test_the_wheel_works_beside_modules_of_the_same_names(installed, tmp_path):
    (tmp_path / "presets.py").write_text("MINE = 4\n")
    (tmp_path / "cli.py").write_text("MINE = 2\n")
    for name, value in (("catalog", 1), ("generator", 3)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(f"MINE = {value}\n")
    (tmp_path / "app.py").write_text(APPLICATION)
    done = run(installed, "app.py", cwd=tmp_path)
    printed = json.loads(done.stdout.splitlines()[-1])
    assert Path(printed["file"]).is_relative_to(installed.parents[1])
    assert printed["actions"] == ["generated", "reused"]


def test_the_command_starts_as_a_module_and_as_a_program(installed, tmp_path):
    told = [run(installed, *words, cwd=tmp_path).stdout for words in (("-m", "music_catalog", "--version"),)]
    command = installed.with_name("catalog")
    done = subprocess.run([command, "--version"], env=elsewhere(), capture_output=True, text=True, check=True)
    told.append(done.stdout)
    assert told[0] == told[1]
    assert PROJECT["project"]["version"] in told[0]


VERSIONS = """
import music_catalog
from music_catalog.generator.protocol import versions
from music_catalog.version import package_version
print(music_catalog.__version__, package_version(), versions("music-catalog")["music-catalog"])
"""


def test_every_place_tells_the_version_of_the_project(installed, tmp_path):
    told = run(installed, "-c", VERSIONS, cwd=tmp_path).stdout.split()
    assert told == [PROJECT["project"]["version"]] * 3


def test_the_changelog_begins_with_the_version_of_the_project():
    newest = re.search(r"^## (\S+), (\d{4}-\d\d-\d\d)$", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.M)
    assert newest
    assert newest[1] == PROJECT["project"]["version"]


@pytest.mark.parametrize("checker", ["mypy", "pyright"])
@pytest.mark.parametrize("how", ["wheel", pytest.param("editable", marks=pytest.mark.cluster)])
def test_type_checkers_find_the_mistakes_of_a_user_with_the_wheel_and_the_checkout(
    how, checker, tmp_path, request
):
    if importlib.util.find_spec(checker) is None:
        pytest.skip(f"{checker} is not installed")
    python = request.getfixturevalue("installed") if how == "wheel" else Path(sys.executable)
    (tmp_path / "app.py").write_text(TYPED)
    expected = {number for number, line in enumerate(TYPED.splitlines(), 1) if line.endswith("# wrong")}
    assert told_by(checker, python, tmp_path) == expected


def told_by(checker, python, folder):
    """Return the numbers of the lines of app.py in `folder` where a type checker finds a mistake."""
    if checker == "mypy":
        # Heavy libraries that no answer of the package's depends on; reading torch takes minutes.
        skipped = ",".join(PROJECT["tool"]["mypy"]["overrides"][0]["module"])
        (folder / "mypy.ini").write_text(f"[mypy]\n[mypy-{skipped}]\nfollow_imports = skip\n")
        words = ["--python-executable", str(python), "--cache-dir", "cache", "--no-error-summary", "app.py"]
    else:
        words = ["--pythonpath", str(python), "app.py"]
    env = None if python == Path(sys.executable) else elsewhere()
    told = subprocess.run(
        [sys.executable, "-m", checker, *words], cwd=folder, env=env, capture_output=True, text=True
    )
    assert told.returncode in (0, 1), told.stderr
    return {int(number) for number in re.findall(r"app\.py:(\d+)[:\d]* (?:- )?error", told.stdout)}


def test_the_command_starts_from_the_checkout():
    assert "find-or-make" in run(Path(sys.executable), "cli.py", "--help", cwd=ROOT).stdout


def run(python, *words, cwd):
    """Return a finished process that sees no folder of this checkout but through its own environment."""
    env = {**(os.environ if python == Path(sys.executable) else elsewhere()), "NO_COLOR": "1"}
    return subprocess.run(
        [python, *words], cwd=cwd, env=env, capture_output=True, text=True, check=True, timeout=200
    )


def elsewhere():
    """Return an environment in which Python looks for modules only where it is installed."""
    return {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "MYPYPATH")}
