// The form: the context, what the reader knows about it, and the buttons that make.

import { get } from "../../lib/api.js";
import { connection } from "../../lib/connection.js";
import { button, h, icon, options } from "../../lib/dom.js";
import { EXAMPLES } from "../../lib/examples.js";
import { name } from "../../lib/format.js";
import { complain } from "../../lib/toast.js";
import { PLACES, QUALITIES, TIMES } from "../../lib/vocabulary.js";
import { draft, keepDraft } from "./draft.js";

// How the fields of the request are read from the controls.
const KNOWN = ["environment", "time_of_day", "query", "application"];
const NAMES = ["preset", "role", "quality", "backend", "license"];
const BACKENDS = { auto: "Best that is here", procedural: "Procedural", mlx: "MusicGen (MLX)" }; // any other is a plugin
const NUMBERS = ["duration_s", "seed", "min_similarity"];

export class ContextForm {
  #controls = {}; // field of the request -> its control
  #onChange;
  #text;
  #problem;
  #overrides;
  #makeButton;
  #newButton;
  #takesButton;
  #kept = draft(); // what was written before the page was loaded again
  #offered = this.#kept.offered ?? ""; // the text of an address that was taken over last

  /** `onInput` is called while the reader types, `onChange` after a change, `onMake(reuse)` to have a track made. */
  constructor({ onInput, onChange, onMake }) {
    this.#onChange = () => (this.#keep(), onChange());
    this.#text = this.#textarea(() => (this.#keep(), onInput()), onMake);
    this.#problem = h("p", { class: "field-problem", role: "alert" });
    this.#overrides = h("details", { class: "fold overrides" }, h("summary", {}, "Options"), h("div", { class: "fields" }, this.#fields()));
    this.#makeButton = h("button", { type: "button", class: "button primary", onclick: () => onMake("auto") }, icon("spark"), h("span", {}, "Find or make"));
    this.#newButton = button("Always make new", () => onMake("never"));
    this.#takesButton = button("Make 3 takes", () => onMake("takes"));
    this.elements = [
      h("label", { class: "sr", for: "context" }, "Context"),
      this.#text,
      h("p", { class: "muted hint", id: "context-hint" }, "Try ", EXAMPLES.map((example, at) => [at ? ", " : "", this.#exampleButton(example)])),
      this.#problem,
      h("div", { class: "actions" }, this.#makeButton, this.#newButton, this.#takesButton),
    ];
    this.options = this.#overrides;
    this.#restore();
    this.#loadPresets().then(() => this.#restoreFields() && !this.isEmpty && this.#onChange());
  }

  get isEmpty() {
    return !this.#text.value.trim();
  }

  /** Return the request as the API takes it. */
  request() {
    const set = Object.fromEntries(Object.entries(this.#controls).map(([key, control]) => [key, control.value.trim()]).filter(([, value]) => value !== ""));
    const context = { text: this.#text.value };
    for (const key of KNOWN) if (set[key]) context[key] = set[key];
    if (set.mood_tags) context.mood_tags = set.mood_tags.split(",").map((tag) => tag.trim()).filter(Boolean);
    const request = { context: Object.keys(context).length > 1 ? context : context.text };
    for (const key of NAMES) if (set[key]) request[key] = set[key];
    for (const key of NUMBERS) if (set[key]) request[key] = Number(set[key]);
    if (set.loopable) request.loopable = set.loopable === "true";
    return request;
  }

  /** Take a text and choices over from the address once, unless the reader is writing one. */
  offer({ text, ...fields }) {
    const known = Object.entries(fields).filter(([key]) => key in this.#controls);
    const offered = JSON.stringify([text, ...known]);
    if (offered === this.#offered || document.activeElement === this.#text) return;
    this.#offered = offered;
    this.#text.value = text;
    for (const [key, control] of Object.entries(this.#controls)) control.value = fields[key] ?? "";
    // A style can be chosen only once the styles are here.
    this.#kept = { text, offered, fields: Object.fromEntries(known) };
    this.#overrides.open ||= known.length > 0;
    this.#onChange();
  }

  /** Set a field, and show that it is set. */
  choose(key, value) {
    this.#controls[key].value = value;
    this.#overrides.open = true;
    this.#onChange();
  }

  focus() {
    this.#text.focus();
  }

  disable(on) {
    for (const one of [this.#makeButton, this.#newButton, this.#takesButton]) one.disabled = on;
  }

  showProblem(message) {
    this.#problem.textContent = message;
  }

  /** Keep what is written and chosen, so that loading the page again loses nothing. */
  #keep() {
    const fields = Object.fromEntries(Object.entries(this.#controls).map(([key, control]) => [key, control.value]));
    keepDraft({ text: this.#text.value, offered: this.#offered, fields });
  }

  #restore() {
    this.#text.value = this.#kept.text ?? "";
    this.#restoreFields();
    this.#overrides.open = Object.values(this.#kept.fields ?? {}).some(Boolean);
  }

  /** Choose again what was chosen; returns whether that changed anything. A style can be chosen only once the styles are here. */
  #restoreFields() {
    let changed = false;
    for (const [key, value] of Object.entries(this.#kept.fields ?? {})) {
      const control = this.#controls[key];
      if (!control || !value || control.value) continue;
      control.value = value;
      changed ||= control.value === value;
    }
    return changed;
  }

  #textarea(onInput, onMake) {
    return h("textarea", {
      id: "context",
      class: "context",
      rows: "7",
      placeholder: "Paste what your application just said: an answer, a chunk, a scene.",
      "aria-describedby": "context-hint",
      oninput: () => onInput(),
      onpaste: () => setTimeout(() => this.#onChange(), 0), // the text is there only after the event
      onkeydown: (event) => (event.ctrlKey || event.metaKey) && event.key === "Enter" && onMake("auto"),
    });
  }

  #exampleButton([label, example]) {
    const take = () => {
      this.#text.value = example;
      this.#onChange();
      this.focus();
    };
    return h("button", { type: "button", class: "link", onclick: take }, label.toLowerCase());
  }

  #fields() {
    return [
      this.#field("preset", "Style", choice([], "Choose for me")),
      this.#field("role", "Role", choice([], "Choose for me")),
      this.#field("quality", "Quality", choice(QUALITIES, "Choose for me")),
      this.#field("duration_s", "Length, seconds", numeric({ min: "0.5", max: "600", step: "any" })),
      this.#field("loopable", "Loop", choice([["true", "Seamless loop"], ["false", "No loop"]], "Either")),
      this.#field("seed", "Seed", numeric({ min: "0", max: "4294967295", step: "1" })),
      this.#field("environment", "Place", choice(PLACES, "Read it in the text")),
      this.#field("time_of_day", "Time of day", choice(TIMES, "Read it in the text")),
      this.#field("mood_tags", "Moods", h("input", { class: "input", placeholder: "calm, hopeful" })),
      this.#field("query", "Question it answers", h("input", { class: "input", placeholder: "optional" })),
      this.#field("application", "What your application is", h("input", { class: "input", maxlength: "500", placeholder: "as configured" })),
      this.#field("backend", "Made by", choice([["procedural", BACKENDS.procedural], ["mlx", BACKENDS.mlx]], BACKENDS.auto)),
      this.#field("license", "Licence", choice([["commercial", "For commercial use"]], "Any")),
      this.#field("min_similarity", "Minimum match", numeric({ min: "-1", max: "1", step: "0.01", placeholder: "auto" })),
    ];
  }

  #field(key, label, control) {
    this.#controls[key] = control;
    control.addEventListener("change", () => this.#onChange());
    return h("label", { class: "field" }, h("span", {}, label), control);
  }

  /** Fill the styles, the roles and the backends, which a catalog can add to. */
  async #loadPresets() {
    try {
      const { presets, backends } = await get("/presets");
      for (const [key, section] of [["preset", "presets"], ["role", "roles"]]) {
        const entries = presets.filter((one) => one.section === section);
        this.#controls[key].append(...entries.map((one) => h("option", { value: one.name, title: one.description }, name(one.name))));
      }
      this.#controls.backend.append(...backends.filter((one) => !(one in BACKENDS)).map((one) => h("option", { value: one }, one)));
    } catch (error) {
      complain(error);
      connection.addEventListener("back", () => this.#loadPresets(), { once: true });
    }
  }
}

/** Return a select of names or [value, text] pairs; `any` is the text for no choice. */
function choice(values, any) {
  const pairs = values.map((one) => (Array.isArray(one) ? one : [one, name(one)]));
  return h("select", { class: "select" }, options([["", any], ...pairs]));
}

function numeric(props) {
  return h("input", { class: "input", type: "number", inputmode: "decimal", placeholder: "auto", ...props });
}
