// What was measured of a track, and what it was made for.

import { bytes, clock, name, number } from "../../lib/format.js";
import { factList } from "./section.js";

export function facts(track) {
  return factList([
    ["Length", clock(track.duration_s)],
    ["Tempo", track.tempo_bpm ? `${number(track.tempo_bpm)} bpm` : "No beat"],
    ["Key", track.musical_key ?? "–"],
    ["Loudness", track.loudness_lufs === null ? "Silent" : `${number(track.loudness_lufs, 1)} LUFS`],
    ["Loop", track.loopable ? "Seamless" : "No"],
    ["Mood", track.mood_tags.join(", ") || "–"],
    ["Place", [name(track.environment), track.time_of_day].filter(Boolean).join(", ") || "–"],
    ["File", `${number(track.sample_rate / 1000, 1)} kHz, ${track.channels === 2 ? "stereo" : "mono"}, ${bytes(track.audio_bytes)}`],
  ]);
}
