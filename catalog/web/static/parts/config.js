// The configuration a track is made with: every value with its source, folded away.

import { h } from "../lib/dom.js";

const HEADINGS = ["Setting", "Value", "Source"];

/** Return the fold with the table; `text(value)` writes a value. */
export function configFold(config, sources, text) {
  const keys = Object.keys(config).sort();
  const row = (key) => h("tr", {}, h("th", { scope: "row" }, key), h("td", {}, text(config[key])), h("td", {}, sources?.[key] ?? ""));
  const table = h("table", { class: "config" }, h("thead", {}, h("tr", {}, HEADINGS.map((one) => h("th", { scope: "col" }, one)))), h("tbody", {}, keys.map(row)));
  return h(
    "details",
    { class: "fold" },
    h("summary", {}, `Configuration, ${keys.length} values`),
    h("div", { class: "table-area", tabindex: "0", role: "region", "aria-label": "Configuration" }, table),
  );
}
