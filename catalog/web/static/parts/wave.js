// Waveforms, drawn on a canvas from peaks that the service measured. The page decodes no audio.

import { aborted, get, trackPath } from "../lib/api.js";
import { colour } from "../lib/dom.js";
import { player } from "../lib/player.js";

const POINTS = 240;
const KEPT = 800; // waveforms
const AT_ONCE = 6; // requests
const BAR = 2;
const GAP = 1;

const known = new Map(); // id -> Float32Array of heights in [0, 1]
const queue = []; // waveforms to fetch
let running = 0;

/** Return the heights of a track's waveform. A few are fetched at a time; one that is aborted before its turn, never. */
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
      known.set(id, normalised(await get(trackPath(id, "peaks"), { points: POINTS }, signal)));
      // A map keeps its insertion order: the first key is the oldest.
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
  const peaks = Float32Array.from(max, (high, i) => Math.max(Math.abs(high), Math.abs(min[i])));
  const top = Math.max(0.05, ...peaks);
  return peaks.map((height) => height / top);
}

let palette = null; // colours of the theme
addEventListener("themechange", () => {
  palette = null;
  for (const wave of shown) wave.draw();
});
const shown = new Set();
const sizes = new ResizeObserver((entries) => {
  for (const entry of entries) entry.target.wave?.draw();
});

/** A canvas with the waveform of one track. `onSeek(track, fraction)` is called where it is clicked. */
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
    this.canvas.addEventListener("click", (event) => {
      event.stopPropagation();
      if (this.track) onSeek?.(this.track, this.#fraction(event));
    });
    this.canvas.addEventListener("pointermove", (event) => event.pointerType !== "touch" && this.#point(this.#fraction(event)));
    this.canvas.addEventListener("pointerleave", () => this.#point(null));
    sizes.observe(this.canvas);
    shown.add(this);
  }

  #fraction(event) {
    const box = this.canvas.getBoundingClientRect();
    return Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
  }

  #point(fraction) {
    this.#hover = fraction;
    this.draw();
  }

  show(track) {
    if (this.track?.id === track?.id && !("failed" in this.canvas.dataset)) return;
    delete this.canvas.dataset.failed;
    this.#abort?.abort();
    this.track = track;
    this.#heights = null;
    if (track) {
      this.#abort = new AbortController();
      heights(track.id, this.#abort.signal).then(
        (loaded) => {
          if (this.track?.id !== track.id) return;
          this.#heights = loaded;
          this.draw();
        },
        (error) => {
          if (!aborted(error)) this.canvas.dataset.failed = "";
        },
      );
    }
    this.draw();
  }

  /** Draw again if the playhead has moved by a pixel. */
  tick() {
    const at = player.isCurrent(this.track) ? Math.round(player.fraction * this.canvas.clientWidth) : null;
    if (at !== this.#drawn) this.draw();
  }

  draw() {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    if (!width || !height) return;
    palette ??= { rest: colour("wave"), played: colour("accent"), hover: colour("wave-hover"), text: colour("text") };
    const pen = this.#clear(width, height);
    const current = player.isCurrent(this.track);
    const played = current ? player.fraction * width : 0;
    this.#drawn = current ? Math.round(played) : null;
    this.#drawBars(pen, width, height, played);
    // The playhead is a line as well as a colour, for readers who cannot tell the colours apart.
    if (current) {
      pen.fillStyle = palette.text;
      pen.fillRect(Math.min(width - 1, played), 0, 1, height);
    }
  }

  /** Fit the canvas to the pixels of the screen, empty it and return its context. */
  #clear(width, height) {
    const ratio = devicePixelRatio || 1;
    const [across, down] = [Math.round(width * ratio), Math.round(height * ratio)];
    if (this.canvas.width !== across || this.canvas.height !== down) [this.canvas.width, this.canvas.height] = [across, down];
    const pen = this.canvas.getContext("2d");
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, width, height);
    return pen;
  }

  #drawBars(pen, width, height, played) {
    const hover = this.#hover === null ? 0 : this.#hover * width;
    const bars = Math.max(1, Math.floor((width + GAP) / (BAR + GAP)));
    for (let i = 0; i < bars; i += 1) {
      const x = i * (BAR + GAP);
      const tall = this.#heights ? Math.max(1.5, this.#highest(i / bars, (i + 1) / bars) * height) : 1.5;
      pen.fillStyle = x < played ? palette.played : x < hover ? palette.hover : palette.rest;
      pen.fillRect(x, (height - tall) / 2, BAR, tall);
    }
  }

  /** Return the greatest height between two fractions of the length. */
  #highest(from, to) {
    const all = this.#heights;
    const first = Math.floor(from * all.length);
    const last = Math.min(all.length, Math.max(first + 1, Math.ceil(to * all.length)));
    return all.subarray(first, last).reduce((a, b) => Math.max(a, b), 0);
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
