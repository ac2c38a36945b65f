// The waveform in the details: it zooms, and a part of it can be marked, looped and downloaded.

import { trackUrl } from "../../lib/api.js";
import { announce, fill, h, icon } from "../../lib/dom.js";
import { number } from "../../lib/format.js";
import { player } from "../../lib/player/player.js";
import { Wave } from "../../parts/wave.js";

const POINTS = 2000;
const DEEPEST = 32; // times
const FORMATS = ["wav", "flac", "ogg"];

let kept = null; // {id, part} of the part that was marked last, in seconds

export class PartEditor {
  #track;
  #zoom = 1;
  #from = this.#seconds("Part from, seconds");
  #to = this.#seconds("Part to, seconds");
  #loop = h("button", { type: "button", class: "button small", "aria-pressed": "false", onclick: () => this.#toggleLoop() }, icon("loop"), h("span", {}, "Loop this part"));
  #clear = h("button", { type: "button", class: "button small", onclick: () => this.#mark(null) }, "Whole track");
  #downloads = h("span", { class: "downloads", role: "group", "aria-label": "Download this part" });
  #scroll = h("input", { type: "range", class: "part-scroll", min: "0", max: "1", step: "any", value: "0", "aria-label": "Scroll the waveform", oninput: () => this.#look(Number(this.#scroll.value) + 0.5 / this.#zoom) });
  #nearer = this.#zoomButton("+", "Zoom in", 2);
  #farther = this.#zoomButton("−", "Zoom out", 0.5);
  wave = new Wave({
    points: POINTS,
    onSeek: (track, fraction) => player.play(track, { queue: null, fraction }),
    onPart: ([from, to]) => this.#mark({ start_s: from * this.#track.duration_s, end_s: to * this.#track.duration_s }),
  });
  element = h(
    "details",
    { class: "fold part" },
    h("summary", {}, "Loop or download a part"),
    h("div", { class: "part-tools" }, h("div", { class: "part-zoom" }, this.#farther, this.#nearer, this.#scroll), h("p", { class: "muted small" }, "Drag over the waveform, or write where it begins and ends."), h("div", { class: "part-ends" }, labelled("From", this.#from), labelled("To", this.#to), h("span", { class: "muted" }, "seconds")), h("div", { class: "part-actions" }, this.#loop, this.#clear, this.#downloads)),
  );

  constructor(track) {
    this.#track = track;
    if (kept?.id !== track.id) kept = null;
    this.element.open = kept !== null;
    for (const field of [this.#from, this.#to]) field.max = String(track.duration_s);
    this.#look(0.5);
    this.#show();
  }

  get #part() {
    return kept?.part ?? null;
  }

  /** Show whether the part is looped now. */
  showPlaying() {
    this.#loop.setAttribute("aria-pressed", String(player.isCurrent(this.#track) && player.part !== null));
  }

  #mark(part) {
    kept = part && { id: this.#track.id, part };
    if (player.isCurrent(this.#track) && player.part) player.part = part;
    if (part) this.element.open = true;
    this.#show();
    announce(part ? `Part from ${number(part.start_s, 2)} to ${number(part.end_s, 2)} seconds` : "No part is marked");
  }

  #show() {
    const part = this.#part;
    const length_s = this.#track.duration_s;
    this.wave.part = part && [part.start_s / length_s, part.end_s / length_s];
    this.wave.draw();
    this.#from.value = (part?.start_s ?? 0).toFixed(3);
    this.#to.value = (part?.end_s ?? length_s).toFixed(3);
    this.#loop.disabled = this.#clear.disabled = !part;
    const link = (format) => h("a", { class: "button small", href: trackUrl(this.#track.id, "audio", { download: 1, format, ...part }), download: "" }, icon("download"), h("span", {}, format.toUpperCase()), h("span", { class: "sr" }, " download of the part"));
    fill(this.#downloads, part ? FORMATS.map(link) : []);
    this.showPlaying();
  }

  #toggleLoop() {
    if (player.isCurrent(this.#track) && player.part) player.part = null;
    else {
      const { start_s } = this.#part;
      player.play(this.#track, { queue: null, fraction: start_s / this.#track.duration_s });
      player.part = this.#part;
    }
  }

  /** Take over what was written in a field, unless the part would be empty. */
  #write() {
    const [start_s, end_s] = [Number(this.#from.value), Math.min(Number(this.#to.value), this.#track.duration_s)];
    if (start_s >= 0 && start_s < end_s) this.#mark({ start_s, end_s });
    else this.#show();
  }

  /** Bring the part of the waveform around `middle` into sight. */
  #look(middle) {
    const width = 1 / this.#zoom;
    const from = Math.min(1 - width, Math.max(0, middle - width / 2));
    this.wave.view = [from, from + width];
    this.#scroll.max = String(1 - width);
    this.#scroll.value = String(from);
    this.#scroll.hidden = this.#zoom === 1;
    this.#farther.disabled = this.#zoom === 1;
    this.#nearer.disabled = this.#zoom === DEEPEST;
    this.wave.draw();
    this.wave.canvas.dispatchEvent(new Event("view"));
  }

  #zoomButton(sign, label, times) {
    const zoom = () => {
      const { part, view } = this.wave;
      const middle = part ? (part[0] + part[1]) / 2 : player.isCurrent(this.#track) ? player.fraction : (view[0] + view[1]) / 2;
      this.#zoom = Math.min(DEEPEST, Math.max(1, this.#zoom * times));
      this.#look(middle);
    };
    return h("button", { type: "button", class: "button small", "aria-label": label, title: label, onclick: zoom }, sign);
  }

  #seconds(label) {
    return h("input", { type: "number", class: "input", min: "0", step: "0.001", inputmode: "decimal", "aria-label": label, onchange: () => this.#write() });
  }

  close() {
    this.wave.close();
  }
}

function labelled(text, control) {
  return h("label", { class: "labelled" }, h("span", {}, text), control);
}
