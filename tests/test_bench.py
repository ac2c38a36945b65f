"""`make bench` knows every benchmark, tells an estimate first, and the quick ones fit into its limit."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "tests" / "benchmarks"
sys.path.insert(0, str(FOLDER))

import bench  # noqa: E402

SCRIPTS = {
    path.relative_to(FOLDER).as_posix(): path.read_text("utf-8")
    for path in FOLDER.glob("*/[a-z]*.py")
    if '__name__ == "__main__"' in path.read_text("utf-8")
}


def test_every_benchmark_has_an_estimate():
    fits = {name for name in SCRIPTS if Path(name).name.startswith("fit_")}
    assert sorted(each.script for each in bench.BENCHMARKS) == sorted(SCRIPTS.keys() - fits)
    assert all(
        each.seconds > 0 and (each.quick is None) == (each.quick_seconds == 0) for each in bench.BENCHMARKS
    )


def test_the_quick_ones_fit_into_their_limit():
    quick = bench.chosen(everything=False, data=False)
    assert 10 <= len(quick) < len(bench.BENCHMARKS)
    assert bench.estimate(quick, everything=False) < bench.QUICK_MINUTES


def test_a_busy_machine_leaves_out_what_would_be_late():
    minute = bench.Benchmark("one.py", 60, "", 60)
    assert bench.fits(minute, spent_s=600, usual_s=600)
    assert not bench.fits(minute, spent_s=850, usual_s=850)
    assert not bench.fits(minute, spent_s=600, usual_s=100)


@pytest.mark.parametrize("benchmark", bench.BENCHMARKS, ids=lambda each: each.script)
def test_data_sets_and_arguments_are_those_of_the_script(benchmark):
    text = SCRIPTS[benchmark.script]
    wanted = "" if '"--eval-dir"' not in text else "needed" if _required(text) else "used"
    assert benchmark.data == wanted
    for word in (benchmark.quick or "").split():
        if word.startswith("--"):
            assert f'"{word}"' in text


def test_the_estimate_comes_first_and_alone_on_demand():
    done = subprocess.run(
        [sys.executable, FOLDER / "bench.py", "--list"], capture_output=True, text=True, check=True
    )
    quick = bench.chosen(everything=False, data=False)
    assert done.stdout.startswith(f"{len(quick)} benchmarks, usually ")
    assert "==" not in done.stdout


def test_ci_calls_the_commands_of_the_readme():
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text("utf-8"))
    job = workflow["jobs"]["commands"]
    called = [step["run"].split(" INSTALLER")[0] for step in job["steps"] if "make" in step.get("run", "")]
    assert called == ["make demo", "make test"]
    assert job["strategy"]["matrix"]["python"] == ["3.10", "3.11", "3.12", "3.13"]


def test_hooks_are_those_of_make_check():
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text("utf-8"))["repos"][0]["hooks"]
    assert {" ".join(hook["entry"].split()[:1]) for hook in hooks} == {".venv/bin/ruff", ".venv/bin/mypy"}


def _required(text):
    after = text[text.index('"--eval-dir"') :]
    return "required=True" in after[: after.index(")")]
