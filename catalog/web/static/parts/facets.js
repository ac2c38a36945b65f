// The facets beside the list: what there is, how many of each, and what is chosen.

import { fill, h, icon } from "../lib/dom.js";
import { name, number, stars } from "../lib/format.js";
import { FACETS } from "../lib/language.js";
import { change, here } from "../lib/route.js";

const FIRST = 6;
const open = new Set();

const NONE = { rating: "Not rated", environment: "No place", mood: "No mood" };

export function label(facet, value) {
  if (value === "none") return NONE[facet] ?? "None";
  if (facet === "rating") return stars(Number(value));
  return facet === "backend" ? value : name(value);
}

/** Choose a value of a facet, or take it back. */
export function toggle(facet, value) {
  const now = here().params.getAll(facet);
  const rest = now.filter((one) => one !== value);
  change({ [facet]: rest.length < now.length ? rest : [...now, value] }, { view: "tracks" });
}

export function facetPanel() {
  const element = h("div", { class: "facets" });
  let shownLast = null;

  function group(facet, counts, chosen) {
    // What is chosen stays in sight even where nothing else has it.
    const values = Object.entries({ ...Object.fromEntries(chosen.map((one) => [one, 0])), ...counts });
    if (facet === "rating") values.sort(([a], [b]) => (Number(b) || 0) - (Number(a) || 0));
    else values.sort(([a, x], [b, y]) => y - x || a.localeCompare(b));
    if (!values.length) return null;
    const all = open.has(facet) || values.length <= FIRST + 1;
    const listed = all ? values : values.filter(([value], at) => at < FIRST || chosen.includes(value));
    return h(
      "section",
      { class: "facet", "aria-labelledby": `facet-${facet}` },
      h("h3", { id: `facet-${facet}` }, FACETS[facet]),
      h(
        "ul",
        { role: "list" },
        listed.map(([value, count]) => {
          const on = chosen.includes(value);
          return h(
            "li",
            {},
            h(
              "button",
              { type: "button", class: "facet-value", "aria-pressed": String(on), data: { facet, value }, onclick: () => toggle(facet, value) },
              h("span", { class: "facet-mark" }, on && icon("check")),
              h("span", { class: "facet-name", ...(facet === "rating" && Number(value) ? { "aria-label": `${value} of 5` , role: "img" } : {}) }, label(facet, value)),
              h("span", { class: "facet-count" }, number(count)),
            ),
          );
        }),
      ),
      values.length > listed.length || (open.has(facet) && values.length > FIRST + 1)
        ? h(
            "button",
            {
              type: "button",
              class: "link facet-more",
              "aria-expanded": String(open.has(facet)),
              onclick: () => {
                if (!open.delete(facet)) open.add(facet);
                panel.show(shownLast);
                element.querySelector(`[aria-labelledby="facet-${facet}"] .facet-more`)?.focus();
              },
            },
            open.has(facet) ? "Fewer" : `${values.length - listed.length} more`,
          )
        : null,
    );
  }

  const panel = {
    element,
    show(counts) {
      if (!counts) return;
      shownLast = counts;
      const focused = document.activeElement?.closest?.(".facet-value")?.dataset;
      fill(element, Object.keys(FACETS).map((facet) => group(facet, counts[facet] ?? {}, here().params.getAll(facet))));
      if (focused) [...element.querySelectorAll(".facet-value")].find((one) => one.dataset.facet === focused.facet && one.dataset.value === focused.value)?.focus();
    },
  };
  return panel;
}
