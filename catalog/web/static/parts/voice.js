// A recording of a voice: a file that is chosen, or what the microphone hears.

import { button, fill, h } from "../lib/dom.js";
import { clock } from "../lib/format.js";
import { KINDS } from "../lib/recording.js";

const REFUSED = {
  NotAllowedError: "The microphone is not allowed here. Allow it in the browser's settings for this page, or choose a file.",
  NotFoundError: "No microphone was found. Connect one, or choose a file.",
  NotReadableError: "Another program uses the microphone. Close that, or choose a file.",
};
const NOT_HERE = "This browser records only on a secure address. Choose a file.";

/** Controls that give one recording; `file` is it, or null. `onProblem(sentence)` gets "" where there is none. */
export class Voice {
  file = null;
  #recorder = null; // MediaRecorder while it runs
  #timer = 0;
  #url = null;
  #onProblem;
  #onChange;
  #input;
  #record = button("Record", () => (this.#recorder ? this.#recorder.stop() : this.#start()));
  #heard = h("div", { class: "voice-heard" });
  element;

  constructor({ id, label, onProblem, onChange = () => {} }) {
    this.#onProblem = onProblem;
    this.#onChange = onChange;
    this.#input = h("input", { type: "file", id, accept: KINDS, ...(label && { "aria-label": label }), onchange: () => this.#take(this.#input.files[0] ?? null) });
    if (label) this.#record.setAttribute("aria-label", `Record: ${label}`);
    this.element = h("div", { class: "voice" }, h("div", { class: "actions" }, this.#input, this.#record), this.#heard);
  }

  focus() {
    this.#input.focus();
  }

  /** End a recording that runs, as when the view is left; it stays. */
  stop() {
    this.#recorder?.stop();
  }

  #take(file) {
    this.file = file;
    if (this.#url) URL.revokeObjectURL(this.#url);
    this.#url = null;
    fill(this.#heard);
    this.#onProblem("");
    this.#onChange();
  }

  async #start() {
    this.#onProblem("");
    if (!navigator.mediaDevices?.getUserMedia) return this.#onProblem(NOT_HERE);
    this.#record.disabled = true;
    try {
      this.#listen(await navigator.mediaDevices.getUserMedia({ audio: true }));
    } catch (error) {
      this.#onProblem(REFUSED[error.name] ?? "The microphone gives no sound. Choose a file.");
    }
    this.#record.disabled = false;
  }

  #listen(stream) {
    const pieces = [];
    const began = performance.now();
    const recorder = (this.#recorder = new MediaRecorder(stream));
    recorder.addEventListener("dataavailable", (event) => event.data.size && pieces.push(event.data));
    recorder.addEventListener("stop", () => {
      clearInterval(this.#timer);
      for (const track of stream.getTracks()) track.stop();
      this.#recorder = null;
      this.#name("Record again");
      this.#heardNow(new File(pieces, "My recording", { type: recorder.mimeType }));
    });
    recorder.start();
    const tick = () => this.#name(`Stop, ${clock((performance.now() - began) / 1000)}`);
    tick();
    this.#timer = setInterval(tick, 500);
  }

  #name(text) {
    this.#record.lastChild.textContent = text;
  }

  #heardNow(file) {
    this.#input.value = "";
    this.#take(file);
    this.#url = URL.createObjectURL(file);
    const away = button("Discard", () => (this.#name("Record"), this.#take(null), this.#record.focus()), { class: "button small" });
    fill(this.#heard, h("audio", { controls: true, src: this.#url, "aria-label": "Your recording" }), away);
  }
}
