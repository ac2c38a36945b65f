// The search field above the list, with what the service does not understand in it.

import { debounced, fill, h, icon, iconButton } from "../../lib/dom.js";
import { change } from "../../lib/route.js";
import { complain } from "../../lib/toast.js";

const TYPING_MS = 140;

export class SearchField {
  #typed = debounced(() => this.#search(this.text.trim()), TYPING_MS);
  #asked = null; // the search that the field wrote into the address
  #input = h("input", {
    type: "search",
    id: "search",
    class: "search-input",
    placeholder: "Describe a scene, or narrow it: calm water mood:peaceful length:10..30",
    "aria-label": "Search tracks by meaning and words",
    dir: "auto",
    autocomplete: "off",
    spellcheck: "false",
    enterkeyhint: "search",
    "aria-describedby": "search-problem",
    oninput: this.#typed,
    onkeydown: (event) => this.#key(event),
  });
  #problem = h("p", { id: "search-problem", class: "field-problem", role: "alert" });
  #meant = h("p", { class: "search-meant", role: "status", hidden: true });
  elements = [h("div", { class: "search" }, icon("search"), this.#input, iconButton("close", "Clear the search", () => this.#clear(), { class: "icon-button search-clear" })), this.#problem, this.#meant];
  #onDown;

  /** `onDown` is called when the keyboard leaves the field for the list. */
  constructor({ onDown }) {
    this.#onDown = onDown;
  }

  get text() {
    return this.#input.value;
  }

  /** Show the search of the address. What this field wrote there is left alone: the reader may have typed on since. */
  show(text) {
    if (text === this.#asked) return;
    this.#asked = text;
    this.#typed.cancel();
    this.#input.value = text;
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

  /** Show which words no track has, and what may have been meant by them. */
  showMeant({ missing, meant }) {
    const pairs = Object.entries(meant);
    this.#meant.hidden = !missing.length && !pairs.length;
    const words = missing.map((word) => `“${word}”`).join(", ");
    const choices = pairs.map(([term, better]) => [" ", h("button", { type: "button", class: "link", onclick: () => this.#replace(term, better) }, better), "?"]);
    fill(this.#meant, missing.length ? `No track mentions ${words}. ` : "", choices.length ? ["Did you mean", choices] : "");
  }

  /** Write `better` in the place of a term of the search, or of a chosen filter. */
  #replace(term, better) {
    const at = this.text.toLowerCase().indexOf(term.toLowerCase());
    if (at >= 0) {
      this.#input.value = this.text.slice(0, at) + better + this.text.slice(at + term.length);
      change({ q: this.text.trim() });
    } else {
      const [facet, value] = better.split(":");
      change({ [facet]: value });
    }
    this.#input.focus();
  }

  #search(text) {
    this.#asked = text;
    change({ q: text }, { view: "tracks", replace: true });
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
