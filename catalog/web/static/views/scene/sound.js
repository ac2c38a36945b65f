// Sound that goes to the service and comes back mixed. What the service cannot read the browser turns into a WAV file.

import { Problem } from "../../lib/api.js";
import { connection, isGateway } from "../../lib/connection.js";

export const KINDS = "audio/*,.wav,.flac,.ogg,.mp3,.m4a";
const PLAIN = /\.(wav|flac|ogg)$/i;
const RATE_HZ = 44100;
const MOST_BYTES = 64 * 1024 ** 2; // as the service takes

/** Return {blob, name, warnings}: `file` over the track `bed`. Raises Problem, or the AbortError of `signal`. */
export async function mixed(file, bed, signal) {
  const body = PLAIN.test(file.name) ? file : await asWav(file);
  if (body.size > MOST_BYTES) throw new Problem(413, "too large", "The recording is larger than 64 MB. Cut it, or send it as FLAC or OGG.");
  let response;
  try {
    response = await fetch(`api/tracks/${encodeURIComponent(bed.id)}/mix?loop=true`, { method: "POST", headers: { "Content-Type": "audio/wav" }, body, signal });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw lost();
  }
  if (isGateway(response.status)) throw lost();
  connection.answered();
  if (!response.ok) throw new Problem(response.status, response.statusText, (await response.json().catch(() => null))?.detail);
  const warnings = decodeURIComponent(response.headers.get("Mix-Warnings") ?? "");
  return { blob: await response.blob(), name: `${file.name.replace(/\.\w+$/, "")} with music.wav`, warnings: warnings ? warnings.split("\n") : [] };
}

function lost() {
  connection.failed();
  return new Problem(0, "unreachable", "The catalog does not answer. Try that again when it is back.");
}

/** Return a recording as a WAV file with one channel of 16 bits. */
async function asWav(file) {
  let sound;
  try {
    sound = await new OfflineAudioContext(1, 1, RATE_HZ).decodeAudioData(await file.arrayBuffer());
  } catch {
    throw new Problem(415, "no sound", `“${file.name}” holds no sound that can be read here. Choose a WAV, FLAC, OGG or MP3 file.`);
  }
  const channels = Array.from({ length: sound.numberOfChannels }, (_, at) => sound.getChannelData(at));
  const samples = new Int16Array(sound.length);
  for (let at = 0; at < samples.length; at += 1) {
    let sum = 0;
    for (const channel of channels) sum += channel[at];
    samples[at] = Math.max(-1, Math.min(1, sum / channels.length)) * 32767;
  }
  return new Blob([header(samples.byteLength), samples], { type: "audio/wav" });
}

function header(bytes) {
  const view = new DataView(new ArrayBuffer(44));
  const text = (at, word) => [...word].forEach((letter, place) => view.setUint8(at + place, letter.charCodeAt(0)));
  text(0, "RIFF"), view.setUint32(4, 36 + bytes, true), text(8, "WAVEfmt "), view.setUint32(16, 16, true);
  view.setUint16(20, 1, true), view.setUint16(22, 1, true), view.setUint32(24, RATE_HZ, true), view.setUint32(28, 2 * RATE_HZ, true);
  view.setUint16(32, 2, true), view.setUint16(34, 16, true), text(36, "data"), view.setUint32(40, bytes, true);
  return view;
}
