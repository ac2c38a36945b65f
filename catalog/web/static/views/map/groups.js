// Groups of tracks on the map, by mood or style. Each has a colour and a shape of its own, which it keeps.

import { colour, h } from "../../lib/dom.js";
import { name } from "../../lib/format.js";
import { mark, SHAPES } from "./shapes.js";

const COLOURS = 8;
const GROUPS = COLOURS * SHAPES.length;

/** Return the groups, {value, at, count}, the largest first; every point is given its `group`, the `at` of one.
 *
 * The points come in the order in which their tracks were made, and a value takes the next place when it first appears.
 * So tracks that are added change the look of none. What comes after the last place is "others".
 */
export function groupsOf(points, key) {
  const places = new Map();
  const counts = new Map();
  for (const point of points) {
    const value = point[key] || "none";
    if (!places.has(value) && places.size < GROUPS) places.set(value, places.size);
    point.group = places.get(value) ?? GROUPS;
    counts.set(point.group, (counts.get(point.group) ?? 0) + 1);
  }
  const groups = [...places].map(([value, at]) => ({ value, at, count: counts.get(at) }));
  if (counts.has(GROUPS)) groups.push({ value: "others", at: GROUPS, count: counts.get(GROUPS) });
  return groups.sort((a, b) => b.count - a.count || a.value.localeCompare(b.value));
}

/** Return the look of a group, {shape, colour}: no two have the same. */
export function styleOf(at) {
  if (at >= GROUPS) return { shape: "dot", colour: `group-${COLOURS}` };
  return { shape: SHAPES[(at + Math.floor(at / COLOURS)) % SHAPES.length], colour: `group-${at % COLOURS}` };
}

/** Return the line of a group in the legend; `toggle(at)` shows or hides its tracks and returns whether they are shown. */
export function legendRow({ value, at, count }, shown, toggle) {
  const onclick = (event) => event.currentTarget.setAttribute("aria-pressed", String(toggle(at)));
  return h(
    "li",
    {},
    h("button", { type: "button", class: "legend-value", data: { value }, "aria-pressed": String(shown), onclick }, swatch(at), h("span", {}, name(value)), h("span", { class: "facet-count" }, String(count))),
  );
}

function swatch(at) {
  const look = styleOf(at);
  const box = h("canvas", { class: "swatch", width: "28", height: "28", "aria-hidden": "true", data: { look: `${look.shape} ${look.colour}` } });
  const pen = box.getContext("2d");
  pen.scale(2, 2);
  mark(pen, look.shape, 7, 7, 4.5, colour(look.colour));
  return box;
}
