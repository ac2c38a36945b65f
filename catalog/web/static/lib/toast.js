// Short notes at the bottom of the page, each with at most one button.

import { button, h, iconButton } from "./dom.js";

const SHOWN_MS = 8000;

/** Show `text`; `action`, {label, run}, is its button. It replaces the note of the same `slot`. Returns a function that removes the note. */
export function toast(text, { action, tone = "plain", stay_ms = SHOWN_MS, slot } = {}) {
  const place = document.getElementById("toasts");
  let timer;
  const close = () => {
    clearTimeout(timer);
    note.remove();
  };
  const wait = () => (timer = setTimeout(close, stay_ms));
  const note = h(
    "div",
    { class: `toast ${tone}`, onpointerenter: () => clearTimeout(timer), onpointerleave: wait, onfocusin: () => clearTimeout(timer), onfocusout: wait },
    h("p", {}, text),
    action &&
      button(action.label, () => {
        close();
        action.run();
      }, { class: "button small" }),
    iconButton("close", "Dismiss", close),
  );
  if (slot) {
    for (const one of [...place.children]) if (one.dataset.slot === slot) one.remove();
    note.dataset.slot = slot;
  }
  place.append(note);
  while (place.children.length > 3) place.firstChild.remove();
  wait();
  return close;
}

/** Show the sentence of an error, unless the page shows it already. */
export function complain(error) {
  if (error.shown) return;
  toast(error.message, { tone: "bad", stay_ms: 12000, slot: error.message }); // what fails in several places is told once
}
