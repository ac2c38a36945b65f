#!/bin/sh
# Scores the story of twenty chunks beside this script, offline; usage: sh examples/score_story.sh [folder for the results]
set -eu
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
out=${1:-data/story}
mkdir -p "$out"
narrator=
if command -v espeak-ng >/dev/null; then
    narrator="--narrator espeak-ng"
else
    echo "espeak-ng is not installed, so nobody speaks; chunks last as long as reading them" >&2
fi
# shellcheck disable=SC2086
catalog score "$here/story.jsonl" --out "$out/story.wav" --home "$out/home" $narrator --force
ls -l "$out"
