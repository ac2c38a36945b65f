// The canvas of the map: where each track lies, what is drawn, and what is near the pointer.

import { colour, h } from "../../lib/dom.js";
import { player } from "../../lib/player.js";
import { here } from "../../lib/route.js";
import { GROUPS } from "./groups.js";
import { contains, mark, polygon, SHAPES } from "./shapes.js";

const PAD = 28; // pixels
const REACH = 14; // pixels from the pointer to a track
const RING = 5; // pixels around a mark
const SIZES = [
  [3000, 2.5],
  [600, 4],
  [150, 5.5],
  [0, 7],
]; // more points than the first number: the second is the size of a mark

export class Plot {
  /** The tracks, {id, x, y, group, ...}; null before they are loaded. `at` is where one was drawn, in pixels. */
  points = null;
  /** The groups that are hidden. */
  off = new Set();
  hovered = null;
  /** The corners of the lasso while it is drawn. */
  lasso = null;
  canvas = h("canvas", { class: "map-canvas", tabindex: "0", role: "application", "aria-label": "Map of the catalog", "aria-describedby": "map-help" });
  #frame = 0;

  constructor() {
    new ResizeObserver(() => this.draw()).observe(this.canvas);
    player.addEventListener("change", () => this.draw());
  }

  /** Draw with the next frame. */
  draw() {
    cancelAnimationFrame(this.#frame);
    this.#frame = requestAnimationFrame(() => this.#paint());
  }

  /** Return where a track lies, in pixels. */
  place(point) {
    return this.#scale()(point);
  }

  /** Return the shown track nearest to a spot, or null when none is within reach. */
  nearest([x, y]) {
    let best = null;
    let least = REACH;
    for (const point of this.#drawn()) {
      const far = Math.hypot(point.at[0] - x, point.at[1] - y);
      if (far <= least) [best, least] = [point, far];
    }
    return best;
  }

  /** Return the shown tracks inside a lasso. */
  inside(lasso) {
    return this.#drawn().filter((point) => contains(lasso, point.at));
  }

  /** Return the nearest track in a direction, 60 degrees to either side of it; null when there is none. */
  next([right, down]) {
    const [x, y] = this.hovered?.at ?? [this.canvas.clientWidth / 2, this.canvas.clientHeight / 2];
    const nearest = this.#drawn()
      .filter((point) => point !== this.hovered)
      .map((point) => ({ point, along: (point.at[0] - x) * right + (point.at[1] - y) * down, far: Math.hypot(point.at[0] - x, point.at[1] - y) }))
      .filter(({ along, far }) => along > far * 0.5)
      .sort((a, b) => a.far - b.far)[0];
    return nearest?.point ?? null;
  }

  #drawn() {
    return this.points?.filter((point) => !this.off.has(point.group) && point.at) ?? [];
  }

  /** Return a function from a track to its place: the extremes of all tracks fill the canvas. */
  #scale() {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    const [left, right] = extremes(this.points.map((point) => point.x));
    const [bottom, top] = extremes(this.points.map((point) => point.y));
    const [across, up] = [right - left || 1, top - bottom || 1];
    return ({ x, y }) => [PAD + ((x - left) / across) * (width - 2 * PAD), height - PAD - ((y - bottom) / up) * (height - 2 * PAD)];
  }

  #paint() {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    if (!width || !this.points?.length) return;
    const ratio = devicePixelRatio || 1;
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(height * ratio);
    const pen = this.canvas.getContext("2d");
    pen.scale(ratio, ratio);
    const [, size] = SIZES.find(([more]) => this.points.length > more);
    this.#paintMarks(pen, size);
    this.#paintRings(pen, size + RING);
    if (this.lasso?.length > 1) this.#paintLasso(pen);
  }

  #paintMarks(pen, size) {
    const place = this.#scale();
    const picked = new Set(here().params.getAll("pick"));
    const colours = Array.from({ length: GROUPS + 1 }, (_, at) => colour(`group-${at}`));
    for (const point of this.points) {
      if (this.off.has(point.group)) continue;
      point.at = place(point);
      pen.globalAlpha = picked.size && !picked.has(point.id) ? 0.18 : 0.9;
      mark(pen, SHAPES[point.group], ...point.at, size, colours[point.group]);
    }
    pen.globalAlpha = 1;
  }

  /** Draw a ring around the track under the pointer, the one in the player and the open one. */
  #paintRings(pen, radius) {
    pen.strokeStyle = colour("text");
    const open = here().params.get("track");
    for (const point of this.#drawn()) {
      if (point !== this.hovered && !player.isCurrent(point) && open !== point.id) continue;
      pen.lineWidth = point === this.hovered ? 2 : 1.5;
      pen.beginPath();
      pen.arc(...point.at, radius, 0, 7);
      pen.stroke();
    }
  }

  #paintLasso(pen) {
    pen.lineWidth = 1.5;
    pen.setLineDash([5, 4]);
    pen.beginPath();
    polygon(pen, this.lasso);
    pen.stroke();
    pen.globalAlpha = 0.07;
    pen.fillStyle = colour("text");
    pen.fill();
  }
}

/** Return the least and the greatest of values; spreading many thousands into Math.min would overflow the stack. */
function extremes(values) {
  return values.reduce(([least, most], one) => [Math.min(least, one), Math.max(most, one)], [Infinity, -Infinity]);
}
