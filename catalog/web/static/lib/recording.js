// A recording for the service, which reads WAV, FLAC and OGG: what else the browser can play is turned into WAV here.

import { Problem } from "./api.js";

export const KINDS = "audio/*,.wav,.flac,.ogg,.mp3,.m4a";
const PLAIN = /\.(wav|flac|ogg)$/i;
const RATE_HZ = 44100;
const MOST_BYTES = 64 * 1024 ** 2; // as the service takes

/** Return a recording, a File, as the service can read it. Raises Problem. */
export async function readable(file) {
  const sound = PLAIN.test(file.name) ? file : await asWav(file);
  if (sound.size > MOST_BYTES) throw new Problem(413, "too large", "The recording is larger than 64 MB. Cut it, or send it as FLAC or OGG.");
  return sound;
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
