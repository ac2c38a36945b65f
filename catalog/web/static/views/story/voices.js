// Recordings of the parts of a story: who has a voice for a part sends or records it.

import { fill, h } from "../../lib/dom.js";
import { Voice } from "../../parts/voice.js";
import { textOf } from "./parts.js";

const SHOWN = 100; // letters of a part

export class Voices {
  #voices = []; // one a part, from when the list is opened
  #parts = [];
  #onProblem;
  #list = h("ol", { class: "story-voices" });
  element = h("details", { class: "fold overrides", hidden: true, ontoggle: () => this.#draw() }, h("summary", {}, "Voice"), h("p", { class: "muted hint" }, "Choose or record who speaks a part. The music plays softer under it."), this.#list);

  constructor({ onProblem }) {
    this.#onProblem = onProblem;
  }

  /** Offer a recording for each part; one that was given stays with its place. */
  show(parts) {
    this.#parts = parts;
    this.element.hidden = !parts.length;
    this.#draw();
  }

  stop() {
    for (const voice of this.#voices) voice.stop();
  }

  /** Return the parts with the ids of their recordings, which `send(file)` returns. */
  async sent(parts, send) {
    const sent = [];
    for (const [at, part] of parts.entries()) {
      const file = this.#voices[at]?.file;
      sent.push(file ? { ...(typeof part === "string" ? { text: part } : part), narration: await send(file) } : part);
    }
    return sent;
  }

  #draw() {
    if (!this.element.open) return;
    while (this.#voices.length < this.#parts.length) this.#voices.push(new Voice({ label: `Voice of part ${this.#voices.length + 1}`, onProblem: this.#onProblem }));
    fill(this.#list, this.#parts.map((part, at) => h("li", {}, h("p", { class: "muted small", dir: "auto" }, textOf(part).slice(0, SHOWN)), this.#voices[at].element)));
  }
}
