// Short notes at the bottom, each with at most one thing to do about it.

import { h, iconButton, button } from "./dom.js";

const SHOWN_MS = 8000;

/** Show `text`; `action` is {label, run}. Returns a function that takes the note away. */
export function toast(text, { action, tone = "plain", stay_ms = SHOWN_MS } = {}) {
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
  place.append(note);
  while (place.children.length > 3) place.firstChild.remove();
  wait();
  return close;
}

/** Show what went wrong, in the words of the service. */
export function complain(error) {
  toast(error.message, { tone: "bad", stay_ms: 12000 });
}
