// The canvas of the map: what is drawn, and what is near the pointer.

import { colour, h } from "../../lib/dom.js";
import { player } from "../../lib/player/player.js";
import { here } from "../../lib/route.js";
import { Camera } from "./camera.js";
import { partNames, writeNames } from "./names.js";
import { contains, polygon } from "./shapes.js";
import { spread } from "./spread.js";
import { stampMarks } from "./stamps.js";

const REACH = 14; // pixels from the pointer to a track
const RING = 5; // pixels around a mark
const SEEN = 0.9; // how much is seen of a mark
const FAINT = 0.2; // the same of what is not picked
const LEAST_STEP = 3; // pixels between two corners of a lasso
const SIZES = [
  [3000, 2.5],
  [600, 4],
  [150, 5.5],
  [-1, 7],
]; // more points than the first number: the second is the size of a mark

export class Plot {
  /** The groups that are hidden. */
  off = new Set();
  hovered = null;
  /** The corners of the lasso while it is drawn. */
  lasso = null;
  /** What names the parts of the map: "mood" or "style". */
  key = "mood";
  camera = new Camera();
  canvas = h("canvas", { class: "map-canvas", tabindex: "0", role: "application", "aria-label": "Map of the catalog", "aria-describedby": "map-help" });
  #points = null;
  #frame = 0;
  #marks = document.createElement("canvas"); // the marks alone: while a lasso grows only that is drawn anew
  #picks = document.createElement("canvas"); // the marks of what is picked: a pick draws no other anew
  #names = []; // of the parts
  #stale = true; // the marks have to be drawn anew
  #stalePicks = true;
  #picked = new Set();

  constructor() {
    new ResizeObserver(() => this.draw()).observe(this.canvas);
    player.addEventListener("change", () => this.drawOver());
  }

  /** The tracks, {id, x, y, group, ...}; null before they are loaded. `at` is where one was drawn, in pixels. */
  get points() {
    return this.#points;
  }
  set points(points) {
    spread(points);
    this.#points = points;
  }

  /** The ids of the picked tracks. */
  get picked() {
    return this.#picked;
  }
  set picked(ids) {
    this.#picked = ids;
    this.#stalePicks = true;
  }

  /** Draw everything with the next frame. */
  draw() {
    this.#stale = true;
    this.drawOver();
  }

  /** Draw with the next frame what lies over the marks: rings and the lasso. */
  drawOver() {
    cancelAnimationFrame(this.#frame);
    this.#frame = requestAnimationFrame(() => this.#paint());
  }

  /** Draw everything at once. */
  paint() {
    this.#stale = true;
    this.#paint();
  }

  /** Make the lasso longer by a corner, unless that is next to the last one. */
  extend(spot) {
    const [x, y] = this.lasso.at(-1);
    if (Math.hypot(spot[0] - x, spot[1] - y) >= LEAST_STEP) this.lasso.push(spot);
  }

  /** Return the shown track nearest to a spot, or null when none is within reach. */
  nearest([x, y]) {
    let best = null;
    let least = REACH;
    for (const point of this.#points ?? []) {
      if (!point.at || this.off.has(point.group)) continue;
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
    return this.#points?.filter((point) => !this.off.has(point.group) && point.at) ?? [];
  }

  /** Return the size of a mark: many are small, and grow as the reader comes nearer. */
  get size() {
    const [, size] = SIZES.find(([more]) => (this.#points?.length ?? 0) > more);
    return size * Math.min(2, this.camera.zoom ** 0.35);
  }

  #paint() {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    if (!width || !this.#points) return;
    const ratio = devicePixelRatio || 1;
    const size = [Math.round(width * ratio), Math.round(height * ratio)];
    if (this.#stale) this.#paintMarks(size, ratio, width, height);
    if (this.#picked.size && (this.#stale || this.#stalePicks)) this.#paintPicks(size, ratio);
    this.#stale = this.#stalePicks = false;
    if (this.canvas.width !== size[0] || this.canvas.height !== size[1]) [this.canvas.width, this.canvas.height] = size;
    const pen = this.canvas.getContext("2d");
    pen.setTransform(1, 0, 0, 1, 0, 0);
    pen.clearRect(0, 0, ...size);
    pen.globalAlpha = this.#picked.size ? FAINT : SEEN;
    pen.drawImage(this.#marks, 0, 0);
    pen.globalAlpha = SEEN;
    if (this.#picked.size) pen.drawImage(this.#picks, 0, 0);
    pen.globalAlpha = 1;
    pen.scale(ratio, ratio);
    writeNames(pen, this.#names, colour("text"), colour("surface"));
    this.#paintRings(pen, this.size + RING);
    if (this.lasso?.length > 1) this.#paintLasso(pen);
  }

  /** Draw the marks, and name the parts. */
  #paintMarks(size, ratio, width, height) {
    this.camera.resize(width, height);
    [this.#marks.width, this.#marks.height] = size;
    const radius = this.size;
    for (const point of this.#points) {
      const [x, y] = this.camera.place(point);
      point.at = [x + point.step[0] * radius, y + point.step[1] * radius];
    }
    const drawn = this.#drawn();
    stampMarks(this.#marks, drawn, radius, ratio);
    this.#names = partNames(drawn, this.key, width, height);
  }

  #paintPicks(size, ratio) {
    [this.#picks.width, this.#picks.height] = size;
    const picked = this.#drawn().filter((point) => this.#picked.has(point.id));
    stampMarks(this.#picks, picked, this.size, ratio);
  }

  /** Draw a ring around the track under the pointer, the one in the player and the open one. */
  #paintRings(pen, radius) {
    pen.strokeStyle = colour("text");
    const open = here().params.get("track");
    for (const point of this.#points) {
      if (point !== this.hovered && open !== point.id && !player.isCurrent(point)) continue;
      if (!point.at || this.off.has(point.group)) continue;
      pen.lineWidth = point === this.hovered ? 2 : 1.5;
      pen.beginPath();
      pen.arc(...point.at, radius, 0, 7);
      pen.stroke();
    }
  }

  #paintLasso(pen) {
    pen.lineWidth = 1.5;
    pen.strokeStyle = colour("text");
    pen.setLineDash([5, 4]);
    pen.beginPath();
    polygon(pen, this.lasso);
    pen.stroke();
    pen.setLineDash([]);
    pen.globalAlpha = 0.07;
    pen.fillStyle = colour("text");
    pen.fill();
    pen.globalAlpha = 1;
  }
}
