// What part of the map is in sight: from the frame of the service to pixels, with zoom and pan.

const PAD = 28; // pixels
const MOST = 60; // times

export class Camera {
  /** Where the map ends, {left, right, bottom, top}. It stays when tracks are added, so that the map does not move. */
  frame = { left: -1, right: 1, bottom: -1, top: 1 };
  zoom = 1;
  #pan = [0, 0];
  #size = [1, 1];

  resize(width, height) {
    this.#size = [width, height];
    this.#hold();
  }

  /** Return where a track lies, in pixels. */
  place({ x, y }) {
    const { left, right, bottom, top } = this.frame;
    const [width, height] = this.#size;
    const across = PAD + ((x - left) / (right - left || 1)) * (width - 2 * PAD);
    const down = height - PAD - ((y - bottom) / (top - bottom || 1)) * (height - 2 * PAD);
    return [across * this.zoom + this.#pan[0], down * this.zoom + this.#pan[1]];
  }

  /** Return the place on the map, {x, y}, that lies at a spot. */
  at([x, y]) {
    const { left, right, bottom, top } = this.frame;
    const [width, height] = this.#size;
    const [across, down] = [(x - this.#pan[0]) / this.zoom, (y - this.#pan[1]) / this.zoom];
    return {
      x: left + ((across - PAD) / (width - 2 * PAD)) * (right - left || 1),
      y: bottom + ((height - PAD - down) / (height - 2 * PAD)) * (top - bottom || 1),
    };
  }

  /** Zoom by a factor; what lies at `spot`, by default the middle, stays there. */
  zoomBy(factor, spot = this.#size.map((one) => one / 2)) {
    const zoom = Math.min(MOST, Math.max(1, this.zoom * factor));
    this.#pan = this.#pan.map((pan, at) => spot[at] - ((spot[at] - pan) / this.zoom) * zoom);
    this.zoom = zoom;
    this.#hold();
  }

  panBy(right, down) {
    this.#pan = [this.#pan[0] + right, this.#pan[1] + down];
    this.#hold();
  }

  reset() {
    this.zoom = 1;
    this.#pan = [0, 0];
  }

  /** Bring a spot into sight; returns whether that moved the map. */
  show([x, y]) {
    const by = (one, size) => (one < PAD ? PAD - one : one > size - PAD ? size - PAD - one : 0);
    const before = this.#pan;
    this.panBy(by(x, this.#size[0]), by(y, this.#size[1]));
    return before.some((pan, at) => pan !== this.#pan[at]);
  }

  /** Keep the map in sight: it always covers the canvas. */
  #hold() {
    this.#pan = this.#pan.map((pan, at) => Math.min(0, Math.max(this.#size[at] * (1 - this.zoom), pan)));
  }
}
