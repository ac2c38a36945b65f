// Groups of tracks on the map, by mood or style: the largest have a colour and a shape each, the rest share one.

import { colour, h } from "../../lib/dom.js";
import { name } from "../../lib/format.js";
import { mark, SHAPES } from "./shapes.js";

export const GROUPS = 8;

/** Return the groups, {value, at, count}, the largest first; every point is given its `group`, the `at` of one. */
export function groupsOf(points, key) {
  const counts = new Map();
  for (const point of points) counts.set(valueOf(point, key), (counts.get(valueOf(point, key)) ?? 0) + 1);
  const largest = [...counts].sort(([a, x], [b, y]) => y - x || a.localeCompare(b)).slice(0, GROUPS);
  const places = new Map(largest.map(([value], at) => [value, at]));
  for (const point of points) point.group = places.get(valueOf(point, key)) ?? GROUPS;
  const groups = largest.map(([value, count], at) => ({ value, at, count }));
  const others = points.length - groups.reduce((sum, group) => sum + group.count, 0);
  return others ? [...groups, { value: "others", at: GROUPS, count: others }] : groups;
}

const valueOf = (point, key) => point[key] || "none";

/** Return the line of a group in the legend; `toggle(at)` shows or hides its tracks and returns whether they are shown. */
export function legendRow({ value, at, count }, shown, toggle) {
  const onclick = (event) => event.currentTarget.setAttribute("aria-pressed", String(toggle(at)));
  return h(
    "li",
    {},
    h("button", { type: "button", class: "legend-value", "aria-pressed": String(shown), onclick }, swatch(at), h("span", {}, name(value)), h("span", { class: "facet-count" }, String(count))),
  );
}

function swatch(at) {
  const box = h("canvas", { class: "swatch", width: "28", height: "28", "aria-hidden": "true" });
  const pen = box.getContext("2d");
  pen.scale(2, 2);
  mark(pen, SHAPES[at], 7, 7, 4.5, colour(`group-${at}`));
  return box;
}
