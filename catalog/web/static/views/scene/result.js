// The mix: to hear, and to download.

import { announce, fill, h, icon } from "../../lib/dom.js";
import { title } from "../../lib/format.js";
import { player } from "../../lib/player/player.js";

export class MixResult {
  #url = null;
  #audio = h("audio", { controls: true, "aria-label": "The mix" });
  element = h("section", { class: "outcome", "aria-label": "Result" });

  constructor() {
    // One sound at a time.
    this.#audio.addEventListener("play", () => player.pause());
    player.addEventListener("change", () => player.playing && this.#audio.pause());
  }

  show({ blob, name, warnings }, bed) {
    if (this.#url) URL.revokeObjectURL(this.#url);
    this.#url = URL.createObjectURL(blob);
    this.#audio.src = this.#url;
    fill(
      this.element,
      h("h2", {}, `Your voice over “${title(bed)}”`),
      this.#audio,
      h("div", { class: "actions" }, h("a", { class: "button", href: this.#url, download: name }, icon("download"), h("span", {}, "Download the mix"))),
      warnings.map((warning) => h("p", { class: "warning" }, icon("warning"), warning)),
    );
    announce("The mix is ready.");
  }
}
