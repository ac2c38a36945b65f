// Names on the map: what most tracks of a part in sight have in common.

import { name } from "../../lib/format.js";

const CELL = 150; // pixels
const LEAST = 3; // tracks
const SHARE = 0.4; // of the tracks of a part that have the value in common
const MOST = 9;
const ABOVE = 18; // pixels from a mark to the name over it
const FONT = "600 13px";

/** Return the names of the parts in sight, {text, x, y}, the largest parts first; none lies on another. */
export function partNames(points, key, width, height) {
  const cells = new Map();
  for (const point of points) {
    const [x, y] = point.at;
    if (x < 0 || y < 0 || x > width || y > height) continue;
    const cell = `${Math.floor(x / CELL)},${Math.floor(y / CELL)}`;
    if (!cells.has(cell)) cells.set(cell, []);
    cells.get(cell).push(point);
  }
  const parts = [...cells.values()].filter((part) => part.length >= LEAST).sort((a, b) => b.length - a.length);
  const named = new Set();
  const placed = [];
  for (const part of parts) {
    const [value, count] = commonest(part, key);
    if (!value || named.has(value) || count < SHARE * part.length) continue;
    const own = part.filter((point) => point[key] === value);
    const x = mean(own.map((point) => point.at[0]));
    const under = own.filter((point) => Math.abs(point.at[0] - x) < 40).map((point) => point.at[1]);
    const y = under.length ? Math.max(12, Math.min(...under) - ABOVE) : mean(own.map((point) => point.at[1]));
    if (placed.some((one) => Math.abs(one.x - x) < CELL * 0.8 && Math.abs(one.y - y) < 26)) continue;
    named.add(value);
    placed.push({ text: name(value), x, y });
    if (placed.length === MOST) break;
  }
  return placed;
}

/** Write names over the marks, each with a rim in the colour of the ground. */
export function writeNames(pen, names, ink, ground) {
  pen.font = `${FONT} ${getComputedStyle(document.body).fontFamily}`;
  pen.textAlign = "center";
  pen.textBaseline = "middle";
  pen.lineJoin = "round";
  pen.lineWidth = 4;
  pen.strokeStyle = ground;
  pen.fillStyle = ink;
  for (const { text, x, y } of names) {
    pen.strokeText(text, x, y);
    pen.fillText(text, x, y);
  }
}

function commonest(points, key) {
  const counts = new Map();
  for (const point of points) counts.set(point[key], (counts.get(point[key]) ?? 0) + 1);
  return [...counts].sort(([, a], [, b]) => b - a)[0];
}

const mean = (values) => values.reduce((sum, one) => sum + one, 0) / values.length;
