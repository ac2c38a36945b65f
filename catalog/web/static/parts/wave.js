// Waveforms, drawn on a canvas from peaks that the service measured. The page decodes no audio.

import { aborted, get, trackPath } from "../lib/api.js";
import { colour } from "../lib/dom.js";
import { player } from "../lib/player/player.js";

const POINTS = 240;
const DRAG_PX = 4; // a pointer that moves less has clicked
const KEPT = 800; // waveforms
const AT_ONCE = 6; // requests
const BAR = 2;
const GAP = 1;

const known = new Map(); // id and number of points -> Float32Array of heights in [0, 1]
const queue = []; // waveforms to fetch
let running = 0;

/** Return the heights of a track's waveform. A few are fetched at a time; one that is aborted before its turn, never. */
function heights(id, points, signal) {
  const key = `${id}/${points}`;
  if (known.has(key)) return Promise.resolve(known.get(key));
  return new Promise((resolve, reject) => {
    queue.push({ id, points, key, signal, resolve, reject });
    next();
  });
}

async function next() {
  if (running >= AT_ONCE || !queue.length) return;
  const { id, points, key, signal, resolve, reject } = queue.shift();
  if (signal.aborted) return next();
  running += 1;
  try {
    if (!known.has(key)) {
      known.set(key, normalised(await get(trackPath(id, "peaks"), { points }, signal)));
      // A map keeps its insertion order: the first key is the oldest.
      if (known.size > KEPT) known.delete(known.keys().next().value);
    }
    resolve(known.get(key));
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

/** A canvas with the waveform of one track. `onSeek(track, fraction)` is called where it is clicked, `onPart([from, to])` where a part is dragged out. */
export class Wave {
  /** What is in sight, and the part that is marked, in fractions of the track. */
  view = [0, 1];
  part = null;
  #points;
  #heights = null;
  #abort = null;
  #hover = null;
  #drawn = null;
  #dragged = false;
  track = null;

  constructor({ onSeek, onPart, points = POINTS } = {}) {
    this.#points = points;
    this.canvas = document.createElement("canvas");
    this.canvas.className = "wave";
    this.canvas.setAttribute("aria-hidden", "true");
    this.canvas.wave = this;
    this.canvas.addEventListener("click", (event) => {
      event.stopPropagation();
      if (this.track && !this.#dragged) onSeek?.(this.track, this.#fraction(event));
    });
    this.canvas.addEventListener("pointermove", (event) => event.pointerType !== "touch" && this.#point(this.#fraction(event)));
    this.canvas.addEventListener("pointerleave", () => this.#point(null));
    if (onPart) this.#letDrag(onPart);
    sizes.observe(this.canvas);
    shown.add(this);
  }

  #letDrag(onPart) {
    let from = null; // {x, fraction} of where the pointer went down
    this.canvas.classList.add("can-mark");
    this.canvas.addEventListener("pointerdown", (event) => {
      from = event.button ? null : { x: event.clientX, fraction: this.#fraction(event) };
      this.#dragged = false;
      if (from) this.canvas.setPointerCapture(event.pointerId);
    });
    this.canvas.addEventListener("pointermove", (event) => {
      if (!from || (!this.#dragged && Math.abs(event.clientX - from.x) < DRAG_PX)) return;
      this.#dragged = true;
      this.part = [from.fraction, this.#fraction(event)].sort((a, b) => a - b);
      this.draw();
    });
    const end = () => {
      if (from && this.#dragged) onPart(this.part);
      from = null;
    };
    this.canvas.addEventListener("pointerup", end);
    this.canvas.addEventListener("pointercancel", end);
  }

  #fraction(event) {
    const box = this.canvas.getBoundingClientRect();
    const [from, to] = this.view;
    return from + Math.min(1, Math.max(0, (event.clientX - box.left) / box.width)) * (to - from);
  }

  /** Return where on the canvas a fraction of the track is. */
  #x(fraction, width) {
    return ((fraction - this.view[0]) / (this.view[1] - this.view[0])) * width;
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
      heights(track.id, this.#points, this.#abort.signal).then(
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
    const at = player.isCurrent(this.track) ? Math.round(this.#x(player.fraction, this.canvas.clientWidth)) : null;
    if (at !== this.#drawn) this.draw();
  }

  draw() {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    if (!width || !height) return;
    palette ??= { rest: colour("wave"), played: colour("accent"), hover: colour("wave-hover"), text: colour("text"), part: colour("accent-soft") };
    const pen = this.#clear(width, height);
    const current = player.isCurrent(this.track);
    const played = current ? this.#x(player.fraction, width) : 0;
    this.#drawn = current ? Math.round(played) : null;
    if (this.part) this.#drawPart(pen, width, height);
    this.#drawBars(pen, width, height, played);
    // The playhead is a line as well as a colour, for readers who cannot tell the colours apart.
    if (current && played >= 0 && played <= width) {
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

  #drawPart(pen, width, height) {
    const [from, to] = this.part.map((fraction) => this.#x(fraction, width));
    pen.fillStyle = palette.part;
    pen.fillRect(from, 0, to - from, height);
    pen.fillStyle = palette.text;
    for (const edge of [from, to - 1]) pen.fillRect(edge, 0, 1, height);
  }

  #drawBars(pen, width, height, played) {
    const hover = this.#hover === null ? 0 : this.#x(this.#hover, width);
    const [from, to] = this.view;
    const at = (bar) => from + ((to - from) * bar) / bars;
    const bars = Math.max(1, Math.floor((width + GAP) / (BAR + GAP)));
    for (let i = 0; i < bars; i += 1) {
      const x = i * (BAR + GAP);
      const tall = this.#heights ? Math.max(1.5, this.#highest(at(i), at(i + 1)) * height) : 1.5;
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
