"""Replace the arguments that the library's sentences name by the flags of the command line."""

from __future__ import annotations

import re
from typing import Any

__all__ = ["in_flags", "result_in_flags"]


FLAGS = {
    "application": "--application",
    "backend": "--backend",
    "column": "--column",
    "end_s": "--to",
    "fit": "--fit",
    "force": "--force",
    "keep_takes": "--keep-takes",
    "license": "--license",
    "listed": "--manifest",
    "loop": "--loop",
    "from_ratings": "--from-ratings",
    "max_false_reuse": "--max-false-reuse",
    "min_similarity": "--min-similarity",
    "reach": "--reach",
    "request_id": "--for",
    "retakes": "--retakes",
    "reuse": "--reuse",
    "role": "--role",
    "seed": "--seed",
    "start_s": "--from",
    "snapshot": "--snapshot",
    "table": "--table",
    "takes": "--takes",
    "variety": "--variety",
    "workers": "--workers",
}
_ARGUMENT = re.compile(r"\b([a-z]+(?:_[a-z]+)+|[a-z]+(?==))(?:='?(\w+(?:\.\w+)*)'?)?")
"""`min_similarity`, `max_false_reuse=0.05`, `reuse='auto'`; a name of a single word counts only with a value."""


SUBJECTS = FLAGS | {
    "duration_s": "--duration",
    "energy": "--energy",
    "environment": "--environment",
    "mood_tags": "--mood",
    "time_of_day": "--time-of-day",
    "valence": "--valence",
}
"""Flags for names that are other things too: a column, a feature."""
_SUBJECT = re.compile(r"^([a-z_]+)(?:\.\d+)?(?= is )")
"""A name before "is" at the beginning of a sentence is an argument, also a single word, and a value of a list."""


def in_flags(sentence: str) -> str:
    """Return `sentence` with flags for arguments: `reuse='auto'` becomes `--reuse auto`, `force=True` `--force`."""

    def flag(argument: re.Match[str]) -> str:
        name, value = argument.groups()
        if name not in FLAGS:
            return argument[0]
        return FLAGS[name] if value in (None, "True") else f"{FLAGS[name]} {value}"

    def subject(argument: re.Match[str]) -> str:
        return SUBJECTS.get(argument[1], argument[0])

    return _ARGUMENT.sub(flag, _SUBJECT.sub(subject, sentence))


def result_in_flags(payload: dict[str, Any]) -> dict[str, Any]:
    """Return the payload of a result with flags in its reasons, its warnings and its headline."""
    changes: dict[str, Any] = {"warnings": [in_flags(warning) for warning in payload["warnings"]]}
    for name in ("reason", "headline"):
        if name in payload:
            changes[name] = in_flags(payload[name])
    if decision := payload.get("decision"):
        changes["decision"] = {**decision, "reason": in_flags(decision["reason"])}
    return {**payload, **changes}
