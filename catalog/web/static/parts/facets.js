// The facets beside the list: their values, how many tracks have each, and which are chosen.

import { fill, h, icon } from "../lib/dom.js";
import { name, number, stars } from "../lib/format.js";
import { FACETS } from "../lib/language.js";
import { change, here } from "../lib/route.js";

const FIRST = 6; // values of a facet before a click shows the rest
const NONE = { rating: "Not rated", environment: "No place", mood: "No mood", tag: "No tag" };

/** Return what a value of a facet is called. */
export function label(facet, value) {
  if (value === "none") return NONE[facet] ?? "None";
  if (facet === "rating") return stars(Number(value)) || value;
  return facet === "backend" || facet === "tag" ? value : name(value);
}

/** Choose a value of a facet, or take it back. */
function toggle(facet, value) {
  const chosen = here().params.getAll(facet);
  const rest = chosen.filter((one) => one !== value);
  change({ [facet]: rest.length < chosen.length ? rest : [...chosen, value] }, { view: "tracks" });
}

export class FacetPanel {
  element = h("div", { class: "facets", id: "facets" });
  #open = new Set(); // facets that show all their values
  #counts = null;

  /** Show `counts`, facet -> value -> number of tracks. The focus stays on the value it was on. */
  show(counts) {
    if (!counts) return;
    this.#counts = counts;
    const focused = document.activeElement?.closest?.(".facet-value")?.dataset;
    fill(this.element, Object.keys(FACETS).map((facet) => this.#facet(facet, counts[facet] ?? {}, here().params.getAll(facet))));
    if (focused) [...this.element.querySelectorAll(".facet-value")].find((one) => one.dataset.facet === focused.facet && one.dataset.value === focused.value)?.focus();
  }

  #facet(facet, counts, chosen) {
    const values = sorted(facet, counts, chosen);
    if (!values.length) return null;
    const foldable = values.length > FIRST + 1; // a button that hides one value would take as much room as the value
    const listed = foldable && !this.#open.has(facet) ? values.filter(([value], at) => at < FIRST || chosen.includes(value)) : values;
    return h(
      "section",
      { class: "facet", "aria-labelledby": `facet-${facet}` },
      h("h3", { id: `facet-${facet}` }, FACETS[facet]),
      h("ul", { role: "list" }, listed.map(([value, count]) => h("li", {}, valueButton(facet, value, count, chosen.includes(value))))),
      (values.length > listed.length || (foldable && this.#open.has(facet))) && this.#moreButton(facet, values.length - listed.length),
    );
  }

  #moreButton(facet, hidden) {
    const open = this.#open.has(facet);
    const onclick = () => {
      if (!this.#open.delete(facet)) this.#open.add(facet);
      this.show(this.#counts);
      this.element.querySelector(`[aria-labelledby="facet-${facet}"] .facet-more`)?.focus();
    };
    return h("button", { type: "button", class: "link facet-more", "aria-expanded": String(open), onclick }, open ? "Fewer" : `${hidden} more`);
  }
}

/** Return the [value, count] pairs of a facet; a chosen value stays in sight when no track has it any more. */
function sorted(facet, counts, chosen) {
  if (facet === "tag" && !Object.keys(counts).some((value) => value !== "none") && !chosen.length) return [];
  const values = Object.entries({ ...Object.fromEntries(chosen.map((one) => [one, 0])), ...counts });
  if (facet === "rating") return values.sort(([a], [b]) => (Number(b) || 0) - (Number(a) || 0));
  return values.sort(([a, x], [b, y]) => y - x || a.localeCompare(b));
}

function valueButton(facet, value, count, chosen) {
  const spoken = facet === "rating" && Number(value) ? { "aria-label": `${value} of 5`, role: "img" } : {};
  return h(
    "button",
    { type: "button", class: "facet-value", "aria-pressed": String(chosen), data: { facet, value }, onclick: () => toggle(facet, value) },
    h("span", { class: "facet-mark" }, chosen && icon("check")),
    h("span", { class: "facet-name", ...spoken }, label(facet, value)),
    h("span", { class: "facet-count" }, number(count)),
  );
}
