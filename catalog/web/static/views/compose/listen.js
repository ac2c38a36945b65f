// The button that plays a track while it is made.

import { announce, button } from "../../lib/dom.js";
import { LiveSound } from "../../lib/player/live.js";

const LABELS = { waiting: "Waiting for the first second", playing: "Stop listening", whole: "Plays when it is made", ended: "Listen while it is made" };

export class Listen {
  #job;
  #sound = null;
  element = button(LABELS.ended, () => this.#toggle(), { class: "button small listen", icon: "play" });

  constructor(job) {
    this.#job = job;
    this.#show();
  }

  /** What is heard: waiting, playing, whole (nothing before it is made) or ended. */
  get state() {
    return this.#sound?.state ?? "ended";
  }

  /** Be silent. */
  stop() {
    this.#sound?.stop();
  }

  #toggle() {
    if (this.state !== "ended") return this.stop();
    this.#sound = new LiveSound(this.#job.id);
    this.#sound.addEventListener("change", () => this.#show());
    this.#show();
  }

  #show() {
    const { state } = this;
    if (this.element.dataset.state === "waiting" && state === "playing") announce("Playing while it is made");
    this.element.dataset.state = state;
    this.element.querySelector("span").textContent = LABELS[state];
  }
}
