// The chosen facets as chips above the list; a click takes one away.

import { h, icon } from "../../lib/dom.js";
import { FACETS } from "../../lib/language.js";
import { change } from "../../lib/route.js";
import { label } from "../../parts/facets.js";

const chosen = (params) => Object.keys(FACETS).flatMap((facet) => params.getAll(facet).map((value) => [facet, value]));

/** Return how many values are chosen. */
export function filterCount(params) {
  return chosen(params).length;
}

/** Take the search and every facet out of the address. */
export function clearFilters() {
  change({ q: null, ...Object.fromEntries(Object.keys(FACETS).map((facet) => [facet, null])) });
}

export function filterChips(params) {
  const chips = chosen(params).map(([facet, value]) => chip(params, facet, value));
  return [chips, chips.length > 1 && h("button", { type: "button", class: "link", onclick: clearFilters }, "Clear all")];
}

function chip(params, facet, value) {
  const text = label(facet, value);
  const remove = () => change({ [facet]: params.getAll(facet).filter((one) => one !== value) });
  return h(
    "button",
    { type: "button", class: "chip", "aria-label": `Remove the filter ${FACETS[facet]}: ${text}`, onclick: remove },
    h("span", { class: "chip-key" }, FACETS[facet]),
    text,
    icon("close"),
  );
}
