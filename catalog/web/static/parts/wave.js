// Waveforms: peaks from the service, drawn on a canvas. The page never decodes audio.

import { get, trackPath, aborted } from "../lib/api.js";
import { colour } from "../lib/dom.js";
import { player } from "../lib/player.js";

const POINTS = 240;
const KEPT = 800;
const AT_ONCE = 6;
const BAR = 2;
const GAP = 1;

const known = new Map(); // id -> Float32Array of heights in [0, 1]; the oldest are dropped
const queue = [];
let running = 0;

/** Return the heights of a track's waveform; asked for a few at a time, dropped when `signal` says so. */
function heights(id, signal) {
  if (known.has(id)) return Promise.resolve(known.get(id));
  return new Promise((resolve, reject) => {
    queue.push({ id, signal, resolve, reject });
    next();
  });
}

async function next() {
  if (running >= AT_ONCE || !queue.length) return;
  const { id, signal, resolve, reject } = queue.shift();
  if (signal.aborted) return next();
  running += 1;
  try {
    if (!known.has(id)) {
      const told = await get(trackPath(id, "peaks"), { points: POINTS }, signal);
      known.set(id, normalised(told));
      if (known.size > KEPT) known.delete(known.keys().next().value);
    }
    resolve(known.get(id));
  } catch (error) {
    reject(error);
  } finally {
    running -= 1;
    next();
  }
}

function normalised({ min, max }) {
  const found = Float32Array.from(max, (high, i) => Math.max(Math.abs(high), Math.abs(min[i])));
  const top = Math.max(0.05, ...found);
  return found.map((height) => height / top);
}

let palette = null;
addEventListener("themechange", () => {
  palette = null;
  for (const wave of shown) wave.draw();
});
const shown = new Set();
const sizes = new ResizeObserver((entries) => {
  for (const entry of entries) entry.target.wave?.draw();
});

/** A canvas with the waveform of one track that plays and seeks where it is clicked. */
export class Wave {
  #heights = null;
  #abort = null;
  #hover = null;
  #drawn = null;
  track = null;

  constructor({ onSeek } = {}) {
    this.canvas = document.createElement("canvas");
    this.canvas.className = "wave";
    this.canvas.setAttribute("aria-hidden", "true");
    this.canvas.wave = this;
    const fraction = (event) => {
      const box = this.canvas.getBoundingClientRect();
      return Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
    };
    this.canvas.addEventListener("click", (event) => {
      event.stopPropagation();
      if (this.track) onSeek?.(this.track, fraction(event));
    });
    this.canvas.addEventListener("pointermove", (event) => {
      if (event.pointerType === "touch") return;
      this.#hover = fraction(event);
      this.draw();
    });
    this.canvas.addEventListener("pointerleave", () => {
      this.#hover = null;
      this.draw();
    });
    sizes.observe(this.canvas);
    shown.add(this);
  }

  show(track) {
    if (this.track?.id === track?.id) return;
    this.#abort?.abort();
    this.track = track;
    this.#heights = null;
    if (track) {
      this.#abort = new AbortController();
      heights(track.id, this.#abort.signal).then(
        (found) => {
          if (this.track?.id !== track.id) return;
          this.#heights = found;
          this.draw();
        },
        (error) => {
          if (!aborted(error)) this.canvas.dataset.failed = "";
        },
      );
    }
    this.draw();
  }

  /** Draw again where the playhead has moved by a pixel. */
  tick() {
    const at = player.isCurrent(this.track) ? Math.round(player.fraction * this.canvas.clientWidth) : null;
    if (at !== this.#drawn) this.draw();
  }

  draw() {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    if (!width || !height) return;
    const ratio = devicePixelRatio || 1;
    if (this.canvas.width !== Math.round(width * ratio) || this.canvas.height !== Math.round(height * ratio)) {
      this.canvas.width = Math.round(width * ratio);
      this.canvas.height = Math.round(height * ratio);
    }
    palette ??= { rest: colour("wave"), played: colour("accent"), hover: colour("wave-hover"), text: colour("text") };
    const pen = this.canvas.getContext("2d");
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, width, height);
    const current = player.isCurrent(this.track);
    const played = current ? player.fraction * width : 0;
    this.#drawn = current ? Math.round(played) : null;
    const hover = this.#hover === null ? 0 : this.#hover * width;
    const bars = Math.max(1, Math.floor((width + GAP) / (BAR + GAP)));
    for (let i = 0; i < bars; i += 1) {
      const x = i * (BAR + GAP);
      const tall = this.#heights ? Math.max(1.5, this.#top(i / bars, (i + 1) / bars) * height) : 1.5;
      pen.fillStyle = x < played ? palette.played : x < hover ? palette.hover : palette.rest;
      pen.fillRect(x, (height - tall) / 2, BAR, tall);
    }
    // The playhead is a line too, so that progress reads without colour.
    if (current) {
      pen.fillStyle = palette.text;
      pen.fillRect(Math.min(width - 1, played), 0, 1, height);
    }
  }

  #top(from, to) {
    const found = this.#heights;
    let top = 0;
    const last = Math.max(Math.floor(from * found.length) + 1, Math.ceil(to * found.length));
    for (let i = Math.floor(from * found.length); i < last && i < found.length; i += 1) top = Math.max(top, found[i]);
    return top;
  }

  close() {
    this.#abort?.abort();
    sizes.unobserve(this.canvas);
    shown.delete(this);
  }
}

player.addEventListener("time", () => {
  for (const wave of shown) wave.tick();
});
