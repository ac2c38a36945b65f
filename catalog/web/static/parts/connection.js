// What the reader sees when the service does not answer: a strip over all views, and a view that could not be loaded.

import { connection } from "../lib/connection.js";
import { announce, button, h, icon } from "../lib/dom.js";

/** Return the strip that stays in sight for as long as the service does not answer. */
export function connectionStrip() {
  const text = "The catalog does not answer. What you typed is kept; the page asks again by itself.";
  const strip = h("div", { class: "connection", role: "region", "aria-label": "Connection", hidden: true }, icon("warning"), h("p", {}, text), button("Try now", () => connection.check(), { class: "button small" }));
  connection.addEventListener("lost", () => {
    strip.hidden = false;
    announce(text);
  });
  connection.addEventListener("back", () => {
    strip.hidden = true;
    announce("The catalog answers again.");
  });
  return strip;
}

/** Return what stands in the place of something that could not be loaded; `retry` loads it once more. */
export function notLoaded(error, retry) {
  return [h("h2", {}, "This could not be loaded"), h("p", {}, error.message), h("div", { class: "empty-actions" }, button("Retry", retry))];
}
