#!/bin/sh
# The main job on three contexts, offline: make a track, reuse it for a paraphrase, refuse it for the opposite mood.
set -eu
home=${1:-data/demo}
rm -rf "$home"
mkdir -p "$home"
export CATALOG_HOME="$home" HF_HUB_OFFLINE=1

calm="Rain taps softly on the library windows while students read in silence. It is a calm, cozy evening, and nobody is in a hurry."
again="A cozy, calm evening at the library: students reading quietly as soft rain taps against the windows, with no one hurrying."
tense="Rain hammers on the library windows while students run in panic. It is a terrifying, chaotic evening, and everybody fears the worst."

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
[ -n "${NO_COLOR:-}" ] || [ ! -t 1 ] && say() { printf '\n%s\n' "$*"; }

say "1. A new context: nothing fits yet, so a track is made"
catalog find-or-make "$calm" --duration 20 --explain

say "2. The same thing in other words: the track is reused"
catalog find-or-make "$again" --duration 20 --explain

say "3. The same place and people, the opposite mood: the track is refused, and another is made"
catalog find-or-make "$tense" --duration 20 --explain

say "4. The first context again, to the letter: served without the encoder"
catalog find-or-make "$calm" --duration 20

say "What the catalog holds now, in $home"
catalog list
find "$home/audio" -name '*.wav'
