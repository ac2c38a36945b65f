// Listening on hover: a second, short-lived player, so that what plays goes on afterwards.

import { trackUrl } from "../../lib/api.js";
import { announce } from "../../lib/dom.js";
import { player } from "../../lib/player/player.js";

const DWELL_MS = 160; // a pointer that passes over a track faster does not play it
const VOLUME = 0.8;

export class Preview {
  #audio = new Audio();
  #timer = 0;
  #paused = false; // the player was paused for this and goes on afterwards
  #on;

  /** `on` is the checkbox that allows it. */
  constructor(on) {
    this.#on = on;
    this.#audio.volume = VOLUME;
  }

  /** Play a track in a moment; null stops. */
  hear(track) {
    clearTimeout(this.#timer);
    if (!track) this.#stop();
    else if (this.#on.checked) this.#timer = setTimeout(() => this.#play(track), DWELL_MS);
  }

  #stop() {
    this.#audio.pause();
    if (this.#paused) player.toggle();
    this.#paused = false;
  }

  #play(track) {
    if (player.playing) {
      this.#paused = true;
      player.pause();
    }
    this.#audio.src = trackUrl(track.id, "audio");
    this.#audio.play().catch((error) => error.name === "NotAllowedError" && announce("Click once, then hovering plays."));
  }
}
