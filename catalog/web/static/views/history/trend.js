// A small chart of how requests were served over time: a bar a period, as high as the share served without making.

import { h, svg } from "../../lib/dom.js";
import { day, number, percent, plural, span } from "../../lib/format.js";

const HEIGHT = 100; // units of the drawing, which is stretched to its place
const STEP = 10;
const GAP = 2;
const LEAST = 14; // there is room for this many bars at the least, so that few of them stay narrow

/** Return the chart with the same numbers in a table, or nothing where no request was served yet. */
export function trendChart({ by, periods }) {
  if (!periods.length) return [];
  const ends = new Set([periods[0], periods.at(-1)].map((period) => day(period.start)));
  return [
    h("h2", { class: "trend-title" }, `Served without making, by ${by}`),
    h("div", { class: "trend-plot" }, h("div", { class: "trend-scale", "aria-hidden": "true" }, h("span", {}, percent(1)), h("span", {}, percent(0))), drawing(by, periods)),
    h("p", { class: "trend-ends muted small" }, [...ends].join(" – ")),
    h("details", { class: "trend-table" }, h("summary", {}, "The numbers"), table(by, periods)),
  ];
}

function drawing(by, periods) {
  const bars = periods.map((period, at) => {
    const place = { x: at * STEP + GAP / 2, width: STEP - GAP };
    const high = HEIGHT * (period.share ?? 0);
    return svg(
      "g",
      {},
      svg("title", {}, tooltip(period)),
      svg("rect", { class: period.share === null ? "trend-none" : "trend-all", ...place, y: 0, height: HEIGHT }),
      svg("rect", { class: "trend-part", ...place, y: HEIGHT - high, height: high }),
    );
  });
  const latest = periods.at(-1);
  const label = `${plural(periods.length, by)}; the latest: ${tooltip(latest)}. The numbers are in the table below.`;
  return svg("svg", { class: "trend-chart", role: "img", "aria-label": label, viewBox: `0 0 ${Math.max(LEAST, periods.length) * STEP} ${HEIGHT}`, preserveAspectRatio: "none" }, bars);
}

function tooltip(period) {
  const requests = period.reused + period.made;
  return requests ? `${day(period.start)}: ${percent(period.share)}, ${number(period.reused)} of ${plural(requests, "request")}, ${span(period.saved_s)} saved` : `${day(period.start)}: no request`;
}

function table(by, periods) {
  const title = by.charAt(0).toUpperCase() + by.slice(1);
  const head = [title, "Served without making", "Requests", "Generations saved", "Time saved"];
  const rows = [...periods].reverse().map((period) => {
    const cells = [percent(period.share), number(period.reused + period.made), number(period.reused), span(period.saved_s)];
    return h("tr", {}, h("th", { scope: "row" }, day(period.start)), cells.map((text) => h("td", {}, text)));
  });
  return h("table", {}, h("thead", {}, h("tr", {}, head.map((text) => h("th", { scope: "col" }, text)))), h("tbody", {}, rows));
}
