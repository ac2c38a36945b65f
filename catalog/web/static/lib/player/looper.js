// Loops without a gap: decoded sound that the browser's audio engine repeats to the sample.

import { trackUrl } from "../api.js";

const LONGEST_S = 300; // decoded, a minute of stereo takes 15 MB

export class Looper {
  #context = null;
  #gain = null;
  #source = null; // what sounds, null in between
  #track = null; // the track that is decoded, or on its way
  #buffer = null;
  #part = null; // {start_s, end_s} in seconds of the track
  #from_s = 0; // where in the track the source began
  #began_s = 0; // when, by the clock of the context
  #volume = 1;

  get on() {
    return this.#source !== null;
  }

  set volume(level) {
    this.#volume = level;
    if (this.#gain) this.#gain.gain.value = level;
  }

  /** Where in the track the loop is. */
  get time_s() {
    const { start_s, end_s } = this.#part;
    const at = this.#from_s + this.#context.currentTime - this.#began_s;
    return at < end_s ? at : start_s + ((at - start_s) % (end_s - start_s));
  }

  /** Return true when `track` can start at once. */
  has(track) {
    return this.#buffer !== null && this.#track === track.id;
  }

  /** Fetch and decode a track; returns true when it can start. A long track is not decoded. */
  async load(track) {
    if (this.#track === track.id || !(track.duration_s <= LONGEST_S)) return this.has(track);
    this.#track = track.id;
    this.#buffer = null;
    try {
      // A range, like the element asks for: the browser then keeps one copy.
      const answer = await fetch(trackUrl(track.id, "audio"), { headers: { Range: "bytes=0-" } });
      const bytes = answer.ok ? await answer.arrayBuffer() : null;
      if (this.#track !== track.id || !bytes) return false;
      const context = this.#contextFor(track.sample_rate);
      const buffer = await context.decodeAudioData(bytes);
      await context.resume();
      if (this.#track !== track.id) return false;
      this.#buffer = buffer;
      return true;
    } catch {
      // The element plays it, with a gap at the seam.
      if (this.#track === track.id) this.#track = null;
      return false;
    }
  }

  /** Sound from `at_s` on, round and round in `part`; without one, in the whole track. */
  start(at_s, part) {
    this.stop();
    const length_s = this.#buffer.duration;
    this.#part = { start_s: part?.start_s ?? 0, end_s: Math.min(part?.end_s ?? length_s, length_s) };
    this.#from_s = at_s < this.#part.end_s ? at_s : this.#part.start_s;
    const source = (this.#source = this.#context.createBufferSource());
    source.buffer = this.#buffer;
    source.loop = true;
    [source.loopStart, source.loopEnd] = [this.#part.start_s, this.#part.end_s];
    source.connect(this.#gain);
    source.start(0, this.#from_s);
    this.#began_s = this.#context.currentTime;
  }

  /** Be silent; returns where in the track it was. */
  stop() {
    if (!this.on) return 0;
    const at = this.time_s;
    this.#source.stop();
    this.#source.disconnect();
    this.#source = null;
    return at;
  }

  /** Return a context at the rate of the track, so that no sample of its seam is computed anew. */
  #contextFor(sampleRate) {
    if (this.#context?.sampleRate === sampleRate) return this.#context;
    this.stop();
    this.#context?.close();
    this.#context = new AudioContext(sampleRate ? { sampleRate } : {});
    this.#gain = this.#context.createGain();
    this.#gain.gain.value = this.#volume;
    this.#gain.connect(this.#context.destination);
    return this.#context;
  }
}
