"""The container files name what is there: files that are copied, services, commands and options."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from music_catalog.cli import catalog

ROOT = Path(__file__).resolve().parents[1]
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text())
DOCKERFILE = (ROOT / "Dockerfile").read_text()


def known_options(command):
    return {name for parameter in catalog.commands[command].params for name in parameter.opts}


def test_what_the_image_copies_is_in_its_context():
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = [
        name
        for line in re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE, re.MULTILINE)
        for name in line.split()[:-1]
    ]
    assert {*copied} == kept
    assert all((ROOT / name).exists() for name in copied)


def test_the_image_installs_extras_that_there_are():
    extras = re.findall(r"^([a-z]+) = \[", (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    wanted = re.findall(r"^ARG (?:EXTRAS|MLX)=(.+)$", DOCKERFILE, re.MULTILINE)
    wanted.append(COMPOSE["services"]["ray"]["build"]["args"]["EXTRAS"])
    assert {each for line in wanted for each in line.split(",")} <= {*extras}


def test_commands_and_options_are_those_of_the_catalog():
    (usual,) = re.findall(r"^CMD \[(.+)\]$", DOCKERFILE, re.MULTILINE)
    care = COMPOSE["services"]["care"]["command"]
    for words in (re.findall(r'"([^"]+)"', usual), care):
        assert {word for word in words[1:] if word.startswith("--")} <= known_options(words[0])


def test_services_wait_for_services_that_there_are():
    services = COMPOSE["services"]
    assert {"replica-1", "replica-2", "care", "seaweedfs", "ray"} <= {*services}
    waited_for = {name for service in services.values() for name in service.get("depends_on", {})}
    assert waited_for <= {*services}
