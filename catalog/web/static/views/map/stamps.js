// Marks put straight into the pixels of a layer. A canvas takes ten times as long for thousands of shapes or pictures.

import { colour } from "../../lib/dom.js";
import { styleOf } from "./groups.js";
import { mark } from "./shapes.js";

const ROOM = 3; // a picture of a mark is so many times as wide as the size of the mark

/** Fill `layer`, a canvas, with the marks of `points`; `size` is that of a mark, and `ratio` the pixels of the screen to one of the page. */
export function stampMarks(layer, points, size, ratio) {
  const pen = layer.getContext("2d");
  const pixels = pen.createImageData(layer.width, layer.height);
  const stamps = new Map(); // group -> the picture of its mark
  for (const { group, at } of points) {
    if (!stamps.has(group)) stamps.set(group, stampOf(styleOf(group), size, ratio));
    press(pixels, stamps.get(group), Math.round(at[0] * ratio), Math.round(at[1] * ratio));
  }
  pen.putImageData(pixels, 0, 0);
}

function stampOf(look, size, ratio) {
  const box = document.createElement("canvas");
  box.width = box.height = Math.ceil(size * ROOM * ratio);
  const pen = box.getContext("2d", { willReadFrequently: true });
  pen.scale(ratio, ratio);
  mark(pen, look.shape, box.width / ratio / 2, box.width / ratio / 2, size, colour(look.colour));
  return pen.getImageData(0, 0, box.width, box.width);
}

/** Lay a stamp over `pixels` with its middle at (x, y), as a canvas lays one colour over another. */
function press(pixels, stamp, x, y) {
  const [over, under, side] = [stamp.data, pixels.data, stamp.width];
  const [left, top] = [x - (side >> 1), y - (side >> 1)];
  const [first, last] = [Math.max(0, -left), Math.min(side, pixels.width - left)];
  for (let row = Math.max(0, -top); row < Math.min(side, pixels.height - top); row++) {
    for (let column = first; column < last; column++) {
      const from = (row * side + column) * 4;
      const alpha = over[from + 3];
      if (!alpha) continue;
      const to = ((top + row) * pixels.width + left + column) * 4;
      const below = (under[to + 3] * (255 - alpha)) / 255;
      const all = alpha + below;
      for (let part = 0; part < 3; part++) under[to + part] = (over[from + part] * alpha + under[to + part] * below) / all;
      under[to + 3] = all;
    }
  }
}
