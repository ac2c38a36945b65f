"""The fault suite: options, and the table of what each fault cost. `make test-faults` runs it, `make test` does not."""

from __future__ import annotations

import os
import random
import secrets
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

COLUMNS = ("lost", "duplicate", "silently wrong", "crash or unopenable")
MOST_TOLD = 25
"""How many cases of one fault are printed when it fails."""


@dataclass
class Tally:
    """What one kind of fault cost: how often it was tried, and each case that went wrong, by column."""

    fault: str
    count: int = 0
    cases: dict[str, list[str]] = field(default_factory=lambda: {column: [] for column in COLUMNS})
    notes: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def tried(self, case, findings=()):
        """Count one try; `findings` are pairs of a column and what went wrong."""
        self.count += 1
        for column in COLUMNS:
            told = [what for found, what in findings if found == column]
            if told:
                self.cases[column].append(f"{case}: {'; '.join(told)}")

    def row(self):
        """Return the cells of this fault's line of the table."""
        numbers = [f"{len(self.cases[column]):,}" for column in COLUMNS]
        return [self.fault, f"{self.count:,}", *numbers, f"{self.seconds:.0f}"]

    def settle(self):
        """Fail where anything went wrong, with the first cases."""
        told = [f"{column}: {case}" for column, cases in self.cases.items() for case in cases]
        more = f"\n... and {len(told) - MOST_TOLD} more" if len(told) > MOST_TOLD else ""
        if told:
            pytest.fail("\n".join(told[:MOST_TOLD]) + more, pytrace=False)


def pytest_addoption(parser):
    group = parser.getgroup("faults")
    group.addoption(
        "--seed", type=int, default=None, help="repeat the faults of an earlier run (or FAULTS_SEED)"
    )
    group.addoption(
        "--scale", type=float, default=1.0, help="the share of the full counts to try, such as 0.1"
    )
    group.addoption("--table", default=None, help="write the table as Markdown to this file")


def pytest_configure(config):
    seed = config.getoption("--seed")
    if seed is None:
        seed = int(os.environ.get("FAULTS_SEED") or secrets.randbelow(10**6))
    config.option.showcapture = "no"  # what Rust prints of each of its panics
    config.faults_seed, config.faults, config.faults_began = seed, [], time.monotonic()


def pytest_collection_modifyitems(config, items):
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.timeout(7200))


@pytest.fixture
def tally(request):
    """Return a context that yields the tally of a fault, adds it to the table, and fails where it found anything."""

    @contextmanager
    def counted(fault):
        one = Tally(fault)
        request.config.faults.append(one)
        began = time.monotonic()
        try:
            yield one
        finally:
            one.seconds = time.monotonic() - began
        one.settle()

    return counted


@pytest.fixture
def dice(request):
    """Return the random numbers of this test, which the seed alone decides."""
    return random.Random(f"{request.config.faults_seed} {request.node.name}")


@pytest.fixture
def scaled(request):
    """Return a function from a full count to the count of this run, at least 1."""
    return lambda full: max(1, round(full * request.config.getoption("--scale")))


def pytest_terminal_summary(terminalreporter, config):
    skipped = terminalreporter.stats.get("skipped", [])
    told = [report.longrepr[2] for report in skipped if isinstance(report.longrepr, tuple)]
    lines = table_of(config, told)
    terminalreporter.write_sep("=", "faults")
    terminalreporter.write_line("\n".join(lines))
    if path := config.getoption("--table"):
        Path(path).write_text("\n".join(lines) + "\n", "utf-8")


def table_of(config, skipped):
    """Return the lines of the table as Markdown, with the command that repeats it and what stands out."""
    rows = [["fault", "count", *COLUMNS, "seconds"], *(one.row() for one in config.faults)]
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    lines = [
        f"| {' | '.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))} |"
        for row in rows
    ]
    lines.insert(1, f"|{'|'.join('-' * (width + 2) for width in widths)}|")
    minutes = (time.monotonic() - config.faults_began) / 60
    repeat = f"--seed {config.faults_seed} --scale {config.getoption('--scale'):g}"
    notes = [f"{one.fault}: {note}" for one in config.faults for note in one.notes]
    return [*lines, "", f'make test-faults FAULTS="{repeat}" ({minutes:.1f} minutes)', *notes, *skipped]
