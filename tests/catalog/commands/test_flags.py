"""Messages of the library as the command line prints them: with flags for arguments."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from music_catalog import cli
from music_catalog.commands.flags import in_flags, result_in_flags
from music_catalog.commands.terminal import print_result


@pytest.mark.parametrize(
    ("sentence", "printed"),
    [
        (
            "pass max_false_reuse=0.05, which one does hold",
            "pass --max-false-reuse 0.05, which one does hold",
        ),
        (
            "calibrate on more labels, or pass min_similarity",
            "calibrate on more labels, or pass --min-similarity",
        ),
        ("making was ruled out; pass reuse='auto'", "making was ruled out; pass --reuse auto"),
        ("pass backend='auto' or backend='procedural'", "pass --backend auto or --backend procedural"),
        (
            "choose another name, or pass force=True to replace it",
            "choose another name, or pass --force to replace it",
        ),
        ("served for no request; name one with request_id", "served for no request; name one with --for"),
        (
            "no force holds 10% of false reuse; duration_s is 3",
            "no force holds 10% of false reuse; duration_s is 3",
        ),
        ("variety is 0; it lies between 1 and 1000", "--variety is 0; it lies between 1 and 1000"),
        ("duration_s is 0; pass more", "--duration is 0; pass more"),
        ("valence is 2.0: pass at most 1", "--valence is 2.0: pass at most 1"),
        ("mood_tags.0 is empty", "--mood is empty"),
        ("the energy is low", "the energy is low"),
        ("the table is of an earlier version", "the table is of an earlier version"),
        ("a database; pass table='chunks'", "a database; pass --table chunks"),
        ("style=drone and top_k=3 stay as they are", "style=drone and top_k=3 stay as they are"),
    ],
)
def test_arguments_become_flags(sentence, printed):
    assert in_flags(sentence) == printed
    assert in_flags(printed) == printed


def test_reasons_and_warnings_of_a_result_become_flags_and_its_texts_stay():
    reason = "only exact repeats are reused: pass min_similarity"
    payload = {"reason": reason, "warnings": [reason], "decision": {"reason": reason, "rule": "uncertified"}}
    printed = result_in_flags({**payload, "request": {"context": {"text": "min_similarity"}}})
    flags = "only exact repeats are reused: pass --min-similarity"
    assert (printed["reason"], printed["warnings"]) == (flags, [flags])
    assert printed["decision"] == {"reason": flags, "rule": "uncertified"}
    assert printed["request"] == {"context": {"text": "min_similarity"}}
    assert payload["reason"] == reason


def test_a_refusal_names_the_flag(tmp_path):
    text = ["calm rain", "--quality", "preview", "--home", str(tmp_path / "home")]
    refused = CliRunner().invoke(cli.catalog, ["find-or-make", *text, "--reuse", "always"])
    assert refused.exit_code == 3
    assert refused.stderr.endswith("making was ruled out; pass --reuse auto\n")
    (tmp_path / "a.wav").write_bytes(b"")
    refused = CliRunner().invoke(cli.catalog, ["find-or-make", *text, "--out", str(tmp_path / "a.wav")])
    assert refused.exit_code == 2
    assert refused.stderr.endswith("exists already; choose another name, or pass --force to replace it\n")


def test_a_warning_that_the_reason_repeats_is_printed_once(capsys):
    reason = "only exact repeats are reused: pass min_similarity"
    track = {"path": "/music/a.wav", "reason": reason, "warnings": [reason, "made by another"]}
    print_result({**track, "headline": f"generated: a ({reason})", "explanation": []}, False, False)
    told = capsys.readouterr().err
    assert (
        told == "note: made by another\ngenerated: a (only exact repeats are reused: pass --min-similarity)\n"
    )
    print_result({**track, "headline": f"generated: a ({reason})", "explanation": []}, True, False)
    assert "note: only exact repeats" in capsys.readouterr().err
