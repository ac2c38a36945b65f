// The one player. It goes on while the reader changes views, and knows the list it was started from.

import { trackUrl } from "../api.js";
import { announce } from "../dom.js";
import { title } from "../format.js";
import { Looper } from "./looper.js";

/** Dispatches "change" (track, play, pause, loop), "time" (the position) and "failed" (detail: the track). */
class Player extends EventTarget {
  #audio = new Audio();
  #looper = new Looper(); // sounds in place of the element, which runs along in silence, so that a seam has no gap
  #loop = kept("repeat") === "on";
  #part = null;
  #volume = Number(kept("volume") ?? 1);
  #frame = 0;
  track = null;
  /** The tracks before and after: `at(step)` returns a promise of {track, queue}, or of null at the end. */
  queue = null;

  constructor() {
    super();
    this.#audio.preload = "metadata";
    for (const name of ["play", "pause", "ended", "loadedmetadata", "seeked", "volumechange"]) {
      this.#audio.addEventListener(name, () => this.#changed());
    }
    this.#audio.addEventListener("ended", () => this.step(1));
    this.#audio.addEventListener("error", () => this.#failed());
    this.volume = this.#volume;
  }

  get playing() {
    return !this.#audio.paused && !this.#audio.ended && !this.#audio.error;
  }
  get duration_s() {
    return Number.isFinite(this.#audio.duration) ? this.#audio.duration : this.track?.duration_s ?? 0;
  }
  get time_s() {
    return this.#looper.on ? this.#looper.time_s : this.#audio.currentTime;
  }
  get fraction() {
    return this.duration_s ? Math.min(1, this.time_s / this.duration_s) : 0;
  }
  /** Whether the track plays again at its end. */
  get repeats() {
    return this.#loop || this.#part !== null;
  }
  get loop() {
    return this.#loop;
  }
  set loop(on) {
    this.#loop = on;
    keep("repeat", on ? "on" : "off");
    this.#changed();
  }
  /** The part that is played round and round, {start_s, end_s}, or null. Another track has none. */
  get part() {
    return this.#part;
  }
  set part(part) {
    this.#part = part;
    if (this.#looper.on) this.#looper.start(this.#looper.stop(), part);
    this.#changed();
  }
  get volume() {
    return this.#volume;
  }
  set volume(level) {
    this.#volume = this.#looper.volume = Math.min(1, Math.max(0, level));
    this.#audio.volume = this.#looper.on ? 0 : this.#volume;
    keep("volume", String(this.#volume));
  }

  /** Return true when `track` is in the player, whether it plays or not. */
  isCurrent(track) {
    return this.track !== null && track !== null && this.track.id === track.id;
  }

  /** Play `track`, with a `fraction` from that part of its length. What is loaded is not loaded again, unless it failed. */
  play(track, { queue = this.queue, fraction = null } = {}) {
    if (!this.isCurrent(track) || this.#audio.error) {
      this.#looper.stop();
      this.#part = null;
      this.track = track;
      this.#audio.src = trackUrl(track.id, "audio");
      announce(`Playing ${title(track)}`);
    }
    this.queue = queue;
    if (fraction !== null) this.seek(fraction);
    this.#start();
  }

  toggle(track = this.track, options) {
    if (!track) return;
    if (this.isCurrent(track) && this.playing) this.#audio.pause();
    else this.play(track, options);
  }

  pause() {
    this.#audio.pause();
  }

  seek(fraction) {
    const at_s = Math.min(1, Math.max(0, fraction)) * this.duration_s;
    if (this.#looper.on) this.#looper.start(at_s, this.#part);
    else this.#audio.currentTime = at_s;
    this.#changed();
  }

  /** Go forward or back by `seconds`. Stops just before the end, so that the next track does not start. */
  skip(seconds) {
    if (this.track && this.duration_s) this.seek(Math.min(this.duration_s - 0.1, this.time_s + seconds) / this.duration_s);
  }

  /** Go to the next (1) or the previous (-1) track of the list. */
  async step(direction) {
    if (direction < 0 && this.time_s > 3) return this.seek(0);
    const next = await this.queue?.at(direction);
    if (next) this.play(next.track, { queue: next.queue });
  }

  /** Return up to `count` tracks that play next, as {track, queue}. */
  async upcoming(count) {
    const { queue } = this;
    const found = [];
    for (let step = 1; queue && step <= count; step += 1) {
      const next = await queue.at(step);
      if (!next) break;
      found.push(next);
    }
    return found;
  }

  #start() {
    this.#audio.play().catch((error) => {
      if (error.name === "NotAllowedError") announce("The browser wants a click before it plays sound.");
    });
  }

  #failed() {
    if (!this.track) return;
    this.dispatchEvent(new CustomEvent("failed", { detail: this.track }));
    this.#changed();
  }

  /** Let the looper sound while something repeats, and the element else. */
  #share() {
    this.#audio.loop = this.repeats;
    const looped = this.playing && this.repeats;
    if (looped && !this.#looper.on) {
      if (this.#looper.has(this.track)) this.#looper.start(this.#audio.currentTime, this.#part);
      else this.#looper.load(this.track).then((ready) => ready && this.#changed());
    } else if (!looped && this.#looper.on) this.#audio.currentTime = this.#looper.stop();
    const level = this.#looper.on ? 0 : this.#volume;
    if (this.#audio.volume !== level) this.#audio.volume = level;
    this.#audio.muted = this.#looper.on && this.#audio.volume > 0; // some phones let no page set the volume
  }

  #changed() {
    this.#share();
    this.dispatchEvent(new Event("change"));
    cancelAnimationFrame(this.#frame);
    const tick = () => {
      // What is too long for the looper goes round in its part by seeking.
      if (this.#part && !this.#looper.on && this.playing && this.time_s >= this.#part.end_s) this.#audio.currentTime = this.#part.start_s;
      this.dispatchEvent(new Event("time"));
      if (this.playing) this.#frame = requestAnimationFrame(tick);
    };
    tick();
  }
}

export const player = new Player();

// The browser keeps volume and Repeat for the next visit, unless its storage is off.
function kept(name) {
  try {
    return localStorage.getItem(name);
  } catch {
    return null;
  }
}

function keep(name, text) {
  try {
    localStorage.setItem(name, text);
  } catch {
    // Then it holds for this visit.
  }
}
