"""Run the command line in this process, and start it as a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from click.testing import CliRunner

from music_catalog import cli

ROOT = Path(__file__).resolve().parents[1]
CALM = "Soft rain taps on the library windows while students read in calm, peaceful silence."
SHORT = ["--duration", "2", "--quality", "preview"]


def run(*args, home=None, stdin=None):
    """Return what a command did: its exit code, and what it wrote to each stream."""
    env = {"CATALOG_HOME": str(home)} if home else {}
    return CliRunner().invoke(cli.catalog, list(args), input=stdin, env=env)


def data(result):
    """Return the JSON object on standard output of a command that went well."""
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def start(*args, **options):
    """Return the process of a command that was just started."""
    env = {**os.environ, "NO_COLOR": "1", **options.pop("env", {})}
    return subprocess.Popen(
        [sys.executable, "-m", "music_catalog", *args],
        cwd=ROOT,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )
