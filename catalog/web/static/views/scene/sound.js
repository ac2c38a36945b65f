// A recording goes to the service, which mixes it over a track as a job, and the mix comes back.

import { remove, trackPath } from "../../lib/api.js";
import { readable } from "../../lib/recording.js";
import { fetchSound, sendSound } from "../../lib/send.js";

/** Send `file` to be mixed over the track `bed`; returns the job. Raises Problem, or the AbortError of `signal`. */
export async function sendToMix(file, bed, signal) {
  const body = await readable(file);
  return (await sendSound(`${trackPath(bed.id, "mix")}?loop=true&wait=false`, body, signal)).job;
}

/** Return {blob, name, warnings} of a mix that is made; the service keeps none of it. Raises Problem. */
export async function fetchMix({ outcome }, file) {
  const path = `/mixes/${outcome.mix}`;
  const blob = await fetchSound(path);
  remove(path).catch(() => {}); // it goes by itself after an hour
  return { blob, name: `${file.name.replace(/\.\w+$/, "")} with music.wav`, warnings: outcome.warnings };
}
