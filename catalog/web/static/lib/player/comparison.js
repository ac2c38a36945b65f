// Several tracks at one level and one place: whoever switches between them hears how they differ, not which is louder.

import { trackUrl } from "../api.js";
import { player } from "./player.js";

/** Return how much each track is turned down so that all are as loud as the quietest; a silent one stays as it is. */
export function gains(tracks) {
  const levels = tracks.map((track) => track.loudness_lufs);
  const quietest = Math.min(...levels.filter((level) => level !== null));
  return levels.map((level) => (level === null ? 1 : 10 ** ((quietest - level) / 20)));
}

/** Dispatches "change" when another track is heard or the sound stops, and "time" while it plays. */
export class Comparison extends EventTarget {
  #sounds;
  #gains;
  #ended = new AbortController();
  /** The place of the track that is heard. */
  index = 0;

  constructor(tracks) {
    super();
    this.#gains = gains(tracks);
    this.#sounds = tracks.map((track) => Object.assign(new Audio(trackUrl(track.id, "audio")), { preload: "auto", loop: track.loopable }));
    for (const sound of this.#sounds) {
      for (const name of ["play", "pause", "ended"]) sound.addEventListener(name, () => this.dispatchEvent(new Event("change")));
      sound.addEventListener("timeupdate", () => sound === this.sound && this.dispatchEvent(new Event("time")));
    }
    player.addEventListener("change", () => player.playing && this.pause(), { signal: this.#ended.signal });
  }

  get sound() {
    return this.#sounds[this.index];
  }
  get playing() {
    return !this.sound.paused && !this.sound.ended;
  }
  get time_s() {
    return this.sound.currentTime;
  }

  /** Play one of the tracks from where the one before was; the one that plays already is paused. */
  toggle(index) {
    if (index === this.index && this.playing) return this.pause();
    const at_s = this.sound.ended ? 0 : this.time_s;
    this.sound.pause();
    player.pause();
    this.index = index;
    this.sound.volume = player.volume * this.#gains[index];
    this.seek(at_s);
    this.sound.play().catch(() => this.dispatchEvent(new Event("change")));
  }

  seek(at_s) {
    const { sound } = this;
    sound.currentTime = Number.isFinite(sound.duration) ? Math.min(at_s, Math.max(0, sound.duration - 0.05)) : at_s;
    this.dispatchEvent(new Event("time"));
  }

  pause() {
    for (const sound of this.#sounds) sound.pause();
  }

  /** Stop, and let go of the sound. */
  close() {
    this.#ended.abort();
    this.pause();
    for (const sound of this.#sounds) sound.removeAttribute("src");
  }
}
