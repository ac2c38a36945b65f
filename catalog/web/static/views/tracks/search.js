// The search field above the list, with what the service does not understand in it.

import { debounced, h, icon, iconButton } from "../../lib/dom.js";
import { change } from "../../lib/route.js";
import { complain } from "../../lib/toast.js";

const TYPING_MS = 140;

export class SearchField {
  #typed = debounced(() => change({ q: this.text.trim() }, { view: "tracks", replace: true }), TYPING_MS);
  #input = h("input", {
    type: "search",
    id: "search",
    class: "search-input",
    placeholder: "Describe a scene, or narrow it: calm water mood:peaceful length:10..30",
    "aria-label": "Search tracks by meaning and words",
    autocomplete: "off",
    spellcheck: "false",
    enterkeyhint: "search",
    "aria-describedby": "search-problem",
    oninput: this.#typed,
    onkeydown: (event) => this.#key(event),
  });
  #problem = h("p", { id: "search-problem", class: "field-problem", role: "alert" });
  elements = [h("div", { class: "search" }, icon("search"), this.#input, iconButton("close", "Clear the search", () => this.#clear(), { class: "icon-button search-clear" })), this.#problem];
  #onDown;

  /** `onDown` is called when the keyboard leaves the field for the list. */
  constructor({ onDown }) {
    this.#onDown = onDown;
  }

  get text() {
    return this.#input.value;
  }

  /** Show the search of the address, unless the reader is writing one. */
  show(text) {
    if (document.activeElement !== this.#input) this.#input.value = text;
  }

  focus() {
    this.#input.focus();
    this.#input.select();
  }

  /** Show what is wrong with the query below the field; any other error as a note. */
  showProblem(error) {
    if (error.status === 400 || error.status === 422) this.#problem.textContent = error.message;
    else complain(error);
  }

  clearProblem() {
    this.#problem.textContent = "";
  }

  #key(event) {
    if (event.key !== "ArrowDown" && event.key !== "Enter") return;
    event.preventDefault();
    this.#onDown();
  }

  #clear() {
    this.#typed.cancel();
    this.#input.value = "";
    change({ q: null });
    this.#input.focus();
  }
}
