"""Malformed command lines: exit codes that are documented, one line that begins with Error, no traceback."""

from __future__ import annotations

import os
import random
from pathlib import Path

import click
from click.testing import CliRunner
from fakes import WordHashEncoder
from invariants import CRASH, SHORT, Tone, in_process, open_service, text_of
from odd_values import odd_text, relative, try_each

from music_catalog import cli
from music_catalog.service import making, service
from music_catalog.text import encoder

INPUTS = 10_000
CODES = (0, 1, 2, 3, 4, 5, 6)
LEFT_OUT = ("serve", "mcp", "models", "calibrate", "completion")
"""Commands that serve until they are stopped, reach a network, or work for minutes."""
NEVER = ("deep", "reembed", "no_server")


def commands(group=cli.catalog, path=()):
    """Yield the words and the command of each command."""
    for name, command in group.commands.items():
        if name in LEFT_OUT:
            continue
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name), command


def a_home(home):
    with open_service(home) as opened:
        return [opened.find_or_make(text_of(number), **SHORT).track.id for number in range(3)]


def tried(seeds, home, folder, ids):
    """Run one odd command line for each seed in a folder of its own."""
    os.fsync = os.fdatasync = lambda descriptor: None
    encoder.load = lambda *arguments, **rest: WordHashEncoder()
    tone = Tone()
    for module in (service, making):
        module.load_generator = lambda *arguments, **rest: tone
    service.MusicService.open.__func__.__kwdefaults__["generators"] = lambda backend, size: tone
    work = Path(folder) / f"{os.getpid()}" / "a" / "b" / "c"
    work.mkdir(parents=True, exist_ok=True)
    os.chdir(work)
    (work / "text.txt").write_text("calm rain")
    every, found = [*commands()], {}
    for seed in seeds:
        dice = random.Random(seed)
        path, command = dice.choice(every)
        words = [*path, *_words(command, dice, ids)]
        done = CliRunner().invoke(
            cli.catalog,
            words,
            input=odd_text(dice).encode("utf-8", "surrogatepass"),
            env={"CATALOG_HOME": home, "CATALOG_NO_SERVER": "1"},
        )
        if failure := _failure(done):
            found[seed] = [(CRASH, f"catalog {' '.join(map(repr, words))[:300]}: {failure}")]
    return found


def _words(command, dice, ids):
    words = []
    for parameter in command.params:
        if parameter.name in NEVER or (dice.random() < 0.75 and not parameter.required):
            continue
        if isinstance(parameter, click.Option):
            words.append(dice.choice([*parameter.opts, *parameter.secondary_opts]))
            if parameter.is_flag:
                continue
        words.append(_value(parameter, dice, ids))
    if dice.random() < 0.1:
        words.insert(dice.randrange(len(words) + 1), relative(odd_text(dice)))
    return words


def _value(parameter, dice, ids):
    chance = dice.random()
    if isinstance(parameter.type, click.Choice) and chance < 0.7:
        return dice.choice([*parameter.type.choices])
    if parameter.name == "home":
        return relative(odd_text(dice)) or "home"
    if chance < 0.15:
        return dice.choice(["text.txt", ids[0], ids[0][:4], "out.wav", "1", "0.5", "preview", "rain"])
    return relative(odd_text(dice))


def _failure(done):
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        return f"{type(done.exception).__name__}: {str(done.exception)[:200]}"
    if done.exit_code not in CODES:
        return f"exit code {done.exit_code}"
    if "Traceback" in done.output:
        return "a traceback"
    last = done.stderr.strip().splitlines()[-1:]
    if done.exit_code and done.exit_code not in (3, 5) and not (last and last[0].startswith("Error")):
        return f"exit code {done.exit_code} with {last}"
    return ""


def test_malformed_commands(tmp_path, request, scaled, tally):
    home = str(tmp_path / "home")
    ids = in_process(a_home, home)
    with tally("malformed command lines") as count:
        try_each(count, scaled(INPUTS), request.config.faults_seed, tried, home, str(tmp_path), ids)
