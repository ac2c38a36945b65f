// Beats, sections and what was measured in words, as the service found them; asked for once for a track.

import { get, trackPath } from "../../lib/api.js";

const KEPT = 20; // tracks

const known = new Map(); // id -> promise of the answer

/** Return a promise of {beats, sections, words, ...}. */
export function structureOf(track) {
  if (!known.has(track.id)) {
    const asked = get(trackPath(track.id, "structure"));
    known.set(track.id, asked);
    asked.catch(() => known.delete(track.id));
    // A map keeps its insertion order: the first key is the oldest.
    if (known.size > KEPT) known.delete(known.keys().next().value);
  }
  return known.get(track.id);
}
