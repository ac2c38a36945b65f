// The sound of a track while it is made: parts as they come over the network, played one after the other by Web Audio.
// An audio element would wait for two seconds of sound before it begins.

import { player } from "./player.js";

const HEADER = 44; // bytes of the WAV header that the service sends
const FULL_SCALE = 32_768;
const LEAD_S = 0.05; // between the arrival of a part and its sound
const REST_S = 0.4; // how much is gathered where the sound ran dry

/** Dispatches "change". `state` is waiting, playing, ended, or whole: it is not heard before it is made. */
export class LiveSound extends EventTarget {
  state = "waiting";
  #abort = new AbortController();
  #context = null;
  #gain = null;
  #next_s = 0; // when the sound so far ends, by the clock of the context
  #left = new Uint8Array(0); // bytes that are no whole frame yet

  constructor(jobId) {
    super();
    player.pause();
    player.addEventListener("change", () => this.#share(), { signal: this.#abort.signal });
    this.#run(jobId).catch(() => this.stop());
  }

  /** Be silent; the making goes on. */
  stop() {
    this.#abort.abort();
    this.#context?.close();
    this.#context = null;
    this.#turn("ended");
  }

  async #run(jobId) {
    const { signal } = this.#abort;
    const answer = await fetch(`api/jobs/${encodeURIComponent(jobId)}/audio`, { signal });
    if (!answer.ok) return this.stop();
    if (answer.redirected) return this.#turn("whole"), this.#abort.abort();
    const reader = answer.body.getReader();
    for (let part = await reader.read(); !part.done; part = await reader.read()) this.#add(part.value);
    const left_ms = this.#context ? (this.#next_s - this.#context.currentTime) * 1000 : 0;
    setTimeout(() => this.stop(), Math.max(0, left_ms));
  }

  #add(bytes) {
    const all = new Uint8Array(this.#left.length + bytes.length);
    all.set(this.#left);
    all.set(bytes, this.#left.length);
    this.#left = all;
    if (!this.#context) {
      if (all.length < HEADER) return;
      this.#open(new DataView(all.buffer));
      this.#left = all.slice(HEADER);
    }
    const frame = 2 * this.#gain.channels;
    const whole = this.#left.length - (this.#left.length % frame);
    if (!whole) return;
    this.#play(new DataView(this.#left.buffer, this.#left.byteOffset, whole));
    this.#left = this.#left.slice(whole);
  }

  #open(header) {
    // At the rate of the sound: parts that are resampled one by one click where they meet.
    this.#context = new AudioContext({ sampleRate: header.getUint32(24, true) });
    this.#gain = this.#context.createGain();
    this.#gain.channels = header.getUint16(22, true);
    this.#gain.connect(this.#context.destination);
    this.#share();
  }

  #play(samples) {
    const { channels } = this.#gain;
    const frames = samples.byteLength / 2 / channels;
    const buffer = this.#context.createBuffer(channels, frames, this.#context.sampleRate);
    for (let channel = 0; channel < channels; channel += 1) {
      const into = buffer.getChannelData(channel);
      for (let i = 0; i < frames; i += 1) into[i] = samples.getInt16(2 * (i * channels + channel), true) / FULL_SCALE;
    }
    const source = this.#context.createBufferSource();
    source.buffer = buffer;
    source.connect(this.#gain);
    const now = this.#context.currentTime;
    if (this.#next_s < now) this.#next_s = now + (this.#next_s ? REST_S : LEAD_S);
    source.start(this.#next_s);
    this.#next_s += buffer.duration;
    this.#turn("playing");
  }

  /** Follow the volume of the player, and give way to it. */
  #share() {
    if (player.playing) this.stop();
    else if (this.#gain) this.#gain.gain.value = player.volume;
  }

  #turn(state) {
    if (this.state === state || this.state === "ended") return;
    this.state = state;
    this.dispatchEvent(new Event("change"));
  }
}
