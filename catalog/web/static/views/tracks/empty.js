// What stands in the place of an empty list: why it is empty, and what to do about it.

import { button, h } from "../../lib/dom.js";
import { clearFilters } from "./chips.js";
import { newcomer } from "./newcomer.js";

/** Return the elements for an empty answer to `query`; `text` is what stands in the search field. */
export function emptyText(query, text) {
  if (query.q) {
    return [
      h("h2", {}, text.trim() ? `Nothing matches “${text.trim()}”` : "Nothing matches"),
      h("p", {}, "Take a filter away, use other words, or have it made."),
      h("div", { class: "empty-actions" }, button("Clear everything", clearFilters), h("a", { class: "button", href: `#/compose?text=${encodeURIComponent(text)}` }, "Compose it")),
    ];
  }
  if (query.trashed) return [h("h2", {}, "The trash is empty"), h("p", {}, "Tracks you delete wait here until they are purged.")];
  return newcomer();
}
